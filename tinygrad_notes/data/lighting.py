"""Color augmentation by principal components: Krizhevsky, Sutskever & Hinton 2012, section 4.1."""

from __future__ import annotations

from typing import Any

import numpy as np

from .statistics import chunks
from .transforms import Rng, ToFloat, Transform, check_images, generator, to_float


def principal_colors(dataset: Any) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues λ (C,), largest first, and eigenvectors P (C, C), in its columns, of the colors.

    They belong to the covariance (÷ number of pixels) of all pixels of `dataset`, whose values are
    fractions of white. Every column's largest entry is positive. Float64.
    """
    count, total, squares = 0, np.zeros(()), np.zeros(())
    for images in chunks(dataset):
        check_images("principal_colors", images)
        unit = 255 if images.dtype == np.uint8 else 1
        pixels = np.moveaxis(images, 1, 0).reshape(images.shape[1], -1).astype(np.float64) / unit
        count += pixels.shape[1]
        total = total + pixels.sum(axis=1)
        squares = squares + pixels @ pixels.T
    if count == 0:
        raise ValueError("principal_colors: the dataset is empty")
    mean = total / count
    values, vectors = np.linalg.eigh(squares / count - np.outer(mean, mean))
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(len(values))]
    return values, vectors * np.sign(largest)


class Lighting(Transform):
    """x + P (α ∘ λ) at every pixel, with α ~ N(0, std²) drawn once for an image; float32.

    λ (C,) and P (C, C) come from `principal_colors`. Pixels are fractions of white: since λ is a
    variance, the same formula on values of 0 to 255 would move them by hundreds of levels.
    """

    random = True

    def __init__(self, values: Any, vectors: Any, std: float = 0.1) -> None:
        self.values, self.vectors = np.asarray(values, np.float64), np.asarray(vectors, np.float64)
        channels = len(self.values)
        if self.values.ndim != 1 or self.vectors.shape != (channels, channels):
            raise ValueError(
                f"Lighting: eigenvalues {self.values.shape} and eigenvectors {self.vectors.shape} "
                "must be (C,) and (C, C)"
            )
        if not (np.isfinite(std) and std >= 0):
            raise ValueError(f"Lighting: std must be finite and at least 0, not {std!r}")
        self.std = float(std)

    def __call__(self, images: np.ndarray, rng: Rng = None) -> np.ndarray:
        check_images("Lighting", images)
        if images.shape[1] != len(self.values):
            raise ValueError(f"Lighting: images {images.shape} do not have {len(self.values)} channels")
        alpha = self.std * generator("Lighting", rng).standard_normal((len(images), len(self.values)))
        shift = (alpha * self.values) @ self.vectors.T  # (N, C)
        result: np.ndarray = to_float(images) + shift.astype(np.float32)[:, :, None, None]
        return result

    def deterministic(self) -> Transform:
        return ToFloat()
