"""In which order a backward visits the nodes of a graph, and which of them it needs."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from .tensor import Tensor


def reverse_order(outputs: Sequence[Tensor]) -> list[Any]:
    """Every node below `outputs`, the last made first."""
    stack = [t._edge[0] for t in outputs if t._edge is not None]
    seen = set(stack)
    while stack:
        for edge in stack.pop().edges:
            if edge is not None:
                node = edge[0]
                if node not in seen:
                    seen.add(node)
                    stack.append(node)
    return sorted(seen, key=attrgetter("sequence"), reverse=True)


def above(wanted: dict[Any, Any], order: list[Any]) -> set[Any]:
    """The nodes of `order` with a wanted one somewhere below them."""
    found: set[Any] = set()
    for node in reversed(order):
        if any(edge is not None and (edge[0] in found or edge[0] in wanted) for edge in node.edges):
            found.add(node)
    return found
