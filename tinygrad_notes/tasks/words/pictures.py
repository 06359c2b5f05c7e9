"""Words as points: the plane in which their vectors differ most."""

from __future__ import annotations

import os

import numpy as np

from ...data import WordVectors
from ...train.plots import TRAIN, new_figure
from ..lettering import Lettering

COUNT = 200


def principal_plane(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x (n, D) → places (n, 2) along the two directions of the largest variance, and their shares of it.

    The eigenvectors of the covariance are the right singular vectors of x without its mean. Each points to
    where its largest number is positive, so that the picture is the same each time.  Pearson 1901.
    """
    centered = x.astype(np.float64) - x.mean(axis=0)
    _, size, directions = np.linalg.svd(centered, full_matrices=False)
    total = float((size**2).sum()) or 1.0
    axes = np.zeros((2, x.shape[1]))
    axes[: len(directions[:2])] = directions[:2]
    axes *= np.where(axes[np.arange(2), abs(axes).argmax(axis=1)] < 0, -1, 1)[:, None]
    shares = np.zeros(2)
    shares[: len(size[:2])] = size[:2] ** 2 / total
    return centered @ axes.T, shares


def words_in_a_plane(vectors: WordVectors, path: str | os.PathLike[str], count: int = COUNT) -> None:
    """The first `count` words, which are the most frequent ones, by their unit vectors; a PNG file."""
    words = vectors.words[:count]
    places, shares = principal_plane(vectors.unit[:count])
    lettering = Lettering(words)
    figure = new_figure(11, 8.5)
    axes = figure.subplots()
    axes.scatter(*places.T, s=5, color=TRAIN, alpha=0.6, linewidths=0)
    for word, place in zip(words, places, strict=True):
        axes.annotate(lettering.of(word), place, xytext=(2.5, 1.5), textcoords="offset points", fontsize=7,
                      fontfamily=lettering.family)  # fmt: skip
    axes.set_title(f"the {len(words)} most frequent words, in the plane of largest variance", loc="left")
    axes.set_xlabel(f"first direction ({shares[0]:.0%} of the variance)")
    axes.set_ylabel(f"second direction ({shares[1]:.0%})")
    axes.margins(0.05)
    axes.spines[["top", "right"]].set_visible(False)
    lettering.save(figure, path)
