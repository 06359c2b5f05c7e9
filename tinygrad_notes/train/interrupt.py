"""Ctrl-C that loses nothing: the first asks, the second insists."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(Exception):
    """The training was asked to stop, and did so after saving."""


@contextmanager
def stop_on_signal(notice: Callable[[str], None] = lambda message: None) -> Iterator[Callable[[], bool]]:
    """Gives a function that tells whether SIGINT (Ctrl-C) or SIGTERM has arrived.

    The first signal is only noted; the second raises KeyboardInterrupt at once. Handlers belong to
    the main thread; in another one nothing is caught and the function stays False.
    """
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)
        notice("stopping after this batch; once more to leave at once")

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
