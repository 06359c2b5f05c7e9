"""Safe numbers: extremes of ±1e4, infinities, ties, and the derivatives that a convention decides."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_notes as tg
from tests.op_table import value_and_gradient
from tinygrad_notes import backend
from tinygrad_notes.ops.loss import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    nll_loss,
)
from tinygrad_notes.ops.pooling import max_pool2d

FAR = np.array([-1e4, -100.0, -1.0, 0.0, 1.0, 100.0, 1e4])


def _sigmoid(u):
    return 1 / (1 + math.exp(-u)) if u > -700 else 0.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("run", "value", "slope"), [
    (tg.sigmoid, _sigmoid, lambda u: _sigmoid(u) * _sigmoid(-u)),
    (tg.tanh, math.tanh, lambda u: 1 - math.tanh(u) ** 2),
    (tg.softplus, lambda u: max(u, 0) + math.log1p(math.exp(-abs(u))), _sigmoid),
    (tg.gelu, lambda u: u * 0.5 * math.erfc(-u / math.sqrt(2)),
     lambda u: 0.5 * math.erfc(-u / math.sqrt(2)) + u * math.exp(-u * u / 2) / math.sqrt(2 * math.pi)),
    (lambda x: tg.gelu(x, "tanh"),
     lambda u: 0.5 * u * (1 + math.tanh(math.sqrt(2 / math.pi) * (u + 0.044715 * u**3))), None),
    (tg.erf, math.erf, lambda u: 2 / math.sqrt(math.pi) * math.exp(-u * u)),
], ids=["sigmoid", "tanh", "softplus", "gelu", "gelu-tanh", "erf"])  # fmt: skip
def test_activations_are_exact_at_extremes(run, value, slope, dtype):
    y, g = value_and_gradient(run, FAR, dtype)
    tolerance = 1e-6 if dtype == np.float32 else 1e-14
    np.testing.assert_allclose(y, [value(u) for u in FAR], rtol=tolerance, atol=tolerance)
    assert np.isfinite(g).all()
    if slope is not None:
        np.testing.assert_allclose(g, [slope(u) for u in FAR], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("dtype", "x"), [(np.float32, -80.0), (np.float32, -15.0), (np.float64, -700.0)])
def test_sigmoid_keeps_all_digits_of_small_values(dtype, x):
    y, g = value_and_gradient(tg.sigmoid, x, dtype)
    np.testing.assert_allclose((y, g), math.exp(x) / (1 + math.exp(x)), rtol=1e-5)
    np.testing.assert_allclose(tg.log(tg.Tensor(y)).item(), x, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_family_at_extremes(dtype):
    x = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4]])
    third = math.log(3)
    p, g = value_and_gradient(tg.softmax, x, dtype)
    np.testing.assert_allclose(p, [[1, 0, 0], [1 / 3] * 3], rtol=1e-6)
    np.testing.assert_allclose(g, np.zeros((2, 3)), atol=1e-6)
    y, g = value_and_gradient(tg.log_softmax, x, dtype)
    np.testing.assert_allclose(y, [[0, -2e4, -1e4], [-third] * 3], rtol=1e-6)
    np.testing.assert_allclose(g, [[-2, 1, 1], [0, 0, 0]], atol=1e-6)
    y, g = value_and_gradient(lambda v: tg.logsumexp(v, axis=1), x, dtype)
    np.testing.assert_allclose(y, [1e4, -1e4 + third], rtol=1e-6)
    # the gradient is exp(x − y), and float32 holds y = −9998.9 to 5e-4
    np.testing.assert_allclose(g, [[1, 0, 0], [1 / 3] * 3], rtol=5e-4 if dtype == np.float32 else 1e-11)
    loss, g = value_and_gradient(lambda v: cross_entropy(v, np.array([1, 0]), reduction="none"), x, dtype)
    np.testing.assert_allclose(loss, [2e4, third], rtol=1e-6)
    np.testing.assert_allclose(g, [[1, -1, 0], [-2 / 3, 1 / 3, 1 / 3]], rtol=1e-5)


def test_logsumexp_of_infinities():
    low = [-np.inf, -np.inf]
    y, g = value_and_gradient(lambda v: tg.logsumexp(v, axis=1), [low, [0.0, -np.inf], [np.inf, 0.0]])
    np.testing.assert_array_equal(y, [-np.inf, 0, np.inf])
    np.testing.assert_array_equal(g[:2], [[0, 0], [1, 0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("pos_weight", [None, 3.0])
def test_binary_cross_entropy_at_extremes(dtype, pos_weight):
    def run(x):
        t = tg.Tensor(np.array([0, 0, 1, 1, 1, 0], dtype))
        weight = None if pos_weight is None else np.array(pos_weight)
        return binary_cross_entropy_with_logits(x, t, reduction="none", pos_weight=weight)

    w = pos_weight or 1
    loss, g = value_and_gradient(run, [-1e4, 1e4, -1e4, 1e4, 20, -20], dtype)
    tail = math.log1p(math.exp(-20))
    np.testing.assert_allclose(loss[:5], [0, 1e4, 1e4 * w, 0, tail * w], rtol=1e-6)
    np.testing.assert_allclose(g[:4], [0, 1, -w, 0], rtol=1e-6)
    if pos_weight is None:  # max(x, 0) − x t cancels exactly before the small part is added
        np.testing.assert_allclose(loss[5], tail, rtol=1e-6)


def test_a_class_masked_by_minus_infinity_costs_nothing():
    loss, g = value_and_gradient(lambda v: cross_entropy(v, np.array([0])), [[0.0, -np.inf, 0.0]])
    np.testing.assert_allclose(loss, math.log(2))
    np.testing.assert_allclose(g, [[-0.5, 0, 0.5]])


def test_nll_loss_takes_log_probabilities_of_minus_infinity():
    loss, g = value_and_gradient(lambda v: nll_loss(v, np.array([0])), [[-0.5, -np.inf, -1.0]])
    assert loss == 0.5
    np.testing.assert_array_equal(g, [[-1, 0, 0]])


def test_derivative_of_relu_at_zero_is_zero():
    y, g = value_and_gradient(tg.relu, [-1.0, -0.0, 0.0, 1.0])
    np.testing.assert_array_equal(y, [0, 0, 0, 1])
    np.testing.assert_array_equal(g, [0, 0, 0, 1])


def test_derivative_of_leaky_relu_at_zero_is_the_slope():
    _, g = value_and_gradient(lambda x: tg.leaky_relu(x, 0.125), [-1.0, -0.0, 0.0, 1.0])
    np.testing.assert_array_equal(g, [0.125, 0.125, 0.125, 1])


def test_derivative_of_abs_at_zero_is_zero():
    np.testing.assert_array_equal(value_and_gradient(tg.abs, [0.0, -0.0])[1], [0, 0])


def test_derivative_of_clip_on_its_bounds_is_one():
    _, g = value_and_gradient(lambda x: tg.clip(x, -1, 1), [-1.5, -1, 0, 1, 1.5])
    np.testing.assert_array_equal(g, [0, 1, 1, 1, 0])


@pytest.mark.parametrize("run", [tg.maximum, tg.minimum])
def test_equal_arguments_share_the_gradient(run):
    a, b = (tg.Tensor([2.0, 2.0], requires_grad=True) for _ in range(2))
    run(a, b).sum().backward()
    np.testing.assert_array_equal(a.grad.numpy(), [0.5, 0.5])
    np.testing.assert_array_equal(b.grad.numpy(), [0.5, 0.5])


@pytest.mark.parametrize("run", [tg.max, tg.min])
def test_equal_extrema_share_the_gradient(run):
    _, g = value_and_gradient(lambda x: run(x, axis=0), [[1.0, 2.0], [1.0, 2.0]])
    np.testing.assert_array_equal(g, np.full((2, 2), 0.5))


def test_std_of_equal_numbers_has_gradient_zero():
    y, g = value_and_gradient(lambda x: tg.std(x, axis=1), [[2.0, 2.0], [1.0, 3.0]])
    np.testing.assert_array_equal(y, [0, 1])
    np.testing.assert_allclose(g, [[0, 0], [-0.5, 0.5]])


def test_powers_at_zero():
    _, g = value_and_gradient(lambda x: x**0, [0.0, 2.0])
    np.testing.assert_array_equal(g, [0, 0])
    _, g = value_and_gradient(lambda x: x**2, [0.0, -2.0])
    np.testing.assert_array_equal(g, [0, -4])
    a = tg.Tensor([0.0, 0.0, 2.0], requires_grad=True)
    b = tg.Tensor([0.0, 3.0, 3.0], requires_grad=True)
    tg.power(a, b).sum().backward()
    np.testing.assert_allclose(a.grad.numpy(), [0, 0, 12])
    np.testing.assert_allclose(b.grad.numpy(), [0, 0, 8 * math.log(2)], rtol=1e-6)


def test_where_keeps_infinity_out_of_the_side_not_taken():
    x = tg.Tensor([0.0, 2.0], requires_grad=True)
    safe = tg.where(x > 0, x, 1.0)
    tg.where(x > 0, tg.log(safe), 0.0).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [0, 0.5])


def test_max_pool_gives_the_gradient_to_the_first_of_equal_values():
    x = np.ones((1, 1, 3, 3))
    _, g = value_and_gradient(lambda v: max_pool2d(v, (2, 2), (1, 1), (0, 0), (1, 1), False), x)
    np.testing.assert_array_equal(g[0, 0], [[1, 1, 0], [1, 1, 0], [0, 0, 0]])


def test_max_pool_never_chooses_the_padding():
    y, g = value_and_gradient(
        lambda v: max_pool2d(v, (3, 3), (2, 2), (1, 1), (1, 1), True), np.full((1, 1, 4, 4), -5.0)
    )
    np.testing.assert_array_equal(y, np.full((1, 1, 3, 3), -5.0))
    assert g.sum() == 9


@pytest.mark.parametrize("loss", [cross_entropy, nll_loss])
@pytest.mark.parametrize("weight", [None, np.ones(3)])
def test_every_label_ignored_is_loss_zero_and_gradient_zero(loss, weight):
    labels = np.array([-100, -100])
    y, g = value_and_gradient(lambda v: loss(v, labels, weight=weight), np.ones((2, 3)))
    assert y == 0
    np.testing.assert_array_equal(g, np.zeros((2, 3)))


@pytest.mark.parametrize("wrong", [3, -1, 100])
@pytest.mark.parametrize("loss", [cross_entropy, nll_loss])
def test_class_index_out_of_range(loss, wrong):
    """An error; on a device, which nobody waits for, the loss is NaN."""
    x, labels = tg.Tensor(np.zeros((2, 3))), np.array([0, wrong])
    if backend.BACKEND == "cupy":
        assert np.isnan(loss(x, labels).item())
    else:
        with pytest.raises(ValueError, match=rf"{loss.__name__}: class index {wrong} is not in 0\.\.2"):
            loss(x, labels)


def test_a_wrong_label_under_ignore_index_is_no_error():
    y = cross_entropy(tg.Tensor(np.zeros((2, 3))), np.array([0, 255], np.uint8), ignore_index=255)
    np.testing.assert_allclose(y.numpy(), math.log(3))


def test_mse_conventions():
    a, b = np.array([1.0, 2.0, 4.0]), np.array([0.0, 0.0, 0.0])
    y, g = value_and_gradient(lambda v: tg.ops.loss.mse_loss(v, b), a)
    np.testing.assert_allclose((y, *g), (7, 2 / 3, 4 / 3, 8 / 3))
    y, g = value_and_gradient(lambda v: tg.ops.loss.mse_loss(v, b, convention="notes"), a)
    np.testing.assert_allclose((y, *g), (3.5, 1 / 3, 2 / 3, 4 / 3))


def test_dropout_scales_what_it_keeps_and_is_reproducible():
    x = tg.Tensor(np.ones(10_000, np.float32), requires_grad=True)
    tg.manual_seed(3)
    y = tg.ops.dropout.dropout(x, 0.25)
    values = y.detach().numpy()
    np.testing.assert_allclose(np.unique(values), [0, 4 / 3], rtol=1e-6)
    assert abs((values == 0).mean() - 0.25) < 0.02
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), values)
    tg.manual_seed(3)
    np.testing.assert_array_equal(tg.ops.dropout.dropout(x, 0.25).detach().numpy(), values)
    assert tg.ops.dropout.dropout(x, 0.25, training=False) is x
    assert tg.ops.dropout.dropout(x, 0.0) is x
    assert not tg.ops.dropout.dropout(x, 1.0).detach().numpy().any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("x", [-15.0, -20.0, -40.0])
def test_derivatives_of_softplus_and_binary_cross_entropy_keep_all_digits(dtype, x):
    for run in (tg.softplus, lambda x: binary_cross_entropy_with_logits(x, tg.Tensor([0.0], dtype=dtype))):
        _, g = value_and_gradient(run, np.array([x]), dtype)
        assert g[0] == pytest.approx(math.exp(x) / (1 + math.exp(x)), rel=1e-6)


@pytest.mark.parametrize("cut", [
    tg.relu, lambda x: tg.clip(x, 0.0, 9.0), lambda x: tg.maximum(x, 0.0),
    lambda x: -tg.minimum(-x, 0.0),
])  # fmt: skip
def test_an_infinite_gradient_stays_out_of_what_was_cut_off(cut):
    x = tg.Tensor([-1.0, 4.0], requires_grad=True)
    cut(x).backward(np.array([np.inf, 0.25], np.float32))  # as from a square root
    np.testing.assert_array_equal(x.grad.numpy(), [0, 0.25])


def test_mixed_second_derivative_of_a_power_at_exponent_zero():
    assert tg.gradgradcheck(lambda a, b: a**b, [np.array(2.0), np.array(0.0)])


def test_losses_of_unsigned_integers_do_not_wrap_around():
    zero, full = tg.Tensor(np.array([0], np.uint8)), tg.Tensor(np.array([255], np.uint8))
    for loss in (tg.nn.functional.mse_loss, tg.nn.functional.l1_loss, tg.nn.functional.huber_loss):
        with pytest.raises(TypeError, match="must be real numbers"):
            loss(zero, full)


def test_cross_entropy_with_negative_weights_divides_by_their_sum():
    x, weight = np.array([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]]), np.array([-1.0, -2.0, 1.0])
    each = np.log(np.exp(x).sum(1)) - x[[0, 1], [0, 1]]
    got = cross_entropy(tg.Tensor(x), tg.Tensor([0, 1]), weight=weight)
    assert got.item() == pytest.approx((weight[:2] * each).sum() / weight[:2].sum())


def test_steps_of_arange_are_not_rounded_to_float32():
    got = tg.arange(1e6, 1e6 + 1, 0.125)
    assert got.dtype == np.float32 and got.shape == (8,) and got.numpy().max() < 1e6 + 1
    for start, stop, step in ((1e6, 1e6 + 2, 0.1), (0, 1000, 0.7)):
        expected = np.arange(start, stop, step).astype(np.float32)
        np.testing.assert_array_equal(tg.arange(start, stop, step).numpy(), expected)
    with pytest.raises(ValueError, match="step must not be 0"):
        tg.arange(0, 1, 0)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16])
def test_narrow_indices_have_a_backward(dtype):
    w = tg.Tensor(np.ones((256, 2), np.float32), requires_grad=True)
    w[np.array([1, 2, 1], dtype)].sum().backward()
    assert w.grad.numpy()[:4, 0].tolist() == [0, 2, 1, 0]


@pytest.mark.parametrize("call, error, message", [
    (lambda x: tg.nn.functional.dropout(x, 0.5, True, np.ones((2, 3))), ValueError, r"mask \(2, 3\)"),
    (lambda x: tg.pad(x, 1.7), TypeError, "widths must be integers"),
    (lambda x: tg.repeat(x, 1.5, 0), TypeError, "float"),
    (lambda x: tg.grad(x.sum(), [1.0]), TypeError, "inputs must be Tensors, got float"),
    (lambda x: tg.grad(3.0, x), TypeError, "float"),
])  # fmt: skip
def test_arguments_that_were_cut_or_misread(call, error, message):
    with pytest.raises(error, match=message):
        call(tg.Tensor(np.ones(3, np.float32), requires_grad=True))
