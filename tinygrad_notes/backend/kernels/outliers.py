"""Numbers that stand out of an array: algorithms that multiply them by zero, or by what only adds up to zero,
give NaN or noise to outputs that do not see them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

LEVEL = 800  # times the mean size: a number beyond stands out; the gradients of sparse maps reach 200
PIECES, LENGTH = 16, 1024  # of x, which the mean is taken of
SMALL = 1 << 18  # of an array up to this size all numbers are looked at beforehand


class Level:
    """What stands out of `x`: infinities, NaN, and numbers beyond LEVEL times the mean size."""

    def __init__(self, x: Any) -> None:
        flat = x.ravel(order="K")
        few = flat
        if flat.size > PIECES * LENGTH:
            each = flat.size // PIECES
            few = flat[: PIECES * each].reshape(PIECES, each)[:, :LENGTH]
        with np.errstate(over="ignore"):
            mean = float(np.add.reduce(np.abs(few), None)) / few.size
        # A single large one of few numbers makes their mean, and must stand out all the same.
        self.most = max(16, min(LEVEL, few.size / 20)) * mean
        self.everywhere = False
        self.everywhere = flat.size <= SMALL and self.holds(flat)

    def holds(self, numbers: Any, gain: float = 1.0) -> bool:
        """Whether none stands out of `numbers`, each of several of x, which makes them larger by `gain`."""
        if self.everywhere:
            return True
        most = gain * self.most
        least, largest = np.minimum.reduce(numbers, None), np.maximum.reduce(numbers, None)
        return bool(-most <= least and largest <= most < math.inf)  # False of NaN
