"""One Python thread per core over shares of a kernel's work, each with a single-threaded BLAS.

NumPy's copies and element-wise loops use one core but release the interpreter lock, so a kernel that
copies as much as it multiplies runs faster this way than with the threads inside BLAS. Shares are cut
from the amount of work alone and each is computed in a fixed order: timing never changes a result.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import os
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

from . import blas

Work = Callable[[int, int, int], object]

_busy = threading.Lock()
_jobs: list[SimpleQueue[Callable[[], None]]] = []


def shares(count: int) -> list[tuple[int, int]]:
    """Cut range(count) into at most `threads()` runs of nearly equal length, as (start, stop)."""
    parts = max(1, min(threads(), count))
    return [(count * i // parts, count * (i + 1) // parts) for i in range(parts)]


def parallel(work: Work, count: int) -> None:
    """Call work(share, start, stop) for every share of range(count), side by side where possible.

    A call from inside a share, or while another thread is in here, runs its shares one by one.
    """
    parts = shares(count)
    if len(parts) == 1 or not _busy.acquire(blocking=False):
        for share, (start, stop) in enumerate(parts):
            work(share, start, stop)
        return
    openblas = blas.threads()
    assert openblas is not None  # threads() is 1 without it
    set_blas_threads, get_blas_threads = openblas
    before = get_blas_threads()
    try:
        set_blas_threads(1)
        _run(work, parts)
    finally:
        set_blas_threads(before)
        _busy.release()


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """BLAS on this thread alone: its own would spin on after the product."""
    openblas = blas.threads()
    if openblas is None or not _busy.acquire(blocking=False):
        yield
        return
    set_blas_threads, get_blas_threads = openblas
    before = get_blas_threads()
    try:
        set_blas_threads(1)
        yield
    finally:
        set_blas_threads(before)
        _busy.release()


@functools.cache
def threads() -> int:
    """Number of threads: BLAS's own (OPENBLAS_NUM_THREADS), or 1 where BLAS cannot be steered."""
    openblas = blas.threads()
    if openblas is None:
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(int(openblas[1]()), cores or 1))


def _run(work: Work, parts: list[tuple[int, int]]) -> None:
    """Shares 1… on the waiting threads, share 0 here; the first error is raised when all are done."""
    while len(_jobs) < len(parts) - 1:
        jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        threading.Thread(target=_serve, args=(jobs,), daemon=True).start()
        _jobs.append(jobs)
    done: SimpleQueue[BaseException | None] = SimpleQueue()

    def attempt(share: int) -> None:
        try:
            work(share, *parts[share])
        except BaseException as error:
            done.put(error)
        else:
            done.put(None)

    for share in range(1, len(parts)):
        # The copied context carries np.errstate along.
        context = contextvars.copy_context()
        _jobs[share - 1].put(functools.partial(context.run, attempt, share))
    attempt(0)
    errors = [error for error in (done.get() for _ in parts) if error is not None]
    if errors:
        raise errors[0]


def _serve(jobs: SimpleQueue[Callable[[], None]]) -> None:
    while True:
        jobs.get()()


def _after_fork() -> None:
    """A forked child has none of the waiting threads, and perhaps a lock that nobody will release."""
    global _busy
    _busy = threading.Lock()
    _jobs.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
