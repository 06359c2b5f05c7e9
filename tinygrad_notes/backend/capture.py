"""A training step that is captured: what the host still does in each replay, and where its state lies.

A namespace that `captures` records what a step asks of the device, and does it again as often as wanted, on
the same memory. Python does not run again. So while a step is captured, everything that changes from step to
step says so here: numbers by `each_step`, what else the host does by `host_side`, a new array in place of an
old one by `renew`. `autograd/captured.py` is what a user calls.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from .. import backend

ALIGNED = 16  # bytes: where the numbers of a step begin
CHUNK = 1 << 14  # bytes of the memory that they share

F = TypeVar("F", bound=Callable[..., Any])


class CaptureError(RuntimeError):
    """A step that cannot be captured, or not be repeated; the message says why."""


class Home(NamedTuple):
    """Memory that a captured step reads or writes, and how its owner is asked for it and given it."""

    name: str
    array: Any
    get: Callable[[], Any]
    put: Callable[[Any], None]


class Capture:
    """What is noted while one step is captured."""

    def __init__(self) -> None:
        self.actions: list[Callable[[], None]] = []  # of the host, before each replay
        self.undo: list[Callable[[], None]] = []  # what the host has done in a capture that fails
        self.homes: dict[Any, Home] = {}
        self.watched: dict[Any, tuple[str, Callable[[], Any], Any]] = {}
        self.leaves: dict[Any, None] = {}  # those that got a gradient
        self.chunks: list[tuple[np.ndarray, Any]] = []  # of the host and of the device
        self.written: list[Any] = []  # arrays that the package wrote into
        self.used = CHUNK
        self.inside = False  # an action of the host is under way

    def number(self, value: np.ndarray, again: Callable[[], np.ndarray]) -> Any:
        """`value` on the device, and before each replay `again()` in its place."""
        value = np.asarray(value)
        size = -(-value.nbytes // ALIGNED) * ALIGNED
        if self.used + size > CHUNK:
            length = max(CHUNK, size)
            self.chunks.append((np.zeros(length, np.uint8), backend.xp.empty(length, np.uint8)))
            self.used = 0
        host, device = (
            chunk[self.used : self.used + value.nbytes].view(value.dtype).reshape(value.shape)
            for chunk in self.chunks[-1]
        )
        self.used += size
        host[...] = value

        def renewed() -> None:
            host[...] = again()

        self.actions.append(renewed)
        return device

    def holds(self, key: Any, name: str, get: Callable[[], Any], put: Callable[[Any], None]) -> None:
        """The array `get()` is state: a replay finds it where it is now, or brings it there."""
        if key not in self.homes:
            self.homes[key] = Home(name, get(), get, put)

    def depends(self, key: Any, name: str, ask: Callable[[], Any]) -> None:
        """What `ask()` says now must be so in each replay."""
        if key not in self.watched:
            self.watched[key] = (name, ask, ask())

    def holds_tensor(self, tensor: Any, name: str) -> None:
        """`holds`, of a Tensor's data."""
        self.holds(id(tensor), name, lambda: tensor._data, lambda array: setattr(tensor, "_data", array))

    def collects(self, leaf: Any) -> None:
        """A leaf gets a gradient; a replay cannot add to one of before the step."""
        if leaf in self.leaves:
            return
        if leaf.grad is not None:
            raise CaptureError(
                f"it adds to the gradient that a leaf of shape {leaf.meta[0]} has from before; call "
                "zero_grad() in it, before backward()"
            )
        self.leaves[leaf] = None
        self.depends(("hooks", leaf), "a hook of a Tensor", lambda: bool(leaf.hooks))


running: list[Capture] = []  # the capture under way, or none


def each_step(function: Callable[[], np.ndarray]) -> Any:
    """The host's array `function()` as one of the backend: numbers that are others in each step.

    In a captured step `function` is called again before each replay, in the order of the calls, and its
    numbers take the place of those before. Shape and dtype stay.
    """
    if not running:
        return backend.asarray(function())
    return running[-1].number(function(), function)


def host_side(method: F) -> F:
    """`method` works on the host alone and returns nothing: each replay of a captured step calls it too.

    The object's ``_undo_step()`` gives a function that takes back what the next call does.
    """

    @functools.wraps(method)
    def call(self: Any, *args: Any, **options: Any) -> None:
        capture = running[-1] if running else None
        if capture is None or capture.inside:
            method(self, *args, **options)
            return
        action = functools.partial(method, self, *args, **options)
        capture.undo.append(self._undo_step())
        capture.actions.append(action)
        capture.inside = True
        try:
            action()
        finally:
            capture.inside = False

    return call  # type: ignore[return-value]


def renew(owner: Any, array: Any) -> None:
    """``owner._data = array``; a captured step brings the new numbers to where the old ones were."""
    if running:
        running[-1].holds_tensor(owner, type(owner).__name__)
    owner._data = array
