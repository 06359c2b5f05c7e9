"""Recurrent networks, one step after another: the simple network and the gated unit (GRU).

A step is a pair of functions, written next to each other. The forward takes the share a of the input in its
sums, computed for all times at once (a = x W_ihᵀ + b), and the state before; it returns the state after it,
and then what is stacked over time: the output and what the backward needs. The backward goes one step of
backpropagation through time: from the gradient of the state after the step, which the later steps made, and
of its output, to the gradient of a and of the state before. `xp.scan` runs the forward through time and the
backward the other way. All weights get their gradient after the loop, as one product over all times.

a (T, N, ·); states (N, H); W (·, H) acts on the state before: `w_hh` in PyTorch. `mask` (T, N) is False at
padding, where states stay and outputs are 0; with `reverse` time runs from T − 1 down.
"""

from __future__ import annotations

from functools import partial

from ..autograd import Function
from .linear import _rows


def _rnn(xp, a, h, wt, *, nonlinearity):
    s = a + xp.matmul(h, wt)  # 1
    new = xp.tanh(s) if nonlinearity == "tanh" else xp.maximum(s, 0)  # 2
    return new, new, h


def _rnn_back(xp, gy, y, gh, w, *, nonlinearity):
    gh = gh + gy  # h goes to the next step and out
    gs = gh * (1 - y * y) if nonlinearity == "tanh" else xp.where(y > 0, gh, 0)  # 2
    return xp.matmul(gs, w), gs  # 1: ∂s/∂h = W, ∂s/∂a = 1


class RNN(Function):
    """hₜ = tanh(aₜ + W hₜ₋₁), or max(·, 0).  Elman 1990.  Returns the hₜ (T, N, H) and the last h.

    a (T, N, H), w (H, H), h0 (N, H).
    """

    saves = ("last", "h", "before")

    def save(xp, a, w, h0, *, nonlinearity, mask, reverse):
        return xp.scan(partial(_rnn, xp, nonlinearity=nonlinearity), (a,), (h0,), (w.T,), mask, reverse)

    def forward(xp, h, last):
        return h, last

    def backward(xp, g, w, h, before, *, nonlinearity, mask, reverse):
        gh, g_last = g
        step = partial(_rnn_back, xp, nonlinearity=nonlinearity)
        g_h0, gs = xp.scan(step, (gh, h), (g_last,), (w,), mask, not reverse)
        return gs, _over_time(xp, gs, before), g_h0


def _gru(xp, a, h, wt, b):
    ar, az, an = _parts(a, 3)
    ur, uz, un = _parts(xp.matmul(h, wt) + b, 3)  # 1
    r = _sigmoid(xp, ar + ur)  # 2: reset
    z = _sigmoid(xp, az + uz)  # 3: update
    n = xp.tanh(an + r * un)  # 4: the new value
    new = n + z * (h - n)  # 5: = (1 − z) n + z h
    return new, new, r, z, n, un, h


def _gru_back(xp, gy, r, z, n, un, h, gh, w):
    gh = gh + gy
    gn = gh * (1 - z) * (1 - n * n)  # 5, 4
    gz = gh * (h - n) * z * (1 - z)  # 5, 3
    gr = gn * un * r * (1 - r)  # 4, 2
    ga = xp.concatenate((gr, gz, gn), axis=1)
    gu = xp.concatenate((gr, gz, gn * r), axis=1)  # 4: r ∘ uₙ
    return gh * z + xp.matmul(gu, w), ga, gu  # 5, 1


class GRU(Function):
    """hₜ = (1 − z) n + z hₜ₋₁: reset r, update z and new value n in this order.  Cho et al. 2014.

    With u = W hₜ₋₁ + b:  r = σ(aᵣ + uᵣ),  z = σ(a_z + u_z),  n = tanh(aₙ + r ∘ uₙ).
    The reset acts after the product, as in PyTorch and cuDNN: hence b (3H,) stands in the rule.
    a (T, N, 3H), w (3H, H), h0 (N, H). Returns the hₜ (T, N, H) and the last h.
    """

    saves = ("last", "h", "r", "z", "n", "un", "before")

    def save(xp, a, w, b, h0, *, mask, reverse):
        return xp.scan(partial(_gru, xp), (a,), (h0,), (w.T, b), mask, reverse)

    def forward(xp, h, last):
        return h, last

    def backward(xp, g, w, r, z, n, un, before, *, mask, reverse):
        gh, g_last = g
        g_h0, ga, gu = xp.scan(
            partial(_gru_back, xp), (gh, r, z, n, un, before), (g_last,), (w,), mask, not reverse
        )
        return ga, _over_time(xp, gu, before), xp.sum(gu, axis=(0, 1)), g_h0


def _gru_before(xp, a, h, wt):
    ar, az, an = _parts(a, 3)
    wr, wz, wn = _parts(wt, 3)
    r = _sigmoid(xp, ar + xp.matmul(h, wr))  # 1
    z = _sigmoid(xp, az + xp.matmul(h, wz))  # 2
    n = xp.tanh(an + xp.matmul(r * h, wn))  # 3
    new = n + z * (h - n)  # 4
    return new, new, r, z, n, h


def _gru_before_back(xp, gy, r, z, n, h, gh, wt):
    gh = gh + gy
    wr, wz, wn = _parts(wt, 3)
    gn = gh * (1 - z) * (1 - n * n)  # 4, 3
    gz = gh * (h - n) * z * (1 - z)  # 4, 2
    gq = xp.matmul(gn, wn.T)  # 3: of r ∘ h
    gr = gq * h * r * (1 - r)  # 3, 1
    g_before = gh * z + gq * r + xp.matmul(gz, wz.T) + xp.matmul(gr, wr.T)  # 4, 3, 2, 1
    return g_before, xp.concatenate((gr, gz, gn), axis=1)


class GRUResetBefore(Function):
    """The GRU with its reset before the product: n = tanh(aₙ + Wₙ (r ∘ hₜ₋₁)).  Cho et al. 2014, eq. 8.

    Biases stand in a alone. Shapes as `GRU`'s.
    """

    saves = ("last", "h", "r", "z", "n", "before")

    def save(xp, a, w, h0, *, mask, reverse):
        return xp.scan(partial(_gru_before, xp), (a,), (h0,), (w.T,), mask, reverse)

    def forward(xp, h, last):
        return h, last

    def backward(xp, g, w, r, z, n, before, *, mask, reverse):
        gh, g_last = g
        step = partial(_gru_before_back, xp)
        g_h0, ga = xp.scan(step, (gh, r, z, n, before), (g_last,), (w.T,), mask, not reverse)
        gr, gz, gn = _parts(ga, 3)
        factors = ((gr, before), (gz, before), (gn, r * before))  # what each block of W is multiplied by
        gw = xp.concatenate([_over_time(xp, g, h) for g, h in factors], axis=0)
        return ga, gw, g_h0


def _sigmoid(xp, x):
    """σ(x) by one transcendental function. A gate scales numbers of size 1: 0 will do for σ(−40) = 4e-18."""
    return 0.5 * xp.tanh(0.5 * x) + 0.5


def _parts(x, count):
    """`count` equal parts of the last axis."""
    n = x.shape[-1] // count
    return [x[..., i * n : (i + 1) * n] for i in range(count)]


def _over_time(xp, g, x):
    """The gradient of a weight W in W x, from that of the product: Σ over times and samples of g xᵀ."""
    return xp.matmul(_rows(xp, g).T, _rows(xp, x))
