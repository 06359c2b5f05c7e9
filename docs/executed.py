"""Directives whose output is made by the build: ``python``, ``run``, ``study``, ``picture``, ``papers``; and
``answer``.

What takes long is kept in docs/_build/made until a file of the package or of docs/*.py changes.
"""

import ast
import contextlib
import hashlib
import importlib
import io
import os
import pickle
import re
import shlex
import subprocess
import sys
import tempfile
from functools import cache, partial
from pathlib import Path

import numpy as np
from chinese import in_both_languages, in_chinese
from docutils import nodes
from docutils.parsers.rst import directives
from papers import PAPERS
from sphinx.util.docutils import SphinxDirective

import tinygrad_notes as tg
from tinygrad_notes import nn, optim, study
from tinygrad_notes.nn import functional as F

DOCS = Path(__file__).resolve().parent
PLOTS = "png", "zh.png"
KNOWN = {"np": np, "tg": tg, "nn": nn, "optim": optim, "F": F}  # imported on every page


@cache
def folder():
    """Where the results of this state of the sources are kept."""
    sources = [*sorted((DOCS.parent / "tinygrad_notes").rglob("*.py")), *sorted(DOCS.glob("*.py"))]
    state = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()[:16]
    made = DOCS / "_build" / "made" / state
    made.mkdir(parents=True, exist_ok=True)
    return made


def kept(name, make):
    """make(), or what it gave before."""
    file = folder() / f"{name}.pickle"
    if not file.exists():
        own = file.with_suffix(f".{os.getpid()}")  # pages are read by several processes
        own.write_bytes(pickle.dumps(make()))
        own.replace(file)
    return pickle.loads(file.read_bytes())


def run_python(text, namespace, raises=None):
    """What these lines print, and the value of the last. `raises`: the error that they must end with."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        try:
            lines = ast.parse(text).body
            last = [lines.pop()] if isinstance(lines[-1], ast.Expr) else []
            exec(compile(ast.Module(lines, []), "<page>", "exec"), namespace)
            exec(compile(ast.Interactive(last), "<page>", "single"), namespace)
        except Exception as error:
            if type(error).__name__ != raises:
                raise
            print(f"{raises}: {error}")
            raises = None
    if raises:
        raise ValueError(f"no {raises}")
    return said.getvalue().rstrip()


class Python(SphinxDirective):
    """Lines of Python in the namespace of the page, and below them what they print.

    `picture`: the name of a figure that they make, which is shown as well.
    """

    has_content = True
    option_spec = {"raises": directives.unchanged, "picture": directives.unchanged}

    def run(self):
        namespace = self.env.temp_data.setdefault("namespace", {**KNOWN, "__builtins__": __builtins__})
        text = "\n".join(self.content)
        try:
            said = run_python(text, namespace, self.options.get("raises"))
        except Exception as error:
            raise self.error(f"{type(error).__name__}: {error}") from error
        found = blocks(text, said)
        if "picture" in self.options:
            name, page = self.options["picture"], self.env.docname.replace("/", "-")
            save = partial(namespace[name].savefig, facecolor="white", metadata={"Date": None})
            found.append(image(self.env, f"{page}-{name}", save, kind="svg"))
        return found


def blocks(text, said, language="python"):
    found = [nodes.literal_block(text=text, language=language)]
    return [*found, nodes.literal_block(text=said, language="text", classes=["output"])] if said else found


class Run(SphinxDirective):
    """A command of the package, and what it prints: ``{run} derive relu``. `picture`: a file it leaves.

    `then`: a second command, in the same folder.
    """

    required_arguments = 1
    final_argument_whitespace = True
    option_spec = {"picture": directives.unchanged, "then": directives.unchanged}

    def run(self):
        commands = [self.arguments[0], *filter(None, [self.options.get("then")])]
        picture, name = self.options.get("picture"), re.sub(r"\W+", "-", " ".join(commands))
        all_said, drawn = kept(name, lambda: command_lines(commands, picture))
        found = []
        for command, said in zip(commands, all_said, strict=True):
            found += blocks(f"$ tinygrad-notes {command}", said, "console")
        kind = kind_of_plot(self.env)
        if drawn:
            found.append(image(self.env, name, lambda file: file.write_bytes(drawn[kind]), kind=kind))
        return found


def command_lines(commands, picture=None):
    """What each of these prints, one after the other in an empty folder; and the picture that they leave, in
    both languages."""
    with tempfile.TemporaryDirectory() as empty:
        said = [command_line(command, empty) for command in commands]
        files = {kind: Path(empty, picture).with_suffix(f".{kind}") for kind in PLOTS} if picture else {}
        return said, {kind: file.read_bytes() for kind, file in files.items()}


def command_line(command, folder):
    done = subprocess.run(
        [sys.executable, str(DOCS / "chinese.py"), *shlex.split(command)], cwd=folder, check=True,
        env={**os.environ, "PYTHONPATH": str(DOCS.parent)}, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.rstrip()


def kind_of_plot(env):
    """What the name of a plot ends with, in the language of the pages."""
    return PLOTS[env.app.tags.has("zh")]


class Study(SphinxDirective):
    """The table, the sentence and the plot of a study. `brief`: the sentence alone."""

    required_arguments = 1
    option_spec = {"brief": directives.flag}

    def run(self):
        topic = self.arguments[0]
        found = kept(f"study {topic}", lambda: study.run(topic))
        said = in_chinese if self.env.app.tags.has("zh") else str
        sentence = nodes.paragraph(text=said(found.sentence))
        if "brief" in self.options:
            return [nodes.block_quote("", sentence)]
        command = nodes.literal_block(text=f"$ tinygrad-notes study {topic}", language="console")
        cells = table(map(said, found.columns), [[said(str(cell)) for cell in row] for row in found.rows])
        kind = kind_of_plot(self.env)
        plot = image(self.env, f"study-{topic}", lambda _: draw_study(topic, found), kind=kind)
        return [command, cells, sentence, plot]


def draw_study(topic, found):
    with in_both_languages():
        found.draw(folder() / f"study-{topic}.{PLOTS[0]}")


def table(columns, rows):
    columns = list(columns)
    group = nodes.tgroup(cols=len(columns))
    group += [nodes.colspec(colwidth=1) for _ in columns]
    head, body = nodes.thead(), nodes.tbody()
    for part, lines in ((head, [columns]), (body, rows)):
        part += [nodes.row("", *(nodes.entry("", nodes.paragraph(text=str(cell).strip())) for cell in line))
                 for line in lines]  # fmt: skip
    group += [head, body]
    return nodes.table("", group, classes=["numbers"])


def image(env, name, draw, alt="", kind="png"):
    """A picture that `draw` writes, once; Sphinx copies it beside the pages."""
    file = folder() / f"{name}.{kind}"
    if not file.exists():
        draw(file)
    return nodes.image(uri=os.path.relpath(file, Path(env.doc2path(env.docname)).parent), alt=alt or name)


class Picture(SphinxDirective):
    """A drawing of pictures.py and its like: ``{picture} lstm``, its content is the caption."""

    required_arguments = 1
    has_content = True

    def run(self):
        name = self.arguments[0]
        files = [vars(importlib.import_module(file.stem)) for file in sorted(DOCS.glob("pictures*.py"))]
        draw = next(file[name] for file in files if name in file)
        caption = " ".join(self.content)
        figure = nodes.figure("", image(self.env, name, draw, caption, "svg"))
        figure += nodes.caption("", "", *self.parse_inline(caption)[0])
        return [figure]


class Papers(SphinxDirective):
    """The list of papers, each with the pages and files that name it."""

    def run(self):
        chinese = self.env.app.tags.has("zh")
        colon, stop, here = ("：", "、", DOCS / "zh") if chinese else (": ", ", ", DOCS)
        found = nodes.bullet_list()
        for paper in PAPERS:
            title, place = nodes.emphasis(text=paper.title), nodes.Text(f", {paper.place}")
            entry = nodes.paragraph("", f"{paper.authors}, ", title, place)
            places = [
                nodes.reference("", title_of(here / f"{page}.md"), refuri=f"{page}.html")
                for page in paper.pages()
            ]
            places += [nodes.literal(text=file) for file in paper.files()]
            for i, place in enumerate(places):
                entry += [nodes.Text(stop if i else colon), place]
            found += nodes.list_item("", entry)
        return [found]


def title_of(file):
    return file.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


class Answer(SphinxDirective):
    """The answer of an exercise, folded until it is asked for."""

    has_content = True

    def run(self):
        word = "答案" if self.env.app.tags.has("zh") else "Answer"
        head = nodes.raw("", f"<details><summary>{word}</summary>", format="html")
        return [head, *self.parse_content_to_nodes(), nodes.raw("", "</details>", format="html")]


def setup(app):
    for directive in (Python, Run, Study, Picture, Papers, Answer):
        app.add_directive(directive.__name__.lower(), directive)
    app.add_config_value("sources", folder().name, "env")  # another state: every page is read again
    return {"parallel_read_safe": True}
