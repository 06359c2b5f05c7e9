"""Formulas as one line of Unicode, for the terminal."""

from __future__ import annotations

from typing import Any

from sympy import Rational

from .alphabet import superscript, unicode_name, unicode_script
from .walk import ADD, ATOM, MUL, POW, SUM, Text, Walk, is_denominator, reciprocal


class Unicode(Walk):
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
        return f"Σ{unicode_script([self.text(v) for v in letters]) or f'_{{{below}}}'}"

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
        if is_denominator(p):
            return self.fraction(("1", ATOM), self._print(reciprocal(p)))
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
        below = [self.text(v) for v in m.args[1]]
        return f"max{unicode_script(below) or '_{' + ','.join(below) + '}'} {self.bound(m.args[0], MUL)}", SUM

    def _print_Place(self, m: Any) -> Text:
        return f"arg max_{self.text(m.args[1][0])} {self.bound(m.args[0], MUL)}", SUM

    def _print_Expected(self, e: Any) -> Text:
        return f"E[{self.text(e.args[0])}]", ATOM
