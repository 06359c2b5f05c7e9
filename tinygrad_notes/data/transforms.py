"""Batch transforms: `transform(images, rng)` with images (N, C, H, W), any dtype.

Pixel values are fractions of white: uint8 counts as value / 255, so means, standard deviations
and padding values are in [0, 1] whatever the dtype. Geometry keeps the dtype, so put it before
`Normalize`: it then moves a quarter of the bytes. No transform changes its input.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Rng = np.random.Generator | None


def to_float(images: np.ndarray) -> np.ndarray:
    """uint8 0 .. 255 → float32 0 .. 1; other floats → float32; whole numbers → int64."""
    if images.dtype == np.uint8:
        result: np.ndarray = np.divide(images, 255, dtype=np.float32)
        return result
    whole = images.dtype == bool or np.issubdtype(images.dtype, np.integer)
    return images.astype(np.int64 if whole else np.float32, copy=False)


class Transform:
    """A callable on a batch. `random` tells whether it uses the generator."""

    random = False

    def __call__(self, images: np.ndarray, rng: Rng = None) -> np.ndarray:
        raise NotImplementedError

    def deterministic(self) -> Transform:
        """What evaluation applies instead of this transform: same output size, no chance."""
        return self


class Compose(Transform):
    """Apply the transforms one after the other; without any, change nothing."""

    def __init__(self, transforms: Sequence[Transform] = ()) -> None:
        self.transforms = tuple(transforms)
        for transform in self.transforms:
            if not isinstance(transform, Transform):
                raise TypeError(f"Compose: {transform!r} is not a Transform; derive its class from it")
        self.random = any(transform.random for transform in self.transforms)

    def __call__(self, images: np.ndarray, rng: Rng = None) -> np.ndarray:
        for transform in self.transforms:
            images = transform(images, rng)
        return images

    def deterministic(self) -> Transform:
        return Compose([transform.deterministic() for transform in self.transforms])


class ToFloat(Transform):
    """uint8 0 .. 255 → float32 0 .. 1."""

    def __call__(self, images: np.ndarray, rng: Rng = None) -> np.ndarray:
        return to_float(images)


class Normalize(Transform):
    """(x − mean) / std per channel, as float32; mean and std are numbers or (C,)."""

    def __init__(self, mean: Any, std: Any) -> None:
        self.mean = np.atleast_1d(np.asarray(mean, np.float64))
        self.std = np.atleast_1d(np.asarray(std, np.float64))
        if self.mean.ndim != 1 or self.mean.shape != self.std.shape:
            raise ValueError(f"Normalize: mean {self.mean.shape} and std {self.std.shape} must be (C,) alike")
        if not (np.isfinite(self.mean).all() and np.isfinite(self.std).all() and all(self.std > 0)):
            raise ValueError(f"Normalize: mean {mean} must be finite and std {std} positive")

    def __call__(self, images: np.ndarray, rng: Rng = None) -> np.ndarray:
        check_images("Normalize", images)
        if len(self.mean) not in (1, images.shape[1]):
            raise ValueError(
                f"Normalize: images {images.shape} have {images.shape[1]} channels, "
                f"mean and std {len(self.mean)}"
            )
        unit = 255 if images.dtype == np.uint8 else 1
        scale = (1 / (unit * self.std)).astype(np.float32)[:, None, None]
        shift = (self.mean / self.std).astype(np.float32)[:, None, None]
        result: np.ndarray = np.multiply(images, scale, dtype=np.float32)
        result -= shift
        return result


class Pad(Transform):
    """`padding` pixels of `value` on every side (an int, or (vertical, horizontal))."""

    def __init__(self, padding: int | tuple[int, int], value: float = 0.0) -> None:
        self.padding = pair("Pad", "padding", padding, least=0)
        self.value = _fraction("Pad", "value", value)

    def __call__(self, images: np.ndarray, rng: Rng = None) -> np.ndarray:
        check_images("Pad", images)
        value = round(self.value * 255) if images.dtype == np.uint8 else self.value
        (vertical, horizontal), (*outer, height, width) = self.padding, images.shape
        shape = (*outer, height + 2 * vertical, width + 2 * horizontal)
        result = np.full(shape, value, images.dtype)  # np.pad takes four times as long
        result[:, :, vertical : vertical + height, horizontal : horizontal + width] = images
        return result


class CenterCrop(Transform):
    """The middle `size` pixels (an int, or (height, width)); an odd rest is larger below/right."""

    def __init__(self, size: int | tuple[int, int]) -> None:
        self.size = pair("CenterCrop", "size", size, least=1)

    def __call__(self, images: np.ndarray, rng: Rng = None) -> np.ndarray:
        (height, width), (down, right) = self.size, room("CenterCrop", images, self.size)
        top, left = down // 2, right // 2
        return images[:, :, top : top + height, left : left + width]


class RandomCrop(Transform):
    """`size` pixels at a place drawn for each image, after `padding` with zeros on every side."""

    random = True

    def __init__(self, size: int | tuple[int, int], padding: int | tuple[int, int] = 0) -> None:
        self.size = pair("RandomCrop", "size", size, least=1)
        self.pad = Pad(padding)

    def __call__(self, images: np.ndarray, rng: Rng = None) -> np.ndarray:
        return _crop("RandomCrop", self.pad(images), self.size, rng)

    def deterministic(self) -> Transform:
        return Compose([self.pad, CenterCrop(self.size)])


class RandomShift(Transform):
    """Move each image by up to `pixels` up, down, left and right; zeros come in at the border.

    Raises ValueError where that could move an image out of sight.
    """

    random = True

    def __init__(self, pixels: int | tuple[int, int]) -> None:
        self.pad = Pad(pair("RandomShift", "pixels", pixels, least=0))

    def __call__(self, images: np.ndarray, rng: Rng = None) -> np.ndarray:
        check_images("RandomShift", images)
        if any(move >= side for move, side in zip(self.pad.padding, images.shape[2:], strict=True)):
            raise ValueError(
                f"RandomShift: moves of up to {self.pad.padding} pixels leave nothing of images "
                f"{images.shape}; they must be less than the height and the width: shift less"
            )
        return _crop("RandomShift", self.pad(images), images.shape[2:], rng)

    def deterministic(self) -> Transform:
        return Compose()


class RandomHorizontalFlip(Transform):
    """Mirror each image left to right with probability `p`."""

    random = True

    def __init__(self, p: float = 0.5) -> None:
        self.p = _fraction("RandomHorizontalFlip", "p", p)

    def __call__(self, images: np.ndarray, rng: Rng = None) -> np.ndarray:
        check_images("RandomHorizontalFlip", images)
        flip = generator("RandomHorizontalFlip", rng).random(len(images)) < self.p
        return np.where(flip[:, None, None, None], images[..., ::-1], images)

    def deterministic(self) -> Transform:
        return Compose()


def _crop(name: str, images: np.ndarray, size: Sequence[int], rng: Rng) -> np.ndarray:
    """Each image's own window of `size`, all places equally likely."""
    down, right = room(name, images, size)
    rng, count = generator(name, rng), len(images)
    top, left = rng.integers(down + 1, size=count), rng.integers(right + 1, size=count)
    windows = sliding_window_view(images, tuple(size), axis=(2, 3))  # (N, C, top, left, h, w)
    return windows[np.arange(count), :, top, left]


def room(name: str, images: np.ndarray, size: Sequence[int]) -> tuple[int, int]:
    """How many pixels a window of `size` can move down and right inside the images."""
    check_images(name, images)
    down, right = images.shape[2] - size[0], images.shape[3] - size[1]
    if down < 0 or right < 0:
        raise ValueError(
            f"{name}: a window of {tuple(size)} does not fit into images {images.shape}; "
            "crop less or pad first"
        )
    return down, right


def check_images(name: str, images: np.ndarray) -> None:
    if images.ndim != 4:
        raise ValueError(f"{name}: needs a batch of images (N, C, H, W), got shape {images.shape}")


def generator(name: str, rng: Rng) -> np.random.Generator:
    if rng is None:
        raise TypeError(f"{name} is random and needs a generator: transform(images, rng)")
    return rng


def pair(name: str, argument: str, value: Any, least: int) -> tuple[int, int]:
    both = (value, value) if hasattr(value, "__index__") else tuple(value)
    if len(both) != 2 or not all(hasattr(v, "__index__") and v >= least for v in both):
        raise ValueError(f"{name}: {argument} must be a whole number or two, at least {least}, not {value!r}")
    return operator.index(both[0]), operator.index(both[1])


def _fraction(name: str, argument: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"{name}: {argument} must be between 0 and 1, not {value!r}")
    return float(value)
