"""Batches of sequences: contiguous streams of one text, and samples of like length side by side.

Both iterate, count and resume as `data.DataLoader` does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np

from ..loader import DataLoader, shuffled


class Ragged:
    """Arrays that differ in their first axis, end to end in one: `flat` and where each starts."""

    def __init__(self, arrays: Sequence[Any], dtype: Any = np.int64) -> None:
        parts = [_converted(array, np.dtype(dtype)) for array in arrays]
        if shapes := sorted({part.shape[1:] for part in parts})[1:]:
            raise ValueError(f"Ragged: arrays may differ in their first axis only, got further axes {shapes}")
        self.lengths = np.array([len(part) for part in parts], np.int64)
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)])
        self.flat = np.concatenate(parts) if parts else np.empty(0, dtype)

    def __len__(self) -> int:
        return len(self.lengths)

    def padded(self, index: np.ndarray, padding: Any) -> tuple[np.ndarray, np.ndarray]:
        """(N, T, ...) of the arrays at `index`, filled with `padding`, and their lengths (N,)."""
        index = _places(index)
        lengths, starts = self.lengths[index], self.starts[:-1][index]
        shape = (len(lengths), int(lengths.max(initial=0)), *self.flat.shape[1:])
        result = np.full(shape, padding, self.flat.dtype)
        for row, start, length in zip(result, starts, lengths, strict=True):
            row[:length] = self.flat[start : start + length]
        return result, lengths


def _places(index: Any) -> np.ndarray:
    """`index` as NumPy's arrays take it: numbers, which may count from the end, or a mask."""
    return np.asarray(index, None if np.size(index) else np.intp)


def _converted(array: Any, dtype: np.dtype) -> np.ndarray:
    """(T, ...) of `dtype`; nothing is cut off its numbers."""
    part = np.asarray(array)
    integers = part.dtype.kind in "iu" and dtype.kind in "iu"
    if not part.ndim or (part.size and not integers and not np.can_cast(part.dtype, dtype, "same_kind")):
        raise ValueError(f"Ragged: needs arrays (T, ...) of {dtype}, got {part.dtype} {part.shape}")
    converted = part.astype(dtype)
    if integers and (outside := part[converted != part]).size:
        raise ValueError(f"Ragged: {outside[0]} lies outside of {dtype}; give a wider dtype")
    return converted


class Sequences:
    """A dataset of columns: `Ragged` ones give two arrays of a batch, padded values and lengths, others one.

    `Sequences(Ragged(sources), Ragged(targets))[index]` is (sources, lengths, targets, lengths).
    """

    def __init__(self, *columns: Ragged | np.ndarray, padding: int = 0) -> None:
        if len({len(column) for column in columns}) != 1:
            raise ValueError(f"Sequences: the columns differ in length: {[len(c) for c in columns]}")
        self.columns = tuple(c if isinstance(c, Ragged) else np.asarray(c) for c in columns)
        self.padding = padding

    def __len__(self) -> int:
        return len(self.columns[0])

    def __getitem__(self, index: Any) -> tuple[np.ndarray, ...]:
        index, found = _places(index), list[np.ndarray]()
        for column in self.columns:
            found += column.padded(index, self.padding) if isinstance(column, Ragged) else (column[index],)
        return tuple(found)

    @property
    def lengths(self) -> np.ndarray:
        """(N,): the longest ragged column of each sample."""
        ragged = [column.lengths for column in self.columns if isinstance(column, Ragged)]
        longest: np.ndarray = np.max(ragged, axis=0)
        return longest

    def subset(self, index: np.ndarray) -> Sequences:
        """The samples at `index`, in its order."""
        index, chosen = _places(index), list[Ragged | np.ndarray]()
        for column in self.columns:
            if isinstance(column, Ragged):
                places = zip(column.starts[:-1][index], column.lengths[index], strict=True)
                parts = [column.flat[start : start + length] for start, length in places]
                chosen.append(Ragged(parts, column.flat.dtype))
            else:
                chosen.append(column[index])
        return Sequences(*chosen, padding=self.padding)

    def fingerprint(self) -> str:
        """A digest (BLAKE2b) of all values and lengths."""
        digest = hashlib.blake2b(digest_size=16)
        for column in self.columns:
            for array in (column.flat, column.lengths) if isinstance(column, Ragged) else (column,):
                digest.update(f"{array.dtype.str} {array.shape}".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


class Buckets(DataLoader):
    """Batches of `dataset` in which the samples have about the same length, so that little is padding.

    `dataset.lengths` (N,) are the lengths. A batch has `batch_size` samples, or, with `tokens`, as many as
    have that many places together, padding counted (at least one). With `shuffle` samples of equal length
    change places between batches, which come in a new order each epoch; else shorter ones come first.
    """

    dataset: Any  # a Dataset with `lengths`

    def __init__(
        self, dataset: Any, batch_size: int = 1, shuffle: bool = False, tokens: int | None = None,
        prefetch: int = 2, seed: int | None = None,
    ) -> None:  # fmt: skip
        for name, number in (("batch_size", batch_size), ("tokens", 1 if tokens is None else tokens)):
            if number < 1:
                raise ValueError(f"Buckets: {name} must be at least 1, got {number}")
        self._cuts = _cuts(np.sort(dataset.lengths), batch_size, tokens)
        super().__init__(dataset, batch_size, shuffle, prefetch=prefetch, seed=seed)

    def __len__(self) -> int:
        return len(self._cuts) - 1

    def _batches(self, key: int, start: int) -> Generator[tuple[np.ndarray, ...], None, None]:
        lengths, count = self.dataset.lengths, len(self.dataset)
        order = shuffled(count, key) if self.shuffle else np.arange(count)
        order = order[np.argsort(lengths[order], kind="stable")]
        turns = shuffled(len(self), key + 1) if self.shuffle else np.arange(len(self))
        for turn in turns[start:]:
            yield self.dataset[order[self._cuts[turn] : self._cuts[turn + 1]]]


def _cuts(lengths: np.ndarray, batch_size: int, tokens: int | None) -> list[int]:
    """Where batches begin among samples of increasing `lengths`, and where the last one ends."""
    if tokens is None:
        return [*range(0, len(lengths), batch_size), len(lengths)]
    cuts = [0] if len(lengths) else []
    for i, length in enumerate(lengths):
        if i > cuts[-1] and (i + 1 - cuts[-1]) * length > tokens:
            cuts.append(i)
    return [*cuts, len(lengths)]


class Stream:
    """One long text, ids (L,), as a dataset: what a language model reads."""

    def __init__(self, ids: Any) -> None:
        self.ids = np.asarray(ids)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: np.ndarray) -> tuple[np.ndarray, ...]:
        return (self.ids[index],)

    def fingerprint(self) -> str:
        """A digest (BLAKE2b) of the ids."""
        return hashlib.blake2b(np.ascontiguousarray(self.ids.astype("<i8")).data, digest_size=16).hexdigest()


class Streams(DataLoader):
    """(ids (N, T), next ids (N, T), first) of a `Stream`, cut into N parts that are read side by side.

    Row n of a batch goes on where row n of the batch before ended, so that a model may carry its state along
    (truncated backpropagation through time); `first` is 1 in the first batch of an epoch, when it has none,
    else 0. T is `length`, and less in the last batch of an epoch. With `shuffle` each epoch leaves out up to
    `length` − 1 ids at the start, so that the cuts fall elsewhere.
    """

    dataset: Stream

    def __init__(
        self, dataset: Stream, batch_size: int, length: int, shuffle: bool = False, prefetch: int = 2,
        seed: int | None = None,
    ) -> None:  # fmt: skip
        for name, number in (("batch_size", batch_size), ("length", length)):
            if number < 1:
                raise ValueError(f"Streams: {name} must be at least 1, got {number}")
        self.length = length
        free = length - 1 if shuffle else 0
        self._places = max(0, len(dataset) - 1 - free) // batch_size  # of each part
        if not self._places:
            raise ValueError(
                f"Streams: {len(dataset):,} ids are too few for {batch_size} parts beside each other; make "
                f"the batch smaller{', or the length' if free else ''}"
            )
        super().__init__(dataset, batch_size, shuffle, prefetch=prefetch, seed=seed)

    def __len__(self) -> int:
        return -(-self._places // self.length)

    def _batches(self, key: int, start: int) -> Generator[tuple[np.ndarray, ...], None, None]:
        ids = self.dataset.ids
        skip = int(shuffled(self.length, key)[0]) if self.shuffle else 0
        begins = skip + self._places * np.arange(self.batch_size)[:, None]
        for index in range(start, len(self)):
            at = np.arange(index * self.length, min((index + 1) * self.length, self._places))
            places = begins + at
            yield (
                ids[places].astype(np.int64), ids[places + 1].astype(np.int64), np.array(index == 0, np.int64)
            )  # fmt: skip
