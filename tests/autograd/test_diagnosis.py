"""What a failed gradient check says: the worst element, and which mistake it looks like."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_notes as tg
from tests.wrong_gradients import Constant, ScaledTanh, failure, spoiled
from tinygrad_notes import backend
from tinygrad_notes.autograd import Function
from tinygrad_notes.autograd.gradcheck import gradcheck
from tinygrad_notes.ops import activation, arithmetic, linear, reduction


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(3).standard_normal((3, 4))


def test_names_the_worst_element():
    factor = np.ones((2, 3))
    factor[1, 2] = 1.5
    factor = backend.asarray(factor)
    text = failure(lambda t: ScaledTanh.apply(t, factor=factor), np.full((2, 3), 0.3))
    assert "input 0[1, 2] is worst" in text
    assert "(1 of 6 elements are wrong)" in text
    assert "a single element is wrong" in text


def test_the_only_element_is_not_called_a_single_one():
    """The function is constant, so no factor explains its gradient."""

    class Flat(Function):
        def forward(xp, x):
            return x * 0

        def backward(xp, gy):
            return gy

    text = failure(Flat.apply, np.array([0.3]))
    assert "(1 of 1 elements are wrong)" in text
    assert "a single element is wrong" not in text


def test_says_which_inputs_are_right(x):
    wrong = spoiled(arithmetic.Multiply, backward_b=lambda xp, gy, a: -gy * a)
    text = failure(wrong, x, x + 1)
    assert "input 1: sign: the gradient has the wrong sign" in text
    assert "right: input 0" in text


@pytest.mark.parametrize(
    ("factor", "text"),
    [
        (3, "factor 3: the gradient is 3 times too large"),
        (-3, "factor -3: the gradient is -3 times too large"),
        (1 / 12, "factor 1/12: the gradient lacks a factor 12"),
        (-1 / 2, "factor 1/-2: the gradient lacks a factor -2"),
        (1.25, "factor 1.25 on every element"),
        (-1.25, "factor -1.25 on every element"),
        (1e6, "factor 1000000:"),
        (1.5e6, "factor 1500000 on every element"),
    ],
)
def test_a_factor(x, factor, text):
    assert text in failure(lambda t: ScaledTanh.apply(t, factor=factor), x)


def test_a_gradient_that_is_zero(x):
    assert "the gradient is zero" in failure(lambda t: t.detach().exp(), x)


def test_a_transposed_gradient():
    square = np.random.default_rng(0).standard_normal((3, 3))
    wrong = spoiled(activation.Tanh, backward=lambda xp, gy, y: xp.transpose(gy * (1 - y * y), (1, 0)))
    assert "transposed: the gradient is right with its axes in the order (1, 0)" in failure(wrong, square)


@pytest.mark.parametrize("axes", [(1, 2, 0), (2, 0, 1), (0, 2, 1)])
def test_axes_in_another_order(axes):
    cube = np.random.default_rng(0).standard_normal((3, 3, 3))
    wrong = spoiled(activation.Tanh, backward=lambda xp, gy, y: xp.transpose(gy * (1 - y * y), axes))
    assert f"the gradient is right with its axes in the order {axes}" in failure(wrong, cube)


@pytest.mark.parametrize(("row", "axes"), [(slice(None), (1,)), (slice(None), (0, 1)), (0, (0,))])
def test_a_flipped_gradient(x, row, axes):
    wrong = spoiled(arithmetic.Negative, backward=lambda xp, gy: xp.flip(-gy, axis=axes))
    assert f"flipped: the gradient is right with axes {axes} reversed" in failure(wrong, x[row])


def test_a_broadcast_that_is_not_summed(x):
    not_declared = spoiled(arithmetic.Add, broadcasts=False)
    assert "missing broadcast sum: (3, 4) is (4,) broadcast" in failure(not_declared, x, x[0])
    first_row = spoiled(linear.Linear, backward_b=lambda xp, gy: gy[0])
    text = failure(first_row, x, x[:2], np.ones(2))
    assert "missing broadcast sum: only the slice 0 along axis 0" in text
    last_row = spoiled(linear.Linear, backward_b=lambda xp, gy: gy[-1])
    text = failure(last_row, x, x[:2], np.ones(2))
    assert "missing broadcast sum: only the slice 2 along axis 0 of output 0 is counted" in text
    text = failure(lambda *inputs: (inputs[0] * 1, last_row(*inputs)), x, x[:2], np.ones(2))
    assert "missing broadcast sum: only the slice 2 along axis 0 of output 1 is counted" in text
    last_column = spoiled(arithmetic.Add, backward_b=lambda xp, gy: gy[:, -1:])
    assert "only the slice 3 along axis 1 of output 0 is counted" in failure(last_column, x, x[:, :1])


@pytest.mark.parametrize("axis", [0, 1])
def test_a_missing_term(x, axis):
    wrong = spoiled(reduction.Var, backward=lambda xp, gy, x: gy * x * (2 / x.shape[axis]))
    text = failure(lambda t: wrong(t, axis=axis, keepdims=True, ddof=0), x)
    assert f"missing term: the difference is constant along axis {axis}" in text


def test_a_cause_is_sought_only_where_all_elements_were_differenced():
    for size, text in ((512, "sign: the gradient"), (513, "only the first 512 elements were differenced")):
        wrong = spoiled(arithmetic.Negative, backward=lambda xp, gy: gy)
        assert f"input 0: {text}" in failure(wrong, np.linspace(0.5, 1.5, size))


def test_a_gradient_of_another_shape(x):
    wrong = spoiled(reduction.Sum, backward=lambda xp, gy: gy)
    assert "the backward raised" in failure(lambda t: wrong(t, axis=0, keepdims=True), x)


def test_float32_inside(x):
    forward = failure(lambda t: t.astype(np.float32).tanh().astype(np.float64), x)
    assert "float32 precision: the forward does not feel a change" in forward
    rounds = spoiled(activation.Tanh, backward=lambda xp, gy, y: (gy * (1 - y * y)).astype(np.float32))
    assert "float32 precision: every element of the gradient is a float32 number" in failure(rounds, x)
    assert "float32 precision: output 0 is float32" in failure(lambda t: t.astype(np.float32), x)


def test_randomness_inside(x):
    rng = np.random.default_rng(0)
    text = failure(lambda t: t * tg.Tensor(rng.random((3, 4))), x)
    assert "non-deterministic: output 0 differs between two calls" in text


def test_a_kink_is_called_a_kink():
    assert "input 0: kink: the derivatives from the left" in failure(tg.relu, np.array([0.0, 1.0]))


def test_a_jump_is_called_a_jump():
    assert "input 0: jump:" in failure(lambda t: tg.sign(t) * tg.exp(t), np.array([0.0, 1.0]))


def test_a_value_that_is_not_finite():
    for point in (-1.0, 0.0):
        assert "output 0 is NaN or infinite at this point" in failure(tg.log, np.array([point]))
        assert "output 1 is NaN" in failure(lambda x: (x * 1, tg.log(x)), np.array([point]))


def test_a_constant_in_the_backward_is_found_at_order_2(x):
    assert gradcheck(lambda t: Constant.apply(t, wrong=False), x)
    text = failure(lambda t: Constant.apply(t, wrong=True), x)
    assert "order 1 is right: the backward uses as a constant" in text
    assert gradcheck(lambda t: Constant.apply(t, wrong=True), x, order=1)


def test_raw_and_tape_backward_must_agree(x):
    wrong = spoiled(
        activation.Tanh,
        backward=lambda xp, gy, y: gy * (1 - y * y) * (2 if isinstance(y, tg.Tensor) else 1),
    )
    assert "the same backward on Tensors (create_graph=True)" in failure(wrong, x)
