"""Deliberately wrong backwards: the mistakes that are easily made, each of which every check must catch.

An entry takes a shipped operation and replaces some of its rules by wrong ones; the forward stays. The test:
`gradcheck` and the proof on symbols both pass the shipped operation, and both refuse the wrong one.
"""

from . import (
    activation,
    arithmetic,
    attention,
    embedding,
    images,
    linear,
    loss,
    normalization,
    piecewise,
    recurrent,
    reduction,
    words,
)
from .entry import Wrong, check, normal, spoil

FILES = (
    activation, arithmetic, piecewise, reduction, normalization, linear, loss, images, embedding, recurrent,
    attention, words,
)  # fmt: skip
CATALOGUE: tuple[Wrong, ...] = tuple(e for file in FILES for e in file.entries())

__all__ = ["CATALOGUE", "Wrong", "check", "normal", "spoil"]
