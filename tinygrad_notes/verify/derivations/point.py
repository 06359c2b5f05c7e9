"""One point: numbers for what is given, the definitions computed from them, and derivatives of two kinds.

`adjoint` is the numerical derivative of L = Σ gy·y in an array, by central differences with 50 digits;
`partial` is SymPy's derivative of one element in another. Steps are formulas of both.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from ..symbolic import Scalar, Symbols, derivative, evaluate, lift, sympy, value_of, xp
from .derivation import Definition, Derivation, Given
from .reader import Reader, Values

NUDGE = Fraction(1, 10**16)
HAND = (1, -2, 3, -1, 2, 4, -3, 1, 2, -1, -2, 3)


class Point:
    """`kind`: "rational" or "float64" for random numbers of that kind, "hand" for a worked example's."""

    def __init__(self, derivation: Derivation, kind: str = "rational", seed: int = 0) -> None:
        self.derivation, self.kind = derivation, kind
        self.rng = np.random.default_rng(seed)
        self.numbers = {n: self._number() if v is None else v for n, v in derivation.numbers.items()}
        self.scales = {name: self._number() for name in derivation.chances}
        self.drawn = {g.name: self._drawn(g) for g in derivation.givens}
        self.known: dict[str, Values] = {}
        self.known = self._run()
        for name in derivation.outputs:
            shape = self.known[name]
            self.known[f"g{name}"] = shape.map(lambda v: self._draw_like(v))
        self._frames: dict[Any, Any] = {}
        self._outcomes: dict[frozenset[str], list[dict[str, Values]]] = {}

    # Numbers.

    def _number(self) -> Fraction:
        """Positive, and exact in float64: attributes of a rule are floats."""
        return Fraction(1, 2) if self.kind == "hand" else Fraction(int(self.rng.integers(20, 90)), 64)

    def _draw(self, positive: bool = False) -> Scalar:
        if self.kind == "float64":
            value = Fraction(float(self.rng.normal()))
        elif self.kind == "hand":
            self._next = getattr(self, "_next", -1) + 1
            value = Fraction(HAND[self._next % len(HAND)])
        else:
            value = Fraction(int(self.rng.integers(1, 90)), int(self.rng.integers(30, 60)))
            value *= int(self.rng.choice([-1, 1]))
        if positive:
            value = abs(value) + Fraction(1, 2)
        return Scalar(None, value_of(value))

    def _draw_like(self, v: Any) -> Any:
        return self._filled(np.shape(v), lambda i: self._draw())

    def _filled(self, shape: tuple[int, ...], element: Callable[[int], Any]) -> Any:
        out = np.empty(shape, object)
        flat = out.reshape(-1)
        for i in range(out.size):
            flat[i] = element(i)
        return out if shape else out[()]

    def _drawn(self, g: Given) -> Values:
        axes = tuple(self.derivation.ranges[v] for v in g.letters)
        keys = list(itertools.product(*axes))
        if g.start is not None:
            axes, keys = (range(g.start, g.start + 1), *axes), [(g.start, *k) for k in keys]
        fixed = g.hand if self.kind == "hand" and g.hand is not None else g.values
        if fixed is None:
            elements = {k: self._filled(g.shape, lambda i: self._draw(g.positive)) for k in keys}
        elif g.start is None:  # word numbers, labels, masks: integers
            elements = dict(zip(keys, fixed, strict=True))
        else:
            elements = {k: Scalar(None, value_of(v)) for k, v in zip(keys, fixed, strict=True)}
        return Values(axes, elements, g.padded)

    # The definitions.

    def _run(
        self, drawn: Mapping[str, Values] | None = None,
        change: Callable[[str, tuple[int, ...], Any], Any] = lambda name, key, value: value,
    ) -> dict[str, Values]:  # fmt: skip
        """All arrays, with `change` applied to each element as soon as it is computed."""
        d = self.derivation
        arrays: dict[str, Values] = {}
        for name, values in (drawn or self.drawn).items():
            arrays[name] = Values(
                values.axes, {k: change(name, k, v) for k, v in values.elements.items()}, values.padded
            )
        reader = Reader(xp, _Arrays(arrays, self), d.ranges, self.numbers)
        for definition, at in self._order():
            key = tuple(at[v] for v in definition.letters)
            value = change(definition.name, key, reader.real(reader(definition.rhs, at)))
            if definition.name not in arrays:
                arrays[definition.name] = Values(tuple(d.ranges[v] for v in definition.letters), {})
            arrays[definition.name].elements[key] = value
        for definition in d.definitions:
            values = arrays[definition.name]
            keys = list(values.elements)
            axes = tuple(range(min(c), max(c) + 1) for c in zip(*keys, strict=True))
            arrays[definition.name] = Values(
                axes, values.elements, bool(axes) and definition.time is not None
            )
        return arrays

    def _order(self) -> Iterator[tuple[Definition, dict[Any, int]]]:
        """Each definition at each value of its letters; those of a recurrence step by step."""
        d = self.derivation
        for (time, back), block in itertools.groupby(d.definitions, lambda x: (x.time, x.back)):
            definitions = list(block)
            times = (None,) if time is None else d.ranges[time]
            for t in reversed(times) if back else times:
                for definition in definitions:
                    others = [v for v in definition.letters if v != time]
                    for values in itertools.product(*(d.ranges[v] for v in others)):
                        at = dict(zip(others, values, strict=True))
                        yield definition, at if time is None else {time: t, **at}

    # Derivatives.

    def array(self, name: str) -> Values:
        if name not in self.known:
            if name[:1] != "g" or name[1:] not in self.known:
                raise KeyError(f"{self.derivation.name}: no array is called {name!r}")
            self.known[name] = self.adjoint(name[1:])
        return self.known[name]

    def adjoint(self, name: str) -> Values:
        """∂L/∂name: the outputs follow when an element of `name` is changed, all before it stays."""
        values = self.known[name]

        def slope(key: tuple[int, ...], i: int) -> Scalar:
            losses = [self._loss(name, key, i, nudge) for nudge in (NUDGE, -NUDGE)]
            return (losses[0] - losses[1]) / (2 * NUDGE)

        elements = {
            key: self._filled(np.shape(value), lambda i, key=key: slope(key, i))
            for key, value in values.elements.items()
        }
        return Values(values.axes, elements, True)

    def _loss(self, name: str, key: tuple[int, ...], i: int, nudge: Fraction) -> Scalar:
        def change(n: str, k: tuple[int, ...], value: Any) -> Any:
            if n != name or k != key:
                return value
            if not np.ndim(value):
                return value + nudge
            value = value.copy()
            value.reshape(-1)[i] = value.reshape(-1)[i] + nudge
            return value

        arrays = self._run(change=change)
        total: Any = lift(0)
        for y in self.derivation.outputs:
            for k, v in arrays[y].elements.items():
                total = total + np.sum(self.known[f"g{y}"].elements[k] * v)
        return total

    def partial(self, of: Any, by: Any, fixed: tuple[str, ...]) -> Any:
        """∂of/∂by, each (name, index), by SymPy; the Jacobian if they are vectors."""
        arrays, exact = self._frame(by[0], by[1], fixed)
        symbols = arrays[by[0]].at(by[1])
        values = exact["values"]

        def slope(y: Any, x: Any) -> Scalar:
            if not isinstance(y, Scalar):
                return lift(0)
            memo = exact["slopes"].setdefault(x.expr, {})
            return Scalar(None, evaluate(derivative(y.expr, x.expr, memo), values, exact["memo"]))

        y = arrays[of[0]].at(of[1])
        if not np.ndim(y) and not np.ndim(symbols):
            return slope(y, symbols)
        ys, xs = np.atleast_1d(y).reshape(-1), np.atleast_1d(symbols).reshape(-1)
        matrix = np.array([[slope(a, b) for b in xs] for a in ys], object)
        return matrix if np.ndim(y) and np.ndim(symbols) else matrix.reshape(-1)

    def _frame(self, name: str, key: tuple[int, ...], fixed: tuple[str, ...]) -> Any:
        """The definitions on symbols for all that is given, for the array `name`, and for `fixed`."""
        timed = next((d for d in self.derivation.definitions if d.name == name and d.time is not None), None)
        only = key[: len(timed.letters)] if timed else None
        if (name, only, fixed) in self._frames:
            return self._frames[name, only, fixed]
        values: dict[Any, Any] = {}

        def change(n: str, k: tuple[int, ...], value: Any) -> Any:
            given = n in self.drawn and k in self.drawn[n].elements
            held = given or n in fixed or (n == name and (only is None or k == only))
            if not held or isinstance(value, int):
                return value
            flat = np.atleast_1d(np.asarray(value, object)).reshape(-1)
            made = []
            for i, v in enumerate(flat):
                symbol = sympy.Symbol(f"{n}_{'_'.join(map(str, k))}_{i}", real=True)
                values[symbol] = value_of(v)
                made.append(Scalar(symbol, value_of(v)))
            return self._filled(np.shape(value), made.__getitem__)

        arrays = self._run(change=change)
        found = arrays, {"values": values, "memo": {}, "slopes": {}}
        self._frames[name, only, fixed] = found
        return found

    def outcomes(self, names: frozenset[str]) -> list[dict[str, Values]]:
        """All values that the chance variables of these names can take together."""
        names = names & frozenset(self.derivation.chances)
        if names not in self._outcomes:
            self._outcomes[names] = list(self._possible(names))
        return self._outcomes[names]

    def _possible(self, names: frozenset[str]) -> Iterator[dict[str, Values]]:
        d = self.derivation
        places = [(name, key) for name, (letters, _) in d.chances.items() if name in names
                  for key in itertools.product(*(d.ranges[v] for v in letters))]  # fmt: skip
        values = {name: [lift(self.scales[name] * x) for x in d.chances[name][1]] for name in names}
        for chosen in itertools.product(*(values[name] for name, _ in places)):
            found: dict[str, Values] = {}
            for (name, key), outcome in zip(places, chosen, strict=True):
                axes = tuple(d.ranges[v] for v in d.chances[name][0])
                found.setdefault(name, Values(axes, {})).elements[key] = outcome
            yield found

    @cached_property
    def rounded(self) -> Rounded:
        """The same point in float64."""
        return Rounded(self)

    def packed(self, name: str) -> Any:
        """The array as NumPy has it, of Scalars without expressions."""
        a = np.asarray(self.array(name).stacked(), object)
        return a.astype(np.int64) if all(isinstance(v, int) for v in a.flat) else a.view(Symbols)


class _Arrays:
    """The arrays of a run that is not finished."""

    def __init__(self, arrays: dict[str, Values], point: Point) -> None:
        self.arrays, self.point = arrays, point

    def array(self, name: str) -> Values:
        return self.arrays[name]

    def partial(self, of: Any, by: Any, fixed: tuple[str, ...]) -> Any:
        raise TypeError("a definition holds no derivative")

    def outcomes(self, names: frozenset[str]) -> Iterable[dict[str, Values]]:
        return self.point.outcomes(names)


class Rounded:
    """The same point in float64."""

    def __init__(self, point: Point) -> None:
        self.point = point
        self.known: dict[str, Values] = {}
        self._outcomes: dict[frozenset[str], list[dict[str, Values]]] = {}

    def array(self, name: str) -> Values:
        if name not in self.known:
            self.known[name] = self.point.array(name).map(rounded)
        return self.known[name]

    def partial(self, of: Any, by: Any, fixed: tuple[str, ...]) -> Any:
        return rounded(self.point.partial(of, by, fixed))

    def outcomes(self, names: frozenset[str]) -> Iterable[dict[str, Values]]:
        if names not in self._outcomes:
            exact = self.point.outcomes(names)
            self._outcomes[names] = [{k: v.map(rounded) for k, v in found.items()} for found in exact]
        return self._outcomes[names]


def rounded(value: Any) -> Any:
    """In float64; integers stay."""
    if isinstance(value, int) or getattr(value, "dtype", None) == np.int64:
        return value
    if not np.ndim(value):
        return np.float64(value_of(value[()] if isinstance(value, np.ndarray) else value))
    flat = [float(value_of(v)) if not isinstance(v, int) else v for v in np.asarray(value, object).flat]
    return np.array(flat).reshape(np.shape(value))
