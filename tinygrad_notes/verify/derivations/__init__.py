"""Derivations as data: from the chain rule on the plain definition to the shipped rule, and every step runs.

A step is one SymPy expression, from which come its LaTeX, its Unicode and its numbers, with a reason in
English and Chinese. `check` evaluates all of them at random points, `example` works them out on small
numbers, `printer` knows the notation. One file per file of ops, and one each for optimizers and initializers.
Nothing is built before it is asked for.
"""

from ..symbolic import mp as _mp  # noqa: F401  raises ImportError with the name of the extra
from . import (
    activation,
    alignment,
    arithmetic,
    attention,
    bidirectional,
    convolution,
    dropout,
    embedding,
    initializers,
    linear,
    loss,
    lstm,
    normalization,
    optimizers,
    pooling,
    response,
    rnn,
    words,
)
from .derivation import Derivation, Entry

FILES = (
    activation, loss, linear, convolution, pooling, normalization, response, dropout, embedding, arithmetic,
    rnn, lstm, bidirectional, alignment, attention, words, optimizers, initializers,
)  # fmt: skip

DERIVATIONS: tuple[Entry, ...] = tuple(
    value for file in FILES for value in vars(file).values() if isinstance(value, Entry)
)

__all__ = ["DERIVATIONS", "Derivation", "Entry"]
