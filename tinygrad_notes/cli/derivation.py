"""``derive``: an operation's formula, its rules as they run, and its derivative by SymPy."""

from __future__ import annotations

import argparse
import inspect
from typing import Any

from ..autograd import Function
from . import DONE
from .operations import find_operation
from .output import print_json


def derive_command(arguments: argparse.Namespace) -> int:
    operation = find_operation(arguments.operation)
    module = inspect.getmodule(operation)
    assert module is not None
    derivatives = _derivatives(operation)
    if arguments.json:
        print_json({
            "operation": operation.__name__, "module": module.__name__, "formula": inspect.getdoc(operation),
            "source": inspect.getsource(operation), "derivatives": derivatives,
        })  # fmt: skip
        return DONE
    print(f"{operation.__name__} in {module.__name__}\n\n{inspect.getsource(operation).rstrip()}\n")
    if isinstance(derivatives, str):
        print(derivatives)
        return DONE
    print("by SymPy, from the forward above:")
    for expression, derivative in derivatives.items():
        print(f"  {expression} = {derivative}")
    return DONE


def _derivatives(operation: type[Function]) -> dict[str, str] | str:
    """{"∂y/∂x": ...} of numbers, or why there is none."""
    try:
        import sympy
    except ImportError:
        return "its derivative needs SymPy: pip install 'tinygrad-notes[verify]'"
    from ..verify.symbolic import namespace

    attributes: dict[str, Any] = {
        name: sympy.Symbol(name, positive=True) for name in operation.forward_rule.attributes
    }
    inputs = [sympy.Symbol(name, real=True) for name in operation.inputs]
    try:
        y = operation.forward(namespace, *inputs, **attributes)
        return {f"∂y/∂{x}": str(sympy.simplify(sympy.diff(y, x))) for x in inputs}
    except Exception:
        return "it works on whole arrays; `tinygrad-notes verify` proves its backward on symbols"
