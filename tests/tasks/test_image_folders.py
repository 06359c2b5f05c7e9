"""Folders of images as they should not be, and as an evaluation needs them."""

import json
import shutil

import numpy as np
import pytest

from tinygrad_notes.cli import main
from tinygrad_notes.data import ArrayDataset
from tinygrad_notes.tasks import find_task
from tinygrad_notes.train.config import read_config
from tinygrad_notes.train.run import Run

Image = pytest.importorskip("PIL.Image")

COLORS = {"blue": (40, 60, 220), "red": (220, 40, 30)}


def paint(folder, color, count=4):
    """Noisy images of one color; each folder has its own."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(len(str(folder)) + sum(color))
    for i in range(count):
        pixels = rng.normal(color, 40, (9, 9, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")


@pytest.fixture
def folder(tmp_path):
    for part, count in (("train", 12), ("test", 4)):
        for name, color in COLORS.items():
            paint(tmp_path / "data" / part / name, color, count)
    return tmp_path / "data"


@pytest.fixture
def train(tmp_path, capsys):
    """The command on the data; what it said and its exit code."""

    def run(folder, *more):
        code = main(["train", "simplecnn", "--data", str(folder), "--epochs", "1", "--batch-size", "8",
                     "--out", str(tmp_path / "run"), *more])  # fmt: skip
        return code, capsys.readouterr().err

    return run


def test_one_class_is_nothing_to_learn(tmp_path, train):
    paint(tmp_path / "data" / "red", COLORS["red"], 8)
    code, said = train(tmp_path / "data")
    assert code == 2
    assert "are of the class 'red', so there is nothing to tell apart" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("names", [("Train", "Test"), ("TRAIN", "Val"), ("train", "Validation")])
def test_parts_may_be_written_with_capitals(folder, train, names):
    for old, new in zip(("train", "test"), names, strict=True):
        (folder / old).rename(folder / new)
    assert train(folder)[0] == 0


def test_flat_parts_are_not_two_classes(tmp_path, train):
    for name, color in zip(("Train", "Test"), COLORS.values(), strict=True):
        paint(tmp_path / "data" / name, color)
    code, said = train(tmp_path / "data")
    assert code == 2
    assert "Train: has no folder, expected one for each class" in said


@pytest.mark.parametrize("part", ["test", "validation"])
def test_a_part_that_lacks_a_class_is_told(folder, train, part):
    (folder / "validation").mkdir()
    shutil.copytree(folder / "test" / "blue", folder / "validation" / "blue")
    if part == "test":
        shutil.rmtree(folder / "test" / "red")
        shutil.copytree(folder / "train" / "red", folder / "validation" / "red")
    code, said = train(folder, "--validation", str(folder / "validation"))
    assert code == 0
    lines = [line for line in said.splitlines() if "has no image of" in line]
    told = f"the {part} part has no image of red, so its figures say nothing of it"
    assert len(lines) == 1 and told in lines[0]


def test_a_broken_image_says_how_to_go_on(folder, train, tmp_path, capsys):
    (folder / "train" / "red" / "3.png").write_text("no image")
    code, said = train(folder)
    assert code == 2
    assert "3.png: not a usable image" in said and "; --on-error skip leaves such files out" in said
    assert train(folder, "--on-error", "skip")[0] == 0
    assert main(["predict", str(tmp_path / "run"), str(folder / "train" / "red" / "3.png")]) == 2
    assert "--on-error" not in capsys.readouterr().err  # which predict has not


def test_an_evaluation_on_other_images_needs_their_test_part_alone(folder, train, tmp_path, capsys):
    assert train(folder)[0] == 0
    other = tmp_path / "other"
    for name, color in COLORS.items():
        paint(other / "test" / name, color, 3)
    assert main(["eval", str(tmp_path / "run"), "--data", str(other)]) == 0
    assert "of 6 images right" in capsys.readouterr().out
    paint(other / "train" / "blue", COLORS["blue"], 1)
    (other / "train" / "blue" / "0.png").write_text("no image")  # nobody decodes it
    assert main(["eval", str(tmp_path / "run"), "--data", str(other)]) == 0
    said = capsys.readouterr()
    assert "of 6 images right" in said.out and "decoding test" in said.err
    paint(other / "test" / "green", (0, 200, 0), 1)
    assert main(["eval", str(tmp_path / "run"), "--data", str(other)]) == 2
    assert "has a folder 'green', but the training images have no such class" in capsys.readouterr().err


def test_an_evaluation_on_folders_of_classes_reads_their_test_share(folder, train, tmp_path, capsys):
    assert train(folder)[0] == 0
    for name, color in COLORS.items():
        paint(tmp_path / "other" / name, color, 10)
    assert main(["eval", str(tmp_path / "run"), "--data", str(tmp_path / "other")]) == 0
    said = capsys.readouterr()
    assert "of 4 images right" in said.out
    assert "4/4 images" in said.err and "16/16" not in said.err
    (tmp_path / "other" / "red").rename(tmp_path / "other" / "green")
    assert main(["eval", str(tmp_path / "run"), "--data", str(tmp_path / "other")]) == 2
    assert "the run tells apart 2 classes (blue, red), but" in capsys.readouterr().err


def test_a_limit_of_the_training_is_none_of_other_data(folder, train, tmp_path, capsys):
    """The run's own test part is the one that it had; data that is named is read whole."""
    assert train(folder, "--limit", "4")[0] == 0
    run, other = str(tmp_path / "run"), tmp_path / "other"
    for name, color in COLORS.items():
        paint(other / "test" / name, color, 7)
    for more, samples in (([], 4), (["--data", str(folder)], 8), (["--data", str(other)], 14)):
        assert main(["eval", run, *more, "--json"]) == 0
        result = json.loads(capsys.readouterr().out)
        assert result["samples"] == np.sum(result["confusion_matrix"]) == samples


def test_a_run_finds_all_its_folders_from_any_directory(folder, train, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder / "test", tmp_path / "own")
    assert train("data", "--validation", "own")[0] == 0
    settings = read_config(find_task("images"), tmp_path / "run").settings
    assert (settings.data, settings.validation) == (str(folder), str(tmp_path / "own"))
    monkeypatch.chdir("/")
    assert main(["train", "--resume", str(tmp_path / "run"), "--epochs", "2"]) == 0


def test_an_image_that_went_from_one_part_to_the_other_is_named(folder, train, tmp_path, capsys):
    assert train(folder)[0] == 0
    listed = tmp_path / "run" / "files.csv"
    lines = listed.read_text().splitlines(keepends=True)
    (at,) = (i for i, line in enumerate(lines) if "test/red/1.png" in line)
    assert lines[at].startswith('"test",')
    listed.write_text("".join([*lines[:at], lines[at].replace('"test"', '"train"'), *lines[at + 1 :]]))
    assert main(["train", "--resume", str(tmp_path / "run"), "--epochs", "2"]) == 2
    told = "are not those that the run began with: 1 moved between the parts (test/red/1.png); put them back"
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("images", "batches"), [(1, [1]), (4, [4]), (8, [4, 4]), (9, [4, 4]), (10, [4, 4, 2])]
)
def test_a_single_image_is_no_last_batch_of_a_training(images, batches):
    task = find_task("images")
    part = ArrayDataset(np.zeros((images, 1, 6, 6), np.uint8), np.zeros(images, int), "a")
    facts = {"mean": [0.0], "std": [1.0], "shape": [1, 6, 6]}
    settings = task.settings("mlp", batch_size=4)
    assert [len(x) for x, _ in task.batches(settings, facts, part, training=True)] == batches
    assert sum(len(x) for x, _ in task.batches(settings, facts, part, training=False)) == images


def test_a_channel_of_one_value_only_is_not_divided_by_its_deviation(tmp_path, train, monkeypatch, capsys):
    """Neither NaN nor ∞: what is subtracted leaves 0."""
    monkeypatch.setattr(Run, "plot", lambda run, outcome: None)  # which takes its time
    rng = np.random.default_rng(0)
    for part, count in (("train", 12), ("test", 4)):
        for at, name in enumerate(COLORS):
            (tmp_path / "data" / part / name).mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(100 * at, 100 * at + 90, (9, 9, 3)).astype(np.uint8)
                pixels[..., 2] = 51
                Image.fromarray(pixels).save(tmp_path / "data" / part / name / f"{i}.png")
    assert train(tmp_path / "data")[0] == 0
    facts = json.loads((tmp_path / "run" / "config.json").read_text())["facts"]
    assert facts["std"][2] == 1.0 and facts["mean"][2] == pytest.approx(0.2)
    assert all(0 < value < 1 for value in facts["std"][:2])
    (line,) = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert 0 < json.loads(line)["train_loss"] < 10
    assert main(["eval", str(tmp_path / "run"), "--json"]) == 0
    assert 0 < json.loads(capsys.readouterr().out)["loss"] < 10


def test_the_limit_holds_for_a_validation_folder_of_data_that_has_a_name(tmp_path):
    for digit in "01":
        paint(tmp_path / "own" / digit, (9, 9, 9), 3)
    settings = find_task("images").settings("mlp", data="digits", limit=2, validation=str(tmp_path / "own"))
    parts = find_task("images").load(settings)
    assert sorted(parts.validation.labels) == [0, 1]
