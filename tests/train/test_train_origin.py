"""A run goes on, and is evaluated, with what it began with: configuration, data, number of threads."""

import dataclasses
import json
import re
import shutil
import struct

import numpy as np
import pytest

import tinygrad_notes.data.sources as sources
from tests.train.lines import LINES, Rows
from tinygrad_notes import backend, checkpoint
from tinygrad_notes.cli import main
from tinygrad_notes.data import ArrayDataset, ImageFolder
from tinygrad_notes.data.digits import load_digits
from tinygrad_notes.tasks.images import TASK as IMAGES
from tinygrad_notes.tasks.images.settings import ImageSettings as Settings
from tinygrad_notes.train.options import RunError
from tinygrad_notes.train.run import Run

TINY = {"epochs": 1, "batch_size": 8, "seed": 5}


def images(count, seed, shape=(1, 6, 6)):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8)


def write_idx(folder, seed=0, counts=(24, 10)):
    for stem, count in zip(("train", "t10k"), counts, strict=True):
        x, labels = images(count, seed, (6, 6)), np.arange(count, dtype=np.uint8) % 10
        (folder / f"{stem}-images-idx3-ubyte").write_bytes(
            struct.pack(">IIII", 0x803, count, 6, 6) + x.tobytes()
        )
        (folder / f"{stem}-labels-idx1-ubyte").write_bytes(
            struct.pack(">II", 0x801, count) + labels.tobytes()
        )


def write_cifar(folder, seed=0, counts=(4, 10)):
    (folder / "batches.meta.txt").write_text("\n".join("abcdefghij"))
    names = [f"data_batch_{i}.bin" for i in range(1, 6)]
    for at, (name, count) in enumerate(
        [*((name, counts[0]) for name in names), ("test_batch.bin", counts[1])]
    ):
        records = images(count, seed * 10 + at, (3073,))
        records[:, 0] = np.arange(count) % 10
        (folder / name).write_bytes(records.tobytes())


def write_folder(folder, seed=0, counts=(12, 4)):
    """Bitmaps: all of one size, whatever is on them."""
    image = pytest.importorskip("PIL.Image")
    shutil.rmtree(folder)
    for part, count in zip(("train", "test"), counts, strict=True):
        for name in ("cat", "dog"):
            (folder / part / name).mkdir(parents=True)
            for i, pixels in enumerate(images(count, seed + (name == "dog"), (6, 6, 3))):
                image.fromarray(pixels).save(folder / part / name / f"{i}.bmp")


WRITERS = {"idx": write_idx, "cifar": write_cifar, "folder": write_folder}


def refused(run, reason, data):
    """`eval` and `--resume` say so in one sentence; with the data named by hand it is evaluated."""
    with pytest.raises(RunError, match=reason) as caught:
        Run.resume(IMAGES, run, 2)
    assert "\n" not in str(caught.value) and "train anew" in str(caught.value)
    assert main(["eval", str(run)]) == 2
    assert main(["train", "--resume", str(run), "--epochs", "2"]) == 2
    assert main(["eval", str(run), "--data", str(data)]) == 0


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("limit", [None, 8])
def test_data_with_other_contents_of_the_same_size_is_refused(tmp_path, capsys, kind, limit):
    data, run = tmp_path / "data", tmp_path / "r"
    data.mkdir()
    WRITERS[kind](data)
    Run.start(IMAGES, Settings("mlp", str(data), limit=limit, **TINY), run).fit()
    WRITERS[kind](data, seed=3)
    refused(run, f"the training part of {data} is not what the run began with: it has as many samples", data)
    assert f"evaluate on it as it is now: --data {data}" in capsys.readouterr().err
    WRITERS[kind](data)
    assert main(["eval", str(run)]) == 0
    assert len(Run.resume(IMAGES, run, 2).fit()) == 2
    capsys.readouterr()


@pytest.mark.parametrize("kind", ["idx", "cifar"])
def test_data_of_another_size_is_refused(tmp_path, capsys, kind):
    data, run = tmp_path / "data", tmp_path / "r"
    data.mkdir()
    WRITERS[kind](data)
    Run.start(IMAGES, Settings("mlp", str(data), **TINY), run).fit()
    WRITERS[kind](data, counts=(4, 30))
    refused(run, "test part of .*: it has 30 samples, and then it had 10;|training part of .* had 22;", data)
    capsys.readouterr()


def test_files_whose_contents_changed_are_named(tmp_path, capsys):
    data, run = tmp_path / "data", tmp_path / "r"
    data.mkdir()
    write_folder(data)
    Run.start(IMAGES, Settings("mlp", str(data), **TINY), run).fit()
    shutil.copy(data / "test" / "cat" / "0.bmp", data / "test" / "dog" / "2.bmp")
    refused(run, r"the test part .* \(changed: test/dog/2\.bmp\)", data)
    names = (run / "files.csv").read_text()
    for path in (data / "train" / "cat").iterdir():
        shutil.copy(data / "test" / "cat" / "0.bmp", path)
    refused(run, r"\(changed: (train/cat/\d+\.bmp, ){3}\.\.\.\)", data)
    (run / "files.csv").write_text(re.sub(r',"[0-9a-f]{32}"', ',""', names))
    refused(run, "the training part of", data)  # files.csv only tells the names
    capsys.readouterr()


@pytest.mark.parametrize("name", ["train", "validation", "test"])
def test_a_part_that_is_lost_or_new_or_changed_is_refused(name, tmp_path, monkeypatch):
    """By its name, with what it has and had; the others are as they were."""
    run, load = tmp_path / "r", LINES.load
    now = load(LINES.settings("line"))
    part, told = getattr(now, name), {"train": "training"}.get(name, name)
    count = len(part)

    def begun_with(other):
        monkeypatch.setattr(LINES, "load", lambda *a, **k: dataclasses.replace(now, **{name: other}))

    others = {
        "lost": (None, f"has 0 samples, and then it had {count}"),
        "shorter": (part.subset(np.arange(count - 1)), f"has {count - 1} samples, and then it had {count}"),
        "another": (Rows(count, seed=7), f"has as many samples as then ({count}), but others"),
    }
    if name == "train":  # without it there is no run
        del others["lost"]
    Run.start(LINES, LINES.settings("line", epochs=1), run).fit()
    for other, reason in others.values():
        begun_with(other)
        with pytest.raises(RunError, match=f"the {told} part of lines is not .*: it {re.escape(reason)}"):
            Run.resume(LINES, run, 2)
    if name == "train":
        return
    begun_with(None)
    Run.start(LINES, LINES.settings("line", epochs=1), tmp_path / "new").fit()
    begun_with(part)
    with pytest.raises(RunError, match=f"the {told} part .* has {count} samples, and then it had 0; put it"):
        Run.resume(LINES, tmp_path / "new", 2)


def test_the_embedded_digits_of_another_version_are_refused(tmp_path, monkeypatch):
    run = tmp_path / "r"
    Run.start(IMAGES, Settings("mlp", limit=16, **TINY), run).fit()
    for changed in (
        lambda d: ArrayDataset(d.images ^ np.uint8(1), d.labels),
        lambda d: ArrayDataset(d.images, d.labels[::-1].copy()),
        lambda d: d.subset(np.arange(len(d))[::-1]),
    ):
        monkeypatch.setattr(
            sources, "load_digits", lambda changed=changed: tuple(map(changed, load_digits()))
        )
        with pytest.raises(RunError, match="training part of digits is not what the run began with"):
            Run.resume(IMAGES, run, 2)
    monkeypatch.undo()
    Run.resume(IMAGES, run, 2)


def test_fingerprints_tell_datasets_apart_and_nothing_else(tmp_path):
    x, labels = images(6, 0, (3, 4, 4)), np.arange(6) % 3
    first = ArrayDataset(x, labels).fingerprint()
    assert first == ArrayDataset(x.copy(), labels.astype(np.uint8)).fingerprint()
    assert first == ArrayDataset(np.asfortranarray(x), labels).fingerprint()
    others = [
        ArrayDataset(x.reshape(6, 48), labels), ArrayDataset(x.view(np.int8), labels),
        ArrayDataset(x, labels, "abc"), ArrayDataset(x, labels[::-1]), ArrayDataset(x[::-1], labels),
        ArrayDataset(x[:5], labels[:5]), ArrayDataset(x[:0], labels[:0]),
    ]  # fmt: skip
    assert len({first, *(other.fingerprint() for other in others)}) == 8
    (tmp_path / "data").mkdir()
    write_folder(tmp_path / "data")
    small, large = (ImageFolder(tmp_path / "data" / "train", side) for side in (4, 9))
    assert small.fingerprint() == large.fingerprint() != first  # of the files, however they are decoded
    assert len(set(small.digests)) == len(small.files)


# ---- config.json ---------------------------------------------------------------------------------

CHANGES = {
    "data": "mnist", "validation": 0.5, "batch_size": 4, "optimizer": "sgd", "lr": 0.5, "momentum": 0.1,
    "weight_decay": 0.1, "schedule": "step", "clip_norm": 1.0, "shift": 2, "seed": 6, "limit": 17,
    "variant": "notes", "size": 28, "resize": 28, "flip": True, "lighting": 0.1, "on_error": "skip",
}  # fmt: skip
FACTS = {"classes": list("abcdefghij"), "shape": [3, 9, 9], "mean": [0.9], "std": [0.5], "new": 1}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    run = tmp_path_factory.mktemp("run") / "r"
    Run.start(IMAGES, Settings("mlp", limit=16, **TINY), run).fit()
    return run


def test_every_field_of_the_configuration_is_tried(trained):
    config = json.loads((trained / "config.json").read_text())
    assert set(CHANGES) == set(config["options"]) - {"epochs", "patience"}
    assert set(FACTS) == set(config["facts"]) | {"new"}


@pytest.mark.parametrize("name", ["model", *CHANGES, *FACTS])
def test_a_configuration_changed_by_hand_is_refused_by_both(trained, tmp_path, capsys, name):
    run = shutil.copytree(trained, tmp_path / "r")
    config = json.loads((run / "config.json").read_text())
    value = {"model": "simplecnn", **CHANGES, **FACTS}[name]
    place = "options" if name in CHANGES else "facts"
    change = {name: value} if name == "model" else {place: config[place] | {name: value}}
    (run / "config.json").write_text(json.dumps(config | change))
    reason = f"the checkpoint does not fit config.json: {name} is {value!r} there"
    for command in (["eval", run], ["eval", run, "--checkpoint", "last"],
                    ["train", "--resume", run, "--epochs", "2"]):  # fmt: skip
        assert main([*map(str, command)]) == 2
        assert reason in capsys.readouterr().err
    (run / "config.json").write_text(json.dumps(config))
    assert main(["eval", str(run)]) == 0
    capsys.readouterr()


def test_data_moves_only_from_place_to_place(trained, tmp_path, capsys):
    """A path may change; a named data set that became a path, or a path a name, is other data."""
    (tmp_path / "here").mkdir()
    write_idx(tmp_path / "here")
    placed = tmp_path / "placed"
    Run.start(IMAGES, Settings("mlp", data=str(tmp_path / "here"), **TINY), placed).fit()
    (tmp_path / "here").rename(tmp_path / "there")
    for run, data, code in (
        (shutil.copytree(trained, tmp_path / "named"), str(tmp_path / "there"), 2),
        (shutil.copytree(placed, tmp_path / "r"), "digits", 2),
        (placed, str(tmp_path / "there"), 0),
    ):
        config = json.loads((run / "config.json").read_text())
        config["options"]["data"] = data
        (run / "config.json").write_text(json.dumps(config))
        assert main(["eval", str(run)]) == code
        refusal = f"the checkpoint does not fit config.json: data is {data!r} there"
        assert (refusal in capsys.readouterr().err) == (code == 2)


@pytest.mark.parametrize(
    "hostile",
    [5, {"config": 5}, {"config": "{}"}, {"config": "{"}, {"data": 5}, {"data": {"training": 5}}, {"rng": 5},
     {"history": 5}, {"sums": []}, {"loader": {}}, {"optimizer": None}],
)  # fmt: skip
def test_a_checkpoint_of_another_structure_is_refused(trained, tmp_path, capsys, hostile):
    run = shutil.copytree(trained, tmp_path / "r")
    state = checkpoint.load(run / "checkpoint.safetensors")
    resume = hostile if hostile == 5 else state["resume"] | hostile
    checkpoint.save(state | {"resume": resume}, run / "checkpoint.safetensors")
    assert main(["train", "--resume", str(run)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and str(run) in said


def test_a_run_of_an_older_version_is_refused(trained, tmp_path, capsys):
    """Its config.json had no task, its checkpoint at first no memory of what the run began with."""
    run = shutil.copytree(trained, tmp_path / "r")
    config = json.loads((run / "config.json").read_text())
    for name in ("best.safetensors", "checkpoint.safetensors"):
        state = checkpoint.load(run / name)
        del state["resume"]["data"]
        checkpoint.save(state, run / name)
    told = ["its checkpoint does not say what the run began with; train anew"]
    for command in (["eval", run], ["train", "--resume", run, "--epochs", "2"]):
        assert main([*map(str, command)]) == 2
        assert told[0] in capsys.readouterr().err
    (run / "config.json").write_text(json.dumps({"model": "mlp", **config["options"]}))
    for command in (["eval", run], ["train", "--resume", run, "--epochs", "2"]):
        assert main([*map(str, command)]) == 2
        assert "config.json: written by an older version" in capsys.readouterr().err


# ---- threads -------------------------------------------------------------------------------------


def test_another_number_of_threads_is_told(tmp_path, monkeypatch, capsys):
    run = tmp_path / "r"
    monkeypatch.setattr(backend, "threads", lambda: 2)
    Run.start(IMAGES, Settings("mlp", limit=16, **TINY), run).fit()
    assert json.loads((run / "config.json").read_text())["threads"] == 2
    Run.resume(IMAGES, run, 2)
    for now, told in ((1, "began on 2 threads and goes on on 1 thread: sums are rounded otherwise"),
                      (None, "goes on on a GPU")):  # fmt: skip
        monkeypatch.setattr(backend, "threads", lambda now=now: now)
        with pytest.warns(UserWarning, match=told) as caught:
            Run.resume(IMAGES, run, 2)
        assert ("OPENBLAS_NUM_THREADS=2 goes on as it began" in str(caught[0].message)) == (now is not None)
    monkeypatch.setattr(backend, "threads", lambda: 1)
    assert main(["train", "--resume", str(run), "--epochs", "2"]) == 0
    assert "warning: " in capsys.readouterr().err
    assert json.loads((run / "config.json").read_text())["threads"] == 2  # what it began with
    assert main(["eval", str(run)]) == 0
    assert "warning: " not in capsys.readouterr().err


def test_the_number_of_threads_is_that_of_the_kernels():
    from tinygrad_notes.backend.kernels.threads import threads

    assert backend.threads() == (threads() if backend.BACKEND == "numpy" else None)
