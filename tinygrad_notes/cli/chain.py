"""The chain of a network: its backpropagation on one batch, from the loss to the input, rule by rule."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.function import _next_number
from ..models.summary import sample
from ..nn import Module
from ..ops.loss import cross_entropy
from .networks import Network
from .output import print_table
from .steps import derivations_of, where


def chain(network: Network) -> list[dict[str, Any]]:
    """One row per recorded operation of a training step on two images, or on one text, last first.

    `layer` is the innermost part of the model in whose forward it was recorded; `gives` are the shapes of the
    gradients that its rule hands on; `where` is the file and line of that rule.
    """
    model = network.undrawn().train()
    spans: list[tuple[int, int, str]] = []
    if network.texts:
        inputs = [*map(sample, network.texts)]
    else:
        inputs = [Tensor(np.zeros((2, *model.input_shape), np.float32), requires_grad=True)]
    with _watched(model, spans):
        outputs = model(*inputs)
    return [_row(node, spans) for node in _backward_order(loss_of(network, outputs))]


def loss_of(network: Network, outputs: Any) -> Tensor:
    """For class 0, of all logits of images, those of auxiliary classifiers too; of a text only of the first
    output, since what comes with it is a state. What is one number is a loss already."""
    several = outputs if isinstance(outputs, tuple) else (outputs,)
    losses = []
    for y in several[:1] if network.texts else several:
        logits = y if y.ndim < 3 else y.reshape(-1, y.shape[-1])
        losses.append(y if y.ndim == 0 else cross_entropy(logits, np.zeros(len(logits), np.int64)))
    return sum(losses[1:], losses[0])


def _backward_order(loss: Tensor) -> list[Any]:
    last = loss._edge[0]
    stack, found = [last], {id(last): last}
    while stack:
        for edge in stack.pop().edges:
            if edge is not None and id(edge[0]) not in found and hasattr(edge[0], "operation"):
                found[id(edge[0])] = edge[0]
                stack.append(edge[0])
    return sorted(found.values(), key=lambda node: -node.sequence)


def _row(node: Any, spans: list[tuple[int, int, str]]) -> dict[str, Any]:
    inner = [(stop - start, name) for start, stop, name in spans if start < node.sequence < stop]
    operation = node.operation
    metas = node.meta if node.several else (node.meta,)
    return {
        "layer": min(inner)[1] if inner else "loss",
        "operation": operation.__name__,
        "takes": [list(shape) for shape, _ in metas],
        "gives": {name: list(_shape(edge))
                  for name, edge in zip(_names(operation, node), node.edges, strict=True)
                  if edge is not None},
        "where": where(_rule(operation)),
        "derivation": [e.name for e in derivations_of(operation)],
    }  # fmt: skip


def _names(operation: Any, node: Any) -> tuple[str, ...]:
    return operation.inputs if len(operation.inputs) == len(node.edges) else tuple(
        f"x{i}" for i in range(len(node.edges))
    )  # fmt: skip


def _shape(edge: Any) -> tuple[int, ...]:
    node, place = edge
    if hasattr(node, "several") and node.several:
        return node.meta[place][0]
    return node.meta[0]


def _rule(operation: Any) -> Callable[..., Any]:
    """The first backward rule, as it stands in the file."""
    return inspect.unwrap(operation.backward_rules[0].run)


@contextlib.contextmanager
def _watched(model: Module, spans: list[tuple[int, int, str]]) -> Iterator[None]:
    """Writes (first, last, name) into `spans`: the numbers of what is recorded in each module's forward."""
    modules = [(name or type(model).__name__, m) for name, m in model.named_modules()]

    def watch(name: str, forward: Callable[..., Any]) -> Callable[..., Any]:
        def run(*inputs: Any, **options: Any) -> Any:
            start = _next_number()
            y = forward(*inputs, **options)
            spans.append((start, _next_number(), name))
            return y

        return run

    for name, module in modules:
        module.forward = watch(name, module.forward)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for _, module in modules:
            del module.forward


def print_chain(name: str, rows: list[dict[str, Any]], text: dict[str, str]) -> None:
    print(f"{name}: {text['chain']}\n")
    print_table(
        ["", text["layer"], text["rule"], "gy", text["gives"], text["where"]],
        [
            [str(k), row["layer"], row["operation"], ", ".join(map(_sizes, row["takes"])),
             ", ".join(f"g{n} {_sizes(s)}" for n, s in row["gives"].items()), row["where"]]
            for k, row in enumerate(rows, 1)
        ],
        left=6,
    )  # fmt: skip
    told = sorted({name for row in rows for name in row["derivation"]})
    if told:
        print(f"\n{text['told']}: {', '.join(told)}")


def _sizes(shape: list[int]) -> str:
    return "×".join(map(str, shape)) or "1"
