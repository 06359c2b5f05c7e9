"""Rows of ops/piecewise.py."""

from __future__ import annotations

import numpy as np

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
    case("where", ops.Where, lambda a, b: ops.where(CONDITION, a, b), real(S, S),
         _where, lambda a, b: T.where(T.tensor(CONDITION), a, b)),
    case("where: broadcast", ops.Where, lambda a, b: ops.where(CONDITION, a, b), real((3,), ()),
         _where, lambda a, b: T.where(T.tensor(CONDITION), a, b)),
    case("where: the condition stretches", ops.Where,
         lambda a, b: ops.where(CONDITION[:, :1], a, b), real((3,), (1,)),
         lambda a, b: each(lambda c, u, v: u if c else v, CONDITION[:, :1], a, b),
         lambda a, b: T.where(T.tensor(CONDITION[:, :1]), a, b)),
)  # fmt: skip
