"""The directive ``outline``: the chapters as a map, drawn from the outline of the notes. A box is a link."""

import re

from derived import DOCS
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

GROUPS = (
    (("Before", "准备"), ("environment", "neuron", "training")),
    (("The parts", "部件"), ("activation", "loss", "optimizer", "focus")),
    (("Images", "图像"), ("linear", "cnn", "lenet", "alexnet", "vgg", "googlenet", "resnet")),
    (("Sequences", "序列"), ("words", "rnn", "lstm", "gru", "bidirectional", "attention", "transformer")),
)


class Outline(SphinxDirective):
    """A row of boxes for each part of the notes, in their order; titles are those of the chapters."""

    def run(self):
        chinese = self.env.app.tags.has("zh")
        folder = DOCS / "zh" if chinese else DOCS
        drawn = nodes.container(classes=["outline"])
        for heads, pages in GROUPS:
            row = nodes.container("", nodes.paragraph(text=heads[chinese], classes=["part"]), classes=["row"])
            for page in pages:
                file = folder / "chapters" / f"{page}.md"
                self.env.note_dependency(str(file))
                title = re.match(r"# (.*)", file.read_text(encoding="utf-8"))[1]
                row += nodes.paragraph(
                    "", "", nodes.reference("", title, refuri=f"chapters/{page}.html"), classes=["box"]
                )
            drawn += row
        return [drawn]


def setup(app):
    app.add_directive("outline", Outline)
    return {"parallel_read_safe": True}
