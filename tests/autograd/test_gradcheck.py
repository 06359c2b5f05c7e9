"""The gradient check: it passes what is right and refuses what is wrong. What it says: test_diagnosis.py."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_notes as tg
from tests.wrong_gradients import Constant, ScaledTanh, failure, spoiled
from tinygrad_notes import backend
from tinygrad_notes.autograd import Function
from tinygrad_notes.autograd.differences import central, is_kink, largest
from tinygrad_notes.autograd.gradcheck import GradcheckError, _report, _worse, gradcheck, gradgradcheck
from tinygrad_notes.ops import activation


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(3).standard_normal((3, 4))


# ---- the check is strict, and never wrong ------------------------------------------------------


@pytest.mark.parametrize("where", ["every element", "one element"])
def test_a_tenth_of_a_percent_is_refused_200_times_of_200(where):
    refused = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        factor = np.ones(3)
        factor[... if where == "every element" else rng.integers(3)] = 1.001
        attributes = {"factor": backend.asarray(factor)}
        report = gradcheck(
            lambda t, attributes=attributes: ScaledTanh.apply(t, **attributes),
            rng.uniform(-2, 2, 3), order=1, directions=1, seed=seed, raise_exception=False,
        )  # fmt: skip
        refused += "of 3 elements are wrong" in report.text
    assert refused == 200


def test_a_right_backward_passes_400_times_of_400():
    for seed in range(400):
        inputs = np.random.default_rng(seed).uniform(-2, 2, (2, 3))
        assert gradcheck(tg.tanh, inputs, directions=1, seed=seed)


def test_errors_are_far_below_the_tolerance(x):
    report = gradcheck(lambda a, b: tg.softmax(a @ b.T).sum(axis=0), (x, x[:2] + 0.5))
    assert report.error1 < 1e-10
    assert report.error2 < 1e-9
    assert report.tape_error < 1e-14
    assert report.text.startswith("gradcheck passed")


def test_the_seed_fixes_the_directions(x):
    first, again, other = (gradcheck(tg.exp, x, seed=s) for s in (1, 1, 2))
    assert first.error1 == again.error1 != other.error1


# ---- large beside small, near and far from 0 ----------------------------------------------------


class Scaled(Function):
    """x · s, with the gradient gy · t, and in the derivative of that gy · u."""

    def forward(xp, x, *, s, t, u):
        return x * s

    def backward(xp, gy, *, s, t, u):
        return Scaled.apply(gy, s=t, t=u, u=u) if isinstance(gy, tg.Tensor) else gy * t


def scaled(s, t, u=None, after=lambda y: y):
    s, t, u = (backend.asarray(np.array(a, np.float64)) for a in (s, t, t if u is None else u))
    return lambda x: after(Scaled.apply(x, s=s, t=t, u=u))


POINTS = [[0.7, 0.3], [1e-6, 0.5], [1e8, 1e-8]]


@pytest.mark.parametrize("point", POINTS, ids=str)
@pytest.mark.parametrize("wrong", [2, 0, -1, 1.001])
@pytest.mark.parametrize("large", [1e3, 1e10, 1e14])
def test_a_wrong_gradient_beside_a_large_one_is_refused(large, wrong, point):
    point = np.array(point)
    assert gradcheck(scaled([large, 1], [large, 1]), point)
    text = failure(scaled([large, 1], [large, wrong]), point)
    assert "input 0[1] is worst" in text and "(1 of 2 elements are wrong)" in text
    text = failure(scaled([large, 1], [large, 1], [large, wrong]), point)
    assert "gy of output 0[1] is worst" in text and "order 1 is right" in text


@pytest.mark.parametrize("wrong", [2, 0, -1])
@pytest.mark.parametrize("large", [1e3, 1e10])
def test_a_wrong_gradient_beside_a_large_one_in_one_sum_is_refused(large, wrong):
    """As long as 64 bits hold both: a step of the small element must move the sum."""
    point = np.array([0.7, 0.3])
    assert gradcheck(scaled([large, 1], [large, 1], after=tg.sum), point)
    failure(scaled([large, 1], [large, wrong], after=tg.sum), point)


def test_a_wrong_path_through_a_small_output_is_refused():
    """The gradient of one input is the sum of a large path and of a small one."""
    point = np.array([0.3, 0.8])
    assert gradcheck(lambda x: (1e10 * tg.sin(x), tg.cos(x)), point)
    wrong = spoiled(activation.Tanh, backward=lambda xp, gy, y: gy * (1 - y))
    failure(lambda x: (1e10 * tg.sin(x), wrong(x)), point)
    failure(lambda x: tg.concat([1e10 * tg.sin(x), wrong(x)]), point)


def test_one_wrong_element_among_thousands_of_large_ones_is_refused():
    size = np.full(3000, 1e10)
    size[1234] = 1.0
    wrong = size.copy()
    wrong[1234] = 1.01
    point = np.linspace(0.5, 1.5, 3000)
    assert gradcheck(scaled(size, size), point)
    assert not gradcheck(scaled(size, wrong), point, raise_exception=False)


def test_a_few_elements_near_0_beside_many_others():
    """The few need steps of their own, and nothing else has to be looked at one by one for that."""
    weights = np.linspace(-2, 2, 1000)
    assert gradcheck(lambda x, w: (tg.log(x).sum() * w) * w, (np.array([1e-8, 3e-9]), weights))
    wrong = scaled([1, 1], [1, 1.001])
    text = failure(lambda x, w: (tg.log(wrong(x)).sum() * w) * w, np.array([1e-8, 3e-9]), weights)
    assert "input 0[1] is worst" in text and "right: input 1" in text


def test_raw_and_tape_backward_must_agree_beside_a_large_element():
    class Two(Function):
        def forward(xp, x, *, s, t):
            return x * s

        def backward(xp, gy, *, s, t):
            return gy * (t if isinstance(gy, tg.Tensor) else s)

    s, t = backend.asarray(np.array([1e10, 1.0])), backend.asarray(np.array([1e10, 2.0]))
    assert "input 0[1]: the backward on arrays gives" in failure(lambda x: Two.apply(x, s=s, t=t), np.ones(2))


SMOOTH = {
    "log": tg.log, "sqrt": tg.sqrt, "1/x": lambda x: 1 / x, "x**1.5": lambda x: x**1.5, "tanh": tg.tanh,
    "exp(-x)": lambda x: tg.exp(-x), "relu": tg.relu, "abs": abs, "x*x": lambda x: x * x,
    "x*x + 1": lambda x: x * x + 1, "log and sqrt": lambda x: tg.log(x) * tg.sqrt(x),
    "log1p of a part": lambda x: tg.log(1e-8 + x),
}  # fmt: skip
SIZES = [1e-20, 1e-12, 1e-10, 1e-8, 1e-6, 1e-3, 1e3, 1e6, 1e10, 1e15]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SMOOTH)
def test_no_false_alarm_near_0_nor_far_away(name, size):
    assert gradcheck(SMOOTH[name], np.array([size]))
    assert gradcheck(SMOOTH[name], np.array([[size, 1.3], [2 * size, 0.4]]))


@pytest.mark.parametrize(
    ("name", "size"),
    [(name, size) for name in ("log", "sqrt", "1/x", "x*x") for size in SIZES]
    + [("tanh", size) for size in SIZES if size < 10],
)
def test_a_tenth_of_a_percent_is_refused_near_0_and_far_away(name, size):
    """All by a factor, or one element beside a larger and a smaller one."""
    for point, s in (([size], [1.001]), ([size, 1.3, 2e-3], [1.001, 1.0, 1.0])):
        one = np.ones(len(s))
        for order in (1, 2):
            wrong = scaled(one, s if order == 1 else one, s)
            text = failure(lambda x, wrong=wrong: SMOOTH[name](wrong(x)), np.array(point))
            assert ("order 1 is right" in text) == (order == 2)


@pytest.mark.parametrize("phase", [0.0, 1.0])
def test_large_points_of_a_function_with_a_scale_of_its_own(phase):
    """Steps relative to the point would jump over periods."""
    assert gradcheck(lambda x: tg.sin(x + phase), np.array([1e6, 3e4, 0.2]))
    failure(scaled([1, 1, 1], [1.001, 1, 1], after=tg.sin), np.array([1e6, 3e4, 0.2]))


def test_a_gradient_that_is_nan_or_infinite_is_refused():
    for bad in (np.nan, np.inf):
        text = failure(scaled([1, 1], [1, bad]), np.ones(2))
        assert "input 0[1] is worst" in text and "input 0: the gradient is NaN or infinite" in text


# ---- every shape of function -------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,), (2, 0, 2)])
def test_zero_dimensional_and_empty_inputs(shape):
    assert gradcheck(lambda t: tg.sin(t) * t, np.full(shape, 0.7))


def test_several_inputs_and_several_outputs(x):
    assert gradcheck(lambda a, b: (a * b, tg.exp(a), b.sum(axis=0)), (x, x + 1))


def test_an_unused_input_has_gradient_zero(x):
    assert gradcheck(lambda a, b: a * a, (x, x))


def test_integer_outputs_are_passed_over(x):
    assert gradcheck(lambda t: (t * t, tg.argmax(t)), x)


def test_a_constant_output_has_gradient_zero(x):
    assert gradcheck(lambda t: tg.sign(t), x)


def test_inputs_without_gradient_are_passed_on(x):
    constant = tg.Tensor(x + 2)
    index = np.array([0, 0, 2])
    seen = []

    def function(t, c, i, text):
        seen.append((c is constant, i is index, text))
        return (t / c)[i]

    assert gradcheck(function, (tg.Tensor(x, requires_grad=True), constant, index, "text"))
    assert set(seen) == {(True, True, "text")}


def test_large_and_small_scales(x):
    assert gradcheck(lambda t: 1e-10 * t.exp(), x)
    assert gradcheck(lambda t: 1e10 * t.exp(), x)
    assert gradcheck(lambda t: t * t + 1e6, x)


def test_steps_that_leave_the_domain_are_passed_over():
    assert gradcheck(lambda t: tg.log(t) + tg.sqrt(t), np.array([0.01, 0.02]))


def test_a_kink_nearby_does_not_disturb():
    assert gradcheck(tg.relu, np.array([1e-4, -1e-4, 1.0]))


def test_gradgradcheck_reaches_the_third_order(x):
    report = gradgradcheck(lambda t: t**3 * tg.tanh(t), x, order=2)
    assert report.error2 < 1e-7


# ---- what cannot be checked --------------------------------------------------------------------


def test_float32_inputs_are_refused_with_the_reason(x):
    with pytest.raises(TypeError, match="input 0 is float32; differences need float64"):
        gradcheck(tg.exp, x.astype(np.float32))


def test_nothing_to_check_is_an_error():
    with pytest.raises(ValueError, match="no input to check"):
        gradcheck(tg.exp, np.arange(3))


def test_a_tolerance_for_each_order(x):
    def passes(function, tolerance, order=2):
        return bool(gradcheck(function, [x], order=order, tolerance=tolerance, raise_exception=False))

    def rough(a):  # 5% in the first order, and the second follows it
        return ScaledTanh.apply(a, factor=1.05)

    assert passes(rough, 0.5, order=1) and not passes(rough, 1e-3, order=1)

    def second(a):
        return Constant.apply(a, wrong=True)

    assert passes(second, (1e-6, 10.0)) and passes(second, 10.0)
    assert not passes(second, (10.0, 1e-6)) and not passes(second, 1e-6)


def test_order_and_return_values_are_checked(x):
    with pytest.raises(ValueError, match="order must be 1 or 2"):
        gradcheck(tg.exp, x, order=3)
    with pytest.raises(TypeError, match="must return Tensors, not ndarray"):
        gradcheck(lambda t: t.numpy(), x)
    with pytest.raises(ValueError, match="no floating-point output"):
        gradcheck(lambda t: tg.argmax(t), x)


def test_it_raises_unless_told_otherwise(x):
    wrong = spoiled(activation.Tanh, backward=lambda xp, gy, y: gy)
    with pytest.raises(GradcheckError, match="is worst: backward"):
        gradcheck(wrong, x)
    report = gradcheck(wrong, x, raise_exception=False)
    assert not report
    assert report.error1 > 1e-3
    assert np.isnan(report.error2)  # not reached


# ---- differences -------------------------------------------------------------------------------


def test_differences_reach_nearly_full_precision():
    found = central(lambda t: [np.exp(np.array([1.0 + t]))], [np.ones(1)], good=0.0)
    assert abs(found.value - np.e) < 1e-11
    assert found.spread < 1e-10


def test_kink_jump_and_smooth_are_told_apart():
    one = [np.ones(1)]
    assert is_kink(lambda t: [np.abs(np.array([t]))], one, 1.0) == "kink"
    assert is_kink(lambda t: [np.sign(np.array([t]))], one, 1.0) == "jump"
    assert is_kink(lambda t: [np.exp(np.array([t]))], one, 1.0) is None
    assert is_kink(lambda t: [np.array([(0.1 + t) * 0.3])], one, 1.0) is None  # mere rounding


def test_an_estimate_tells_its_spread_and_its_rounding():
    """Of a straight line all steps agree, so the second one is taken: rounding is ε Σ|w·f| / h there."""
    found = central(lambda t: [np.array([4.0 + 2 * t])], [np.array([3.0])], good=1e-6)
    assert found.value == pytest.approx(6) and found.spread < 1e-12
    step = 0.0625 / 4
    rounding = np.finfo(float).eps * 3 * (4 + 2 * step) / step
    assert found.rounding == pytest.approx(rounding, abs=0)
    nowhere = central(lambda t: [np.array([np.nan])], [np.ones(1)], good=1.0)
    assert np.isnan(nowhere.value) and nowhere.spread == nowhere.rounding == np.inf


@pytest.mark.parametrize(
    ("errors", "expected"), [([], 0), ([1.0, 3.0, 2.0], 3), ([np.nan, 1.0], np.inf), ([1.0, np.nan], np.inf)]
)
def test_the_largest_error_is_infinite_where_one_is_no_number(errors, expected):
    assert largest(iter(errors)) == expected


@pytest.mark.parametrize(
    ("before", "error", "worse"), [(np.nan, 1.0, 1.0), (1.0, 2.0, 2.0), (2.0, 1.0, 2.0), (0.5, 0.5, 0.5)]
)
def test_the_worse_of_two_errors(before, error, worse):
    assert _worse(before, error) == worse and np.isnan(_worse(before, np.nan))


def test_the_text_of_a_report_has_each_order_that_was_run():
    passed = _report([1.26e-9, float("nan")], float("nan"), [], (1e-6, 1e-4))
    assert passed and passed.text == "gradcheck passed: order 1: 1.3e-09 (at most 1e-06)"
    failed = _report([1e-9, 0.5], 2e-12, ["why", "and where"], (1e-6, 1e-4))
    assert not failed and failed.text == (
        "gradcheck failed: order 1: 1.0e-09 (at most 1e-06), order 2: 5.0e-01 (at most 1e-04)\n"
        "  why\n  and where"
    )
    assert (failed.error1, failed.error2, failed.tape_error) == (1e-9, 0.5, 2e-12)
