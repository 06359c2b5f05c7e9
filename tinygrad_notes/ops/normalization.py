"""Normalization to mean 0 and variance 1, and by the root mean square.

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

import math
from typing import Any

import numpy as np

from ..autograd import Function, Tensor, tape
from ..backend.kernels import plain
from .arguments import as_shape, as_tensor, check_channels, check_parameters, constant, in_float32, number


class BatchNorm(Function):
    """y = γ x̂ + β,  x̂ = (x − μ)/√(v + ε),  μ = (1/m) Σ x,  v = (1/m) Σ (x − μ)², per channel.

    x (N, C, *); γ, β (C,); m = N · positions. Ioffe & Szegedy 2015. Returns (y, μ, v): the running
    statistics are made from μ and v, which are (1, C, 1, ...). v is the biased variance.
    """

    saves = ("mean", "var")

    def save(xp, x):
        axes = _all_but_channels(x)
        mean = xp.mean(x, axis=axes, keepdims=True)
        square = xp.elementwise_sum(lambda x, mean: (x - mean) ** 2, axes, x, mean)
        return mean, square / (x.size // mean.size)

    def forward(xp, x, mean, var, gamma, beta, *, eps):
        return xp.normalize(x, mean, xp.sqrt(var + eps), gamma, beta), mean, var

    def backward(xp, g, x, mean, var, gamma, *, eps):
        gy, g_mean, g_var = g  # the last two are 0 unless somebody differentiates μ or v themselves
        axes, m = _all_but_channels(x), x.size // mean.size
        std, gamma = xp.sqrt(var + eps), xp.reshape(gamma, mean.shape)
        g_beta = xp.sum(gy, axis=axes, keepdims=True)
        g_gamma = xp.elementwise_sum(lambda x, mean, gy: (x - mean) * gy, axes, x, mean, gy) / std  # Σ gy x̂
        # (1/m) Σ g and (1/m) Σ g x̂ for g = γ gy, less what comes by μ and v: ∂μ/∂x = 1/m, ∂v/∂x = 2 σ x̂/m
        along_one = (gamma * g_beta - std * g_mean) / m
        along_x_hat = (gamma * g_gamma - 2 * std * std * g_var) / m
        gx = xp.normalize_grad(gy, x, mean, std, gamma, along_one, along_x_hat)
        return gx, xp.reshape(g_gamma, gamma.size), xp.reshape(g_beta, gamma.size)


class BatchNormFixed(Function):
    """y = γ (x − μ)/√(v + ε) + β with given μ, v (1, C, 1, ...): evaluation. No term of the batch."""

    def forward(xp, x, gamma, beta, *, mean, var, eps):
        return xp.normalize(x, mean, xp.sqrt(var + eps), gamma, beta)

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


def _all_but_channels(x: Any) -> tuple[int, ...]:
    """(0, 2, 3, ...)."""
    return (0, *range(2, x.ndim))


def normalize(x, mean, std, gamma, beta) -> Tensor:
    """γ (x − μ)/σ + β; see `plain.normalize`."""
    return plain.normalize(tape, x, mean, std, gamma, beta)


def normalize_grad(gy, x, mean, std, gamma, along_one, along_x_hat) -> Tensor:
    """(γ gy − a − x̂ b)/σ; see `plain.normalize_grad`."""
    return plain.normalize_grad(tape, gy, x, mean, std, gamma, along_one, along_x_hat)


@in_float32
def batch_norm(x: Any, gamma: Any, beta: Any, eps: float = 1e-5) -> tuple[Tensor, Tensor, Tensor]:
    """x (N, C, *) normalized by its own mean and biased variance: (y, mean, variance), see `BatchNorm`.

    Raises ValueError where a channel has a single number: its variance is 0, its x̂ always 0.
    """
    x, gamma, beta = as_tensor(x), as_tensor(gamma), as_tensor(beta)
    check_channels("batch_norm", x, gamma=gamma, beta=beta)
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
    check_channels("batch_norm", x, gamma=gamma, beta=beta, mean=mean, variance=var)
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
    shape = as_shape(normalized_shape)
    if not shape or x.shape[-len(shape) :] != shape:
        raise ValueError(f"layer_norm: input {x.shape} does not end in normalized_shape {shape}")
    weight = 1.0 if weight is None else as_tensor(weight)
    bias = 0.0 if bias is None else as_tensor(bias)
    check_parameters("layer_norm", x, shape, weight=weight, bias=bias)
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
    check_channels("group_norm", x, **parameters)
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
def rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Tensor:
    """x/√(mean(x²) + ε) over the last axes, of shape `normalized_shape`, times weight of that shape.

    float16 is computed in float32, as x² may pass 65504. `eps` is by default the distance from 1 to the next
    number of the dtype computed in, as torch's.  Zhang & Sennrich 2019.
    """
    op, x = "rms_norm", as_tensor(input)
    shape = as_shape(normalized_shape)
    if not shape or x.shape[-len(shape) :] != shape or x.dtype.kind != "f":
        raise ValueError(
            f"{op}: input must be real numbers that end in normalized_shape {shape}, got {x.shape} {x.dtype}"
        )
    weight = 1.0 if weight is None else as_tensor(weight)
    check_parameters(op, x, shape, weight=weight)
    eps = float(np.finfo(x.dtype).eps) if eps is None else number(op, "eps", eps)
    axes = tuple(range(x.ndim - len(shape), x.ndim))
    return RMSNorm.apply(x, weight, axes=axes, eps=eps)
