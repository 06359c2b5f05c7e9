"""The embedded handwritten digits: a real task that needs no network. See DIGITS.md."""

from __future__ import annotations

from importlib import resources

import numpy as np

from .dataset import ArrayDataset

TRAIN_SIZE = 8_000  # of 10,000; the packed order is the split order


def load_digits() -> tuple[ArrayDataset, ArrayDataset]:
    """8,000 training and 2,000 test images (N, 1, 28, 28) uint8 of MNIST's training set.

    The split is fixed and stratified: a class has the same share of both parts to within one
    image. This is not MNIST's own test set, so accuracies do not compare with published ones.
    """
    packed = resources.files(__package__).joinpath("digits.npz")
    with packed.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        images, labels = arrays["images"][:, None], arrays["labels"]
    return (
        ArrayDataset(images[:TRAIN_SIZE], labels[:TRAIN_SIZE]),
        ArrayDataset(images[TRAIN_SIZE:], labels[TRAIN_SIZE:]),
    )
