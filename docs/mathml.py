"""Formulas as MathML, made at build time: every browser shows it without a script or a font to load."""

import re

from docutils import nodes
from latex2mathml.converter import convert

WORDS = {  # what latex2mathml does not know, said otherwise
    r"\operatorname*{arg\,max}": r"\arg\max",
    r"\mathbb{1}": "𝟙",
}


def mathml(latex, display="inline"):
    for word, other in WORDS.items():
        latex = latex.replace(word, other)
    text = convert(latex, display=display)
    if lost := re.findall(r">(\\\w+)<", text):
        raise ValueError(f"latex2mathml does not know {', '.join(lost)} of {latex}")
    return text


def visit_math(self, node):
    self.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def visit_block(self, node):
    self.body.append(f'<div class="formula">{mathml(node.astext(), "block")}</div>\n')
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_block, None))
    return {"parallel_read_safe": True}
