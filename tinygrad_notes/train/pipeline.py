"""From stored images to the batches of a network: sizes, augmentation, normalization."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data import (
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
from .config import Config, RunError
from .recipes import RECIPES

ANY_SIZE = 32  # images in files are decoded at this side for networks that take any


def sides(config: Config) -> tuple[int | None, int | None]:
    """(side the images are scaled to, side of the network's input); None: as they are."""
    recipe = RECIPES[config.model]
    size, resize = config.size or recipe.size, config.resize
    if resize is None and recipe.resize is not None and recipe.size is not None:
        resize = round(recipe.resize * (size or 1) / recipe.size)
    if resize is not None and size is not None and resize < size:
        raise RunError(
            f"{config.model} takes images of {size}×{size}: resize must not be below, got {resize}"
        )
    return resize, size


def decoded_side(config: Config) -> int:
    """The side at which images in files are decoded."""
    resize, size = sides(config)
    return resize or size or ANY_SIZE


def network_shape(config: Config, shape: tuple[int, ...]) -> tuple[int, ...]:
    """(C, H, W) that the network gets for stored images of `shape`."""
    resize, size = sides(config)
    side = size or resize
    return tuple(shape) if side is None else (shape[0], side, side)


def training_transform(config: Config, shape: tuple[int, ...]) -> Compose:
    """Scale, shift, crop at random, mirror, light, normalize: what the configuration asks for."""
    resize, size = sides(config)
    steps: list[Transform] = [] if resize is None else [Resize(resize)]
    if config.shift:
        steps.append(RandomShift(config.shift))
    if size is not None:
        steps += _fit(size, tuple(shape[1:]) if resize is None else (resize, resize))
    if config.flip:
        steps.append(RandomHorizontalFlip())
    if config.lighting:
        vectors = np.reshape(config.color_vectors, (shape[0], shape[0]))
        steps.append(Lighting(config.color_values, vectors, config.lighting))
    return Compose([*steps, Normalize(config.mean, config.std)])


def evaluation_transform(config: Config, shape: tuple[int, ...], ten_crop: bool = False) -> Any:
    """The same without chance; with `ten_crop` ten views of each image instead of its middle."""
    if not ten_crop:
        return training_transform(config, shape).deterministic()
    resize, size = sides(config)
    if resize is None or size is None or resize == size:
        raise RunError(
            f"{config.model} sees whole images here: ten crops need some that are larger than its input "
            "(a run with --resize)"
        )
    return Compose([Resize(resize), TenCrop(size), Normalize(config.mean, config.std)])


def _fit(size: int, have: tuple[int, ...]) -> list[Transform]:
    """Pad with black where images are too small, crop at random where they are too large."""
    border = [max(0, -(-(size - side) // 2)) for side in have]
    pad: list[Transform] = [Pad((border[0], border[1]))] if any(border) else []
    padded = [side + 2 * b for side, b in zip(have, border, strict=True)]
    if padded == [size, size]:
        return pad
    return [*pad, CenterCrop(size) if pad else RandomCrop(size)]
