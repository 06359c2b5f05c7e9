"""Backward rules as a namespace reads them: what the engine does around a rule is read with it.

As one rule, the zeros of outputs that nothing used and the sums that undo a broadcast may share launches with
what they are computed with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .broadcast import unbroadcast
from .node import Node


def read_rules(read: Any, node: Node) -> Iterator[tuple[Any, ...]]:
    """The backward rules of `node`, run by `read`; its gradient may have None for what nothing used."""
    metas = [edge and (edge[0].meta[edge[1]] if edge[0].several else edge[0].meta) for edge in node.edges]
    broadcasts = node.operation.broadcasts
    for run, plan, take, names, target in node.operation.backward_rules:
        if broadcasts:
            run = _fitted(run, metas if target < 0 else [metas[target]])
        if node.several:
            run = _filled(run, node.meta)
        yield read(run), plan, take, names, target


def _filled(run: Callable[..., Any], metas: tuple[Any, ...]) -> Callable[..., Any]:
    """The backward rule `run` of several outputs of (shape, dtype) `metas`: zeros for None."""

    def rule(xp: Any, gy: tuple[Any, ...], *args: Any, **attributes: Any) -> Any:
        gy = tuple(xp.zeros(*meta) if g is None else g for g, meta in zip(gy, metas, strict=True))
        return run(xp, gy, *args, **attributes)

    return rule


def _fitted(run: Callable[..., Any], metas: list[Any]) -> Callable[..., Any]:
    """The backward rule `run`, its gradients brought into the (shape, dtype) of the inputs, `metas`.

    None of `metas`: nobody asks for it.
    """

    def fit(xp: Any, g: Any, meta: Any) -> Any:
        if meta is None or not hasattr(g, "shape"):
            return g
        shape, dtype = meta
        if g.shape != shape:
            g = unbroadcast(xp, g, shape)
        return g if g.dtype == dtype else g.astype(dtype)

    def rule(xp: Any, *args: Any, **attributes: Any) -> Any:
        result = run(xp, *args, **attributes)
        if type(result) is not tuple:
            return fit(xp, result, metas[0])
        if len(result) != len(metas):  # the engine says what is wrong
            return result
        return tuple(fit(xp, g, meta) for g, meta in zip(result, metas, strict=True))

    return rule
