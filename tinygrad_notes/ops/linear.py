"""Matrix products: the bilinear maps, closed under differentiation.

Y = A B is y_ik = Σ_j a_ij b_jk, and a_ij stands in every y of row i. Summed over all paths,

    ∂L/∂a_ij = Σ_k gy_ik ∂y_ik/∂a_ij = Σ_k gy_ik b_jk = (Ḡ Bᵀ)_ij
    ∂L/∂b_jk = Σ_i gy_ik ∂y_ik/∂b_jk = Σ_i a_ij gy_ik = (Aᵀ Ḡ)_jk

A layer stores W with a row for each output, Y = X Wᵀ + b, so that A = X and B = Wᵀ give

    ∂L/∂X = Ḡ W      ∂L/∂W = (Xᵀ Ḡ)ᵀ = Ḡᵀ X      ∂L/∂b = Σ_n ḡ_n      the sums run over the samples n
"""

from __future__ import annotations

import functools
import math

from ..autograd import Function, Tensor
from .arguments import as_tensor, mixed_dtypes
from .shape import squeeze


class MatMul(Function):
    """Y = A B over the last two axes; leading axes broadcast.  ∂L/∂A = Ḡ Bᵀ,  ∂L/∂B = Aᵀ Ḡ."""

    broadcasts = True

    def forward(xp, a, b):
        return xp.matmul(a, b)

    def backward_a(xp, gy, b):
        return xp.matmul(gy, xp.swapaxes(b, -1, -2))

    def backward_b(xp, gy, a):
        return xp.matmul(xp.swapaxes(a, -1, -2), gy)


class Linear(Function):
    """Y = X Wᵀ + b.   X (..., in); W (out, in); b (out,) or None."""

    def forward(xp, x, w, b):
        y = xp.matmul(x, w.T)
        if b is not None:
            y += b
        return y

    def backward_x(xp, gy, w):
        return xp.matmul(gy, w)

    def backward_w(xp, gy, x):  # rows of all leading axes together: Σ over samples of gyᵀ x
        return xp.matmul(_rows(xp, gy).T, _rows(xp, x))

    def backward_b(xp, gy):
        return xp.sum(_rows(xp, gy), axis=0)


class Einsum(Function):
    """y = Σ a b over the letters that the result does not name; letters as in NumPy's einsum.

    ∂L/∂a is the einsum of gy and b onto the letters of a: every letter of a stands in b or in the
    result (the function `einsum` sees to that), so the rule gives the adjoint as it stands.
    """

    def forward(xp, a, b, *, letters):
        return xp.einsum(f"{letters[0]},{letters[1]}->{letters[2]}", a, b)

    def backward_a(xp, gy, b, *, letters):
        return xp.einsum(f"{letters[2]},{letters[1]}->{letters[0]}", gy, b)

    def backward_b(xp, gy, a, *, letters):
        return xp.einsum(f"{letters[0]},{letters[2]}->{letters[1]}", a, gy)


def _rows(xp, x):
    """(..., n) as a matrix (rows, n)."""
    return x if x.ndim == 2 else xp.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def matmul(a, b) -> Tensor:
    """Matrix product over the last two axes; leading axes broadcast, vectors as in NumPy."""
    a, b = as_tensor(a), as_tensor(b)
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(f"matmul: shapes {a.shape} and {b.shape}; a number has no matrix product")
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ValueError(
            f"matmul: {a.shape} @ {b.shape}: the last length of the first must equal the one before "
            "last of the second; is a transpose missing?"
        )
    if a.ndim > 1 and b.ndim > 1:
        return MatMul.apply(a, b)
    row = a.reshape(1, a.size) if a.ndim == 1 else a
    column = b.reshape(b.size, 1) if b.ndim == 1 else b
    added = ((-2,) if a.ndim == 1 else ()) + ((-1,) if b.ndim == 1 else ())
    return squeeze(MatMul.apply(row, column), added)


def linear(input, weight, bias=None) -> Tensor:
    """x Wᵀ + b.   x (..., in); weight (out, in); bias (out,).

    Raises ValueError if the shapes do not fit, TypeError unless all have one dtype.
    """
    x, weight = as_tensor(input), as_tensor(weight)
    if x.ndim == 0 or weight.ndim != 2 or x.shape[-1] != weight.shape[1]:
        raise ValueError(
            f"linear: x {x.shape} needs a last axis equal to in of weight (out, in) = {weight.shape}"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"linear: bias {bias.shape} for weight (out, in) = {weight.shape}")
    dtype = x._data.dtype
    if weight._data.dtype != dtype or (bias is not None and bias.dtype != dtype):
        raise mixed_dtypes("linear", x, weight=weight, bias=bias)
    return Linear.apply(x, weight, bias)


def einsum(subscripts: str, a, b) -> Tensor:
    """Sum of products of two operands, e.g. ``einsum("bij,bjk->bik", a, b)``.

    The result must be written out; a letter must not repeat within one operand, and every letter
    of an operand that stands in neither the other nor the result is summed first.
    """
    a, b = as_tensor(a), as_tensor(b)
    left, right, out = _parse(subscripts, a, b)
    a, left = _sum_lonely(a, left, right + out)
    b, right = _sum_lonely(b, right, left + out)
    return Einsum.apply(a, b, letters=(left, right, out))


@functools.lru_cache(maxsize=256)
def _letters(subscripts: str) -> tuple[str, str, str]:
    operands, arrow, out = subscripts.replace(" ", "").partition("->")
    left, comma, right = operands.partition(",")
    parts = (left, right, out)
    if not arrow or not comma or not all(p.isalpha() or p == "" for p in parts):
        raise ValueError(f"einsum: {subscripts!r} is not of the form 'ij,jk->ik' (two operands)")
    if any(len(set(p)) != len(p) for p in parts) or not set(out) <= set(left + right):
        raise ValueError(f"einsum: {subscripts!r} repeats a letter in a part, or invents one")
    return left, right, out


def _parse(subscripts: str, a: Tensor, b: Tensor) -> tuple[str, str, str]:
    left, right, out = _letters(subscripts)
    if (len(left), len(right)) != (a.ndim, b.ndim):
        raise ValueError(f"einsum: {subscripts!r} for operands of shapes {a.shape} and {b.shape}")
    sizes = dict(zip(left, a.shape, strict=True))
    for letter, n in zip(right, b.shape, strict=True):
        if sizes.setdefault(letter, n) != n:
            raise ValueError(
                f"einsum: letter {letter!r} is {sizes[letter]} in one operand and {n} in the other, "
                f"{subscripts!r} for {a.shape} and {b.shape}"
            )
    return left, right, out


def _sum_lonely(x: Tensor, letters: str, elsewhere: str) -> tuple[Tensor, str]:
    lonely = tuple(i for i, letter in enumerate(letters) if letter not in elsewhere)
    if not lonely:
        return x, letters
    return x.sum(axis=lonely), "".join(c for c in letters if c in elsewhere)
