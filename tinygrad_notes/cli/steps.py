"""Prints a derivation: what is given, each step with its reason, and the residual found here and now."""

from __future__ import annotations

import importlib.util
import inspect
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .operations import plain

ROOT = Path(__file__).resolve().parent.parent.parent  # of the repository, or of what is installed

WORDS = {
    "en": {"derivation": "derivation: {}", "given": "given:", "number": "a number",
           "chance": "chance variables",
           "gradient": "∂L/∂{}, from outside", "definition": "definitions:", "reason": "  ({})",
           "residual": "residual {:.1g}", "double": "in float64 {:.1g}", "wrong": "WRONG",
           "rule": "the shipped rule, {}:", "the shipped forward": "the forward",
           "the shipped code": "what the code computes", "the shipped gradient of": "the gradient of {}",
           "example": "an example for paper:"},
    "zh": {"derivation": "推导：{}", "given": "已知：", "number": "数", "chance": "随机变量",
           "gradient": "∂L/∂{}，由外部给出", "definition": "定义：", "reason": "（{}）",
           "residual": "残差 {:.1g}", "double": "float64 下 {:.1g}", "wrong": "不成立",
           "rule": "代码中的规则（{}）：", "the shipped forward": "前向传播",
           "the shipped code": "代码的计算结果", "the shipped gradient of": "{} 的梯度",
           "example": "手算示例："},
}  # fmt: skip
WIDTH = 110  # of the reasons, where the words have spaces


def derivations_of(operation: Any = None, name: str = "") -> list[Any]:
    """The entries of a rule, or those of that name. [] where SymPy is missing."""
    if importlib.util.find_spec("sympy") is None:
        return []
    from ..verify.derivations import DERIVATIONS

    name = plain(name).replace(" ", "")
    return [e for e in DERIVATIONS if e.rule is operation or plain(e.name).replace(" ", "") == name]


def as_data(entry: Any, lang: str, example: bool) -> dict[str, Any]:
    """The derivation with its formulas in LaTeX and Unicode and its residuals."""
    from ..verify.derivations import check
    from ..verify.derivations.alphabet import unicode_script
    from ..verify.derivations.example import worked
    from ..verify.derivations.printer import latex, unicode

    d = entry.build()

    def line(x: Any) -> dict[str, Any]:
        both = ((form.__name__, form(x.lhs, d.ranks), form(x.rhs, d.ranks)) for form in (latex, unicode))
        return {name: f"{left} = {right}" for name, left, right in both} | {"reason": x.reason[lang]}

    points = check.points_of(d)
    found = {r.name: {"residual": r.exact, "residual_float64": r.double, "passed": bool(r)}
             for r in check.check(d, points)}  # fmt: skip
    shapes = {}
    for g in d.givens:
        shape = points[0].array(g.name).stacked().shape
        name = _name(g.name) if g.start is None else f"{_name(g.name)}{unicode_script([str(g.start)])}"
        shapes[name] = list(shape if g.start is None else shape[1:])
    steps = [line(s) | found.pop(f"step {k}") | {"left": unicode(s.lhs, d.ranks), "goes_on": s.goes_on}
             for k, s in enumerate(d.steps, 1)]  # fmt: skip
    return {
        "name": d.name, "about": d.reason[lang], "rule": where(d.rule),
        "numbers": list(d.numbers), "chances": list(d.chances), "given": shapes,
        "gradients": {f"g{y}": y for y in d.outputs},
        "definitions": [line(x) for x in d.definitions], "steps": steps, "shipped": found,
        "example": [asdict(w) for w in worked(entry.build(hand=True))] if example else None,
    }  # fmt: skip


def where(rule: Any) -> str:
    """file:line of a rule."""
    path = Path(inspect.getsourcefile(rule) or "").resolve()
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return f"{shown.as_posix()}:{inspect.getsourcelines(rule)[1]}"


def print_derivation(data: dict[str, Any], lang: str) -> None:
    words = WORDS[lang]
    print(f"{words['derivation'].format(data['name'])} ({data['rule']})\n{data['about']}\n\n{words['given']}")
    for name in data["numbers"]:
        print(f"  {_name(name)}: {words['number']}")
    for name in data["chances"]:
        print(f"  {_name(name)}: {words['chance']}")
    for name, shape in data["given"].items():
        print(f"  {name}: {' × '.join(map(str, shape)) or words['number']}")
    for name, y in data["gradients"].items():
        print(f"  {_name(name)} = {words['gradient'].format(_name(y))}")
    print(words["definition"])
    for line in data["definitions"]:
        print(f"  {line['unicode']}" + (words["reason"].format(line["reason"]) if line["reason"] else ""))
    print()
    for k, step in enumerate(data["steps"], 1):
        right = step["unicode"]
        if step["goes_on"]:
            right = " " * len(step["left"]) + right.removeprefix(step["left"])
        reason = f"{step['reason']}  [{residual_of(step, words)}]"
        print(f"{k:3}. {right}")
        print(textwrap.fill(reason, WIDTH, initial_indent=" " * 7, subsequent_indent=" " * 7))
    print(f"\n{words['rule'].format(data['rule'])}")
    for name, result in data["shipped"].items():
        kind = next(kind for kind in words if name.startswith(kind))
        print(f"  {words[kind].format(name.removeprefix(kind).strip())}  [{residual_of(result, words)}]")
    if data["example"]:
        _print_example(data["example"], words)


def _name(name: str) -> str:
    from ..verify.derivations.alphabet import unicode_name

    return unicode_name(name)


def residual_of(found: dict[str, Any], words: dict[str, str]) -> str:
    pairs = (("residual", found["residual"]), ("double", found["residual_float64"]))
    parts = [words[kind].format(value) for kind, value in pairs if value is not None]
    return ", ".join(parts if found["passed"] else [*parts, words["wrong"]])


def _print_example(lines: list[dict[str, Any]], words: dict[str, str]) -> None:
    print(f"\n{words['example']}")
    step = 0
    for line in lines:
        step += line["kind"] == "step"
        lead = f"{step:3}. " if line["kind"] == "step" else "     "
        if line["line"]:
            print(f"{lead}{line['line']}")
            lead = "     "
        if line["line"] != f"{line['name']} = {line['value']}":
            print(f"{lead}{line['name']} = {line['value']}")
