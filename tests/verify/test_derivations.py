"""Every step of every derivation holds, and a wrong sign in any one of them is found and named."""

import dataclasses
import functools
import json
import re

import numpy as np
import pytest

pytest.importorskip("sympy")

import sympy
from sympy import IndexedBase, Mul, Rational, Symbol

from tinygrad_notes.autograd import Function
from tinygrad_notes.cli import derivation, main
from tinygrad_notes.verify.derivations import DERIVATIONS, check
from tinygrad_notes.verify.derivations.derivation import Entry
from tinygrad_notes.verify.derivations.example import worked
from tinygrad_notes.verify.derivations.formula import Partial, T, dot, exp, over, partial, sqrt
from tinygrad_notes.verify.derivations.printer import latex, unicode

NAMES = [entry.name for entry in DERIVATIONS]


@functools.cache
def prepared(name):
    """A derivation and its two points: what they know of derivatives is computed once."""
    built = next(entry for entry in DERIVATIONS if entry.name == name).build()
    return built, check.points_of(built)


@pytest.mark.parametrize("name", NAMES)
def test_every_step_holds_at_rational_and_float64_points(name):
    check.prove(*prepared(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_sign_in_any_one_step_is_found_and_named(name):
    built, points = prepared(name)
    for k in range(len(built.steps)):
        line = check.step(built.planted(k), k, points)
        assert not line and line.name == f"step {k + 1}", (
            f"{name}: the wrong sign in step {k + 1} is not seen"
        )
    with pytest.raises(check.WrongStep, match=f"^{name}, step 1 does not hold"):
        check.prove(built.planted(0), points)


EQUAL = {  # a wrong sign in one term that is none: the term is 0, or the window is symmetric
    ("batch norm", 5), ("layer norm", 5), ("local response norm", 3), ("local response norm", 4),
}  # fmt: skip


def with_one_sign_wrong(formula):
    """Each copy of a formula with one term of one of its sums negated, in indices and conditions as well."""
    for place, part in enumerate(formula.args):
        before, after = formula.args[:place], formula.args[place + 1 :]
        if formula.is_Add:
            yield formula.func(*before, Mul(-1, part), *after)
        for wrong in with_one_sign_wrong(part):
            yield formula.func(*before, wrong, *after)


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_sign_of_any_one_term_is_found(name):
    built, points = prepared(name)
    for k, step in enumerate(built.steps):
        with sympy.evaluate(False):
            wrong = list(with_one_sign_wrong(step.rhs))
        for formula in wrong:
            steps = (*built.steps[:k], dataclasses.replace(step, rhs=formula), *built.steps[k + 1 :])
            planted = dataclasses.replace(built, steps=steps)
            try:
                with np.errstate(invalid="ignore"):  # the root of a negative number
                    line = check.step(planted, k, points)
            except (IndexError, KeyError):  # there is no such element
                continue
            assert not line or (name, k + 1) in EQUAL, (
                f"{name}, step {k + 1}: {check.formula(planted, steps[k])}"
            )


@pytest.mark.parametrize("name", ["sigmoid", "batch norm", "linear", "lstm"])
def test_a_wrong_backward_is_found(name):
    built, points = prepared(name)
    names = [n for n in vars(built.rule) if n.startswith("backward") and n != "backward_rules"]
    kept = [n for n in ("saves", "broadcasts", "save", "forward") if hasattr(built.rule, n)]
    members = {n: getattr(built.rule, n) for n in kept} | {n: negated(getattr(built.rule, n)) for n in names}
    wrong = type("Wrong", (Function,), members)
    planted = dataclasses.replace(built, ship=dataclasses.replace(built.ship, rule=wrong))
    with pytest.raises(check.WrongStep, match="the shipped gradient of"):
        check.prove(planted, points)


def test_derive_fails_by_any_one_line(monkeypatch, capsys):
    """By a step as by what the shipped rule computes, and that line is marked in both forms."""
    built, points = prepared("sigmoid")
    monkeypatch.setattr(Entry, "build", lambda entry, hand=False: built)
    monkeypatch.setattr(check, "points_of", lambda d: points)
    monkeypatch.setattr(derivation, "_derivatives", lambda operation: "not asked for")
    held = list(check.check(built, points))
    assert {line.name for line in held} >= {"step 1", "the shipped forward", "the shipped gradient of x"}
    for wrong in [None, *(line.name for line in held)]:
        lines = [check.Residual(x.name, 1.0, 1.0) if x.name == wrong else x for x in held]
        monkeypatch.setattr(check, "check", lambda d, points, lines=lines: lines)
        code = int(wrong is not None)
        assert main(["derive", "sigmoid", "--json"]) == code
        result = json.loads(capsys.readouterr().out)
        (told,) = result["derivations"]
        passed = {f"step {k}": step["passed"] for k, step in enumerate(told["steps"], 1)}
        passed |= {name: line["passed"] for name, line in told["shipped"].items()}
        assert passed == {line.name: line.name != wrong for line in held}
        assert result["passed"] == (wrong is None)
        assert main(["derive", "sigmoid"]) == code and capsys.readouterr().out.count("WRONG") == code


@pytest.mark.parametrize(
    ("exact", "double", "holds"),
    [(0.0, 0.0, True), (1e-26, 1e-10, True), (1e-24, 0.0, False), (0.0, 1e-8, False), (None, 1e-10, True),
     (None, 1e-8, False), (1e-24, None, False), (0.0, float("nan"), False), (float("nan"), 0.0, False)],
)  # fmt: skip
def test_a_line_holds_at_both_points_or_not(exact, double, holds):
    assert bool(check.Residual("step 1", exact, double)) is holds


def negated(rule):
    @functools.wraps(rule)
    def wrong(*arguments, **attributes):
        result = rule(*arguments, **attributes)
        return tuple(-g for g in result) if isinstance(result, tuple) else -result

    return wrong


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_nan_is_a_difference_wherever_it_stands(place):
    a, b = np.ones(3), np.ones(3)
    assert check._difference([(a, b)]) == 0
    b[place] = np.nan
    assert check._difference([(a, b)]) == np.inf


def test_every_rule_of_the_notes_has_one():
    asked = """sigmoid, tanh, relu, leaky relu, softmax, cross entropy, cross entropy of classes, mse,
        mse of the notes, matmul, linear, conv2d, max pooling, average pooling, batch norm,
        batch norm in evaluation, local response norm, layer norm, dropout, embedding, rnn, lstm, gru,
        bidirectional, dot score, general score, additive score, attention, sgd with momentum, adam,
        negative sampling, hierarchical softmax, residual addition, xavier, he"""
    assert {" ".join(name.split()) for name in asked.split(",")} == set(NAMES)


def test_reasons_are_told_in_both_languages():
    for entry in DERIVATIONS:
        built = prepared(entry.name)[0]
        for reason in (entry.reason, *(step.reason for step in built.steps)):
            assert reason["en"] and reason["zh"], built.name
            assert not re.search("[一-鿿，。：；]", reason["en"]), f"{built.name}: {reason['en']!r}"
            assert re.search("[一-鿿。]", reason["zh"]), f"{built.name}: {reason['zh']!r} is not Chinese"
            assert not HALF_WIDTH.search(reason["zh"]), f"{built.name}: half-width in {reason['zh']!r}"


HALF_WIDTH = re.compile(r"[一-鿿] ?[,.;:?!]|[,;:?!] ?[一-鿿]")


def test_steps_end_where_they_begin():
    """The first step of a derivation of a rule is the chain rule, and says so with a derivative."""
    for entry in DERIVATIONS:
        built = prepared(entry.name)[0]
        if built.ship is not None:
            assert any(step.rhs.has(Partial) for step in built.steps), built.name


x, y = IndexedBase("x"), IndexedBase("x̂")
i, j, t = (Symbol(n, integer=True) for n in "ijt")
W, h = IndexedBase("W^i"), IndexedBase("h")
RANKS = {"W^i": 2, "h": 2, "c": 2, "x": 1, "x̂": 1}


@pytest.mark.parametrize(
    ("formula", "in_unicode", "in_latex"),
    [
        (lambda: 1 / (1 + exp(-x[i])), "1/(1 + exp(−xᵢ))", r"\frac{1}{1 + e^{-x_{i}}}"),
        (lambda: 1 / (x[j] * y[j]), "1/(xⱼ x̂ⱼ)", r"\frac{1}{x_{j}\, \hat{x}_{j}}"),
        (lambda: over(y[j] ** 2, j), "Σⱼ x̂ⱼ²", r"\sum_{j} \hat{x}_{j}^{2}"),
        (lambda: x[i] - (x[j] - 1), "xᵢ − (xⱼ − 1)", r"x_{i} - \left(x_{j} - 1\right)"),
        (lambda: -(x[i] + 1) * x[j], "−(xᵢ + 1) xⱼ", r"-\left(x_{i} + 1\right)\, x_{j}"),
        (lambda: x[i] / x[j] * x[t], "(xᵢ/xⱼ) xₜ", r"\frac{x_{i}}{x_{j}}\, x_{t}"),
        (lambda: over(x[i] + 1, i) * 2, "(Σᵢ (xᵢ + 1)) · 2",
         r"\left(\sum_{i} \left(x_{i} + 1\right)\right) \cdot 2"),
        (lambda: dot(T(W), h[t - 1]), "(Wⁱ)ᵀ hₜ₋₁", r"\left(W^{i}\right)^{\top}\, h_{t - 1}"),
        (lambda: dot(W, h[t] * h[i]), "Wⁱ (hₜ ∘ hᵢ)", r"W^{i}\, \left(h_{t} \circ h_{i}\right)"),
        (lambda: (x[i] * x[j]) ** 2, "(xᵢ xⱼ)²", r"\left(x_{i}\, x_{j}\right)^{2}"),
        (lambda: partial(y[i], x[j]) ** 2, "(∂x̂ᵢ/∂xⱼ)²",
         r"\left(\frac{\partial \hat{x}_{i}}{\partial x_{j}}\right)^{2}"),
        (lambda: over(x[j], j, where=j <= t), "Σ_{j: j ≤ t} xⱼ", r"\sum_{\substack{j: \\ j \le t}} x_{j}"),
        (lambda: over(x[j], j, where=j >= t), "Σ_{j: j ≥ t} xⱼ", r"\sum_{\substack{j: \\ j \ge t}} x_{j}"),
        (lambda: over(x[j], j, where=j < t), "Σ_{j: j < t} xⱼ", r"\sum_{\substack{j: \\ j < t}} x_{j}"),
        (lambda: x[i] - Rational(1, 3), "xᵢ − 1/3", r"x_{i} - \tfrac{1}{3}"),
        (lambda: Rational(-2, 3), "−2/3", r"-\tfrac{2}{3}"),
        (lambda: Rational(-2, 3) * x[i], "−2/3 xᵢ", r"-\tfrac{2}{3}\, x_{i}"),
        (lambda: sqrt(x[i]) / 2, "√xᵢ/2", r"\frac{\sqrt{x_{i}}}{2}"),
        (lambda: x[i, j] * IndexedBase("w")[i, Symbol("q")], "xᵢⱼ w[i, q]", r"x_{ij}\, w_{iq}"),
        (lambda: x[i + t, j], "x[i + t, j]", "x_{i + t, j}"),
        (lambda: IndexedBase("W_1")[i], "W₁ᵢ", "W_{1, i}"),
    ],
)  # fmt: skip
def test_notation(formula, in_unicode, in_latex):
    with sympy.evaluate(False):
        built = formula()
    assert unicode(built, RANKS) == in_unicode
    assert latex(built, RANKS) == in_latex


def test_every_formula_prints_with_balanced_braces():
    for entry in DERIVATIONS:
        built = prepared(entry.name)[0]
        for line in (*built.definitions, *built.steps):
            text = latex(line.rhs, built.ranks)
            assert text.count("{") == text.count("}") and text.count(r"\left") == text.count(r"\right")
            assert unicode(line.rhs, built.ranks).count("(") == unicode(line.rhs, built.ranks).count(")")


@pytest.mark.parametrize("name", NAMES)
def test_an_example_for_paper(name):
    lines = list(worked(next(e for e in DERIVATIONS if e.name == name).build(hand=True)))
    assert {line.kind for line in lines} == {"given", "definition", "step"}
    assert all(line.value and line.value.count("[") == line.value.count("]") for line in lines)
    values = {line.name: line.value for line in lines}
    assert all(values[line.name] == line.value for line in lines), "two lines about one array, two values"


def test_the_numbers_of_an_example_are_put_in():
    lines = [w.line for w in worked(next(e for e in DERIVATIONS if e.name == "matmul").build(hand=True))]
    assert "Y₀₀ = 1 · 2 − 2 (−3)" in lines


@pytest.mark.parametrize(
    ("name", "line"),
    [("max pooling", "gx₀₀ = 0"), ("average pooling", "gx₀₀ = (1/4) 2"), ("embedding", "gW₀₀ = 0")],
)
def test_the_sums_of_an_example_have_the_terms_that_their_conditions_leave(name, line):
    lines = [w.line for w in worked(next(e for e in DERIVATIONS if e.name == name).build(hand=True))]
    assert line in lines


def test_the_numbers_of_an_example_have_four_digits():
    given, gy, y, *steps = worked(next(e for e in DERIVATIONS if e.name == "sigmoid").build(hand=True))
    assert (given.value, gy.value, y.value) == ("[1, −2]", "[3, −1]", "[0.7311, 0.1192]")
    assert steps[0].line == "gx₀ = 3 · 0.1966 − 0"
    assert {step.value for step in steps} == {"[0.5898, −0.105]"}  # −0.10499
