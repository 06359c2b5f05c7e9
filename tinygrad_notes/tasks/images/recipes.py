"""How a network of the notes is trained from the command line: its builder and its defaults.

They are the papers' where a paper has them. The papers of the large networks use 128 or 256 images in a
batch; here it is 32, which a laptop can hold, with the learning rate scaled alike (Goyal et al. 2017).
Epochs are those of the papers as well, where they say so (GoogLeNet's does not): small sets of images may
need more, a first look fewer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ... import models
from ...models.resnet import OPTIONS
from ...nn import Module

Shape = tuple[int, ...]
TOWERS = ("notes", "paper", "torchvision")


@dataclass(frozen=True)
class Recipe:
    """`build(image shape, classes, variant)`; the first of `variants` is the default.

    Images get `channels`; they are scaled to the side `resize`, if any, then padded or cropped to the
    side `size`. None leaves them as they are.
    """

    build: Callable[[Shape, int, str], Module]
    size: int | None
    channels: int | None
    defaults: dict[str, Any]
    resize: int | None = None
    variants: tuple[str, ...] = ("notes",)


def _mlp(shape: Shape, classes: int, variant: str) -> Module:
    channels, height, width = shape
    return models.MLP((channels * height * width, 1000, 1000, classes))


def _lenet5(shape: Shape, classes: int, variant: str) -> Module:
    if shape[1:] != (32, 32):  # what both forms' fully connected layers fit
        raise ValueError(f"LeNet-5: images must be 32×32, got {shape[1]}×{shape[2]}; leave out --size")
    if variant == "notes":
        return models.LeNet5(classes)
    if classes != 10:
        raise ValueError(
            f"LeNet-5 of 1998 compares with bitmaps of the 10 digits; the data has {classes} classes"
        )
    return models.LeNet1998()


def _simplecnn(shape: Shape, classes: int, variant: str) -> Module:
    return models.SimpleCNN(shape, classes)


def _googlenet(shape: Shape, classes: int, variant: str) -> Module:
    """Its auxiliary classifiers (loss weight 0.3, in training only) fit images of 224×224."""
    return models.GoogLeNet(classes, variant, aux_logits=shape[1] == 224)


def _named(network: Callable[..., Module]) -> Callable[[Shape, int, str], Module]:
    return lambda shape, classes, variant: network(classes, variant=variant)


def _cifar_resnet(depth: int) -> Callable[[Shape, int, str], Module]:
    return lambda shape, classes, variant: models.CifarResNet(depth, classes, variant)


def _imagenet(build: Callable[[Shape, int, str], Module], size: int = 224, **defaults: Any) -> Recipe:
    """Shorter side 256, random crop, mirror images and colored light, as from Krizhevsky et al. 2012 on."""
    common = {"batch_size": 32, "optimizer": "sgd", "momentum": 0.9, "schedule": "step", "flip": True,
              "lighting": 0.1}  # fmt: skip
    variants = (*TOWERS, "torchvision-5x5") if build is _googlenet else TOWERS
    return Recipe(build, size, 3, common | defaults, resize=256, variants=variants)


# Simonyan & Zisserman 2014: 74 epochs, batch 256, lr 0.01 divided by 10 three times, decay 5e-4.
VGG = {"epochs": 74, "lr": 0.01 * 32 / 256, "weight_decay": 5e-4}
# He et al. 2015, ImageNet: 600,000 steps of 256 are 120 epochs, lr 0.1, decay 1e-4.
RESNET = {"epochs": 120, "lr": 0.1 * 32 / 256, "weight_decay": 1e-4}
# He et al. 2015, CIFAR-10: 64,000 steps of 128 are 164 epochs; 4 pixels of border, crops, mirror images.
# ResNet-110 begins at a tenth of the learning rate.
CIFAR = {"epochs": 164, "batch_size": 128, "optimizer": "sgd", "momentum": 0.9, "lr": 0.1,
         "weight_decay": 1e-4, "schedule": "resnet", "shift": 4, "flip": True}  # fmt: skip

RECIPES = {
    "mlp": Recipe(
        _mlp, None, None, {"epochs": 10, "batch_size": 128, "optimizer": "adam", "lr": 1e-3, "shift": 1}
    ),
    "simplecnn": Recipe(
        _simplecnn, None, None, {"epochs": 10, "batch_size": 64, "optimizer": "adam", "lr": 1e-3, "shift": 2}
    ),
    "lenet5": Recipe(
        _lenet5, 32, 1, {"epochs": 20, "batch_size": 64, "optimizer": "adam", "lr": 3e-3, "shift": 2},
        variants=("notes", "paper"),
    ),
    # Krizhevsky et al. 2012: 90 epochs, batch 128, lr 0.01 divided by 10 three times, decay 5e-4.
    "alexnet": _imagenet(_named(models.AlexNet), 227, epochs=90, lr=0.01 * 32 / 128, weight_decay=5e-4),
    "vgg11": _imagenet(_named(models.VGG11), **VGG),
    "vgg13": _imagenet(_named(models.VGG13), **VGG),
    "vgg16": _imagenet(_named(models.VGG16), **VGG),
    "vgg19": _imagenet(_named(models.VGG19), **VGG),
    # Szegedy et al. 2014: momentum and schedule; lr, decay and batch are those of Caffe's bvlc_googlenet.
    "googlenet": _imagenet(_googlenet, epochs=60, lr=0.01, weight_decay=2e-4, schedule="googlenet"),
    "resnet18": _imagenet(_named(models.ResNet18), **RESNET),
    "resnet34": _imagenet(_named(models.ResNet34), **RESNET),
    **{
        f"resnet{depth}": Recipe(_cifar_resnet(depth), 32, 3, CIFAR, variants=OPTIONS)
        for depth in (20, 32, 44, 56)
    },
    "resnet110": Recipe(
        _cifar_resnet(110), 32, 3, CIFAR | {"schedule": "resnet-warmup"}, variants=OPTIONS
    ),
}  # fmt: skip
