"""A recurrence on arrays that wait: a kernel for each step, and a launch for each of its products."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import cupy

from ..kernels import plain
from ..kernels.steps import Step
from . import lazy_kernels
from .lazy import elementwise, rebuilt, wrap
from .lazy_chains import Later, Node

_where = elementwise("where", cupy.where)


def scan(
    step: Callable[..., Any], sequences: Any, states: Any, constants: Any, mask: Any, reverse: bool
) -> Any:
    """`plain.scan`, whose results are written to their rows by the kernels of each step.

    What a state adds to a product is computed with the next step, so that a step is a product and a kernel.
    """
    times = plain.check_times(sequences)
    states, count, stacked = tuple(states), len(states), None
    for t in reversed(times) if reverse else times:
        new = step(*(s[t] for s in sequences), *states, *constants)
        lazy_kernels.evaluate([(product, None) for product in products_in(states)])
        if mask is not None:
            new = tuple(
                _where(mask[t].reshape(-1, *(1,) * (value.ndim - 1)), value, before)
                for value, before in zip(new, states + (0,) * (len(new) - count), strict=True)
            )
        if stacked is None:
            stacked = [cupy.empty((len(times), *value.shape), value.dtype) for value in new[count:]]
        rows = [(value, out[t]) for value, out in zip(new[count:], stacked, strict=True)]
        states = tuple(map(wrap, new[:count]))
        lazy_kernels.evaluate([*rows, *((part, None) for part in before_products(states))])
        states = tuple(rebuilt(state, lambda made: made) for state in states)  # of few steps now
    assert stacked is not None
    lazy_kernels.evaluate([(state, None) for state in states])
    # a last state that is a row must not share its memory with the results
    last = (state.array if state.array.base is None else state.array.copy() for state in states)
    return *map(wrap, last), *map(wrap, stacked)


def products_in(nodes: Iterable[Any]) -> list[Node]:
    """The products that chains have yet to wait for."""
    found, queue = {}, list(nodes)
    for node in queue:
        if id(node) not in found:
            found[id(node)] = node
            if type(node.step) is Step:
                queue += [arg for arg in node.args if isinstance(arg, Node)]
    return [node for node in found.values() if isinstance(node.step, Later)]


def before_products(nodes: Iterable[Any]) -> list[Node]:
    """The largest parts of chains that need no product, and the factors of their products."""
    found: dict[int, Node] = {}
    waits: dict[int, bool] = {}

    def waiting(node: Node) -> bool:
        if id(node) not in waits:
            waits[id(node)] = isinstance(node.step, Later) or (
                type(node.step) is Step and any(waiting(arg) for arg in node.args if isinstance(arg, Node))
            )
        return waits[id(node)]

    queue = list(nodes)
    for node in queue:
        if id(node) not in found:
            found[id(node)] = node
            if waiting(node):
                queue += [arg for arg in node.args if isinstance(arg, Node)]
    return [node for node in found.values() if not waiting(node)]
