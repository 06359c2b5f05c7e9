"""The walk over a formula that both printers share: the order of things, signs, fractions, parentheses.

A method returns the text and how tightly it binds; `Latex` and `Unicode` say how things look.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sympy import Indexed, Mul, Pow
from sympy.printing.printer import Printer

ADD, SUM, MUL, POW, ATOM = range(5)
Text = tuple[str, int]


class Walk(Printer):
    """`ranks`: by name, how many axes an array has that is named without letters (2 for a matrix)."""

    circle: str  # between vectors
    minus: str
    gap: str  # between factors, and before numbers, and in indices
    times: str
    tight: str

    def __init__(self, ranks: Mapping[str, int]) -> None:
        super().__init__()
        self.ranks = ranks

    def text(self, formula: Any) -> str:
        return self._print(formula)[0]

    def bound(self, formula: Any, level: int) -> str:
        """The text, in parentheses if it binds less tightly than `level`."""
        text, own = self._print(formula)
        return text if own >= level else self.parentheses(text)

    def rank(self, formula: Any) -> int:
        """The axes of what the formula stands for: 0 for a number, 1 for a vector."""
        if isinstance(formula, Indexed):
            return max(0, self.ranks.get(str(formula.base), 0) - len(formula.indices))
        if formula.is_Symbol or type(formula).__name__ == "IndexedBase":
            return self.ranks.get(str(formula), 0)
        kind = type(formula).__name__
        if kind in ("Indicator", "Expected"):
            return 0
        used = {"Over": formula.args[:1], "Partial": formula.args[:2]}.get(kind, formula.args)
        parts = [self.rank(a) for a in used]
        if kind in ("Dot", "Outer", "Partial"):
            return sum(parts) - (2 if kind == "Dot" else 0)
        return max(parts, default=0)

    def emptyPrinter(self, expr: Any) -> Text:
        raise TypeError(f"no notation for {type(expr).__name__}: {expr!r}")

    def _print_Integer(self, n: Any) -> Text:
        return (str(n), ATOM) if n >= 0 else (f"{self.minus}{-n}", ADD)

    _print_int = _print_One = _print_Zero = _print_NegativeOne = _print_Integer

    def _print_Float(self, x: Any) -> Text:
        text = f"{float(abs(x)):.4g}"
        return (text, ATOM) if x >= 0 else (f"{self.minus}{text}", ADD)

    def _print_Add(self, a: Any) -> Text:
        parts = []
        for term in _terms(a):
            positive, sign = _unsigned(term)
            text = self.bound(positive, SUM)
            if not parts:
                parts.append(text if sign > 0 else f"{self.minus}{text}")
            else:
                parts.append(f" {'+' if sign > 0 else self.minus} {text}")
        return "".join(parts), ADD

    def _print_Mul(self, m: Any) -> Text:
        positive, sign = _unsigned(m)
        if sign < 0:
            return f"{self.minus}{self.bound(positive, SUM)}", ADD
        texts = []
        for above, below in _groups(_factors(m)):
            text = self.product(above) if above else ("1", ATOM)
            if below:
                text = self.fraction(text, self.product([reciprocal(f) for f in below]))
            texts.append(text)
        return texts[0] if len(texts) == 1 else (self.joined(texts), MUL)

    def product(self, factors: list[Any]) -> Text:
        if len(factors) == 1:
            return self._print(factors[0])
        several = sum(self.rank(f) > 0 for f in factors) > 1
        texts = []
        for i, f in enumerate(factors):
            last = i == len(factors) - 1
            text, level = self._print(f)
            matrix = several and type(f).__name__ in ("Dot", "Outer")
            if level < (SUM if last and i else MUL) or (level == MUL and matrix):
                text = self.parentheses(text)
            texts.append((text, f))
        out = texts[0][0]
        for (text, f), (_, before) in zip(texts[1:], texts, strict=False):
            circle = several and self.rank(f) > 0 and self.rank(before) > 0
            index = f.is_Symbol and before.is_Symbol and f.is_integer and before.is_integer
            between = self.tight if index else self.times if text[:1].isdigit() else self.gap
            out += (self.circle if circle else between) + text
        return out, MUL

    def _print_Over(self, s: Any) -> Text:
        body, letters, condition = s.args
        below = ",".join(self.text(v) for v in letters)
        where = None if condition == True else self.text(condition)  # noqa: E712 (a SymPy truth)
        return f"{self.summed(letters, below, where)} {self.bound(body, SUM)}", SUM

    def _print_Relational(self, r: Any) -> Text:
        signs = {"==": "=", "<=": self.less_equal, ">=": self.more_equal}
        return f"{self.text(r.lhs)} {signs.get(r.rel_op, r.rel_op)} {self.text(r.rhs)}", ADD

    def _print_And(self, a: Any) -> Text:
        return ", ".join(self.text(c) for c in sorted(a.args, key=str)), ADD

    def _print_Dot(self, d: Any) -> Text:
        return f"{self.whole(d.args[0])}{self.gap}{self.whole(d.args[1])}", MUL

    def whole(self, f: Any) -> str:
        """A factor of a matrix product: sums and element by element products in parentheses."""
        return self.bound(f, POW if f.is_Mul else MUL)

    def _print_Outer(self, d: Any) -> Text:
        return f"{self.whole(d.args[0])}{self.gap}{self.transposed(self.raised(d.args[1]))}", MUL

    def _print_Transposed(self, t: Any) -> Text:
        return self.transposed(self.raised(t.args[0])), POW

    def raised(self, base: Any) -> str:
        """Ready for an exponent: in parentheses, if it has one already."""
        text, level = self._print(base)
        has_one = "^" in str(getattr(base, "base", base))
        return self.parentheses(text) if has_one or level < ATOM else text

    def _print_Function(self, f: Any) -> Text:
        name = {"log": "ln"}.get(type(f).__name__, type(f).__name__)
        return f"{self.named(name)}{self.parentheses(', '.join(self.text(a) for a in f.args))}", ATOM

    _print_log = _print_tanh = _print_Function


def _terms(a: Any) -> list[Any]:
    """The terms of a sum of sums, where the first is a sum: (a + b) + c."""
    first, *rest = a.args
    return [*(_terms(first) if first.is_Add else [first]), *rest]


def _factors(m: Any) -> list[Any]:
    first, *rest = m.args
    return [*(_factors(first) if first.is_Mul else [first]), *rest]


def _unsigned(term: Any) -> tuple[Any, int]:
    """(term without its sign, the sign): of numbers, and of products that begin with −1."""
    if term.is_Number and term < 0:
        return -term, -1
    if term.is_Mul:
        first, *rest = _factors(term)
        if first == -1:
            return (rest[0] if len(rest) == 1 else Mul(*rest, evaluate=False)), -1
        if first.is_Rational and first < 0:
            return Mul(-first, *rest, evaluate=False), -1
    return term, 1


def is_denominator(f: Any) -> bool:
    if not f.is_Pow:
        return False
    return bool(f.exp.is_Rational and f.exp < 0) or (f.exp.is_Mul and f.exp.args[0] == -1)


def reciprocal(f: Any) -> Any:
    power = _unsigned(f.exp)[0]
    return f.base if power == 1 else Pow(f.base, power, evaluate=False)


def _groups(factors: list[Any]) -> list[tuple[list[Any], list[Any]]]:
    """Fractions as they were written: a/b c is a over b, and then c."""
    groups: list[tuple[list[Any], list[Any]]] = [([], [])]
    for f in factors:
        if is_denominator(f):
            groups[-1][1].append(f)
        elif groups[-1][1]:
            groups.append(([f], []))
        else:
            groups[-1][0].append(f)
    return groups
