"""Long short-term memory: cells whose state c is added to, so that its gradient does not vanish.

Steps are written as in `rnn`: a forward and its step of backpropagation through time next to each other,
run by `xp.scan`; the backward's comments name the lines of the forward that they differentiate. The gradient
of c comes from two sides, the output of its own step and the next step's c.

a (T, N, ·) is the share of the input in the gates, x W_ihᵀ + b; W (·, H), `w_hh` in PyTorch, is multiplied by
the output before. Gates stand in PyTorch's order: input i, forget f, new value g, output o.
"""

from __future__ import annotations

from functools import partial

from ..autograd import Function
from .rnn import _over_time, _parts, _sigmoid


def _lstm(xp, a, h, c, wt):
    ai, af, ag, ao = _parts(a + xp.matmul(h, wt), 4)  # 1
    i, f, g, o = _sigmoid(xp, ai), _sigmoid(xp, af), xp.tanh(ag), _sigmoid(xp, ao)  # 2
    new_c = f * c + i * g  # 3
    t = xp.tanh(new_c)  # 4
    new = o * t  # 5
    return new, new_c, new, i, f, g, o, t, h, c


def _lstm_back(xp, gy, i, f, g, o, t, c, gh, gc, w):
    gh = gh + gy  # h goes to the next step and out
    go = gh * t  # 5
    gc = gc + gh * o * (1 - t * t)  # 5, 4: from the output, beside what the next step's c sends
    gi, gf, gg = gc * g, gc * c, gc * i  # 3
    ga = xp.concatenate((gi * i * (1 - i), gf * f * (1 - f), gg * (1 - g * g), go * o * (1 - o)), axis=1)  # 2
    return xp.matmul(ga, w), gc * f, ga  # 1, 3


class LSTM(Function):
    """cₜ = f cₜ₋₁ + i g,  hₜ = o tanh cₜ.  Hochreiter & Schmidhuber 1997; f of Gers et al. 1999.

    i, f, o = σ(·) and g = tanh(·) of the four blocks of aₜ + W hₜ₋₁.
    a (T, N, 4H), w (4H, H), h0 and c0 (N, H). Returns the hₜ (T, N, H), the last h and the last c.
    """

    saves = ("last_h", "last_c", "h", "i", "f", "g", "o", "t", "h_before", "c_before")

    def save(xp, a, w, h0, c0, *, mask, reverse):
        return xp.scan(partial(_lstm, xp), (a,), (h0, c0), (w.T,), mask, reverse)

    def forward(xp, h, last_h, last_c):
        return h, last_h, last_c

    def backward(xp, gy, w, i, f, g, o, t, h_before, c_before, *, mask, reverse):
        gh, *last = gy
        step, kept = partial(_lstm_back, xp), (gh, i, f, g, o, t, c_before)
        g_h0, g_c0, ga = xp.scan(step, kept, last, (w,), mask, not reverse)
        return ga, _over_time(xp, ga, h_before), g_h0, g_c0


def _projected(xp, a, h, c, wt, rt):
    m, new_c, _, *kept = _lstm(xp, a, h, c, wt)  # 1
    new = xp.matmul(m, rt)  # 2
    return new, new_c, new, m, *kept


def _projected_back(xp, gy, i, f, g, o, t, c, gh, gc, w, r):
    gh = gh + gy
    gm = xp.matmul(gh, r)  # 2
    return *_lstm_back(xp, gm, i, f, g, o, t, c, 0, gc, w), gh  # 1


class LSTMProjected(Function):
    """`LSTM` whose output is hₜ = R (o tanh cₜ), of fewer numbers than c.  Sak et al. 2014.

    a (T, N, 4H), w (4H, P), w_hr (P, H) is R; h0 (N, P), c0 (N, H). Returns as `LSTM`.
    """

    saves = ("last_h", "last_c", "h", "m", "i", "f", "g", "o", "t", "h_before", "c_before")

    def save(xp, a, w, w_hr, h0, c0, *, mask, reverse):
        return xp.scan(partial(_projected, xp), (a,), (h0, c0), (w.T, w_hr.T), mask, reverse)

    def forward(xp, h, last_h, last_c):
        return h, last_h, last_c

    def backward(xp, gy, w, w_hr, m, i, f, g, o, t, h_before, c_before, *, mask, reverse):
        gh, *last = gy
        step, kept = partial(_projected_back, xp), (gh, i, f, g, o, t, c_before)
        g_h0, g_c0, ga, gh = xp.scan(step, kept, last, (w, w_hr), mask, not reverse)
        return ga, _over_time(xp, ga, h_before), _over_time(xp, gh, m), g_h0, g_c0


def _peephole(xp, a, h, c, wt, p):
    ai, af, ag, ao = _parts(a + xp.matmul(h, wt), 4)  # 1
    pi, pf, po = _parts(p, 3)
    i, f, g = _sigmoid(xp, ai + pi * c), _sigmoid(xp, af + pf * c), xp.tanh(ag)  # 2: they see c before,
    new_c = f * c + i * g  # 3
    o = _sigmoid(xp, ao + po * new_c)  # 4: and the output gate c after the step
    t = xp.tanh(new_c)  # 5
    new = o * t  # 6
    return new, new_c, new, i, f, g, o, t, h, c, new_c


def _peephole_back(xp, gy, i, f, g, o, t, c, gh, gc, w, p):
    gh = gh + gy
    pi, pf, po = _parts(p, 3)
    go = gh * t * o * (1 - o)  # 6, 4
    gc = gc + gh * o * (1 - t * t) + go * po  # 6, 5, 4
    gi, gf, gg = gc * g * i * (1 - i), gc * c * f * (1 - f), gc * i * (1 - g * g)  # 3, 2
    ga = xp.concatenate((gi, gf, gg, go), axis=1)
    return xp.matmul(ga, w), gc * f + gi * pi + gf * pf, ga  # 1, 3, 2


class LSTMPeephole(Function):
    """`LSTM` whose gates also see the cell state, each number its own.  Gers & Schmidhuber 2000.

    i = σ(· + pᵢ cₜ₋₁),  f = σ(· + p_f cₜ₋₁),  o = σ(· + pₒ cₜ). p (3H,) is (pᵢ, p_f, pₒ); the rest as `LSTM`.
    """

    saves = ("last_h", "last_c", "h", "i", "f", "g", "o", "t", "h_before", "c_before", "c")

    def save(xp, a, w, p, h0, c0, *, mask, reverse):
        return xp.scan(partial(_peephole, xp), (a,), (h0, c0), (w.T, p), mask, reverse)

    def forward(xp, h, last_h, last_c):
        return h, last_h, last_c

    def backward(xp, gy, w, p, i, f, g, o, t, h_before, c_before, c, *, mask, reverse):
        gh, *last = gy
        step, kept = partial(_peephole_back, xp), (gh, i, f, g, o, t, c_before)
        g_h0, g_c0, ga = xp.scan(step, kept, last, (w, p), mask, not reverse)
        gi, gf, _, go = _parts(ga, 4)
        gp = xp.concatenate([xp.sum(v, axis=(0, 1)) for v in (gi * c_before, gf * c_before, go * c)], axis=0)
        return ga, _over_time(xp, ga, h_before), gp, g_h0, g_c0


def _lstm1997(xp, a, h, c, wt):
    ai, ag, ao = _parts(a + xp.matmul(h, wt), 3)  # 1
    i, g, o = _sigmoid(xp, ai), xp.tanh(ag), _sigmoid(xp, ao)  # 2
    new_c = c + i * g  # 3
    t = xp.tanh(new_c)  # 4
    new = o * t  # 5
    return new, new_c, new, i, g, o, t, h


def _lstm1997_back(xp, gy, i, g, o, t, gh, gc, w):
    gh = gh + gy
    gc = gc + gh * o * (1 - t * t)  # 5, 4
    gi, gg, go = gc * g * i * (1 - i), gc * i * (1 - g * g), gh * t * o * (1 - o)  # 3, 5, 2
    ga = xp.concatenate((gi, gg, go), axis=1)
    return xp.matmul(ga, w), gc, ga  # 1, 3: nothing is forgotten, and gc passes as it is


class LSTM1997(Function):
    """cₜ = cₜ₋₁ + i g,  hₜ = o tanh cₜ: no forget gate.  Hochreiter & Schmidhuber 1997.

    a (T, N, 3H) and w (3H, H) in the order i, g, o; the rest as `LSTM`. The paper scales its sigmoids where
    tanh stands here, and cuts the gradient at the gates; here it is whole.
    """

    saves = ("last_h", "last_c", "h", "i", "g", "o", "t", "h_before")

    def save(xp, a, w, h0, c0, *, mask, reverse):
        return xp.scan(partial(_lstm1997, xp), (a,), (h0, c0), (w.T,), mask, reverse)

    def forward(xp, h, last_h, last_c):
        return h, last_h, last_c

    def backward(xp, gy, w, i, g, o, t, h_before, *, mask, reverse):
        gh, *last = gy
        step = partial(_lstm1997_back, xp)
        g_h0, g_c0, ga = xp.scan(step, (gh, i, g, o, t), last, (w,), mask, not reverse)
        return ga, _over_time(xp, ga, h_before), g_h0, g_c0
