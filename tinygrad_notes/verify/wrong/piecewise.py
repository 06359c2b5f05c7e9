"""Mistakes in functions made of pieces."""

from __future__ import annotations

import numpy as np

from ...ops import piecewise
from .entry import Wrong, entry, normal

B = (2, 3)
MASK = np.array([[2.0, 0.0, 2.0], [0.0, 2.0, 2.0]])


def entries() -> list[Wrong]:
    """The mistakes, in the order of the operations."""
    p = piecewise
    x, pair = normal(B), normal(B, B)
    return [
        entry("abs: without the sign", p.Abs, x, {"backward": lambda xp, gy: gy}),
        entry("maximum: both sides the same", p.Maximum, pair,
               {"backward_b": lambda xp, gy, a, b: gy * (a > b)}),
        entry("minimum: the larger side", p.Minimum, pair,
               {"backward_a": lambda xp, gy, a, b: gy * (a > b)}),
        entry("clip: passes everything", p.Clip, normal(B, B, B), {"backward_x": lambda xp, gy: gy}),
        entry("clip: the lower limit also where it is above the upper one", p.Clip, normal(B, B, B),
               {"backward_low": lambda xp, gy, x, low: gy * (x < low)}),
        entry("where: the condition is not inverted", p.Where, pair,
               {"backward_b": lambda xp, gy, *, condition: gy * condition}, condition=MASK > 0),
    ]  # fmt: skip
