"""Chains of operations on the last two axes of stacks of matrices, such as attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def matrixwise(function: Callable[..., Any], *arrays: Any) -> Any:
    """function(*arrays): a tuple of arrays."""
    return function(*arrays)
