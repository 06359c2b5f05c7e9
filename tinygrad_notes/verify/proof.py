"""Proves a shipped backward: it equals SymPy's derivative of the shipped forward, at random rational points.

For L = Σ c·y with random rational c, the forward rules run on symbols and SymPy differentiates; the backward
rules run on the same point. Both are evaluated to 50 digits. Two different analytic functions agree at a
random point with probability 0, so one point per region is a proof up to that; several are taken.

A row of the table is run once to see which operations it calls, on what; each of these calls is proved.
"""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..autograd import Function, Tensor
from ..autograd.broadcast import unbroadcast
from ..autograd.differences import largest
from ..autograd.function import _call
from ..backend import use_backend
from .cases import Case
from .scalar import mp, sympy, trace, value_of
from .symbolic import constants, derivative, evaluate, numbers, symbols, xp

EXACT = 1e-40  # relative; the computation carries 50 digits
DOUBLE = 1e-14  # where a rule holds a constant that was rounded to float64, such as 1/√(2π)


@dataclass(frozen=True)
class Proof:
    """`residual`: the largest |backward − derivative|, relative to the largest derivative of that input.

    `rounded`: a constant in the rules was rounded to float64, so the residual may reach 1e-14.
    """

    name: str
    residual: float
    rounded: bool
    points: int
    operations: tuple[str, ...]
    text: str

    def __bool__(self) -> bool:
        return self.residual <= (DOUBLE if self.rounded else EXACT)


@dataclass(frozen=True)
class Call:
    """One call of an operation: arrays, numbers or None by position, attributes, and what it returned.

    `tracked`: positions of the inputs that a gradient is wanted of.
    """

    operation: type[Function]
    inputs: tuple[Any, ...]
    tracked: tuple[int, ...]
    attributes: dict[str, Any]
    outputs: tuple[np.ndarray, ...]


def prove(case: Case, points: int = 3, seed: int = 0) -> Proof:
    """Prove every operation that a row of the table calls, where it calls it.

    Raises ValueError for a row that has no symbolic inputs, or that calls nothing differentiable.
    """
    if case.symbolic is None:
        raise ValueError(f"prove: {case.name!r} has no inputs for a proof")
    rng = np.random.default_rng(seed)
    known: dict[Any, Any] = {}
    with use_backend("numpy"):  # symbols live in NumPy's object arrays
        steps = [
            _Step(call, rng, known)
            for _ in range(points)
            for call in calls(case.run, case.symbolic(rng), case.differentiable)
        ]
    return _combine(case.name, steps, points)


def prove_operation(
    operation: type[Function], draw: Callable[[np.random.Generator], Sequence[Any]], points: int = 3,
    seed: int = 0, **attributes: Any,
) -> Proof:  # fmt: skip
    """Prove one operation in all of its inputs, at float64 arrays that `draw` gives."""
    rng = np.random.default_rng(seed)
    known: dict[Any, Any] = {}
    steps = []
    with use_backend("numpy"):
        for _ in range(points):
            inputs = tuple(draw(rng))
            tracked = tuple(i for i, x in enumerate(inputs) if isinstance(x, np.ndarray))
            steps.append(_Step(Call(operation, inputs, tracked, attributes, ()), rng, known))
    return _combine(operation.name, steps, points)


def calls(
    run: Callable[..., Any], arrays: Sequence[np.ndarray], differentiable: Sequence[bool]
) -> list[Call]:
    """The operations that `run` calls on `arrays` and that a gradient flows through, in order."""
    found: list[Call] = []
    with _listening(found):
        run(*(Tensor(np.array(x, np.float64), requires_grad=d)
              for x, d in zip(arrays, differentiable, strict=True)))  # fmt: skip
    return [call for call in found if call.tracked]


@contextmanager
def _listening(found: list[Call]) -> Iterator[None]:
    original = Function.__dict__["apply"]

    def apply(cls: type[Function], *inputs: Any, **attributes: Any) -> Any:
        result = original.__func__(cls, *inputs, **attributes)
        arrays = tuple(x._data if isinstance(x, Tensor) else x for x in inputs)
        outputs = tuple(y._data for y in (result if isinstance(result, tuple) else (result,)))
        tracked = tuple(i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad)
        found.append(Call(cls, arrays, tracked, attributes, outputs))
        return result

    Function.apply = classmethod(apply)  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        Function.apply = original  # type: ignore[method-assign]


class _Step:
    """One call at one point: `residual`, `rounded`, and `text` about the worst element."""

    def __init__(self, call: Call, rng: np.random.Generator, known: dict[Any, Any]) -> None:
        self.call = call
        self.name = call.operation.name
        self.residual, self.text = 0.0, ""
        trace.clear()
        values, y = self._forward(lambda i, x: numbers(x))
        decisions = tuple(trace.decisions)
        self._compare_values(y)
        c = [_rationals(rng, np.shape(a)) for a in y]
        found = self._backward(values, y, c)
        self.rounded = trace.rounded
        key = (self.name, decisions, pickle.dumps((call.attributes, self._constants())))
        if key not in known:
            known[key] = self._derivatives()
        self._compare(self._at_point(known[key], c), found)

    def _constants(self) -> list[Any]:
        """What of the inputs the expressions depend on: shapes, and the inputs that are not symbols."""
        call = self.call
        return [x.shape if i in call.tracked else x for i, x in enumerate(call.inputs)]

    def _forward(self, read: Callable[[int, np.ndarray], np.ndarray]) -> tuple[list[Any], tuple[Any, ...]]:
        """The values of the call, ``[*inputs, *intermediates, y]``, and the outputs as a tuple."""
        operation, attributes = self.call.operation, self.call.attributes
        values = [
            read(i, x) if i in self.call.tracked else constants(x) if isinstance(x, np.ndarray) else x
            for i, x in enumerate(self.call.inputs)
        ]
        if operation.save_rule is not None:
            values += _call(operation.save_rule, xp, values, attributes)
        y = _call(operation.forward_rule, xp, values, attributes)
        y = tuple(map(np.asarray, y)) if type(y) is tuple else np.asarray(y)
        return [*values, y], y if type(y) is tuple else (y,)

    def _backward(self, values: list[Any], y: tuple[Any, ...], c: list[np.ndarray]) -> dict[int, Any]:
        """The gradients that the shipped rules give, by input."""
        operation, attributes = self.call.operation, self.call.attributes
        gy: Any = tuple(map(numbers, c)) if type(values[-1]) is tuple else numbers(c[0])
        found: dict[int, Any] = {}
        for rule in operation.backward_rules:
            result = rule.run(xp, gy, *rule.take(values), **{k: attributes[k] for k in rule.attributes})
            if rule.target >= 0:
                found[rule.target] = result
            else:
                several = result if type(result) is tuple else (result,)
                found.update({i: g for i, g in enumerate(several) if g is not None})
        return found

    def _derivatives(self) -> list[tuple[int, int, Any, Any]]:
        """(output, element, symbol, ∂(term of that element)/∂symbol), by SymPy."""
        _, y = self._forward(lambda i, x: symbols(x, f"x{i}"))
        memo: dict[Any, dict[Any, Any]] = defaultdict(dict)
        return [
            (k, j, s, derivative(term, s, memo[s]))
            for k, output in enumerate(y)
            for j, element in enumerate(output.flat)
            for term in sympy.Add.make_args(getattr(element, "expr", sympy.S.Zero))
            for s in sorted(term.free_symbols, key=str)
        ]

    def _at_point(self, derivatives: Any, c: list[np.ndarray]) -> dict[int, np.ndarray]:
        """∂L/∂x to 50 digits, by input."""
        values, place, gradient = {}, {}, {}
        for i in self.call.tracked:
            x = self.call.inputs[i]
            gradient[i] = np.full(x.shape, mp.mpf(0), object)
            for at, s in zip(np.ndindex(x.shape), symbols(x, f"x{i}").flat, strict=True):
                values[s.expr], place[s.expr] = s.value, (i, at)
        weights = [[value_of(v) for v in a.flat] for a in c]
        memo: dict[Any, Any] = {}
        for k, j, s, slope in derivatives:
            i, at = place[s]
            gradient[i][at] += weights[k][j] * evaluate(slope, values, memo)
        return gradient

    def _compare(self, expected: dict[int, np.ndarray], found: dict[int, Any]) -> None:
        for i, e in expected.items():
            g = np.asarray(found.get(i, np.zeros(e.shape)))
            label = self.call.operation.inputs[i] if not self.call.operation.variadic else f"x{i}"
            if g.shape != e.shape and self.call.operation.broadcasts:
                g = np.asarray(unbroadcast(xp, g, e.shape))
            if g.shape != e.shape:
                self._worse(np.inf, f"gradient of shape {g.shape} for {label} {e.shape}")
                continue
            scale = max((abs(v) for v in e.flat), default=0) or 1
            for at, v in np.ndenumerate(e):
                w = value_of(g[at])
                self._worse(
                    float(abs(w - v) / scale),
                    f"{label}{list(at)}: backward {mp.nstr(w, 12)}, SymPy {mp.nstr(v, 12)}",
                )

    def _compare_values(self, y: tuple[Any, ...]) -> None:
        """The symbolic reading computes what the NumPy reading computed."""
        for ours, theirs in zip(y, self.call.outputs, strict=False):
            exact = np.array([float(value_of(v)) for v in ours.flat]).reshape(ours.shape)
            if exact.shape != theirs.shape or not np.allclose(exact, theirs, rtol=1e-9, atol=1e-12):
                self._worse(np.inf, "the forward gives another value on symbols than on NumPy arrays")

    def _worse(self, residual: float, text: str) -> None:
        residual = largest([residual])
        if residual > self.residual:
            self.residual, self.text = residual, text


def _rationals(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Random fractions n/d, none of them 0."""
    c = np.empty(shape, object)
    for at in np.ndindex(shape):
        c[at] = Fraction(int(rng.integers(1, 30)) * int(rng.choice([-1, 1])), int(rng.integers(1, 12)))
    return c


def _combine(name: str, steps: list[_Step], points: int) -> Proof:
    if not steps:
        raise ValueError(f"prove: {name!r} calls no operation that a gradient flows through")
    worst = max(steps, key=lambda s: s.residual)
    rounded = any(s.rounded for s in steps)
    operations = tuple(dict.fromkeys(s.name for s in steps))
    text = (f"{name}: residual {worst.residual:.1e} over {points} points"
            f"{' (constants rounded to float64)' if rounded else ''}; "
            f"largest in {worst.name}: {worst.text or 'none'}")  # fmt: skip
    return Proof(name, worst.residual, rounded, points, operations, text)
