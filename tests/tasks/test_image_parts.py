"""Images as a task: parts and facts, what is refused and said of them, on data that no file holds."""

import csv
import io
import warnings
from pathlib import Path

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import nn
from tinygrad_notes.data import ArrayDataset, held_out
from tinygrad_notes.models.count import undrawn
from tinygrad_notes.tasks import find_task
from tinygrad_notes.tasks.images import files, parts, pipeline
from tinygrad_notes.tasks.images.settings import ImageSettings, ImageTesting
from tinygrad_notes.tasks.images.task import _check_fit, mean_of_views
from tinygrad_notes.train.options import RunError
from tinygrad_notes.train.task import Parts

IMAGES = find_task("images")


def dataset(labels, classes="abc", shape=(1, 2, 3), seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (len(labels), *shape))
    return ArrayDataset(pixels.astype(np.uint8), labels, list(classes))


# ---- classes that a part lacks -------------------------------------------------------------------

FIVE = ["ant", "bee", "cat", "dog", "eel"]


@pytest.mark.parametrize(
    ("options", "labels", "told"),
    [
        ({}, {"test": [0, 1, 2, 3, 4]}, []),
        ({}, {"test": [0, 1, 3, 4]}, ["test part has no image of cat, so"]),
        ({}, {"test": [0, 4]}, ["test part has no image of bee, cat, dog, so"]),
        ({}, {"test": [4]}, ["test part has no image of ant, bee, cat, ..., so"]),
        ({"limit": 4}, {"test": [0, 1, 3, 4]}, []),  # too few for all of them
        ({"limit": 5}, {"test": [0, 1, 3, 4, 4]}, ["test part has no image of cat, so"]),
        ({"limit": 6}, {"test": [0, 1, 3, 4, 4]}, ["test part has no image of cat, so"]),
        ({}, {"train": [0], "test": [0, 1, 2, 3, 4], "validation": [1]}, []),  # a share may be too small
        ({"validation": "own"}, {"train": [0], "test": [4, 3, 2, 1, 0], "validation": [0, 1, 2, 4]},
         ["validation part has no image of dog, so"]),
        ({"validation": "own"}, {"test": [1, 2, 3, 4], "validation": [0, 1, 2, 4]},
         ["test part has no image of ant, so", "validation part has no image of dog, so"]),
        ({"validation": "own"}, {"test": [1, 2, 3, 4]}, ["test part has no image of ant, so"]),
    ],
)  # fmt: skip
def test_classes_that_a_part_lacks_are_told(options, labels, told):
    settings = IMAGES.settings("mlp", data="pictures", **options)
    listed = {name: ([Path(f"{i}.png") for i in range(len(some))], some) for name, some in labels.items()}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        parts._tell_of_missing(settings, listed, FIVE)
    assert [str(one.message) for one in caught] == [
        f"pictures: the {text} its figures say nothing of it" for text in told]  # fmt: skip


# ---- parts ---------------------------------------------------------------------------------------

LABELS = np.arange(40) % 4


@pytest.fixture
def loaded(monkeypatch):
    """What is asked of `data.load`, which gives 40 and 12 images of four classes, as many as the limit."""
    asked = []

    def load(data, download, progress, limit=None):
        asked.append((data, download, progress, limit))
        train, test = dataset(LABELS, "abcd"), dataset(LABELS[:12], "abcd", seed=1)
        return train.subset(np.arange(40)[:limit]), test.subset(np.arange(12)[:limit])

    monkeypatch.setattr(parts, "load", load)
    return asked


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        ({"validation": 0.25}, {"training": 30, "validation": 10, "test": 12}),
        ({"validation": 0.01}, {"training": 40, "test": 12}),
        ({"validation": 0}, {"training": 40, "test": 12}),
        ({"validation": None}, {"training": 40, "test": 12}),
        ({"validation": 0.25, "limit": 8}, {"training": 6, "validation": 2, "test": 8}),
    ],
)
def test_sizes_of_the_parts(loaded, options, sizes):
    found = IMAGES.load(IMAGES.settings("mlp", data="mnist", **options), download=True, progress=print)
    assert {name: len(part) for name, part in found.named().items()} == sizes
    assert loaded == [("mnist", True, print, options.get("limit"))]
    if sizes["training"] == 30:
        whole, held = dataset(LABELS, "abcd"), held_out(LABELS, 0.25, 0)
        np.testing.assert_array_equal(found.validation.images, whole.images[held])
        np.testing.assert_array_equal(found.train.images, whole.images[~held])
        other = IMAGES.load(IMAGES.settings("mlp", data="mnist", seed=1, **options))
        assert other.validation.fingerprint() != found.validation.fingerprint()


@pytest.mark.parametrize(("model", "channels"), [("mlp", 1), ("lenet5", 1), ("resnet20", 3), ("vgg11", 3)])
def test_every_part_has_the_channels_of_the_network(loaded, model, channels):
    settings = IMAGES.settings(model, data="mnist")
    found = IMAGES.load(settings)
    assert {part.images.shape[1] for part in found.named().values()} == {channels}
    assert found.facts["shape"] == [channels, 2, 3] and found.facts["classes"] == list("abcd")
    test = IMAGES.load_test(settings, found.facts, download=True, progress=print)
    assert test.fingerprint() == found.test.fingerprint() and test.images.shape[1] == channels
    assert loaded[1] == ("mnist", True, print, None)


# ---- facts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "classes", "limit", "fine"),
    [([0, 0, 0], "ab", None, False), ([0, 0, 0], "ab", 3, True), ([0, 0, 1], "ab", None, True),
     ([0, 0, 0], "a", None, False), ([0, 0, 0], "a", 3, False), ([1, 1, 1], "abc", None, False)],
)  # fmt: skip
def test_one_class_is_nothing_to_tell_apart(monkeypatch, labels, classes, limit, fine):
    """Of several classes a limit may leave one."""
    part = dataset(labels, classes)
    monkeypatch.setattr(parts, "load", lambda *_, limit: (part, part))
    settings = IMAGES.settings("mlp", data="mnist", limit=limit, validation=None)
    if fine:
        assert IMAGES.load(settings).facts["classes"] == list(classes)
        return
    said = f"^mnist: all 3 training images are of the class '{classes[labels[0]]}', so there is nothing to"
    with pytest.raises(RunError, match=said):
        IMAGES.load(settings)


def test_facts_are_of_the_training_part(loaded):
    found = IMAGES.load(IMAGES.settings("resnet20", data="mnist", lighting=0.1, validation=0.25))
    pixels = found.train.images / 255
    np.testing.assert_allclose(found.facts["mean"], pixels.mean(axis=(0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(found.facts["std"], pixels.std(axis=(0, 2, 3)), rtol=1e-5)
    assert (len(found.facts["color_values"]), len(found.facts["color_vectors"])) == (3, 9)
    plain = IMAGES.load(IMAGES.settings("resnet20", data="mnist", lighting=0.0))
    assert set(plain.facts) == {"classes", "shape", "mean", "std"}
    again = IMAGES.load(IMAGES.settings("mlp", data="mnist"), facts := found.facts | {"shape": [1, 2, 3]})
    assert again.facts is facts  # nothing is computed anew


@pytest.mark.parametrize(
    ("model", "options", "facts", "message"),
    [
        ("mlp", {}, {}, None),
        ("mlp", {}, {"classes": list("ab")}, r"2 classes \(a, b\), but new has 3 classes \(a, b, c\)"),
        ("mlp", {}, {"classes": list("acb")}, r"3 classes \(a, c, b\), but"),
        ("mlp", {}, {"classes": list("abcd")}, r"4 classes \(a, b, c, ...\), but"),
        ("mlp", {}, {"shape": [1, 3, 2]}, "the run takes images of 1×3×2, but those of new are 1×2×3"),
        ("mlp", {}, {"shape": [3, 2, 3]}, "the run takes images of 3×2×3, but those of new are 1×2×3"),
        ("lenet5", {}, {"shape": [1, 9, 9]}, None),  # all become 32×32
        ("mlp", {"resize": 8}, {"shape": [1, 9, 9]}, None),
        ("lenet5", {}, {"shape": [3, 9, 9]}, "the run takes images of 3×32×32, but those of new are 1×32×32"),
    ],
)  # fmt: skip
def test_other_images_must_fit_the_run(model, options, facts, message):
    settings = IMAGES.settings(model, data="new", **options)
    known = {"classes": list("abc"), "shape": [1, 2, 3]} | facts
    if message is None:
        _check_fit(settings, known, dataset([0, 1, 2]))
        return
    with pytest.raises(RunError, match=message):
        _check_fit(settings, known, dataset([0, 1, 2]))


# ---- sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "options", "sides", "decoded", "shape"),
    [
        ("mlp", {}, (None, None), 32, (2, 5, 7)),
        ("mlp", {"resize": 16}, (16, None), 16, (2, 16, 16)),
        ("mlp", {"size": 8}, (None, 8), 8, (2, 8, 8)),
        ("simplecnn", {"size": 8, "resize": 8}, (8, 8), 8, (2, 8, 8)),
        ("simplecnn", {"size": 8, "resize": 9}, (9, 8), 9, (2, 8, 8)),
        ("lenet5", {}, (None, 32), 32, (2, 32, 32)),
        ("resnet20", {"size": 64}, (None, 64), 64, (2, 64, 64)),
        ("resnet20", {"resize": 40}, (40, 32), 40, (2, 32, 32)),
        ("alexnet", {}, (256, 227), 256, (2, 227, 227)),
        ("alexnet", {"resize": 300}, (300, 227), 300, (2, 227, 227)),
        ("vgg11", {"size": 112}, (128, 112), 128, (2, 112, 112)),
    ],
)
def test_sizes_follow_from_the_options(model, options, sides, decoded, shape):
    settings = IMAGES.settings(model, **options)
    assert pipeline.sides(settings) == sides and pipeline.decoded_side(settings) == decoded
    assert pipeline.network_shape(settings, (2, 5, 7)) == shape
    assert IMAGES.sample(settings, {"shape": (2, 5, 7)}) == (shape,)


def test_images_are_not_scaled_below_the_input():
    with pytest.raises(RunError, match="lenet5 takes images of 32×32: --resize must be at least 32, got 31"):
        pipeline.sides(IMAGES.settings("lenet5", resize=31))
    assert pipeline.sides(IMAGES.settings("lenet5", resize=32)) == (32, 32)


@pytest.mark.parametrize(
    ("options", "ten_crop", "sizes", "views"),
    [
        ({"size": 32, "resize": 40}, False, [500, 100], 1),
        ({"size": 32, "resize": 40}, True, [50] * 12, 10),
        ({"size": 64, "resize": 64}, False, [125] * 4 + [100], 1),
        ({"size": 1000, "resize": 1000}, False, [1] * 600, 1),
    ],
)
def test_batches_of_an_evaluation(monkeypatch, options, ten_crop, sizes, views):
    part = dataset([0, 1] * 300, "ab", (1, 2, 2))
    facts = {"mean": [0.5], "std": [0.25], "shape": [1, 2, 2]}
    batches = IMAGES.batches(
        IMAGES.settings("simplecnn", **options), facts, part, False, ImageTesting(ten_crop)
    )
    assert (len(batches), batches.batch_size) == (len(sizes), sizes[0])
    if options["size"] < 100:
        images, labels = next(iter(batches))
        assert (len(images), len(labels)) == (sizes[0] * views, sizes[0])
        assert labels.numpy().tolist() == [0, 1] * (sizes[0] // 2) + [0] * (sizes[0] % 2)


@pytest.mark.parametrize("options", [{"size": 8}, {"resize": 8}, {"size": 8, "resize": 8}])
def test_ten_crops_need_images_larger_than_the_input(options):
    with pytest.raises(RunError, match=r"simplecnn sees whole images here: ten crops need some .* --resize"):
        pipeline.evaluation_transform(IMAGES.settings("simplecnn", **options), {}, (1, 9, 9), True)


# ---- scores and predictions ----------------------------------------------------------------------

LOGITS = np.log(np.array([[1, 2, 1], [2, 1, 1], [1, 1, 6], [4, 2, 2]], np.float32) / 8 * 2)


class Says(nn.Module):
    """A network that says LOGITS, whatever it sees; GoogLeNet's `tuple` has more behind them."""

    def __init__(self, auxiliary):
        self.auxiliary, self.modes = auxiliary, []

    def forward(self, images):
        self.modes.append(self.training)
        said = tg.Tensor(LOGITS[: len(images)])
        return (said, -said) if self.auxiliary else said

    def loss(self, output, labels):
        return nn.functional.cross_entropy(output[0] if self.auxiliary else output, labels)


@pytest.mark.parametrize("auxiliary", [False, True])
def test_a_score_is_of_the_main_output(auxiliary):
    labels = np.array([1, 1, 2, 0])
    score = IMAGES.score(Says(auxiliary), (np.zeros((4, 1)), tg.Tensor(labels)), training=True)
    assert {name: value.item() for name, value in score.sums.items()} == {"correct": 3}
    assert {k: v.numpy().tolist() for k, v in score.each.items()} == {
        "predicted": [1, 0, 2, 0], "labels": labels.tolist()}  # fmt: skip
    expected = -np.log([0.5, 0.25, 0.75, 0.5]).mean()
    assert score.loss.item() == pytest.approx(expected, rel=1e-5)
    assert IMAGES.figures(0.5, 4, {"correct": 3.0}) == {"loss": 0.5, "accuracy": 0.75}


def test_views_of_an_image_stand_behind_each_other():
    found = np.exp(mean_of_views(tg.Tensor(LOGITS), 2).numpy())
    shares = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, [shares[:2].mean(axis=0), shares[2:].mean(axis=0)], rtol=1e-5)
    score = IMAGES.score(Says(False), (np.zeros((4, 1)), tg.Tensor(np.array([0, 2]))), training=False)
    assert score.loss.item() == pytest.approx(-np.log(found[[0, 1], [0, 2]]).mean(), rel=1e-5)
    assert score.sums["correct"].item() == (found.argmax(axis=1) == [0, 2]).sum()


@pytest.mark.parametrize("auxiliary", [False, True])
def test_predictions_have_a_row_for_each_file(monkeypatch, auxiliary):
    asked = []

    def made(paths, labels, classes, size):
        asked.append((paths, size))
        return dataset(labels, classes, (3, *size))

    monkeypatch.setattr("tinygrad_notes.tasks.images.task.ImageFiles", made)
    facts = {"classes": list("abc"), "shape": [1, 4, 5], "mean": [0.5], "std": [0.5]}
    found = IMAGES.predict(IMAGES.settings("mlp"), facts, Says(auxiliary), ["p.png", "/q.png"], None)
    assert asked == [([Path("p.png").absolute(), Path("/q.png")], (4, 5))]
    assert (list(found.columns), found.left) == (["input", "class", "probability"], 2)
    assert found.rows == [["p.png", "b", "50.0 %"], ["/q.png", "a", "50.0 %"]]
    assert found.details == {"predictions": [
        {"input": "p.png", "class": "b", "probability": pytest.approx(0.5)},
        {"input": "/q.png", "class": "a", "probability": pytest.approx(0.5)}]}  # fmt: skip


def test_what_is_announced(tmp_path):
    train, test = dataset([0, 1, 2] * 500), dataset([0, 1])
    facts = {"classes": list("abc")}
    assert IMAGES.announce(tmp_path, Parts(train, None, test, facts)) == [
        "1,500 training and 2 test images of 3 classes"]  # fmt: skip
    test.skipped = [(Path("x"), "damaged")]
    assert IMAGES.announce(tmp_path, Parts(train, test, test, facts)) == [
        "1,500 training, 2 validation and 2 test images of 3 classes",
        f"{tmp_path / 'files.csv'} names every image that was left out",
    ]
    assert IMAGES.announce(tmp_path, Parts(train, None, None, facts)) == [
        "1,500 training images of 3 classes"
    ]


# ---- files.csv -----------------------------------------------------------------------------------


@pytest.fixture
def noted(tmp_path):
    """A part whose files a/0.png and b/0.png were decoded, b/1.png being left out; and their list."""
    part = dataset([0, 1], "ab")
    part.files, part.digests = [tmp_path / "a" / "0.png", tmp_path / "b" / "0.png"], ["d0", "d1"]
    part.skipped = [(tmp_path / "b" / "1.png", "no image")]
    listed = {"a/0.png": ("train", 10), "b/1.png": ("train", 0), "b/0.png": ("test", 30)}
    return part, listed, IMAGES.settings("mlp", data=str(tmp_path))


def test_the_list_of_files_has_a_row_for_each(noted):
    part, listed, settings = noted
    rows = list(csv.reader(io.StringIO(files.as_csv(listed, settings, [part]))))
    assert rows == [["part", "file", "bytes", "left out", "blake2b"],
                    ["train", "a/0.png", "10", "", "d0"], ["train", "b/1.png", "0", "no image", ""],
                    ["test", "b/0.png", "30", "", "d1"]]  # fmt: skip


def test_contents_that_changed_are_named(noted, tmp_path):
    part, listed, settings = noted
    assert files.changed_contents(tmp_path, settings, [part]) == []  # there is no list
    (tmp_path / "files.csv").write_text(files.as_csv(listed, settings, [part]))
    assert files.changed_contents(tmp_path, settings, [part]) == []
    part.digests = ["d0", "other"]
    assert files.changed_contents(tmp_path, settings, [part]) == ["b/0.png"]
    (tmp_path / "files.csv").write_text("part,file,bytes\ntrain,a/0.png,10\n")
    assert files.changed_contents(tmp_path, settings, [part]) == []  # it notes none


def test_files_that_were_added_or_removed_are_told(noted, tmp_path, monkeypatch):
    part, listed, settings = noted
    now = {}
    monkeypatch.setattr(files, "list_files", lambda settings: now)
    files.check_files(tmp_path, settings)  # there is no list
    (tmp_path / "files.csv").write_text(files.as_csv(listed, settings, [part]))
    now |= listed
    files.check_files(tmp_path, settings)
    changes = [
        ({"a/0.png": ("train", 11)}, "1 of another size (a/0.png)"),
        ({"a/0.png": ("test", 10)}, "1 moved between the parts (a/0.png)"),
        ({"a/0.png": ("test", 11)}, "1 of another size (a/0.png), 1 moved between the parts (a/0.png)"),
        ({f"c/{i}.png": ("train", 1) for i in range(3)}, "3 added (c/0.png, c/1.png, c/2.png)"),
        ({f"c/{i}.png": ("train", 1) for i in range(4)}, "4 added (c/0.png, c/1.png, c/2.png, ...)"),
        (None, "3 removed (a/0.png, b/1.png, b/0.png)"),
    ]
    for change, told in changes:
        now.clear()
        now |= {} if change is None else listed | change
        with pytest.raises(RunError) as caught:
            files.check_files(tmp_path, settings)
        assert str(caught.value) == (
            f"{tmp_path}: the images in {tmp_path} are not those that the run began with: {told}; put them "
            "back, or train anew"
        )


def test_files_are_named_below_the_folder_of_the_data():
    settings = ImageSettings("mlp", "/data/pictures")
    found = [files._name(Path(path), settings) for path in ("/data/pictures/a/0.png", "/own/a/0.png")]
    assert found == ["a/0.png", "/own/a/0.png"]


# ---- networks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "options", "shape", "classes", "message"),
    [
        ("lenet5", {}, [1, 9, 9], 3, None),
        (
            "lenet5",
            {"size": 28},
            [1, 28, 28],
            3,
            "LeNet-5: images must be 32×32, got 28×28; leave out --size",
        ),
        ("lenet5", {"variant": "paper"}, [1, 9, 9], 10, None),
        (
            "lenet5",
            {"variant": "paper"},
            [1, 9, 9],
            9,
            "compares with bitmaps of the 10 digits; the data has 9 cl",
        ),
        ("mlp", {}, [3, 4, 5], 7, None),
        ("simplecnn", {}, [3, 8, 8], 7, None),
        ("resnet20", {"variant": "B"}, [3, 32, 32], 7, None),
    ],
)
def test_networks_fit_their_images_and_classes(model, options, shape, classes, message):
    task_settings, facts = IMAGES.settings(model, **options), {"shape": shape, "classes": ["c"] * classes}
    if message is not None:
        with pytest.raises(ValueError, match=message):
            IMAGES.build(task_settings, facts)
        return
    made = IMAGES.build(task_settings, facts)
    _, height, width = pipeline.network_shape(task_settings, shape)
    image = np.zeros((2, shape[0], height, width), np.float32)
    with tg.no_grad():
        assert made.eval()(image).shape == (2, classes)


@pytest.mark.parametrize(("depth", "variant"), [(20, None), (32, "A-centered"), (44, "B")])
def test_deep_networks_have_the_depth_of_their_name(depth, variant):
    with undrawn():
        made = IMAGES.build(
            IMAGES.settings(f"resnet{depth}", variant=variant), {"shape": [3, 32, 32], "classes": ["c"] * 4}
        )
    convolutions = [m for m in made.modules() if isinstance(m, nn.Conv2d)]
    ours = [m for m in convolutions if m.weight.shape[2:] == (3, 3)]
    assert len(ours) == depth - 1  # and a linear layer
    assert len(convolutions) - len(ours) == (2 if variant == "B" else 0)  # projections
