"""The threads behind the kernels: fixed shares, errors passed on, no deadlock from within or beside."""

import contextlib
import os
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest

from tinygrad_notes.backend.kernels import blas, memory, threads


@pytest.fixture
def three(monkeypatch):
    """Three shares, whatever the machine has."""
    if blas.threads() is None:
        pytest.skip("this NumPy does not bundle an OpenBLAS whose threads can be set")
    monkeypatch.setattr(threads, "threads", lambda: 3)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 100])
def test_shares_cover_the_range_once(three, count):
    cut = threads.shares(count)
    assert [i for start, stop in cut for i in range(start, stop)] == list(range(count))
    assert len(cut) <= 3
    seen = np.zeros(count, int)

    def work(share, start, stop):
        seen[start:stop] += 1

    threads.parallel(work, count)
    assert (seen == 1).all()


@pytest.mark.parametrize("fails", [False, True])
def test_blas_has_its_threads_again_afterwards(three, fails):
    set_threads, get_threads = blas.threads()
    before, inside = get_threads(), []

    def work(*share):
        inside.append(get_threads())
        if fails:
            raise KeyError("share")

    def alone():
        with threads.one_blas_thread():
            work()

    try:
        set_threads(2)
        for run in (alone, lambda: threads.parallel(work, 3)):
            inside.clear()
            with pytest.raises(KeyError) if fails else contextlib.nullcontext():
                run()
            assert set(inside) == {1} and get_threads() == 2
    finally:
        set_threads(before)


def test_shares_run_on_several_threads(three):
    names = set()
    barrier = threading.Barrier(3, timeout=10)

    def work(share, start, stop):
        barrier.wait()  # broken unless all three shares are inside at once
        names.add(threading.current_thread().name)

    threads.parallel(work, 3)
    assert len(names) == 3


def test_an_error_in_any_share_comes_out_and_the_pool_survives(three):
    def fail(share, start, stop):
        if share == 2:
            raise FloatingPointError("here")

    for _ in range(2):
        with pytest.raises(FloatingPointError, match="here"):
            threads.parallel(fail, 3)
    test_shares_run_on_several_threads(None)


def test_a_call_from_within_runs_in_place(three):
    done = []

    def outer(share, start, stop):
        threads.parallel(lambda *inner: done.append(inner), 3)

    threads.parallel(outer, 3)
    assert sorted(done) == sorted([(0, 0, 1), (1, 1, 2), (2, 2, 3)] * 3)


def test_error_state_reaches_the_shares(three):
    def divide(share, start, stop):
        np.divide(np.ones(1), np.zeros(1))

    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        threads.parallel(divide, 3)
    with np.errstate(divide="ignore"):
        threads.parallel(divide, 3)


def test_blas_gets_its_threads_back(three, monkeypatch):
    calls = []
    monkeypatch.setattr(blas, "threads", lambda: (calls.append, lambda: 3))
    threads.parallel(lambda *share: None, 3)
    assert calls == [1, 3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_starts_its_own_threads(three):
    threads.parallel(lambda *share: None, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads is the point
        child = os.fork()
    if not child:
        seen = []
        threads.parallel(lambda *share: seen.append(share), 3)
        os._exit(0 if len(seen) == 3 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is a Linux library")
def test_memory_is_kept_unless_switched_off():
    code = "from tinygrad_notes.backend.kernels import memory; print(memory.keep_freed_memory())"
    answers = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "TINYGRAD_NOTES_MALLOC": value},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for value in ("0", "1")
    ]
    glibc = hasattr(memory.ctypes.CDLL(None), "gnu_get_libc_version")
    assert answers == ["False", str(glibc)]
