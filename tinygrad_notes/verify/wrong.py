"""Deliberately wrong backwards: the mistakes that are easily made, each of which every check must catch.

An entry takes a shipped operation and replaces some of its rules by wrong ones; the forward stays. The test:
`gradcheck` and the proof on symbols both pass the shipped operation, and both refuse the wrong one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import backend
from ..autograd import Function
from ..autograd.gradcheck import Report, gradcheck
from ..ops import (
    activation,
    arithmetic,
    convolution,
    dropout,
    linear,
    loss,
    normalization,
    pooling,
    reduction,
    shape,
)

Draw = Callable[[np.random.Generator], tuple[Any, ...]]

MASK = np.array([[2.0, 0.0, 2.0], [0.0, 2.0, 2.0]])
REPEATS = np.array([0, 2, 0, 1])
UNIT = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}
WINDOW = {"kernel": (2, 2), **UNIT}
MEANS = {"kernel": (2, 2), "stride": (1, 1), "padding": (0, 0), "ceil_mode": False,
         "count_include_pad": True}  # fmt: skip


@dataclass(frozen=True)
class Wrong:
    """`wrong` is `right` with a mistake; both are called on what `draw` gives, with `attributes`."""

    name: str
    right: type[Function]
    wrong: type[Function]
    draw: Draw
    attributes: dict[str, Any] = field(default_factory=dict)


def check(operation: type[Function], entry: Wrong, seed: int = 0) -> Report:
    """`gradcheck` of the right or the wrong operation of an entry, to order 2."""
    attributes = {
        k: backend.asarray(v) if isinstance(v, np.ndarray) else v for k, v in entry.attributes.items()
    }
    inputs = entry.draw(np.random.default_rng(seed))
    return gradcheck(lambda *xs: operation.apply(*xs, **attributes), inputs, raise_exception=False, seed=seed)


def spoil(right: type[Function], **rules: Any) -> type[Function]:
    """`right` with some rules, or the attribute `broadcasts`, replaced."""
    kept = {k: v.__func__ for k, v in vars(right).items() if isinstance(v, staticmethod)}
    kept |= {"saves": right.saves, "broadcasts": right.broadcasts, "__module__": __name__}
    return type(f"Wrong{right.__name__}", (Function,), {**kept, **rules})


def normal(*shapes: tuple[int, ...], least: float | None = None) -> Draw:
    """Standard normal inputs, or inputs above `least`."""

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        drawn = [np.asarray(rng.standard_normal(s)) for s in shapes]
        return tuple(drawn if least is None else [least + np.abs(x) for x in drawn])

    return draw


def _overwritten(xp, gy, w, x_shape, *, stride, padding, dilation, groups):
    gx = xp.zeros(x_shape, gy.dtype)
    for i in range(w.shape[2]):
        for j in range(w.shape[3]):
            part = xp.einsum("oc,nohw->nchw", w[:, :, i, j], gy)
            gx[:, :, i : i + gy.shape[2], j : j + gy.shape[3]] = part
    return gx


def _assigned(xp, gy, x_shape, *, index):
    gx = xp.zeros(x_shape, gy.dtype)
    gx[index] = gy
    return gx


def _gelu_tanh(xp, gy, x):
    t = xp.tanh(activation.ROOT_2_OVER_PI * (x + 0.044715 * x * x * x))
    return gy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t))


A, B, C = (3, 4), (2, 3), (3, 3)
IMAGE, KERNEL = (2, 1, 3, 3), (2, 1, 2, 2)
CONV = {**UNIT, "groups": 1}
CLASSES = {"labels": np.array([2, -100, 0]), "weight": None,
           "filling": loss.Filling("cross_entropy", 3, np.dtype("float64"), -100, True, 0.0)}  # fmt: skip
FIXED = {"mean": np.array([[0.5, -0.25]]), "var": np.array([[1.5, 0.75]]), "eps": 0.125}
# Row i sums over channels i − 1 and i: an even window, so not symmetric.
RESPONSE = {"band": np.eye(3) + np.eye(3, k=-1), "alpha": 0.25, "beta": 0.75, "k": 2.0}


def _entry(name: str, right: type[Function], draw: Draw, rules: dict[str, Any], **attributes: Any) -> Wrong:
    return Wrong(name, right, spoil(right, **rules), draw, attributes)


def _activations() -> list[Wrong]:
    a = activation
    x = normal(B)
    return [
        _entry("sigmoid: 1 − y² instead of y(1 − y)", a.Sigmoid, x,
               {"backward": lambda xp, gy, y: gy * (1 - y * y)}),
        _entry("tanh: 1 − y instead of 1 − y²", a.Tanh, x, {"backward": lambda xp, gy, y: gy * (1 - y)}),
        _entry("tanh: 0.1 % too large", a.Tanh, x,
               {"backward": lambda xp, gy, y: 1.001 * gy * (1 - y * y)}),
        _entry("relu: passes everything", a.ReLU, x, {"backward": lambda xp, gy: gy}),
        _entry("leaky relu: the slope on the positive side", a.LeakyReLU, x,
               {"backward": lambda xp, gy, x, *, slope: gy * (x <= 0) + slope * gy * (x > 0)}, slope=0.25),
        _entry("softplus: β twice", a.Softplus, x,
               {"backward": lambda xp, gy, x, *, beta: gy * beta * (0.5 * xp.tanh(0.5 * beta * x) + 0.5)},
               beta=2.0),
        _entry("gelu: Φ alone, without x φ", a.GELU, x,
               {"backward": lambda xp, gy, x: gy * 0.5 * (1 + xp.erf(x * a.INVERSE_ROOT_2))}),
        _entry("gelu by tanh: the inner derivative is missing", a.GELUTanh, x, {"backward": _gelu_tanh}),
        _entry("erf: without 2/√π", a.Erf, x, {"backward": lambda xp, gy, x: gy * xp.exp(-x * x)}),
        _entry("log1p: 1/x", a.Log1p, normal(B, least=0.5), {"backward": lambda xp, gy, x: gy / x}),
        _entry("softmax: without −p (p·g)", a.Softmax, x, {"backward": lambda xp, gy, y: gy * y}, axis=1),
        _entry("softmax: the diagonal p(1 − p) alone", a.Softmax, x,
               {"backward": lambda xp, gy, y: gy * y * (1 - y)}, axis=1),
        _entry("log softmax: without the sum of gy", a.LogSoftmax, x,
               {"backward": lambda xp, gy, y: gy - xp.exp(y) * gy}, axis=1),
    ]  # fmt: skip


def _arithmetic() -> list[Wrong]:
    a = arithmetic
    x, pair, positive = normal(B), normal(B, B), normal(B, least=0.5)
    return [
        _entry("divide: the minus of b is missing", a.Divide, normal(B, B, least=0.5),
               {"backward_b": lambda xp, gy, y, b: gy * y / b}),
        _entry("divide: b instead of b²", a.Divide, normal(B, B, least=0.5),
               {"backward_b": lambda xp, gy, y, b: -gy * y}),
        _entry("sqrt: without the 2", a.Sqrt, positive, {"backward": lambda xp, gy, y: gy / y}),
        _entry("power: the exponent is not lowered", a.Power, positive,
               {"backward": lambda xp, gy, x, *, exponent: gy * exponent * x**exponent}, exponent=3),
        _entry("power of Tensors: without ln a", a.PowerTensor, normal(B, B, least=0.5),
               {"backward_b": lambda xp, gy, y, a: gy * y}),
        _entry("log: x instead of 1/x", a.Log, positive, {"backward": lambda xp, gy, x: gy * x}),
        _entry("exp: 1 instead of y", a.Exp, x, {"backward": lambda xp, gy: gy}),
        _entry("abs: without the sign", a.Abs, x, {"backward": lambda xp, gy: gy}),
        _entry("negative: without the minus", a.Negative, x, {"backward": lambda xp, gy: gy}),
        _entry("sin: a minus too many", a.Sin, x, {"backward": lambda xp, gy, x: -gy * xp.cos(x)}),
        _entry("cos: without the minus", a.Cos, x, {"backward": lambda xp, gy, x: gy * xp.sin(x)}),
        _entry("subtract: without the minus of b", a.Subtract, pair, {"backward_b": lambda xp, gy: gy}),
        _entry("multiply: its own factor", a.Multiply, pair, {"backward_b": lambda xp, gy, b: gy * b}),
        _entry("multiply: the broadcast is not summed", a.Multiply, normal(B, (3,)), {"broadcasts": False}),
        _entry("add: the mean of what was broadcast", a.Add, normal(B, (3,)),
               {"backward_b": lambda xp, gy: xp.mean(gy, axis=0)}),
        _entry("maximum: both sides the same", a.Maximum, pair,
               {"backward_b": lambda xp, gy, a, b: gy * (a > b)}),
        _entry("minimum: the larger side", a.Minimum, pair,
               {"backward_a": lambda xp, gy, a, b: gy * (a > b)}),
        _entry("clip: passes everything", a.Clip, x, {"backward": lambda xp, gy: gy}, low=-0.25, high=0.25),
        _entry("where: the condition is not inverted", a.Where, pair,
               {"backward_b": lambda xp, gy, *, condition: gy * condition}, condition=MASK > 0),
    ]  # fmt: skip


def _reductions() -> list[Wrong]:
    r, x = reduction, normal(A)
    axis = {"axis": 0, "keepdims": False}
    return [
        _entry("sum: divided by the count", r.Sum, x,
               {"backward": lambda xp, gy, x_shape: xp.broadcast_to(gy / 3, x_shape)}, **axis),
        _entry("sum: not broadcast back", r.Sum, x,
               {"backward": lambda xp, gy: xp.expand_dims(gy, 0)}, **axis),
        _entry("mean: without 1/n", r.Mean, x,
               {"backward": lambda xp, gy, x_shape: xp.broadcast_to(gy, x_shape)}, **axis),
        _entry("var: without the mean", r.Var, x,
               {"backward": lambda xp, gy, x, *, axis: gy * x * 2 / 3}, ddof=0, **axis),
        _entry("max: every element, not the largest", r.Extremum, x,
               {"backward": lambda xp, gy, x_shape: xp.broadcast_to(gy, x_shape)}, sign=1, **axis),
        _entry("logsumexp: eˣ instead of eˣ⁻ʸ", r.LogSumExp, x,
               {"backward": lambda xp, gy, x: gy * xp.exp(x)}, **axis),
        _entry("std: the derivative of the variance", r.Std, x,
               {"backward": lambda xp, gy, centered, *, axis: gy * 2 * centered / 3}, ddof=0, **axis),
        _entry("std: divided by n where the forward divides by n − 1", r.Std, x,
               {"backward": lambda xp, gy, y, centered, *, axis: gy * centered / (3 * y)}, ddof=1, **axis),
    ]  # fmt: skip


def _batch_norm(terms: Callable[..., Any]) -> dict[str, Any]:
    """The shipped rule with γ/(σm) · terms(Σ gy, x̂, Σ gy x̂) added to gx: the terms that it takes off."""

    def backward(xp, g, x, mean, var, gamma, *, eps):
        gx, g_gamma, g_beta = normalization.BatchNorm.backward(xp, g, x, mean, var, gamma, eps=eps)
        wide = [xp.reshape(a, mean.shape) for a in (gamma, g_beta, g_gamma)]
        inv_std = 1 / xp.sqrt(var + eps)
        share = wide[0] * inv_std * (mean.size / x.size)
        return gx + share * terms(wide[1], (x - mean) * inv_std, wide[2]), g_gamma, g_beta

    return {"backward": backward}


def _only_y(xp, g, x, mean, var, gamma, *, eps):
    return normalization.BatchNorm.backward(xp, (g[0], g[1] * 0, g[2] * 0), x, mean, var, gamma, eps=eps)


def _gamma_late(xp, gy, x, mean, inv_std, gamma, *, axes):
    x_hat = (x - mean) * inv_std
    along = xp.mean(gy * x_hat, axis=axes, keepdims=True)
    return gamma * (gy - xp.mean(gy, axis=axes, keepdims=True) - x_hat * along) * inv_std


def _own_channel(xp, gy, x, s, *, alpha, beta):
    return gy / s**beta * (1 - 2 * alpha * beta * x * x / s)


def _band_as_in_the_forward(xp, gy, x, s, *, band, alpha, beta):
    return normalization.LocalResponseNorm.backward(xp, gy, x, s, band=band.T, alpha=alpha, beta=beta)


def _normalizations() -> list[Wrong]:
    n, eps = normalization, {"eps": 0.125}
    batch, layer = normal((4, 2), (2,), (2,)), normal((2, 3), (3,), (3,))
    last = {"axes": (1,), **eps}
    return [
        _entry("batch norm: without the term of the mean", n.BatchNorm, batch,
               _batch_norm(lambda g_beta, x_hat, g_gamma: g_beta), **eps),
        _entry("batch norm: without the term of the variance", n.BatchNorm, batch,
               _batch_norm(lambda g_beta, x_hat, g_gamma: x_hat * g_gamma), **eps),
        _entry("batch norm: statistics as constants", n.BatchNorm, batch,
               _batch_norm(lambda g_beta, x_hat, g_gamma: g_beta + x_hat * g_gamma), **eps),
        _entry("batch norm: nothing through the returned statistics", n.BatchNorm, batch,
               {"backward": _only_y}, **eps),
        _entry("batch norm, evaluation: without γ", n.BatchNormFixed, batch,
               {"backward_x": lambda xp, gy, *, var, eps: gy / xp.sqrt(var + eps)}, **FIXED),
        _entry("batch norm, evaluation: the variance for its root", n.BatchNormFixed, batch,
               {"backward_x": lambda xp, gy, gamma, *, var, eps: gy * gamma / (var + eps)}, **FIXED),
        _entry("batch norm, evaluation: β from the mean over the batch", n.BatchNormFixed, batch,
               {"backward_beta": lambda xp, gy: xp.mean(gy, axis=0)}, **FIXED),
        _entry("layer norm: γ after the means instead of before", n.LayerNorm, layer,
               {"backward_x": _gamma_late}, **last),
        _entry("layer norm: statistics as constants", n.LayerNorm, layer,
               {"backward_x": lambda xp, gy, inv_std, gamma: gy * gamma * inv_std}, **last),
        _entry("layer norm: x instead of x̂ for γ", n.LayerNorm, layer,
               {"backward_gamma": lambda xp, gy, x: gy * x}, **last),
        _entry("response norm: the own channel alone", n.LocalResponseNorm, normal((2, 3, 1)),
               {"backward": _own_channel}, **RESPONSE),
        _entry("response norm: the windows of the forward, not transposed", n.LocalResponseNorm,
               normal((2, 3, 1)), {"backward": _band_as_in_the_forward}, **RESPONSE),
    ]  # fmt: skip


def _linear_maps() -> list[Wrong]:
    m, axes = linear, (1, 2, 0)
    return [
        _entry("matmul: operands swapped", m.MatMul, normal(C, C),
               {"backward_a": lambda xp, gy, b: xp.matmul(xp.swapaxes(b, -1, -2), gy)}),
        _entry("matmul: not transposed", m.MatMul, normal(C, C),
               {"backward_b": lambda xp, gy, a: xp.matmul(a, gy)}),
        _entry("matmul: the gradient transposed", m.MatMul, normal(C, C),
               {"backward_a": lambda xp, gy, b: xp.matmul(b, xp.swapaxes(gy, -1, -2))}),
        _entry("einsum: the letters of a in the wrong order", m.Einsum, normal(C, C),
               {"backward_a": lambda xp, gy, b: xp.einsum("ik,jk->ji", gy, b)}, letters=("ij", "jk", "ik")),
        _entry("einsum: a not transposed", m.Einsum, normal(C, C),
               {"backward_b": lambda xp, gy, a: xp.einsum("ij,jk->ik", a, gy)}, letters=("ij", "jk", "ik")),
        _entry("linear: bias from the first row only", m.Linear, normal(A, (2, 4), (2,)),
               {"backward_b": lambda xp, gy: gy[0]}),
        _entry("transpose: the same permutation back", shape.Transpose, normal((2, 2, 2)),
               {"backward": lambda xp, gy, *, axes: xp.transpose(gy, axes)}, axes=axes),
        _entry("getitem: repeats assigned, not added", shape.GetItem, normal(C), {"backward": _assigned},
               index=REPEATS),
        _entry("flip: not flipped back", shape.Flip, normal(C), {"backward": lambda xp, gy: gy}, axis=(0,)),
        _entry("dropout: the mask is not applied", dropout.Dropout, normal(B),
               {"backward": lambda xp, gy: gy}, mask=MASK),
        _entry("dropout: the mask without its scale", dropout.Dropout, normal(B),
               {"backward": lambda xp, gy, *, mask: gy * (mask > 0)}, mask=MASK),
    ]  # fmt: skip


def _sigmoid_twice(xp, gy, x, t):
    p = 0.5 * xp.tanh(0.5 * x) + 0.5
    return gy * (p - t) * p * (1 - p)


def _ignored_learns(xp, gy, x, *, labels, weight, filling):
    q = loss._class_targets(labels, weight, filling)
    return xp.expand_dims(gy, 1) * (xp.exp(loss._log_softmax(xp, x, 1)) / 2 - q)  # 2 rows count


def _sum_not_mean(xp, gy, x, *, labels, weight, filling):
    return loss.CrossEntropyOfClasses.backward(
        xp, gy, x, labels=labels, weight=weight, filling=filling._replace(mean=False)
    )


def _losses() -> list[Wrong]:
    c = loss.CrossEntropy
    draw = normal((2, 3), (2, 3), least=0.25)
    pair = normal(B, B)
    return [
        _entry("cross-entropy: p instead of p − q", c, draw,
               {"backward_x": lambda xp, gy, log_p: xp.expand_dims(gy, 1) * xp.exp(log_p)}),
        _entry("cross-entropy: p − q where Σ q is not 1", c, draw,
               {"backward_x": lambda xp, gy, log_p, q: xp.expand_dims(gy, 1) * (xp.exp(log_p) - q)}),
        _entry("cross-entropy of classes: an ignored row learns too", loss.CrossEntropyOfClasses, normal(C),
               {"backward": _ignored_learns}, **CLASSES),
        _entry("cross-entropy of classes: without the 1/N of the mean", loss.CrossEntropyOfClasses, normal(C),
               {"backward": _sum_not_mean}, **CLASSES),
        _entry("binary cross-entropy: the sigmoid's derivative once more", loss.BinaryCrossEntropy, pair,
               {"backward_x": _sigmoid_twice}),
        _entry("binary cross-entropy: without the minus of t", loss.BinaryCrossEntropy, pair,
               {"backward_t": lambda xp, gy, x: gy * x}),
        _entry("squared error: without the 2", loss.SquaredError, pair,
               {"backward_a": lambda xp, gy, a, b, *, scale: gy * scale * (a - b)}, scale=0.25),
        _entry("squared error: one sign for both", loss.SquaredError, pair,
               {"backward_b": lambda xp, gy, a, b, *, scale: gy * 2 * scale * (a - b)}, scale=0.25),
        _entry("huber: not limited", loss.Huber, normal(A),
               {"backward": lambda xp, gy, d: gy * d}, delta=0.5),
    ]  # fmt: skip


def _images() -> list[Wrong]:
    c, p = convolution.Conv2d, pooling
    draw = normal(IMAGE, KERNEL, (2,))

    def flipped(xp, gy, w, x_shape, *, stride, padding, dilation, groups):
        return xp.conv2d_input_grad(gy, xp.flip(w, axis=(2, 3)), x_shape, stride, padding, dilation, groups)

    def averaged(xp, gy, x, w_shape, *, stride, padding, dilation, groups):
        return xp.conv2d_weight_grad(gy, x, w_shape, stride, padding, dilation, groups) / x.shape[0]

    def whole_window(xp, gy, x_shape, *, kernel, stride, padding):
        return xp.avg_pool2d_adjoint(gy, x_shape, kernel, stride, padding, False, True)

    def undivided(xp, gy, x_shape, *, kernel, stride, padding, ceil_mode, count_include_pad):
        return 4 * xp.avg_pool2d_adjoint(gy, x_shape, kernel, stride, padding, ceil_mode, count_include_pad)

    def first_place(xp, gy, index, x_shape, *, kernel, stride, padding, dilation):
        return xp.max_pool2d_scatter(gy, index * 0, x_shape, kernel, stride, padding, dilation)

    return [
        _entry("conv2d: the kernel flipped in the input's gradient", c, draw,
               {"backward_x": flipped}, **CONV),
        _entry("conv2d: col2im that assigns instead of adds", c, draw, {"backward_x": _overwritten}, **CONV),
        _entry("conv2d: the mean over the batch, not the sum", c, draw, {"backward_w": averaged}, **CONV),
        _entry("conv2d: bias without the sum over the batch", c, draw,
               {"backward_b": lambda xp, gy: xp.sum(gy[0], axis=(1, 2))}, **CONV),
        _entry("max pooling: the whole window", p.MaxPool2d, normal(IMAGE), {"backward": whole_window},
               ceil_mode=False, **WINDOW),
        _entry("max pooling: always the first place", p.MaxPool2d, normal(IMAGE), {"backward": first_place},
               ceil_mode=False, **WINDOW),
        _entry("mean pooling: not divided", p.AvgPool2d, normal(IMAGE), {"backward": undivided}, **MEANS),
    ]  # fmt: skip


CATALOGUE: tuple[Wrong, ...] = (
    *_activations(), *_arithmetic(), *_reductions(), *_normalizations(), *_linear_maps(), *_losses(),
    *_images(),
)  # fmt: skip
