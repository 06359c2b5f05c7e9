"""Switches: is the tape recording, is it looking for NaN, may a forward update running statistics.

Context variables, so that threads and asyncio tasks do not see each other's switches.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import ContextDecorator
from contextvars import ContextVar
from typing import Any, TypeVar

recording: ContextVar[bool] = ContextVar("recording", default=True)
anomaly: ContextVar[bool] = ContextVar("anomaly", default=False)
updating: ContextVar[bool] = ContextVar("updating", default=True)


# The blocks around here: (switch, value before). In the context, not in the switch: threads and tasks may
# enter one switch side by side.
_entered: ContextVar[tuple[tuple[_Switch, bool], ...]] = ContextVar("entered", default=())


F = TypeVar("F", bound=Callable[..., Any])


class _Switch(ContextDecorator):
    """Sets one context variable for a ``with`` block or a decorated function; nests and re-enters."""

    def __init__(self, variable: ContextVar[bool], value: bool) -> None:
        self._variable = variable
        self._value = value

    def __call__(self, function: F) -> F:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{self._variable.name}: the body of the generator {function.__name__} runs after the call "
                "that is decorated; write a with block inside it"
            )
        if not inspect.iscoroutinefunction(function):
            return super().__call__(function)

        @functools.wraps(function)
        async def inside(*args: Any, **kwargs: Any) -> Any:
            with self:
                return await function(*args, **kwargs)

        return inside  # type: ignore[return-value]

    def __enter__(self) -> None:
        _entered.set((*_entered.get(), (self, self._variable.get())))
        self._variable.set(self._value)

    def __exit__(self, *_: object) -> None:
        entered = list(_entered.get())
        at = max((i for i, block in enumerate(entered) if block[0] is self), default=None)
        if at is None:  # a generator that is closed in another thread or task than it ran in
            return
        before = entered.pop(at)[1]
        for i, block in enumerate(entered[at:], at):
            if block[0]._variable is self._variable:  # left open by a generator: it gives back what we would
                entered[i] = block[0], before
                break
        else:
            self._variable.set(before)
        _entered.set(tuple(entered))


def no_grad() -> _Switch:
    """Do not record: operations inside give Tensors that do not require gradients."""
    return _Switch(recording, False)


def enable_grad() -> _Switch:
    """Record again inside a `no_grad` block."""
    return _Switch(recording, True)


def detect_anomaly() -> _Switch:
    """Raise at the operation whose forward or backward makes the first NaN or infinity.

    The error names the operation and, for a backward, shows where its forward was called. Every
    result is inspected, which costs time and, on a GPU, a synchronization per operation.
    """
    return _Switch(anomaly, True)


def frozen_statistics() -> _Switch:
    """Running statistics stay as they are: for a check that runs one forward many times."""
    return _Switch(updating, False)


def is_grad_enabled() -> bool:
    """Whether operations are being recorded here."""
    return recording.get()
