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
    "verify": {"optim", "nn", "ops", "autograd", "backend"},
    "train": {"models", "data", "optim", "nn", "ops", "autograd", "backend"},
    "tasks": {"train", "models", "data", "optim", "nn", "ops", "autograd", "backend"},
    "study": {"tasks", "train", "models", "data", "optim", "nn", "ops", "autograd", "backend"},
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
    assert importing and all(file.startswith("tinygrad_notes/backend/gpu/") for file in importing)


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


# ---- limits ------------------------------------------------------------------------------------

LINES_OF_A_FILE, LINES_OF_A_FUNCTION, LINES_OF_A_TEST_FILE = 300, 40, 500
LONGER = {  # (file or file:function): why
    "tinygrad_notes/cli/parser.py:make_parser": "the list of commands, one after another",
    **{
        f"tinygrad_notes/verify/derivations/{name}": "a derivation, one step after another"
        for name in ("attention.py:attention", "convolution.py:conv2d", "optimizers.py:adam")
    },
    "tests/cli/test_cli.py": "every command through one fixture, a trained run",
    "tests/tasks/test_images.py": "every property of one task",
    "tests/train/test_train_loop.py": "every property of one loop",
}


def lengths(text: str) -> dict[str, int]:
    """Lines of a file, under "", and of the longest function of each name."""
    found = {"": len(text.splitlines())}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.name] = max(found.get(node.name, 0), node.end_lineno - node.lineno + 1)
    return found


def too_long(name: str, text: str, of_tests: bool = False) -> set[str]:
    """What in a file is over its limit: the file's name, "file:function"."""
    of_file = LINES_OF_A_TEST_FILE if of_tests else LINES_OF_A_FILE
    return {
        f"{name}:{part}" if part else name
        for part, lines in lengths(text).items()
        if lines > (LINES_OF_A_FUNCTION if part else of_file) and not (part and of_tests)
    }


def test_files_and_functions_are_short():
    found = set().union(*(too_long(relative(f), f.read_text()) for f in FILES))
    tests = sorted((ROOT / "tests").rglob("*.py"))
    found |= set().union(*(too_long(relative(f), f.read_text(), True) for f in tests))
    assert found - LONGER.keys() == set()
    assert LONGER.keys() - found == set(), "short again: take them off the list"


def test_the_check_of_lengths_sees_what_is_long():
    function = "def f():\n" + "    pass\n" * 40
    assert too_long("a.py", function) == {"a.py:f"}
    assert too_long("a.py", function, of_tests=True) == set()
    assert too_long("a.py", function.replace("    pass\n", "", 1)) == set()
    assert too_long("a.py", "\n" * 301) == {"a.py"}
    assert too_long("a.py", "\n" * 500, of_tests=True) == set()


def test_functional_only_lists_names():
    """Checks of arguments live in ops, beside what they guard."""
    tree = ast.parse((PACKAGE / "nn" / "functional.py").read_text())
    kinds = {type(node) for node in tree.body[1:]}
    assert kinds == {ast.ImportFrom, ast.Assign}


# ---- rules and their files ---------------------------------------------------------------------

OPERATIONS = {file.name: file.read_text() for file in FILES if file.parent == PACKAGE / "ops"}

# Linear maps that are each other's backward
ADJOINTS = [
    ("Sum", "BroadcastTo"), ("GetItem", "ScatterAdd"), ("Concatenate", "Split"), ("Embedding", "AddRows"),
    ("Conv2d", "Conv2dInputGrad", "Conv2dWeightGrad"),
    ("MaxPool2d", "MaxPool2dGather", "MaxPool2dScatter"), ("AvgPool2d", "AvgPool2dAdjoint"),
]  # fmt: skip
CONSTANTS = {"inf", "finfo"}  # of NumPy: numbers that are the same in every reading


def rules_of(text: str) -> dict[str, dict[str, ast.FunctionDef]]:
    """{Function: {"forward": ..., "backward_x": ...}} of a file of operations."""
    return {
        node.name: {rule.name: rule for rule in node.body if isinstance(rule, ast.FunctionDef)}
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef) and "Function" in {getattr(b, "id", "") for b in node.bases}
    }


def astray(files: dict[str, str], groups: list[tuple[str, ...]]) -> list[str]:
    """Functions without a forward or a backward of their own, and groups that are not in one file."""
    rules = {name: rules_of(text) for name, text in files.items()}
    lacking = [
        function
        for found in rules.values()
        for function, own in found.items()
        if "forward" not in own or not any(name.startswith("backward") for name in own)
    ]
    apart = [group for group in groups if not any(set(group) <= set(found) for found in rules.values())]
    return lacking + [" and ".join(group) for group in apart]


def numpy_in_rules(text: str) -> list[str]:
    """Where a rule, or a helper that takes xp, asks NumPy instead: ["Sum.forward: np.sum"]."""
    helpers = [n for n in ast.parse(text).body
               if isinstance(n, ast.FunctionDef) and [a.arg for a in n.args.args][:1] == ["xp"]]  # fmt: skip
    owned = [(f"{f}.{name}", rule) for f, own in rules_of(text).items() for name, rule in own.items()]
    return [
        f"{title}: {node.value.id}.{node.attr}"
        for title, rule in (*owned, *((helper.name, helper) for helper in helpers))
        for node in ast.walk(rule)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        and node.value.id in ("np", "numpy") and node.attr not in CONSTANTS
    ]  # fmt: skip


def test_forward_backward_and_adjoints_stand_in_one_file():
    assert sum(len(rules_of(text)) for text in OPERATIONS.values()) > 50
    assert astray(OPERATIONS, ADJOINTS) == []


@pytest.mark.parametrize("name", OPERATIONS)
def test_rules_compute_with_xp_and_not_with_numpy(name):
    assert numpy_in_rules(OPERATIONS[name]) == []


def test_the_checks_of_rules_see_what_they_forbid():
    one = (
        "class Whole(Function):\n"
        "    def forward(xp, x):\n        return np.exp(x) + np.inf\n"
        "    def backward_x(xp, gy):\n        return gy\n"
        "class Half(Function):\n    def forward(xp, x):\n        return _help(xp, x)\n"
        "def _help(xp, x):\n    return numpy.sum(x)\n"
        "def on_tensors(x):\n    return np.arange(3)\n"
    )
    two = one[: one.index("class Half")].replace("Whole", "Part").replace("np.", "xp.")
    assert numpy_in_rules(one) == ["Whole.forward: np.exp", "_help: numpy.sum"]
    assert numpy_in_rules(two) == []
    assert astray({"one": one, "two": two}, [("Whole", "Half"), ("Whole", "Part")]) == [
        "Half",
        "Whole and Part",
    ]
