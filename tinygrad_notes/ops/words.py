"""Word2Vec's losses: which word stands here, asked in a few yes-or-no questions.  Mikolov et al. 2013b.

The softmax over V words, p(o | x) = exp(x·w_o) / Σ_v exp(x·w_v), costs V products per word. With the logistic
function σ(s) = 1/(1 + e⁻ˢ) and 1 − σ(s) = σ(−s) there are two cheaper ways.

Negative sampling tells the word o from K words n_k that were drawn at random:

    ℓ = −ln σ(x·w_o) − Σ_k ln σ(−x·w_{n_k}).

Hierarchical softmax goes down a binary tree whose leaves are the words. Inner node j has a row w_j and turns
left (code d = 0) with probability σ(x·w_j), else right (d = 1), so that with z = 1 − 2d

    p(o | x) = Π_j σ(z_j x·w_j) over the nodes j on the way to o,   ℓ = −ln p(o | x).

Each node shares out its own probability, σ(s) + σ(−s) = 1, so the p(o | x) of all words add up to 1.

Both count answers to questions s = x·w: a times yes and b times no cost, as −ln σ(s) = ln(1 + e⁻ˢ),

    ℓ = Σ_m a_m ln(1 + e^(−s_m)) + b_m ln(1 + e^(s_m)),     g_m = ∂ℓ/∂s_m = b_m σ(s_m) − a_m σ(−s_m),
    ∂ℓ/∂x = Σ_m g_m w_m,     ∂ℓ/∂w_m = g_m x.

With e = e^(−|s|) nothing overflows and no digit is lost: ln(1 + e^(±s)) is ln(1 + e), plus |s| where the
exponent is positive, and σ(|s|) = 1/(1 + e), σ(−|s|) = e/(1 + e).
"""

from __future__ import annotations

import numpy as np

from .. import backend
from ..autograd import Function, Tensor
from .arguments import as_tensor, check_real, in_float32, mixed_dtypes
from .embedding import embedding
from .loss import _check_reduction, _reduce


class LogisticPairs(Function):
    """ℓ_p = Σ_m a_pm ln(1 + e^(−s_pm)) + b_pm ln(1 + e^(s_pm)),  s_pm = x_p · w_m:  a times yes, b times no.

    x (…, P, D), w (…, M, D), a and b (…, P, M); ℓ (…, P).  g = gy (b σ(s) − a σ(−s)),  gx = g w,  gw = gᵀ x.
    """

    saves = ("s", "e")

    def save(xp, x, w):
        s = xp.matmul(x, xp.swapaxes(w, -1, -2))
        return s, xp.exp(-xp.abs(s))

    def forward(xp, s, e, *, a, b):
        wrong = xp.where(s > 0, b, a)  # answers against the sign of s; where there are none, |s| may be ∞
        return xp.sum((a + b) * _log1p(xp, e) + wrong * xp.where(wrong == 0, 0, xp.abs(s)), axis=-1)

    def backward(xp, gy, s, e, x, w, *, a, b):
        g = xp.expand_dims(gy, -1) * xp.where(s > 0, b - a * e, b * e - a) / (1 + e)  # b σ(s) − a σ(−s)
        return xp.matmul(g, w), xp.matmul(xp.swapaxes(g, -1, -2), x)  # of s = x wᵀ


def _log1p(xp, e):
    """ln(1 + e) for e in [0, 1]: with u = 1 + e, rounded, ln u and what was rounded away times 1/u = ln′ u.

    Three times as fast as xp.log1p in float32, with the same digits.
    """
    u = 1 + e
    return xp.log(u) + (e - (u - 1)) / u


def logistic_pairs(x, w, a, b) -> Tensor:
    """The cost of answering all x_p · w_m a times yes and b times no: x (…, P, D), w (…, M, D) → (…, P).

    a and b (…, P, M) are constants, arrays of the dtype of x; see `LogisticPairs`.
    """
    return LogisticPairs.apply(x, w, a=a, b=b)


@in_float32
def negative_sampling_loss(input, weight, target, noise, reduction: str = "mean") -> Tensor:
    """−ln σ(x·w_target) − Σ_k ln σ(−x·w_noise_k) of every row x of `input`.  Mikolov et al. 2013b.

    input (N, D), weight (V, D); target (N,) and noise (N, K) are integers 0..V−1. Noise equal to its target
    is skipped, as in word2vec.c. "none" gives (N,), "mean" divides by N, not by the number of products.

    Raises ValueError for shapes or ids that do not fit, TypeError for ids that are no integers.
    """
    op = "negative_sampling_loss"
    x, w = _rows(op, input, weight, reduction)
    target, noise = _integers(op, "target", target), _integers(op, "noise", noise)
    if target.shape != x.shape[:1] or noise.ndim != 2 or noise.shape[:1] != x.shape[:1]:
        raise ValueError(
            f"{op}: target {target.shape} and noise {noise.shape} for input {x.shape}; need ({x.shape[0]},) "
            f"and ({x.shape[0]}, K)"
        )
    xp = backend.xp
    target = xp.expand_dims(target, 1)
    ids = xp.concatenate([target, noise], axis=1)
    yes = xp.broadcast_to(xp.arange(ids.shape[1]) == 0, ids.shape)
    asked = yes | (ids != target)
    return _reduce(_asked(op, x, w, ids, yes, asked), reduction)


@in_float32
def hierarchical_softmax_loss(input, weight, path, code, reduction: str = "mean") -> Tensor:
    """−ln p of a leaf, by the inner nodes on the way to it, for every row x of `input`.  Morin & Bengio 2005.

    input (N, D), weight (nodes, D); path (N, L) holds the nodes from the root on, −1 behind the last, and
    code (N, L) the turns, 0 for left with probability σ(x·w), else right (word2vec.c's label is 1 − code).
    "none" gives (N,); "mean" divides by N, not by the number of nodes.

    Raises ValueError for shapes or nodes that do not fit, TypeError for those that are no integers.
    """
    op = "hierarchical_softmax_loss"
    x, w = _rows(op, input, weight, reduction)
    path, code = _integers(op, "path", path), _integers(op, "code", code)
    if path.ndim != 2 or path.shape != code.shape or path.shape[0] != x.shape[0]:
        raise ValueError(
            f"{op}: path {path.shape} and code {code.shape} for input {x.shape}; "
            f"both must be ({x.shape[0]}, L)"
        )
    asked = path != -1
    return _reduce(_asked(op, x, w, backend.xp.where(asked, path, 0), code == 0, asked), reduction)


def _asked(op, x, w, ids, yes, asked) -> Tensor:
    """The loss of each row of x (N, D) against its own rows `ids` (N, M) of w: yes or no, asked or not."""
    xp = backend.xp
    try:
        rows = embedding(Tensor._wrap(ids), w)
    except ValueError as error:
        raise ValueError(str(error).replace("embedding", op)) from None
    a, b = (xp.expand_dims(chosen.astype(x.dtype), 1) for chosen in (asked & yes, asked & ~yes))
    return logistic_pairs(x.reshape(x.shape[0], 1, x.shape[1]), rows, a, b).reshape(-1)


def _rows(op, input, weight, reduction) -> tuple[Tensor, Tensor]:
    x, w = as_tensor(input), as_tensor(weight)
    _check_reduction(op, reduction)
    if x.ndim != 2 or w.ndim != 2 or x.shape[1] != w.shape[1]:
        raise ValueError(f"{op}: input {x.shape} and weight {w.shape}; need (N, D) and (rows, D)")
    check_real(op, "input", x)
    if x.dtype != w.dtype:
        raise mixed_dtypes(op, x, weight=w)
    if x.shape[0] == 0 and reduction == "mean":
        raise ValueError(f"{op}: the mean over no rows; input is {x.shape}")
    return x, w


def _integers(op, name, value):
    """The array of `value`, a copy: the caller may change his before the backward."""
    value = as_tensor(value)
    if value.dtype.kind not in "iu":
        raise TypeError(f"{op}: {name} must be integers, got {value.dtype}; use .astype('int64')")
    return value._data.astype(np.int64)
