"""Formulas as LaTeX, for pages."""

from __future__ import annotations

from typing import Any

from sympy import Rational

from .alphabet import latex_name, latex_script
from .walk import ADD, ATOM, MUL, POW, SUM, Text, Walk, is_denominator, reciprocal


class Latex(Walk):
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
        text = rf"\tfrac{{{abs(q.p)}}}{{{q.q}}}"
        return (text, MUL) if q > 0 else (f"-{text}", ADD)

    _print_Half = _print_Rational

    def _print_Pow(self, p: Any) -> Text:
        if p.exp == Rational(1, 2):
            return rf"\sqrt{{{self.text(p.base)}}}", ATOM
        if is_denominator(p):
            return self.fraction(("1", ATOM), self._print(reciprocal(p)))
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
        return rf"\max_{{{','.join(self.text(v) for v in m.args[1])}}} {self.bound(m.args[0], MUL)}", SUM

    def _print_Place(self, m: Any) -> Text:
        body = self.bound(m.args[0], MUL)
        return rf"\operatorname*{{arg\,max}}_{{{self.text(m.args[1][0])}}} {body}", SUM

    def _print_Expected(self, e: Any) -> Text:
        return rf"\mathbb{{E}}\left[{self.text(e.args[0])}\right]", ATOM
