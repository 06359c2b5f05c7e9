"""Imports go one way, one file meets CuPy, and the text names no machine. Read from the sources."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tinygrad_notes"
FILES = sorted(PACKAGE.rglob("*.py"))

# What each part may import besides itself. `verify` reads the operations from outside.
BELOW = {
    "backend": set(),
    "autograd": {"backend"},
    "ops": {"autograd", "backend"},
    "nn": {"ops", "autograd", "backend"},
    "optim": {"nn", "ops", "autograd", "backend"},
    "data": {"nn", "ops", "autograd", "backend"},
    "models": {"data", "optim", "nn", "ops", "autograd", "backend"},
    "verify": {"nn", "ops", "autograd", "backend"},
    "train": {"models", "data", "optim", "nn", "ops", "autograd", "backend"},
}
FRONT = {"__init__", "__main__", "cli"}  # sees everything


def part_of(file: Path) -> str:
    """The folder below the package, or the name of a file that lies directly in it."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_parts(file: Path, tree: ast.AST) -> set[str]:
    """Parts of the package that `file` imports, and 'tests', 'benchmarks', ... from outside it."""
    here = file.relative_to(ROOT).parts[:-1]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            names = [".".join((*module, alias.name)) for alias in node.names]
        else:
            continue
        for name in names:
            first, *rest = name.split(".")
            if first != PACKAGE.name:
                found.add(first)
            else:  # a part, or one of the public names
                found.add(rest[0] if rest and rest[0] in PARTS else "__init__")
    return found


PARTS = {part_of(file) for file in FILES}


def relative(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("file", FILES, ids=relative)
def test_imports_go_one_way(file):
    part = part_of(file)
    if part in FRONT:
        return
    parts = imported_parts(file, ast.parse(file.read_text()))
    ours = parts & (set(BELOW) | FRONT | {"tests", "benchmarks", "docs"})
    if part not in BELOW:  # a file beside the folders, such as serialization: it may be used by any
        assert ours <= {part, "backend", "autograd"}, f"{relative(file)} imports {sorted(ours)}"
        return
    allowed = BELOW[part] | {part}
    assert ours <= allowed, f"{relative(file)} imports {sorted(ours - allowed)}, above {part}"


def test_the_check_of_directions_sees_every_kind_of_import():
    source = (
        "import tinygrad_notes.train\nfrom .. import cli\nfrom ..models.lenet import LeNet5\n"
        "def f():\n    from tinygrad_notes import Tensor, ops\nimport tests.helpers"
    )
    found = imported_parts(PACKAGE / "ops" / "linear.py", ast.parse(source))
    assert found == {"train", "cli", "models", "__init__", "ops", "tests"}


def test_only_gpu_imports_cupy():
    importing = [relative(f) for f in FILES
                 if {"cupy", "cupyx"} & imported_parts(f, ast.parse(f.read_text()))]  # fmt: skip
    assert importing == ["tinygrad_notes/backend/gpu.py"]


def test_no_machine_is_named():
    """No path of a particular machine and no host of a package index in what is published."""
    folders = "|".join(("work", "root", "home", "Users"))
    hosts = "|".join(("pypi", "pythonhosted", "npmjs", "debian"))
    machine = re.compile(rf"(?<![\w.])/(?:{folders})/|(?:{hosts})\.(?:org|com)\b")
    suffixes = {".py", ".md", ".toml", ".yaml", ".cu", ".json", ".cfg"}
    built = {".venv", ".git", "_build", "runs", "dist", "build"}
    files = [
        f for f in ROOT.rglob("*") if f.suffix in suffixes and not built & set(f.relative_to(ROOT).parts)
    ]
    files += [ROOT / "Makefile", ROOT / ".ci" / "run"]
    assert len(files) > len(FILES)
    bad = {relative(f): machine.findall(f.read_text()) for f in files}
    assert not {name: found for name, found in bad.items() if found}
