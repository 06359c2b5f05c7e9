"""The operations, one file per section of the notes. Their functions are the tape reading of `xp`."""

import inspect as _inspect

from ..autograd import Tensor as _Tensor
from ..autograd import fill_tape as _fill_tape
from . import (
    accumulation,
    activation,
    alignment,
    arithmetic,
    attention,
    comparison,
    convolution,
    creation,
    dropout,
    embedding,
    linear,
    loss,
    lstm,
    normalization,
    piecewise,
    pooling,
    recurrent,
    reduction,
    response,
    rnn,
    selection,
    sequence,
    shape,
    words,
)

FILES = (
    creation, arithmetic, piecewise, comparison, reduction, accumulation, shape, selection, linear,
    activation, loss, convolution, pooling, normalization, response, dropout, embedding, rnn, lstm,
    recurrent, alignment, attention, sequence, words,
)  # fmt: skip

_fill_tape(
    {
        name: function
        for file in FILES
        for name, function in vars(file).items()
        if _inspect.isfunction(function) and function.__module__ == file.__name__ and not name.startswith("_")
    },
    _Tensor,
)
