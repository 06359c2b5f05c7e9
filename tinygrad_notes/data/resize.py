"""Images of another size or with another number of channels."""

from __future__ import annotations

import copy
from functools import lru_cache

import numpy as np

from .dataset import ArrayDataset
from .transforms import Rng, Transform, check_images, pair

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue: ITU-R BT.601


class Resize(Transform):
    """Scale to `size` (an int, or (height, width)), bilinear: rows · image · columnsᵀ.

    A new pixel is a mean of old ones with the weights of a triangle, which is as wide as an old
    pixel on each side, or, where the image shrinks, as a new one. uint8 is rounded.
    """

    def __init__(self, size: int | tuple[int, int]) -> None:
        self.size = pair("Resize", "size", size, least=1)

    def __call__(self, images: np.ndarray, rng: Rng = None) -> np.ndarray:
        check_images("Resize", images)
        if images.shape[2:] == self.size:
            return images
        rows, columns = (weights(n, m) for n, m in zip(images.shape[2:], self.size, strict=True))
        scaled: np.ndarray = rows @ images.astype(np.float32, copy=False) @ columns.T
        return np.rint(scaled).astype(np.uint8) if images.dtype == np.uint8 else scaled


@lru_cache(maxsize=16)
def weights(before: int, after: int) -> np.ndarray:
    """(after, before) float32: row i holds the weights of the old pixels in the new pixel i."""
    scale = before / after
    centers, places = (np.arange(after) + 0.5) * scale, np.arange(before) + 0.5
    triangle = np.maximum(0.0, 1.0 - np.abs(centers[:, None] - places) / max(scale, 1.0))
    result: np.ndarray = (triangle / triangle.sum(axis=1, keepdims=True)).astype(np.float32)
    return result


def with_channels(dataset: ArrayDataset, channels: int) -> ArrayDataset:
    """The same dataset, its images with `channels`: gray is repeated (as a view), color becomes its luma.

    Raises ValueError for anything but 1 → 3 and 3 → 1.
    """
    have = dataset.images.shape[1]
    if have == channels:
        return dataset
    changed = copy.copy(dataset)
    if (have, channels) == (1, 3):
        changed.images = np.broadcast_to(dataset.images, (len(dataset), 3, *dataset.images.shape[2:]))
        return changed
    if (have, channels) != (3, 1):
        raise ValueError(f"with_channels: cannot make {channels} channels of {have}")
    gray = np.empty((len(dataset), 1, *dataset.images.shape[2:]), dataset.images.dtype)
    for i, image in enumerate(dataset.images):
        luma = np.tensordot(LUMA, image, axes=1)
        gray[i, 0] = np.rint(luma) if gray.dtype == np.uint8 else luma
    changed.images = gray
    return changed
