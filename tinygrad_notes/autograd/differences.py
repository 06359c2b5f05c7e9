"""Derivatives by differences: of a function of one number, with steps that are swept until they agree.

    D(h) = (f(h) − f(−h)) / 2h = f′(0) + a h² + b h⁴ + …

Each step is a quarter of the one before, so Richardson's extrapolation removes one power of h² after
another; of all estimates the one is taken on which neighbors agree best (Ridders 1982), as far as rounding
lets them: it adds about ε |f| / h.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

Values = Sequence[np.ndarray]

STEPS = tuple(0.0625 / 4**k for k in range(9))  # 6e-2 … 1e-6
EPS = float(np.finfo(np.float64).eps)


class Derivative(NamedTuple):
    """f′(0), how far neighboring estimates differ, and the size of rounding in it."""

    value: float
    spread: float
    rounding: float


def dot(weights: Values, values: Values) -> float:
    """Σ w·y over several arrays."""
    return float(sum(np.sum(w * y) for w, y in zip(weights, values, strict=True)))


def largest(errors: Iterable[Any]) -> Any:
    """The largest of `errors`, 0 where there are none; ∞ if one of them is NaN, which `max` may pass over."""
    return max((e if e == e else math.inf for e in errors), default=0.0)


def central(f: Callable[[float], Values], weights: Values, good: float) -> Derivative:
    """d/dt Σ w·f(t) at t = 0; stops when neighbors agree to `good`.

    The outputs are subtracted element by element before they are summed: what does not change with t
    adds no rounding. Steps at which f is not finite (outside its domain) are passed over.
    """
    best = Derivative(math.nan, math.inf, math.inf)
    row: list[float] = []
    for h in STEPS:
        above, below = f(h), f(-h)
        estimate = dot(weights, [a - b for a, b in zip(above, below, strict=True)]) / (2 * h)
        if not math.isfinite(estimate):
            row = []
            continue
        size = sum(float(np.sum(np.abs(w * a))) for w, a in zip(weights, above, strict=True))
        rounding = EPS * size / h
        before, row = row, [estimate]
        for j, earlier in enumerate(before):
            extrapolated = row[j] + (row[j] - earlier) / (16.0 ** (j + 1) - 1)
            spread = max(abs(extrapolated - row[j]), abs(extrapolated - earlier))
            row.append(extrapolated)
            if max(spread, rounding) < max(best.spread, best.rounding):
                best = Derivative(extrapolated, spread, rounding)
        if best.spread <= max(good, rounding):
            break
    return best


def is_kink(f: Callable[[float], Values], weights: Values, scale: float) -> str | None:
    """What is wrong with f at 0 if it has no derivative there: "kink", "jump", or None.

    The gap between the derivatives from the right and from the left is h f″ where f is smooth, stays
    where it has a kink, and grows like 1/h where it jumps.
    """
    middle = f(0.0)
    gaps = []
    for h in (2.0**-10, 2.0**-16):
        second = [a - 2 * m + b for a, m, b in zip(f(h), middle, f(-h), strict=True)]
        lone = [np.abs(a - b) for a, b in zip(f(h), f(-h), strict=True)]
        gaps.append((abs(dot(weights, second)) / h, dot([np.abs(w) for w in weights], lone) / h))
    (gap, change), (finer, finer_change) = gaps
    if finer_change > 16 * max(change, scale):
        return "jump"
    return "kink" if finer > 0.5 * gap and finer > 1e-4 * scale else None
