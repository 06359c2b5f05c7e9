"""The operations, one file per section of the notes. Their functions are the tape reading of `xp`."""

import inspect as _inspect

from ..autograd import tape as _tape
from . import (
    activation,
    arithmetic,
    convolution,
    dropout,
    linear,
    loss,
    pooling,
    reduction,
    shape,
)

FILES = (arithmetic, reduction, shape, linear, activation, loss, convolution, pooling, dropout)

for _file in FILES:
    for _name, _function in vars(_file).items():
        _public = _inspect.isfunction(_function) and _function.__module__ == _file.__name__
        if _public and not _name.startswith("_"):
            setattr(_tape, _name, _function)

