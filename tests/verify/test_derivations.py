"""Every step of every derivation holds, and a wrong sign in any one of them is found and named."""

import dataclasses
import functools
import re

import pytest

pytest.importorskip("sympy")

from tinygrad_notes.autograd import Function
from tinygrad_notes.verify.derivations import DERIVATIONS, FILES, check
from tinygrad_notes.verify.derivations.derivation import Builder, derivation
from tinygrad_notes.verify.derivations.formula import exp, over
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


@pytest.mark.parametrize("name", ["sigmoid", "batch norm", "linear", "lstm"])
def test_a_wrong_backward_is_found(name):
    built, points = prepared(name)
    rules = {
        rule: staticmethod(lambda *a, right=getattr(built.rule, rule), **k: negative(right(*a, **k)))
        for rule in vars(built.rule)
        if rule.startswith("backward") and rule != "backward_rules"
    }
    wrong = type("Wrong", (Function,), {**plain_members(built.rule), **with_signatures(built.rule, rules)})
    planted = dataclasses.replace(built, ship=dataclasses.replace(built.ship, rule=wrong))
    with pytest.raises(check.WrongStep, match="the shipped gradient of"):
        check.prove(planted, points)


def negative(result):
    return tuple(-g for g in result) if isinstance(result, tuple) else -result


def plain_members(rule):
    return {k: getattr(rule, k) for k in ("saves", "broadcasts", "save", "forward") if hasattr(rule, k)}


def with_signatures(rule, wrong):
    return {k: functools.wraps(getattr(rule, k))(v.__func__) for k, v in wrong.items()}
