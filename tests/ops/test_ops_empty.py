"""Arrays without elements and arrays without axes."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_notes as tg
from tests.op_table import value_and_gradient
from tinygrad_notes.ops.convolution import conv2d
from tinygrad_notes.ops.loss import binary_cross_entropy_with_logits, cross_entropy
from tinygrad_notes.ops.pooling import avg_pool2d, max_pool2d

EMPTY_ALLOWED = {
    "sum": (tg.sum, 0.0),
    "exp": (tg.exp, np.zeros((0, 3))),
    "relu": (tg.relu, np.zeros((0, 3))),
    "multiply": (lambda x: x * tg.ones(3), np.zeros((0, 3))),
    "power": (lambda x: x**2, np.zeros((0, 3))),
    "sum over the empty axis": (lambda x: x.sum(axis=0), np.zeros(3)),
    "max over a full axis": (lambda x: x.max(axis=1), np.zeros(0)),
    "mean over a full axis": (lambda x: x.mean(axis=1), np.zeros(0)),
    "softmax": (tg.softmax, np.zeros((0, 3))),
    "log_softmax": (tg.log_softmax, np.zeros((0, 3))),
    "logsumexp over a full axis": (lambda x: tg.logsumexp(x, 1), np.zeros(0)),
    "prod": (tg.prod, 1.0),
    "prod over the empty axis": (lambda x: x.prod(axis=0), np.ones(3)),
    "cumsum": (lambda x: tg.cumsum(x, 0), np.zeros((0, 3))),
    "norm": (tg.norm, 0.0),
    "sort": (lambda x: tg.sort(x, 0), np.zeros((0, 3))),
    "masked_fill": (lambda x: tg.masked_fill(x, x > 0, 1.0), np.zeros((0, 3))),
    "tril": (tg.tril, np.zeros((0, 3))),
    "reshape": (lambda x: x.reshape(3, 0), np.zeros((3, 0))),
    "transpose": (lambda x: x.T, np.zeros((3, 0))),
    "flatten": (tg.flatten, np.zeros(0)),
    "concat": (lambda x: tg.concat([x, np.ones((2, 3))]), np.ones((2, 3))),
    "pad": (lambda x: tg.pad(x, 1), np.zeros((2, 5))),
    "getitem": (lambda x: x[:, 1], np.zeros(0)),
    "no row taken": (lambda x: x[np.zeros(0, int)], np.zeros((0, 3))),
    "matmul: no rows": (lambda x: x @ tg.ones((3, 2)), np.zeros((0, 2))),
    "matmul: nothing to sum": (lambda x: x.T @ x, np.zeros((3, 3))),
    "linear": (lambda x: tg.ops.linear.linear(x, np.ones((2, 3)), tg.tensor(np.ones(2))), np.zeros((0, 2))),
    "einsum": (lambda x: tg.einsum("ij,ik->jk", x, x), np.zeros((3, 3))),
    "cross_entropy of no rows": (lambda x: cross_entropy(x, np.zeros(0, int)), 0.0),
    "erf": (tg.erf, np.zeros((0, 3))),
    "conv2d of no images": (
        lambda x: conv2d(x.reshape(0, 1, 3, 1), tg.ones((2, 1, 2, 1)), None, (1, 1), (0, 0), (1, 1), 1),
        np.zeros((0, 2, 2, 1))),
    "max_pool2d of no images": (
        lambda x: max_pool2d(x.reshape(0, 1, 3, 1), (2, 1), (1, 1), (0, 0), (1, 1), False),
        np.zeros((0, 1, 2, 1))),
    "avg_pool2d of no images": (
        lambda x: avg_pool2d(x.reshape(0, 1, 3, 1), (2, 1), (1, 1), (0, 0), False, True),
        np.zeros((0, 1, 2, 1))),
}  # fmt: skip


@pytest.mark.parametrize(("run", "expected"), EMPTY_ALLOWED.values(), ids=EMPTY_ALLOWED)
def test_empty_inputs(run, expected):
    y, g = value_and_gradient(run, np.zeros((0, 3)))
    np.testing.assert_array_equal(y, expected)
    assert g.shape == (0, 3)


def test_linear_with_no_features():
    x = tg.Tensor(np.zeros((2, 3, 0)), requires_grad=True)
    w = tg.Tensor(np.zeros((4, 0)), requires_grad=True)
    b = tg.Tensor(np.ones(4), requires_grad=True)
    y = tg.ops.linear.linear(x, w, b)
    y.sum().backward()
    assert (y.shape, x.grad.shape, w.grad.shape) == ((2, 3, 4), (2, 3, 0), (4, 0))
    np.testing.assert_array_equal(b.grad.numpy(), np.full(4, 6))


EMPTY_REFUSED = {
    "mean": tg.mean, "var": tg.var, "std": tg.std, "max": tg.max, "min": tg.min, "argmax": tg.argmax,
    "logsumexp": tg.logsumexp, "softmax": lambda x: tg.softmax(x, axis=0),
    "log_softmax": lambda x: tg.log_softmax(x, axis=0),
    "mse_loss": lambda x: tg.ops.loss.mse_loss(x, x),
    "l1_loss": lambda x: tg.ops.loss.l1_loss(x, x),
    "binary_cross_entropy_with_logits": lambda x: binary_cross_entropy_with_logits(x, x),
    "reshape": lambda x: x.reshape(0, -1),
}  # fmt: skip


@pytest.mark.parametrize(("name", "run"), EMPTY_REFUSED.items(), ids=EMPTY_REFUSED)
def test_nothing_has_no_mean_and_no_maximum(name, run):
    with pytest.raises(ValueError, match=rf"^{name}: .*\(0, 3\)"):
        run(tg.Tensor(np.zeros((0, 3))))


ZERO_D = {
    "exp": tg.exp, "log": tg.log, "sqrt": tg.sqrt, "sin": tg.sin, "cos": tg.cos, "abs": tg.abs,
    "negative": tg.negative, "sigmoid": tg.sigmoid, "tanh": tg.tanh, "relu": tg.relu,
    "leaky_relu": tg.leaky_relu, "softplus": tg.softplus, "gelu": tg.gelu, "erf": tg.erf, "sum": tg.sum,
    "mean": tg.mean, "max": tg.max, "min": tg.min, "var": lambda x: x + tg.var(x),
    "logsumexp": tg.logsumexp, "power": lambda x: x**3, "clip": lambda x: tg.clip(x, 0, 2),
    "where": lambda x: tg.where(True, x, 0.0), "transpose": lambda x: x.T, "flip": tg.flip,
    "getitem": lambda x: x[...], "pad": lambda x: tg.pad(x, 1), "reshape": lambda x: tg.reshape(x, ()),
    "squeeze": tg.squeeze, "broadcast_to": lambda x: tg.broadcast_to(x, ()), "dropout":
    lambda x: tg.ops.dropout.dropout(x, 0.5, mask=np.array(2.0)),
    "mse_loss": lambda x: tg.ops.loss.mse_loss(x, np.array(0.5, x.dtype)),
}  # fmt: skip


@pytest.mark.parametrize("run", ZERO_D.values(), ids=ZERO_D)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_without_axes(run, dtype):
    x = tg.Tensor(np.array(1.25, dtype), requires_grad=True)
    y = run(x)
    assert (y.shape, y.dtype) == ((), dtype)
    (g,) = tg.grad(y * 1, x, create_graph=True)
    assert (g.shape, g.dtype) == ((), dtype)
    one = value_and_gradient(lambda v: run(v.reshape(())), [1.25], dtype)
    np.testing.assert_allclose((y.item(), g.item()), (one[0], one[1][0]))


def test_an_empty_list_picks_no_rows():
    x = tg.Tensor(np.arange(6.0).reshape(3, 2), requires_grad=True)
    y = x[[]]
    assert y.shape == (0, 2)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.zeros((3, 2)))
