"""Directives ``derivation``, ``example``, ``rule`` and ``jacobian``: what the package knows of a derivation.

Formulas, reasons and residuals come from tinygrad_notes/verify/derivations, computed by this build.
"""

import inspect
import textwrap
from pathlib import Path

from docutils import nodes
from executed import image, kept
from languages import to_root
from sphinx.util.docutils import SphinxDirective

from tinygrad_notes.autograd import Function
from tinygrad_notes.backend.kernels.plain import update
from tinygrad_notes.cli.steps import WORDS, as_data, residual_of, where
from tinygrad_notes.verify.derivations import DERIVATIONS
from tinygrad_notes.verify.derivations.alphabet import unicode_name
from tinygrad_notes.verify.source import source

DOCS = Path(__file__).resolve().parent
ENTRIES = {entry.name: entry for entry in DERIVATIONS}
TITLES = {
    "sigmoid": ("Sigmoid", "Sigmoid 函数"), "tanh": ("Tanh", "双曲正切"), "relu": ("ReLU", "ReLU 函数"),
    "leaky relu": ("Leaky ReLU", "Leaky ReLU 函数"), "softmax": ("Softmax", "Softmax 函数"),
    "cross entropy": ("Cross-entropy", "交叉熵"),
    "cross entropy of classes": ("Cross-entropy of classes", "类别标签的交叉熵"),
    "mse": ("Mean squared error", "均方误差"),
    "mse of the notes": ("Mean squared error of the notes", "笔记中的均方误差"),
    "matmul": ("Matrix product", "矩阵乘积"), "linear": ("Linear layer", "全连接层"),
    "conv2d": ("Convolution", "二维卷积"), "max pooling": ("Max pooling", "最大池化"),
    "average pooling": ("Average pooling", "平均池化"), "batch norm": ("Batch normalization", "批量归一化"),
    "batch norm in evaluation": ("Batch normalization in evaluation", "评估模式的批量归一化"),
    "layer norm": ("Layer normalization", "层归一化"),
    "local response norm": ("Local response normalization", "局部响应归一化"),
    "dropout": ("Dropout", "随机失活"), "embedding": ("Embedding", "词嵌入"),
    "residual addition": ("Residual addition", "残差相加"), "rnn": ("Simple recurrent cell", "简单循环单元"),
    "gru": ("GRU", "门控循环单元 GRU"), "bidirectional": ("Both directions", "双向循环网络"),
    "lstm": ("LSTM", "长短期记忆 LSTM"),
    "dot score": ("Dot score", "点积打分"),
    "general score": ("General score", "双线性打分"), "additive score": ("Additive score", "加性打分"),
    "attention": ("Attention", "注意力"), "negative sampling": ("Negative sampling", "负采样"),
    "hierarchical softmax": ("Hierarchical softmax", "层次 softmax"),
    "sgd with momentum": ("SGD with momentum", "带动量的 SGD"), "adam": ("Adam", "Adam 优化器"),
    "xavier": ("Xavier's initialization", "Xavier 初始化"), "he": ("He's initialization", "He 初始化"),
}  # fmt: skip


class OfDerivation(SphinxDirective):
    """A directive about one derivation, told in the language of the page."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        name, self.lang = self.arguments[0], "zh" if self.env.app.tags.has("zh") else "en"
        if name not in ENTRIES:
            raise self.error(f"no derivation {name!r}; there are {', '.join(ENTRIES)}")
        data = kept(f"derivation {name} {self.lang}", lambda: as_data(ENTRIES[name], self.lang, True))
        return self.shown(name, data, WORDS[self.lang])


class Derivation(OfDerivation):
    def shown(self, name, data, words):
        if not all(line["passed"] for line in (*data["steps"], *data["shipped"].values())):
            raise self.error(f"a step of {name} does not hold")
        steps = nodes.enumerated_list(classes=["derivation"], enumtype="arabic", prefix="", suffix=".")
        for step in data["steps"]:
            left, _, right = step["latex"].partition(" = ")
            line = rf"\phantom{{{left}}} = {right}" if step["goes_on"] else step["latex"]
            line = nodes.paragraph("", "", formula(line), classes=["step"])
            steps += nodes.list_item("", line, reason(step["reason"], step, words))
        shipped = nodes.bullet_list()
        for line, found in data["shipped"].items():
            kind = next(kind for kind in words if line.startswith(kind))
            text = words[kind].format(line.removeprefix(kind).strip())
            shipped += nodes.list_item("", reason(text, found, words))
        place = words["rule"].format(data["rule"])
        about = nodes.paragraph(text=data["about"])
        return [about, *givens(data, words), steps, headed(place), shipped]


def givens(data, words):
    """What is given, and the definitions."""
    colon, stop = ("：", "；") if words is WORDS["zh"] else (": ", "; ")
    lines = [f"{unicode_name(n)}{colon}{words['number']}" for n in data["numbers"]]
    lines += [f"{unicode_name(n)}{colon}{words['chance']}" for n in data["chances"]]
    shapes = {n: " × ".join(map(str, shape)) or words["number"] for n, shape in data["given"].items()}
    lines += [f"{n}{colon}{shape}" for n, shape in shapes.items()]
    lines += [
        f"{unicode_name(n)} = {words['gradient'].format(unicode_name(y))}"
        for n, y in data["gradients"].items()
    ]
    found = [headed(words["given"], stop.join(lines))]
    if data["definitions"]:
        found.append(headed(words["definition"]))
    for line in data["definitions"]:
        note = words["reason"].format(line["reason"]) if line["reason"] else ""
        line = formula(line["latex"]), nodes.Text(note)
        found.append(nodes.paragraph("", "", *line, classes=["definition"]))
    return found


def headed(head, text=""):
    return nodes.paragraph("", "", nodes.strong(text=head.capitalize()), nodes.Text(f" {text}"))


def formula(latex):
    return nodes.math("", latex, classes=["wide"])


def reason(text, found, words):
    return nodes.paragraph("", f"{text} ", nodes.inline(text=residual_of(found, words), classes=["residual"]))


class Example(OfDerivation):
    """The formulas with small numbers put in, for paper."""

    def shown(self, name, data, words):
        lines, step = [], 0
        for line in data["example"]:
            step += line["kind"] == "step"
            lead = f"{step:2}. " if line["kind"] == "step" else "    "
            whole = f"{line['name']} = {line['value']}"
            shown = [line["line"], whole] if line["line"] not in ("", whole) else [whole]
            lines += [lead + shown[0], *("    " + more for more in shown[1:])]
        return [nodes.literal_block(text="\n".join(lines), language="text")]


class Rule(OfDerivation):
    """The shipped rule with its helpers, and where it stands."""

    def shown(self, name, data, words):
        rule = ENTRIES[name].rule
        shipped = is_function(rule)
        code = getattr(update, rule.kernel.removesuffix("_update")) if hasattr(rule, "kernel") else rule
        text = source(rule) if shipped else textwrap.dedent(inspect.getsource(code)).rstrip()
        place = nodes.literal(text=where(code))
        if shipped:
            anchor = nodes.make_id(f"{rule.__module__}.{rule.__name__}")
            url = f"{to_root(self.env.docname, self.env.app.tags.has('zh'))}operations.html#{anchor}"
            place = nodes.reference("", "", place, refuri=url)
        return [nodes.literal_block(text=text, language="python"), nodes.paragraph("", "", place)]


class Jacobian(OfDerivation):
    """The derivatives of the shipped forward at a random point, as a picture."""

    def shown(self, name, data, words):
        import pictures

        words = {
            "en": "∂y/∂x at a random point: a row for each output, a column for each input; blue is "
            "positive, red negative, white zero.",
            "zh": "在随机一点处的 ∂y/∂x：每行一个输出，每列一个输入；蓝色为正，红色为负，白色为零。",
        }["zh" if words is WORDS["zh"] else "en"]

        def draw(file):
            pictures.jacobian(ENTRIES[name], file)

        picture = image(self.env, f"jacobian-{slug(name)}", draw, "∂y/∂x", "svg")
        return [nodes.paragraph(text=words), picture]


def is_function(rule):
    return inspect.isclass(rule) and issubclass(rule, Function)


def slug(name):
    return name.replace(" ", "-")


def setup(app):
    app.add_directive("derivation", Derivation)
    app.add_directive("example", Example)
    app.add_directive("rule", Rule)
    app.add_directive("jacobian", Jacobian)
    return {"parallel_read_safe": True}
