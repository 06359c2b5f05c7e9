"""A worked example on paper: the formulas with small numbers put in, and what they come to."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy
from sympy import Add, Float, Integer

from ..symbolic import value_of, xp
from .check import free_letters
from .derivation import Derivation
from .point import Point
from .printer import unicode
from .reader import Reader

LONGEST = 160  # a line with the numbers of one element


@dataclass(frozen=True)
class Worked:
    """`name` = `value`, all of its elements; `line` is its first element with the numbers put in, or ""."""

    kind: str  # "given", "definition", "step"
    name: str
    value: str
    line: str = ""


def worked(derivation: Derivation) -> Iterator[Worked]:
    """What is given, the definitions and the steps of a derivation that was built with `hand=True`."""
    point = Point(derivation, "hand")
    reader = Reader(xp, point, derivation.ranges, point.numbers)
    for name, value in point.numbers.items():
        yield Worked("given", unicode(sympy.Symbol(name), derivation.ranks), _text(value))
    names = [g.name for g in derivation.givens] + [f"g{y}" for y in derivation.outputs]
    for name in names:
        base = sympy.IndexedBase(name)
        given = next((g for g in derivation.givens if g.name == name and g.start is not None), None)
        shown = base if given is None else base[given.start]
        value = point.packed(name) if given is None else point.array(name).at((given.start,))
        yield Worked("given", unicode(shown, derivation.ranks), _text(value))
    for definition in derivation.definitions:
        yield _line("definition", derivation, definition, reader)
    for step in derivation.steps:
        yield _line("step", derivation, step, reader)


def _line(kind: str, derivation: Derivation, line: Any, reader: Reader) -> Worked:
    letters = free_letters(derivation, line.lhs)
    if isinstance(line.lhs, sympy.Indexed):  # in the order of the axes, so that W[o, i] is printed as W is
        letters.sort(key=lambda v: next(k for k, i in enumerate(line.lhs.indices) if v in i.free_symbols))
    axes = [derivation.ranges[v] for v in letters]
    values = [reader(line.lhs, dict(zip(letters, at, strict=True))) for at in itertools.product(*axes)]
    shape = tuple(map(len, axes)) + np.shape(values[0])
    whole = np.array([v for value in values for v in np.atleast_1d(np.asarray(value, object)).reshape(-1)],
                     object).reshape(shape)  # fmt: skip
    first = {v: axis[0] for v, axis in zip(letters, axes, strict=True)}
    with sympy.evaluate(False):
        left = line.lhs.xreplace({v: Integer(at) for v, at in first.items()})
        right = _unrolled(line.rhs, first, reader)
    shown = "" if right is None else unicode(right, derivation.ranks)
    element = unicode(_settled(left), derivation.ranks)
    base = line.lhs.base if letters and isinstance(line.lhs, sympy.Indexed) else line.lhs
    text = f"{element} = {shown}" if shown and len(shown) <= LONGEST else ""
    return Worked(kind, unicode(base, derivation.ranks), _text(whole), text)


def _settled(formula: Any) -> Any:
    """Index arithmetic carried out: h[1 − 1] is h[0]."""
    indices = {i for x in formula.atoms(sympy.Indexed) for i in x.indices if i.is_number}
    return formula.xreplace({i: Integer(int(i.doit())) for i in indices})


def _unrolled(formula: Any, at: Mapping[Any, int], reader: Reader) -> Any:
    """The formula with numbers for all letters and arrays, sums written out; None if it holds vectors."""
    kind = type(formula).__name__
    if formula.is_Number:
        return formula
    if kind in ("Dot", "Outer", "Transposed", "Expected"):
        return None
    if kind == "Over":
        body, letters, condition = formula.args
        terms = [_unrolled(body, {**at, **dict(zip(letters, values, strict=True))}, reader)
                 for values in itertools.product(*(reader.ranges[v] for v in letters))
                 if reader.holds(condition, {**at, **dict(zip(letters, values, strict=True))})]  # fmt: skip
        return None if None in terms else Add(*terms) if len(terms) > 1 else terms[0] if terms else Integer(0)
    if kind == "Piecewise":
        return next(_unrolled(v, at, reader) for v, c in formula.args if reader.holds(c, at))
    if kind in ("Add", "Mul", "Pow", "exp", "log", "tanh", "σ", "max"):
        parts = [_unrolled(a, at, reader) for a in formula.args]
        if kind == "Pow" and isinstance(power := reader(formula.exp, at), int):
            parts[1] = Integer(power)
        return None if None in parts else formula.func(*parts)
    value = reader(formula, at)
    return None if np.ndim(value) else _number(value)


def _number(value: Any) -> Any:
    x = _rounded(value)
    return Integer(int(x)) if x == int(x) else Float(x)


def _rounded(value: Any) -> float:
    """Without what the central differences leave of a 0 or a whole number."""
    x = float(value_of(value))
    return float(round(x)) if abs(x - round(x)) < 1e-20 else x


def _text(value: Any) -> str:
    """An array as nested lists with four digits."""
    if np.ndim(value):
        return f"[{', '.join(_text(v) for v in value)}]"
    x = _rounded(value[()] if isinstance(value, np.ndarray) else value)
    return f"{x:.4g}".replace("-", "−") if x else "0"
