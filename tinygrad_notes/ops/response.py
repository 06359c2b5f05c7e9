"""Local response normalization: each channel is divided by a power of the squares of its neighbors.

    sᵢ = k + α Σⱼ xⱼ²      yᵢ = xᵢ sᵢ^(−β)      j in the window of i

x_j reaches the loss through its own y and through every sᵢ whose window holds j:

    ∂yᵢ/∂xᵢ at fixed s = sᵢ^(−β)      ∂yᵢ/∂sᵢ = −β xᵢ sᵢ^(−β−1)      ∂sᵢ/∂xⱼ = 2α xⱼ
    ∂L/∂xⱼ = gⱼ sⱼ^(−β) + Σᵢ gᵢ (−β xᵢ sᵢ^(−β−1)) (2α xⱼ)            the i whose window holds j
           = gⱼ sⱼ^(−β) − 2αβ xⱼ Σᵢ (gᵢ sᵢ^(−β)) xᵢ / sᵢ             as the rule computes it

If the window of i goes from i − before to i + after, j lies in it for i from j − after to j + before: the
same sum with the window turned round.
"""

from __future__ import annotations

import functools
import operator
from typing import Any

import numpy as np

from ..autograd import Function, Tensor
from .arguments import as_tensor, check_channels, in_float32, number


class LocalResponseNorm(Function):
    """yᵢ = xᵢ sᵢ^(−β),  sᵢ = k + α Σⱼ xⱼ²,  j from i − before to i + after: `window` = (before, after).

    ∂L/∂xⱼ = gⱼ sⱼ^(−β) − 2αβ xⱼ Σᵢ gᵢ xᵢ sᵢ^(−β−1): the sum runs over the windows i that hold j, from
    j − after to j + before. Krizhevsky et al. 2012. x (N, C, *).
    """

    saves = ("s",)

    def save(xp, x, *, window, alpha, k):
        around = _channels_around(xp, x, window)
        return (xp.elementwise(lambda *xs: _added(x * x for x in xs) * alpha + k, *around),)

    def forward(xp, x, s, *, beta):
        return xp.elementwise(lambda x, s: x / _power(xp, s, beta), x, s)

    def backward(xp, gy, x, s, *, window, alpha, beta):
        g = xp.elementwise(lambda gy, s: gy / _power(xp, s, beta), gy, s)
        terms = xp.elementwise(lambda g, x, s: g * x / s, g, x, s)
        around, scale = _channels_around(xp, terms, window[::-1]), 2 * alpha * beta
        return xp.elementwise(lambda g, x, *terms: g - x * (_added(terms) * scale), g, x, *around)


def _channels_around(xp, x, window):
    """x[:, i − before], ..., x[:, i + after] for all channels i, with zeros where there is none.

    They are to be added: a product with a matrix of ones and zeros is as quick, but makes NaN of 0 · ∞ in
    channels that do not see the ∞. Channels come last in memory.
    """
    before, after = (min(n, x.shape[1] - 1) for n in window)
    padded = xp.pad(xp.moveaxis(x, 1, -1), ((0, 0),) * (x.ndim - 1) + ((before, after),))
    return [xp.moveaxis(padded[..., d : d + x.shape[1]], -1, 1) for d in range(before + after + 1)]


def _added(parts):
    """Σ parts."""
    return functools.reduce(operator.add, parts)


def _power(xp, s, beta: float):
    """sᵝ; for the usual 3/4 by square roots, which are ten times faster than a power."""
    if beta == 0.75:
        root = xp.sqrt(s)
        return root * xp.sqrt(root)
    return s**beta


@in_float32
def local_response_norm(
    input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0,
    convention: str = "torch",
) -> Tensor:  # fmt: skip
    """x (N, C, *) divided by (k + α Σ x²)ᵝ.  Krizhevsky et al. 2012.

    The sum of channel i runs over the `size` channels i − size//2 to i + (size − 1)//2, those there are.
    `convention`: "torch" (and Caffe) divide α by `size`; "paper" takes it as it is. AlexNet, with
    k = 2, size = 5, α = 10⁻⁴, β = 0.75 in the paper's form, is α = 5·10⁻⁴ in torch's.
    """
    x = as_tensor(input)
    check_channels("local_response_norm", x)
    if convention not in ("paper", "torch"):
        raise ValueError(f"local_response_norm: convention is 'paper' or 'torch', got {convention!r}")
    if not isinstance(size, int | np.integer) or size < 1:
        raise ValueError(f"local_response_norm: size must be a positive integer, got {size!r}")
    alpha, beta, k = (
        number("local_response_norm", name, value)
        for name, value in (("alpha", alpha), ("beta", beta), ("k", k))
    )
    return LocalResponseNorm.apply(
        x, window=(size // 2, (size - 1) // 2), alpha=alpha / size if convention == "torch" else alpha,
        beta=beta, k=k,
    )  # fmt: skip
