"""Mean and standard deviation of a dataset's channels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

CHUNK = 4096  # images in memory at once


def normalization(dataset: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (÷ N) of every channel, (C,) float64, for `Normalize`.

    uint8 images are counted in whole numbers and only the result is rounded; floats take two
    passes in float64. Raises ValueError for an empty dataset or images that are not (N, C, H, W).
    """
    if len(dataset) == 0:
        raise ValueError("normalization: the dataset is empty")
    first = dataset[np.arange(1)][0]
    if first.ndim != 4:
        raise ValueError(f"normalization: needs images (N, C, H, W), got {first.shape}")
    if first.dtype == np.uint8:
        return _exact(np.sum([_histogram(images) for images in chunks(dataset)], axis=0))
    count = len(dataset) * first[0, 0].size
    mean = sum(images.sum((0, 2, 3), dtype=np.float64) for images in chunks(dataset)) / count
    square = sum(((x - mean[:, None, None]) ** 2).sum((0, 2, 3)) for x in chunks(dataset))
    return mean, np.sqrt(square / count)


def chunks(dataset: Any) -> Iterator[np.ndarray]:
    for start in range(0, len(dataset), CHUNK):
        yield dataset[np.arange(start, min(start + CHUNK, len(dataset)))][0]


def _histogram(images: np.ndarray) -> np.ndarray:
    """How often each value 0 .. 255 occurs in each channel, (C, 256)."""
    channels = np.moveaxis(images, 1, 0)
    return np.stack([np.bincount(channel.ravel(), minlength=256) for channel in channels])


def _exact(histogram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """mean = Σv / 255n,  var = (n Σv² − (Σv)²) / (255n)²: whole numbers up to the division."""
    mean, std = [], []
    for counts in histogram.tolist():  # Python's whole numbers do not overflow
        n = sum(counts)
        total = sum(value * count for value, count in enumerate(counts))
        squares = sum(value**2 * count for value, count in enumerate(counts))
        mean.append(total / (255 * n))
        std.append(math.sqrt((n * squares - total**2) / (255 * n) ** 2))
    return np.array(mean), np.array(std)
