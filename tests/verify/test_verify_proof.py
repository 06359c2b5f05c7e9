"""The proof on symbols: what it proves, what it refuses, and that it needs nothing when not used."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

pytest.importorskip("sympy")
import sympy

import tinygrad_notes as tg
from tinygrad_notes.autograd import Function
from tinygrad_notes.ops import activation, arithmetic, reduction
from tinygrad_notes.verify import proof, scalar, symbolic
from tinygrad_notes.verify.cases import CASES
from tinygrad_notes.verify.proof import prove, prove_operation
from tinygrad_notes.verify.wrong import normal, spoil


def row(name):
    return next(case for case in CASES if case.name == name)


# ---- scalars -----------------------------------------------------------------------------------


def test_floats_are_the_fractions_that_they_hold():
    scalar.trace.clear()
    assert scalar.lift(0.5).expr == sympy.Rational(1, 2)
    assert scalar.lift(True).expr == 1
    assert not scalar.trace.rounded
    assert scalar.lift(0.1).expr == sympy.Rational(*(0.1).as_integer_ratio())
    assert scalar.trace.rounded


def test_arithmetic_follows_expression_and_value():
    (x,) = symbolic.symbols(np.array([0.75]), "x")
    y = (2 - 3 * x) / (x**2 + 1) - (-x) + 1 / x
    s = sympy.Symbol("x_0", real=True)
    assert sympy.simplify(y.expr - ((2 - 3 * s) / (s**2 + 1) + s + 1 / s)) == 0
    exact = (2 - 3 * Fraction(3, 4)) / (Fraction(9, 16) + 1) + Fraction(3, 4) + Fraction(4, 3)
    assert abs(y.value - scalar.value_of(exact)) < 1e-45


@pytest.mark.parametrize("name", symbolic.FUNCTIONS)
def test_functions_have_the_value_of_their_expression_and_of_numpy(name):
    points = np.array([0.25, 0.5, 1.5])
    ours = getattr(symbolic.xp, name)(symbolic.symbols(points, "x"))
    expected = getattr(tg.backend.cpu, name)(points)
    for i, (y, e) in enumerate(zip(ours, expected, strict=True)):
        value = {sympy.Symbol(f"x_{i}", real=True): scalar.value_of(points[i])}
        assert abs(symbolic.evaluate(y.expr, value, {}) - y.value) < 1e-45
        assert float(y.value) == pytest.approx(e, rel=1e-14)


def test_branches_go_by_the_value_and_are_noted():
    x = symbolic.symbols(np.array([-2.0, 3.0]), "x")
    scalar.trace.clear()
    y = symbolic.xp.maximum(x, 0)
    assert [str(scalar.lift(v).expr) for v in y] == ["0", "x_1"]
    assert len(scalar.trace.decisions) == 2
    assert [str(v.expr) for v in symbolic.xp.abs(x)] == ["-x_0", "x_1"]
    assert symbolic.xp.isfinite(x).tolist() == [True, True]
    assert int(symbolic.xp.argmax(x)) == 1


@pytest.mark.parametrize("expression", ["sqrt(2)*pi + E", "erf(x)/exp(x)", "tanh(x)**3 + log(x + 1)"])
def test_evaluation_has_fifty_digits(expression):
    x = sympy.Symbol("x", real=True)
    e = sympy.sympify(expression, locals={"x": x})
    ours = symbolic.evaluate(e, {x: scalar.mp.mpf(3) / 7}, {})
    assert abs(ours - scalar.mp.mpf(str(e.subs(x, sympy.Rational(3, 7)).evalf(60)))) < 1e-48


@pytest.mark.parametrize("expression", [
    "x", "3", "sqrt(x)*y + x**3/y",
    "tanh(x*tanh(x*y) + tanh(x*y)**2)",
    "exp(x*y)*log(1 + x**2) + erf(y*x)", "x**y",
])  # fmt: skip
def test_the_derivative_of_shared_parts_is_sympys(expression):
    point = {sympy.Symbol(n, real=True): scalar.mp.mpf(v) / 7 for n, v in (("x", 3), ("y", 5))}
    e = sympy.sympify(expression, locals={s.name: s for s in point})
    for s in point:
        ours, expected = symbolic.derivative(e, s, {}), sympy.diff(e, s)
        assert abs(symbolic.evaluate(ours, point, {}) - symbolic.evaluate(expected, point, {})) < 1e-45


# ---- proofs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sigmoid", "softmax", "linear", "conv2d: bias", "max_pool2d: overlapping",
                                  "divide: a cube by a row", "cross_entropy: mean"])  # fmt: skip
def test_shipped_rules_are_proved_to_fifty_digits(name):
    result = prove(row(name))
    assert result, result.text
    assert result.residual < 1e-40
    assert result.points == 3


def test_a_proof_takes_several_points():
    drawn = []
    sigmoid = row("sigmoid")
    points = dataclasses.replace(
        sigmoid, symbolic=lambda rng: drawn.append(sigmoid.symbolic(rng)) or drawn[-1]
    )
    assert prove(points).points == len(drawn) == 3
    assert len({np.concatenate([np.ravel(x) for x in inputs]).tobytes() for inputs in drawn}) == 3
    drawn.clear()
    prove_operation(activation.Tanh, lambda rng: drawn.append(rng.normal(size=2)) or (drawn[-1],), points=4)
    assert len({x.tobytes() for x in drawn}) == 4


def test_rounded_constants_are_told_and_bounded():
    result = prove(row("gelu"))
    assert result
    assert result.rounded
    assert 0 < result.residual < 1e-15
    assert "rounded to float64" in result.text


def test_both_regions_of_a_branch_are_proved():
    draw = normal((2, 2), least=0.5)
    for sign in (1, -1):
        assert prove_operation(
            activation.LeakyReLU, lambda rng, s=sign: tuple(s * x for x in draw(rng)), slope=0.25
        )
    wrong = spoil(activation.LeakyReLU, backward=lambda xp, gy, x, *, slope: gy * (x > 0))
    assert prove_operation(wrong, normal((2, 2), least=0.5), slope=0.25)  # right where x > 0
    assert not prove_operation(wrong, lambda rng: (-abs(draw(rng)[0]),), slope=0.25)


def test_every_call_of_a_composite_is_proved():
    result = prove(row("geometric mean, a composite"))
    assert result
    assert set(result.operations) == {"Log", "Mean", "Exp"}


def test_an_error_of_one_part_in_ten_billion_is_refused():
    wrong = spoil(activation.Tanh, backward=lambda xp, gy, y: (1 + 1e-10) * gy * (1 - y * y))
    result = prove_operation(wrong, normal((2,)))
    assert not result
    assert 1e-11 < result.residual < 1e-9


def raised(by, power):
    """The backward of tanh, and gy · by · by ··· beside it."""

    def backward(xp, gy, y):
        extra = gy
        for _ in range(power):
            extra = extra * by
        return gy * (1 - y * y) + extra

    return backward


def test_rules_without_rounded_constants_are_exact_to_forty_digits():
    tiny = 2.0**-20  # exact, so nothing is forgiven
    for power, size in ((2, 1e-12), (3, 1e-18), (6, 1e-36)):
        wrong = spoil(activation.Tanh, backward=raised(tiny, power))
        result = prove_operation(wrong, normal((2,)))
        assert not result.rounded and not result and size / 10 < result.residual < size * 10


def test_rules_with_rounded_constants_are_exact_to_fourteen_digits():
    wrong = spoil(activation.Tanh, backward=lambda xp, gy, y: (1 + 1e-13) * gy * (1 - y * y))
    result = prove_operation(wrong, normal((2,)))
    assert result.rounded and not result and 5e-14 < result.residual < 2e-13


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
@pytest.mark.parametrize("place", ["all", "first", "last"])
def test_a_gradient_that_is_no_number_is_refused(wrong, place):
    def backward(xp, gy, y):
        g = gy * (1 - y * y)
        g[{"all": slice(None), "first": 0, "last": -1}[place]] = wrong
        return g

    result = prove_operation(spoil(activation.Tanh, backward=backward), normal((3,)))
    assert not result and not math.isfinite(result.residual)


def test_a_gradient_that_no_rule_gives_is_refused():
    class Half(Function):
        def forward(xp, a, b):
            return a * b

        def backward_a(xp, gy, b):
            return gy * b

    result = prove_operation(Half, normal((2,), (2,)))
    assert result.residual == 1
    assert "b[" in result.text


def test_a_gradient_of_another_shape_is_refused():
    wrong = spoil(reduction.Sum, backward=lambda xp, gy: gy)
    result = prove_operation(wrong, normal((2, 3)), axis=0, keepdims=False)
    assert result.residual == np.inf
    assert "gradient of shape (3,) for x (2, 3)" in result.text


def test_the_worst_element_is_named():
    factor = np.array([1.0, 2.0])
    wrong = spoil(arithmetic.Exp, backward=lambda xp, gy, y: gy * y * factor)
    assert "x[1]: backward" in prove_operation(wrong, normal((2,))).text


def test_constants_are_not_differentiated():
    result = prove(row("cross_entropy: ignore_index, mean"))  # the forward branches at q = 0
    assert result, result.text


def test_a_symbolic_kernel_that_differs_from_numpy_is_noticed(monkeypatch):
    monkeypatch.setattr(proof.xp, "tanh", lambda x: symbolic.xp.exp(x))
    assert "another value on symbols than on NumPy" in prove(row("tanh")).text


def test_a_row_without_symbols_is_an_error():
    with pytest.raises(ValueError, match="no inputs for a proof"):
        prove(dataclasses.replace(row("tanh"), symbolic=None))


def test_a_row_that_calls_nothing_is_an_error():
    with pytest.raises(ValueError, match="calls no operation that a gradient flows through"):
        prove(dataclasses.replace(row("tanh"), run=lambda x: x))


def test_listening_leaves_no_trace():
    before = Function.__dict__["apply"]
    with pytest.raises(ZeroDivisionError):
        proof.calls(lambda t: 1 // 0, [np.ones(2)], [True])
    assert Function.__dict__["apply"] is before


# ---- SymPy is optional -------------------------------------------------------------------------


def test_the_package_does_not_import_sympy():
    code = "import sys, tinygrad_notes, tinygrad_notes.verify.wrong; assert 'sympy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_sympy_the_message_says_what_to_install():
    code = ("import sys; sys.modules['sympy'] = None\n"
            "try: import tinygrad_notes.verify.proof\n"
            "except ImportError as e: print(e)")  # fmt: skip
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'tinygrad-notes[verify]'" in run.stdout


# ---- numbers that are two things at once ----------------------------------------------------------


def test_infinite_scores_keep_their_sign():
    for x, sign in ((math.inf, sympy.oo), (-np.inf, -sympy.oo)):
        assert scalar.lift(x).expr == sign and scalar.lift(x).value == scalar.mp.mpf(x)


@pytest.mark.parametrize(
    ("answer", "decided"),
    [(lambda s: s < 2, False), (lambda s: s <= 2, True), (lambda s: s > 2, False), (lambda s: s >= 2, True),
     (lambda s: s == 2, True), (lambda s: s != 2, False), (bool, True), (lambda s: bool(s - 2), False),
     (lambda s: s < 3, True), (lambda s: s > 1, True)],
)  # fmt: skip
def test_every_comparison_is_by_the_value_and_noted(answer, decided):
    (s,) = symbolic.symbols(np.array([2.0]), "s")
    scalar.trace.clear()
    assert answer(s) is decided and len(scalar.trace.decisions) == 1


@pytest.mark.parametrize(
    "how",
    [lambda s: s + 2, lambda s: 2 + s, lambda s: s - 2, lambda s: 2 - s, lambda s: s * 2, lambda s: 2 * s,
     lambda s: s / 2, lambda s: 2 / s, lambda s: s**2, lambda s: 2**s, lambda s: -s, lambda s: +s,
     lambda s: abs(-s)],
)  # fmt: skip
def test_every_operator_is_of_both_in_its_order(how):
    (s,) = symbolic.symbols(np.array([3.0]), "s")
    y = how(s)
    assert abs(y.value - how(scalar.mp.mpf(3))) < 1e-45
    assert abs(scalar.mp.mpf(str(y.expr.subs(sympy.Symbol("s_0", real=True), 3).evalf(50))) - y.value) < 1e-45
    (n,) = symbolic.numbers(np.array([3.0]))
    assert how(n).expr is None and how(n).value == y.value


def test_what_is_rounded_is_told_of_the_first_float_that_is_too_fine():
    for x, rounded in ((2.0**-24, False), (2.0**-25, True), (7, False), (Fraction(1, 1 << 30), False)):
        scalar.trace.clear()
        numerator, denominator = x.as_integer_ratio()
        assert scalar.lift(x).value == scalar.mp.mpf(numerator) / denominator
        assert scalar.trace.rounded is rounded
    with pytest.raises(TypeError):
        scalar.lift(1) + "a"


def test_constants_are_rational_and_integers_stay():
    whole = np.array([1, 2])
    assert symbolic.constants(whole) is whole
    (half,) = symbolic.constants(np.array([0.5]))
    assert half.expr == sympy.Rational(1, 2) and half.value == 0.5
    floats = symbolic.symbols(np.array([[1.0, 2.0]]), "x")
    assert floats.shape == (1, 2) and [str(s.expr) for s in floats.flat] == ["x_0", "x_1"]
    assert floats.astype(np.float32) is floats and floats[:, :1].astype(object).dtype == object
