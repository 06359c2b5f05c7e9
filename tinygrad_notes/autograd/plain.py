"""Backpropagation in thirty lines: what engine.py computes, without speed, safety and higher orders.

The chain rule on a graph: the gradient of a node is the sum over everything that used it,

    ∂L/∂x = Σ ∂L/∂y · ∂y/∂x   over the operations y = f(..., x, ...).

So a node is taken up when all that used it are done. Nodes are numbered as they are made and an
operation comes after its inputs, hence always the one with the highest number.
"""

from __future__ import annotations

from typing import Any

from .. import backend
from .broadcast import unbroadcast
from .node import Leaf
from .tensor import Tensor


def gradients(output: Tensor, seed: Any) -> dict[Leaf, Any]:
    """∂L/∂leaf for every leaf below `output`, as arrays; `seed` is ∂L/∂output, an array of its shape."""
    assert output._edge is not None, "the output does not require grad"
    node, index = output._edge
    waiting: dict[Any, dict[int, Any]] = {node: {index: seed}}  # node → output → gradient so far
    leaves: dict[Leaf, Any] = {}
    while waiting:
        node = max(waiting, key=lambda n: n.sequence)
        found = waiting.pop(node)
        if isinstance(node, Leaf):
            leaves[node] = found[0]
            continue
        gy = found.get(0)
        if node.several:  # an output that nothing used has the gradient 0
            gy = tuple(found.get(i, backend.xp.zeros(*meta)) for i, meta in enumerate(node.meta))
        for rule, kept in zip(node.operation.backward_rules, node.kept, strict=True):
            if kept is None:
                continue
            result = rule.run(backend.xp, gy, *kept, **{k: node.attributes[k] for k in rule.attributes})
            results = result if isinstance(result, tuple) else (result,)
            edges = node.edges if rule.target < 0 else (node.edges[rule.target],)
            for edge, gx in zip(edges, results, strict=True):
                if edge is not None:
                    below, i = edge
                    gx = unbroadcast(backend.xp, gx, (below.meta[i] if below.several else below.meta)[0])
                    so_far = waiting.setdefault(below, {})
                    so_far[i] = so_far[i] + gx if i in so_far else gx
    return leaves
