"""Runs a derivation: every step at random rational points (50 digits) and random float64 points.

A step is right if both sides agree; the left side of most is a gradient, which is taken numerically from the
definitions.
The definitions are compared with the shipped forward, the gradients with the shipped backward.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...autograd import Tensor, grad
from ...autograd.differences import largest
from ...autograd.function import _call
from ...backend import use_backend
from ..symbolic import numbers, value_of, xp
from .derivation import Derivation, Step
from .point import Point, rounded
from .printer import unicode
from .reader import Reader

EXACT = 1e-25  # relative, at rational points: the central differences carry about 30 digits
DOUBLE = 1e-9  # at float64 points


@dataclass(frozen=True)
class Residual:
    """How far both sides of one line are apart, relative to the largest number on the left.

    `name`: "step 3", "the shipped forward", "the shipped gradient of x".
    """

    name: str
    exact: float | None
    double: float | None
    text: str = ""

    def __bool__(self) -> bool:
        return (self.exact or 0.0) <= EXACT and (self.double or 0.0) <= DOUBLE


class WrongStep(AssertionError):
    """A line of a derivation does not hold; the message names it."""


def points_of(derivation: Derivation, seed: int = 0) -> list[Point]:
    return [Point(derivation, kind, seed) for kind in ("rational", "float64")]


def check(derivation: Derivation, points: list[Point]) -> Iterator[Residual]:
    """All lines of a derivation: the shipped forward, the steps, the shipped gradients."""
    yield from shipped_forward(derivation, points)
    yield from steps(derivation, points)
    yield from shipped_gradients(derivation, points)


def prove(derivation: Derivation, points: list[Point] | None = None) -> None:
    """Raises WrongStep with the first line that does not hold."""
    for line in check(derivation, points or points_of(derivation)):
        if not line:
            raise WrongStep(f"{derivation.name}, {line.name} does not hold: {line.text}")


def steps(derivation: Derivation, points: list[Point]) -> Iterator[Residual]:
    return (step(derivation, k, points) for k in range(len(derivation.steps)))


def step(derivation: Derivation, k: int, points: list[Point]) -> Residual:
    """Step k, counted from 0, at a rational and a float64 point."""
    line = derivation.steps[k]
    exact, double = (_residual(derivation, line, point) for point in points)
    text = f"{formula(derivation, line)}, residual {max(exact, double):.1e}"
    return Residual(f"step {k + 1}", exact, double, text)


def formula(derivation: Derivation, step: Step) -> str:
    """The step in Unicode."""
    return f"{unicode(step.lhs, derivation.ranks)} = {unicode(step.rhs, derivation.ranks)}"


def sides(derivation: Derivation, step: Step, reader: Reader) -> Iterator[tuple[Any, Any]]:
    """Both sides of a step, at all values of the letters of its left side."""
    letters = free_letters(derivation, step.lhs)
    for values in itertools.product(*(derivation.ranges[v] for v in letters)):
        at = dict(zip(letters, values, strict=True))
        yield reader(step.lhs, at), reader(step.rhs, at)


def free_letters(derivation: Derivation, formula: Any) -> list[Any]:
    return [v for v in derivation.ranges if v in formula.free_symbols and _free(formula, v)]


def _free(expr: Any, letter: Any) -> bool:
    """Is the letter's value asked for from outside: not summed over?"""
    if type(expr).__name__ == "Over" and letter in expr.args[1].args:
        return False
    return expr == letter or any(_free(a, letter) for a in expr.args)


def _residual(derivation: Derivation, step: Step, point: Point) -> float:
    source = point.rounded if point.kind == "float64" else point
    namespace = np if point.kind == "float64" else xp
    reader = Reader(namespace, source, derivation.ranges, point.numbers)
    return _difference(list(sides(derivation, step, reader)))


def _difference(pairs: list[tuple[Any, Any]]) -> float:
    """The largest difference relative to the largest left side."""
    lefts, rights = [], []
    for left, right in pairs:
        left, right = np.asarray(left, object), np.asarray(right, object)
        if left.shape != right.shape and 1 not in (left.size, right.size):
            return np.inf
        left, right = np.broadcast_arrays(left, right)
        lefts += list(left.flat)
        rights += list(right.flat)
    a, b = [value_of(v) for v in lefts], [value_of(v) for v in rights]
    scale = max((abs(v) for v in a), default=0) or 1
    return float(largest(abs(v - w) for v, w in zip(a, b, strict=True)) / scale)


# The shipped rule.


def shipped_forward(derivation: Derivation, points: list[Point]) -> Iterator[Residual]:
    if derivation.ship is not None:
        ours = [[o and o(p.packed) for o in derivation.ship.outputs] for p in points]
        theirs = [_forward_exact(derivation, points[0])[1], _forward_double(derivation, points[1])[1]]
        yield _compared("the shipped forward", ours, theirs)


def shipped_gradients(derivation: Derivation, points: list[Point]) -> Iterator[Residual]:
    if derivation.runs is not None:
        point = points[1]
        pairs = derivation.runs(lambda name: rounded(point.packed(name)), point.numbers)
        yield Residual("the shipped code", None, _difference(list(pairs)), "the code computes something else")
    if derivation.ship is None:
        return
    found = [_backward_exact(derivation, points[0]), _backward_double(derivation, points[1])]
    for i, (name, pack) in enumerate(derivation.ship.inputs.items()):
        ours = [[pack(lambda n, p=p: p.packed(f"g{n}"))] for p in points]
        if ours[0][0] is None:
            continue
        yield _compared(f"the shipped gradient of {name}", ours, [[g[i]] for g in found])


def _compared(name: str, ours: Any, theirs: Any) -> Residual:
    exact, double = (
        _difference([(a, b) for a, b in zip(x, y, strict=True) if a is not None])
        for x, y in zip(ours, theirs, strict=True)
    )
    return Residual(name, exact, double, f"residual {max(exact, double):.1e}")


def _floats(point: Point) -> dict[str, Any]:
    return {n: v if isinstance(v, int) else float(v) for n, v in point.numbers.items()}


def _forward_exact(derivation: Derivation, point: Point) -> tuple[list[Any], list[Any]]:
    ship = derivation.ship
    attributes = ship.attributes(point.packed, _floats(point))
    values: list[Any] = [pack(point.packed) for pack in ship.inputs.values()]
    if ship.rule.save_rule is not None:
        values += _call(ship.rule.save_rule, xp, values, attributes)
    y = _call(ship.rule.forward_rule, xp, values, attributes)
    return [*values, y, attributes], list(y) if type(y) is tuple else [y]


def _backward_exact(derivation: Derivation, point: Point) -> list[Any]:
    ship = derivation.ship
    (*values, attributes), ys = _forward_exact(derivation, point)
    gs = tuple(
        numbers(np.zeros(np.shape(y)))
        if o is None
        else np.asarray(o(lambda n: point.packed(f"g{n}")), object)
        for o, y in zip(ship.outputs, ys, strict=True)
    )
    gy = gs if type(values[-1]) is tuple else gs[0]
    found: list[Any] = [None] * len(ship.inputs)
    for rule in ship.rule.backward_rules:
        result = rule.run(xp, gy, *rule.take(values), **{k: attributes[k] for k in rule.attributes})
        if rule.target >= 0:
            found[rule.target] = result
        else:
            found = list(result) if type(result) is tuple else [result]
    return found


def _forward_double(derivation: Derivation, point: Point) -> tuple[list[Tensor], list[Any]]:
    ship = derivation.ship
    packed = [pack(point.packed) for pack in ship.inputs.values()]
    attributes = ship.attributes(lambda name: rounded(point.packed(name)), _floats(point))
    with use_backend("numpy"):
        xs = [None if a is None else Tensor(rounded(a), requires_grad=True) for a in packed]
        y = ship.rule.apply(*xs, **attributes)
    ys = list(y) if isinstance(y, tuple) else [y]
    return [*xs, *ys], [t.numpy() for t in ys]


def _backward_double(derivation: Derivation, point: Point) -> list[Any]:
    ship = derivation.ship
    tensors, _ = _forward_double(derivation, point)
    xs, ys = tensors[: len(ship.inputs)], tensors[len(ship.inputs) :]
    out = [(y, rounded(o(lambda n: point.packed(f"g{n}"))))
           for y, o in zip(ys, ship.outputs, strict=True) if o is not None]  # fmt: skip
    with use_backend("numpy"):
        found = grad([y for y, _ in out], [x for x in xs if x is not None], [Tensor(g) for _, g in out])
    gradients = iter(found)
    return [None if x is None else next(gradients).numpy() for x in xs]
