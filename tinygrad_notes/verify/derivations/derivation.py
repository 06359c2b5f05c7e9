"""A derivation as data: what is given, the definitions, and the steps from the chain rule to the rule.

A builder writes one down; nothing is computed here. `Point` puts numbers in, `check` compares, the printers
print the same formulas.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import sympy
from sympy import IndexedBase, Mul, Symbol

from ...autograd import Function
from .walk import Walk

Reason = dict[str, str]  # by language: "en", "zh"
Pack = Callable[[Callable[[str], Any]], Any]  # an argument of the rule, from the arrays by name


@dataclass(frozen=True)
class Given:
    """An array that the derivation starts from. `values`: its elements if they are not drawn at random."""

    name: str
    letters: tuple[Symbol, ...]
    shape: tuple[int, ...] = ()  # of one element: (2, 2) for a matrix without letters
    values: Any = None
    padded: bool = False  # zeros outside
    positive: bool = False
    hand: Any = None
    start: int | None = None  # this is the value at that place of an array defined later: h₀ of hₜ


@dataclass(frozen=True)
class Definition:
    """lhs = rhs for all values of the letters of lhs. `back`: from the last `time` to the first."""

    lhs: Any
    letters: tuple[Symbol, ...]
    rhs: Any
    reason: Reason
    time: Symbol | None = None
    back: bool = False

    @property
    def name(self) -> str:
        return str(self.lhs.base) if hasattr(self.lhs, "base") else str(self.lhs)


@dataclass(frozen=True)
class Step:
    """lhs = rhs, and why. `goes_on`: lhs is that of the step before, and is not printed again."""

    lhs: Any
    rhs: Any
    reason: Reason
    goes_on: bool = False


@dataclass(frozen=True)
class Ship:
    """The call of the rule: how its arguments are packed, and which of them get a gradient."""

    rule: type[Function]
    inputs: dict[str, Pack]
    outputs: tuple[Pack | None, ...]
    attributes: Callable[[Any, dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Derivation:
    name: str
    rule: Any
    reason: Reason  # what it is about
    ranges: dict[Symbol, range]
    numbers: dict[str, Any]
    givens: tuple[Given, ...]
    chances: dict[str, tuple[tuple[Symbol, ...], tuple[int, ...]]]
    definitions: tuple[Definition, ...]
    outputs: tuple[str, ...]
    steps: tuple[Step, ...]
    ship: Ship | None = None
    runs: Callable[[Any, dict[str, Any]], Sequence[tuple[Any, Any]]] | None = None

    @cached_property
    def ranks(self) -> dict[str, int]:
        """How many axes each array has, with those that its letters count."""
        found = {g.name: len(g.letters) + len(g.shape) for g in self.givens}
        for d in self.definitions:
            found[d.name] = len(d.letters) + Walk(found).rank(d.rhs)
        return found | {f"g{name}": rank for name, rank in found.items()}

    def planted(self, k: int) -> Derivation:
        """The same with the wrong sign in step k: what a check must find."""
        step = self.steps[k]
        wrong = replace(step, rhs=Mul(-1, step.rhs, evaluate=False))
        return replace(self, steps=(*self.steps[:k], wrong, *self.steps[k + 1 :]))


@dataclass
class Builder:
    """What a derivation is written with; see activation.py for the first examples.

    `hand`: with the sizes of an example for paper, 2 instead of 3.
    """

    hand: bool = False
    ranges: dict[Symbol, range] = field(default_factory=dict)
    numbers: dict[str, Any] = field(default_factory=dict)
    givens: list[Given] = field(default_factory=list)
    chances: dict[str, Any] = field(default_factory=dict)
    definitions: list[Definition] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    ship: Ship | None = None
    run: Any = None

    def letters(self, names: str, size: int, hand: int | None = None, start: int = 0) -> list[Symbol]:
        """Index letters with the values start, ..., start + size − 1."""
        size = min(size, 2) if self.hand and hand is None else hand if self.hand and hand else size
        found = [Symbol(name, integer=True) for name in names.split()]
        self.ranges |= {letter: range(start, start + size) for letter in found}
        return found

    def number(self, name: str, value: Any = None, hand: Any = None) -> Symbol:
        """A number: `value` if it is a fixed one, else positive and drawn at random."""
        if self.hand and hand is not None:
            value = hand
        self.numbers[name] = value if value is None or isinstance(value, int) else Fraction(value)
        return Symbol(name, integer=True) if isinstance(value, int) else Symbol(name)

    def given(self, name: str, *letters: Symbol, **options: Any) -> IndexedBase:
        self.givens.append(Given(name, letters, **options))
        return IndexedBase(name)

    def chance(self, name: str, *letters: Symbol, outcomes: tuple[int, ...] = (-2, 1, 1)) -> IndexedBase:
        """Independent random variables, each with these outcomes, all as likely, times a number."""
        self.chances[name] = (letters, outcomes)
        return IndexedBase(name)

    def define(
        self, name: str, letters: Any, rhs: Any, en: str = "", zh: str = "", time: Symbol | None = None,
        back: bool = False,
    ) -> IndexedBase:  # fmt: skip
        letters = letters if isinstance(letters, tuple) else (letters,)
        base = IndexedBase(name)
        lhs = base[letters] if letters else base
        reason = {"en": en, "zh": zh}
        self.definitions.append(Definition(lhs, letters, sympy.sympify(rhs), reason, time, back))
        return base

    def output(self, name: str) -> IndexedBase:
        """`name` goes out; the gradient g·name of the loss in it is given, and is returned."""
        self.outputs.append(name)
        return IndexedBase(f"g{name}")

    def g(self, array: Any) -> IndexedBase:
        """∂L/∂array, of any array given or defined: what steps are about."""
        return IndexedBase(f"g{array}")

    def step(self, lhs: Any, rhs: Any, en: str, zh: str) -> None:
        """lhs = rhs; None for lhs goes on with that of the step before."""
        goes_on = lhs is None
        lhs = self.steps[-1].lhs if goes_on else lhs
        self.steps.append(Step(lhs, sympy.sympify(rhs), {"en": en, "zh": zh}, goes_on))

    def ships(self, rule: type[Function], outputs: Any = None, attributes: Any = None, **inputs: Any) -> None:
        """The rule as it is called on these arrays: names, or functions of `get(name)`.

        `attributes`: a function of (get, numbers).
        """
        made = {k: _packed(v) for k, v in inputs.items()}
        outputs = self.outputs if outputs is None else outputs
        outputs = tuple(None if o is None else _packed(o) for o in outputs)
        self.ship = Ship(rule, made, outputs, attributes or (lambda get, numbers: {}))

    def runs(self, function: Any) -> None:
        """For a rule that is no Function: (get, numbers) → pairs (what the steps say, what the code does)."""
        self.run = function


def _packed(argument: Any) -> Pack:
    return argument if callable(argument) else lambda get: get(argument)


Written = Callable[[Builder], None]


@dataclass(frozen=True)
class Entry:
    """A derivation that is not built yet: SymPy is slow to build with, and most are not asked for."""

    name: str
    rule: Any
    file: str
    reason: Reason
    write: Written

    def build(self, hand: bool = False) -> Derivation:
        b = Builder(hand)
        with sympy.evaluate(False):
            self.write(b)
        return Derivation(
            self.name, self.rule, self.reason, b.ranges, b.numbers, tuple(b.givens), b.chances,
            tuple(b.definitions), tuple(b.outputs), tuple(b.steps), b.ship, b.run,
        )  # fmt: skip


def derivation(name: str, rule: Any, en: str, zh: str) -> Callable[[Written], Entry]:
    """Makes an entry of a function that writes a derivation down."""

    def made(write: Written) -> Entry:
        return Entry(name, rule, write.__module__.rpartition(".")[2], {"en": en, "zh": zh}, write)

    return made
