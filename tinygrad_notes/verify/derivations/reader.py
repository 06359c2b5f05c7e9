"""Evaluates a formula on numbers: to 50 digits, on SymPy's symbols, or in float64, as its `xp` says."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from sympy import IndexedBase, Symbol

from ..symbolic import lift
from ..symbolic import xp as exact


@dataclass
class Values:
    """The elements of an array by the values of its letters; an element is a number or itself an array."""

    axes: tuple[range, ...]
    elements: dict[tuple[int, ...], Any]
    padded: bool = False

    def at(self, index: tuple[int, ...]) -> Any:
        n = len(self.axes)
        if len(index) >= n:
            element = self.elements.get(index[:n])
            if element is None:
                if not self.padded:
                    raise IndexError(f"nothing at {index[:n]}")
                element = 0 * next(iter(self.elements.values()))
            return element[index[n:]] if len(index) > n else element
        return self.stacked(index)

    def stacked(self, index: tuple[int, ...] = ()) -> Any:
        """As one NumPy array; with `index`, the part with these first letters."""
        axes = self.axes[len(index) :]
        shape = np.shape(next(iter(self.elements.values())))
        out = np.empty((*(len(a) for a in axes), *shape), object)
        for place, key in zip(np.ndindex(*(len(a) for a in axes)), itertools.product(*axes), strict=True):
            out[place] = self.elements[(*index, *key)]
        first = next(iter(self.elements.values()))
        floats = isinstance(first, float) or getattr(first, "dtype", None) == np.float64
        return out.astype(np.float64) if floats else out

    def map(self, function: Any) -> Values:
        return Values(self.axes, {k: function(v) for k, v in self.elements.items()}, self.padded)


class Source(Protocol):
    """Where the numbers are; see `Point`."""

    def array(self, name: str) -> Values: ...
    def partial(self, of: Any, by: Any, fixed: tuple[str, ...]) -> Any: ...
    def outcomes(self, names: frozenset[str]) -> Iterable[Mapping[str, Values]]: ...


class Reader:
    """Call it on a formula and the values of its letters: ``reader(formula, {i: 0})``."""

    def __init__(
        self, xp: Any, source: Source, ranges: Mapping[Any, range], numbers: Mapping[str, Any]
    ) -> None:
        self.xp, self.source, self.ranges, self.numbers = xp, source, ranges, numbers
        self.symbolic = xp is exact
        self.chosen: Mapping[str, Values] = {}  # of chance variables

    def __call__(self, formula: Any, at: Mapping[Any, int]) -> Any:
        return getattr(self, f"_{type(formula).__name__}")(formula, at)

    def real(self, value: Any) -> Any:
        """Integers and fractions become numbers of the reading."""
        if isinstance(value, int | Fraction):
            return lift(value) if self.symbolic else np.float64(value)
        return value

    def _Symbol(self, s: Any, at: Mapping[Any, int]) -> Any:
        if s in at:
            return at[s]
        if s.name in self.numbers:
            value = self.numbers[s.name]
            return value if isinstance(value, int) else self.real(value)
        return self.array(s.name).at(())

    def array(self, name: str) -> Values:
        return self.chosen[name] if name in self.chosen else self.source.array(name)

    def _IndexedBase(self, base: Any, at: Mapping[Any, int]) -> Any:
        return self.array(base.name).at(())

    def _Indexed(self, x: Any, at: Mapping[Any, int]) -> Any:
        return self.array(x.base.name).at(tuple(int(self(i, at)) for i in x.indices))

    def _Integer(self, n: Any, at: Mapping[Any, int]) -> Any:
        return int(n)

    _One = _Zero = _NegativeOne = _Integer

    def _Rational(self, q: Any, at: Mapping[Any, int]) -> Any:
        return self.real(Fraction(int(q.p), int(q.q)))

    _Half = _Rational

    def _Add(self, a: Any, at: Mapping[Any, int]) -> Any:
        first, *rest = (self(term, at) for term in a.args)
        for term in rest:
            first = first + term
        return first

    def _Mul(self, m: Any, at: Mapping[Any, int]) -> Any:
        first, *rest = (self(factor, at) for factor in m.args)
        for factor in rest:
            first = first * factor
        return first

    def _Pow(self, p: Any, at: Mapping[Any, int]) -> Any:
        base = self(p.base, at)
        if p.exp.is_Integer:
            n = int(p.exp)
            power = self.real(1) if n == 0 else self.real(base)
            for _ in range(abs(n) - 1):
                power = power * base
            return power if n >= 0 else self.real(1) / power
        if p.exp.is_Rational and p.exp.q == 2:
            root = self.xp.sqrt(self.real(base))
            return root if p.exp.p == 1 else self.real(1) / root
        return self.real(base) ** self(p.exp, at)

    def _exp(self, f: Any, at: Mapping[Any, int]) -> Any:
        return self.xp.exp(self.real(self(f.args[0], at)))

    def _log(self, f: Any, at: Mapping[Any, int]) -> Any:
        return self.xp.log(self.real(self(f.args[0], at)))

    def _tanh(self, f: Any, at: Mapping[Any, int]) -> Any:
        return self.xp.tanh(self.real(self(f.args[0], at)))

    def _σ(self, f: Any, at: Mapping[Any, int]) -> Any:
        return 1 / (1 + self.xp.exp(-self.real(self(f.args[0], at))))

    def _max(self, f: Any, at: Mapping[Any, int]) -> Any:
        a, b = (self(x, at) for x in f.args)
        return self.xp.maximum(a, b) if np.ndim(a) or np.ndim(b) else a if a >= b else b

    def _Piecewise(self, p: Any, at: Mapping[Any, int]) -> Any:
        return next(self(value, at) for value, condition in p.args if self.holds(condition, at))

    def holds(self, condition: Any, at: Mapping[Any, int]) -> bool:
        if condition.is_Boolean and not condition.is_Relational:
            return all(self.holds(c, at) for c in condition.args) if condition.args else bool(condition)
        a, b = self(condition.lhs, at), self(condition.rhs, at)
        tests = {"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}
        return bool(tests[condition.rel_op])

    def _Indicator(self, i: Any, at: Mapping[Any, int]) -> Any:
        return int(self.holds(i.args[0], at))

    def _places(self, letters: Any, at: Mapping[Any, int]) -> Iterable[dict[Any, int]]:
        for values in itertools.product(*(self.ranges[v] for v in letters)):
            yield {**at, **dict(zip(letters, values, strict=True))}

    def _Over(self, s: Any, at: Mapping[Any, int]) -> Any:
        body, letters, condition = s.args
        total: Any = 0
        for place in self._places(letters, at):
            if self.holds(condition, place):
                total = total + self(body, place)
        return total

    def _best(self, m: Any, at: Mapping[Any, int]) -> tuple[Any, dict[Any, int]]:
        found: Any = None
        for place in self._places(m.args[1], at):
            value = self(m.args[0], place)
            if found is None or value > found[0]:
                found = (value, place)
        return found

    def _Largest(self, m: Any, at: Mapping[Any, int]) -> Any:
        return self._best(m, at)[0]

    def _Place(self, m: Any, at: Mapping[Any, int]) -> Any:
        return self._best(m, at)[1][m.args[1][0]]

    def _Dot(self, d: Any, at: Mapping[Any, int]) -> Any:
        a, b = (self(x, at) for x in d.args)
        return a @ b

    def _Outer(self, d: Any, at: Mapping[Any, int]) -> Any:
        a, b = (self(x, at) for x in d.args)
        return a[:, None] * b[None, :]

    def _Transposed(self, t: Any, at: Mapping[Any, int]) -> Any:
        return self(t.args[0], at).T

    def _Partial(self, p: Any, at: Mapping[Any, int]) -> Any:
        of, by, fixed = p.args
        places = [(str(getattr(x, "base", x)), tuple(int(self(i, at)) for i in getattr(x, "indices", ())))
                  for x in (of, by)]  # fmt: skip
        return self.source.partial(*places, tuple(map(str, fixed)))

    def _Expected(self, e: Any, at: Mapping[Any, int]) -> Any:
        total: Any = 0
        names = frozenset(b.name for b in e.atoms(IndexedBase, Symbol))
        outcomes = list(self.source.outcomes(names))
        for outcome in outcomes:
            self.chosen = outcome
            total = total + self(e.args[0], at)
        self.chosen = {}
        return total / self.real(len(outcomes))
