"""The loop knows no task: one that is nothing like images trains, stops early, resumes, survives kills."""

import ast
import contextlib
import dataclasses
import errno
import io
import itertools
import json
import os
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from tests.cut_trainings import equal_to_the_whole
from tests.train.lines import LINES, Lines, LineSettings, Rows
from tinygrad_notes import checkpoint, nn, optim
from tinygrad_notes.data import DataLoader
from tinygrad_notes.tasks import MODELS, find_task
from tinygrad_notes.train import RunError, Trainer, evaluate
from tinygrad_notes.train.config import read_task
from tinygrad_notes.train.interrupt import Interrupted
from tinygrad_notes.train.loop import READ_EVERY
from tinygrad_notes.train.plots import learning_curves
from tinygrad_notes.train.progress import Lines as PlainLines
from tinygrad_notes.train.progress import describe, show
from tinygrad_notes.train.run import Run, load_trained
from tinygrad_notes.train.settings import Settings

TRAIN = Path(__file__).resolve().parents[2] / "tinygrad_notes" / "train"


# ---- what a task says reaches every place ----------------------------------------------------------


def test_batches_of_three_arrays_keep_their_dtypes():
    x, y, trust, weight = next(iter(DataLoader(Rows(5), 5)))
    assert weight == trust.numpy().sum()
    assert [t.dtype for t in (x, y, trust)] == [np.float32, np.float32, np.int32]


def test_figures_of_an_epoch_are_those_of_all_its_batches(tmp_path):
    """With lr 0 the sums over batches equal one evaluation of the whole; losses count by their weights."""
    rows = Rows(8 * READ_EVERY + 3)
    model = nn.Linear(1, 1)
    trainer = Trainer(LINES, model, optim.SGD(model.parameters(), lr=0.0), DataLoader(rows, 4, shuffle=True),
                      DataLoader(rows, len(rows)))  # fmt: skip
    (line,) = trainer.fit(1)
    error = model.weight.numpy()[0, 0] * rows.x + model.bias.numpy()[0] - rows.y
    expected = (rows.trust * error**2).sum() / rows.trust.sum()
    for part in ("train", "validation"):
        assert line[f"{part}_loss"] == pytest.approx(expected, rel=1e-5)
        assert line[f"{part}_r2"] == pytest.approx(1 - (error**2).sum() / ((rows.y - 1) ** 2).sum(), rel=1e-5)
        assert line[f"{part}_weight"] == rows.trust.sum()
    found = evaluate(LINES, model, DataLoader(rows, 7), each=True)
    np.testing.assert_allclose(found.each["error"], error, rtol=1e-4, atol=1e-6)
    text = describe(line, 1, ("r2",))
    assert f"loss {expected:.4f}  r2 {100 * line['train_r2']:.2f} %" in text and "acc" not in text
    pytest.importorskip("matplotlib")
    learning_curves([line], tmp_path / "l.png")


def test_each_part_is_measured_on_its_own_rows():
    """Weights that stay as they are: every figure can be computed from its part alone."""
    parts = {"train": Rows(24, seed=3), "validation": Rows(10, seed=4)}
    model = nn.Linear(1, 1)
    trainer = Trainer(LINES, model, optim.SGD(model.parameters(), lr=0.0),
                      *(DataLoader(rows, 8) for rows in parts.values()))  # fmt: skip
    (line,) = trainer.fit(1)
    for part, rows in parts.items():
        error = model.weight.numpy()[0, 0] * rows.x + model.bias.numpy()[0] - rows.y
        loss = (rows.trust * error**2).sum() / rows.trust.sum()
        r2 = 1 - (error**2).sum() / ((rows.y - 1) ** 2).sum()
        found = [line[f"{part}_{name}"] for name in ("loss", "r2", "weight")]
        assert found == pytest.approx([loss, r2, rows.trust.sum()], rel=1e-5)
    assert line["train_loss"] != pytest.approx(line["validation_loss"], rel=1e-2)


def test_a_run_of_another_task(tmp_path):
    run = Run.start(LINES, LINES.settings("line", slope=-1.0), tmp_path / "r")
    history = run.fit()
    config = json.loads((tmp_path / "r" / "config.json").read_text())
    assert (config["task"], config["model"]) == ("lines", "line") == (read_task(tmp_path / "r"), "line")
    assert config["options"]["slope"] == -1.0 and config["options"]["epochs"] == 4
    assert config["facts"] == run.facts
    assert LINES.announce(run.folder, run.parts) == ["36 training, 4 validation and 30 test points"]
    best = run.trainer.best()
    values = [line["validation_r2"] for line in history]
    assert values[best - 1] == max(values)
    state = load_trained(LINES, tmp_path / "r")[1]
    assert state["resume"]["epoch"] == best
    outcome = run.test()
    rows = run.parts.test
    error = state["weight"][0, 0] * rows.x + state["bias"][0] - rows.y
    np.testing.assert_allclose(outcome.each["error"], error, rtol=1e-4, atol=1e-6)


def test_the_test_part_is_read_once_at_the_end(tmp_path, monkeypatch):
    run = Run.start(LINES, LINES.settings("line"), tmp_path / "r")
    read, get = [], Rows.__getitem__
    monkeypatch.setattr(Rows, "__getitem__", lambda rows, index: (read.append(rows), get(rows, index))[1])
    run.fit()
    assert read and not any(rows is run.parts.test for rows in read)
    run.test()
    assert any(rows is run.parts.test for rows in read)


# ---- the best epoch, and patience ------------------------------------------------------------------


def worse_and_better(monkeypatch, values):
    """The validation says `values`, one after the other, whatever the model is."""
    figures = iter(values)

    def fake(task, model, batches, *rest, **options):
        return found._replace(figures={"loss": 1.0, "r2": next(figures)})

    run_model = nn.Linear(1, 1)
    found = evaluate(LINES, run_model, DataLoader(Rows(4), 4))
    monkeypatch.setattr("tinygrad_notes.train.loop.evaluate", fake)


@pytest.mark.parametrize(
    ("values", "patience", "epochs", "best"),
    [
        ([0.1, 0.3, 0.2, 0.1, 0.0, 0.9], 3, 5, 2),
        ([0.1, 0.3, 0.2, 0.1, 0.4, 0.3], 3, 6, 5),
        ([0.5, 0.5, 0.5, 0.5, 0.5, 0.5], 2, 3, 1),  # an equal one is no better one
        ([0.5, 0.4, 0.3, 0.2, 0.1, 0.0], None, 6, 1),
    ],
)
def test_patience_counts_from_the_best_epoch(tmp_path, monkeypatch, values, patience, epochs, best):
    run = Run.start(LINES, LINES.settings("line", epochs=6, patience=patience), tmp_path / "r")
    worse_and_better(monkeypatch, values)
    kept = {}
    save = run.save
    monkeypatch.setattr(run, "save", lambda trainer: (save(trainer), kept.update(
        {len(trainer.history): trainer.model.weight.numpy().copy()})))  # fmt: skip
    assert len(run.fit()) == epochs
    assert run.trainer.best() == best
    np.testing.assert_array_equal(checkpoint.load(tmp_path / "r" / "best.safetensors")["weight"], kept[best])
    np.testing.assert_array_equal(run.best_model().weight.numpy(), kept[best])
    resumed = Run.resume(LINES, tmp_path / "r")
    assert len(resumed.fit()) == epochs  # out of patience, or done
    assert resumed.trainer.best() == best


def test_a_resumed_run_may_get_more_patience(tmp_path, monkeypatch):
    run = Run.start(LINES, LINES.settings("line", epochs=6, patience=1), tmp_path / "r")
    worse_and_better(monkeypatch, [0.3, 0.2, 0.1, 0.4, 0.5, 0.4])
    assert len(run.fit()) == 2
    assert len(Run.resume(LINES, tmp_path / "r", patience=2).fit()) == 3
    assert len(Run.resume(LINES, tmp_path / "r", patience=3).fit()) == 6
    assert len(Run.resume(LINES, tmp_path / "r", epochs=6).fit()) == 6


def test_without_a_validation_the_last_weights_count(tmp_path):
    run = Run.start(LINES, LINES.settings("line", validation=None, patience=1), tmp_path / "r")
    assert len(run.fit()) == 4
    assert not (tmp_path / "r" / "best.safetensors").exists()
    assert run.best_model() is run.model and run.trainer.best() is None
    assert "resume" in load_trained(LINES, tmp_path / "r")[1]
    assert len(run.parts.train) == 40


def test_choosing_the_best_changes_nothing_in_training(tmp_path):
    """The weights after the last epoch are those of a training that is not interrupted by tests."""
    plain = Run.start(LINES, LINES.settings("line"), tmp_path / "plain")
    plain.trainer.fit(4)
    tested = Run.start(LINES, LINES.settings("line"), tmp_path / "tested")
    for epoch in range(1, 5):
        tested.trainer.fit(epoch, save=tested.save)
        tested.test()
    for name, weights in plain.model.state_dict().items():
        np.testing.assert_array_equal(tested.model.state_dict()[name], weights)


def test_a_training_that_is_cut_twice_in_an_epoch_and_resumed_twice_from_one_state(tmp_path):
    settings = LINES.settings("line", epochs=3)
    equal_to_the_whole(LINES, settings, tmp_path, lambda batches: [1, 2, batches + 1, 2 * batches])
    run = Run.start(LINES, settings, tmp_path / "r")
    with pytest.raises(Interrupted):
        run.fit(should_stop=lambda: run.trainer.batch == 2)
    run.claim.release()
    shutil.copytree(tmp_path / "r", tmp_path / "copy")
    for name in ("r", "copy"):
        Run.resume(LINES, tmp_path / name).fit()
    assert content(tmp_path / "r") == content(tmp_path / "copy") == content(tmp_path / "whole")
    done = Run.resume(LINES, tmp_path / "r")  # nothing is left to do
    done.fit()
    assert content(tmp_path / "r") == content(tmp_path / "whole")


def test_an_interruption_in_an_epoch_leaves_what_the_one_before_wrote(tmp_path):
    """No line of metrics again, and no weights of an unfinished epoch for the best ones."""
    run, folder = Run.start(LINES, LINES.settings("line", epochs=4), tmp_path / "r"), tmp_path / "r"
    names, seen = ("metrics.jsonl", "best.safetensors", "config.json"), {}
    for epoch, batch in ((0, 2), (1, 1), (1, 3), (3, 2)):

        def should_stop(run=run, place=(epoch, batch)):
            found = len(run.trainer.history), run.trainer.batch
            seen[found] = {name: content_of(folder / name) for name in names}
            return found == place

        with pytest.raises(Interrupted):
            run.fit(should_stop=should_stop)
        run.claim.release()
        after = {name: content_of(folder / name) for name in names}
        assert after == seen[epoch, batch] == seen.get((epoch, 1), after)
        assert (after["metrics.jsonl"] or b"").count(b"\n") == epoch
        assert (after["best.safetensors"] is None) == (epoch == 0)
        resume = checkpoint.load(folder / "checkpoint.safetensors")["resume"]
        assert (len(resume["history"]), resume["batch"]) == (epoch, batch)
        run = Run.resume(LINES, folder)
    run.fit()
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 4


def content_of(file):
    return file.read_bytes() if file.exists() else None


class Closing(io.StringIO):
    """Somebody closes it after the first line."""

    def write(self, text):
        count = super().write(text)
        if "\n" in text:
            self.close()
        return count


def test_a_stream_that_is_closed_while_it_is_written_to_ends_no_training(tmp_path):
    stream = Closing()
    run = Run.start(LINES, LINES.settings("line", epochs=3), tmp_path / "r")
    assert len(run.fit(progress=show(LINES, stream))) == 3 and stream.closed
    with open(os.devnull, "w") as file:
        file.close()
        progress = PlainLines(file)
        progress.message("nobody hears this")
        progress.work("reading", 1, 1, "rows")


def test_what_cannot_get_its_name_leaves_the_file_before_and_nothing_else(tmp_path, monkeypatch):
    run = Run.start(LINES, LINES.settings("line", epochs=2), tmp_path / "r")
    run.fit()
    before = {file.name: file.read_bytes() for file in (tmp_path / "r").iterdir()}

    def refuse(part, path):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "replace", refuse)
    for write, name in ((run.write_config, "config.json"), (run.write_metrics, "metrics.jsonl"),
                        (lambda: run.save(run.trainer), "checkpoint.safetensors")):  # fmt: skip
        with pytest.raises(OSError, match="Input/output error") as caught:
            write()
        assert Path(caught.value.filename).name in (name, "best.safetensors")
    assert {file.name: file.read_bytes() for file in (tmp_path / "r").iterdir()} == before


# ---- kills -----------------------------------------------------------------------------------------

EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.listdir", "os.scandir", "fcntl.flock"}


def killed(folder, at, work):
    """`work()` in a process that dies at file-system event number `at` in `folder`; True if it got there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads
        child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    count = itertools.count(1)

    def hook(event, arguments):
        named = any(str(folder) in str(a) for a in arguments) or event == "fcntl.flock"
        if event in EVENTS and named and next(count) == at:
            os._exit(9)

    with contextlib.suppress(BaseException):
        sys.addaudithook(hook)
        work()
        os._exit(0)
    os._exit(1)


def content(folder):
    """All that a run folder holds, but for times."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    state = checkpoint.load(folder / "checkpoint.safetensors")
    weights = {name: value.tobytes() for name, value in state.items() if name != "resume"}
    return [{**line, "seconds": 0} for line in lines], weights, state["resume"]["rng"], (
        checkpoint.load(folder / "best.safetensors"))["weight"].tobytes(), {
            f.name for f in folder.iterdir()}  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_kill_at_any_file_system_event_loses_nothing(tmp_path):
    """The next training goes on bit for bit; best weights and metrics are those of one without kills."""
    settings = LINES.settings("line", epochs=2)
    begun = Run.start(LINES, settings, tmp_path / "begun")
    begun.claim.release()
    whole = Run.start(LINES, settings, tmp_path / "whole")
    whole.fit()
    for at in itertools.count(1):
        folder = tmp_path / f"killed{at}"
        shutil.copytree(tmp_path / "begun", folder)
        dead = killed(folder, at, lambda to=folder: Run.resume(LINES, to).fit())
        Run.resume(LINES, folder).fit()
        assert content(folder) == content(tmp_path / "whole"), f"killed at event {at}"
        shutil.rmtree(folder)
        if not dead:
            break
    assert at > 15


class Noted(Lines):
    """Keeps notes about its data, before which a kill may come as well."""

    def notes(self, settings, parts):
        return {"first.csv": "1", "second.csv": "2"}


def begin(task, settings, folder):
    """Train in `folder`, in the way that it says where it is not empty."""
    try:
        return Run.start(task, settings, folder)
    except RunError as error:
        assert f"is not empty; go on with --resume {folder}" in str(error)
        return Run.resume(task, folder)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("failing", [False, True])
def test_a_kill_at_any_file_system_event_of_a_start_leaves_a_folder_to_train_in(
    tmp_path, monkeypatch, failing
):
    """Also where the start has failed, and takes back what it has written."""
    task = Noted()
    settings = task.settings("line", epochs=2)
    Run.start(task, settings, tmp_path / "whole").fit()

    def work():
        with monkeypatch.context() as patch:
            if failing:
                patch.setattr(checkpoint, "_flush_folder", lambda folder: 1 / 0)
            Run.start(task, settings, folder)

    for at in itertools.count(1):
        folder = tmp_path / "runs" / f"killed{at}"
        dead = killed(folder, at, work)
        begin(task, settings, folder).fit()
        assert content(folder) == content(tmp_path / "whole"), f"killed at event {at}"
        if not dead:
            break
    assert at > 15


def test_a_folder_of_other_files_is_left_as_it_is(tmp_path):
    for name in (".download.part", "mine.txt"):
        (tmp_path / name).touch()
    with pytest.raises(RunError, match="is not empty"):
        Run.start(LINES, LINES.settings("line"), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_run_whose_checkpoint_was_lost_does_not_begin_again(tmp_path):
    Run.start(LINES, LINES.settings("line"), tmp_path / "r").fit()
    (tmp_path / "r" / "checkpoint.safetensors").unlink()
    with pytest.raises(FileNotFoundError):
        Run.resume(LINES, tmp_path / "r")


def test_the_first_batches_are_tried_before_there_is_a_run(tmp_path, monkeypatch):
    score = LINES.score
    for part in (True, False):

        def refuse(model, batch, training, refused=part):
            if training is refused:
                raise ValueError("it does not fit")
            return score(model, batch, training)

        monkeypatch.setattr(LINES, "score", refuse)
        with pytest.raises(ValueError, match="it does not fit"):
            Run.start(LINES, LINES.settings("line"), tmp_path / "r")
        assert not list(tmp_path.iterdir())


# ---- the sources -----------------------------------------------------------------------------------


def known_of_tasks(source, strings, shared):
    """What a file of train/ knows of tasks: `strings`, but for docstrings; attributes of settings that not
    all tasks share; names of what only some have."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    texts = {id(n.body[0].value) for n in ast.walk(tree)
             if isinstance(n, documented) and n.body and isinstance(n.body[0], ast.Expr)}  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in strings and id(node) not in texts:
            yield node.value
        elif isinstance(node, ast.Attribute) and node.attr not in shared:
            owner = getattr(node.value, "id", getattr(node.value, "attr", ""))
            if owner == "settings":
                yield f"settings.{node.attr}"
        named = {getattr(node, field, None) for field in ("id", "attr", "arg")}
        yield from named & {
            "argmax",
            "logits",
            "images",
            "labels",
            "classes",
            "tokens",
            "accuracy",
            "perplexity",
        }
        if isinstance(node, ast.ImportFrom | ast.Import):
            yield from (name for name in ast.unparse(node).replace(".", " ").split() if name == "tasks")


def test_no_task_is_named_where_all_train():
    """No task's name, unit or option stands in train/, and none of their modules is imported there."""
    shared = {name for name in dir(Settings) if not name.startswith("__")}
    shared |= {field.name for field in dataclasses.fields(Settings)}
    strings = set()
    for task in map(find_task, MODELS):
        kinds = task.Settings, task.Testing, task.Predicting
        options = {field.name for kind in kinds for field in dataclasses.fields(kind)}
        strings |= {task.name, task.unit} | options - shared
    assert {"images", "flip", "ten_crop"} <= strings
    strings -= {"loss", "samples"}  # the figure that all have, and the unit of a task that names none
    strings -= {"test", "evaluate"}  # a part of the data, and a public function
    found = {file.name: [*known_of_tasks(file.read_text(), strings, shared)] for file in TRAIN.glob("*.py")}
    assert {name: words for name, words in found.items() if words} == {}


def test_the_check_of_names_sees_them():
    source = (
        '"""images"""\nfrom ..tasks.images import TASK\ndef f(run, settings):\n    """flip"""\n'
        '    return run.settings.flip, settings.epochs, x.argmax(), {"ten_crop": 1, "other": settings.size}\n'
    )
    found = known_of_tasks(source, {"images", "flip", "ten_crop"}, {"epochs"})
    assert sorted(found) == ["argmax", "settings.flip", "settings.size", "tasks", "ten_crop"]


def test_a_run_of_a_task_is_not_taken_for_another(tmp_path):
    Run.start(LINES, LINES.settings("line"), tmp_path / "r")
    with pytest.raises(RunError, match="a run of the task 'lines', not of 'images'"):
        Run.resume(find_task("images"), tmp_path / "r")
    with pytest.raises(RunError, match="unknown task 'lines'; there are images"):
        find_task("lines")
    with pytest.raises(RunError, match="unknown model 'curve'; choose from line"):
        LINES.settings("curve")
    assert dataclasses.fields(LineSettings)[-1].name == "slope"


def test_the_paths_of_a_run_are_written_so_that_it_is_read_from_anywhere(tmp_path, monkeypatch):
    """Those of data that are there; the name of a data set, a share and a word stay as they are."""
    load = LINES.load
    monkeypatch.setattr(LINES, "load", lambda settings, *a, **k: load(
        dataclasses.replace(settings, validation=0.1), *a, **k))  # fmt: skip
    monkeypatch.chdir(tmp_path)
    for name in ("here", "judge", "lines"):
        Path(name).write_text("")
    here, judge = str(tmp_path / "here"), str(tmp_path / "judge")
    for number, (data, validation, found) in enumerate([
        ("here", "judge", [here, judge]), (f"../{tmp_path.name}/here", judge, [here, judge]),
        ("lines", 0.25, ["lines", 0.25]), ("gone", None, ["gone", None]),
    ]):  # fmt: skip
        Run.start(LINES, LINES.settings("line", data=data, validation=validation), f"r{number}")
        options = json.loads(Path(f"r{number}/config.json").read_text())["options"]
        assert [options["data"], options["validation"]] == found
