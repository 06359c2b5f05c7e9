"""Every name and parameter of CuPy that the package uses exists: in the stand-in's table, and in CuPy.

The table was made from the real package. Where the real package is installed (it needs no GPU for this),
its names are compared again; the stand-in on the path does not get in the way.
"""

import ast
import importlib.metadata
import importlib.util
import inspect
import json
import operator
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from loaded_standin import loaded

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tinygrad_notes"
STANDIN = ROOT / "tests" / "standin"
GPU = PACKAGE / "backend" / "gpu"  # its __init__.py is the namespace
NAMESPACES = ("xp", "np")  # what rules and plain kernels call the array library that they are given
SECTIONS = {  # where a dotted name (without "cupy") is found in the table
    "": ("FUNCTIONS", "UFUNCS"),
    "linalg": ("LINALG",),
    "random": ("RANDOM",),
    "lib.stride_tricks": ("STRIDE_TRICKS",),
    "x": ("CUPYX",),
    "x.scipy.special": ("SPECIAL",),
}
UFUNC_METHODS = {
    "at": "a, indices, b=None",
    "reduce": "array, axis=0, dtype=None, out=None, keepdims=False",
    "accumulate": "array, axis=0, dtype=None, out=None",
}
CASTING = {"out", "dtype", "casting"}  # the keywords of every ufunc


class Use(NamedTuple):
    """``xp.name(...)`` in the source: `keywords` and number of positional arguments; -1: not a call."""

    name: str
    where: str
    positional: int = -1
    keywords: tuple[str, ...] = ()


def load(name: str) -> ModuleType:
    """A file of the stand-in by itself: the table needs no cupy."""
    spec = importlib.util.spec_from_file_location(name, STANDIN / f"{name.replace('.', '/')}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TABLE = load("cupy._names")


def dotted(node: ast.AST) -> str:
    """``lib.stride_tricks.as_strided`` of an attribute chain; "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (home := dotted(node.value)):
        return f"{home}.{node.attr}"
    return ""


def uses(tree: ast.AST, roots: tuple[str, ...], file: str) -> list[Use]:
    """Every ``root.name`` in a tree, each once with its longest chain."""
    found: list[Use] = []
    inner: set[int] = set()
    calls: dict[int, ast.Call] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            calls[id(node.func)] = node
        if not isinstance(node, ast.Attribute) or id(node) in inner:
            continue
        root, _, name = dotted(node).partition(".")
        if not root:  # a name of what a call returns: the call itself is still to come
            continue
        inner |= {id(part) for part in ast.walk(node.value)}
        if root in roots:
            call = calls.get(id(node))
            where = f"{file}:{node.lineno}"
            found.append(Use(name, where) if call is None else called(name, where, call))
    return found


def called(name: str, where: str, call: ast.Call) -> Use:
    starred = any(isinstance(argument, ast.Starred) for argument in call.args)
    keywords = tuple(keyword.arg for keyword in call.keywords if keyword.arg is not None)
    return Use(name, where, 0 if starred else len(call.args), keywords)


def given_a_library(tree: ast.AST) -> list[ast.AST]:
    """The outermost functions that take the array library as their first argument."""
    out: list[ast.AST] = []
    inner: set[int] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.Lambda) or id(node) in inner:
            continue
        if node.args.args and node.args.args[0].arg in NAMESPACES:
            out.append(node)
            inner |= {id(part) for part in ast.walk(node)}
    return out


def file_uses() -> list[Use]:
    """``xp.name`` in rules and plain kernels of the whole package."""
    out = []
    for path in sorted(PACKAGE.rglob("*.py")):
        file = str(path.relative_to(ROOT))
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in given_a_library(tree):
            first = function.args.args[0].arg  # type: ignore[attr-defined]
            out += uses(function, (first,), file)
        out += uses(tree, ("backend.xp",), file)
    return out


def gpu_names() -> tuple[dict[str, str], set[str]]:
    """The namespace: {name in it: dotted name in CuPy}, and the names that it defines itself."""
    tree = ast.parse((GPU / "__init__.py").read_text(encoding="utf-8"))
    imported, own = {}, set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cupy"):
            home = (node.module or "").removeprefix("cupy").lstrip(".")
            for alias in node.names:
                imported[alias.asname or alias.name] = f"{home}.{alias.name}".lstrip(".")
        elif isinstance(node, ast.FunctionDef):
            own.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            own |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            own |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return imported, own


def parameters(table: dict[str, Any], name: str) -> Any:
    """What a table says of a dotted name: parameter text, (inputs, outputs) of a ufunc, or None."""
    if name in table["OBJECTS"]:
        return table["OBJECTS"][name]
    home, _, last = name.rpartition(".")
    for section in SECTIONS.get(home, ()):
        if last in table[section]:
            return table[section][last]
    if last in UFUNC_METHODS and home in table["UFUNC_METHODS"][last].split():
        return UFUNC_METHODS[last]
    return None


def refusal(table: dict[str, Any], name: str, use: Use) -> str:
    """Why CuPy would refuse the call, "" if it would not."""
    stated = parameters(table, name)
    if use.positional < 0 or stated is None:
        return ""
    if stated == "attribute":
        return f"{use.where}: {name} is no function"
    if not isinstance(stated, str):
        extra = set(use.keywords) - CASTING
        return f"{use.where}: {name} has no parameters {sorted(extra)}" if extra else ""
    arguments = ast.parse(f"def f({stated}): pass").body[0].args  # type: ignore[attr-defined]
    ordered = [argument.arg for argument in arguments.posonlyargs + arguments.args]
    known = {argument.arg for argument in arguments.args + arguments.kwonlyargs}
    extra = set() if arguments.kwarg else set(use.keywords) - known
    if extra:
        return f"{use.where}: {name} has no parameters {sorted(extra)}"
    if arguments.vararg is None and use.positional > len(ordered):
        return f"{use.where}: {name} takes {len(ordered)} arguments, {use.positional} are given"
    return ""


OTHER_NAMES = re.compile(  # _standin: counts of a run without a card
    r"_standin(\.\w+)*|ndarray(\.\w+)*|(float|u?int)\d+|bool_?|inf|nan|newaxis|pi|dtype"
)


def all_uses() -> list[tuple[str, Use]]:
    """(dotted name in CuPy, use) of the whole package; the kernels of the namespace itself are left out."""
    imported, own = gpu_names()
    out = [(target, Use(target, f"the namespace: {name}")) for name, target in imported.items()]
    for path in sorted([*PACKAGE.rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]):
        text = path.read_text("utf-8")
        if "cupy" in text:
            file = str(path.relative_to(ROOT))
            out += [(use.name, use) for use in uses(ast.parse(text), ("cupy",), file)]
    plain = ROOT / "tinygrad_notes" / "backend" / "kernels"
    for use in file_uses():
        if (ROOT / use.where.partition(":")[0]).is_relative_to(plain):
            out.append((use.name, use))
        elif use.name not in own:
            out.append((imported.get(use.name, use.name), use))
    return [(name, use) for name, use in out if not OTHER_NAMES.fullmatch(name)]


def as_table() -> dict[str, Any]:
    return {name: value for name, value in vars(TABLE).items() if name.isupper()}


def test_rules_use_only_names_of_the_gpu_namespace():
    imported, own = gpu_names()
    kernels = "tinygrad_notes/backend/kernels/"
    missing = {
        f"{use.where}: xp.{use.name}"
        for use in file_uses()
        if not use.where.startswith(kernels) and use.name.partition(".")[0] not in imported.keys() | own
    }
    assert not missing, f"backend/gpu lacks these names: {sorted(missing)}"


def test_cupy_has_every_name_and_parameter_used():
    table = as_table()
    found = all_uses()
    assert len(found) > 50, "the scan found too little: is backend/gpu still the folder to read?"
    missing = [f"{use.where}: cupy.{name}" for name, use in found if parameters(table, name) is None]
    assert not missing, f"CuPy {TABLE.VERSION} (tests/standin/cupy/_names.py) lacks: {missing}"
    refused = [why for name, use in found if (why := refusal(table, name, use))]
    assert not refused, refused


def test_names_that_cupy_13_lacks_are_not_used():
    text = (STANDIN / "cupy" / "__init__.py").read_text(encoding="utf-8")
    assigned = next(node for node in ast.parse(text).body if isinstance(node, ast.Assign)
                    and dotted(node.targets[0]) == "ADDED_IN_14")  # fmt: skip
    added = set(ast.literal_eval(assigned.value).split())
    assert "concat" in added
    used = [f"{use.where}: cupy.{name}" for name, use in all_uses() if name in added]
    assert not used, used


def offered(cupy: Any) -> Iterator[tuple[str, Any]]:
    """(dotted name, what it is) of the stand-in's kernels and of ``cuda``: classes, methods, functions."""
    names = [name for name in vars(cupy) if "Kernel" in name or name.startswith("get_default")]
    modules = [name for name, it in vars(cupy.cuda).items() if isinstance(it, ModuleType)]
    for home in ("cuda", *(f"cuda.{name}" for name in modules if not name.startswith("_"))):
        found = vars(operator.attrgetter(home)(cupy))
        names += [f"{home}.{name}" for name, it in found.items() if isinstance(it, int) or
                  getattr(it, "__module__", "").startswith("cupy")]  # fmt: skip
    for path in names:
        it = operator.attrgetter(path)(cupy)
        if "._" not in path:
            yield path, it
        if isinstance(it, type) and path.count(".") < 2:  # of its first home alone
            yield from ((f"{path}.{name}", part) for name, part in vars(it).items() if name[0] != "_")


def more_than(stated: str, function: Any) -> list[str]:
    """The parameters of `function` that could not be given to one that has those stated."""
    arguments = ast.parse(f"def f({stated}): pass").body[0].args  # type: ignore[attr-defined]
    ordered = [argument.arg for argument in arguments.args]
    optional = ordered[len(ordered) - len(arguments.defaults) :] + [each.arg for each in arguments.kwonlyargs]
    wrong = []
    own = [each for each in inspect.signature(function).parameters.values() if each.name != "self"]
    for place, each in enumerate(own):
        known = (
            each.name in ordered + optional or arguments.kwarg is not None or each.kind is each.VAR_POSITIONAL
        )
        moved = each.kind is each.POSITIONAL_OR_KEYWORD and ordered[place : place + 1] != [each.name]
        free = each.default is not each.empty and each.name in ordered and each.name not in optional
        if not known or moved or free:
            wrong.append(each.name)
    return wrong


def test_the_stand_in_offers_no_class_method_or_parameter_that_cupy_lacks():
    with loaded() as cupy:
        found = dict(offered(cupy))
        assert found.keys() == TABLE.OBJECTS.keys(), "run tests/standin/make_names.py with what is missing"
        wrong = {}
        for path, it in found.items():
            stated = TABLE.OBJECTS[path]
            assert stated is not None, f"CuPy {TABLE.VERSION} has no cupy.{path}"
            if path.endswith("PinnedMemoryPointer"):  # nobody makes one: alloc_pinned_memory does
                continue
            if stated == "attribute" or not callable(it):
                assert stated == "attribute" and not inspect.isfunction(it), path
            elif names := more_than(stated, it):
                wrong[path] = names
    assert not wrong


@pytest.mark.parametrize(
    ("function", "wrong"),
    [
        (lambda a, b=None: None, []),
        (lambda a: None, []),
        (lambda a, c=None: None, ["c"]),
        (lambda a, *, c=None: None, []),
        (lambda a, d=None: None, ["d"]),
        (lambda a=None, b=None: None, ["a"]),
        (lambda b, a: None, ["b", "a"]),
    ],
)
def test_the_scan_notices_parameters_that_cupy_lacks(function, wrong):
    assert more_than("a, b=None, *, c=None", function) == wrong


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("xp.sum(x, where=m)", "has no parameters ['where']"),
        ("xp.exp(x, order='C')", "has no parameters ['order']"),
        ("xp.clip(x, 0, 1, None, None)", "takes 4 arguments, 5 are given"),
        ("xp.linalg.norm(x, keepdims=True)", ""),
        ("xp.pad(x, 1, constant_values=0)", ""),
        ("xp.reshape(x, shape=(1,))", "has no parameters ['shape']"),
    ],
)
def test_the_scan_notices_a_wrong_call(call, why):
    rule = ast.parse(f"def forward(xp, x, m):\n    return {call}")
    (use,) = uses(given_a_library(rule)[0], ("xp",), "rule.py")
    assert refusal(as_table(), use.name, use).endswith(why)
    assert bool(refusal(as_table(), use.name, use)) == bool(why)


def test_the_scan_notices_an_unknown_name():
    rule = ast.parse("def forward(xp, x):\n    return xp.erfinv(x) + xp.linalg.expm(x)")
    found = uses(given_a_library(rule)[0], ("xp",), "rule.py")
    assert [use.name for use in found] == ["erfinv", "linalg.expm"]
    assert all(parameters(as_table(), use.name) is None for use in found)


def real_table() -> dict[str, Any] | None:
    """What the installed CuPy says of the names in the table; None where it is not installed."""
    installed = (dist.metadata["Name"] or "" for dist in importlib.metadata.distributions())
    if not any(name.lower().replace("_", "-").startswith("cupy") for name in installed):
        return None
    command = [sys.executable, "-I", str(STANDIN / "make_names.py"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def real() -> dict[str, Any]:
    table = real_table()
    if table is None:
        pytest.skip("the real CuPy is not installed here: pip install cupy-cuda12x (no GPU is needed)")
    return table


def test_the_installed_cupy_has_every_name_and_parameter_used(real):
    found = all_uses()
    missing = [f"{use.where}: cupy.{name}" for name, use in found if parameters(real, name) is None]
    assert not missing, f"CuPy {real['VERSION']} lacks: {missing}"
    refused = [why for name, use in found if (why := refusal(real, name, use))]
    assert not refused, refused


def test_the_table_is_what_the_installed_cupy_says(real):
    release = TABLE.VERSION.split(".")[:2]
    if real["VERSION"].split(".")[:2] != release:
        pytest.skip(f"the table states CuPy {TABLE.VERSION}; installed is {real['VERSION']}")
    ours = json.loads(json.dumps(as_table()))
    differ = {
        f"{section}.{name}: {real[section][name]!r}"
        for section, names in ours.items() if section != "VERSION"
        for name, stated in names.items() if real[section][name] != stated
    }  # fmt: skip
    assert not differ, f"run tests/standin/make_names.py; CuPy {real['VERSION']} says {sorted(differ)}"
