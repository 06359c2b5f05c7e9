"""Sequences of different lengths in one array: masks and lengths say which steps count.

Layout is (T, N, C), or (N, T, C) with `batch_first`. A mask is True where a step counts, which is chosen, not
multiplied: whatever the padding holds reaches no value and no gradient.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import backend
from ..autograd import Function, Tensor
from .arguments import as_tensor, check_real, constant, in_float32, one_axis, stretches
from .shape import getitem


class MaskedSoftmax(Function):
    """pᵢ = eˣⁱ / Σⱼ eˣʲ over the places of `axis` that `keep` holds, 0 elsewhere and where there is none.

    ∂L/∂x = p ∘ (gy − Σ gy ∘ p), as for the softmax: what has no p has no gradient.
    """

    def forward(xp, x, *, keep, axis):
        x = xp.where(keep, x, -math.inf)
        m = xp.max(x, axis=axis, keepdims=True)
        e = xp.exp(x - xp.where(xp.isfinite(m), m, 0))  # nothing kept: e^(−∞ − 0) = 0
        total = xp.sum(e, axis=axis, keepdims=True)
        return e / (total + (total == 0))

    def backward(xp, gy, y, *, keep, axis):
        gy = xp.where(keep, gy, 0)  # 0 · ∞ would be NaN
        return y * (gy - xp.sum(gy * y, axis=axis, keepdims=True))


class MaskedMean(Function):
    """y = (1/n) Σ x over the places of `axis` that `keep` holds;  ∂y/∂x = 1/n there, 0 elsewhere.

    `n` holds their numbers, without `axis` and with 1 for 0: the mean over no place is 0.
    """

    def forward(xp, x, *, keep, n, axis):
        return xp.sum(xp.where(keep, x, 0), axis=axis) / n

    def backward(xp, gy, x_shape, *, keep, n, axis):
        return xp.where(keep, xp.broadcast_to(xp.expand_dims(gy / n, axis), x_shape), 0)


@in_float32
def masked_softmax(input: Any, mask: Any, axis: int = -1) -> Tensor:
    """The softmax along `axis` over what `mask` holds; zeros elsewhere, and where it holds nothing.

    mask: booleans that stretch to the input, True where a place counts.
    """
    x = as_tensor(input)
    check_real("masked_softmax", "input", x)
    axis = one_axis(axis, x.shape, "masked_softmax")
    keep = _read_mask("masked_softmax", mask, x.shape)
    return MaskedSoftmax.apply(x, keep=keep, axis=axis) if x.size else x


@in_float32
def masked_mean(input: Any, mask: Any = None, lengths: Any = None, batch_first: bool = False) -> Tensor:
    """The mean over the steps that count, (N, *), of (T, N, *) or, with `batch_first`, (N, T, *).

    Give `mask`, booleans (T, N) or (N, T) as the input, or `lengths` (N,) of 0..T, see `length_mask`.
    No step: zeros.
    """
    x, time = _read_steps("masked_mean", input, batch_first)
    if (mask is None) == (lengths is None):
        raise ValueError("masked_mean: give either mask or lengths")
    if mask is None:
        mask = length_mask(lengths, x.shape[time], batch_first)
    keep = _read_mask("masked_mean", mask, x.shape[:2])
    if keep.shape != x.shape[:2]:
        raise ValueError(f"masked_mean: mask {keep.shape} for input {x.shape}; it must be {x.shape[:2]}")
    n = backend.xp.maximum(keep.sum(axis=time), 1).astype(x.dtype)
    rest = (1,) * (x.ndim - 2)
    return MaskedMean.apply(x, keep=keep.reshape(*keep.shape, *rest), n=n.reshape(-1, *rest), axis=time)


def last_step(input: Any, lengths: Any, batch_first: bool = False) -> Tensor:
    """The step lengths − 1 of each sample, (N, *), of (T, N, *) or, with `batch_first`, (N, T, *).

    lengths: (N,) of 1..T, in any order. Those on a GPU are fetched, so the host waits.
    """
    x, time = _read_steps("last_step", input, batch_first)
    at = _read_lengths("last_step", _fetched(lengths), x.shape[1 - time], x.shape[time], 1) - 1
    sample = np.arange(len(at))
    return getitem(x, (sample, at) if batch_first else (at, sample))


def length_mask(lengths: Any, total: int | None = None, batch_first: bool = False) -> Tensor:
    """(T, N) booleans, True where step t < lengths[n]; (N, T) with `batch_first`.

    T is `total`, the largest length by default. Raises TypeError for lengths that are no integers (N,),
    ValueError for one that is not in 0..T. Nobody waits for a GPU: where `total` is given, those on it are
    not looked at, and one above T counts as T, one below 0 as 0.
    """
    count = _read_lengths("length_mask", _fetched(lengths) if total is None else lengths, None, total, 0)
    if total is None:
        total = int(count.max(initial=0))
    count, steps = backend.asarray(count), backend.xp.arange(total)
    return Tensor._wrap(steps < count[:, None] if batch_first else steps[:, None] < count)


def _read_steps(op: str, input: Any, batch_first: bool) -> tuple[Tensor, int]:
    x = as_tensor(input)
    check_real(op, "input", x)
    if x.ndim < 2:
        raise ValueError(f"{op}: input must be (T, N, ...), or (N, T, ...) with batch_first, got {x.shape}")
    return x, int(batch_first)


def _fetched(lengths: Any) -> Any:
    """The same on the host."""
    given = lengths._data if isinstance(lengths, Tensor) else lengths
    return backend.to_numpy(given) if backend.is_array(given) else given


def _read_lengths(op: str, lengths: Any, samples: int | None, total: int | None, least: int) -> Any:
    """Integers (N,) between `least` and `total`, where they are. Those on a GPU are not looked at: they must
    go no further than `length_mask`, where each means something."""
    given = lengths._data if isinstance(lengths, Tensor) else lengths
    counts = given if backend.is_array(given) else np.asarray(given)
    if counts.ndim != 1 or (samples is not None and counts.size != samples):
        raise ValueError(f"{op}: lengths must be one per sample, ({samples or 'N'},), got {counts.shape}")
    if counts.dtype.kind not in "iu" and counts.size:
        raise TypeError(f"{op}: lengths must be integers, got {counts.dtype}")
    counts = counts.astype(np.int64)
    if not isinstance(counts, np.ndarray):
        return counts
    wrong = counts[(counts < least) | (counts > (counts if total is None else total))]
    if wrong.size:
        raise ValueError(
            f"{op}: lengths must be in {least}..{'T' if total is None else total}, got {wrong[0]}"
        )
    return counts


def _read_mask(op: str, mask: Any, shape: tuple[int, ...]) -> Any:
    """Booleans that stretch to `shape`, as the operation's own array."""
    keep = constant(op, "mask", mask)
    if keep.dtype != bool:
        raise TypeError(f"{op}: mask must be booleans, True where a place counts, got {keep.dtype}")
    if not stretches(keep.shape, shape):
        raise ValueError(f"{op}: mask {keep.shape} does not stretch to {shape}")
    return keep.copy()
