"""One background thread that works ahead of its consumer."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class _Buffer(Generic[T]):
    """What the two threads share: at most `depth` finished items, the end, the error.

    The condition's lock is re-entrant: the garbage collector may close a forgotten iterator
    from inside the very thread that holds the lock.
    """

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.items: deque[T] = deque()
        self.changed = threading.Condition(threading.RLock())
        self.finished = False  # the producer will add nothing more
        self.abandoned = False  # the consumer will take nothing more
        self.error: BaseException | None = None

    def fill(self, items: Iterator[T]) -> None:
        try:
            for item in items:
                if not self._put(item):
                    break
        except BaseException as error:
            self.error = error
        finally:
            with self.changed:
                self.finished = True
                self.changed.notify_all()

    def _put(self, item: T) -> bool:
        with self.changed:
            self.changed.wait_for(lambda: self.abandoned or len(self.items) < self.depth)
            if self.abandoned:
                return False
            self.items.append(item)
            self.changed.notify_all()
            return True

    def drain(self) -> Iterator[T]:
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.items or self.finished)
                if not self.items:
                    break
                item = self.items.popleft()
                self.changed.notify_all()
            yield item
        error, self.error = self.error, None
        if error is not None:
            try:
                raise error  # carries the traceback of the background thread
            finally:
                del error  # else error -> traceback -> this frame -> error is a cycle

    def abandon(self) -> None:
        with self.changed:
            self.abandoned = True
            self.items.clear()
            self.changed.notify_all()


def prefetch(items: Iterator[T], depth: int) -> Generator[T, None, None]:
    """The same items in the same order, made up to `depth` ahead by a background thread.

    An exception in `items` is raised here once the items before it were taken. The thread ends
    with the items, and also when this iterator is closed, dropped or interrupted: it holds no
    reference to it, so leaving a `for` loop is enough.
    """
    buffer: _Buffer[T] = _Buffer(depth)
    thread = threading.Thread(target=buffer.fill, args=(items,), name="tinygrad_notes-prefetch", daemon=True)
    thread.start()
    try:
        yield from buffer.drain()
    finally:
        buffer.abandon()
        if thread is not threading.current_thread():  # see _Buffer: closed by the collector
            thread.join()
