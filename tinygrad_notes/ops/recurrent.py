"""Recurrent networks over whole sequences (T, N, C): what the layers call, and `scan` on Tensors."""

from __future__ import annotations

from typing import Any

from .. import backend
from ..autograd import Tensor, tape
from ..backend.kernels import plain
from . import lstm as long
from . import rnn as simple
from .arguments import as_tensor, check_real, mixed_dtypes
from .linear import linear
from .piecewise import where
from .sequence import _read_lengths, length_mask
from .shape import split, squeeze


def scan(step, sequences, states, constants, mask, reverse) -> tuple[Tensor, ...]:
    """A recurrence over time, on Tensors; see `plain.scan`."""
    # Cut once: the gradient of s[t], an array of zeros as long as s, would cost T² numbers in all.
    sequences = [[squeeze(part, 0) for part in split(s, s.shape[0])] for s in sequences]
    return plain.scan(tape, step, sequences, states, constants, mask, reverse)


def rnn(
    input: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None, *,
    nonlinearity: str = "tanh", lengths: Any = None, reverse: bool = False,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """hₜ = tanh(W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh), or max(·, 0) with `nonlinearity="relu"`.

    input (T, N, C); h0 (N, H) or None, zeros; w_ih (H, C), w_hh (H, H), biases (H,). Returns the output
    (T, N, H) and the last h (N, H). With `lengths` (N,), 1 to T in any order, there are no steps at padding:
    outputs are 0, h is of each sample's last step, and nothing of the padding reaches a value or a gradient.
    `reverse` goes from each sample's own end to t = 0. Nobody waits for a GPU: of lengths that are on it, one
    above T counts as T, one below 1 as no step, after which h is h0.

    Raises ValueError if the shapes do not fit, TypeError unless all numbers have one real dtype.
    """
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"rnn: nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")
    call = _Call("rnn", input, lengths, 1, w_ih=w_ih, w_hh=w_hh, b_ih=b_ih, b_hh=b_hh)
    h0 = call.state("h0", h0, call.hidden)
    a = call.share_of_input(call.bias(b_ih, b_hh))
    return simple.RNN.apply(
        a, call.w_hh, h0, nonlinearity=nonlinearity, mask=call.mask, reverse=bool(reverse)
    )


def gru(
    input: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None, *,
    reset_after: bool = True, lengths: Any = None, reverse: bool = False,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The gated recurrent unit: hₜ = (1 − z) n + z hₜ₋₁. Returns output (T, N, H) and h (N, H).

    w_ih (3H, C), w_hh (3H, H), biases (3H,), in the order r, z, n. The reset acts on W hₜ₋₁ + b_hh, as in
    PyTorch, or with `reset_after=False` on hₜ₋₁, as in the paper. The rest as `rnn`.
    """
    call = _Call("gru", input, lengths, 3, w_ih=w_ih, w_hh=w_hh, b_ih=b_ih, b_hh=b_hh)
    h0 = call.state("h0", h0, call.hidden)
    options = {"mask": call.mask, "reverse": bool(reverse)}
    if not reset_after:
        a = call.share_of_input(call.bias(b_ih, b_hh))
        return simple.GRUResetBefore.apply(a, call.w_hh, h0, **options)
    b_hh = call.zeros(call.w_hh.shape[:1]) if b_hh is None else as_tensor(b_hh)
    return simple.GRU.apply(call.share_of_input(call.bias(b_ih, None)), call.w_hh, b_hh, h0, **options)


def lstm(
    input: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None, *,
    w_hr: Any = None, peephole: Any = None, forget_gate: bool = True, lengths: Any = None,
    reverse: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Long short-term memory. Returns output (T, N, H), h (N, H) and c (N, H).

    w_ih (4H, C), w_hh (4H, H), biases (4H,), in the order i, f, g, o. Variants: `w_hr` (P, H) projects the
    output to P numbers, and then w_hh is (4H, P); `peephole` (3H,) lets i, f, o see c; without `forget_gate`
    it is the cell of 1997, 3H for 4H. The rest as `rnn`.
    """
    if (w_hr is not None) + (peephole is not None) + (not forget_gate) > 1:
        raise ValueError("lstm: w_hr, peephole and forget_gate=False are variants of their own; choose one")
    call = _Call("lstm", input, lengths, 4 if forget_gate else 3, w_ih=w_ih, w_hh=w_hh, b_ih=b_ih, b_hh=b_hh,
                 w_hr=w_hr, peephole=peephole)  # fmt: skip
    h0, c0 = call.state("h0", h0, call.width), call.state("c0", c0, call.hidden)
    a = call.share_of_input(call.bias(b_ih, b_hh))
    options = {"mask": call.mask, "reverse": bool(reverse)}
    if w_hr is not None:
        return long.LSTMProjected.apply(a, call.w_hh, w_hr, h0, c0, **options)
    if peephole is not None:
        return long.LSTMPeephole.apply(a, call.w_hh, peephole, h0, c0, **options)
    return (long.LSTM if forget_gate else long.LSTM1997).apply(a, call.w_hh, h0, c0, **options)


class _Call:
    """The arguments that `rnn`, `gru` and `lstm` share, checked: `gates` blocks of H rows in the weights.

    `hidden` is H, `width` the length of an output: P where there is a projection, else H.
    """

    def __init__(self, op: str, x: Any, lengths: Any, gates: int, **parameters: Any) -> None:
        self.op, self.x = op, as_tensor(x)
        given = {name: as_tensor(p) for name, p in parameters.items() if p is not None}
        self.w_ih, self.w_hh = given["w_ih"], given["w_hh"]
        self._check_input()
        rows = self.w_hh.shape[0] if self.w_hh.ndim == 2 else 0
        self.hidden = rows // gates
        projection = given.get("w_hr")
        self.width = self.hidden if projection is None else projection.shape[0]
        expected = {
            "w_ih": (rows, self.x.shape[2]), "w_hh": (gates * self.hidden, self.width), "b_ih": (rows,),
            "b_hh": (rows,), "w_hr": (self.width, self.hidden), "peephole": (3 * self.hidden,),
        }  # fmt: skip
        self._check(given, expected)
        self.mask = None
        if lengths is not None:
            counts = _read_lengths(op, lengths, self.x.shape[1], self.x.shape[0], least=1)
            self.mask = length_mask(counts, self.x.shape[0])._data
            self.x = where(self.mask[:, :, None], self.x, 0)  # a NaN there would reach w_ih as 0 · NaN

    def _check_input(self) -> None:
        if self.x.ndim != 3 or self.x.shape[0] == 0:
            raise ValueError(
                f"{self.op}: input must be (T, N, C) with at least one time, got {self.x.shape}; "
                "add a batch axis with x[:, None]"
            )
        check_real(self.op, "input", self.x)

    def _check(self, given: dict[str, Tensor], expected: dict[str, tuple[int, ...]]) -> None:
        wrong = [f"{n} is {p.shape}, not {expected[n]}" for n, p in given.items() if p.shape != expected[n]]
        if wrong:
            raise ValueError(
                f"{self.op}: for an input {self.x.shape} and {self.hidden} hidden numbers {'; '.join(wrong)}"
            )
        if any(p.dtype != self.x.dtype for p in given.values()):
            raise mixed_dtypes(self.op, self.x, **given)

    def state(self, name: str, value: Any, width: int) -> Tensor:
        """An initial state (N, width); zeros for None."""
        shape = (self.x.shape[1], width)
        if value is None:
            return self.zeros(shape)
        self._check({name: as_tensor(value)}, {name: shape})
        return as_tensor(value)

    def zeros(self, shape: tuple[int, ...]) -> Tensor:
        return Tensor._wrap(backend.xp.zeros(shape, self.x.dtype))

    def bias(self, b_ih: Any, b_hh: Any) -> Any:
        """Their sum, which is all that matters where both are added to the same sums."""
        given = [as_tensor(b) for b in (b_ih, b_hh) if b is not None]
        return given[0] + given[1] if len(given) == 2 else given[0] if given else None

    def share_of_input(self, bias: Any) -> Tensor:
        """W_ih x + b (T, N, ·) for all times: one product, before the loop."""
        return linear(self.x, self.w_ih, bias)
