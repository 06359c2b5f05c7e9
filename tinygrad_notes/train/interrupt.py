"""Ctrl-C that loses nothing: the first asks, the second insists."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Interrupted(Exception):
    """The training was asked to stop, and did so after saving."""


@contextmanager
def stop_on_signal(notice: Callable[[str], None] = lambda message: None) -> Iterator[Callable[[], bool]]:
    """Gives a function that tells whether SIGINT (Ctrl-C), SIGTERM or SIGHUP (a closed terminal) has arrived.

    The first signal is only noted; the second raises KeyboardInterrupt at once. A signal that the
    process was started deaf to (nohup, a job in the background) stays without effect. Handlers belong
    to the main thread; in another one nothing is caught and the function stays False.
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
    before = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: was for number, was in before.items() if was not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
