"""Matrix products: the bilinear maps, closed under differentiation.

Y = A B is y_ik = Σ_j a_ij b_jk, and a_ij stands in every y of row i. Summed over all paths,

    ∂L/∂a_ij = Σ_k gy_ik ∂y_ik/∂a_ij = Σ_k gy_ik b_jk = (Ḡ Bᵀ)_ij
    ∂L/∂b_jk = Σ_i gy_ik ∂y_ik/∂b_jk = Σ_i a_ij gy_ik = (Aᵀ Ḡ)_jk

A layer stores W with a row for each output, Y = X Wᵀ + b, so that A = X and B = Wᵀ give

    ∂L/∂X = Ḡ W      ∂L/∂W = (Xᵀ Ḡ)ᵀ = Ḡᵀ X      ∂L/∂b = Σ_n ḡ_n      the sums run over the samples n
"""

from __future__ import annotations

import math

from .. import backend
from ..autograd import Function, Tensor
from .arguments import as_tensor, mixed_dtypes
from .shape import moveaxis, squeeze, transpose
from .subscripts import lengths, read


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


def einsum(subscripts: str, *operands) -> Tensor:
    """Sums of products over the letters that the result does not name, e.g. ``einsum("bij,bjk->bik", a, b)``.

    As torch's: "..." stands for any axes, which broadcast; without "->" the result has the letters that stand
    once, in the alphabet's order; a letter twice in one operand is its diagonal; axes of length 1 stretch.
    Operands are taken two by two from the left, and letters that nothing needs any more are summed at once.
    """
    if not isinstance(subscripts, str):
        raise TypeError(f"einsum: subscripts such as 'ij,jk->ik' come first, got {type(subscripts).__name__}")
    if not operands:
        raise ValueError(f"einsum: {subscripts!r} needs operands")
    xs = [as_tensor(x) for x in operands]
    parts, out = read(subscripts, tuple(x.ndim for x in xs))
    sizes = lengths(subscripts, parts, tuple(x.shape for x in xs))
    (x, letters), *others = [_distinct(x, part, sizes) for x, part in zip(xs, parts, strict=True)]
    for i, (b, right) in enumerate(others, 1):
        later = out + "".join(part for _, part in others[i:])
        a, left = _sum_lonely(x, letters, right + later)
        b, right = _sum_lonely(b, right, left + later)
        kept = "".join(c for c in dict.fromkeys(left + right) if c in later)
        letters = out if i == len(others) else kept
        x = Einsum.apply(a, b, letters=(left, right, letters))
    x, letters = _sum_lonely(x, letters, out)
    return x if letters == out else transpose(x, [letters.index(c) for c in out])


def _distinct(x: Tensor, letters: str, sizes: dict[str, int]) -> tuple[Tensor, str]:
    """Without the axes that stretch, and with the diagonal in place of two axes of one letter."""
    stretched = [i for i, c in enumerate(letters) if x.shape[i] == 1 != sizes[c]]
    if stretched:
        x, letters = squeeze(x, stretched), "".join(c for i, c in enumerate(letters) if i not in stretched)
    for c in dict.fromkeys(letters):
        while letters.count(c) > 1:
            first, second = letters.index(c), letters.rindex(c)
            places = backend.xp.arange(sizes[c])
            x = moveaxis(x, (first, second), (0, 1))[places, places]
            letters = c + "".join(d for i, d in enumerate(letters) if i not in (first, second))
    return x, letters


def _sum_lonely(x: Tensor, letters: str, elsewhere: str) -> tuple[Tensor, str]:
    """Summed over the letters that are not needed elsewhere."""
    lonely = tuple(i for i, letter in enumerate(letters) if letter not in elsewhere)
    if not lonely:
        return x, letters
    return x.sum(axis=lonely), "".join(c for c in letters if c in elsewhere)
