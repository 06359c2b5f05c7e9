"""Rows of ops/arithmetic.py."""

from __future__ import annotations

import math

import numpy as np

from ...ops import arithmetic as ops
from ...ops.piecewise import sign
from .case import T, case, each, positive, real

S = (2, 3)


def _sign(v: float) -> float:
    return float(v > 0) - float(v < 0)


CASES = (
    case("add", ops.Add, ops.add, real(S, S), lambda a, b: each(lambda u, v: u + v, a, b),
         lambda a, b: a + b),
    case("add: a row to each row", ops.Add, ops.add, real(S, (3,)),
         lambda a, b: each(lambda u, v: u + v, a, b), lambda a, b: a + b),
    case("add: both stretched", ops.Add, ops.add, real((2, 1), (1, 3)),
         lambda a, b: each(lambda u, v: u + v, a, b), lambda a, b: a + b),
    case("add: 0-d and a number", ops.Add, lambda x: 1.5 + x, real(()),
         lambda x: each(lambda u: 1.5 + u, x), lambda x: 1.5 + x),
    case("subtract", ops.Subtract, ops.subtract, real(S, S),
         lambda a, b: each(lambda u, v: u - v, a, b), lambda a, b: a - b),
    case("subtract: a column from a cube", ops.Subtract, ops.subtract, real((2, 2, 3), (2, 1)),
         lambda a, b: each(lambda u, v: u - v, a, b), lambda a, b: a - b),
    case("subtract: a number less x", ops.Subtract, lambda x: 2 - x, real(S),
         lambda x: each(lambda u: 2 - u, x), lambda x: 2 - x),
    case("multiply", ops.Multiply, ops.multiply, real(S, S),
         lambda a, b: each(lambda u, v: u * v, a, b), lambda a, b: a * b),
    case("multiply: both stretched", ops.Multiply, ops.multiply, real((2, 1, 3), (2, 1)),
         lambda a, b: each(lambda u, v: u * v, a, b), lambda a, b: a * b),
    case("multiply: one Tensor twice", ops.Multiply, lambda x: x * x, real(S),
         lambda x: each(lambda u: u * u, x), lambda x: x * x),
    case("divide", ops.Divide, ops.divide, positive(S, S),
         lambda a, b: each(lambda u, v: u / v, a, b), lambda a, b: a / b),
    case("divide: a cube by a row", ops.Divide, ops.divide, positive((2, 2, 3), (3,)),
         lambda a, b: each(lambda u, v: u / v, a, b), lambda a, b: a / b),
    case("divide: a number by x", ops.Divide, lambda x: 3 / x, positive(S),
         lambda x: each(lambda u: 3 / u, x), lambda x: 3 / x),
    case("negative", ops.Negative, ops.negative, real(S), lambda x: each(lambda u: -u, x),
         lambda x: -x),
    *(case(f"power: exponent {p}", ops.Power, lambda x, p=p: ops.power(x, p), positive(S),
           lambda x, p=p: each(lambda u: math.pow(u, p), x), lambda x, p=p: x**p)
      for p in (0, 1, 2, 3, -1, 0.5, -1.5)),
    case("power: negative base", ops.Power, lambda x: x**3, real(S),
         lambda x: each(lambda u: u * u * u, x), lambda x: x**3),
    case("power of two Tensors", ops.PowerTensor, ops.power, positive(S, S),
         lambda a, b: each(math.pow, a, b), lambda a, b: a**b),
    case("power: Tensor exponents broadcast", ops.PowerTensor, ops.power, positive((2, 1), (3,)),
         lambda a, b: each(math.pow, a, b), lambda a, b: a**b),
    case("power: base a number", ops.PowerTensor, lambda x: 2.5**x, real(S),
         lambda x: each(lambda u: math.pow(2.5, u), x), lambda x: 2.5**x),
    case("square", ops.Power, ops.square, real(S), lambda x: each(lambda u: u * u, x), lambda x: x.square()),
    case("exp", ops.Exp, ops.exp, real(S), lambda x: each(math.exp, x), lambda x: x.exp()),
    case("log", ops.Log, ops.log, positive(S), lambda x: each(math.log, x), lambda x: x.log()),
    case("sqrt", ops.Sqrt, ops.sqrt, positive(S), lambda x: each(math.sqrt, x), lambda x: x.sqrt()),
    case("sin", ops.Sin, ops.sin, real(S), lambda x: each(math.sin, x), lambda x: x.sin()),
    case("cos", ops.Cos, ops.cos, real(S), lambda x: each(math.cos, x), lambda x: x.cos()),
    case("astype", ops.Astype, lambda x: ops.astype(x, np.float64), real(S), lambda x: x + 0,
         lambda x: x.to(T.float64), proof=False),
    case("sign and comparison: constants", ops.Multiply,
         lambda x: x * (x > 0) + sign(x) * (x != 0), real(S),
         lambda x: each(lambda u: (u if u > 0 else 0) + _sign(u), x),
         lambda x: x * (x > 0) + x.sign()),
)  # fmt: skip
