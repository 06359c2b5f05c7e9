"""How a network of the notes is trained from the command line: its builder and its defaults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .. import models
from ..nn import Module


@dataclass(frozen=True)
class Recipe:
    """`build(image shape, classes)`; `size` (H, W) is what images are padded or cropped to, if any."""

    build: Callable[[tuple[int, ...], int], Module]
    size: tuple[int, int] | None
    defaults: dict[str, Any]


def _mlp(shape: tuple[int, ...], classes: int) -> Module:
    channels, height, width = shape
    return models.MLP((channels * height * width, 1000, 1000, classes))


def _lenet5(shape: tuple[int, ...], classes: int) -> Module:
    if shape[0] != 1:
        raise ValueError(f"lenet5 takes images of one channel, these have {shape[0]}")
    return models.LeNet5(classes)


RECIPES = {
    "lenet5": Recipe(
        _lenet5,
        (32, 32),
        {"epochs": 30, "batch_size": 64, "optimizer": "adam", "lr": 3e-3, "shift": 2},
    ),
    "mlp": Recipe(
        _mlp,
        None,
        {"epochs": 10, "batch_size": 128, "optimizer": "adam", "lr": 1e-3, "shift": 1},
    ),
}
