"""Recurrent layers: directions, stacked layers and states around the operations of ops/recurrent.

Names, arguments, defaults, initialization and state_dict keys are torch.nn's. Samples of different lengths
are padded and come with `lengths`, where torch packs them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..ops.arguments import as_tensor, number
from ..ops.shape import concat, expand_dims, squeeze, stack
from . import functional as F
from .cells import (
    GRUCell,
    LSTMCell,
    Names,
    RNNCell,
    _gates_of_variant,
    _nonlinearity,
    _settings,
    _Weights,
)
from .layers import _size


class _Layer(_Weights):
    """`num_layers` layers, each in one or both directions; see `LSTM`."""

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int, bias: bool, batch_first: bool,
        dropout: float, bidirectional: bool, proj_size: int = 0, extra: Names | None = None,
        initialization: str = "torch", forget_bias: float | None = None,
    ) -> None:  # fmt: skip
        name = type(self).__name__
        self.input_size = _size(name, "input_size", input_size)
        self.hidden_size = _size(name, "hidden_size", hidden_size)
        self.num_layers = _size(name, "num_layers", num_layers)
        self.bias, self.batch_first, self.bidirectional = bool(bias), bool(batch_first), bool(bidirectional)
        self.dropout = number(name, "dropout", dropout)
        self.proj_size = proj_size
        if not 0 <= self.dropout <= 1:
            raise ValueError(f"{name}: dropout is a probability, got {dropout}")
        if self.dropout and num_layers == 1:
            warnings.warn(f"{name}: dropout acts between layers, and there is one", stacklevel=3)
        self._width = proj_size or self.hidden_size
        for layer, suffix in self._directions():
            inputs = self._width * (1 + self.bidirectional) if layer else self.input_size
            self._make(suffix, inputs, self._width, self.bias, extra or {})
        self._start(initialization, forget_bias)

    def _directions(self) -> Iterator[tuple[int, str]]:
        for layer in range(self.num_layers):
            yield from ((layer, f"_l{layer}{end}") for end in ("", "_reverse")[: 1 + self.bidirectional])

    def forward(self, input: Any, hx: Any = None, lengths: Any = None) -> tuple[Tensor, Any]:
        x = as_tensor(input)
        single = x.ndim == 2
        self._check_input(x, single and lengths is not None)
        if single:
            x = expand_dims(x, 1)
        elif self.batch_first:
            x = x.swapaxes(0, 1)
        states = self._first(hx, x.shape[1], single)
        outputs, last = [], []
        for i, (layer, suffix) in enumerate(self._directions()):
            first = [s if s is None else s[i] for s in states]
            back = suffix.endswith("_reverse")
            y, *new = self._run(x, first, self._weights(suffix), lengths=lengths, reverse=back)
            outputs.append(y)
            last.append(new)
            if len(outputs) == 1 + self.bidirectional:
                x = outputs[0] if len(outputs) == 1 else concat(outputs, axis=2)
                outputs = []
                if layer < self.num_layers - 1:
                    x = F.dropout(x, self.dropout, self.training)
        final = [stack(parts) for parts in zip(*last, strict=True)]
        if single:
            return squeeze(x, 1), self._told([squeeze(s, 1) for s in final])
        return x.swapaxes(0, 1) if self.batch_first else x, self._told(final)

    def _check_input(self, x: Tensor, one_with_lengths: bool) -> None:
        order = "(N, T, C)" if self.batch_first else "(T, N, C)"
        name = type(self).__name__
        if x.ndim not in (2, 3) or x.shape[-1] != self.input_size:
            raise ValueError(
                f"{name}: input must be {order}, or (T, C) for one sample, with C = input_size = "
                f"{self.input_size}; got {x.shape}"
            )
        if one_with_lengths:
            raise ValueError(
                f"{name}: lengths are those of a batch {order}; cut a single sample to its length"
            )

    def _first(self, state: Any, samples: int, single: bool) -> list[Any]:
        """Every state as (layers · directions, N, ·), checked."""
        listed = self._listed(state)
        count = self.num_layers * (1 + self.bidirectional)
        for i, (name, s) in enumerate(zip(self.states, listed, strict=True)):
            if s is None:
                continue
            width = self._width if name == "h" else self.hidden_size
            shape = (count, width) if single else (count, samples, width)
            if s.shape != shape:
                raise ValueError(
                    f"{type(self).__name__}: state {name} must be (layers · directions, "
                    f"{'' if single else 'N, '}size) = {shape}, got {s.shape}"
                )
            listed[i] = expand_dims(s, 1) if single else s
        return listed

    def extra_repr(self) -> str:
        return _settings(self, "proj_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional")


class RNN(_Layer):
    """hₜ = tanh(W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh), or relu.  Elman 1990.  Shapes and options as `LSTM`'s."""

    gates = 1

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh",
        bias: bool = True, batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, *,
        initialization: str = "torch",
    ) -> None:  # fmt: skip
        self.nonlinearity = _nonlinearity("RNN", nonlinearity)
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
                         initialization=initialization)  # fmt: skip

    _run = RNNCell._run

    def extra_repr(self) -> str:
        return _settings(self, "nonlinearity", before=super().extra_repr())


class GRU(_Layer):
    """The gated recurrent unit, Cho et al. 2014; see `ops.rnn.GRU`, and `LSTM` for shapes and options.

    `reset_after=False` resets h before it is multiplied, as in the paper; torch only knows the other.
    """

    gates = 3

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, *,
        reset_after: bool = True, initialization: str = "torch",
    ) -> None:  # fmt: skip
        self.reset_after = bool(reset_after)
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
                         initialization=initialization)  # fmt: skip

    _run = GRUCell._run

    def extra_repr(self) -> str:
        return _settings(self, "reset_after", before=super().extra_repr())


class LSTM(_Layer):
    """Long short-term memory; see `ops.lstm`. layer(input, hx=None, lengths=None) → output, (h, c).

    x (T, N, C), (N, T, C) with `batch_first`, or (T, C); output likewise, both directions next to each other.
    h and c (layers · directions, N, H) are the states after each sample's last step, of the reverse direction
    after t = 0; as `state` they let the next call continue there. `lengths` (N,): see `ops.recurrent.rnn`.
    `proj_size` projects h; `variant` "1997" has no forget gate, "peephole" lets gates see c; `forget_bias` is
    what the sum of the forget gate's two biases starts from (Jozefowicz et al. 2015: 1). `initialization`:
    "torch" U(±1/√H); "orthogonal" or "xavier" blocks of W_hh, with Xavier's W_ih and biases of 0.
    """

    gates = 4
    states = ("h", "c")

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0, *,
        variant: str | None = None, forget_bias: float | None = None, initialization: str = "torch",
    ) -> None:  # fmt: skip
        if not isinstance(proj_size, int | np.integer) or not 0 <= proj_size < hidden_size:
            raise ValueError(
                f"LSTM: proj_size must be below hidden_size = {hidden_size}, 0 for none; got {proj_size}"
            )
        if proj_size and variant:
            raise ValueError(f"LSTM: proj_size and variant={variant!r} do not go together")
        self.variant, self.gates = variant, _gates_of_variant("LSTM", variant)
        extra: Names = {"weight_hr": (proj_size, hidden_size)} if proj_size else {}
        extra |= {"weight_peephole": (3 * hidden_size,)} if variant == "peephole" else {}
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
                         int(proj_size), extra, initialization, forget_bias)  # fmt: skip

    _run = LSTMCell._run

    def extra_repr(self) -> str:
        return _settings(self, "variant", before=super().extra_repr())
