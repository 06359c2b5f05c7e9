"""Prose is executed: every Python block and every command of the README and of the pages.

A page's Python blocks run in order in one namespace; lines after ``>>>`` must print what stands below
them. A page's console blocks run in order in one empty folder: ``$ tinygrad-notes ...`` as a process,
while ``$ make ...`` must be a target that `.ci/run` runs. README.zh.md has the blocks of README.md
(test_readme.py) and is left out.
"""

import doctest
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.test_architecture import BELOW
from tinygrad_notes.verify.cases import CASES

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PAGES = [page for page in PAGES if "_build" not in page.parts]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONSOLE = {"console", "sh", "bash", "shell"}
KNOWN = {"python", "text", "toml", "json"} | CONSOLE


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[tuple[int, str, str]]:
    """(line, language, text) of every fenced block."""
    text = page.read_text()
    return [(text.count("\n", 0, m.start()) + 2, m[1], m[2]) for m in BLOCK.finditer(text)]


def with_blocks(*languages: str) -> list:
    chosen = [p for p in PAGES if any(b[1] in languages for b in blocks(p)) and p.name != "README.zh.md"]
    return [pytest.param(p, id=name(p)) for p in chosen]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_names_a_language(page):
    """A block without a language would not be executed, and nobody would see it."""
    fences = re.findall(r"^\s*```(.*)$", page.read_text(), re.MULTILINE)
    openings = [f for f in fences[::2] if not f.startswith("{")]
    assert set(openings) <= KNOWN
    assert not any(fences[1::2])


@pytest.mark.parametrize("page", with_blocks("python"))
def test_python_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": page.stem}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    for line, language, text in blocks(page):
        if language != "python":
            continue
        if ">>>" in text:
            examples = doctest.DocTestParser().get_doctest(text, namespace, name(page), name(page), line - 1)
            runner.run(examples, out=said.append, clear_globs=False)
            namespace = examples.globs
        else:  # the line numbers of the page, for tracebacks
            exec(compile("\n" * (line - 1) + text, name(page), "exec"), namespace)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


@pytest.mark.parametrize("page", with_blocks(*CONSOLE))
def test_commands_run(page, tmp_path):
    ci = (ROOT / ".ci" / "run").read_text()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line, language, text in blocks(page):
        if language not in CONSOLE:
            continue
        for command in [c.removeprefix("$ ") for c in text.splitlines() if c.startswith("$ ")]:
            program, *arguments = shlex.split(command, comments=True)
            where = f"{name(page)}:{line}: {command}"
            if program == "make":
                assert arguments[0] in targets, where
                assert f"make {arguments[0]}" in ci, f"{where} is not run by .ci/run"
                continue
            assert program == "tinygrad-notes", f"{where}: nothing here runs {program}"
            done = subprocess.run(
                [sys.executable, "-m", "tinygrad_notes", *arguments],
                cwd=tmp_path, env={**os.environ, "PYTHONPATH": _path()},
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200,
            )  # fmt: skip
            assert done.returncode == 0, f"{where}\n{done.stdout}\n{done.stderr}"


def _path() -> str:
    """The checkout, then PYTHONPATH, whose relative entries mean folders of the checkout."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join([str(ROOT), *(str(ROOT / p) for p in given if p)])


def test_console_blocks_hold_commands():
    """A line of a console block that does not start with ``$ `` is output, so one must."""
    for page in PAGES:
        for line, language, text in blocks(page):
            if language in CONSOLE:
                assert text.startswith("$ "), f"{name(page)}:{line}"


def _script(name: str) -> ModuleType:
    """`.ci/<name>.py` as a module."""
    spec = importlib.util.spec_from_file_location(f"{name}_script", ROOT / ".ci" / f"{name}.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def test_the_map_lists_every_file():
    """The map names every file of the package, and nothing that is not there."""
    script = _script("map")
    text = (ROOT / "docs" / "map.md").read_text()
    assert "- `tensor.py`: " in text
    assert text == script.page(), "the map is old: run python .ci/map.py"


def test_the_picture_of_the_layers_is_new():
    """docs/layers.svg is what .ci/layers.py draws: every folder, above all that it may import."""
    script = _script("layers")
    assert (ROOT / "docs" / "layers.svg").read_text() == script.render(), "run python .ci/layers.py"
    folders = {f.parent.name for f in (ROOT / "tinygrad_notes").glob("*/__init__.py")}
    level = {name: i for i, row in enumerate(script.ROWS) for name in row}
    assert level.keys() == folders
    wrong = [(part, below) for part, parts in BELOW.items() for below in parts if level[part] >= level[below]]
    assert wrong == []


def test_every_rule_is_shown():
    """docs/operations.md has each file of operations that states a rule."""
    shown = re.findall(r"\{rules\} ([\w.]+)", (ROOT / "docs" / "operations.md").read_text())
    stating = {c.__module__ for case in CASES for c in case.operations}
    assert set(shown) == stating and len(shown) == len(stating)


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target and not target.startswith("mailto:"):
                assert (page.parent / target).exists(), f"{name(page)} links {target}"


def test_named_tests_exist():
    """A page that says which test shows something names one that is there."""
    for page in PAGES:
        for file, test in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page.read_text()):
            assert f"\ndef {test}(" in (ROOT / file).read_text(), f"{name(page)} names {file}::{test}"
