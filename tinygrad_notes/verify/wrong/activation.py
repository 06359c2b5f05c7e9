"""Mistakes in activations and softmax."""

from __future__ import annotations

from ...ops import activation
from .entry import Wrong, entry, normal

B = (2, 3)


def _gelu_tanh(xp, gy, x):
    t = xp.tanh(activation.ROOT_2_OVER_PI * (x + 0.044715 * x * x * x))
    return gy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t))


def entries() -> list[Wrong]:
    """The mistakes, in the order of the operations."""
    a = activation
    x = normal(B)
    return [
        entry("sigmoid: 1 − y² instead of y(1 − y)", a.Sigmoid, x,
               {"backward": lambda xp, gy, y: gy * (1 - y * y)}),
        entry("tanh: 1 − y instead of 1 − y²", a.Tanh, x, {"backward": lambda xp, gy, y: gy * (1 - y)}),
        entry("tanh: 0.1 % too large", a.Tanh, x,
               {"backward": lambda xp, gy, y: 1.001 * gy * (1 - y * y)}),
        entry("relu: passes everything", a.ReLU, x, {"backward": lambda xp, gy: gy}),
        entry("leaky relu: the slope on the positive side", a.LeakyReLU, x,
               {"backward": lambda xp, gy, x, *, slope: gy * (x <= 0) + slope * gy * (x > 0)}, slope=0.25),
        entry("softplus: β twice", a.Softplus, x,
               {"backward": lambda xp, gy, x, *, beta: gy * beta * (0.5 * xp.tanh(0.5 * beta * x) + 0.5)},
               beta=2.0),
        entry("silu: σ alone, without x σ′", a.SiLU, x,
               {"backward": lambda xp, gy, x: gy / (1 + xp.exp(-x))}),
        entry("elu: without α", a.ELU, x,
               {"backward": lambda xp, gy, x, *, alpha: xp.where(x <= 0, gy * xp.exp(x), gy)}, alpha=0.5),
        entry("gelu: Φ alone, without x φ", a.GELU, x,
               {"backward": lambda xp, gy, x: gy * 0.5 * (1 + xp.erf(x * a.INVERSE_ROOT_2))}),
        entry("gelu by tanh: the inner derivative is missing", a.GELUTanh, x, {"backward": _gelu_tanh}),
        entry("erf: without 2/√π", a.Erf, x, {"backward": lambda xp, gy, x: gy * xp.exp(-x * x)}),
        entry("log1p: 1/x", a.Log1p, normal(B, least=0.5), {"backward": lambda xp, gy, x: gy / x}),
        entry("softmax: without −p (p·g)", a.Softmax, x, {"backward": lambda xp, gy, y: gy * y}, axis=1),
        entry("softmax: the diagonal p(1 − p) alone", a.Softmax, x,
               {"backward": lambda xp, gy, y: gy * y * (1 - y)}, axis=1),
        entry("log softmax: without the sum of gy", a.LogSoftmax, x,
               {"backward": lambda xp, gy, y: gy - xp.exp(y) * gy}, axis=1),
    ]  # fmt: skip
