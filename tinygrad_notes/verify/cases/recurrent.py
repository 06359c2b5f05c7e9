"""Rows of ops/rnn.py and ops/lstm.py, through the functions of ops/recurrent.py."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...autograd import Function
from ...ops import lstm as long
from ...ops import recurrent as ops
from ...ops import rnn as simple
from .case import Case, Domain, T, case

C, H, P = 1, 2, 1  # lengths of the input, the state and a projection

Vector = list[float]


def _sigmoid(u: float) -> float:
    return 1 / (1 + math.exp(-u))


def _times(w: np.ndarray, v: Vector) -> Vector:
    return [math.fsum(float(w[i, k]) * v[k] for k in range(len(v))) for i in range(len(w))]


def _add(*vectors: Any) -> Vector:
    return [math.fsum(map(float, numbers)) for numbers in zip(*vectors, strict=True)]


def _gates(v: Vector) -> list[Vector]:
    return [v[i : i + H] for i in range(0, len(v), H)]


def _simple_step(nonlinearity: str) -> Callable[..., tuple[Vector, ...]]:
    act = math.tanh if nonlinearity == "tanh" else lambda u: max(u, 0.0)

    def step(x: Vector, h: Vector, w: Any, v: Any, b: Any, d: Any) -> tuple[Vector, ...]:
        return ([act(u) for u in _add(_times(w, x), b, _times(v, h), d)],)

    return step


def _gru_step(x: Vector, h: Vector, w: Any, v: Any, b: Any, d: Any) -> tuple[Vector, ...]:
    (ar, az, an), (ur, uz, un) = _gates(_add(_times(w, x), b)), _gates(_add(_times(v, h), d))
    new = []
    for j in range(H):
        r, z = _sigmoid(ar[j] + ur[j]), _sigmoid(az[j] + uz[j])
        new.append((1 - z) * math.tanh(an[j] + r * un[j]) + z * h[j])
    return (new,)


def _gru_before_step(x: Vector, h: Vector, w: Any, v: Any, b: Any, d: Any) -> tuple[Vector, ...]:
    ar, az, an = _gates(_add(_times(w, x), b, d))
    ur, uz, _ = _gates(_times(v, h))
    reset = [_sigmoid(ar[j] + ur[j]) * h[j] for j in range(H)]
    un = _times(v[2 * H :], reset)
    z = [_sigmoid(az[j] + uz[j]) for j in range(H)]
    return ([(1 - z[j]) * math.tanh(an[j] + un[j]) + z[j] * h[j] for j in range(H)],)


def _lstm_step(
    x: Vector, h: Vector, c: Vector, w: Any, v: Any, b: Any = (), d: Any = (), more: Any = None
) -> tuple[Vector, ...]:
    """`more`: a projection (P, H), or peepholes (3H,). Without a forget gate there are three blocks."""
    blocks = _gates(_add(_times(w, x), _times(v, h), *filter(len, (b, d))))
    if len(blocks) == 3:
        blocks.insert(1, [math.inf] * H)
    holes = _gates(list(more)) if np.ndim(more) == 1 else [[0.0] * H] * 3
    new, output = [], []
    for j, (i, f, g, o) in enumerate(zip(*blocks, strict=True)):
        forget = 1.0 if f == math.inf else _sigmoid(f + holes[1][j] * c[j])
        new.append(forget * c[j] + _sigmoid(i + holes[0][j] * c[j]) * math.tanh(g))
        output.append(_sigmoid(o + holes[2][j] * new[j]) * math.tanh(new[j]))
    return _times(more, output) if np.ndim(more) == 2 else output, new


def _plain(step: Any, count: int, lengths: Sequence[int] | None, reverse: bool) -> Callable[..., Any]:
    """One sample at a time, step by step up to its own end. Arguments: x, `count` states, weights."""

    def run(x: np.ndarray, *rest: np.ndarray) -> tuple[np.ndarray, ...]:
        first, weights = rest[:count], rest[count:]
        output, last = np.zeros((*x.shape[:2], first[0].shape[1])), [np.array(s) for s in first]
        for n in range(x.shape[1]):
            state = [list(map(float, s[n])) for s in first]
            times = range(x.shape[0] if lengths is None else lengths[n])
            for t in reversed(times) if reverse else times:
                state = step([float(u) for u in x[t, n]], *state, *weights)
                output[t, n] = state[0]
            for s, value in zip(last, state, strict=True):
                s[n] = value
        return output, *last

    return run


def _torch(name: str, count: int, lengths: Sequence[int] | None, reverse: bool) -> Callable[..., Any]:
    """torch's own kernel on packed sequences; for the reverse direction each sample is turned around."""

    def run(x: Any, *rest: Any) -> Any:
        states, weights = [s[None] for s in rest[:count]], list(rest[count:])
        ends = T.tensor([len(x)] * x.shape[1] if lengths is None else lengths)
        times = T.arange(len(x))[:, None]
        turned = T.where(times < ends, ends - 1 - times, times) if reverse else times.expand(-1, x.shape[1])
        samples = T.arange(x.shape[1])
        utils = T.nn.utils.rnn
        packed = utils.pack_padded_sequence(x[turned, samples], ends, enforce_sorted=False)
        order, back = packed.sorted_indices, packed.unsorted_indices
        states = [s[:, order] for s in states]
        initial = states if count > 1 else states[0]
        data, *last = getattr(T, name)(
            packed.data, packed.batch_sizes, initial, weights, len(weights) > 3, 1, 0.0, True, False
        )
        packed = type(packed)(data, packed.batch_sizes, order, back)
        output, _ = utils.pad_packed_sequence(packed, total_length=len(x))
        return output[turned, samples], *(s[0][back] for s in last)

    return run


def _row(
    name: str, operation: type[Function], run: Any, step: Any, torch: str | None, gates: int, states: int,
    more: tuple[int, ...] = (), width: int = H, bias: bool = True, samples: int = 1,
    lengths: Sequence[int] | None = None, reverse: bool = False,
) -> Case:  # fmt: skip
    rows = gates * H
    shapes = [(2, samples, C), (samples, width), (samples, H), (rows, C), (rows, width)]
    shapes = shapes if states == 2 else [shapes[0], *shapes[2:]]
    shapes += [(rows,), (rows,)] * bias + [more] * bool(more)

    def ours(*arguments: Any) -> Any:
        return run(*arguments, lengths=lengths, reverse=reverse)

    return case(
        name, operation, ours, Domain(tuple(shapes), -1.0, 1.0), _plain(step, states, lengths, reverse),
        _torch(torch, states, lengths, reverse) if torch else None,
    )  # fmt: skip


PADDED: dict[str, Any] = {"samples": 2, "lengths": (1, 2)}
BACK: dict[str, Any] = {**PADDED, "reverse": True}


def _rnn(name: str, nonlinearity: str, **options: Any) -> Case:
    def run(*arguments: Any, **more: Any) -> Any:
        return ops.rnn(*arguments, nonlinearity=nonlinearity, **more)

    step, twin = _simple_step(nonlinearity), f"rnn_{nonlinearity}"
    return _row(f"rnn: {name}", simple.RNN, run, step, twin, 1, 1, **options)


def _gru(name: str, **options: Any) -> Case:
    return _row(f"gru: {name}", simple.GRU, ops.gru, _gru_step, "gru", 3, 1, **options)


def _gru_before(name: str, **options: Any) -> Case:
    def run(*arguments: Any, **more: Any) -> Any:
        return ops.gru(*arguments, reset_after=False, **more)

    name = f"gru, reset before: {name}"
    return _row(name, simple.GRUResetBefore, run, _gru_before_step, None, 3, 1, **options)


def _lstm(name: str, **options: Any) -> Case:
    return _row(f"lstm: {name}", long.LSTM, ops.lstm, _lstm_step, "lstm", 4, 2, **options)


def _lstm_1997(name: str, **options: Any) -> Case:
    def run(*arguments: Any, **more: Any) -> Any:
        return ops.lstm(*arguments, forget_gate=False, **more)

    return _row(f"lstm of 1997: {name}", long.LSTM1997, run, _lstm_step, None, 3, 2, **options)


def _peephole(name: str, **options: Any) -> Case:
    def run(*arguments: Any, **more: Any) -> Any:
        return ops.lstm(*arguments[:-1], peephole=arguments[-1], **more)

    name = f"lstm, peepholes: {name}"
    return _row(name, long.LSTMPeephole, run, _lstm_step, None, 4, 2, (3 * H,), **options)


def _projected(name: str, **options: Any) -> Case:
    def run(*arguments: Any, **more: Any) -> Any:
        return ops.lstm(*arguments[:-1], w_hr=arguments[-1], **more)

    name = f"lstm, projected: {name}"
    return _row(name, long.LSTMProjected, run, _lstm_step, "lstm", 4, 2, (P, H), P, **options)


CASES = (
    _rnn("tanh", "tanh"),
    _rnn("relu", "relu", samples=2),
    _rnn("tanh, lengths", "tanh", **PADDED),
    _rnn("tanh, lengths, reversed", "tanh", **BACK),
    _rnn("relu, reversed", "relu", reverse=True),
    _gru("forward"),
    _gru("lengths", **PADDED),
    _gru("lengths, reversed", **BACK),
    _gru_before("forward"),
    _gru_before("lengths, reversed", **BACK),
    _lstm("forward"),
    _lstm("no bias, reversed", bias=False, reverse=True),
    _lstm("lengths", **PADDED),
    _lstm("lengths, reversed", **BACK),
    _projected("forward"),
    _projected("lengths, reversed", **BACK),
    _peephole("forward"),
    _peephole("lengths, reversed", **BACK),
    _lstm_1997("forward"),
    _lstm_1997("lengths, reversed", **BACK),
)
