"""The text of an operation as it runs: its rules, and beneath them the helper functions that they call."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from ..autograd import Function


def helpers(operation: type[Function]) -> list[Callable[..., Any]]:
    """The private functions that the rules of `operation` name, and those that these name, in that order."""
    found: dict[Callable[..., Any], None] = {}
    waiting: list[Any] = [operation]
    while waiting:
        reader = waiting.pop(0)
        globals_ = vars(inspect.getmodule(reader))
        tree = ast.parse(textwrap.dedent(inspect.getsource(reader)))
        names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        for name in sorted(names, key=lambda node: (node.lineno, node.col_offset)):
            value = globals_.get(name.id)
            if name.id.startswith("_") and inspect.isfunction(value) and value not in found:
                found[value] = None
                waiting.append(value)
    return list(found)


def source(operation: type[Function]) -> str:
    """The class of `operation` and its helpers, as they stand in their files."""
    return "\n\n".join(inspect.getsource(part) for part in (operation, *helpers(operation))).rstrip()
