"""The table of operations: every rule with its independent plain definition, its twin in torch, its domain.

One file per file of ops. `gradcheck`, `verify` and the tests read the same rows.
"""

from . import (
    accumulation,
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
    selection,
    shape,
    words,
)
from .case import Case

FILES = (
    arithmetic, piecewise, reduction, accumulation, shape, selection, linear, activation, loss, convolution,
    pooling, normalization, dropout, embedding, recurrent, attention, words,
)  # fmt: skip

CASES: tuple[Case, ...] = tuple(row for file in FILES for row in file.CASES)

__all__ = ["CASES", "Case"]
