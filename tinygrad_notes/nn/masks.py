"""Masks of attention as torch's modules mean them: bool True may NOT attend, real numbers are added."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .. import backend
from ..autograd import Tensor
from ..ops.arguments import as_tensor, raw_array
from ..ops.arithmetic import add
from ..ops.comparison import bitwise_or, invert
from ..ops.piecewise import where
from ..ops.shape import pad


def generate_square_subsequent_mask(sz: int, dtype: Any = np.float32) -> Tensor:
    """(sz, sz): −∞ above the diagonal, else 0. Added to scores: query i sees the keys 0..i."""
    if isinstance(sz, bool) or not isinstance(sz, int | np.integer) or sz < 0:
        raise ValueError(f"generate_square_subsequent_mask: sz must be a length, got {sz!r}")
    if backend.check_dtype(dtype).kind != "f":
        raise TypeError(f"generate_square_subsequent_mask: {dtype} has no −∞; dtype must be real numbers")
    return Tensor._wrap(backend.xp.where(_later(sz, sz, 0), -np.inf, 0.0).astype(dtype))


def is_subsequent_mask(mask: Any) -> bool:
    """Whether `mask`, a constant of shape (L, L), hides from each query exactly the keys after it."""
    mask = as_tensor(mask)
    if mask.requires_grad or mask.ndim != 2 or mask.shape[0] != mask.shape[1]:
        return False
    later = _later(mask.shape[0], mask.shape[1], 0)
    expected = later if mask.dtype.kind == "b" else backend.xp.where(later, -np.inf, 0.0)
    return bool((raw_array(mask) == expected).all())


def attention_mask(
    owner: str, attn_mask: Any, key_padding_mask: Any, is_causal: bool, past: int, shape: tuple[int, ...],
    more: int, dtype: Any, spelled_out: bool = False,
) -> tuple[Tensor | None, bool]:  # fmt: skip
    """(mask, is_causal) for `scaled_dot_product_attention`, whose True MAY attend, of torch's module masks.

    `shape` is (N, h, L, S), and the mask stretches to (N, h, L, S + more): the last `more` keys are learned,
    and nothing hides them. `attn_mask` is (L, S) or (N·h, L, S), `key_padding_mask` (N, S). An `is_causal`
    query i sees the keys 0..past + i. All that is given holds together. `spelled_out`: as a mask in any case.

    Raises ValueError for another shape, TypeError for a mask that is neither bool nor real.
    """
    n, h, length, keys = shape
    is_causal = is_causal and keys > past + 1  # else no query has a key after it
    masks = []
    if attn_mask is not None:
        shapes = {"(L, S)": (length, keys), "(N * num_heads, L, S)": (n * h, length, keys)}
        mask = _checked(owner, "attn_mask", attn_mask, shapes)
        if not (is_causal and past == 0 and is_subsequent_mask(mask)):
            masks.append(mask.reshape((1, 1, length, keys) if mask.ndim == 2 else shape))
    if key_padding_mask is not None:
        mask = _checked(owner, "key_padding_mask", key_padding_mask, {"(N, S)": (n, keys)})
        masks.append(mask.reshape(n, 1, 1, keys))
    if is_causal and not masks and past == more == 0 and not spelled_out:
        return None, True
    if is_causal:
        masks.append(Tensor._wrap(_later(length, keys, past)[None, None]))
    if more:
        masks = [pad(mask, ((0, 0), (0, 0), (0, 0), (0, more))) for mask in masks]
    hidden = [mask for mask in masks if mask.dtype.kind == "b"]
    added = [mask.astype(dtype) for mask in masks if mask.dtype.kind == "f"]
    may = invert(functools.reduce(bitwise_or, hidden)) if hidden else None
    if not added:
        return may, False
    total = functools.reduce(add, added)
    return (total if may is None else where(may, total, -np.inf)), False


def _later(length: int, keys: int, past: int) -> Any:
    """(L, S): True where key j comes after query i, which stands at past + i."""
    xp = backend.xp
    return xp.arange(keys)[None, :] > xp.arange(length)[:, None] + past


def _checked(owner: str, name: str, mask: Any, shapes: dict[str, tuple[int, ...]]) -> Tensor:
    mask = as_tensor(mask)
    if mask.dtype.kind not in "bf":
        raise TypeError(
            f"{owner}: {name} must be bool (True may not attend) or real (added to the scores), got "
            f"{mask.dtype}; use mask.astype(bool)"
        )
    if mask.shape not in shapes.values():
        wanted = " or ".join(f"{letters} = {shape}" for letters, shape in shapes.items())
        raise ValueError(f"{owner}: {name} is {mask.shape}; it must be {wanted}")
    return mask
