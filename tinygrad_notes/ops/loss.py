"""Losses. Each takes `reduction`: "mean" (default), "sum" or "none".

Softmax and cross-entropy belong together, since their derivatives cancel. With p = softmax(x) and a target q,

    ℓ = −Σ_c q_c ln p_c      ∂ℓ/∂p_c = −q_c/p_c      ∂p_c/∂x_k = p_c ([c = k] − p_k)

    ∂ℓ/∂x_k = Σ_c (−q_c/p_c) p_c ([c = k] − p_k)        the chain rule over all classes
            = −q_k + p_k Σ_c q_c                        p_c cancels, and with it every division
            = p_k − q_k                                 where q is a distribution

The mean over N rows divides this by N; ignored rows have q = 0 and are not counted in N. For two classes it
is ∂ℓ/∂x = σ(x) − t. Squared errors grow with the error itself: L = k Σ (a − b)² has ∂L/∂a = 2k (a − b), and
Huber's loss limits that slope to ±δ.
"""

from __future__ import annotations

import math

import numpy as np

from .. import backend
from ..autograd import Function, Tensor
from .activation import _log_softmax, _sigmoid, softplus
from .arguments import as_tensor, check_real, constant, in_float32, number
from .classes import check_convention, class_factors, class_weights
from .piecewise import where
from .shape import moveaxis


class CrossEntropy(Function):
    """ℓₙ = −Σ_c q_nc ln p_nc with p = softmax(x).   x, q (N, C); ℓ (N,).

    ∂ℓ/∂x = p Σ_c q − q (p − q for a distribution q),  ∂ℓ/∂q = −ln p.
    """

    saves = ("log_p",)

    def save(xp, x):
        return (_log_softmax(xp, x, 1),)

    def forward(xp, log_p, q):
        return _expected(xp, log_p, q)

    def backward_x(xp, gy, log_p, q):
        mass = xp.sum(q, axis=1, keepdims=True)
        return xp.expand_dims(gy, 1) * (xp.exp(log_p) * mass - q)

    def backward_q(xp, gy, log_p):
        return -xp.expand_dims(gy, 1) * log_p


class CrossEntropyOfClasses(Function):
    """The same for class indices, with q_nc = own_n [c = label_n] + share_n spread_c, never made as a whole.

    Class weights, label smoothing, ignored rows and the mean's 1/N are all ways to fill these; see
    `class_factors`.   labels, own, share (N,); spread (1, C), or None for 0.
    """

    def forward(xp, x, *, labels, own, share, spread):
        return xp.rowwise(
            lambda x, labels, own, share: _class_losses(xp, x, labels, own, share, spread),
            x, labels, own, share,
        )  # fmt: skip

    def backward(xp, gy, x, *, labels, own, share, spread):
        return xp.rowwise(
            lambda x, labels, own, share: _class_gradients(xp, x, labels, own, share, spread),
            x, labels, gy * own, gy * share,
        )  # fmt: skip


def _class_losses(xp, x, labels, own, share, spread):
    """−own ln p_label − share Σ_c spread_c ln p_c of each row; what counts 0 adds 0, ln p = −∞ or not."""
    log_p = _log_softmax(xp, x, 1)
    loss = own * xp.where(own == 0, 0, -log_p[xp.arange(labels.shape[0]), labels])
    if spread is None:
        return loss
    return loss + share * xp.where(share == 0, 0, _expected(xp, log_p, spread))


def _class_gradients(xp, x, labels, own, share, spread):
    """p Σ_c q − q with p = e / Σ e, and q and its sum as the text above says; 0 for a row that counts 0."""
    x = xp.where(xp.expand_dims(share, 1) != 0, x, 0)  # what padding holds, NaN perhaps, is not read
    e = xp.exp(x - xp.max(x, axis=1, keepdims=True))
    q = xp.scatter_add(own, (xp.arange(labels.shape[0]), labels), x.shape)
    mass = own
    if spread is not None:
        q = q + xp.expand_dims(share, 1) * spread
        mass = own + share * xp.sum(spread)
    return e * xp.expand_dims(mass / xp.sum(e, axis=1), 1) - q


def _expected(xp, log_p, q):
    """−Σ_c q ln p, where a class that nobody asks for adds nothing, its logit −∞ or not: 0 · ln 0 = 0."""
    return -xp.sum(q * xp.where(q == 0, 0, log_p), axis=1)


class BinaryCrossEntropy(Function):
    """ℓ = −t ln σ(x) − (1 − t) ln(1 − σ(x)) = c |x| + ln(1 + e^(−|x|)), without overflow.

    c = 1 − t for x ≥ 0, else t: what speaks against the sign of x. c |x| is 0 for c = 0, also at x = ±∞.
    ∂ℓ/∂x = σ(x) − t,  ∂ℓ/∂t = −x.
    """

    def forward(xp, x, t):
        c, size = xp.where(x >= 0, 1 - t, t), xp.abs(x)
        return c * xp.where((c == 0) & (size == math.inf), 0, size) + xp.log1p(xp.exp(-size))

    def backward_x(xp, gy, x, t):
        return gy * (_sigmoid(xp, x) - t)

    def backward_t(xp, gy, x):
        return -gy * x


class SquaredError(Function):
    """L = k Σ (a − b)²;  ∂L/∂a = 2k (a − b).  k = 1/n is torch's mean, 1/(2n) the notes' J."""

    def forward(xp, a, b, *, scale):
        d = a - b
        return scale * xp.sum(d * d)

    def backward_a(xp, gy, a, b, *, scale):
        return gy * (2 * scale) * (a - b)

    def backward_b(xp, gy, a, b, *, scale):
        return gy * (-2 * scale) * (a - b)


class Huber(Function):
    """ℓ = c (d − c/2) with c = d limited to [−δ, δ]: d²/2 near 0, δ(|d| − δ/2) beyond;  ∂ℓ/∂d = c.

    Huber 1964.
    """

    def forward(xp, d, *, delta):
        c = xp.minimum(xp.maximum(d, -delta), delta)
        return c * (d - 0.5 * c)

    def backward(xp, gy, d, *, delta):
        return gy * xp.minimum(xp.maximum(d, -delta), delta)


@in_float32
def mse_loss(input, target, reduction: str = "mean", convention: str = "torch") -> Tensor:
    """Mean squared error of input and target, both of one shape; "none" keeps that shape.

    `convention="notes"` halves it: J = 1/(2n) Σ (y − ŷ)², with the gradient (ŷ − y)/n.
    """
    if convention not in ("torch", "notes"):
        raise ValueError(f"mse_loss: convention must be 'torch' or 'notes', got {convention!r}")
    input, target = _pair("mse_loss", input, target, reduction)
    scale = 0.5 if convention == "notes" else 1.0
    if reduction == "none":
        return scale * (input - target) ** 2
    return SquaredError.apply(input, target, scale=scale / input.size if reduction == "mean" else scale)


@in_float32
def l1_loss(input, target, reduction: str = "mean") -> Tensor:
    """Mean of |input − target|, both of one shape.   "none" keeps that shape, else a number."""
    input, target = _pair("l1_loss", input, target, reduction)
    return _reduce(abs(input - target), reduction)


@in_float32
def huber_loss(input, target, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """Squared near 0, absolute beyond ±delta, of input − target of one shape.  Huber 1964."""
    delta = number("huber_loss", "delta", delta)
    if not delta > 0:
        raise ValueError(f"huber_loss: delta must be positive, got {delta}")
    input, target = _pair("huber_loss", input, target, reduction)
    return _reduce(Huber.apply(input - target, delta=delta), reduction)


@in_float32
def cross_entropy(
    input, target, weight=None, ignore_index: int = -100, reduction: str = "mean",
    label_smoothing: float = 0.0, convention: str = "torch",
) -> Tensor:  # fmt: skip
    """Cross-entropy of softmax(input) against class indices, or against probabilities.

    Args:
        input: logits (N, C, ...), or (C,) for one sample.
        target: integers (N, ...) or () in 0..C−1, or probabilities of the shape of `input`.
        weight: (C,) factor per class; with indices the mean divides by the weights that were used, and no
            gradient flows to them.
        ignore_index: rows with this target count nowhere. If every row is ignored the loss is 0
            with gradient 0 (torch: NaN).
        label_smoothing: ε in [0, 1]: (1 − ε) target + ε/C.  Szegedy et al. 2016.
        convention: "transformer" gives ε/(C − 2) to each class that is neither the target nor the padding
            class `ignore_index`.  Vaswani et al. 2017, as its annotated code has it.
    """
    input, target = as_tensor(input), as_tensor(target)
    x, q, rest = _targets("cross_entropy", input, target, weight, ignore_index, reduction, label_smoothing,
                          convention)  # fmt: skip
    loss = CrossEntropy.apply(x, q) if isinstance(q, Tensor) else CrossEntropyOfClasses.apply(x, **q)
    return loss.reshape(rest) if reduction == "none" else loss.sum()


@in_float32
def nll_loss(input, target, weight=None, ignore_index: int = -100, reduction: str = "mean") -> Tensor:
    """−input at the target class: cross-entropy for logits that are log-probabilities already.

    input (N, C, ...) or (C,), target (N, ...) or () of class indices; the rest is `cross_entropy`'s.
    """
    input, target = as_tensor(input), as_tensor(target)
    x, q, rest = _targets("nll_loss", input, target, weight, ignore_index, reduction, 0.0, "torch")
    own, picked = Tensor._wrap(q["own"]), x[backend.xp.arange(x.shape[0]), q["labels"]]
    loss = -(where(own != 0, picked, 0.0) * own)  # 0 · −∞ = 0
    return loss.reshape(rest) if reduction == "none" else loss.sum()


@in_float32
def binary_cross_entropy_with_logits(
    input, target, weight=None, reduction: str = "mean", pos_weight=None
) -> Tensor:
    """−t ln σ(x) − (1 − t) ln(1 − σ(x)), without overflow.

    `pos_weight` multiplies the first term, `weight` the whole; both may stretch to x, and are constants.
    """
    op = "binary_cross_entropy_with_logits"
    x, t = _pair(op, input, target, reduction)
    if pos_weight is None:
        loss = BinaryCrossEntropy.apply(x, t)
    else:
        pos_weight = constant(op, "pos_weight", pos_weight).astype(x.dtype)
        yes, no = pos_weight * t, 1 - t
        limited = backend.xp.isfinite(x._data)  # where x is infinite, a cost that counts 0 times is 0
        loss = yes * where(limited | (yes._data != 0), softplus(-x), 0.0)
        loss = loss + no * where(limited | (no._data != 0), softplus(x), 0.0)
    if weight is not None:
        loss = loss * constant(op, "weight", weight).astype(x.dtype)
    return _reduce(loss, reduction)


def _pair(op: str, input, target, reduction: str) -> tuple[Tensor, Tensor]:
    input, target = as_tensor(input), as_tensor(target)
    _check_reduction(op, reduction)
    if input.shape != target.shape:
        raise ValueError(
            f"{op}: input {input.shape} and target {target.shape} must have one shape; "
            "broadcasting here is nearly always a mistake, reshape one of them"
        )
    check_real(op, "input", input)  # unsigned differences would wrap around
    if input.size == 0 and reduction == "mean":
        raise ValueError(f"{op}: the mean over no elements; input is {input.shape}")
    return input, target


def _reduce(loss: Tensor, reduction: str) -> Tensor:
    return loss if reduction == "none" else loss.mean() if reduction == "mean" else loss.sum()


def _check_reduction(op: str, reduction: str) -> None:
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{op}: reduction must be 'mean', 'sum' or 'none', got {reduction!r}")


def _targets(op, input, target, weight, ignore_index, reduction, smoothing, convention):
    """Logits as rows (rows, C), the targets, the shape of rows.

    Targets are q (rows, C) with every factor in it, or for class indices what makes it up, `class_factors`.
    """
    _check_reduction(op, reduction)
    check_real(op, "input", input)
    smoothing = number(op, "label_smoothing", smoothing)
    if not 0 <= smoothing <= 1:
        raise ValueError(f"{op}: label_smoothing must lie in [0, 1], got {smoothing}")
    if input.ndim == 1:  # one sample: one row, and a loss without axes
        one = input.reshape(1, input.size), target.reshape(1, *target.shape)
        return *_targets(op, *one, weight, ignore_index, reduction, smoothing, convention)[:2], ()
    if input.ndim == 0 or input.shape[1] == 0:
        raise ValueError(f"{op}: input must be (N, C, ...) or (C,) with C ≥ 1, got {input.shape}")
    classes = input.shape[1]
    check_convention(op, convention, classes, ignore_index, target)
    rest = (input.shape[0], *input.shape[2:])
    x = moveaxis(input, 1, -1).reshape(-1, classes) if input.ndim > 2 else input
    weight = None if weight is None else class_weights(op, weight, classes, input.dtype)
    if target.dtype.kind == "f":
        if op != "cross_entropy" or target.shape != input.shape:
            raise ValueError(
                f"{op}: float targets {target.shape} must be probabilities of the input's shape "
                f"{input.shape}; for class indices use integers"
            )
        q = moveaxis(target, 1, -1).reshape(-1, classes) if input.ndim > 2 else target
        if smoothing:
            q = q * (1 - smoothing) + smoothing / classes
        if weight is not None:
            q = q * weight
        return x, q * (1 / max(1, x.shape[0])) if reduction == "mean" else q, rest
    if target.shape != rest:
        raise ValueError(f"{op}: class indices {target.shape} for input {input.shape}; need {rest}")
    weight = None if weight is None else constant(op, "weight", weight)
    labels = target._data.reshape(-1).astype(np.int64, copy=False)
    factors = class_factors(op, labels, weight, classes, input.dtype, ignore_index, reduction == "mean",
                            smoothing, convention)  # fmt: skip
    return x, factors, rest
