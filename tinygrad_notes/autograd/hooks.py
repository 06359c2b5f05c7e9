"""Functions of the user's that are called in passing: `register_hook` of a Tensor, and what undoes it.

A hook of a Tensor sees its whole gradient, the sum over everything that used it, once in each backward that
comes by, before it goes on to what the Tensor was made from. What the hook returns takes its place.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from ..backend.capture import CaptureError, running
from .node import Node
from .tensor import Tensor

Hooks = dict[int, Callable[..., Any]]
_next_key = itertools.count().__next__


class Handle:
    """What a registration returns: `remove()` undoes it, as does the end of a ``with`` block."""

    def __init__(self, hooks: Hooks, hook: Callable[..., Any]) -> None:
        if not callable(hook):
            raise TypeError(f"a hook is a function that is called, got {hook!r}")
        self._hooks, self._key = hooks, _next_key()  # hooks do not know handles: no cycle
        hooks[self._key] = hook

    def remove(self) -> None:
        """Call the hook no more. A second time has no effect."""
        self._hooks.pop(self._key, None)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


def register_hook(x: Tensor, hook: Callable[[Tensor], Tensor | None]) -> Handle:
    """Call ``hook(gradient)`` whenever a backward has the gradient of this Tensor.

    The hook gets a Tensor of its own, which it may keep or change, and returns None, or one of the same shape
    and dtype that takes its place. Several run in the order in which they came. `tg.grad` calls them for the
    gradients that it computes; with ``create_graph`` these are recorded.

    Raises RuntimeError for a Tensor that does not require grad, TypeError for what cannot be called.
    """
    if x._edge is None:
        raise RuntimeError("register_hook: this Tensor does not require grad, no gradient comes by")
    node, index = x._edge
    if node.hooks is None:
        node.hooks = {}
    return Handle(node.hooks.setdefault(index, {}), hook)


def hooked(node: Any, gy: Any) -> Any:
    """The gradient `gy` of the output of `node`, or the list of them, as the hooks leave it."""
    if running:
        raise CaptureError("a hook of a Tensor would run only once; remove it")
    if not node.several:
        return _through(node, 0, gy)
    return [None if g is None else _through(node, i, g) for i, g in enumerate(gy)]


def _through(node: Any, index: int, g: Any) -> Any:
    hooks = node.hooks.get(index)
    if not hooks:
        return g
    x = g if isinstance(g, Tensor) else Tensor(g)
    for hook in list(hooks.values()):
        new = hook(x)
        if new is None:
            continue
        if not isinstance(new, Tensor) or (new.shape, new.dtype) != (g.shape, g.dtype):
            owner = node.operation.name if isinstance(node, Node) else "a leaf"
            given = f"{type(new).__name__} {getattr(new, 'shape', new)!r} {getattr(new, 'dtype', '')}"
            raise RuntimeError(
                f"a hook on the gradient of {owner} must return None, or a Tensor of shape {g.shape} and "
                f"dtype {g.dtype}, got {given}"
            )
        x = new
    return x if isinstance(g, Tensor) else x._data.copy()  # the user may hold x


Tensor.register_hook = register_hook  # type: ignore[attr-defined]
