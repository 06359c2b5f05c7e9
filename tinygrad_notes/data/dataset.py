"""Labeled images in memory."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

CHUNK = 4096  # images hashed at once: those of a view are copied before
Progress = Callable[[str, int, int, str], None]  # (what is done, how much of it, of how much, its unit)


class DataError(ValueError):
    """A data file or folder that cannot be used; the message names it and says why."""


class ArrayDataset:
    """Images (N, C, H, W) and integer labels (N,), kept as they are until a batch is drawn.

    `dataset[i]` is (image, label); a slice, a list or an index array gives (images, labels) at
    once. `classes` names the labels; by default their numbers. Features (N, F) work as well.

    Raises ValueError when the lengths differ or a label has no class, TypeError for labels
    that are not whole numbers.
    """

    def __init__(self, images: Any, labels: Any, classes: Sequence[str] | None = None) -> None:
        self.images = np.asarray(images)
        labels = np.asarray(labels)
        if not np.issubdtype(labels.dtype, np.integer):
            raise TypeError(f"ArrayDataset: labels must be whole numbers, not {labels.dtype}")
        if labels.ndim != 1 or self.images.ndim < 2 or len(self.images) != len(labels):
            raise ValueError(
                f"ArrayDataset: images {self.images.shape} and labels {labels.shape} do not fit; "
                "images are (N, ...) and labels (N,)"
            )
        self.labels = labels.astype(np.int64)
        highest = int(self.labels.max(initial=-1))
        self.classes = tuple(map(str, range(highest + 1) if classes is None else classes))
        if highest >= len(self.classes) or self.labels.min(initial=0) < 0:
            raise ValueError(
                f"ArrayDataset: labels run from {self.labels.min()} to {highest}, "
                f"but there are classes 0 to {len(self.classes) - 1}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Any) -> tuple[np.ndarray, Any]:
        if isinstance(index, (list, tuple)):
            index = np.asarray(index, dtype=None if len(index) else np.intp)
        images, labels = self.images[index], self.labels[index]
        return images, int(labels) if labels.ndim == 0 else labels

    def subset(self, index: Any) -> ArrayDataset:
        """The dataset of the images at `index` (a slice or an index array), same classes."""
        images, labels = self[index]
        return ArrayDataset(images, labels, self.classes)

    def fingerprint(self) -> str:
        """A digest (BLAKE2b) of all images, labels and classes: another one wherever any of them differs."""
        parts = (self.images[i : i + CHUNK] for i in range(0, len(self), CHUNK))
        return self._digest(f"{self.images.dtype.name} {self.images.shape}", parts)

    def _digest(self, kind: str, content: Iterable[Any]) -> str:
        digest = hashlib.blake2b(json.dumps([kind, self.classes]).encode(), digest_size=16)
        for part in itertools.chain([self.labels], content):
            digest.update(np.ascontiguousarray(part))  # type: ignore[arg-type]
        return digest.hexdigest()

    def __repr__(self) -> str:
        return f"ArrayDataset({self.images.shape} {self.images.dtype}, {len(self.classes)} classes)"
