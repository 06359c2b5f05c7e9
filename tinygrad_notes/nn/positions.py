"""Where a token stands: attention alone does not see the order, so each place has a vector that is added."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Tensor
from ..ops.arguments import as_tensor, check_real
from ..ops.attention import sinusoidal_positions
from ..ops.shape import expand_dims
from . import init
from .layers import Dropout, _size
from .module import Module, Parameter


class _Positions(Module):
    """dropout(x + table[start : start + T]).   x (T, N, d_model), (N, T, d_model) with `batch_first`, or without N.

    `start` is the place of x[0]: in cached generation the number of tokens that came before.

    Raises ValueError where the table is too short or x has other features.
    """

    table: Tensor  # (max_len, d_model)

    def __init__(
        self, d_model: int, dropout: float = 0.1, max_len: int = 5000, batch_first: bool = False
    ) -> None:  # fmt: skip
        self.d_model = _size(type(self).__name__, "d_model", d_model)
        self.max_len = _size(type(self).__name__, "max_len", max_len)
        self.dropout, self.batch_first = Dropout(dropout), batch_first

    def forward(self, x: Any, start: int = 0) -> Tensor:
        name, x = type(self).__name__, as_tensor(x)
        check_real(name, "x", x)
        if x.ndim not in (2, 3) or x.shape[-1] != self.d_model:
            form = "(N, T, d_model)" if self.batch_first else "(T, N, d_model)"
            raise ValueError(f"{name}: x must be {form} or (T, d_model), d_model = {self.d_model}, got {x.shape}")
        between = x.ndim == 3 and not self.batch_first  # N stands between T and d_model
        stop = start + x.shape[-3 if between else -2]
        if not 0 <= start <= stop <= self.max_len:
            raise ValueError(
                f"{name}: places {start} to {stop - 1} are asked for, the table has {self.max_len}: make it with a "
                "larger max_len, or cut the sequence"
            )
        rows = self.table[start:stop]
        if rows.dtype != x.dtype:
            ...
        return self.dropout(x + (expand_dims(rows, 1) if between else rows))


class PositionalEncoding(_Positions):
    """x + P with P[t, 2i] = sin(t / 10000^(2i/d)), P[t, 2i+1] = cos(t / 10000^(2i/d)).  Vaswani et al. 2017, §3.5.

    The table is not trained and not in the state_dict: it is made from `max_len` and `d_model`. See `_Positions`.
    """


class LearnedPositions(_Positions):
    """x + W[t], W the parameter `weight` (max_len, d_model), from N(0, 0.02²).  Gehring et al. 2017; GPT, BERT.

    Its key and shape are those of an Embedding of places. See `_Positions`.
    """
