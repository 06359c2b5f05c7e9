"""Mistakes in linear maps: products, selections, dropout."""

from __future__ import annotations

import numpy as np

from ...ops import dropout, linear, shape
from .entry import Wrong, entry, normal

A, B, C = (3, 4), (2, 3), (3, 3)
MASK = np.array([[2.0, 0.0, 2.0], [0.0, 2.0, 2.0]])
REPEATS = np.array([0, 2, 0, 1])


def _assigned(xp, gy, x_shape, *, index):
    gx = xp.zeros(x_shape, gy.dtype)
    gx[index] = gy
    return gx


def entries() -> list[Wrong]:
    """The mistakes, in the order of the operations."""
    m, axes = linear, (1, 2, 0)
    return [
        entry("matmul: operands swapped", m.MatMul, normal(C, C),
               {"backward_a": lambda xp, gy, b: xp.matmul(xp.swapaxes(b, -1, -2), gy)}),
        entry("matmul: not transposed", m.MatMul, normal(C, C),
               {"backward_b": lambda xp, gy, a: xp.matmul(a, gy)}),
        entry("matmul: the gradient transposed", m.MatMul, normal(C, C),
               {"backward_a": lambda xp, gy, b: xp.matmul(b, xp.swapaxes(gy, -1, -2))}),
        entry("einsum: the letters of a in the wrong order", m.Einsum, normal(C, C),
               {"backward_a": lambda xp, gy, b: xp.einsum("ik,jk->ji", gy, b)}, letters=("ij", "jk", "ik")),
        entry("einsum: a not transposed", m.Einsum, normal(C, C),
               {"backward_b": lambda xp, gy, a: xp.einsum("ij,jk->ik", a, gy)}, letters=("ij", "jk", "ik")),
        entry("linear: bias from the first row only", m.Linear, normal(A, (2, 4), (2,)),
               {"backward_b": lambda xp, gy: gy[0]}),
        entry("transpose: the same permutation back", shape.Transpose, normal((2, 2, 2)),
               {"backward": lambda xp, gy, *, axes: xp.transpose(gy, axes)}, axes=axes),
        entry("getitem: repeats assigned, not added", shape.GetItem, normal(C), {"backward": _assigned},
               index=REPEATS),
        entry("flip: not flipped back", shape.Flip, normal(C), {"backward": lambda xp, gy: gy}, axis=(0,)),
        entry("dropout: the mask is not applied", dropout.Dropout, normal(B),
               {"backward": lambda xp, gy: gy}, mask=MASK),
        entry("dropout: the mask without its scale", dropout.Dropout, normal(B),
               {"backward": lambda xp, gy, *, mask: gy * (mask > 0)}, mask=MASK),
    ]  # fmt: skip
