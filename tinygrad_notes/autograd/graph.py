"""The recorded graph, as a list: who made what from what, and what each node keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..backend import is_array
from .tensor import Tensor


@dataclass
class Entry:
    """A node. Leaves have a `name` and no `operation`; an input None is a constant."""

    number: int
    operation: str
    name: str
    shape: tuple[int, ...]
    inputs: list[int | None] = field(default_factory=list)
    keeps: list[str] = field(default_factory=list)
    kept_bytes: int = 0


def graph(output: Tensor, names: Mapping[str, Tensor]) -> list[Entry]:
    """Every node below `output` in the order in which they were made; `names` are those of leaves.

    `keeps` are the names that the backward rules ask for; an array that two nodes keep counts its
    bytes once. Raises ValueError if nothing was recorded.
    """
    if output._edge is None:
        raise ValueError("graph: nothing was recorded; let an input require grad")
    known = {id(tensor._edge[0]): name for name, tensor in names.items() if tensor._edge is not None}
    last = output._edge[0]
    stack, found = [last], {id(last): last}
    while stack:
        for edge in stack.pop().edges:
            if edge is not None and id(edge[0]) not in found:
                found[id(edge[0])] = edge[0]
                stack.append(edge[0])
    places = {key: place for place, key in enumerate(known)}  # leaves in the order of `names`
    order = sorted(found.values(), key=lambda node: (node.sequence, places.get(id(node), 0)))
    numbers = {id(node): i for i, node in enumerate(order)}
    entries, counted = [], set()
    for node in order:
        shape = tuple(node.meta[0][0] if node.several else node.meta[0])
        number = numbers[id(node)]
        if not hasattr(node, "operation"):
            entries.append(Entry(number, "", known.get(id(node), "leaf"), shape))
            continue
        entry = Entry(number, node.operation.name, "", shape)
        entry.inputs = [None if edge is None else numbers[id(edge[0])] for edge in node.edges]
        for name, value in _kept(node):
            if name not in entry.keeps:
                entry.keeps.append(name)
            if is_array(value) and id(value) not in counted:
                counted.add(id(value))
                entry.kept_bytes += value.nbytes
        entries.append(entry)
    return entries


def _kept(node: Any) -> list[tuple[str, Any]]:
    """(name, value) of the arrays that the backward rules of `node` will be given."""
    operation = node.operation
    values = (*operation.inputs, *operation.saves, "y")
    pairs = [
        (values[place], value)
        for rule, kept in zip(operation.backward_rules, node.kept, strict=True) if kept is not None
        for place, value in zip(rule.plan, kept, strict=True) if place >= 0
    ]  # fmt: skip
    if node.save_inputs is not None:  # for the derivative of the derivative
        pairs += [(values[place], value)
                  for place, value in zip(operation.save_rule.plan, node.save_inputs, strict=True)
                  if place >= 0]  # fmt: skip
    return pairs
