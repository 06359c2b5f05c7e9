"""Rows of ops/piecewise.py."""

from __future__ import annotations

import math

import numpy as np

from ...ops import arithmetic
from ...ops import piecewise as ops
from .case import T, case, each, real

S = (2, 3)
CONDITION = np.array([[True, False, True], [False, False, True]])


def _where(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return each(lambda c, u, v: u if c else v, CONDITION, a, b)


CASES = (
    case("abs", ops.Abs, ops.abs, real(S), lambda x: each(lambda u: u if u > 0 else -u, x),
         lambda x: x.abs()),
    case("maximum", ops.Maximum, ops.maximum, real(S, S),
         lambda a, b: each(lambda u, v: u if u > v else v, a, b), T.later("maximum")),
    case("maximum: broadcast", ops.Maximum, ops.maximum, real(S, (2, 1)),
         lambda a, b: each(lambda u, v: u if u > v else v, a, b), T.later("maximum")),
    case("maximum: a number", ops.Maximum, lambda x: ops.maximum(x, 0.0), real(S),
         lambda x: each(lambda u: u if u > 0 else 0, x), lambda x: x.clamp(min=0.0)),
    case("minimum", ops.Minimum, ops.minimum, real(S, S),
         lambda a, b: each(lambda u, v: u if u < v else v, a, b), T.later("minimum")),
    case("minimum: broadcast", ops.Minimum, ops.minimum, real((3,), (2, 1)),
         lambda a, b: each(lambda u, v: u if u < v else v, a, b), T.later("minimum")),
    case("clip", ops.Clip, lambda x: ops.clip(x, -1, 1), real(S),
         lambda x: each(lambda u: -1 if u < -1 else 1 if u > 1 else u, x), lambda x: x.clamp(-1, 1)),
    case("clip: below only", ops.Clip, lambda x: ops.clip(x, a_min=0), real(S),
         lambda x: each(lambda u: max(u, 0), x), lambda x: x.clamp(min=0)),
    case("clip: limits that stretch", ops.Clip, ops.clip, real(S, (3,), (2, 1)),
         lambda x, a, b: each(lambda u, v, w: min(max(u, v), w), x, a, b),
         lambda x, a, b: T.minimum(T.maximum(x, a), b)),
    case("clip: a limit below", ops.Clip, lambda x, a: ops.clip(x, a, 1.5), real(S, S),
         lambda x, a: each(lambda u, v: min(max(u, v), 1.5), x, a),
         lambda x, a: T.maximum(x, a).clamp(max=1.5)),
    case("clip: a limit above", ops.Clip, lambda x, b: ops.clip(x, a_max=b), real((2, 1), S),
         lambda x, b: each(min, x, b), lambda x, b: x.clamp(max=b)),
    case("floor, ceil, round and isnan: constants", arithmetic.Multiply,
         lambda x: x * (ops.floor(x) + 2 * ops.ceil(x)) + ops.round(x, 1) + ops.isnan(x), real(S),
         lambda x: each(lambda u: u * (math.floor(u) + 2 * math.ceil(u)) + round(u, 1), x),
         lambda x: x * (x.floor() + 2 * x.ceil()) + x.round(decimals=1)),
    case("where", ops.Where, lambda a, b: ops.where(CONDITION, a, b), real(S, S),
         _where, lambda a, b: T.where(T.tensor(CONDITION), a, b)),
    case("where: broadcast", ops.Where, lambda a, b: ops.where(CONDITION, a, b), real((3,), ()),
         _where, lambda a, b: T.where(T.tensor(CONDITION), a, b)),
    case("where: the condition stretches", ops.Where,
         lambda a, b: ops.where(CONDITION[:, :1], a, b), real((3,), (1,)),
         lambda a, b: each(lambda c, u, v: u if c else v, CONDITION[:, :1], a, b),
         lambda a, b: T.where(T.tensor(CONDITION[:, :1]), a, b)),
)  # fmt: skip
