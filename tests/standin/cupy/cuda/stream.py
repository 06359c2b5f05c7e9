"""cupy.cuda.stream: streams, which are late with copies alone (_order.py), events, and captures."""

from __future__ import annotations

import itertools
import time
from typing import Any

from .. import _capture, _errors, _order, _standin
from . import graph

_handles = itertools.count(0x1000)


class Event:
    """A mark in a stream. The host may ask for its time after it has waited for it."""

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        if interprocess and not disable_timing:
            raise ValueError("Timing must be disabled for interprocess events")
        self.ptr = next(_handles)
        self._timed = not disable_timing
        self._at: float | None = None
        self._captured = False
        self._waits = -1
        self._queue, self._upto, self._time = _order.NULL, 0, -1

    @property
    def done(self) -> bool:
        """Whether the device has come to it."""
        _capture.forbid("an event's state")
        self._check()
        return self._queue.done(self._upto)

    def record(self, stream: Any = None) -> None:
        """Put the mark into a stream, the current one if none is given."""
        stream = stream or get_current_stream()
        self._at, self._waits = time.perf_counter(), _standin.waits()
        self._captured = _capture.captures(stream)
        self._queue, self._upto, self._time = stream._queue, stream._queue.asked, _order.tick()

    def synchronize(self) -> None:
        """Wait for it."""
        _standin.synced()
        self._check()
        self._queue.finish(self._upto)

    def _check(self) -> None:
        if self._captured:
            raise _errors.CUDARuntimeError(907)


def get_elapsed_time(start_event: Event, end_event: Event) -> float:
    """Milliseconds between two events; the host must have waited after the later one."""
    for event in (start_event, end_event):
        event._check()
        if event._at is None or not event._timed:
            raise _errors.CUDARuntimeError(400)
        if event._waits == _standin.waits():
            raise _errors.CUDARuntimeError(600)
    return 1e3 * (end_event._at - start_event._at)  # type: ignore[operator]


class Stream:
    """A queue of operations. With ``with`` or ``use`` it becomes the current one of the thread."""

    null: Stream

    def __init__(
        self, null: bool = False, non_blocking: bool = False, ptds: bool = False, priority: int | None = None
    ) -> None:
        if ptds:
            raise NotImplementedError("cupy stand-in: no per-thread default stream")
        self.ptr = 0 if null else next(_handles)
        self.device_id = -1 if null else 0
        self.is_non_blocking = non_blocking
        self._queue = _order.NULL if null else _order.Queue()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and other.ptr == self.ptr

    def __hash__(self) -> int:
        return self.ptr

    def __repr__(self) -> str:
        return f"<Stream {self.ptr} (device {self.device_id})>"

    def __enter__(self) -> Stream:
        _entered().append(self)
        return self.use()

    def __exit__(self, *error: object) -> None:
        """Back to the stream of the ``with`` block around; one that was chosen by `use` is forgotten."""
        _entered().pop()
        _entered()[-1].use()

    def use(self) -> Stream:
        """Make this the current stream."""
        _capture.local.stream = self
        return self

    @property
    def done(self) -> bool:
        """Whether the device has done everything."""
        _capture.forbid("a stream's state")
        return self._queue.done(None)

    def synchronize(self) -> None:
        """Wait for the stream."""
        _standin.synced()
        self._queue.finish()

    def record(self, event: Event | None = None) -> Event:
        """Put an event into the stream."""
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """What follows in this stream is done after the event."""
        event._queue.finish(event._upto)
        self._queue.seen[event._queue] = max(event._time, self._queue.seen.get(event._queue, -1))

    def begin_capture(self, mode: int | None = None) -> None:
        """Record from now on instead of computing."""
        if self.ptr == 0:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        _capture.begin(self)

    def end_capture(self) -> graph.Graph:
        """What was recorded."""
        return graph.Graph._of(_capture.end(self))

    def is_capturing(self) -> bool:
        """Whether this stream records."""
        return _capture.captures(self)


Stream.null = Stream(null=True)


def _entered() -> list[Stream]:
    """The streams of the ``with`` blocks that this thread is in, from the outermost."""
    if not hasattr(_capture.local, "entered"):
        _capture.local.entered = [Stream.null]
    return _capture.local.entered  # type: ignore[no-any-return]


def get_current_stream(device_id: int = -1) -> Stream:
    """The stream of the ``with`` block, else the null stream."""
    return getattr(_capture.local, "stream", None) or Stream.null
