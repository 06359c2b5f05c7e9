"""Where a token stands: attention alone does not see the order, so each place has a vector that is added."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Tensor
from ..ops.arguments import as_tensor, check_real, integer, mixed_dtypes
from ..ops.attention import sinusoidal_positions
from ..ops.shape import expand_dims
from . import init
from .layers import Dropout, _size
from .module import Module
from .parameter import unset


class _Positions(Module):
    """dropout(x + table[start + t]).   x (T, N, d_model), (N, T, d_model) with `batch_first`, or no N.

    `start` is the place of the first step: in cached generation, how many tokens came before.

    Raises ValueError where the table is too short, or x has other features.
    """

    def __init__(
        self, d_model: int, dropout: float = 0.1, max_len: int = 5000, batch_first: bool = False
    ) -> None:
        self.d_model = _size(type(self).__name__, "d_model", d_model)
        self.max_len = _size(type(self).__name__, "max_len", max_len)
        self.dropout, self.batch_first = Dropout(dropout), batch_first

    def rows(self, places: slice, dtype: Any) -> Tensor:
        """The vectors of some places."""
        raise NotImplementedError

    def forward(self, x: Any, start: int = 0) -> Tensor:
        name, x = type(self).__name__, as_tensor(x)
        check_real(name, "x", x)
        if x.ndim not in (2, 3) or x.shape[-1] != self.d_model:
            form = "(N, T, d_model)" if self.batch_first else "(T, N, d_model)"
            raise ValueError(
                f"{name}: x is {x.shape}; it must be {form} or (T, d_model) with d_model = {self.d_model}"
            )
        start = integer(name, "start", start)
        inner = x.ndim == 3 and not self.batch_first  # N lies between T and d_model
        stop = start + x.shape[0 if inner else -2]
        if not 0 <= start <= stop <= self.max_len:
            raise ValueError(
                f"{name}: the table has {self.max_len} places, and {start} to {stop - 1} are asked for; make "
                "it with a larger max_len, or cut the sequence"
            )
        rows = self.rows(slice(start, stop), x.dtype)
        if rows.dtype != x.dtype:
            raise mixed_dtypes(name, x, weight=rows)
        return self.dropout(x + (expand_dims(rows, 1) if inner else rows))

    def extra_repr(self) -> str:
        return f"{self.d_model}, max_len={self.max_len}, batch_first={self.batch_first}"


class PositionalEncoding(_Positions):
    """x + P,  P[t, 2i] = sin(t / 10000^(2i/d)),  P[t, 2i+1] = cos(t / 10000^(2i/d)).  Vaswani et al. 2017.

    P follows from the arguments: it is not trained and not in the state_dict. An odd d ends with a sine. The
    rest is said at `_Positions`.
    """

    def __init__(
        self, d_model: int, dropout: float = 0.1, max_len: int = 5000, batch_first: bool = False
    ) -> None:
        super().__init__(d_model, dropout, max_len, batch_first)
        self.table = sinusoidal_positions(max_len, d_model, dtype=np.float64)  # exact in every dtype of x

    def rows(self, places: slice, dtype: Any) -> Tensor:
        return self.table[places].astype(dtype)


class LearnedPositions(_Positions):
    """x + W[t], with a vector for each place that is trained like a word's.  Gehring et al. 2017; GPT, BERT.

    `weight` (max_len, d_model) has the key and shape of an Embedding's; drawn from N(0, 0.02²), as GPT's and
    BERT's. The rest is said at `_Positions`.
    """

    def __init__(
        self, d_model: int, dropout: float = 0.1, max_len: int = 5000, batch_first: bool = False
    ) -> None:
        super().__init__(d_model, dropout, max_len, batch_first)
        self.weight = unset(max_len, d_model)
        init.normal_(self.weight, std=0.02)

    def rows(self, places: slice, dtype: Any) -> Tensor:
        return self.weight[places]
