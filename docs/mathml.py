"""Formulas as MathML, made at build time: every browser shows it without a script."""

import re
from xml.etree import ElementTree

from docutils import nodes
from latex2mathml.converter import convert

WORDS = {  # what latex2mathml does not know or does not set as TeX does, said otherwise
    r"\\operatorname\*{arg\\,max}": r"\\arg\\max",
    r"\\mathbb\{1\}": "𝟙",
    r"\\mathrm{(\w)}": r"\\text{\1}",
    r"\\(sum|max|min)_": r"\\\1\\limits_",
}
LONG = 24  # characters of a formula in a line that a phone's line may not hold
OPENING, CLOSING = set("([{"), set(")]}")
ElementTree.register_namespace("", "http://www.w3.org/1998/Math/MathML")


def mathml(latex, display="inline"):
    """`display`: "inline", "block", or "wide", a block's formula within a line."""
    for word, other in WORDS.items():
        latex = re.sub(word, other, latex)
    text = convert(latex, display="inline" if display == "inline" else "block")
    if lost := re.findall(r">(\\\w+)<", text):
        raise ValueError(f"latex2mathml does not know {', '.join(lost)} of {latex}")
    return text.replace('display="block"', 'displaystyle="true"', 1) if display == "wide" else text


def in_parts(text):
    """A long formula as several, each up to an = outside of parentheses: TeX ends a line there, and browsers
    end one between two formulas but never within one."""
    formula = ElementTree.fromstring(text)
    (row,) = formula
    if len("".join(row.itertext())) <= LONG:
        return text
    parts, depth = [[]], 0
    for node in row:
        parts[-1].append(node)
        depth += (node.text in OPENING) - (node.text in CLOSING)
        if node.text == "=" and not depth and node is not row[-1]:
            parts.append([])
    written = []
    for part in parts:
        row[:] = part
        written.append(ElementTree.tostring(formula, encoding="unicode"))
    return "".join(written)


def visit_math(self, node):
    wide = "wide" in node["classes"]
    self.body.append(mathml(node.astext(), "wide") if wide else in_parts(mathml(node.astext())))
    raise nodes.SkipNode


def visit_block(self, node):
    self.body.append(f'<div class="formula">{mathml(node.astext(), "block")}</div>\n')
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_block, None))
    return {"parallel_read_safe": True}
