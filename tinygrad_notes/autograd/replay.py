"""What a node kept, as Tensors with their edges: so a backward is recorded, for higher derivatives."""

from __future__ import annotations

from typing import Any

from .node import Node
from .tape import tape
from .tensor import Tensor


def replay(node: Node) -> Any:
    """The intermediates of ``save``, computed again on Tensors."""
    if node.save_inputs is None:
        return None
    rule = node.operation.save_rule
    assert rule is not None  # only an operation with a save has save_inputs
    inputs = [rewrap(node, i, v, None) for i, v in zip(rule.plan, node.save_inputs, strict=True)]
    return rule.run(tape, *inputs, **{k: node.attributes[k] for k in rule.attributes})


def rewrap(node: Node, i: int, value: Any, intermediates: Any) -> Any:
    """What was kept, as Tensors with their edges; `i` as in `Rule.plan`."""
    if i < 0 or not hasattr(value, "dtype"):
        if type(value) is tuple and i >= 0:  # the outputs of an operation with several
            return tuple(Tensor._wrap(a, (node, k)) for k, a in enumerate(value))
        return value
    n_inputs = len(node.edges)
    if i < n_inputs:
        return Tensor._wrap(value, node.edges[i])
    if i < n_inputs + len(node.operation.saves):
        return value if value.dtype.kind != "f" else intermediates[i - n_inputs]
    return Tensor._wrap(value, (node, 0))
