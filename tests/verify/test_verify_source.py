"""An operation is shown whole: its rules, and every helper that they call."""

import ast
import builtins
import inspect

import pytest

from tinygrad_notes.cli import main
from tinygrad_notes.ops import activation, loss, normalization, response
from tinygrad_notes.verify.cases import CASES
from tinygrad_notes.verify.source import helpers, source

OPERATIONS = sorted({c for case in CASES for c in case.operations}, key=lambda c: c.__name__)


def test_helpers_come_in_the_order_in_which_they_are_met():
    assert helpers(normalization.BatchNorm) == [normalization._all_but_channels]
    assert helpers(response.LocalResponseNorm) == [
        response._channels_around, response._added, response._power
    ]  # fmt: skip
    assert helpers(loss.CrossEntropy) == [
        activation._log_softmax, loss._expected,
        activation._largest,  # of another file, and met in a helper
    ]  # fmt: skip
    assert helpers(activation.ReLU) == []


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda c: c.__name__)
def test_no_private_name_is_left_unexplained(operation):
    """Whatever begins with an underscore in the text shown is defined in that text, or a constant."""
    text = source(operation)
    tree = ast.parse(text)
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id.startswith("_") and n.id != "_"}
    seen = vars(inspect.getmodule(operation))
    missing = {n for n in used - defined if callable(seen.get(n)) and seen[n] not in vars(builtins).values()}
    assert not missing
    assert text.startswith(f"class {operation.__name__}(Function):")


def test_derive_shows_them(capsys):
    assert main(["derive", "local_response_norm"]) == 0
    text = capsys.readouterr().out
    assert "def _channels_around(xp, x, window):" in text
    assert text.index("def backward(xp, gy, x") < text.index("def _power(")
