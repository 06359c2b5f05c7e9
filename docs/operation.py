"""The pages op/*.md, one per derivation, and their directives ``slope``, ``checked``, ``mistakes``, ``used``.

`figures` and `caught` tell the same of any rule; rules.py shows them on the page of all operations.
"""

import re

import numpy as np
from derived import DOCS, ENTRIES, TITLES, OfDerivation, is_function, slug
from docutils import nodes
from executed import image, kept, table
from mistakes import CHINESE

from tinygrad_notes.verify.report import verify_rows
from tinygrad_notes.verify.wrong import CATALOGUE

HEADS = {
    "slope": ("The function and its derivative", "函数及其导数"),
    "derivation": ("Derivation", "推导"),
    "rule": ("The shipped rule", "代码中的规则"),
    "example": ("A worked example", "手算示例"),
    "jacobian": ("Which output depends on which input", "哪个输出依赖哪个输入"),
    "checked": ("Checked by this build", "本次构建的检查结果"),
    "mistakes": ("Mistakes that are caught", "能发现的错误"),
    "used": ("Where it is told", "相关章节"),
}
COLUMNS = "order1", "order2", "residual", "torch"
TOLD = {
    "en": {
        "columns": ("calls", "differences, order 1", "order 2", "proof", "PyTorch"),
        "legend": "The worst relative errors that this build found over its calls of the rule, with all "
        "kinds of shapes and options: of the gradient against differences, of first and second order; of the "
        "backward against the symbolic derivative, at random rational points; of values and gradients to "
        "PyTorch's, in float64. A dash stands where there is nothing to compare with.",
        "mistakes": "Each of these mistakes was put into the rule, and both checks caught it: the one by "
        "differences and the one on symbols.",
        "used": "In the chapters:",
        "separator": ", ",
    },
    "zh": {
        "columns": ("调用次数", "差分，一阶", "二阶", "证明", "PyTorch"),
        "legend": "本次构建以各种形状和选项调用该规则，测得的最大相对误差依次是：梯度与数值差分之差"
        "（一阶和二阶）；反向规则与符号导数在随机有理点上之差；值和梯度与 PyTorch 之差（float64）。"
        "没有比较对象时记为短横线。",
        "mistakes": "下列每个错误都曾被植入规则，数值差分和符号证明这两种检查都发现了它。",
        "used": "相关章节：",
        "separator": "、",
    },
}  # fmt: skip
SLOPES = "sigmoid", "tanh", "relu", "leaky relu"


def rows_of(rule):
    """The rows of ``tinygrad-notes verify`` in which `rule` runs; raises ValueError if one failed."""
    rows = [row for row in kept("verify", verify_rows) if rule.name in row["operations"]]
    failed = [row["text"] for row in rows if not row["passed"]]
    if failed:
        raise ValueError("; ".join(failed))
    return rows


def figures(rule, lang):
    """How often the rule was called, and the worst that each check found."""
    rows = [row | {"torch": _worst(row, ("torch_value", "torch_gradient"))} for row in rows_of(rule)]
    if not rows:
        return []
    worst = [_worst({i: row[column] for i, row in enumerate(rows)}) for column in COLUMNS]
    return [table(TOLD[lang]["columns"], [[str(len(rows)), *map(_short, worst)]])]


def _worst(found, names=None):
    return max((v for k, v in found.items() if v is not None and (names is None or k in names)), default=None)


def _short(number):
    return "–" if number is None else "0" if number == 0 else f"{number:.0e}"


def caught(rule, lang):
    """The mistakes of the catalogue that were made in `rule`; ``verify`` tests that all are caught."""
    names = [entry.name for entry in CATALOGUE if entry.right is rule]
    if not names:
        return []
    items = [nodes.list_item("", nodes.paragraph(text=CHINESE[n] if lang == "zh" else n)) for n in names]
    return [nodes.bullet_list("", *items)]


def chapters_of(name):
    """{page: ...} of the chapters in English that show or link the derivation `name`."""
    sign = re.compile(
        rf"^```\{{(derivation|rule|example)\}} {re.escape(name)}$|op/{slug(name)}\b", re.MULTILINE
    )
    files = sorted((DOCS / "chapters").glob("*.md"))
    return [file.stem for file in files if sign.search(file.read_text(encoding="utf-8"))]


class Checked(OfDerivation):
    """A row of figures for each kind of inputs on which the rule is checked."""

    def shown(self, name, data, words):
        return [nodes.paragraph(text=TOLD[self.lang]["legend"]), *figures(ENTRIES[name].rule, self.lang)]


class Mistakes(OfDerivation):
    """The wrong backwards that the checks catch."""

    def shown(self, name, data, words):
        return [nodes.paragraph(text=TOLD[self.lang]["mistakes"]), *caught(ENTRIES[name].rule, self.lang)]


class Used(OfDerivation):
    """Links to the chapters."""

    def shown(self, name, data, words):
        folder = DOCS / "zh" if self.lang == "zh" else DOCS
        told, line = TOLD[self.lang], nodes.paragraph()
        for i, page in enumerate(chapters_of(name)):
            text = (folder / "chapters" / f"{page}.md").read_text(encoding="utf-8")
            title = re.search(r"^# (.*)$", text, re.MULTILINE)[1]
            line += nodes.Text(told["separator"] if i else f"{told['used']} ".replace("： ", "："))
            line += nodes.reference("", title, refuri=f"../chapters/{page}.html")
        return [line] if len(line) else []


class Slope(OfDerivation):
    """The function and its derivative as curves."""

    def shown(self, name, data, words):
        import pictures

        def draw(file):
            figure, axes = pictures.axes_of(["f", "f′"])
            x = np.linspace(-4, 4, 401)
            rule = ENTRIES[name].rule
            options = {"slope": 0.1} if name == "leaky relu" else {}
            values = pictures.with_slope(lambda t: rule.apply(t, **options), x)
            for one, y in zip(axes, values, strict=True):
                one.plot(x, y, color=pictures.BLUE)
                one.set_xlabel("x")
            pictures.saved(figure, file)

        return [image(self.env, f"slope-{slug(name)}", draw, "f, f′", "svg")]


def parts_of(name):
    """The directives that the page of a derivation has, in their order."""
    rule = ENTRIES[name].rule
    checked = is_function(rule) and bool(rows_of(rule))
    wrong = any(entry.right is rule for entry in CATALOGUE)
    asked = {"slope": name in SLOPES, "jacobian": is_function(rule), "checked": checked, "mistakes": wrong,
             "used": bool(chapters_of(name))}  # fmt: skip
    return [part for part in HEADS if asked.get(part, True)]


def write_pages(app):
    """op/NAME.md for every derivation, in the folder of this language."""
    chinese = app.tags.has("zh")
    folder = DOCS / "zh" / "op" if chinese else DOCS / "op"
    folder.mkdir(exist_ok=True)
    for name in ENTRIES:
        sections = [f"## {HEADS[part][chinese]}\n\n```{{{part}}} {name}\n```\n" for part in parts_of(name)]
        text = f"# {TITLES[name][chinese]}\n\n" + "\n".join(sections)
        file = folder / f"{slug(name)}.md"
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def setup(app):
    for directive in (Checked, Mistakes, Used, Slope):
        app.add_directive(directive.__name__.lower(), directive)
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True}
