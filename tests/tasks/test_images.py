"""Networks on folders of real images: recipes, augmentation, resuming, evaluation, pictures."""

import csv
import inspect
import json
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import models, nn
from tinygrad_notes.cli import evaluation, main
from tinygrad_notes.data import (
    ArrayDataset,
    Compose,
    DataLoader,
    ImageFolder,
    Lighting,
    RandomCrop,
    RandomHorizontalFlip,
    TenCrop,
    with_channels,
)
from tinygrad_notes.models.count import undrawn
from tinygrad_notes.models.googlenet import Outputs
from tinygrad_notes.tasks import MODELS, find_task
from tinygrad_notes.tasks.images import TASK as IMAGES
from tinygrad_notes.tasks.images import pictures
from tinygrad_notes.tasks.images.pipeline import (
    evaluation_transform,
    network_shape,
    sides,
    training_transform,
)
from tinygrad_notes.tasks.images.recipes import RECIPES
from tinygrad_notes.tasks.images.settings import ImageSettings as Settings
from tinygrad_notes.tasks.images.task import criterion
from tinygrad_notes.train.config import read_config
from tinygrad_notes.train.interrupt import Interrupted
from tinygrad_notes.train.loop import evaluate
from tinygrad_notes.train.options import RunError
from tinygrad_notes.train.run import BEST, CHECKPOINT, Run
from tinygrad_notes.train.schedules import SCHEDULES, make_schedule

Image = pytest.importorskip("PIL.Image")

COLORS = {"blue": (40, 60, 220), "green": (50, 210, 60), "red": (220, 40, 30)}
QUICK = ["--epochs", "2", "--batch-size", "8"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Noisy images of three colors, of several sizes, in train/ and test/."""
    root, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for part, count in (("train", 12), ("test", 4)):
        for name, color in COLORS.items():
            (root / part / name).mkdir(parents=True)
            for i in range(count):
                noise = rng.normal(color, 40, (20 + i, 24, 3))
                Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(root / part / name / f"{i}.png")
    return root


def small(folder, **options):
    """resnet20 on images of 8×8 cut from 10×10, with all the augmentation there is."""
    settings = {"epochs": 2, "batch_size": 8, "optimizer": "sgd", "lr": 0.05, "size": 8, "resize": 10,
                "shift": 1, "flip": True, "lighting": 0.1, "schedule": "resnet", "seed": 4}  # fmt: skip
    return Settings("resnet20", str(folder), **{**settings, **options})


# ---- from end to end -----------------------------------------------------------------------------


def test_train_and_eval_on_a_folder(folder, tmp_path, capsys):
    run = tmp_path / "r"
    options = ["--size", "8", "--resize", "10", "--lighting", "0.1", "--flip", "--epochs", "8"]
    command = ["train", "simplecnn", "--data", str(folder), *options, "--batch-size", "4", "--lr", "0.01"]
    assert main([*command, "--out", str(run), "--json"]) == 0
    trained = json.loads(capsys.readouterr().out)
    assert trained["test_accuracy"] >= 0.9
    config = json.loads((run / "config.json").read_text())
    facts = config["facts"]
    assert facts["classes"] == ["blue", "green", "red"] and facts["shape"] == [3, 10, 10]
    assert [len(facts[name]) for name in ("mean", "std", "color_values", "color_vectors")] == [3, 3, 3, 9]
    assert main(["eval", str(run), "--json"]) == 0
    evaluated = json.loads(capsys.readouterr().out)
    assert evaluated["accuracy"] == trained["test_accuracy"]
    assert evaluated["classes"] == ["blue", "green", "red"]
    assert main(["eval", str(run), "--ten-crop", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] >= 0.9


@pytest.fixture(scope="module")
def colors(folder, tmp_path_factory):
    """A network that tells the three colors apart."""
    run = tmp_path_factory.mktemp("colors") / "r"
    options = [
        "--size",
        "8",
        "--resize",
        "10",
        "--flip",
        "--epochs",
        "8",
        "--batch-size",
        "4",
        "--lr",
        "0.01",
    ]
    assert main(["train", "simplecnn", "--data", str(folder), *options, "--out", str(run)]) == 0
    return run


def test_predictions_of_files(colors, folder, tmp_path, monkeypatch, capsys):
    """Of one color each; a file may come twice; the run folder is all that is needed."""
    for name, color in COLORS.items():
        Image.new("RGB", (30, 17), color).save(tmp_path / f"{name}.png")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(colors, tmp_path / "r")
    config = json.loads((tmp_path / "r" / "config.json").read_text())
    config["options"]["data"] = str(tmp_path / "gone")
    (tmp_path / "r" / "config.json").write_text(json.dumps(config))
    files = ["red.png", "blue.png", str(tmp_path / "green.png"), "red.png"]
    assert main(["predict", "r", *files, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["run"], result["model"]) == ("r", "simplecnn")
    assert [row["input"] for row in result["predictions"]] == files
    assert [row["class"] for row in result["predictions"]] == ["red", "blue", "green", "red"]
    assert all(0.5 < row["probability"] <= 1 for row in result["predictions"])
    assert result["predictions"][0] == result["predictions"][3]
    read, load = [], evaluation.load_trained
    monkeypatch.setattr(evaluation, "load_trained", lambda *given: read.append(given[2:]) or load(*given))
    assert main(["predict", "r", "red.png", "--checkpoint", "best", "--json"]) == 0
    capsys.readouterr()
    assert main(["predict", "r", *files, "--checkpoint", "last"]) == 0
    assert read == [(BEST,), (CHECKPOINT,)]
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["input", "class", "probability"]
    assert [line[:2] for line in lines[1:]] == [[f, c] for f, c in zip(files, ["red", "blue", "green", "red"],
                                                                     strict=True)]  # fmt: skip
    assert all(line[3] == "%" for line in lines[1:])


def test_a_prediction_is_what_the_evaluation_sees(colors, folder, capsys):
    """The images of the test part, as files, get the classes that `eval` counts."""
    files = sorted((folder / "test").rglob("*.png"))
    assert main(["predict", str(colors), *map(str, files), "--json"]) == 0
    said = [row["class"] for row in json.loads(capsys.readouterr().out)["predictions"]]
    assert main(["eval", str(colors), "--json"]) == 0
    evaluated = json.loads(capsys.readouterr().out)
    hits = [file.parent.name == name for file, name in zip(files, said, strict=True)]
    assert np.mean(hits) == evaluated["accuracy"]


def test_gray_networks_predict_colored_files(tmp_path, capsys):
    Run.start(IMAGES, Settings("lenet5", limit=20), tmp_path / "r").fit()
    Image.new("RGB", (40, 40), "red").save(tmp_path / "x.png")
    assert main(["predict", str(tmp_path / "r"), str(tmp_path / "x.png"), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["predictions"]
    assert row["class"] in "0123456789"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere", "x.png"], "nowhere is not a folder"),
        (["RUN"], "the following arguments are required: INPUT"),
        (["RUN", "x.png"], "x.png: not a usable image ([Errno 2] No such file"),
        (["RUN", "."], "not a usable image (a folder: the files in it are not looked for)"),
        (["RUN", "text.png"], "text.png: not a usable image (of none of the formats BMP, GIF,"),
        (["RUN", "text.png", "--flip"], "unrecognized arguments: --flip"),
    ],
)
def test_wrong_predictions(colors, tmp_path, monkeypatch, capsys, arguments, reason):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.png").write_text("text")
    assert main(["predict", *(str(colors) if word == "RUN" else word for word in arguments)]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and reason in said.err


def test_a_validation_of_ones_own(folder, tmp_path, capsys):
    """A folder of the same classes; it is listed, and noticed when it changes."""
    own, run = tmp_path / "own", tmp_path / "r"
    shutil.copytree(folder / "test", own)
    started = Run.start(IMAGES, small(folder, epochs=1, limit=6, validation=str(own)), run)
    assert [len(part) for part in started.parts.named().values()] == [6, 6, 6]
    started.fit()
    with (run / "files.csv").open(newline="") as file:
        rows = [(row["part"], row["file"]) for row in csv.DictReader(file)]
    held = [file for part, file in rows if part == "validation"]
    assert len(held) == 6 and all(Path(file).is_relative_to(own) for file in held) and len(rows) == 18
    Path(held[0]).write_bytes((folder / "test" / "red" / "0.png").read_bytes() + b" ")
    with pytest.raises(RunError, match=rf"{re.escape(held[0])}|the validation part"):
        Run.resume(IMAGES, run, 2)
    (own / "red").rename(own / "purple")
    assert main(["train", "mlp", "--data", str(folder), "--validation", str(own)]) == 2
    assert "has a folder 'purple', but the training images have no such class" in capsys.readouterr().err
    assert main(["train", "mlp", "--validation", str(folder), "--limit", "8"]) == 2
    assert "but the training images have no such class" in capsys.readouterr().err
    assert main(["train", "mlp", "--validation", "nowhere", "--limit", "8"]) == 2
    assert "nowhere: No such file or directory" in capsys.readouterr().err


def test_mistakes_name_their_files(folder, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    titles = []
    new_figure = pictures.new_figure

    def kept(*size):
        figure = new_figure(*size)
        titles.append(figure)
        return figure

    monkeypatch.setattr(pictures, "new_figure", kept)
    part = ImageFolder(folder / "test", 8)
    pictures.mistakes(part, np.roll(part.labels, 1), tmp_path / "m.png")
    shown = [axes.get_title() for axes in titles[0].axes if axes.get_title()]
    assert shown == ["0.png\nred?\nblue", "0.png\nblue?\ngreen", "0.png\ngreen?\nred"]


def test_recipe_and_pictures_of_a_deep_network(folder, tmp_path):
    pytest.importorskip("matplotlib")
    run = tmp_path / "r"
    command = ["train", "resnet20", "--data", str(folder), "--limit", "6", "--epochs", "1", "--size", "16"]
    assert main([*command, "--out", str(run)]) == 0
    config = json.loads((run / "config.json").read_text())
    expected = {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4, "schedule": "resnet",
                "batch_size": 128, "shift": 4, "flip": True, "lighting": 0.0}  # fmt: skip
    assert {name: config["options"][name] for name in expected} == expected
    for name in (
        "learning_curves",
        "confusion_matrix",
        "misclassified",
        "first_layer_filters",
        "feature_maps",
    ):
        with Image.open(run / f"{name}.png") as image:
            assert np.asarray(image).std() > 5


def test_damaged_image_ends_the_command_or_is_left_out(folder, tmp_path, capsys):
    images = tmp_path / "images"
    shutil.copytree(folder, images)
    (images / "train" / "red" / "3.png").write_bytes(b"\x89PNG damaged")
    command = [
        "train",
        "simplecnn",
        "--data",
        str(images),
        *QUICK,
        "--validation",
        "none",
        "--resize",
        "8",
        "--out",
        str(tmp_path / "r"),
    ]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "3.png: not a usable image" in said
    assert not (tmp_path / "r").exists()
    assert main([*command, "--on-error", "skip"]) == 0
    said = capsys.readouterr().err.splitlines()
    assert sum(line.startswith(f"warning: ImageFolder: left out 1 of 36 files in {images / 'train'}: red")
               for line in said) == 1  # fmt: skip
    assert f"{tmp_path / 'r' / 'files.csv'} names every image that was left out" in said
    with (tmp_path / "r" / "files.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 48
    left_out = [(row["part"], row["file"], row["bytes"]) for row in rows if row["left out"]]
    assert left_out == [("train", "train/red/3.png", str(len(b"\x89PNG damaged")))]
    assert main(["eval", str(tmp_path / "r")]) == 0  # remembers to leave it out
    assert main(["eval", str(tmp_path / "r"), "--on-error", "raise"]) == 2


def test_a_relative_folder_with_an_image_left_out(folder, tmp_path, monkeypatch, capsys):
    shutil.copytree(folder, tmp_path / "images")
    (tmp_path / "images" / "test" / "red" / "1.png").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    command = ["train", "mlp", "--data", "images", "--on-error", "skip", *QUICK, "--resize", "8"]
    assert main([*command, "--out", "r"]) == 0
    with open("r/files.csv", newline="") as file:
        left_out = [row["file"] for row in csv.DictReader(file) if row["left out"]]
    assert left_out == ["test/red/1.png"]
    assert main(["train", "--resume", "r", "--epochs", "3"]) == 0
    capsys.readouterr()


@pytest.fixture
def ctrl_c():
    """SIGINT raises KeyboardInterrupt, also where a shell started the tests in the background, deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("command", ["train", "eval"])
def test_ctrl_c_is_heard_while_images_are_decoded(folder, tmp_path, capsys, monkeypatch, ctrl_c, command):
    arguments = {
        "train": ["train", "mlp", "--data", str(folder), *QUICK, "--out", str(tmp_path / "r")],
        "eval": ["eval", str(tmp_path / "r")],
    }
    if command == "eval":
        assert main(arguments["train"]) == 0
    decoded = []

    def interrupted(path, height, width):
        decoded.append(path)
        signal.raise_signal(signal.SIGINT)
        return np.zeros((3, height, width), np.uint8)

    monkeypatch.setattr("tinygrad_notes.data.folder._decode", interrupted)
    capsys.readouterr()
    assert main(arguments[command]) == 130
    assert capsys.readouterr().err == "tinygrad-notes: interrupted\n"
    assert len(decoded) < 36
    assert (tmp_path / "r").exists() == (command == "eval")


def test_gray_networks_see_the_brightness_and_color_networks_repeat_it(folder, tmp_path):
    run = Run.start(IMAGES, Settings("lenet5", str(folder), limit=6), tmp_path / "r")
    assert run.parts.train.images.shape == (5, 1, 32, 32)
    run = Run.start(IMAGES, Settings("resnet20", "digits", limit=6), tmp_path / "s")
    assert run.parts.train.images.shape == (5, 3, 28, 28)
    images, _ = next(iter(run.trainer.train))
    assert images.shape == (5, 3, 32, 32)


def test_run_works_from_any_directory(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(folder.parent)
    options = ["--size", "8", "--resize", "8", "--limit", "8", "--data", folder.name]
    assert main(["train", "mlp", *QUICK, *options, "--out", str(tmp_path / "r")]) == 0
    assert read_config(IMAGES, tmp_path / "r").settings.data == str(folder)
    monkeypatch.chdir("/")
    assert main(["eval", str(tmp_path / "r")]) == 0
    assert main(["train", "--resume", str(tmp_path / "r"), "--epochs", "3"]) == 0
    capsys.readouterr()


def test_run_of_other_classes_is_not_resumed(folder, tmp_path):
    Run.start(IMAGES, small(folder), tmp_path / "r")
    config = json.loads((tmp_path / "r" / "config.json").read_text())
    config["facts"]["classes"][0] = "azure"
    (tmp_path / "r" / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunError, match=r"classes is \['azure', .* and the training began with \['blue'"):
        Run.resume(IMAGES, tmp_path / "r")


@pytest.mark.parametrize("levels", [1, 2])
def test_run_of_other_images_is_not_resumed(folder, tmp_path, levels):
    root = tmp_path / "images"
    shutil.copytree(folder if levels == 2 else folder / "train", root)
    run = tmp_path / "r"
    Run.start(IMAGES, small(root, epochs=1), run).fit()
    kept = {path: path.read_bytes() for path in root.rglob("*.png")}
    red = root / "train" / "red" if levels == 2 else root / "red"
    Image.new("RGB", (9, 9)).save(red / "new.png")
    with pytest.raises(RunError, match=rf"{root} are not those .*: 1 added \(.*red/new\.png\)"):
        Run.resume(IMAGES, run, 2)
    (red / "new.png").unlink()
    for i in range(4):
        (red / f"{i}.png").unlink()
    with pytest.raises(RunError, match=r"4 removed \((.*red/\d\.png, ){3}\.\.\.\)") as caught:
        Run.resume(IMAGES, run, 2)
    assert "\n" not in str(caught.value)
    for path, content in kept.items():
        path.write_bytes(content)
    with (red / "5.png").open("ab") as file:
        file.write(b"more")
    with pytest.raises(RunError, match=r": 1 of another size \(.*red/5\.png\); put them back"):
        Run.resume(IMAGES, run, 2)
    for path, content in kept.items():
        path.write_bytes(content)
    Run.resume(IMAGES, run, 2).fit()


def test_evaluation_on_changed_images_must_be_asked_for(folder, tmp_path, capsys):
    root, run = tmp_path / "images", tmp_path / "r"
    shutil.copytree(folder / "train", root)
    Run.start(IMAGES, small(root, epochs=1), run).fit()
    Image.new("RGB", (9, 9)).save(root / "red" / "new.png")
    assert main(["eval", str(run)]) == 2
    assert "1 added (red/new.png)" in capsys.readouterr().err
    assert main(["eval", str(run), "--data", str(root)]) == 0
    capsys.readouterr()


def test_files_that_a_run_does_not_use_may_change(folder, tmp_path):
    root = tmp_path / "images"
    shutil.copytree(folder, root)
    Run.start(IMAGES, small(root, epochs=1, limit=6), tmp_path / "r").fit()
    used = (tmp_path / "r" / "files.csv").read_text()
    free = [file for file in sorted(root.rglob("*.png")) if str(file.relative_to(root)) not in used]
    free[0].write_bytes(b"")
    Run.resume(IMAGES, tmp_path / "r", 2)
    (tmp_path / "r" / "files.csv").write_text("part,file\ntrain,x\n")
    with pytest.raises(RunError, match=r"files\.csv: damaged"):
        Run.resume(IMAGES, tmp_path / "r", 2)
    shutil.rmtree(root)
    (tmp_path / "r" / "files.csv").write_text("part,file,bytes,left out\n")
    with pytest.raises(RunError, match="is no folder of images any more"):
        Run.resume(IMAGES, tmp_path / "r", 2)


def test_images_may_move_to_another_place(folder, tmp_path):
    Run.start(IMAGES, small(folder, epochs=1), tmp_path / "r").fit()
    shutil.copytree(folder, tmp_path / "moved")
    path = tmp_path / "r" / "config.json"
    config = json.loads(path.read_text())
    config["options"]["data"] = str(tmp_path / "moved")
    path.write_text(json.dumps(config))
    Run.resume(IMAGES, tmp_path / "r", 2).fit()


def test_files_of_any_name_are_found_again(folder, tmp_path):
    root = tmp_path / "images"
    shutil.copytree(folder, root)
    try:
        for i, name in enumerate(["a\rb.png", "a\nb.png", 'a",b.png', " a.png"]):
            (root / "train" / "red" / f"{i}.png").rename(root / "train" / "red" / name)
    except OSError:
        pytest.skip("the drive takes no such names")
    Run.start(IMAGES, small(root, epochs=1), tmp_path / "r").fit()
    Run.resume(IMAGES, tmp_path / "r", 2)


def test_data_without_image_files_has_no_list_of_them(tmp_path):
    Run.start(IMAGES, Settings("mlp", limit=8), tmp_path / "r")
    assert not (tmp_path / "r" / "files.csv").exists()


def test_gray_images_of_files_keep_what_was_left_out(folder):
    data = ImageFolder(folder / "train", 8)
    gray = with_channels(data, 1)
    assert gray.images.shape == (36, 1, 8, 8) and data.images.shape == (36, 3, 8, 8)
    assert (gray.files, gray.skipped) == (data.files, [])


def test_resumed_training_equals_the_uninterrupted_one(folder, tmp_path):
    whole = Run.start(IMAGES, small(folder, limit=20), tmp_path / "whole")
    whole.fit()
    steps = iter(range(1, 100))
    with pytest.raises(Interrupted):
        Run.start(IMAGES, small(folder, limit=20), tmp_path / "cut").fit(should_stop=lambda: next(steps) == 4)
    tg.manual_seed(99)
    resumed = Run.resume(IMAGES, tmp_path / "cut")
    resumed.fit()
    ours, theirs = resumed.model.state_dict(), whole.model.state_dict()
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
    for a, b in zip(resumed.trainer.history, whole.trainer.history, strict=True):
        assert {**a, "seconds": 0} == {**b, "seconds": 0}


# ---- recipes -------------------------------------------------------------------------------------


def test_every_model_of_a_task_is_listed_where_users_look_for_it():
    assert {name: set(find_task(name).models) for name in MODELS} == {n: set(m) for n, m in MODELS.items()}


def test_every_image_network_has_a_recipe():
    forms = {models.VGG, models.ResNet, models.LeNet1998, models.CifarResNet}  # of which there are several
    classes = (value for value in vars(models).values() if inspect.isclass(value) and value not in forms)
    networks = {value.__name__.lower() for value in classes if issubclass(value, nn.Module)}
    networks -= {
        "bert",
        "gpt2",
        "recurrentlm",
        "seq2seq",
        "sequenceclassifier",
        "transformer",
        "transformerlm",
        "word2vec",
    }  # of sequences
    assert networks | {f"resnet{depth}" for depth in (20, 32, 44, 56, 110)} == set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_fits_its_network_to_any_images(name):
    recipe = RECIPES[name]
    variants = recipe.variants[-1:] if name.startswith("vgg") else recipe.variants  # VGG's are of one shape
    for variant, data_shape in zip(variants, [(1, 28, 28), (3, 32, 32)] * 2, strict=False):
        channels = recipe.channels or data_shape[0]
        data = ArrayDataset(np.zeros((1, channels, *data_shape[1:]), np.uint8), [0], range(10))
        settings = IMAGES.settings(name, variant=variant)
        facts = {"mean": [0.5], "std": [0.25], "color_values": [0.1] * channels,
                 "color_vectors": np.eye(channels).ravel().tolist(), "classes": list(data.classes),
                 "shape": data.images.shape[1:]}  # fmt: skip
        with undrawn():
            model = IMAGES.build(settings, facts)
        shape = network_shape(settings, data.images.shape[1:])
        for transform in (training_transform(settings, facts, data.images.shape[1:]),
                          evaluation_transform(settings, facts, data.images.shape[1:])):  # fmt: skip
            assert transform(data.images, np.random.default_rng(0)).shape == (1, *shape)
        assert shape[1:] == ((recipe.size,) * 2 if recipe.size else data_shape[1:])
        last = [m for m in model.modules() if isinstance(m, nn.Linear)][-1]
        assert last.out_features in (10, 84)  # 84: LeNet-5 of 1998 compares these with bitmaps


def test_sizes_follow_from_the_options():
    assert sides(Settings("alexnet")) == (256, 227)
    assert sides(Settings("resnet18")) == (256, 224)
    assert sides(Settings("resnet18", size=64)) == (73, 64)
    assert sides(Settings("resnet18", size=64, resize=64)) == (64, 64)
    assert sides(Settings("resnet20")) == (None, 32)
    assert sides(Settings("mlp", resize=16)) == (16, None)
    facts = {"mean": [0], "std": [1], "color_values": [1], "color_vectors": [1]}
    steps = training_transform(IMAGES.settings("alexnet"), facts, (1, 300, 200)).transforms
    kinds = [type(step) for step in steps]
    assert kinds[1:4] == [RandomCrop, RandomHorizontalFlip, Lighting]


@pytest.mark.parametrize("shape", [(27, 31), (31, 27), (33, 29), (1, 1), (45, 28)])
def test_images_that_lack_an_odd_number_of_pixels_fill_the_network(shape):
    settings, facts = IMAGES.settings("lenet5", shift=0), {"mean": [0.0], "std": [1.0]}
    images = np.full((2, 1, *shape), 255, np.uint8)
    for transform in (training_transform, evaluation_transform):
        seen = transform(settings, facts, (1, *shape))(images, np.random.default_rng(0))
        assert seen.shape == (2, 1, 32, 32)
        assert (seen == 1).sum() == 2 * min(shape[0], 32) * min(shape[1], 32)  # whole, or cut to the middle


def test_auxiliary_classifiers_count_three_tenths():
    rng = np.random.default_rng(0)
    heads = [tg.Tensor(rng.normal(size=(4, 5)).astype(np.float32)) for _ in range(3)]
    labels = np.array([0, 1, 2, 4])
    losses = [float(nn.functional.cross_entropy(head, labels).item()) for head in heads]
    with undrawn():
        loss = criterion(models.GoogLeNet(5))
    assert loss(Outputs(*heads), labels).item() == pytest.approx(losses[0] + 0.3 * (losses[1] + losses[2]))
    assert loss(heads[0], labels).item() == pytest.approx(losses[0])
    assert criterion(nn.Linear(1, 1)) is nn.functional.cross_entropy


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("step", [1, 1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001]),
        ("resnet", [1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01]),
        ("constant", [1] * 8),
    ],
)
def test_schedules(name, expected):
    optimizer = tg.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    schedule, seen = make_schedule(name, optimizer, epochs=4, batches=2), []
    for _ in expected:
        seen.append(optimizer.param_groups[0]["lr"])
        if schedule is not None:
            schedule.step()
    assert seen == pytest.approx(expected)
    assert name in SCHEDULES


def test_resnet_110_warms_up_at_a_tenth_for_400_steps():
    recipe = RECIPES["resnet110"].defaults
    assert recipe == {**RECIPES["resnet56"].defaults, "schedule": "resnet-warmup"}
    optimizer = tg.optim.SGD(nn.Linear(1, 1).parameters(), lr=recipe["lr"])
    schedule, seen = make_schedule(recipe["schedule"], optimizer, epochs=4, batches=300), []
    for _ in range(1200):
        seen.append(round(optimizer.param_groups[0]["lr"], 9))
        schedule.step()
    assert seen == [0.01] * 400 + [0.1] * 200 + [0.01] * 300 + [0.001] * 300


def test_schedule_of_googlenet():
    optimizer = tg.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    schedule = make_schedule("googlenet", optimizer, epochs=20, batches=3)
    for _ in range(16 * 3):
        schedule.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.96**2)


# ---- evaluation on ten crops ---------------------------------------------------------------------


def test_ten_crops_average_the_softmax():
    rng = np.random.default_rng(0)
    data = ArrayDataset(rng.normal(size=(5, 1, 6, 7)).astype(np.float32), rng.integers(3, size=5), "abc")
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    figures, each = evaluate(IMAGES, model, DataLoader(data, 2, transform=TenCrop(4)), each=True)
    predicted, labels = each["predicted"], each["labels"]
    means = []
    for image in data.images:
        crops = [image[:, y : y + 4, x : x + 4] for y, x in ((0, 0), (0, 3), (2, 0), (2, 3), (1, 1))]
        scores = [model(tg.Tensor(view[None])).numpy()[0] for c in crops for view in (c, c[..., ::-1].copy())]
        means.append(np.mean([np.exp(s) / np.exp(s).sum() for s in scores], axis=0))
    assert predicted.tolist() == np.argmax(means, axis=1).tolist()
    assert labels.tolist() == data.labels.tolist()
    expected = -np.mean([np.log(p[label]) for p, label in zip(means, labels, strict=True)])
    assert figures["loss"] == pytest.approx(expected, rel=1e-5)


def test_ten_crops_need_room_around_the_input():
    facts = {"mean": [0.5], "std": [0.5]}
    with pytest.raises(RunError, match="ten crops need"):
        evaluation_transform(Settings("resnet20"), facts, (3, 32, 32), ten_crop=True)
    views = evaluation_transform(Settings("resnet20", resize=40), facts, (3, 32, 32), True)
    assert views(np.zeros((2, 3, 32, 32), np.uint8)).shape == (20, 3, 32, 32)


def test_batches_of_large_images_are_small():
    data = ArrayDataset(np.zeros((600, 1, 28, 28), np.uint8), np.zeros(600, int))
    facts = {"mean": [0], "std": [1]}
    sizes = {name: IMAGES.batches(Settings(name), facts, data, training=False).batch_size
             for name in ("lenet5", "vgg16")}  # fmt: skip
    assert sizes == {"lenet5": 500, "vgg16": 10}


# ---- pictures ------------------------------------------------------------------------------------


def test_pictures_of_odd_cases(tmp_path):
    pytest.importorskip("matplotlib")
    data = ArrayDataset(np.zeros((2, 1, 4, 4), np.float32), [0, 1], ["a" * 40, "b"])
    pictures.mistakes(data, np.array([0, 1]), tmp_path / "none_wrong.png")
    pictures.mistakes(data, np.array([1, 0]), tmp_path / "all_wrong.png")
    plain = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    pictures.filters(plain, (1, 4, 4), tmp_path / "linear.png")
    pictures.feature_maps(plain, data, data.images[:1], tmp_path / "no_maps.png")
    dead = nn.Sequential(nn.Conv2d(1, 2, 3))
    dead[0].weight.data = np.zeros((2, 1, 3, 3))
    pictures.filters(dead, (1, 4, 4), tmp_path / "dead.png")
    pictures.feature_maps(dead, data, data.images[:1], tmp_path / "flat.png")
    assert dead.training and "forward" not in vars(dead[0])
    assert sorted(f.name for f in tmp_path.iterdir()) == [
        "all_wrong.png", "dead.png", "flat.png", "linear.png", "none_wrong.png"]  # fmt: skip


def test_plots_of_any_class_names(folder, tmp_path, capfd):
    """A formula's $, a name that is no UTF-8, and letters that Matplotlib's font has not."""
    pytest.importorskip("matplotlib")
    names = ("a$_$", "$\\frac$", b"\xff\xfe".decode("utf-8", "surrogateescape"), "\u4e2d\u6587")
    root = tmp_path / "images"
    try:
        for part in ("train", "test"):
            for name in names:
                shutil.copytree(folder / "test" / "red", root / part / name)
    except OSError:
        pytest.skip("the drive takes UTF-8 names only")
    options = ["--size", "8", "--resize", "8", "--epochs", "1", "--out", str(tmp_path / "r")]
    assert main(["train", "simplecnn", "--data", str(root), *options]) == 0
    said = capfd.readouterr().err
    assert "no plots" not in said and "Warning" not in said and "Glyph" not in said
    assert len(list((tmp_path / "r").glob("*.png"))) == 5


def test_compose_of_random_steps_is_deterministic_for_evaluation():
    steps = Compose([RandomCrop(4), RandomHorizontalFlip(1.0), Lighting([1.0], [[1.0]])])
    images = np.arange(2 * 36, dtype=np.uint8).reshape(2, 1, 6, 6)
    quiet = steps.deterministic()
    assert steps.random and not quiet.random
    np.testing.assert_allclose(quiet(images), images[:, :, 1:5, 1:5] / 255, rtol=1e-6)
