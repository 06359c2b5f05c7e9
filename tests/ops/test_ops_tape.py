"""The tape holds the operations and nothing else; indices and masks given to an operation are its own."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import tinygrad_notes as tg
from tests.op_table import functions
from tinygrad_notes import backend, ops
from tinygrad_notes.autograd import tape


def test_only_operations_are_on_the_tape():
    names = {name for name in vars(tape) if name != "ndarray"}
    public = {
        name for file in ops.FILES for name, value in vars(file).items()
        if inspect.isfunction(value) and value.__module__ == file.__name__ and name[0] != "_"
    }  # fmt: skip
    assert names == public
    for name in names:
        returns = inspect.signature(getattr(tape, name)).return_annotation
        assert returns == "Tensor" or returns.startswith("tuple[Tensor"), f"{name} gives {returns}"


@pytest.mark.parametrize("function", functions(), ids=lambda f: f.name)
def test_every_name_that_a_rule_uses_is_in_every_namespace(function):
    rules = [getattr(function, name) for name in dir(function)
             if name in ("forward", "save", "backward") or (name.startswith("backward_")
             and name != "backward_rules")]  # fmt: skip
    for rule in rules:
        for name in _names_of_xp(rule):
            assert name in backend.cpu.__all__, f"{rule.__qualname__} uses xp.{name}"
            if not rule.__name__.startswith("forward"):
                assert hasattr(tape, name), f"{rule.__qualname__} uses xp.{name}, not on the tape"


def _names_of_xp(rule):
    """The attributes that a rule's code looks up on `xp`."""
    import ast
    import textwrap

    tree = ast.parse(textwrap.dedent(inspect.getsource(rule)))
    return {
        node.attr for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "xp"
    }  # fmt: skip


@pytest.mark.parametrize("kind", [
    lambda i, x: x[i], lambda i, x: x[:, i], lambda i, x: x[i > 0],
    lambda i, x: tg.where(i > 0, x.T, 0.0), lambda i, x: tg.ops.dropout.dropout(x.T, 0.5, mask=i),
    lambda i, x: tg.ops.loss.cross_entropy(x, i),
])  # fmt: skip
def test_changing_an_index_after_the_forward_does_not_move_the_gradient(kind):
    x = tg.Tensor(np.arange(9.0).reshape(3, 3), requires_grad=True)
    index = np.array([0, 2, 2])
    (expected,) = tg.grad(kind(index, x).sum(), x)
    y = kind(index, x).sum()
    index[:] = [2, 0, 1]
    (g,) = tg.grad(y, x)
    np.testing.assert_array_equal(g.numpy(), expected.numpy())


def test_creation():
    assert (tg.zeros((2, 3)).dtype, tg.ones(2).shape) == (np.float32, (2,))
    assert tg.arange(3).dtype == np.int64
    assert tg.arange(0, 1, 0.5).dtype == np.float32
    np.testing.assert_array_equal(tg.arange(1, 7, 2).numpy(), [1, 3, 5])
    np.testing.assert_array_equal(tg.full((2,), 7).numpy(), [7, 7])
    assert tg.zeros(2, requires_grad=True).requires_grad
    assert tg.tensor([1.0, 2.0], dtype=np.float64).dtype == np.float64
    x = tg.tensor(np.ones((2, 2), np.float16))
    assert (tg.zeros_like(x).dtype, tg.ones_like(x).shape) == (np.float16, (2, 2))
