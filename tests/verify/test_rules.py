"""The text of every rule: pure, without branches on values, in names that every reading of xp has."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import ops
from tinygrad_notes.autograd import Function, tape
from tinygrad_notes.backend import cpu

SHAPES = {"shape", "ndim", "size", "dtype"}  # what may be asked of an array without reading it
NEW = {"exp", "matmul", "where"}  # of xp: what gives an array of its own
RANDOM = {"random", "rng", "manual_seed", "default_rng"}


def operations() -> list[type[Function]]:
    found = {v for file in ops.FILES for v in vars(file).values()
             if inspect.isclass(v) and issubclass(v, Function) and v is not Function}  # fmt: skip
    return sorted(found, key=lambda f: f.name)


def derivative_rules(operation: type[Function]) -> list:
    """`save` and the backward rules: what is read on Tensors too, and must be pure."""
    rules = [rule.run for rule in operation.backward_rules]
    return rules + ([operation.save_rule.run] if operation.save_rule else [])


def tree_of(function) -> ast.FunctionDef:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    return tree


class Reader:
    """Reads one function, and the functions of ops that it calls, for what a rule must not do.

    `arrays` are the names that may hold arrays; asking for their shape, or whether they are None, is
    no use of their values.
    """

    def __init__(self, function, arrays: set[str] | None = None) -> None:
        self.function, self.tree = function, tree_of(function)
        args = self.tree.args
        if arrays is None:  # a rule: everything by position but xp and shapes
            arrays = {a.arg for a in args.args[1:] if not a.arg.endswith("_shape")}
        self.arrays = set(arrays)
        for _ in range(2):  # names assigned in a loop may be used above
            for node in ast.walk(self.tree):
                if isinstance(node, ast.Assign) and self.uses_values(node.value):
                    self.arrays |= {
                        n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)
                    }

    def uses_values(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Attribute) and node.attr in SHAPES:
            return False
        if isinstance(node, ast.Compare) and all(isinstance(o, ast.Is | ast.IsNot) for o in node.ops):
            return False
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len":
            return False
        if isinstance(node, ast.Name):
            return node.id in self.arrays
        return any(self.uses_values(child) for child in ast.iter_child_nodes(node))

    def is_new(self, target: ast.AST) -> bool:
        """Whether this is a name of new arrays only, results of arithmetic: no argument, no view of one."""
        if not isinstance(target, ast.Name) or target.id in {a.arg for a in self.tree.args.args}:
            return False
        values = [
            node.value for node in ast.walk(self.tree) if isinstance(node, ast.Assign)
            for t in node.targets if any(n.id == target.id for n in ast.walk(t) if isinstance(n, ast.Name))
        ]  # fmt: skip
        return bool(values) and all(map(self.makes_new, values))

    def makes_new(self, value: ast.AST | None) -> bool:
        if isinstance(value, ast.Call) and (called := self.function_of_ops(value.func)):
            reader = Reader(called)
            returned = [node.value for node in ast.walk(reader.tree) if isinstance(node, ast.Return)]
            return all(reader.is_new(v) or reader.makes_new(v) for v in returned)
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            return (
                isinstance(value.func.value, ast.Name)
                and value.func.value.id == "xp"
                and value.func.attr in NEW
            )
        return isinstance(value, ast.BinOp)

    def complaints(self) -> Iterator[str]:
        for node in ast.walk(self.tree):
            for text in self._complain(node):
                yield f"{self.function.__qualname__}, line {node.lineno}: {text}"
        for helper in self.helpers():
            yield from helper.complaints()

    def _complain(self, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.AugAssign) and not self.is_new(node.target):
            yield "augmented assignment"
        if isinstance(node, ast.Delete | ast.Global | ast.Nonlocal):
            yield type(node).__name__
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield "assignment to an item or an attribute"
        if isinstance(node, ast.Call) and any(k.arg == "out" for k in node.keywords):
            yield "out="
        if isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in RANDOM:
                yield f"randomness: {name}"
        if isinstance(node, ast.If | ast.IfExp | ast.While | ast.Assert) and self.uses_values(node.test):
            yield "a branch on the values of an array"
        if isinstance(node, ast.BoolOp) and any(map(self.uses_values, node.values)):
            yield "and/or of arrays"
        if isinstance(node, ast.comprehension) and any(map(self.uses_values, node.ifs)):
            yield "a comprehension that branches on values"

    def helpers(self) -> Iterator[Reader]:
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.Call):
                continue
            if called := self.function_of_ops(node.func):
                names = list(inspect.signature(called).parameters)
                pairs = [*zip(names, node.args, strict=False), *((k.arg, k.value) for k in node.keywords)]
                yield Reader(called, {name for name, value in pairs if self.uses_values(value)})
            for passed in filter(None, map(self.function_of_ops, node.args)):  # xp.elementwise(passed, ...)
                yield Reader(passed, {a.arg for a in tree_of(passed).args.args})

    def function_of_ops(self, node: ast.AST):
        """The function of ops that a name stands for, or None."""
        found = self.function.__globals__.get(node.id) if isinstance(node, ast.Name) else None
        of_ops = inspect.isfunction(found) and found.__module__.startswith("tinygrad_notes.ops")
        return found if of_ops else None

    def calls_of_xp(self) -> Iterator[tuple[str, ast.Call | None]]:
        """(name, call) for every xp.name; no call where the name is only mentioned."""
        called = {id(n.func): n for n in ast.walk(self.tree) if isinstance(n, ast.Call)}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "xp":
                yield node.attr, called.get(id(node))
        for helper in self.helpers():
            yield from helper.calls_of_xp()

    def members(self) -> Iterator[str]:
        """The methods and attributes that are asked of arrays."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and self.uses_values(node.value):
                yield node.attr


def binds(function, call: ast.Call | None) -> bool:
    """Whether a call fits the parameters; NumPy's ufuncs take their inputs by position."""
    if call is None or any(isinstance(a, ast.Starred) for a in call.args):
        return True
    keywords = {k.arg: None for k in call.keywords}
    if isinstance(function, np.ufunc):
        return len(call.args) == function.nin and not keywords
    try:
        inspect.signature(function).bind(*call.args, **keywords)
    except TypeError:
        return False
    return True


every_operation = pytest.mark.parametrize("operation", operations(), ids=lambda f: f.name)


@every_operation
def test_save_and_backward_are_pure(operation):
    complaints = [c for rule in derivative_rules(operation) for c in Reader(rule).complaints()]
    assert not complaints


@every_operation
def test_every_name_of_xp_is_in_every_reading(operation):
    symbolic = pytest.importorskip("tinygrad_notes.verify.symbolic", exc_type=ImportError)
    derivatives = derivative_rules(operation)
    for rule in [operation.forward_rule.run, *derivatives]:
        readings = {"cpu": cpu, "symbols": symbolic.xp} | ({"tape": tape} if rule in derivatives else {})
        for name, call in Reader(rule).calls_of_xp():
            for title, reading in readings.items():
                found = getattr(reading, name, None)
                assert found is not None, f"{operation.name}: xp.{name} is not in the reading on {title}"
                assert binds(found, call), f"{operation.name}: this call of xp.{name} does not fit {title}"


@every_operation
def test_arrays_and_tensors_have_what_rules_ask_of_them(operation):
    for rule in derivative_rules(operation):
        for name in Reader(rule).members():
            assert hasattr(np.ndarray, name), name
            assert hasattr(tg.Tensor, name), name


def kernels() -> list[str]:
    return [n for n in cpu.__all__ if not hasattr(np, n) and not n.endswith("_update")]


@pytest.mark.parametrize("name", kernels())
def test_kernels_have_one_signature(name):
    symbolic = pytest.importorskip("tinygrad_notes.verify.symbolic", exc_type=ImportError)
    expected = list(inspect.signature(getattr(symbolic.xp, name)).parameters)
    ours = inspect.signature(getattr(cpu, name)).parameters
    assert [n for n in ours if n != "algorithm"] == expected
    if hasattr(tape, name) and name in {n for f in operations() for r in derivative_rules(f)
                                        for n, _ in Reader(r).calls_of_xp()}:  # fmt: skip
        tensors = list(inspect.signature(getattr(tape, name)).parameters)
        assert len(tensors) == len(expected)
        assert tensors[1:] == expected[1:]  # the first is an array, and always given by position


def test_the_symbolic_reading_has_every_name_of_cpu():
    symbolic = pytest.importorskip("tinygrad_notes.verify.symbolic", exc_type=ImportError)
    missing = {n for n in cpu.__all__ if not hasattr(symbolic.xp, n)}
    assert {n for n in missing if not n.endswith("_update")} == set()


# ---- the reader itself -------------------------------------------------------------------------


def augmented(xp, gy, y):
    gy += y
    return gy


def through_a_view(xp, gy, y):
    flat = gy.T
    flat += y
    return flat


def through_a_function_that_gives_a_view(xp, gy, y):
    g = xp.reshape(gy, y.shape)
    g += y
    return g


def of_its_own(xp, gy, x):
    g = xp.exp(x)
    g *= gy
    return g


def through_out(xp, gy, y):
    return xp.add(gy, y, out=gy)


def item(xp, gy, x_shape):
    gx = xp.zeros(x_shape)
    gx[0] = gy
    return gx


def drawn(xp, gy):
    return gy * np.random.random(gy.shape)


def on_values(xp, gy, x):
    return gy if x.max() > 0 else -gy


def on_derived_values(xp, gy, x):
    largest = xp.max(x)
    if largest > 0:
        return gy
    return -gy


def or_of_arrays(xp, gy, x):
    return x or gy


def on_attributes(xp, gy, x, b, x_shape, *, axis):
    if axis is None or b is None or x.ndim > 2 or x_shape[0] == 1 or len(gy) == 0:
        return gy
    return gy if gy.shape == x_shape else xp.sum(gy, axis=axis)


@pytest.mark.parametrize(
    ("rule", "text"),
    [(augmented, "augmented"), (through_a_view, "augmented"), (through_out, "out="),
     (through_a_function_that_gives_a_view, "augmented"),
     (item, "assignment to an item"), (drawn, "randomness"), (on_values, "branch on the values"),
     (on_derived_values, "branch on the values"), (or_of_arrays, "and/or")],
    ids=lambda p: getattr(p, "__name__", None),
)  # fmt: skip
def test_the_reader_finds(rule, text):
    assert any(text in complaint for complaint in Reader(rule).complaints())


def test_the_reader_reads_functions_that_are_passed_on():
    read = {reader.function.__name__ for reader in Reader(ops.rnn.RNN.backward).helpers()}
    assert "_rnn_back" in read


def test_the_reader_allows_branches_on_attributes_shapes_and_none():
    assert list(Reader(on_attributes).complaints()) == []


def test_the_reader_allows_writing_into_an_array_of_the_rule_itself():
    assert list(Reader(of_its_own).complaints()) == []


def test_the_reader_sees_calls_that_do_not_fit():
    call = ast.parse("xp.sum(x, axes=0)").body[0].value
    assert not binds(np.sum, call)
    assert not binds(np.exp, ast.parse("xp.exp(x, y)").body[0].value)
    assert binds(np.sum, ast.parse("xp.sum(x, axis=0)").body[0].value)
