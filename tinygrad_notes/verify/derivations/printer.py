"""Formulas as LaTeX and as one line of Unicode, in the notation of the pages: gy → gx, x̂, Σ, ∘, ᵀ.

One walk over the expression, two alphabets. A method returns the text and how tightly it binds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sympy import Indexed, Mul, Pow, Rational
from sympy.printing.printer import Printer

from .alphabet import latex_name, latex_script, superscript, unicode_name, unicode_script

ADD, SUM, MUL, POW, ATOM = range(5)
Text = tuple[str, int]


def latex(formula: Any, ranks: Mapping[str, int] | None = None) -> str:
    """`ranks`: by name, how many axes an array has that is named without letters (2 for a matrix)."""
    return Latex(ranks or {}).text(formula)


def unicode(formula: Any, ranks: Mapping[str, int] | None = None) -> str:
    return Unicode(ranks or {}).text(formula)


class _Walk(Printer):
    """What both alphabets share: the order of things, signs, fractions, and where parentheses stand."""

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
        parts = [self.rank(a) for a in (formula.args[:1] if kind == "Over" else formula.args[:2]
                 if kind == "Partial" else formula.args)]  # fmt: skip
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
                text = self.fraction(text, self.product([_reciprocal(f) for f in below]))
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
            sign = (
                self.circle
                if circle
                else self.tight
                if index
                else self.times
                if text[:1].isdigit()
                else self.gap
            )
            out += sign + text
        return out, MUL

    def _print_Over(self, s: Any) -> Text:
        body, letters, condition = s.args
        below = ",".join(self.index(v) for v in letters)
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
        text = self.bound(base, ATOM)
        return self.parentheses(text) if "^" in str(getattr(base, "base", base)) else text

    def _print_Function(self, f: Any) -> Text:
        name = {"log": "ln"}.get(type(f).__name__, type(f).__name__)
        return f"{self.named(name)}{self.parentheses(', '.join(self.text(a) for a in f.args))}", ATOM

    _print_log = _print_tanh = _print_Function

    def index(self, i: Any) -> str:
        return self.text(i)


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


def _is_denominator(f: Any) -> bool:
    if not f.is_Pow:
        return False
    return bool(f.exp.is_Rational and f.exp < 0) or (f.exp.is_Mul and f.exp.args[0] == -1)


def _reciprocal(f: Any) -> Any:
    power = _unsigned(f.exp)[0]
    return f.base if power == 1 else Pow(f.base, power, evaluate=False)


def _groups(factors: list[Any]) -> list[tuple[list[Any], list[Any]]]:
    """Fractions as they were written: a/b c is a over b, and then c."""
    groups: list[tuple[list[Any], list[Any]]] = [([], [])]
    for f in factors:
        if _is_denominator(f):
            groups[-1][1].append(f)
        elif groups[-1][1]:
            groups.append(([f], []))
        else:
            groups[-1][0].append(f)
    return groups


class Latex(_Walk):
    circle, minus, gap, times = r" \circ ", "-", r"\, ", r" \cdot "
    tight = " "
    less_equal, more_equal = r"\le", r"\ge"

    def parentheses(self, text: str) -> str:
        return rf"\left({text}\right)"

    def joined(self, texts: list[Text]) -> str:
        last = len(texts) - 1
        return self.gap.join(self.parentheses(text) if level < (MUL if i < last else SUM) else text
                             for i, (text, level) in enumerate(texts))  # fmt: skip

    def fraction(self, above: Text, below: Text) -> Text:
        return rf"\frac{{{above[0]}}}{{{below[0]}}}", MUL

    def transposed(self, text: str) -> str:
        return rf"{text}^{{\top}}"

    def named(self, name: str) -> str:
        return latex_name(name) if len(name) == 1 else rf"\{name}"

    def summed(self, letters: Any, below: str, where: str | None) -> str:
        if where is None:
            return rf"\sum_{{{below}}}"
        return rf"\sum_{{\substack{{{below}: \\ {where.replace(', ', ', ~')}}}}}"

    def _print_Symbol(self, s: Any) -> Text:
        return latex_name(s.name), ATOM

    def _print_IndexedBase(self, b: Any) -> Text:
        return latex_name(str(b)), ATOM

    def _print_Indexed(self, x: Any) -> Text:
        return latex_script(str(x.base), [self.text(i) for i in x.indices]), ATOM

    def _print_Rational(self, q: Any) -> Text:
        return (
            rf"\tfrac{{{q.p}}}{{{q.q}}}" if q > 0 else rf"-\tfrac{{{-q.p}}}{{{q.q}}}",
            MUL if q > 0 else ADD,
        )

    _print_Half = _print_Rational

    def _print_Pow(self, p: Any) -> Text:
        if p.exp == Rational(1, 2):
            return rf"\sqrt{{{self.text(p.base)}}}", ATOM
        if _is_denominator(p):
            return self.fraction(("1", ATOM), self._print(_reciprocal(p)))
        if p.base.is_Function and len(p.base.args) == 1 and type(p.base).__name__ != "exp":
            name, argument = self.named(type(p.base).__name__), self.text(p.base.args[0])
            return rf"{name}^{{{self.text(p.exp)}}}{self.parentheses(argument)}", POW
        return rf"{self.raised(p.base)}^{{{self.text(p.exp)}}}", POW

    def _print_exp(self, e: Any) -> Text:
        return rf"e^{{{self.text(e.args[0])}}}", POW

    def _print_Partial(self, p: Any) -> Text:
        of, by, fixed = p.args
        text = rf"\frac{{\partial {self.text(of)}}}{{\partial {self.text(by)}}}"
        if fixed:
            text = rf"\left.{text}\right|_{{{', '.join(self.text(f) for f in fixed)}}}"
        return text, POW

    def _print_Piecewise(self, p: Any) -> Text:
        rows = r" \\ ".join(rf"{self.text(v)} & {self.text(c)}" for v, c in p.args)
        return rf"\begin{{cases}} {rows} \end{{cases}}", ATOM

    def _print_Indicator(self, i: Any) -> Text:
        return rf"\mathbb{{1}}[{self.text(i.args[0])}]", ATOM

    def _print_Largest(self, m: Any) -> Text:
        return rf"\max_{{{','.join(self.index(v) for v in m.args[1])}}} {self.bound(m.args[0], MUL)}", SUM

    def _print_Place(self, m: Any) -> Text:
        body = self.bound(m.args[0], MUL)
        return rf"\operatorname*{{arg\,max}}_{{{self.index(m.args[1][0])}}} {body}", SUM

    def _print_Expected(self, e: Any) -> Text:
        return rf"\mathbb{{E}}\left[{self.text(e.args[0])}\right]", ATOM


class Unicode(_Walk):
    circle, minus, gap, times = " ∘ ", "−", " ", " · "
    tight = "·"
    less_equal, more_equal = "≤", "≥"

    def parentheses(self, text: str) -> str:
        return f"({text})"

    def joined(self, texts: list[Text]) -> str:
        last = len(texts) - 1
        bare = [level >= SUM and (i == last or "/" not in text) for i, (text, level) in enumerate(texts)]
        return " ".join(text if ok else f"({text})" for (text, _), ok in zip(texts, bare, strict=True))

    def fraction(self, above: Text, below: Text) -> Text:
        up = above[0] if above[1] >= MUL else self.parentheses(above[0])
        down = below[0] if below[1] >= POW else self.parentheses(below[0])
        return f"{up}/{down}", MUL

    def transposed(self, text: str) -> str:
        return f"{text}ᵀ"

    def named(self, name: str) -> str:
        return name

    def summed(self, letters: Any, below: str, where: str | None) -> str:
        if where is not None:
            return f"Σ_{{{below}: {where}}}"
        return f"Σ{unicode_script([self.index(v) for v in letters]) or f'_{{{below}}}'}"

    def _print_Symbol(self, s: Any) -> Text:
        return unicode_name(s.name), ATOM

    def _print_IndexedBase(self, b: Any) -> Text:
        return unicode_name(str(b)), ATOM

    def _print_Indexed(self, x: Any) -> Text:
        indices = [self.text(i) for i in x.indices]
        name = unicode_name(str(x.base))
        small = unicode_script(indices)
        return (f"{name}{small}" if small else f"{name}[{', '.join(indices)}]"), ATOM

    def _print_Rational(self, q: Any) -> Text:
        known = {"1/2": "½", "1/4": "¼", "3/4": "¾"}.get(f"{abs(q.p)}/{q.q}")
        text = known or f"{abs(q.p)}/{q.q}"
        return (text, ATOM if known else MUL) if q > 0 else (f"−{text}", ADD)

    _print_Half = _print_Rational

    def _print_Pow(self, p: Any) -> Text:
        if p.exp == Rational(1, 2):
            return f"√{self.bound(p.base, ATOM)}", POW
        if _is_denominator(p):
            return self.fraction(("1", ATOM), self._print(_reciprocal(p)))
        exponent = self.text(p.exp)
        small = superscript(exponent)
        return f"{self.raised(p.base)}{small or f'^({exponent})'}", POW

    def _print_exp(self, e: Any) -> Text:
        exponent = self.text(e.args[0])
        small = superscript(exponent)
        return (f"e{small}", POW) if small else (f"exp({exponent})", ATOM)

    def _print_Partial(self, p: Any) -> Text:
        of, by, fixed = p.args
        text = f"∂{self.text(of)}/∂{self.text(by)}"
        return (text, POW) if not fixed else (f"({text})|{','.join(self.text(f) for f in fixed)}", ATOM)

    def _print_Piecewise(self, p: Any) -> Text:
        return "{" + "; ".join(f"{self.text(v)}, {self.text(c)}" for v, c in p.args) + "}", ATOM

    def _print_Indicator(self, i: Any) -> Text:
        return f"1[{self.text(i.args[0])}]", ATOM

    def _print_Largest(self, m: Any) -> Text:
        below = [self.index(v) for v in m.args[1]]
        return f"max{unicode_script(below) or '_{' + ','.join(below) + '}'} {self.bound(m.args[0], MUL)}", SUM

    def _print_Place(self, m: Any) -> Text:
        return f"arg max_{self.index(m.args[1][0])} {self.bound(m.args[0], MUL)}", SUM

    def _print_Expected(self, e: Any) -> Text:
        return f"E[{self.text(e.args[0])}]", ATOM
