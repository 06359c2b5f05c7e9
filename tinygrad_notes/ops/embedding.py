"""Embedding: rows of a table, picked by number, and its adjoint, rows added up by number.

With 1[a = b] = 1 if so and else 0, picking rows is linear in the table, y = S W with S_iv = 1[ids_i = v],
so its backward multiplies by Sᵀ,

    y_i = Σ_v 1[ids_i = v] W_v = W[ids_i],        ∂L/∂W_v = Σ_i 1[ids_i = v] gy_i,

a sum over every place where the id v stood: repeats add up, an id that nowhere stood gets 0. S is never made.
The row `padding_idx` is a constant, as if S had zeros in that column, and so it gets 0 as well.
"""

from __future__ import annotations

import numpy as np

from ..autograd import Function, Tensor
from .arguments import as_tensor, check_real, padding_row


class Embedding(Function):
    """y_i = W[ids_i].   weight (V, D), ids of any shape, y (*ids, D);  ∂L/∂W_v = Σ_{i: ids_i = v} gy_i.

    Where ids_i is `padding_idx`, y_i is the constant `row` (None: zeros), and nothing is learned.
    """

    def forward(xp, weight, *, ids, padding_idx, row):
        return xp.take_rows(weight, ids, padding_idx, row)

    def backward(xp, gy, weight_shape, *, ids, padding_idx):
        return xp.add_rows(gy, ids, weight_shape[0], padding_idx)


class AddRows(Function):
    """y_v = Σ_{i: ids_i = v} g_i, and 0 for v = padding_idx.   g (*ids, D), y (rows, D).

    The adjoint of Embedding with a row of zeros, ⟨W[ids], g⟩ = ⟨W, y⟩, so  ∂L/∂g_i = gy[ids_i].
    """

    def forward(xp, g, *, ids, rows, padding_idx):
        return xp.add_rows(g, ids, rows, padding_idx)

    def backward(xp, gy, *, ids, padding_idx):
        return xp.take_rows(gy, ids, padding_idx, None)


def embedding(input, weight, padding_idx: int | None = None) -> Tensor:
    """The row of `weight` (V, D) for every id of `input`: integers 0..V−1 of any shape → (*shape, D).

    The row `padding_idx` (negative: from the end) is picked like any other, but gets no gradient.

    Raises TypeError for ids that are no integers, ValueError for an id out of range (on a GPU its row is
    NaN: nobody waits for the device).
    """
    ids, weight = as_tensor(input), as_tensor(weight)
    if ids.dtype.kind not in "iu":
        raise TypeError(f"embedding: ids must be integers, got {ids.dtype}; use .astype('int64')")
    if weight.ndim != 2:
        raise ValueError(f"embedding: weight must be (V, D), a row per id, got {weight.shape}")
    check_real("embedding", "weight", weight)
    row = None
    if padding_idx is not None:
        padding_idx = padding_row("embedding", padding_idx, weight.shape[0])
        row = weight._data[padding_idx].copy()
    ids = ids._data.astype(np.int64)  # a copy: the caller may change his before the backward
    try:
        return Embedding.apply(weight, ids=ids, padding_idx=padding_idx, row=row)
    except ValueError as error:
        raise ValueError(f"embedding: {error}, the rows of weight {weight.shape}") from None


def take_rows(x, ids, padding_idx, row) -> Tensor:
    """x[ids] of x (V, D), but the constant `row` (None: zeros) where ids is padding_idx."""
    return Embedding.apply(x, ids=ids, padding_idx=padding_idx, row=row)


def add_rows(g, ids, rows, padding_idx) -> Tensor:
    """Zeros (rows, D) with each row of g added to the one that `ids` names, none to padding_idx."""
    return AddRows.apply(g, ids=ids, rows=rows, padding_idx=padding_idx)
