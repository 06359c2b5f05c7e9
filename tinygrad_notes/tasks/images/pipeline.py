"""From stored images to the batches of a network: sizes, augmentation, normalization."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...data import (
    CenterCrop,
    Compose,
    Lighting,
    Normalize,
    Pad,
    RandomCrop,
    RandomHorizontalFlip,
    RandomShift,
    Resize,
    TenCrop,
    Transform,
)
from ...train.options import RunError
from .recipes import RECIPES
from .settings import ImageSettings

Facts = dict[str, Any]  # of the training data: see `task`
ANY_SIZE = 32  # images in files are decoded at this side for networks that take any


def sides(settings: ImageSettings) -> tuple[int | None, int | None]:
    """(side the images are scaled to, side of the network's input); None: as they are."""
    recipe = RECIPES[settings.model]
    size, resize = settings.size or recipe.size, settings.resize
    if resize is None and recipe.resize is not None and recipe.size is not None:
        resize = round(recipe.resize * (size or 1) / recipe.size)
    if resize is not None and size is not None and resize < size:
        raise RunError(
            f"{settings.model} takes images of {size}×{size}: --resize must be at least {size}, got {resize}"
        )
    return resize, size


def decoded_side(settings: ImageSettings) -> int:
    """The side at which images in files are decoded."""
    resize, size = sides(settings)
    return resize or size or ANY_SIZE


def network_shape(settings: ImageSettings, shape: tuple[int, ...]) -> tuple[int, ...]:
    """(C, H, W) that the network gets for stored images of `shape`."""
    resize, size = sides(settings)
    side = size or resize
    return tuple(shape) if side is None else (shape[0], side, side)


def training_transform(settings: ImageSettings, facts: Facts, shape: tuple[int, ...]) -> Compose:
    """Scale, shift, crop at random, mirror, light, normalize: what the settings ask for, for stored images of
    `shape`."""
    resize, size = sides(settings)
    steps: list[Transform] = [] if resize is None else [Resize(resize)]
    if settings.shift:
        steps.append(RandomShift(settings.shift))
    if size is not None:
        steps += _fit(size, tuple(shape[1:]) if resize is None else (resize, resize))
    if settings.flip:
        steps.append(RandomHorizontalFlip())
    if settings.lighting:
        vectors = np.reshape(facts["color_vectors"], (shape[0], shape[0]))
        steps.append(Lighting(facts["color_values"], vectors, settings.lighting))
    return Compose([*steps, Normalize(facts["mean"], facts["std"])])


def evaluation_transform(
    settings: ImageSettings, facts: Facts, shape: tuple[int, ...], ten_crop: bool = False
) -> Any:
    """The same without chance; with `ten_crop` ten views of each image instead of its middle."""
    if not ten_crop:
        return training_transform(settings, facts, shape).deterministic()
    resize, size = sides(settings)
    if resize is None or size is None or resize == size:
        raise RunError(
            f"{settings.model} sees whole images here: ten crops need some that are larger than its input "
            "(a run with --resize)"
        )
    return Compose([Resize(resize), TenCrop(size), Normalize(facts["mean"], facts["std"])])


def _fit(size: int, have: tuple[int, ...]) -> list[Transform]:
    """Pad with black where images are too small, crop at random where they are too large."""
    border = [max(0, -(-(size - side) // 2)) for side in have]
    pad: list[Transform] = [Pad((border[0], border[1]))] if any(border) else []
    padded = [side + 2 * b for side, b in zip(have, border, strict=True)]
    if padded == [size, size]:
        return pad
    return [*pad, CenterCrop(size) if pad else RandomCrop(size)]
