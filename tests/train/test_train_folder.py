"""Where a run lives and what its first file says: new folders, their locks, config.json, the schedules."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from tests.train.lines import LINES, Rows
from tinygrad_notes import nn, optim
from tinygrad_notes.train import origin
from tinygrad_notes.train.config import Config, read_config, read_task
from tinygrad_notes.train.folder import Claim, clear, fcntl, new_folder
from tinygrad_notes.train.options import RunError
from tinygrad_notes.train.schedules import SCHEDULES, make_schedule
from tinygrad_notes.train.settings import Settings
from tinygrad_notes.train.task import Outcome, Parts, Task

# ---- folders -------------------------------------------------------------------------------------


def test_a_folder_that_exists_gets_a_number(tmp_path):
    """The first that is free, whether those before hold anything or not."""
    names = []
    for _ in range(3):
        with new_folder(tmp_path / "a" / "run", numbered=True) as claim:
            names.append(claim.folder.name)
    assert names == ["run", "run-2", "run-3"]
    (tmp_path / "a" / "run-4").touch()
    with new_folder(tmp_path / "a" / "run", numbered=True) as claim:
        assert claim.folder == tmp_path / "a" / "run-5" and claim.folder.is_dir()
    with new_folder(tmp_path / "a" / "run-2") as claim:  # empty, and named
        assert claim.folder == tmp_path / "a" / "run-2"


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ("file", "is not a folder; choose another --out"),
        ("files", "is not empty; go on with --resume FOLDER or choose another --out"),
    ],
)
def test_a_folder_that_cannot_be_taken(tmp_path, found, message):
    folder = tmp_path / "a run"
    if found == "file":
        folder.touch()
    else:
        folder.mkdir()
        (folder / "x").touch()
    with pytest.raises(RunError) as caught, new_folder(folder):
        pass
    assert str(caught.value) == f"{folder} {message}".replace("FOLDER", f"'{folder}'")
    assert [path.name for path in tmp_path.rglob("*")] == (["a run"] if found == "file" else ["a run", "x"])


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("there", ["nothing", "the parent", "the folder"])
def test_a_folder_in_which_nothing_began_is_gone(tmp_path, there, written):
    """Those above it that were made for it as well; what was there before stays, and so does a file."""
    folder = tmp_path / "a" / "b" / "c"
    if there != "nothing":
        (folder if there == "the folder" else folder.parent).mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ZeroDivisionError), new_folder(folder) as claim:
        assert claim.folder == folder and folder.is_dir()
        if written:
            (folder / "x").touch()
        1 / 0  # noqa: B018
    a, b = tmp_path / "a", tmp_path / "a" / "b"
    assert sorted(tmp_path.rglob("*")) == ([a, b, folder, folder / "x"] if written else before)


def test_what_a_kill_has_left_is_cleared(tmp_path):
    names = [".a.1.part", ".part", "a.part", ".a.part.b", "b"]
    for name in names:
        (tmp_path / name).touch()
    clear(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.part.b", ".part", "a.part", "b"]
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / ".a.1.part").touch()
    with new_folder(tmp_path / "new") as claim:  # as good as empty
        assert not list(claim.folder.iterdir())


@pytest.mark.skipif(fcntl is None, reason="there are no locks here")
def test_a_claim_is_of_one_until_it_is_given_back(tmp_path):
    first, second = Claim(tmp_path), Claim(tmp_path)
    second.release()  # of what is not held
    first.take()
    first.take()  # again: it is held
    with pytest.raises(RunError, match=r"another training is writing there; wait for its end, or take anoth"):
        second.take()
    first.release()
    first.release()
    second.take()
    with pytest.raises(RunError):
        first.take()
    del second  # forgotten, as by a kill
    first.take()


@pytest.mark.skipif(fcntl is None, reason="there are no locks here")
@pytest.mark.parametrize("fails", [False, True])
def test_a_claim_is_kept_where_the_block_ends_well(tmp_path, fails):
    claim = Claim(tmp_path)
    try:
        with claim.kept():
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    other = Claim(tmp_path)
    if fails:
        other.take()
        return
    with pytest.raises(RunError, match="another training"):
        other.take()
    claim.release()
    other.take()


def test_a_drive_without_locks_lets_everybody_write(tmp_path, monkeypatch):
    class Without:
        LOCK_EX = LOCK_NB = 0

        @staticmethod
        def flock(handle, how):
            raise OSError

    for module in (Without, None):
        monkeypatch.setattr("tinygrad_notes.train.folder.fcntl", module)
        claims = [Claim(tmp_path), Claim(tmp_path)]
        for claim in claims:
            claim.take()
        for claim in claims:
            claim.release()


# ---- config.json ---------------------------------------------------------------------------------


def test_a_configuration_comes_back(tmp_path):
    config = Config(LINES, LINES.settings("line", lr=0.25), {"mean": 1.5}, 3)
    content = config.as_json()
    assert (content["task"], content["model"], content["threads"]) == ("lines", "line", 3)
    assert content["facts"] == {"mean": 1.5} and content["options"]["lr"] == 0.25
    assert set(content["options"]) == {field.name for field in dataclasses.fields(config.settings)} - {
        "model"
    }
    (tmp_path / "config.json").write_text(json.dumps(content))
    assert read_config(LINES, tmp_path) == config and read_task(tmp_path) == "lines"
    assert Config(LINES, config.settings, {}).as_json()["threads"] is None  # a GPU


GOOD = {"task": "lines", "model": "line", "options": {}, "facts": {}, "threads": 1}
KEYS = "must be an object in braces with the keys facts, model, options, task, threads"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "config.json: no JSON, so it was cut off or edited: "),
        ("[" * 100_000, "nested too deeply to be the configuration of a run"),
        ("[]", KEYS),
        ("null", KEYS),
        ({"task": "lines"}, KEYS),
        (GOOD | {"more": 1}, KEYS),
        ({k: v for k, v in GOOD.items() if k != "threads"}, KEYS),
        (
            {k: v for k, v in GOOD.items() if k != "task"},
            "written by an older version, which this one cannot",
        ),
        (GOOD | {"options": []}, "options must be an object in braces, got []"),
        (GOOD | {"facts": None}, "facts must be an object in braces, got None"),
        (GOOD | {"options": {"lr": 0}}, "config.json: lr must be a number above 0, got 0"),
        (GOOD | {"options": {"b": 0, "a": 1, "lr": 1}}, "config.json: unknown options ['a', 'b']"),
        (GOOD | {"model": 5}, "config.json: model must be a word, got 5"),
        (GOOD | {"task": "images"}, "config.json: a run of the task 'images', not of 'lines'"),
        (GOOD, None),
    ],
)
def test_what_is_no_configuration(tmp_path, content, message):
    (tmp_path / "config.json").write_text(content if isinstance(content, str) else json.dumps(content))
    if message is None:
        assert read_config(LINES, tmp_path).settings.model == "line"
        return
    with pytest.raises(RunError) as caught:
        read_config(LINES, tmp_path)
    assert message in str(caught.value) and str(tmp_path) in str(caught.value)


def test_what_is_no_run_folder(tmp_path):
    for path, message in ((tmp_path / "none", "none is not a folder"),
                          (tmp_path, f"{tmp_path} is not a run folder: it has no config.json")):  # fmt: skip
        for read in (read_task, lambda folder: read_config(LINES, folder)):
            with pytest.raises(RunError, match=message):
                read(path)
    (tmp_path / "config.json").mkdir()
    with pytest.raises(RunError, match=r"it has no config\.json"):
        read_task(tmp_path)


# ---- what a run began with -----------------------------------------------------------------------


def test_contents_have_the_size_and_the_digest_of_each_part():
    train, test = Rows(5), Rows(3, seed=1)
    found = origin.contents_of(Parts(train, None, test, {}))
    assert found == {"training": {"samples": 5, "digest": train.fingerprint()},
                     "test": {"samples": 3, "digest": test.fingerprint()}}  # fmt: skip
    assert list(Parts(train, test, None, {}).named()) == ["training", "validation"]


def state_of(**contents):
    config = Config(LINES, LINES.settings("line"), {}, 2)
    return {"resume": origin.remember(config, contents)}


@pytest.mark.parametrize(
    ("changed", "told"),
    [([], "; put"), (["a"], " (changed: a); put"), (list("abc"), " (changed: a, b, c); put"),
     (list("abcd"), " (changed: a, b, c, ...); put")],
)  # fmt: skip
def test_files_that_changed_are_named_where_the_data_did(changed, told):
    state = state_of(test={"samples": 3000, "digest": "x"})
    origin.check_data(
        Path("r"), "d", state, {"test": {"samples": 3000, "digest": "x"}}, changed, "put it back"
    )
    for now, said in ((3000, "as many samples as then (3,000), but others, or in another order"),
                      (2000, "2,000 samples, and then it had 3,000")):  # fmt: skip
        with pytest.raises(RunError) as caught:
            origin.check_data(Path("r"), "d", state, {"test": {"samples": now, "digest": "y"}}, changed,
                              "put it back")  # fmt: skip
        assert str(caught.value) == (
            f"r: the test part of d is not what the run began with: it has {said}{told} it back"
        )


@pytest.mark.parametrize(("then", "now", "told", "hint"), [
    (2, 2, None, False), (None, None, None, False), (2, 1, "on 2 threads and goes on on 1 thread:", True),
    (1, 4, "on 1 thread and goes on on 4 threads:", True),
    (None, 4, "on a GPU and goes on on 4 threads:", False),
    (4, None, "on 4 threads and goes on on a GPU:", False),
])  # fmt: skip
def test_another_number_of_threads_is_told(monkeypatch, recwarn, then, now, told, hint):
    monkeypatch.setattr(origin.backend, "threads", lambda: now)
    config = Config(LINES, LINES.settings("line"), {}, then)
    origin.check_threads(Path("r"), {"resume": origin.remember(config, {})})
    said = [str(one.message) for one in recwarn]
    if told is None:
        assert said == []
        return
    assert len(said) == 1 and said[0].startswith(f"r: the run began {told} sums are rounded otherwise")
    assert said[0].endswith(f"; OPENBLAS_NUM_THREADS={then} goes on as it began" if hint else "a break")


# ---- schedules -----------------------------------------------------------------------------------


def rates(make, count):
    """The learning rates of `count` steps, by the schedule that `make(optimizer)` gives."""
    optimizer = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    schedule, found = make(optimizer), []
    for _ in range(count):
        found.append(optimizer.param_groups[0]["lr"])
        if schedule is not None:
            schedule.step()
    return found


@pytest.mark.parametrize(
    ("name", "epochs", "batches", "expected"),
    [
        ("cosine", 2, 2, [(1 + math.cos(math.pi * step / 4)) / 2 for step in range(5)]),
        ("linear", 2, 2, [1 - step / 4 * (1 - 1e-4) for step in range(5)]),
        ("step", 3, 2, [1, 1, 0.1, 0.1, 0.01, 0.01]),
        ("step", 1, 1, [1]),
        ("step", 1, 3, [1, 0.1, 0.01]),
        ("resnet", 3, 3, [1, 1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01]),
        ("resnet-warmup", 3, 3, [0.1] * 9),
        ("googlenet", 20, 1, [1] * 8 + [0.96] * 8 + [0.96**2] * 4),
        ("constant", 2, 2, [1] * 4),
    ],
)
def test_rates_of_every_step(name, epochs, batches, expected):
    settings = Settings("any", epochs=epochs, schedule=name)
    for make in (
        lambda optimizer: make_schedule(name, optimizer, epochs, batches),
        lambda optimizer: settings.make_schedule(optimizer, batches),
    ):
        np.testing.assert_allclose(rates(make, len(expected)), expected, rtol=1e-9, atol=1e-12)


def test_every_schedule_is_made():
    made = {
        name: make_schedule(name, optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0), 2, 2) for name in SCHEDULES
    }
    assert [name for name, schedule in made.items() if schedule is None] == ["constant"]


# ---- what every task has -------------------------------------------------------------------------


class Plain(Task):
    name = "plain"


def test_what_a_task_says_where_it_says_nothing_itself(tmp_path):
    task, part = Plain(), Rows(2000)
    assert task.figures(0.5, 3, {"hits": 1.0}) == {"loss": 0.5} and task.judge == ("loss", min)
    assert task.announce(tmp_path, Parts(part, None, None, {})) == ["2,000 training samples"]
    assert task.announce(tmp_path, Parts(part, None, Rows(3), {})) == ["2,000 training and 3 test samples"]
    assert task.between(None) == [] and task.notes(None, None) == {} and task.changed(None, None, None) == []
    assert not task.takes("any") and LINES.takes("lines") and not LINES.takes("line")
    with pytest.raises(RunError, match="predict: there is nothing to predict for plain"):
        task.predict(None, {}, None, [], None)
    assert Outcome() == Outcome("", {}, {}, (), (), 1, {})
