"""What each model is trained with where nothing is said: the papers' values, or ours where there is none."""

import numpy as np
import pytest

from tinygrad_notes.models.alexnet import AlexNet
from tinygrad_notes.models.count import undrawn
from tinygrad_notes.models.googlenet import GoogLeNet
from tinygrad_notes.models.vgg import VGG16
from tinygrad_notes.nn import Dropout
from tinygrad_notes.tasks import MODELS, find_task
from tinygrad_notes.tasks.images.pipeline import training_transform
from tinygrad_notes.tasks.images.recipes import RECIPES

SGD = {"batch_size": 32, "optimizer": "sgd", "momentum": 0.9, "flip": True, "lighting": 0.1}
VGG = SGD | {"epochs": 74, "lr": 0.00125, "weight_decay": 0.0005, "schedule": "step"}  # 0.01 for 256 images
RESNET = SGD | {"epochs": 120, "lr": 0.0125, "weight_decay": 0.0001, "schedule": "step"}  # 0.1 for 256
CIFAR = {"epochs": 164, "batch_size": 128, "optimizer": "sgd", "momentum": 0.9, "lr": 0.1,
         "weight_decay": 0.0001, "schedule": "resnet", "shift": 4, "flip": True}  # fmt: skip
ADAM = {"optimizer": "adam"}
IMAGES = {
    "mlp": ADAM | {"epochs": 10, "batch_size": 128, "lr": 0.001, "shift": 1},
    "simplecnn": ADAM | {"epochs": 10, "batch_size": 64, "lr": 0.001, "shift": 2},
    "lenet5": ADAM | {"epochs": 20, "batch_size": 64, "lr": 0.003, "shift": 2},
    "alexnet": SGD | {"epochs": 90, "lr": 0.0025, "weight_decay": 0.0005, "schedule": "step"},  # 0.01 for 128
    "vgg11": VGG,
    "vgg13": VGG,
    "vgg16": VGG,
    "vgg19": VGG,
    "googlenet": SGD | {"epochs": 60, "lr": 0.01, "weight_decay": 0.0002, "schedule": "googlenet"},
    "resnet18": RESNET,
    "resnet34": RESNET,
    "resnet20": CIFAR,
    "resnet32": CIFAR,
    "resnet44": CIFAR,
    "resnet56": CIFAR,
    "resnet110": CIFAR | {"schedule": "resnet-warmup"},
}
LANGUAGE = {"epochs": 8, "batch_size": 32, "lr": 0.002, "clip_norm": 1.0, "validation": 0.05}
OTHERS = {
    ("language", "charlm"): LANGUAGE,
    ("language", "tokenlm"): LANGUAGE,
    ("words", "word2vec"): {"epochs": 20, "lr": 0.025, "schedule": "linear", "validation": 0.05},
    ("seq2seq", "seq2seq"): {"epochs": 3, "lr": 0.003, "clip_norm": 1.0, "validation": 0.05, "dropout": 0.0},
    ("translation", "translate"): {"epochs": 20, "lr": 0.0015, "validation": 0.05, "label_smoothing": 0.1,
                                   "dropout": 0.2},
    ("labels", "classify"): {"epochs": 15, "batch_size": 64, "lr": 0.003, "clip_norm": 1.0},
    ("tables", "mlp"): {"epochs": 60, "batch_size": 32, "optimizer": "adamw", "lr": 0.003,
                        "weight_decay": 0.3, "validation": 0.2},
}  # fmt: skip
SIZES = {  # the side to which images are scaled, that of the network's input, its channels
    "mlp": (None, None, None), "simplecnn": (None, None, None), "lenet5": (None, 32, 1),
    "alexnet": (256, 227, 3), "googlenet": (256, 224, 3), "vgg16": (256, 224, 3), "resnet18": (256, 224, 3),
    "resnet20": (None, 32, 3),
}  # fmt: skip
COMMON = {"validation": 0.1, "patience": None, "momentum": 0.9, "schedule": "cosine", "clip_norm": None,
          "seed": 0, "limit": None, "weight_decay": 0.0}  # fmt: skip


def near(expected):
    return {name: pytest.approx(v, rel=1e-12) if type(v) is float else v for name, v in expected.items()}


@pytest.mark.parametrize("name", IMAGES)
def test_image_networks_are_trained_as_their_papers_say(name):
    assert RECIPES[name].defaults == near(IMAGES[name])
    settings = find_task("images").settings(name)
    found = {option: getattr(settings, option) for option in COMMON | IMAGES[name]}
    assert found == near(COMMON | IMAGES[name])


def test_the_table_has_every_model():
    assert set(RECIPES) == set(IMAGES)
    images = {("images", name) for name in IMAGES}
    tasks = {find_task(name).name: find_task(name) for name in MODELS}
    assert {(task.name, model) for task in tasks.values() for model in task.models} == images | set(OTHERS)


@pytest.mark.parametrize(("task", "model"), OTHERS)
def test_the_other_models_have_their_defaults(task, model):
    assert dict(find_task(task).models[model]) == near(OTHERS[task, model])


@pytest.mark.parametrize("name", SIZES)
def test_images_get_the_size_of_the_network(name):
    recipe = RECIPES[name]
    assert (recipe.resize, recipe.size, recipe.channels) == SIZES[name]


@pytest.mark.parametrize(
    ("make", "expected"),
    [(AlexNet, [0.5, 0.5]), (VGG16, [0.5, 0.5]), (GoogLeNet, [0.4, 0.7, 0.7])],
)
def test_dropout_is_the_papers(make, expected):
    with undrawn():
        model = make(10)
    assert sorted(m.p for m in model.modules() if isinstance(m, Dropout)) == expected


@pytest.mark.parametrize("shift", [0, 1, 3])
def test_images_are_shifted_as_far_as_is_asked_for(shift):
    task = find_task("images")
    transform = training_transform(
        task.settings("mlp", shift=shift), {"mean": [0.0], "std": [1.0]}, (1, 15, 15)
    )
    dots = np.zeros((500, 1, 15, 15), np.uint8)
    dots[:, :, 7, 7] = 255
    sample, _, row, column = np.nonzero(transform(dots, np.random.default_rng(0)))
    assert len(set(sample)) == len(sample) == 500
    assert set(row - 7) == set(column - 7) == set(range(-shift, shift + 1))


@pytest.mark.parametrize("lighting", [0.02, 0.5])
def test_colors_are_moved_as_strongly_as_is_asked_for(lighting):
    facts = {
        "mean": [0.0] * 3,
        "std": [1.0] * 3,
        "color_values": [1.0, 2.0, 4.0],
        "color_vectors": np.eye(3).ravel(),
    }
    task = find_task("images")
    transform = training_transform(
        task.settings("mlp", lighting=lighting, shift=0, flip=False), facts, (3, 2, 2)
    )
    moved = transform(np.zeros((4000, 3, 2, 2), np.uint8), np.random.default_rng(0))
    np.testing.assert_array_equal(moved, np.broadcast_to(moved[:, :, :1, :1], moved.shape))
    np.testing.assert_allclose(moved[:, :, 0, 0].std(axis=0), lighting * np.array([1, 2, 4]), rtol=0.05)


@pytest.mark.parametrize("flip", [False, True])
def test_half_of_the_images_are_mirrored_where_it_is_asked_for(flip):
    task, facts = find_task("images"), {"mean": [0.0], "std": [1.0]}
    transform = training_transform(task.settings("mlp", flip=flip, shift=0), facts, (1, 1, 2))
    images = np.broadcast_to(np.array([255, 0], np.uint8), (2000, 1, 1, 2)).copy()
    mirrored = transform(images, np.random.default_rng(0))[:, 0, 0, 1]
    assert set(mirrored) == ({0.0, 1.0} if flip else {0.0}) and abs(mirrored.mean() - 0.5 * flip) < 0.05


@pytest.mark.parametrize(("size", "auxiliary"), [(224, True), (96, False)])
def test_googlenet_has_its_auxiliary_classifiers_where_they_fit(size, auxiliary):
    task = find_task("images")
    facts = {"shape": [3, 300, 200], "classes": list("abc")}
    with undrawn():
        model = task.build(task.settings("googlenet", size=size, resize=2 * size), facts)
    assert [part is not None for part in (model.aux1, model.aux2)] == [auxiliary] * 2
