"""Switches: is the tape recording, is it looking for NaN, may a forward update running statistics.

Context variables, so that threads and asyncio tasks do not see each other's switches.
"""

from __future__ import annotations

from contextlib import ContextDecorator
from contextvars import ContextVar, Token

recording: ContextVar[bool] = ContextVar("recording", default=True)
anomaly: ContextVar[bool] = ContextVar("anomaly", default=False)
updating: ContextVar[bool] = ContextVar("updating", default=True)


class _Switch(ContextDecorator):
    """Sets one context variable for a ``with`` block or a decorated function; nests and re-enters."""

    def __init__(self, variable: ContextVar[bool], value: bool) -> None:
        self._variable = variable
        self._value = value
        self._tokens: list[Token[bool]] = []

    def _recreate_cm(self) -> _Switch:  # one fresh switch per call of a decorated function
        return _Switch(self._variable, self._value)

    def __enter__(self) -> None:
        self._tokens.append(self._variable.set(self._value))

    def __exit__(self, *_: object) -> None:
        self._variable.reset(self._tokens.pop())


def no_grad() -> _Switch:
    """Do not record: operations inside give Tensors that do not require gradients."""
    return _Switch(recording, False)


def enable_grad() -> _Switch:
    """Record again inside a `no_grad` block."""
    return _Switch(recording, True)


def detect_anomaly() -> _Switch:
    """Raise at the operation whose forward or backward makes the first NaN or infinity.

    The error names the operation and, for a backward, shows where its forward was called. Every
    result is inspected, which costs time and, on a GPU, a synchronisation per operation.
    """
    return _Switch(anomaly, True)


def frozen_statistics() -> _Switch:
    """Running statistics stay as they are: for a check that runs one forward many times."""
    return _Switch(updating, False)


def is_grad_enabled() -> bool:
    """Whether operations are being recorded here."""
    return recording.get()
