"""Formulas as MathML, made at build time: every browser shows it without a script."""

import re

from docutils import nodes
from latex2mathml.converter import convert

WORDS = {  # what latex2mathml does not know or does not set as TeX does, said otherwise
    r"\\operatorname\*{arg\\,max}": r"\\arg\\max",
    r"\\mathbb\{1\}": "𝟙",
    r"\\mathrm{(\w)}": r"\\text{\1}",
    r"\\(sum|max|min)_": r"\\\1\\limits_",
}


def mathml(latex, display="inline"):
    """`display`: "inline", "block", or "wide", a block's formula within a line."""
    for word, other in WORDS.items():
        latex = re.sub(word, other, latex)
    text = convert(latex, display="inline" if display == "inline" else "block")
    if lost := re.findall(r">(\\\w+)<", text):
        raise ValueError(f"latex2mathml does not know {', '.join(lost)} of {latex}")
    return text.replace('display="block"', 'displaystyle="true"', 1) if display == "wide" else text


def visit_math(self, node):
    self.body.append(mathml(node.astext(), "wide" if "wide" in node["classes"] else "inline"))
    raise nodes.SkipNode


def visit_block(self, node):
    self.body.append(f'<div class="formula">{mathml(node.astext(), "block")}</div>\n')
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_block, None))
    return {"parallel_read_safe": True}
