"""The table of operations: every rule with its independent plain definition, its twin in torch, its domain.

One file per file of ops. `gradcheck`, `verify` and the tests read the same rows.
"""

from . import (
    activation,
    arithmetic,
    attention,
    convolution,
    dropout,
    embedding,
    linear,
    loss,
    normalization,
    piecewise,
    pooling,
    recurrent,
    reduction,
    shape,
    words,
)
from .case import Case

FILES = (
    arithmetic, piecewise, reduction, shape, linear, activation, loss, convolution, pooling, normalization,
    dropout, embedding, recurrent, attention, words,
)  # fmt: skip

CASES: tuple[Case, ...] = tuple(row for file in FILES for row in file.CASES)

__all__ = ["CASES", "Case"]
