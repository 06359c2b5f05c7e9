"""Gradients that were found by comparisons: their derivative is 0, and not missing.

A comparison on Tensors is not recorded, so the gradient of relu on the tape would be a constant, and asking
for its derivative an error. As in torch it is 0: a rule that reads an input gives a function of that input.
One that reads shapes alone (of a sum, of 2 x) gives a constant, which does not require grad.
"""

from __future__ import annotations

from typing import Any

from .. import backend
from .function import Function
from .node import Node
from .tensor import Tensor


class Unmoved(Function):
    """y = value, a number that was found from x with derivative 0: by comparisons, as relu's 0 and 1."""

    def forward(xp: Any, value: Any, x: Any) -> Any:
        return value

    def backward_value(xp: Any, gy: Any) -> Any:
        return gy

    def backward_x(xp: Any, gy: Any, x_shape: Any) -> Any:
        return xp.zeros(x_shape, gy.dtype)


def unmoved(node: Node, plan: tuple[int, ...], result: Any, since: int) -> Any:
    """What a rule of `node` gave on Tensors, as a function of every input that it read.

    `plan` is what it read (see `Rule`), `since` the number of nodes when the rules of the node began.
    """
    if type(result) is tuple:
        return tuple(unmoved(node, plan, g, since) for g in result)
    if not isinstance(result, Tensor):
        return result
    count, saved = len(node.edges), len(node.operation.saves)
    reached = _reached(result, since)
    read: list[int] = []
    for i in plan:
        if 0 <= i < count:
            read.append(i)
        elif count <= i < count + saved:  # an intermediate
            read += node.operation.save_rule.plan  # type: ignore[union-attr]
        elif i >= 0 and node not in reached:  # y
            read += range(count)
    for edge in dict.fromkeys(node.edges[i] for i in read):
        if edge is not None and edge[0] not in reached:
            shape, dtype = edge[0].meta[edge[1]] if edge[0].several else edge[0].meta
            nothing = backend.xp.broadcast_to(backend.xp.zeros((), dtype), shape)
            result = Unmoved.apply(result, Tensor._wrap(nothing, edge))
    return result


def _reached(result: Tensor, since: int) -> set[Any]:
    """The nodes that `result` was made from, as far back as the last ones that are older than `since`."""
    found: set[Any] = set()
    stack = [result._edge]
    while stack:
        edge = stack.pop()
        if edge is not None and edge[0] not in found:
            found.add(edge[0])
            if edge[0].sequence > since:
                stack += edge[0].edges
    return found
