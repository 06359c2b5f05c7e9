"""CIFAR-10 in its binary version (Krizhevsky 2009)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from .dataset import ArrayDataset, DataError

TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
RECORD = 1 + 3 * 32 * 32  # the label, then the red, green and blue planes


def load_cifar10(folder: str | os.PathLike[str]) -> tuple[ArrayDataset, ArrayDataset]:
    """(train, test) with images (N, 3, 32, 32) uint8, from the unpacked binary archive.

    Reads data_batch_1.bin to data_batch_5.bin, test_batch.bin and batches.meta.txt.
    Raises FileNotFoundError when one is missing, DataError when one is damaged.
    """
    folder = Path(folder)
    meta = folder / "batches.meta.txt"
    classes = meta.read_text(encoding="ascii", errors="replace").split()
    if len(classes) != 10:
        raise DataError(f"{meta}: names {len(classes)} classes, expected 10")
    parts = [_read(folder / name) for name in TRAIN_FILES]
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return (
        ArrayDataset(images, labels, classes),
        ArrayDataset(*_read(folder / "test_batch.bin"), classes),
    )


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    values = np.fromfile(path, np.uint8)
    if len(values) == 0 or len(values) % RECORD:
        raise DataError(f"{path}: {len(values)} bytes are not a number of {RECORD}-byte records")
    records = values.reshape(-1, RECORD)
    labels = records[:, 0]
    if labels.max() > 9:
        place = int(np.argmax(labels > 9))
        raise DataError(f"{path}: image {place} has label {labels[place]}, expected 0 to 9")
    return records[:, 1:].reshape(-1, 3, 32, 32), labels
