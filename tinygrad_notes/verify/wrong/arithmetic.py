"""Mistakes in element-wise arithmetic."""

from __future__ import annotations

from ...ops import arithmetic
from .entry import Wrong, entry, normal

B = (2, 3)


def entries() -> list[Wrong]:
    """The mistakes, in the order of the operations."""
    a = arithmetic
    x, pair, positive = normal(B), normal(B, B), normal(B, least=0.5)
    return [
        entry("divide: the minus of b is missing", a.Divide, normal(B, B, least=0.5),
               {"backward_b": lambda xp, gy, y, b: gy * y / b}),
        entry("divide: b instead of b²", a.Divide, normal(B, B, least=0.5),
               {"backward_b": lambda xp, gy, y, b: -gy * y}),
        entry("sqrt: without the 2", a.Sqrt, positive, {"backward": lambda xp, gy, y: gy / y}),
        entry("power: the exponent is not lowered", a.Power, positive,
               {"backward": lambda xp, gy, x, *, exponent: gy * exponent * x**exponent}, exponent=3),
        entry("power of Tensors: without ln a", a.PowerTensor, normal(B, B, least=0.5),
               {"backward_b": lambda xp, gy, y, a: gy * y}),
        entry("log: x instead of 1/x", a.Log, positive, {"backward": lambda xp, gy, x: gy * x}),
        entry("exp: 1 instead of y", a.Exp, x, {"backward": lambda xp, gy: gy}),
        entry("negative: without the minus", a.Negative, x, {"backward": lambda xp, gy: gy}),
        entry("sin: a minus too many", a.Sin, x, {"backward": lambda xp, gy, x: -gy * xp.cos(x)}),
        entry("cos: without the minus", a.Cos, x, {"backward": lambda xp, gy, x: gy * xp.sin(x)}),
        entry("subtract: without the minus of b", a.Subtract, pair, {"backward_b": lambda xp, gy: gy}),
        entry("multiply: its own factor", a.Multiply, pair, {"backward_b": lambda xp, gy, b: gy * b}),
        entry("multiply: the broadcast is not summed", a.Multiply, normal(B, (3,)), {"broadcasts": False}),
        entry("add: the mean of what was broadcast", a.Add, normal(B, (3,)),
               {"backward_b": lambda xp, gy: xp.mean(gy, axis=0)}),
    ]  # fmt: skip
