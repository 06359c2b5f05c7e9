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
from ..ops import activation, arithmetic, convolution, dropout, linear, loss, pooling, reduction, shape

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


class Standardize(Function):
    """y = (x − μ) / σ down each column: what batch normalization does before its scale and shift.

    ∂L/∂x = (gy − mean gy − y · mean(gy · y)) / σ: the last two terms are those of μ and of σ.
    """

    saves = ("normal", "inv_std")

    def save(xp, x):
        centered = x - xp.mean(x, axis=0)
        inv_std = 1 / xp.sqrt(xp.mean(centered * centered, axis=0) + 0.125)
        return centered * inv_std, inv_std

    def forward(xp, normal):
        return normal * 1

    def backward(xp, gy, normal, inv_std):
        g = gy - xp.mean(gy, axis=0) - normal * xp.mean(gy * normal, axis=0)
        return inv_std * g


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


A, B, C = (3, 4), (2, 3), (3, 3)
IMAGE, KERNEL = (2, 1, 3, 3), (2, 1, 2, 2)
CONV = {**UNIT, "groups": 1}


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
        _entry("exp: 1 instead of y", a.Exp, x, {"backward": lambda xp, gy: gy}),
        _entry("abs: without the sign", a.Abs, x, {"backward": lambda xp, gy: gy}),
        _entry("cos: without the minus", a.Cos, x, {"backward": lambda xp, gy, x: gy * xp.sin(x)}),
        _entry("subtract: without the minus of b", a.Subtract, pair, {"backward_b": lambda xp, gy: gy}),
        _entry("multiply: its own factor", a.Multiply, pair, {"backward_b": lambda xp, gy, b: gy * b}),
        _entry("multiply: the broadcast is not summed", a.Multiply, normal(B, (3,)), {"broadcasts": False}),
        _entry("add: the mean of what was broadcast", a.Add, normal(B, (3,)),
               {"backward_b": lambda xp, gy: xp.mean(gy, axis=0)}),
        _entry("maximum: both sides the same", a.Maximum, pair,
               {"backward_b": lambda xp, gy, a, b: gy * (a > b)}),
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
        _entry("normalization: without the term of the mean", Standardize, x,
               {"backward": lambda xp, gy, normal, inv_std:
                inv_std * (gy - normal * xp.mean(gy * normal, axis=0))}),
        _entry("normalization: without the term of the variance", Standardize, x,
               {"backward": lambda xp, gy, inv_std: inv_std * (gy - xp.mean(gy, axis=0))}),
        _entry("normalization: statistics as constants", Standardize, x,
               {"backward": lambda xp, gy, inv_std: inv_std * gy}),
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


def _losses() -> list[Wrong]:
    c = loss.CrossEntropy
    draw = normal((2, 3), (2, 3), least=0.25)
    pair = normal(B, B)
    return [
        _entry("cross-entropy: p instead of p − q", c, draw,
               {"backward_x": lambda xp, gy, log_p: xp.expand_dims(gy, 1) * xp.exp(log_p)}),
        _entry("cross-entropy: p − q where Σ q is not 1", c, draw,
               {"backward_x": lambda xp, gy, log_p, q: xp.expand_dims(gy, 1) * (xp.exp(log_p) - q)}),
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
    *_activations(), *_arithmetic(), *_reductions(), *_linear_maps(), *_losses(), *_images(),
)  # fmt: skip
