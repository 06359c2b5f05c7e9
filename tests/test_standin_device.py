"""The stand-in's device: what counts as a launch, and captures that record and compute nothing."""

import gc
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from loaded_standin import loaded, same

HOST = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture(scope="module")
def cp() -> Iterator[Any]:
    with loaded() as module:
        yield module


@pytest.fixture
def a(cp: Any) -> Any:
    return cp.asarray(HOST)


@pytest.fixture
def launches(cp: Any) -> Any:
    cp._standin.reset()
    return cp._standin.launches


# --- launches ---


@pytest.mark.parametrize(
    "operation",
    [
        lambda cp, a: a + 1,
        lambda cp, a: cp.exp(a),
        lambda cp, a: cp.exp(a, out=a),
        lambda cp, a: a.__iadd__(1),
        lambda cp, a: cp.divmod(a, 2),
        lambda cp, a: a.sum(0),
        lambda cp, a: cp.max(a, axis=1, out=cp.empty(2, cp.float32)),
        lambda cp, a: a @ a.T,
        lambda cp, a: cp.matmul(a, a.T, out=cp.empty((2, 2), cp.float32)),
        lambda cp, a: cp.einsum("ij,ij->i", a, a),
        lambda cp, a: cp.where(a.view(cp.int32), a, 0),
        lambda cp, a: cp.concatenate([a, a]),
        lambda cp, a: a.copy(),
        lambda cp, a: a.astype(cp.float16),
        lambda cp, a: cp.ascontiguousarray(a.T),
        lambda cp, a: a.T.reshape(6),
        lambda cp, a: a.T.ravel(),
        lambda cp, a: cp.zeros((2, 2)),
        lambda cp, a: cp.full((2, 2), 3),
        lambda cp, a: cp.arange(3),
        lambda cp, a: cp.asarray(2.5),
        lambda cp, a: a.fill(0),
        lambda cp, a: a.__setitem__((slice(None), 0), 1),
        lambda cp, a: cp.copyto(a, a),
        lambda cp, a: a.sort(),
        lambda cp, a: cp.random.rand(3),
        lambda cp, a: cp.add.at(a, 0, a[0]),
        lambda cp, a: cp.array([a, a]),
        lambda cp, a: cp.linalg.norm(a),
    ],
)
def test_an_operation_is_one_launch_at_the_line_that_asked_for_it(cp, a, launches, operation):
    launches.clear()
    operation(cp, a)
    assert list(launches.values()) == [1]
    assert next(iter(launches)).startswith(__file__)


@pytest.mark.parametrize(
    "view",
    [
        lambda cp, a: a.T,
        lambda cp, a: a[0],
        lambda cp, a: a[:, None, ::-1],
        lambda cp, a: a.reshape(3, 2),
        lambda cp, a: a.ravel(),
        lambda cp, a: cp.expand_dims(a, 0),
        lambda cp, a: cp.broadcast_to(a, (4, 2, 3)),
        lambda cp, a: cp.split(a, 3, axis=1),
        lambda cp, a: cp.asarray(a),
        lambda cp, a: cp.ascontiguousarray(a),
        lambda cp, a: a.astype(a.dtype, copy=False),
        lambda cp, a: a.view(cp.int32),
        lambda cp, a: cp.einsum("ij->ji", a),
        lambda cp, a: cp.lib.stride_tricks.as_strided(a, (2,), (4,)),
        lambda cp, a: cp.empty((5, 5)),
        lambda cp, a: cp.empty_like(a),
        lambda cp, a: cp.ndarray((2,)),
        lambda cp, a: cp.asarray(HOST),
        lambda cp, a: (a.shape, a.dtype, len(a), cp.result_type(a, 1)),
    ],
)
def test_views_and_bare_memory_are_no_launch(cp, a, launches, view):
    launches.clear()
    view(cp, a)
    assert not launches


def test_reset_forgets_launches(cp, a):
    a + 1
    assert cp._standin.launches
    cp._standin.reset()
    assert not cp._standin.launches


# --- captures ---


def capture(cp: Any, step: Callable[[], Any]) -> tuple[Any, Any, Any]:
    """(graph, what `step` returned, the pool that its arrays are in)."""
    stream, pool = cp.cuda.Stream(non_blocking=True), cp.cuda.MemoryPool()
    with stream, cp.cuda.using_allocator(pool.malloc):
        stream.begin_capture()
        try:
            result = step()
        finally:
            graph = stream.end_capture()
    return graph, result, pool


def test_a_capture_computes_nothing_and_every_replay_reads_the_same_memory(cp, a):
    before = a.get()

    def step() -> Any:
        y = cp.exp(a) * 2
        np.add(a, 1, out=a)
        return y

    graph, y, _pool = capture(cp, step)
    same(a, before)
    assert np.isnan(y.get()).all()
    for i in range(3):
        graph.launch()
        same(y, np.exp(before + i) * 2)
        same(a, before + i + 1)
    a[...] = 0
    graph.launch()
    same(y, np.full((2, 3), 2, np.float32))


def test_every_kind_of_operation_is_recorded(cp, a, launches):
    index, ids = cp.asarray(np.array([1, 0])), cp.asarray(np.array([0, 4, 0]))
    table = cp.zeros((5, 3), cp.float32)
    scratch = cp.asarray(np.float32([[3, 1, 2]]))
    double = cp.ElementwiseKernel("float32 x", "float32 y", "y = 2 * x;", "twice")
    length = cp.ReductionKernel("float32 x", "float32 y", "x * x", "a + b", "y = sqrt(a)", "0", "length")
    raw = cp.RawKernel(
        'extern "C" __global__ void inc(float* x) { x[threadIdx.x] += 1; }', "inc", ("--std=c++17",)
    )

    def step() -> Any:
        out = cp.zeros((4, 3), cp.float32)
        out[:2] = a[index]
        out[2] = a.sum(0)
        out[3:] += 7
        cp.add.at(table, ids, a[index[:1]][0])
        scratch.sort()
        whole = cp.concatenate([out, cp.broadcast_to(a[:1].T.copy().T, (1, 3))])
        counted = cp.full((), 5) + cp.asarray(2)
        raw((1,), (6,), (whole,))
        return whole, double(whole), length(a, axis=1), cp.divmod(a, 2)[1], counted

    graph, results, _pool = capture(cp, step)
    same(scratch, np.float32([[3, 1, 2]]))
    same(table, np.zeros((5, 3), np.float32))
    a *= 3
    launches.clear()
    graph.launch()
    assert launches.total() == 1
    x = HOST * 3
    whole = np.concatenate([x[[1, 0]], x.sum(0, keepdims=True), np.full((1, 3), 7, np.float32), x[:1]])
    whole.reshape(-1)[:6] += 1
    expected = (whole, 2 * whole, np.sqrt((x * x).sum(1)), x % 2, np.int64(7))
    for found, wanted in zip(results, expected, strict=True):
        same(found, wanted)
    rows = np.zeros((5, 3), np.float32)
    np.add.at(rows, [0, 4, 0], x[1])
    same(table, rows)
    same(scratch, np.float32([[1, 2, 3]]))
    index[...] = cp.asarray(np.array([0, 0]))  # an index is read when it is used
    graph.launch()
    assert float(results[0][0, 0]) == 1 and float(results[0][0, 1]) == x[0, 1] + 1


@pytest.mark.parametrize("product", [
    lambda cp, a: a @ a.T, lambda cp, a: cp.matmul(a, a.T), lambda cp, a: cp.dot(a, a.T),
    lambda cp, a: a.dot(a.T), lambda cp, a: cp.tensordot(a, a), lambda cp, a: cp.inner(a, a),
    lambda cp, a: cp.vdot(a, a), lambda cp, a: cp.einsum("ij,kj->ik", a, a),
])  # fmt: skip
def test_cublas_is_not_called_in_a_capture(cp, a, product):
    """In CuPy 13 and 14 the text stands in cupy_backends.cuda.libs.cublas."""
    product(cp, a)
    with pytest.raises(NotImplementedError, match="cuBLAS API during stream capture"):
        capture(cp, lambda: product(cp, a))


def test_new_arrays_of_a_capture_hold_garbage(cp, a):
    def step() -> Any:
        return cp.zeros(3), cp.zeros(3, int), cp.zeros(3, bool), cp.empty(3), a > 100, a.argmax(1)

    graph, found, _pool = capture(cp, step)
    assert not any((part.get() == 0).any() for part in found)
    graph.launch()
    assert not any(part.get().any() for part in (found[0], found[1], found[2], found[4]))


@pytest.mark.parametrize(
    "forbidden",
    [
        lambda cp, a: a.get(),
        lambda cp, a: float(a[0, 0]),
        lambda cp, a: bool(a[0, 0]),
        lambda cp, a: a[a > 1],
        lambda cp, a: cp.nonzero(a),
        lambda cp, a: repr(a),
        lambda cp, a: cp.asarray(HOST),
        lambda cp, a: a[[0, 1]],
        lambda cp, a: a.set(HOST),
        lambda cp, a: cp.random.rand(3),
        lambda cp, a: cp.cuda.get_current_stream().synchronize(),
        lambda cp, a: cp.cuda.get_current_stream().done,
        lambda cp, a: cp.cuda.Stream.null.synchronize(),
        lambda cp, a: cp.cuda.Device().synchronize(),
        lambda cp, a: cp.cuda.get_current_stream().record().synchronize(),
        lambda cp, a: cp.cuda.get_current_stream().record().done,
    ],
)
def test_the_host_waits_for_nothing_in_a_capture(cp, a, forbidden):
    stream = cp.cuda.Stream(non_blocking=True)
    with stream, cp.cuda.using_allocator(cp.cuda.MemoryPool().malloc):
        stream.begin_capture()
        a += 1
        text = "cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing"
        with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match=text):
            forbidden(cp, a)
        with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="cudaErrorStreamCaptureInvalidated"):
            a + 1
        with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="cudaErrorStreamCaptureInvalidated"):
            stream.end_capture()
    same(a, HOST)  # nothing has been computed, and the stream is as before
    same(a + 1, HOST + 1)


def test_another_stream_is_refused_while_one_captures(cp, a):
    stream = cp.cuda.Stream(non_blocking=True)
    stream.begin_capture()
    assert stream.is_capturing() and not cp.cuda.Stream.null.is_capturing()
    with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="cudaErrorStreamCaptureImplicit"):
        a + 1
    with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="cudaErrorStreamCaptureInvalidated"):
        stream.end_capture()
    with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="cudaErrorIllegalState"):
        stream.end_capture()
    with pytest.raises(RuntimeError, match="cannot capture on the default"):
        cp.cuda.Stream.null.begin_capture()


def test_copies_with_pinned_memory_are_recorded(cp, a):
    pinned = np.frombuffer(cp.cuda.alloc_pinned_memory(24), np.float32).reshape(2, 3)
    back = np.frombuffer(cp.cuda.alloc_pinned_memory(24), np.float32).reshape(2, 3)
    back[:] = -1

    def step() -> None:
        a.set(pinned)
        (a * 2).get(out=back, blocking=False)

    graph, _, _pool = capture(cp, step)
    assert (back == -1).all()
    for value in (3, 4):
        pinned[:] = value  # read at every replay, not at the capture
        graph.launch()
        cp.cuda.get_current_stream().synchronize()
        same(a, np.full((2, 3), value, np.float32))
        assert (back == 2 * value).all()


def test_a_graph_needs_a_memory_pool_of_its_own_that_lives(cp, a):
    stream = cp.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        a + 1
        graph = stream.end_capture()
    with pytest.raises(RuntimeError, match="default memory pool"):
        graph.launch()
    graph, _, pool = capture(cp, lambda: a + 1)
    graph.launch()
    pool.free_all_blocks()
    with pytest.raises(RuntimeError, match="was freed"):
        graph.launch()
    graph, _, pool = capture(cp, lambda: a + 1)
    del pool
    gc.collect()
    with pytest.raises(RuntimeError, match="was freed"):
        graph.launch()
    with pytest.raises(NotImplementedError, match="via stream capture"):
        cp.cuda.Graph()


# --- streams, events, memory, the machine ---


def test_the_current_stream_is_that_of_the_with_block(cp):
    first, second = cp.cuda.Stream(), cp.cuda.Stream(non_blocking=True)
    null = cp.cuda.get_current_stream()
    assert null == cp.cuda.Stream.null == cp.cuda.Stream(null=True) and first != second
    with first:
        with second:
            assert cp.cuda.get_current_stream() is second
        assert cp.cuda.get_current_stream() is first
    assert cp.cuda.get_current_stream() == null
    second.use()
    with first:
        pass
    assert cp.cuda.get_current_stream() == null  # not the one in use, as in CuPy


def test_time_between_events_can_be_had_after_a_wait(cp, a):
    start, end = cp.cuda.Event(), cp.cuda.Event()
    with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="cudaErrorInvalidResourceHandle"):
        cp.cuda.get_elapsed_time(start, end)
    start.record()
    a @ a.T
    end.record()
    with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="cudaErrorNotReady"):
        cp.cuda.get_elapsed_time(start, end)
    cp._standin.reset()
    end.synchronize()
    assert cp._standin.syncs.total() == 1 and end.done
    assert 0 <= cp.cuda.get_elapsed_time(start, end) < 10_000
    _, event, _pool = capture(cp, lambda: cp.cuda.get_current_stream().record())
    with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="cudaErrorCapturedEvent"):
        event.synchronize()


def test_memory_pools_have_limits(cp, a):
    pool = cp.cuda.MemoryPool()
    pool.set_limit(size=1000)
    with cp.cuda.using_allocator(pool.malloc):
        assert cp.cuda.get_allocator() == pool.malloc
        same(a + 1, HOST + 1)
        with pytest.raises(cp.cuda.memory.OutOfMemoryError, match="limit set to: 1,000 bytes") as caught:
            cp.zeros(1000)
        with pytest.raises(ValueError, match="using_allocator"):
            cp.cuda.set_allocator(pool.malloc)
    text = "Out of memory allocating 8,000 bytes (allocated so far: 0 bytes, limit set to: 1,000 bytes)."
    assert isinstance(caught.value, MemoryError) and str(caught.value) == text
    assert str(pickle.loads(pickle.dumps(caught.value))) == text
    assert cp.get_default_memory_pool() is cp.get_default_memory_pool() is not pool
    assert cp.get_default_memory_pool().get_limit() == 0 and pool.used_bytes() == 0
    with pytest.raises(NotImplementedError, match="malloc of a MemoryPool"), cp.cuda.using_allocator(None):
        pass


def test_pinned_arrays(cp, a):
    import cupyx

    host = cupyx.zeros_pinned((2, 3), np.float32)
    assert (
        not host.any()
        and cp.cuda.pinned_memory._memory_of(host[:1]) is not None
        and cp.cuda.pinned_memory._memory_of(HOST) is None
    )
    cp._standin.reset()
    a.get(out=host, blocking=False)
    assert not cp._standin.syncs and cp._standin.transfers.total() == 1
    np.testing.assert_array_equal(host, HOST)
    assert cp.cuda.alloc_pinned_memory(10).size() == 10
    assert cupyx.empty_pinned((2, 3), order="F").flags.f_contiguous


def sent(cp, host=HOST, order="C"):
    """(device array, page-locked array, event) of a copy by another stream."""
    stream, start = cp.cuda.Stream(non_blocking=True), cp.cuda.Event(disable_timing=True)
    source = np.ndarray(host.shape, host.dtype, cp.cuda.alloc_pinned_memory(host.nbytes), order=order)
    source[...] = host
    device = cp.empty(host.shape, host.dtype, order=order)
    start.record()
    stream.wait_event(start)
    device.set(source, stream=stream)
    return device, source, stream.record()


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("wait", [
    lambda cp, event: cp.cuda.get_current_stream().wait_event(event),
    lambda cp, event: event.synchronize(),
    lambda cp, event: cp.cuda.Device().synchronize(),
])  # fmt: skip
def test_a_copy_by_another_stream_is_there_when_it_was_waited_for(cp, order, wait):
    cp._standin.reset()
    device, source, event = sent(cp, order=order)
    assert cp._standin.transfers.total() == 1 and not cp._standin.syncs and not event.done
    assert np.isnan(device.get()).all()
    cp.cuda.get_current_stream().synchronize()  # another stream than the one that copies
    assert np.isnan(device.get()).all()
    wait(cp, event)
    assert event.done
    source[...] = 0  # too late to change anything
    same(device, HOST)
    assert device.flags.f_contiguous == (order == "F")


def test_a_stream_is_waited_for_with_all_its_copies(cp):
    stream = cp.cuda.Stream(non_blocking=True)
    source = np.ndarray(3, np.int64, cp.cuda.alloc_pinned_memory(24))
    source[...] = 7
    with stream:
        device = cp.empty(3, np.int64)
    device.set(source, stream=stream)
    early, _, event = sent(cp)
    assert not stream.done and device.get().tolist() == [0x5A5A5A5A5A5A5A5A] * 3
    stream.synchronize()
    assert stream.done and device.get().tolist() == [7] * 3
    assert not event.done and np.isnan(early.get()).all()
    event.synchronize()


def test_a_source_that_is_overwritten_or_given_back_too_early_is_noticed(cp):
    device, source, event = sent(cp)
    source[...] = 0
    cp.cuda.get_current_stream().wait_event(event)
    same(device, 0 * HOST)
    device, source, event = sent(cp)
    del source
    gc.collect()
    cp.cuda.get_current_stream().wait_event(event)
    assert np.isnan(device.get()).all()


def test_an_array_that_is_given_back_too_early_is_noticed(cp):
    device, _source, event = sent(cp)
    del device
    with pytest.raises(RuntimeError, match="given back to the pool while another stream copies into it"):
        cp.empty(1)
    device, _source, event = sent(cp)
    del device
    cp.cuda.get_current_stream().wait_event(event)
    cp.empty(1)


def test_copies_by_another_stream_that_are_refused(cp):
    stream, device = cp.cuda.Stream(non_blocking=True), cp.empty((2, 3), np.float32)
    source = np.ndarray((2, 3), np.float32, cp.cuda.alloc_pinned_memory(24))
    with pytest.raises(RuntimeError, match="has not waited for that stream"):
        device.set(source, stream=stream)
    stream.wait_event(cp.cuda.get_current_stream().record())
    later = cp.empty((2, 3), np.float32)
    with pytest.raises(RuntimeError, match="has not waited for that stream"):
        later.set(source, stream=stream)
    with pytest.raises(NotImplementedError, match="page-locked memory alone"):
        device.set(HOST, stream=stream)
    with pytest.raises(NotImplementedError, match="into whole arrays"):
        device[1:].set(source[1:], stream=stream)
    device.set(HOST, stream=cp.cuda.get_current_stream())
    same(device, HOST)


def test_the_machine(cp, monkeypatch):
    runtime = cp.cuda.runtime
    assert runtime.driverGetVersion() >= runtime.runtimeGetVersion() == 12090
    assert cp.cuda.nvrtc.getVersion() == (12, 9)
    assert cp.cuda.Device(0).compute_capability == "90"
    assert runtime.getDeviceProperties(0)["name"] == b"CPU stand-in"
    free, total = cp.cuda.Device().mem_info
    assert 0 < free <= total == runtime.getDeviceProperties(0)["totalGlobalMem"]
    for ask in (cp.cuda.Device, runtime.getDeviceProperties):
        with pytest.raises(runtime.CUDARuntimeError, match="cudaErrorInvalidDevice"):
            ask(1)
    monkeypatch.setattr(runtime, "getDeviceCount", lambda: 2)
    with cp.cuda.Device(1):
        assert cp.cuda.Device().id == runtime.getDevice() == 1
    assert cp.cuda.Device().id == 0 and cp.cuda.Device(1) != cp.cuda.Device(0)
    monkeypatch.setattr(runtime, "getDeviceCount", lambda: 0)
    assert not cp.is_available()
