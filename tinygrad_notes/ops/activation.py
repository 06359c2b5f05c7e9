"""Activation functions. All are safe at any input: nothing overflows at ±1e4.

Element by element, ∂L/∂x = gy · f′(x), and where f′ is a function of y alone the graph need not keep x:

    σ = 1/(1 + e⁻ˣ)      σ′ = e⁻ˣ/(1 + e⁻ˣ)² = σ · (1 − σ)           since 1 − σ = e⁻ˣ/(1 + e⁻ˣ)
    tanh = 2σ(2x) − 1    tanh′ = 4σ(2x)(1 − σ(2x)) = 1 − tanh²       since 4s(1 − s) = 1 − (2s − 1)²

Softmax couples the elements of a row. From pᵢ = eˣⁱ/S and S = Σ eˣʲ,

    ∂pᵢ/∂xₖ = [i = k] eˣⁱ/S − eˣⁱ eˣᵏ/S² = pᵢ ([i = k] − pₖ)
    ∂L/∂xₖ = Σᵢ gyᵢ pᵢ ([i = k] − pₖ) = pₖ (gyₖ − Σᵢ gyᵢ pᵢ)

and for its logarithm, yᵢ = xᵢ − ln S, ∂yᵢ/∂xₖ = [i = k] − pₖ gives ∂L/∂xₖ = gyₖ − pₖ Σᵢ gyᵢ.
"""

from __future__ import annotations

import math

from ..autograd import Function, Tensor
from .arguments import as_tensor, in_float32, number, of_reals, one_axis


class Sigmoid(Function):
    """σ(x) = 1 / (1 + e⁻ˣ),  σ′ = σ (1 − σ)."""

    def forward(xp, x):
        return _sigmoid(xp, x)

    def backward(xp, gy, y):
        return gy * y * (1 - y)


def _sigmoid(xp, x):
    """Never overflows. Nor does ½ tanh(x/2) + ½, but that gives 0 for σ(−40) = 4e-18."""
    return xp.exp(xp.minimum(x, 0)) / (1 + xp.exp(-xp.abs(x)))


class Tanh(Function):
    """tanh x = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ),  tanh′ = 1 − tanh²."""

    def forward(xp, x):
        return xp.tanh(x)

    def backward(xp, gy, y):
        return xp.elementwise(lambda gy, y: gy * (1 - y * y), gy, y)


class ReLU(Function):
    """y = max(x, 0);  y′ = 0 for x ≤ 0, else 1: ReLU′(0) = 0 by decision, as the notes say."""

    def forward(xp, x):
        return xp.maximum(x, 0)

    def backward(xp, gy, y):
        return xp.elementwise(lambda gy, y: xp.where(y <= 0, 0, gy), gy, y)


class LeakyReLU(Function):
    """y = x for x > 0, else αx;  y′ = 1 or α, and α at 0 (the notes' 1 would differ from ReLU′(0))."""

    def forward(xp, x, *, slope):
        return xp.maximum(x, 0) + slope * xp.minimum(x, 0)

    def backward(xp, gy, x, *, slope):
        return xp.where(x > 0, gy, slope * gy)


class Softplus(Function):
    """y = ln(1 + eᵝˣ)/β = max(x, 0) + ln(1 + e^(−|βx|))/β;  y′ = σ(βx)."""

    def forward(xp, x, *, beta):
        return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(beta * x))) / beta

    def backward(xp, gy, x, *, beta):
        return gy * _sigmoid(xp, beta * x)


class SiLU(Function):
    """y = x σ(x);  y′ = σ + x σ (1 − σ).  Elfwing et al. 2018; the swish of Ramachandran et al. 2017."""

    def forward(xp, x):
        return x * _sigmoid(xp, x)

    def backward(xp, gy, x):
        s = _sigmoid(xp, x)
        return gy * (s + x * s * (1 - s))


class ELU(Function):
    """y = x for x > 0, else α (eˣ − 1);  y′ = 1 or α eˣ, and α at 0, the left one.  Clevert et al. 2016."""

    def forward(xp, x, *, alpha):
        return xp.maximum(x, 0) + alpha * xp.expm1(xp.minimum(x, 0))

    def backward(xp, gy, x, *, alpha):
        return xp.where(x <= 0, gy * (alpha * xp.exp(xp.minimum(x, 0))), gy)


class GELU(Function):
    """y = x Φ(x), Φ the normal distribution;  y′ = Φ(x) + x φ(x).  Hendrycks & Gimpel 2016."""

    def forward(xp, x):
        return 0.5 * x * (1 + xp.erf(x * INVERSE_ROOT_2))

    def backward(xp, gy, x):
        density = INVERSE_ROOT_2PI * xp.exp(-0.5 * x * x)
        return gy * (0.5 * (1 + xp.erf(x * INVERSE_ROOT_2)) + x * density)


class GELUTanh(Function):
    """y = ½ x (1 + tanh u), u = √(2/π) (x + 0.044715 x³): the paper's approximation of x Φ(x)."""

    def forward(xp, x):
        return 0.5 * x * (1 + xp.tanh(ROOT_2_OVER_PI * (x + 0.044715 * x * x * x)))

    def backward(xp, gy, x):
        t = xp.tanh(ROOT_2_OVER_PI * (x + 0.044715 * x * x * x))
        du = ROOT_2_OVER_PI * (1 + 3 * 0.044715 * x * x)
        return gy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * du)


class Erf(Function):
    """erf x = 2/√π ∫₀ˣ e⁻ᵗ² dt;  erf′ = 2/√π e⁻ˣ²."""

    def forward(xp, x):
        return xp.erf(x)

    def backward(xp, gy, x):
        return gy * (TWO_OVER_ROOT_PI * xp.exp(-x * x))


class Softmax(Function):
    """pᵢ = eˣⁱ / Σⱼ eˣʲ over `axis`;  ∂L/∂x = p ∘ (gy − Σ gy ∘ p)."""

    def forward(xp, x, *, axis):
        e = xp.exp(x - _largest(xp, x, axis))  # the shift cancels, and no eˣ overflows
        return e / xp.sum(e, axis=axis, keepdims=True)

    def backward(xp, gy, y, *, axis):
        return y * (gy - xp.sum(gy * y, axis=axis, keepdims=True))


class LogSoftmax(Function):
    """y = x − ln Σ eˣ over `axis`;  ∂L/∂x = gy − eʸ Σ gy."""

    def forward(xp, x, *, axis):
        return _log_softmax(xp, x, axis)

    def backward(xp, gy, y, *, axis):
        return gy - xp.exp(y) * xp.sum(gy, axis=axis, keepdims=True)


def _largest(xp, x, axis):
    """max x; NaN where that is ±∞, since a line of ∞ − ∞ is NaN, as in torch."""
    m = xp.max(x, axis=axis, keepdims=True)
    return xp.where(xp.isfinite(m), m, math.nan)


def _log_softmax(xp, x, axis):
    """x − m − ln Σ eˣ⁻ᵐ with m = max x: the largest term of the sum is 1."""
    shifted = x - _largest(xp, x, axis)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=axis, keepdims=True))


class Log1p(Function):
    """y = ln(1 + x);  y′ = 1/(1 + x)."""

    def forward(xp, x):
        return xp.log1p(x)

    def backward(xp, gy, x):
        return gy / (1 + x)


INVERSE_ROOT_2 = 1 / math.sqrt(2)
INVERSE_ROOT_2PI = 1 / math.sqrt(2 * math.pi)
ROOT_2_OVER_PI = math.sqrt(2 / math.pi)
TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)


@of_reals
def sigmoid(input) -> Tensor:
    """1 / (1 + e⁻ˣ), in (0, 1)."""
    return Sigmoid.apply(input)


@of_reals
def tanh(input) -> Tensor:
    """Hyperbolic tangent, in (−1, 1)."""
    return Tanh.apply(input)


def relu(input) -> Tensor:
    """max(x, 0)."""
    return ReLU.apply(input)


def leaky_relu(input, negative_slope: float = 0.01) -> Tensor:
    """x where positive, else negative_slope · x."""
    return LeakyReLU.apply(input, slope=number("leaky_relu", "negative_slope", negative_slope))


@of_reals
def softplus(input, beta: float = 1.0) -> Tensor:
    """ln(1 + eᵝˣ)/β, a smooth relu."""
    beta = number("softplus", "beta", beta)
    if not beta > 0:
        raise ValueError(f"softplus: beta must be positive, got {beta}")
    return Softplus.apply(input, beta=beta)


@of_reals
def silu(input) -> Tensor:
    """x σ(x)."""
    return SiLU.apply(input)


@of_reals
def elu(input, alpha: float = 1.0) -> Tensor:
    """x where positive, else alpha (eˣ − 1)."""
    return ELU.apply(input, alpha=number("elu", "alpha", alpha))


@in_float32
def gelu(input, approximate: str = "none") -> Tensor:
    """x Φ(x); `approximate="tanh"` for the paper's cheaper form."""
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
    return (GELU if approximate == "none" else GELUTanh).apply(input)


@of_reals
def erf(x) -> Tensor:
    """The error function."""
    return Erf.apply(x)


@of_reals
def log1p(x) -> Tensor:
    """ln(1 + x), exact for small x."""
    return Log1p.apply(x)


@in_float32
def softmax(input, axis: int = -1) -> Tensor:
    """Positive numbers of sum 1 along `axis`."""
    x = as_tensor(input)
    return Softmax.apply(x, axis=_full_axis("softmax", x.shape, axis))


@in_float32
def log_softmax(input, axis: int = -1) -> Tensor:
    """The logarithm of `softmax`, computed without it: exact where a probability underflows."""
    x = as_tensor(input)
    return LogSoftmax.apply(x, axis=_full_axis("log_softmax", x.shape, axis))


def _full_axis(op: str, shape: tuple[int, ...], axis: int) -> int:
    axis = one_axis(axis, shape, op)
    if shape[axis] == 0:
        raise ValueError(f"{op}: axis {axis} of shape {shape} is empty")
    return axis
