"""Rows of ops/dropout.py."""

from __future__ import annotations

import numpy as np

from ...ops import dropout as ops
from .case import T, case, each, real

MASK = np.array([[0.0, 2.0, 2.0], [2.0, 0.0, 0.0]])  # p = 1/2

CASES = (
    case("dropout", ops.Dropout, lambda x: ops.dropout(x, 0.5, mask=MASK), real((2, 3)),
         lambda x: each(lambda u, m: 2 * u if m else 0, x, MASK),
         lambda x: x * T.tensor(MASK, dtype=x.dtype)),
)  # fmt: skip
