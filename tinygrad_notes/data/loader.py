"""Batches: which samples, in which order, augmented with which random numbers."""

from __future__ import annotations

import operator
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any, Protocol, cast

import numpy as np

from .. import backend
from ..autograd.tensor import Tensor
from .prefetch import prefetch as run_ahead
from .transforms import Transform, to_float


class Dataset(Protocol):
    """Anything with a length that turns an index array into a tuple of arrays, a row for each sample."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: np.ndarray) -> tuple[np.ndarray, ...]: ...


class DataLoader:
    """Iterate over `dataset` in batches: tuples of Tensors, as many as `dataset[index array]` has arrays.

    An epoch is determined by one number, its key: the order of the samples and the generator of
    every batch's augmentation derive from (key, batch index), so skipping batches is exact and
    `prefetch` (batches made ahead by a thread, and on a GPU one more that is on its way; 0 for none)
    never changes a result. The key comes from `seed`, else from the generator that `manual_seed` sets, and
    only where needed: a loader without shuffling and random transforms draws nothing. `transform(images,
    rng)` gets the first array of a batch, (N, C, H, W) for images. That one comes as float32 or int64, and
    uint8, which are pixels, in [0, 1]; the others, such as labels, keep their dtype. An int, for the host
    alone, stays one.

    Raises ValueError for sizes below the allowed ones and for a loader without a single batch.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        transform: Transform | None = None,
        prefetch: int = 2,
        seed: int | None = None,
    ) -> None:
        self.dataset = dataset
        self.batch_size = _at_least("batch_size", batch_size, 1)
        self.prefetch = _at_least("prefetch", prefetch, 0)
        self.seed = None if seed is None else _at_least("seed", seed, 0)
        self.shuffle, self.drop_last, self.transform = bool(shuffle), bool(drop_last), transform
        if transform is not None and not callable(transform):
            raise TypeError(f"DataLoader: transform must be callable, not {transform!r}")
        # A transform that does not say whether it is random gets a generator.
        self._augments = transform is not None and getattr(transform, "random", True)
        self._epoch = 0  # epochs started: the next key under `seed`
        self._key: int | None = None  # of the epoch under way; None between epochs
        self._next = 0  # index of the first batch not yet handed out
        self._resume = False  # whether the next iteration goes on with this epoch
        self._current: object = None  # the latest iteration, the only one that `state_dict` follows
        if len(self) == 0:
            raise ValueError(
                f"DataLoader: {len(dataset)} samples give no batch of size {self.batch_size} "
                f"with drop_last={self.drop_last}"
            )

    def __len__(self) -> int:
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        # Not a generator itself: the key is drawn here and now, in the caller's thread.
        if self._resume:
            self._resume = False
        else:
            self._key, self._next = self._draw_key(), 0
            self._epoch += 1
        assert self._key is not None
        self._current = iteration = object()
        return self._run(self._key, self._next, iteration)

    def _run(self, key: int, start: int, iteration: object) -> Iterator[tuple[Tensor, ...]]:
        batches, arrive = self._batches(key, start), cast(Any, map)
        if self.prefetch:
            lane = backend.xp.Lane()
            batches, arrive = run_ahead(map(lane.prepared, batches), self.prefetch), lane.ahead
        with closing(batches):  # ends the thread whatever happens here
            for index, batch in enumerate(arrive(_entered, batches), start):
                if iteration is self._current:
                    self._next = index + 1
                yield batch
        if iteration is self._current:
            self._key, self._next = None, 0

    def _batches(self, key: int, start: int) -> Generator[tuple[np.ndarray, ...], None, None]:
        """Batches `start`, start + 1, ... of the epoch; uses no state but the arguments."""
        order = shuffled(len(self.dataset), key) if self.shuffle else np.arange(len(self.dataset))
        for index in range(start, len(self)):
            chosen = order[index * self.batch_size : (index + 1) * self.batch_size]
            first, *others = self.dataset[chosen]
            if self.transform is not None:
                rng = np.random.Generator(_bits(key, index + 1)) if self._augments else None
                first = self.transform(first, rng)
            yield (to_float(first), *others)

    def _draw_key(self) -> int:
        if not (self.shuffle or self._augments):
            return 0
        if self.seed is not None:
            return int(_bits(self.seed, self._epoch).random_raw() >> 1)
        return int(backend.rng().integers(2**63))

    def state_dict(self) -> dict[str, int | None]:
        """Where the iteration stands, counting only batches that were handed out.

        Inside an epoch `next_batch` may equal len(loader): what follows the last batch is then
        still to come. Between epochs `key` is None. Plain numbers, fit for JSON.
        """
        return {"key": self._key, "next_batch": self._next, "epoch": self._epoch}

    def load_state_dict(self, state: dict[str, int | None]) -> None:
        """The next iteration yields exactly the batches that were left when `state` was taken.

        The loader must have the dataset and the arguments of the one saved (`prefetch` is free).
        """
        if set(state) != {"key", "next_batch", "epoch"}:
            raise ValueError(f"DataLoader: not a loader's state, its keys are {sorted(state)}")
        key = None if state["key"] is None else _at_least("key", state["key"], 0)
        position = _at_least("next_batch", state["next_batch"], 0)
        epoch = _at_least("epoch", state["epoch"], 0)
        if position > (0 if key is None else len(self)):
            raise ValueError(
                f"DataLoader: the state stands at batch {position} of an epoch "
                f"({'none begun' if key is None else f'{len(self)} batches'}); "
                "was it saved with another dataset or batch size?"
            )
        self._key, self._next, self._epoch, self._resume = key, position, epoch, key is not None
        self._current = None


def _entered(arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arrays as Tensors: the one place where they enter the backend in use."""
    return tuple(array if isinstance(array, int) else Tensor(array) for array in arrays)


def shuffled(count: int, key: int) -> np.ndarray:
    """The numbers 0 .. count − 1 in the order of `key`: the same with every NumPy version.

    NumPy keeps the raw stream of a bit generator forever, but not `Generator.permutation`.
    """
    return np.argsort(_bits(key, 0).random_raw(count), kind="stable")


def _bits(key: int, stream: int) -> np.random.PCG64:
    return np.random.PCG64(np.random.SeedSequence(key, spawn_key=(stream,)))


def _at_least(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"DataLoader: {name} must be a whole number, not {value!r}")
    if operator.index(value) < least:
        raise ValueError(f"DataLoader: {name} must be at least {least}, not {value}")
    return operator.index(value)
