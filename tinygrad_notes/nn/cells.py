"""One step of a recurrent network: cells, and what they share with the layers of nn/recurrent.

Names, arguments, defaults, initialization and state_dict keys are torch.nn's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Tensor
from ..ops import recurrent as ops
from ..ops.arguments import as_tensor, number
from ..ops.shape import expand_dims, squeeze
from . import init
from .layers import _size
from .module import Module
from .parameter import unset

Names = dict[str, Any]
STARTS = ("torch", "orthogonal", "xavier")


class _Weights(Module):
    """What layers and cells share: gates blocks of rows in each weight, and how they start."""

    gates: int
    states: tuple[str, ...] = ("h",)
    hidden_size: int

    def _make(self, suffix: str, inputs: int, width: int, bias: bool, extra: Names) -> None:
        """weight_ih (gates·H, inputs), weight_hh (gates·H, width), biases, and `extra` by name and shape."""
        rows = self.gates * self.hidden_size
        shapes: Names = {"weight_ih": (rows, inputs), "weight_hh": (rows, width)}
        shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)} if bias else {}
        for name, shape in (shapes | extra).items():
            setattr(self, name + suffix, unset(*shape))

    def _weights(self, suffix: str) -> Names:
        """The parameters of one direction as arguments of the operation."""
        names = {"w_ih": "weight_ih", "w_hh": "weight_hh", "b_ih": "bias_ih", "b_hh": "bias_hh",
                 "w_hr": "weight_hr", "peephole": "weight_peephole"}  # fmt: skip
        found = {short: getattr(self, name + suffix, None) for short, name in names.items()}
        return {short: p for short, p in found.items() if p is not None}

    def _start(self, how: str, forget_bias: float | None = None) -> None:
        """Draw all parameters in the order in which they were made: torch's."""
        if how not in STARTS:
            raise ValueError(f"{type(self).__name__}: initialization must be one of {STARTS}, got {how!r}")
        bound = 1 / np.sqrt(self.hidden_size)
        for name, p in self.named_parameters():
            if how == "torch" or (p.ndim == 1 and name.startswith("weight")):
                init.uniform_(p, -bound, bound)
            elif p.ndim == 1:
                init.zeros_(p)
            else:
                fill = init.orthogonal_ if how == "orthogonal" and "_hh" in name else init.xavier_uniform_
                blocks = np.split(np.empty(p.shape, p.dtype), max(1, len(p) // self.hidden_size))
                p.data = np.concatenate([fill(Tensor(block)).numpy() for block in blocks])  # gate by gate
        if forget_bias is not None:
            self._set_forget_bias(number(type(self).__name__, "forget_bias", forget_bias))

    def _set_forget_bias(self, value: float) -> None:
        """The forget gate's two biases are added up, so the one takes `value` and the other 0."""
        biases = [p for name, p in self.named_parameters() if name.startswith("bias")]
        if self.gates != 4 or not biases:
            raise ValueError(f"{type(self).__name__}: forget_bias needs a forget gate and bias=True")
        for i, p in enumerate(biases):
            start = p.numpy().copy()
            start[self.hidden_size : 2 * self.hidden_size] = 0 if i % 2 else value
            p.data = start

    def _run(self, x: Tensor, state: list[Any], weights: Names, **options: Any) -> tuple[Tensor, ...]:
        """(output, *last states) of one direction."""
        raise NotImplementedError

    def _listed(self, state: Any) -> list[Any]:
        """The states h, or h and c, as a list of Tensors; of Nones where there is none."""
        if state is None:
            return [None] * len(self.states)
        listed = [state] if len(self.states) == 1 else state
        if not isinstance(listed, tuple | list) or len(listed) != len(self.states):
            raise TypeError(f"{type(self).__name__}: state must be {' and '.join(self.states)} in a tuple")
        return [as_tensor(s) for s in listed]

    def _told(self, states: list[Any]) -> Any:
        return states[0] if len(self.states) == 1 else tuple(states)


class _Cell(_Weights):
    """One step: cell(input, hx=None) with input (N, C) or (C,); see `LSTMCell`."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, extra: Names | None = None,
        initialization: str = "torch", forget_bias: float | None = None,
    ) -> None:  # fmt: skip
        name = type(self).__name__
        self.input_size = _size(name, "input_size", input_size)
        self.hidden_size = _size(name, "hidden_size", hidden_size)
        self.bias = bool(bias)
        self._make("", input_size, hidden_size, self.bias, extra or {})
        self._start(initialization, forget_bias)

    def forward(self, input: Any, hx: Any = None) -> Any:
        x, name = as_tensor(input), type(self).__name__
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            raise ValueError(
                f"{name}: input must be (N, C) or (C,) with C = input_size = {self.input_size}, got {x.shape}"
            )
        listed, shape = self._listed(hx), (*x.shape[:-1], self.hidden_size)
        for of, s in zip(self.states, listed, strict=True):
            if s is not None and s.shape != shape:
                raise ValueError(f"{name}: state {of} must be {shape} for an input {x.shape}, got {s.shape}")
        single = x.ndim == 1
        if single:
            x, listed = expand_dims(x, 0), [s if s is None else expand_dims(s, 0) for s in listed]
        _, *new = self._run(expand_dims(x, 0), listed, self._weights(""))
        return self._told([squeeze(s, 0) for s in new] if single else new)

    def extra_repr(self) -> str:
        return _settings(self, "bias")


class RNNCell(_Cell):
    """One step of `RNN`: h = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu."""

    gates = 1

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", *,
        initialization: str = "torch",
    ) -> None:  # fmt: skip
        self.nonlinearity = _nonlinearity("RNNCell", nonlinearity)
        super().__init__(input_size, hidden_size, bias, initialization=initialization)

    def _run(self, x: Tensor, state: list[Any], weights: Names, **options: Any) -> tuple[Tensor, ...]:
        return ops.rnn(x, state[0], **weights, nonlinearity=self.nonlinearity, **options)

    def extra_repr(self) -> str:
        return _settings(self, "nonlinearity", before=super().extra_repr())


class GRUCell(_Cell):
    """One step of `GRU`."""

    gates = 3

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, reset_after: bool = True,
        initialization: str = "torch",
    ) -> None:  # fmt: skip
        self.reset_after = bool(reset_after)
        super().__init__(input_size, hidden_size, bias, initialization=initialization)

    def _run(self, x: Tensor, state: list[Any], weights: Names, **options: Any) -> tuple[Tensor, ...]:
        return ops.gru(x, state[0], **weights, reset_after=self.reset_after, **options)

    def extra_repr(self) -> str:
        return _settings(self, "reset_after", before=super().extra_repr())


class LSTMCell(_Cell):
    """One step of `LSTM`: cell(x, (h, c)) → (h, c), each (N, H)."""

    gates = 4
    states = ("h", "c")

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, variant: str | None = None,
        forget_bias: float | None = None, initialization: str = "torch",
    ) -> None:  # fmt: skip
        self.variant, self.gates = variant, _gates_of_variant("LSTMCell", variant)
        extra: Names = {"weight_peephole": (3 * hidden_size,)} if variant == "peephole" else {}
        super().__init__(input_size, hidden_size, bias, extra, initialization, forget_bias)

    def _run(self, x: Tensor, state: list[Any], weights: Names, **options: Any) -> tuple[Tensor, ...]:
        return ops.lstm(x, state[0], state[1], **weights, forget_gate=self.variant != "1997", **options)

    def extra_repr(self) -> str:
        return _settings(self, "variant", before=super().extra_repr())


DEFAULTS: Names = {
    "proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0,
    "bidirectional": False, "nonlinearity": "tanh", "reset_after": True, "variant": None,
}  # fmt: skip


def _settings(module: Any, *names: str, before: str = "") -> str:
    """As torch writes it: the sizes, and what is not the default."""
    text = before or f"{module.input_size}, {module.hidden_size}"
    return text + "".join(f", {n}={getattr(module, n)}" for n in names if getattr(module, n) != DEFAULTS[n])


def _nonlinearity(name: str, value: str) -> str:
    if value not in ("tanh", "relu"):
        raise ValueError(f"{name}: nonlinearity must be 'tanh' or 'relu', got {value!r}")
    return value


def _gates_of_variant(name: str, variant: str | None) -> int:
    if variant not in (None, "1997", "peephole"):
        raise ValueError(f"{name}: variant must be None, '1997' or 'peephole', got {variant!r}")
    return 3 if variant == "1997" else 4
