"""Normalization: to mean 0 and variance 1, or by a power of the sum of squares in neighboring channels.

Of the m numbers that are normalized together (a channel of the batch, or the features of one sample)

    μ = (1/m) Σ xᵢ      v = (1/m) Σ (xᵢ − μ)²      x̂ᵢ = (xᵢ − μ)/σ,  σ = √(v + ε)      yᵢ = γ x̂ᵢ + β

Each x reaches the loss on three paths: through its own x̂, through μ and through v. With gᵢ = γ gyᵢ = ∂L/∂x̂ᵢ

    ∂x̂ᵢ/∂xᵢ = 1/σ      ∂x̂ᵢ/∂μ = −1/σ      ∂x̂ᵢ/∂v = −(xᵢ − μ)/(2σ³) = −x̂ᵢ/(2σ²)
    ∂L/∂μ = −(1/σ) Σ gᵢ                      (∂v/∂μ = −(2/m) Σ (xᵢ − μ) = 0, so v adds nothing here)
    ∂L/∂v = −(1/2σ²) Σ gᵢ x̂ᵢ
    ∂L/∂xⱼ = gⱼ/σ + ∂L/∂μ · 1/m + ∂L/∂v · 2(xⱼ − μ)/m
           = (1/σ) (gⱼ − (1/m) Σ gᵢ − x̂ⱼ (1/m) Σ gᵢ x̂ᵢ)

So the gradient has no part along a constant and none along x̂: a shift or a scale of all x changes no x̂.
∂L/∂γ = Σ gyᵢ x̂ᵢ and ∂L/∂β = Σ gyᵢ. In evaluation μ and v are given, and only the first path is left.
"""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy as np

from ..autograd import Function, Tensor
from .arguments import as_tensor, constant, in_float32, mixed_dtypes, number


class BatchNorm(Function):
    """y = γ x̂ + β,  x̂ = (x − μ)/√(v + ε),  μ = (1/m) Σ x,  v = (1/m) Σ (x − μ)², per channel.

    x (N, C, *); γ, β (C,); m = N · positions. Ioffe & Szegedy 2015. Returns (y, μ, v): the running
    statistics are made from μ and v, which are (1, C, 1, ...). v is the biased variance.
    """

    saves = ("mean", "var")

    def save(xp, x):
        axes = _all_but_channels(x)
        mean = xp.sum(x, axis=axes, keepdims=True)
        m = x.size // mean.size
        mean = mean / m
        return mean, xp.elementwise_sum(_centered_square, axes, x, mean) / m

    def forward(xp, x, mean, var, gamma, beta, *, eps):
        return _normalized(xp, x, mean, var, gamma, beta, eps), mean, var

    def backward(xp, g, x, mean, var, gamma, *, eps):
        gy, g_mean, g_var = g  # the last two are 0 unless somebody differentiates μ or v themselves
        axes, m = _all_but_channels(x), x.size // mean.size
        inv_std = 1 / xp.sqrt(var + eps)
        g_beta = xp.sum(gy, axis=axes, keepdims=True)
        g_gamma = xp.elementwise_sum(_centered_product, axes, x, mean, gy) * inv_std  # Σ gy x̂

        # gx = (γ/σ) (gy − mean(gy) − x̂ mean(gy x̂)), as gy·scale + (x − μ)·slope + shift
        scale = xp.reshape(gamma, mean.shape) * inv_std
        slope = (2 * g_var - scale * inv_std * g_gamma) / m  # ∂v/∂x = 2 (x − μ)/m
        shift = (g_mean - scale * g_beta) / m
        gx = xp.elementwise(_batch_norm_gx, x, mean, slope, shift, gy, scale)
        return gx, xp.reshape(g_gamma, gamma.shape), xp.reshape(g_beta, gamma.shape)


class BatchNormFixed(Function):
    """y = γ (x − μ)/√(v + ε) + β with given μ, v (1, C, 1, ...): evaluation. No term of the batch."""

    def forward(xp, x, gamma, beta, *, mean, var, eps):
        return _normalized(xp, x, mean, var, gamma, beta, eps)

    def backward_x(xp, gy, gamma, *, mean, var, eps):
        return gy * (xp.reshape(gamma, mean.shape) / xp.sqrt(var + eps))

    def backward_gamma(xp, gy, x, *, mean, var, eps):
        total = xp.sum(gy * (x - mean), axis=_all_but_channels(x), keepdims=True)
        return xp.reshape(total / xp.sqrt(var + eps), mean.size)

    def backward_beta(xp, gy):
        return xp.sum(gy, axis=_all_but_channels(gy))


class LayerNorm(Function):
    """y = γ x̂ + β,  x̂ = (x − μ)/√(v + ε) with μ and v over `axes` of each sample.  Ba et al. 2016.

    γ and β vary along `axes` and stretch to x. Group and instance normalization are this rule on
    other axes.
    """

    broadcasts = True
    saves = ("mean", "inv_std")

    def save(xp, x, *, axes, eps):
        mean = xp.mean(x, axis=axes, keepdims=True)
        centered = x - mean
        return mean, 1 / xp.sqrt(xp.mean(centered * centered, axis=axes, keepdims=True) + eps)

    def forward(xp, x, mean, inv_std, gamma, beta):
        y = x - mean
        y *= inv_std
        y *= gamma
        y += beta
        return y

    def backward_x(xp, gy, x, mean, inv_std, gamma, *, axes):
        x_hat = (x - mean) * inv_std
        g = gy * gamma  # ∂L/∂x̂
        along = xp.mean(g * x_hat, axis=axes, keepdims=True)
        return (g - xp.mean(g, axis=axes, keepdims=True) - x_hat * along) * inv_std

    def backward_gamma(xp, gy, x, mean, inv_std):
        return gy * ((x - mean) * inv_std)

    def backward_beta(xp, gy):
        return gy


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


def _normalized(xp, x, mean, var, gamma, beta, eps):
    """γ (x − μ)/√(v + ε) + β, per channel."""
    scale = xp.reshape(gamma, mean.shape) / xp.sqrt(var + eps)
    return xp.elementwise(_scaled, x, mean, scale, xp.reshape(beta, mean.shape))


# Element by element, in place from the first result on: a block of a large array and one intermediate
# stay in the cache.


def _scaled(x, mean, scale, beta):
    """(x − μ)·scale + β."""
    y = x - mean
    y *= scale
    y += beta
    return y


def _centered_square(x, mean):
    """(x − μ)²."""
    centered = x - mean
    return centered * centered


def _centered_product(x, mean, gy):
    """(x − μ)·gy."""
    products = x - mean
    products *= gy
    return products


def _batch_norm_gx(x, mean, slope, shift, gy, scale):
    """(x − μ)·slope + shift + gy·scale."""
    gx = _scaled(x, mean, slope, shift)
    gx += gy * scale
    return gx


def _all_but_channels(x: Any) -> tuple[int, ...]:
    """(0, 2, 3, ...)."""
    return (0, *range(2, x.ndim))


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


def _check_channels(op: str, x: Tensor, **per_channel: Tensor) -> None:
    if x.ndim < 2 or x.dtype.kind != "f":
        raise ValueError(f"{op}: needs real numbers (N, C, ...), got {x.shape} {x.dtype}")
    _check_parameters(op, x, (x.shape[1],), **per_channel)


def _check_parameters(op: str, x: Tensor, shape: tuple[int, ...], **parameters: Any) -> None:
    for name, p in parameters.items():
        if isinstance(p, Tensor) and p.shape != shape:
            raise ValueError(f"{op}: {name} is {p.shape}; for input {x.shape} it must be {shape}")
        if isinstance(p, Tensor) and p.dtype != x.dtype:
            raise mixed_dtypes(op, x, **{name: p})


@in_float32
def batch_norm(x: Any, gamma: Any, beta: Any, eps: float = 1e-5) -> tuple[Tensor, Tensor, Tensor]:
    """x (N, C, *) normalized by its own mean and biased variance: (y, mean, variance), see `BatchNorm`.

    Raises ValueError where a channel has a single number: its variance is 0, its x̂ always 0.
    """
    x, gamma, beta = as_tensor(x), as_tensor(gamma), as_tensor(beta)
    _check_channels("batch_norm", x, gamma=gamma, beta=beta)
    if x.size <= x.shape[1]:
        raise ValueError(
            f"batch_norm: {x.shape} has {x.size // max(x.shape[1], 1)} numbers per channel; training needs "
            "at least 2: use a larger batch, or eval()"
        )
    return BatchNorm.apply(x, gamma, beta, eps=number("batch_norm", "eps", eps))


@in_float32
def batch_norm_fixed(x: Any, mean: Any, var: Any, gamma: Any, beta: Any, eps: float = 1e-5) -> Tensor:
    """x (N, C, *) normalized by a given mean and variance (C,), which get no gradient."""
    x, gamma, beta = as_tensor(x), as_tensor(gamma), as_tensor(beta)
    mean, var = (Tensor._wrap(constant("batch_norm", *v)) for v in (("mean", mean), ("variance", var)))
    _check_channels("batch_norm", x, gamma=gamma, beta=beta, mean=mean, variance=var)
    shape = (1, -1) + (1,) * (x.ndim - 2)
    return BatchNormFixed.apply(
        x, gamma, beta, mean=mean._data.reshape(shape), var=var._data.reshape(shape),
        eps=number("batch_norm", "eps", eps),
    )  # fmt: skip


@in_float32
def layer_norm(
    input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """The last axes, of shape `normalized_shape`, normalized; weight and bias have that shape."""
    x = as_tensor(input)
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or x.shape[-len(shape) :] != shape:
        raise ValueError(f"layer_norm: input {x.shape} does not end in normalized_shape {shape}")
    weight = 1.0 if weight is None else as_tensor(weight)
    bias = 0.0 if bias is None else as_tensor(bias)
    _check_parameters("layer_norm", x, shape, weight=weight, bias=bias)
    axes = tuple(range(x.ndim - len(shape), x.ndim))
    return LayerNorm.apply(x, weight, bias, axes=axes, eps=number("layer_norm", "eps", eps))


@in_float32
def group_norm(
    input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """Each of `num_groups` groups of channels of x (N, C, *) normalized.  Wu & He 2018.

    weight and bias are (C,).
    """
    x = as_tensor(input)
    parameters = {n: as_tensor(p) for n, p in (("weight", weight), ("bias", bias)) if p is not None}
    _check_channels("group_norm", x, **parameters)
    n, c, *rest = x.shape
    if num_groups < 1 or c % num_groups:
        raise ValueError(f"group_norm: num_groups = {num_groups} must divide the {c} channels")
    groups = (num_groups, c // num_groups, *(1 for _ in rest))
    weight, bias = (
        parameters[name].reshape(groups) if name in parameters else 1.0 - (name == "bias")
        for name in ("weight", "bias")
    )
    split = x.reshape((n, num_groups, c // num_groups, *rest))
    axes = tuple(range(2, split.ndim))
    y = LayerNorm.apply(split, weight, bias, axes=axes, eps=number("group_norm", "eps", eps))
    return y.reshape(x.shape)


@in_float32
def instance_norm(input: Any, *, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """Each map of x (N, C, *) normalized by itself: groups of one channel.  Ulyanov et al. 2016.

    weight and bias are (C,) and go by name, as torch has running statistics in their places.
    Raises ValueError where a map has one number: its x̂ is always 0.
    """
    x = as_tensor(input)
    if x.ndim < 3 or math.prod(x.shape[2:]) < 2:
        raise ValueError(f"instance_norm: each map of (N, C, ...) needs at least 2 numbers, got {x.shape}")
    return group_norm(x, x.shape[1], weight, bias, eps)


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
    _check_channels("local_response_norm", x)
    if convention not in ("paper", "torch"):
        raise ValueError(f"local_response_norm: convention is 'paper' or 'torch', got {convention!r}")
    if not isinstance(size, int) or size < 1:
        raise ValueError(f"local_response_norm: size must be a positive integer, got {size!r}")
    alpha, beta, k = (
        number("local_response_norm", name, value)
        for name, value in (("alpha", alpha), ("beta", beta), ("k", k))
    )
    return LocalResponseNorm.apply(
        x, window=(size // 2, (size - 1) // 2), alpha=alpha / size if convention == "torch" else alpha,
        beta=beta, k=k,
    )  # fmt: skip


class RMSNorm(Function):
    """y = γ x̂,  x̂ = x/√(q + ε),  q = (1/n) Σ x² over `axes` of each sample.  Zhang & Sennrich 2019.

    Layer normalization without the mean. With ĝ = gy γ:  gx = (ĝ − x̂ mean(ĝ x̂)) / √(q + ε),  gγ = gy x̂.
    """

    broadcasts = True
    saves = ("inv_rms",)

    def save(xp, x, *, axes, eps):
        return (1 / xp.sqrt(xp.mean(x * x, axis=axes, keepdims=True) + eps),)

    def forward(xp, x, inv_rms, gamma):
        y = x * inv_rms
        y *= gamma
        return y

    def backward_x(xp, gy, x, inv_rms, gamma, *, axes):
        x_hat, g = x * inv_rms, gy * gamma
        along = xp.mean(g * x_hat, axis=axes, keepdims=True)
        return (g - x_hat * along) * inv_rms

    def backward_gamma(xp, gy, x, inv_rms):
        return gy * (x * inv_rms)


@in_float32
def rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Tensor:
    """x/√(mean(x²) + ε) over the last axes, of shape `normalized_shape`, times weight of that shape.

    float16 is computed in float32, as x² may pass 65504. `eps` is by default the distance from 1 to the next
    number of the dtype computed in, as torch's.  Zhang & Sennrich 2019.
    """
    op, x = "rms_norm", as_tensor(input)
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or x.shape[-len(shape) :] != shape or x.dtype.kind != "f":
        raise ValueError(
            f"{op}: input must be real numbers that end in normalized_shape {shape}, got {x.shape} {x.dtype}"
        )
    weight = 1.0 if weight is None else as_tensor(weight)
    _check_parameters(op, x, shape, weight=weight)
    eps = float(np.finfo(x.dtype).eps) if eps is None else number(op, "eps", eps)
    axes = tuple(range(x.ndim - len(shape), x.ndim))
    return RMSNorm.apply(x, weight, axes=axes, eps=eps)
