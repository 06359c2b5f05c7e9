"""Chains over stacks of matrices, cut among places and threads, equal the chain run at once."""

import numpy as np
import pytest

from tinygrad_notes.backend import cpu
from tinygrad_notes.backend.kernels import blas, matrixwise, plain, threads
from tinygrad_notes.backend.kernels.ufuncs import where
from tinygrad_notes.ops import attention

SHAPES = {
    "one place": ((5, 4), (7, 4), (7, 3)),
    "one axis": ((6, 5, 4), (6, 7, 4), (6, 7, 3)),
    "two axes": ((3, 4, 5, 4), (3, 4, 7, 4), (3, 4, 7, 3)),
    "heads broadcast": ((3, 4, 5, 4), (3, 1, 7, 4), (4, 7, 3)),
    "grouped": ((2, 3, 2, 5, 4), (2, 3, 1, 7, 4), (2, 3, 1, 7, 3)),
    "no place": ((0, 4, 5, 4), (0, 4, 7, 4), (0, 4, 7, 3)),
    "no query": ((3, 4, 0, 4), (3, 4, 7, 4), (3, 4, 7, 3)),
}


@pytest.fixture(params=[1, 3])
def several_threads(request, monkeypatch):
    if blas.threads() is not None:
        monkeypatch.setattr(threads, "threads", lambda: request.param)


def drawn(name, dtype, transposed=False):
    random = np.random.default_rng(0)
    arrays = [random.standard_normal(shape).astype(dtype) for shape in SHAPES[name]]
    if transposed:  # heads beside features in memory, as a projection gives them
        arrays = [
            np.ascontiguousarray(a.swapaxes(-2, -3)).swapaxes(-2, -3) if a.ndim > 2 else a for a in arrays
        ]
    return arrays


def run(kernel, q, k, v, keep, drop, whole):
    """Forward and backward of attention, as its rule hands them over."""
    outputs = kernel(
        lambda q, k, v, keep, drop: attention._attend(cpu, q, k, v, None, keep, drop, 0.5, whole),
        q,
        k,
        v,
        keep,
        drop,
    )
    y, e, m, r = outputs
    gy = np.cos(np.arange(y.size, dtype=y.dtype)).reshape(y.shape)
    gradients = kernel(
        lambda gy, q, k, v, e, m, r, y, keep, drop: attention._gradients(
            cpu, gy, q, k, v, None, e, m, r, y, keep, drop, 0.5
        ),
        gy, q, k, v, e, m, r, y, keep, drop,
    )  # fmt: skip
    return (*outputs, *gradients)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("block", [1, 100, 1 << 17])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", SHAPES)
def test_tuned_is_plain(monkeypatch, several_threads, name, dtype, block, whole, transposed):
    monkeypatch.setattr(matrixwise, "BLOCK", block)
    monkeypatch.setattr(matrixwise, "SMALL", 1)
    q, k, v = drawn(name, dtype, transposed)
    random = np.random.default_rng(1)
    lead = np.broadcast_shapes(*(a.shape[:-2] for a in (q, k, v)))
    keep = random.random((*lead[:1], *(1 for _ in lead[1:]), q.shape[-2], k.shape[-2])) > 0.3
    drop = (2 * (random.random((*lead, q.shape[-2], k.shape[-2])) > 0.5)).astype(dtype)
    tuned = run(cpu.matrixwise, q, k, v, keep, drop, whole)
    expected = run(lambda *a: plain.matrixwise(np, *a), q, k, v, keep, drop, whole)
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    for found, e in zip(tuned, expected, strict=True):
        if e is None:
            assert found is None
            continue
        assert found.dtype == dtype
        # Plain gradients of what broadcast to no axis of their own have fewer axes: the engine sums both.
        np.testing.assert_allclose(found, np.broadcast_to(e, found.shape), rtol=tolerance, atol=tolerance)


def test_the_result_lies_in_memory_as_the_first_array(several_threads, monkeypatch):
    monkeypatch.setattr(matrixwise, "SMALL", 1)
    q, k, v = drawn("two axes", np.float32, transposed=True)
    y = run(cpu.matrixwise, q, k, v, None, None, True)[0]
    assert y.swapaxes(1, 2).flags.c_contiguous
    y = run(cpu.matrixwise, *drawn("two axes", np.float32), None, None, True)[0]
    assert y.flags.c_contiguous


def test_timing_does_not_change_a_result(several_threads, monkeypatch):
    monkeypatch.setattr(matrixwise, "BLOCK", 100)
    monkeypatch.setattr(matrixwise, "SMALL", 1)
    arrays = drawn("two axes", np.float32)
    first, second = (run(cpu.matrixwise, *arrays, None, None, True)[0] for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_an_error_in_one_piece_is_raised(several_threads, monkeypatch):
    monkeypatch.setattr(matrixwise, "SMALL", 1)

    def refuse(q):
        raise ZeroDivisionError("this piece")

    with pytest.raises(ZeroDivisionError, match="this piece"):
        cpu.matrixwise(refuse, np.ones((4, 3, 3)))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_where_with_a_condition_that_repeats(dtype):
    """For masks of attention: one of (T, T) or of a row for all places, a number elsewhere."""
    random = np.random.default_rng(0)
    a = random.standard_normal((8, 40, 40)).astype(dtype)
    a[0, 0, :5], a[1, 2, 3], a[2] = np.nan, np.inf, -0.0
    for condition in (np.tri(40, dtype=bool), random.random(40) > 0.5, random.random((1, 40, 1)) > 0.5):
        for b in (0, -np.inf, 1.5, np.nan):
            for x in (a, a[:, ::-1], a.swapaxes(1, 2)):
                found = where(condition, x, b)
                assert found.dtype == dtype
                np.testing.assert_array_equal(found, np.where(condition, x, np.asarray(b, dtype)))


@pytest.mark.parametrize("queries", [1, 70])
def test_threads_begin_at_a_size(several_threads, queries):
    """One query of cached generation is not worth another thread; the numbers are the same."""
    random = np.random.default_rng(0)
    arrays = [random.standard_normal(s) for s in ((8, queries, 4), (8, 80, 4), (8, 80, 3))]
    calls = []

    def attend(q, k, v):
        calls.append(len(q))
        return attention._attend(cpu, q, k, v, None, None, None, 0.5, True)

    found = cpu.matrixwise(attend, *arrays)
    assert sum(calls) == 8 and (len(calls) == 1 or queries == 70)
    for f, e in zip(found, plain.matrixwise(np, attend, *arrays), strict=True):
        np.testing.assert_allclose(f, e, rtol=1e-13)
