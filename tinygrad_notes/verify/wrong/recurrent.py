"""Mistakes in recurrent networks: in a step, in the way through time, in the sums after it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ...ops import lstm, rnn
from .entry import Draw, Wrong, entry, normal

ONCE = {"mask": None, "reverse": False}
PADDED = {"mask": np.array([[True, True], [True, False]]), "reverse": False}


def _draw(gates: int, states: int, *more: tuple[int, ...], samples: int = 1, hidden: int = 1) -> Draw:
    """a, w, more weights, initial states. One hidden number unless a mistake needs two: proofs are quick."""
    rows = gates * hidden
    return normal((2, samples, rows), (rows, hidden), *more, *((samples, hidden),) * states)


def _rnn(
    step: Any = rnn._rnn_back, forth: bool = False, padded: bool = True, last: bool = False
) -> dict[str, Any]:
    """The shipped backward with another step, direction, mask, or sum over time."""

    def backward(xp, g, w, h, before, *, nonlinearity, mask, reverse):
        back, mask = partial(step, xp, nonlinearity=nonlinearity), mask if padded else None
        g_h0, gs = xp.scan(back, (g[0], h), (g[1],), (w,), mask, reverse if forth else not reverse)
        gw = xp.matmul(gs[-1].T, before[-1]) if last else rnn._over_time(xp, gs, before)
        return gs, gw, g_h0

    return {"backward": backward}


def _not_transposed(xp, gy, y, gh, w, *, nonlinearity):
    _, gs = rnn._rnn_back(xp, gy, y, gh, w, nonlinearity=nonlinearity)
    return xp.matmul(gs, w.T), gs


def _own_step(xp, gy, y, gh, w, *, nonlinearity):
    return rnn._rnn_back(xp, gy, y, gh * 0, w, nonlinearity=nonlinearity)


def _gru(step: Any = rnn._gru_back, biases: Callable[..., Any] = lambda ga, gu: gu) -> dict[str, Any]:
    def backward(xp, g, w, r, z, n, un, before, *, mask, reverse):
        kept = (g[0], r, z, n, un, before)
        g_h0, ga, gu = xp.scan(partial(step, xp), kept, (g[1],), (w,), mask, not reverse)
        return ga, rnn._over_time(xp, gu, before), xp.sum(biases(ga, gu), axis=(0, 1)), g_h0

    return {"backward": backward}


def _reset_before(xp, gy, r, z, n, un, h, gh, w):
    """As if the reset acted on h, before the product."""
    _, ga, gu = rnn._gru_back(xp, gy, r, z, n, un, h, gh, w)
    gr, gz, gn = rnn._parts(ga, 3)
    gr = xp.matmul(gn, rnn._parts(w.T, 3)[2].T) * h * r * (1 - r)
    ga = xp.concatenate((gr, gz, gn), axis=1)
    gu = xp.concatenate((gr, gz, gn * r), axis=1)
    return (gh + gy) * z + xp.matmul(gu, w), ga, gu


def _without_reset(xp, gy, r, z, n, un, h, gh, w):
    _, ga, _ = rnn._gru_back(xp, gy, r, z, n, un, h, gh, w)
    return (gh + gy) * z + xp.matmul(ga, w), ga, ga


def _gru_before(xp, g, w, r, z, n, before, *, mask, reverse):
    """W learns from h where the forward multiplies r ∘ h."""
    step = partial(rnn._gru_before_back, xp)
    g_h0, ga = xp.scan(step, (g[0], r, z, n, before), (g[1],), (w.T,), mask, not reverse)
    return ga, rnn._over_time(xp, ga, before), g_h0


def _lstm(step: Any) -> dict[str, Any]:
    def backward(xp, gy, w, i, f, g, o, t, h_before, c_before, *, mask, reverse):
        kept = (gy[0], i, f, g, o, t, c_before)
        g_h0, g_c0, ga = xp.scan(partial(step, xp), kept, gy[1:], (w,), mask, not reverse)
        return ga, rnn._over_time(xp, ga, h_before), g_h0, g_c0

    return {"backward": backward}


def _c_lost(xp, *values):
    gh, gc, ga = lstm._lstm_back(xp, *values)
    return gh, gc * 0, ga


def _h_lost(xp, *values):
    gh, gc, ga = lstm._lstm_back(xp, *values)
    return gh * 0, gc, ga


def _c_after(xp, gy, i, f, g, o, t, c, gh, gc, w):
    """The forget gate learns from c after the step; it multiplies c before it."""
    _, _, ga = lstm._lstm_back(xp, gy, i, f, g, o, t, f * c + i * g, gh, gc, w)
    return xp.matmul(ga, w), (gc + (gh + gy) * o * (1 - t * t)) * f, ga


def _c_set(xp, gy, i, f, g, o, t, c, gh, gc, w):
    """c's gradient from the output alone, where the next step's should be added."""
    gh_before, _, ga = lstm._lstm_back(xp, gy, i, f, g, o, t, c, gh, gc * 0, w)
    return gh_before, (gh + gy) * o * (1 - t * t) * f, ga


def _projected(xp, gy, w, w_hr, m, i, f, g, o, t, h_before, c_before, *, mask, reverse):
    """R learns from the output's gradient at its own step, without that of the later ones."""
    step = partial(lstm._projected_back, xp)
    kept = (gy[0], i, f, g, o, t, c_before)
    g_h0, g_c0, ga, _ = xp.scan(step, kept, gy[1:], (w, w_hr), mask, not reverse)
    return ga, rnn._over_time(xp, ga, h_before), rnn._over_time(xp, gy[0], m), g_h0, g_c0


def _peephole(xp, gy, w, p, i, f, g, o, t, h_before, c_before, c, *, mask, reverse):
    """The output gate's peephole learns from c before the step; it sees c after it."""
    return lstm.LSTMPeephole.backward(
        xp, gy, w, p, i, f, g, o, t, h_before, c_before, c_before, mask=mask, reverse=reverse
    )


def _forgotten(xp, gy, w, i, g, o, t, h_before, *, mask, reverse):
    """As if 1 − i were a forget gate."""

    def step(gy, i, *values):
        gh, gc, ga = lstm._lstm1997_back(xp, gy, i, *values)
        return gh, gc * (1 - i), ga

    g_h0, g_c0, ga = xp.scan(step, (gy[0], i, g, o, t), gy[1:], (w,), mask, not reverse)
    return ga, rnn._over_time(xp, ga, h_before), g_h0, g_c0


def entries() -> list[Wrong]:
    """The mistakes, in the order of the operations."""
    r, s, two = rnn, lstm, _draw(1, 1, hidden=2)
    gru, long = _draw(3, 1, (3,)), _draw(4, 2)
    tanh = {"nonlinearity": "tanh", **ONCE}
    return [
        entry("rnn: the weights learn from the last step only", r.RNN, two, _rnn(last=True), **tanh),
        entry("rnn: the weights not transposed", r.RNN, two, _rnn(_not_transposed), **tanh),
        entry("rnn: nothing from the steps after", r.RNN, two, _rnn(_own_step), **tanh),
        entry("rnn: back through time in the direction of the forward", r.RNN, two, _rnn(forth=True), **tanh),
        entry("rnn: padding leaks into the state", r.RNN, _draw(1, 1, samples=2), _rnn(padded=False),
              nonlinearity="tanh", **PADDED),
        entry("gru: the reset as if before the product", r.GRU, gru, _gru(_reset_before), **ONCE),
        entry("gru: the product's gradient without the reset", r.GRU, gru, _gru(_without_reset), **ONCE),
        entry("gru: the bias counted twice", r.GRU, gru, _gru(biases=lambda ga, gu: ga + gu), **ONCE),
        entry("gru, reset before: the weights learn from h without its reset", r.GRUResetBefore, _draw(3, 1),
              {"backward": _gru_before}, **ONCE),
        entry("lstm: c's gradient not carried to the step before", s.LSTM, long, _lstm(_c_lost), **ONCE),
        entry("lstm: h's gradient not carried to the step before", s.LSTM, long, _lstm(_h_lost), **ONCE),
        entry("lstm: c's gradient set, not added to", s.LSTM, long, _lstm(_c_set), **ONCE),
        entry("lstm: the forget gate on the wrong side of c", s.LSTM, long, _lstm(_c_after), **ONCE),
        entry("lstm, projected: the projection without the later steps", s.LSTMProjected,
              _draw(4, 2, (1, 1)), {"backward": _projected}, **ONCE),
        entry("lstm, peepholes: the output gate's from c before the step", s.LSTMPeephole,
              _draw(4, 2, (3,)), {"backward": _peephole}, **ONCE),
        entry("lstm of 1997: a forget gate that is not there", s.LSTM1997, _draw(3, 2),
              {"backward": _forgotten}, **ONCE),
    ]  # fmt: skip
