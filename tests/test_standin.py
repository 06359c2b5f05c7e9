"""The stand-in for cupy is strict where the device is: every refusal, and arithmetic equal to NumPy's."""

import importlib
import pickle
import weakref
from collections.abc import Iterator
from copy import deepcopy
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
def crossings(cp: Any) -> Any:
    cp._standin.reset()
    return cp._standin


IMPLICIT = "Implicit conversion to a NumPy array is not allowed"


@pytest.mark.parametrize(
    "leak",
    [
        lambda cp, a: np.asarray(a),
        lambda cp, a: np.array([a, a]),
        lambda cp, a: np.zeros(6)[a.astype(int)],
        lambda cp, a: np.empty((2, 3)).__setitem__(slice(None), a),
        lambda cp, a: cp.array([a[0, 0], 1.0]),
    ],
)
def test_no_implicit_conversion_to_numpy(cp, a, leak):
    with pytest.raises(TypeError, match=IMPLICIT):
        leak(cp, a)


@pytest.mark.parametrize(
    "leak",
    [
        lambda cp, a: a + HOST,
        lambda cp, a: HOST + a,
        lambda cp, a: a == HOST,
        lambda cp, a: a.__iadd__(HOST),
        lambda cp, a: HOST.copy().__iadd__(a),
        lambda cp, a: np.add(a, HOST),
        lambda cp, a: np.concatenate([a, HOST]),
        lambda cp, a: a @ HOST.T,
        lambda cp, a: HOST @ a.T,
        lambda cp, a: cp.exp(HOST),
        lambda cp, a: cp.sum(HOST),
        lambda cp, a: cp.transpose(HOST),
        lambda cp, a: cp.maximum(a, HOST),
        lambda cp, a: cp.maximum(a, np.array(1.0)),
        lambda cp, a: cp.where(a > 1, a, HOST),
        lambda cp, a: cp.where(HOST > 1, a, a),
        lambda cp, a: cp.stack([a, HOST]),
        lambda cp, a: cp.einsum("ij,ij->", a, HOST),
        lambda cp, a: cp.tensordot(a, HOST),
        lambda cp, a: cp.full((2,), np.ones(2)),
        lambda cp, a: cp.take(a, np.array([0])),
        lambda cp, a: cp.clip(a, HOST, 1),
        lambda cp, a: cp.broadcast_to(HOST, (2, 2, 3)),
        lambda cp, a: cp.linalg.norm(HOST),
        lambda cp, a: cp.lib.stride_tricks.as_strided(HOST),
        lambda cp, a: cp.add.at(a, (0, 0), np.ones(1)),
        lambda cp, a: cp.reshape(a, np.array([3, 2])),
        lambda cp, a: a.reshape(np.array([3, 2])),
        lambda cp, a: a.sum(axis=np.array(0)),
        lambda cp, a: a[np.array([0])],
        lambda cp, a: a[HOST > 1],
        lambda cp, a: a.__setitem__([0], HOST[:1]),
        lambda cp, a: cp.exp(a, out=np.empty((2, 3))),
        lambda cp, a: a.sum(out=np.empty(())),
        lambda cp, a: cp.exp([1.0]),
        lambda cp, a: a - [1.0],
        lambda cp, a: a + None,
        lambda cp, a: a == "x",
        lambda cp, a: cp.sum([1.0, 2.0]),
    ],
)
def test_host_arrays_and_lists_are_refused(cp, a, leak):
    with pytest.raises(TypeError, match="Unsupported type"):
        leak(cp, a)


@pytest.mark.parametrize("index", [0, slice(None), Ellipsis])
def test_a_host_array_cannot_be_assigned(a, index):
    with pytest.raises(ValueError, match=r"non-scalar numpy.ndarray cannot be used for fill"):
        a[index] = HOST[index]


@pytest.mark.parametrize(
    "call",
    [
        lambda cp, a: cp.sum(a, where=a > 1),
        lambda cp, a: cp.sum(a, initial=0),
        lambda cp, a: a.max(initial=0),
        lambda cp, a: a.mean(where=a > 1),
        lambda cp, a: np.sum(a, where=a > 1),
        lambda cp, a: cp.exp(a, where=a > 1),
        lambda cp, a: cp.add(a, a, order="C"),
        lambda cp, a: cp.add(a, a, subok=True),
        lambda cp, a: cp.clip(a, min=0),
        lambda cp, a: cp.clip(a),
        lambda cp, a: cp.reshape(a, shape=(6,)),
        lambda cp, a: cp.take(a, 0, mode="wrap"),
        lambda cp, a: cp.arange(3, device="cpu"),
        lambda cp, a: cp.broadcast_to(a, (2, 3), subok=True),
        lambda cp, a: cp.matmul(a, a.T, optimize=True),
        lambda cp, a: a.item(0),
        lambda cp, a: a.astype(int, casting="no"),
        lambda cp, a: cp.random.default_rng(0).random(3, method="x"),
    ],
)
def test_missing_parameters_are_refused(cp, a, call):
    with pytest.raises(TypeError):
        call(cp, a)


@pytest.mark.parametrize(
    "path",
    ["errstate", "vecdot", "unstack", "ctypeslib", "linalg.vecdot", "lib.index_tricks"]
    + ["random.Generator.normal", "ndarray.ctypes", "ndarray.argwhere", "ndarray.__index__"],
)
def test_missing_names_raise(cp, path):
    *home, name = path.split(".")
    for part in home:
        cp = getattr(cp, part)
    with pytest.raises(AttributeError):
        getattr(cp, name)


def test_attributes_cannot_be_added(a):
    with pytest.raises(AttributeError):
        a.note = 1
    with pytest.raises(AttributeError):
        a.flags.writeable  # noqa: B018  every device array can be written


@pytest.mark.parametrize("dtype", [object, "U3", "M8[s]", np.longdouble])
def test_dtypes_of_the_host_only(cp, a, dtype):
    for make in (lambda: cp.zeros(3, dtype=dtype), lambda: a.astype(dtype)):
        with pytest.raises(ValueError, match="Unsupported dtype"):
            make()
    with pytest.raises(ValueError, match="Unsupported dtype"):
        cp.array(["a", "b"])


def test_methods_that_few_ufuncs_have(cp, a):
    with pytest.raises(NotImplementedError):
        cp.multiply.at(a, 0, a)
    with pytest.raises(NotImplementedError):
        cp.maximum.reduce(a)
    with pytest.raises(ValueError, match="stable"):
        cp.argsort(a, kind="quicksort")


def test_a_device_scalar_is_no_index_of_the_host(a):
    with pytest.raises(TypeError):
        range(a[0, 0])
    with pytest.raises(TypeError):
        [1, 2][a[0, 0].astype(int)]
    with pytest.raises(TypeError):
        a[: a[0, 0].astype(int)]
    with pytest.raises(TypeError):
        hash(a)


def test_index_refusals(a):
    with pytest.raises(IndexError, match="integer or boolean"):
        a[a]
    with pytest.raises(IndexError):
        a[1.5]
    with pytest.raises(IndexError):
        a[2]
    with pytest.raises(IndexError, match="too many"):
        a[0, 0, 0]
    with pytest.raises(IndexError, match="ellipsis"):
        a[..., ...]


def test_waits_and_transfers_are_counted_with_their_line(cp, a, crossings):
    total = (a * 2).sum() + a.mean()
    a[0] += total
    assert not crossings.syncs and not crossings.transfers
    float(total), int(total), total.item()
    if total:
        total.get()
    assert crossings.syncs.total() == 5 and crossings.transfers.total() == 5
    assert all(line.startswith(__file__) for line in crossings.syncs)
    before = crossings.syncs.total()
    a[a > 1], cp.nonzero(a), cp.where(a > 1), cp.unique(a), a.tolist(), repr(a), cp.asnumpy(a)
    assert crossings.syncs.total() == before + 7
    crossings.reset()
    cp.asarray(HOST), a[[0, 1]]
    assert crossings.transfers.total() == 2 and not crossings.syncs


def test_asarray_copies_from_the_host_and_not_on_the_device(cp, a):
    host = HOST.copy()
    device = cp.asarray(host)
    host[:] = -1
    same(device, HOST)
    assert cp.asarray(a) is a and cp.asarray(a, dtype=a.dtype) is a
    assert cp.array(a) is not a
    device[...] = 0
    fetched = a.get()
    fetched[:] = -1
    same(a, HOST)


def test_lists_of_device_arrays(cp, a):
    same(cp.array([a, a]), np.array([HOST, HOST]))
    same(cp.array([a[0, 1], a[0, 2]]), np.float32([1, 2]))
    with pytest.raises(ValueError, match="different shapes"):
        cp.array([a, a[0]])


@pytest.mark.parametrize(
    "compute",
    [
        lambda xp, x: x.sum(),
        lambda xp, x: x.sum(0, keepdims=True),
        lambda xp, x: x.mean(axis=(0, 1)),
        lambda xp, x: x.max(1),
        lambda xp, x: x.argmax(),
        lambda xp, x: x.argmin(1, keepdims=True),
        lambda xp, x: xp.argmax(x, axis=1, keepdims=True),
        lambda xp, x: x.var(0, ddof=1),
        lambda xp, x: xp.std(x),
        lambda xp, x: x.cumsum(1),
        lambda xp, x: x.clip(1, 3),
        lambda xp, x: xp.clip(x, 1, None),
        lambda xp, x: x.flatten(),
        lambda xp, x: x + 1,
        lambda xp, x: 1 - x,
        lambda xp, x: x / np.float64(3),
        lambda xp, x: np.float64(3) * x,
        lambda xp, x: np.float32(3) < x,
        lambda xp, x: x**2 % 3 // 2,
        lambda xp, x: -abs(x),
        lambda xp, x: x @ x.T,
        lambda xp, x: x.dot(x.T),
        lambda xp, x: xp.matmul(x[None], x.T),
        lambda xp, x: x.T,
        lambda xp, x: x.transpose(1, 0),
        lambda xp, x: x.transpose((1, 0)),
        lambda xp, x: x.reshape(3, -1),
        lambda xp, x: x.reshape((6,)),
        lambda xp, x: xp.reshape(x, (3, 2)),
        lambda xp, x: x[0, 1],
        lambda xp, x: x[..., None, ::-1],
        lambda xp, x: x[x > 2],
        lambda xp, x: x[[1, 0, 1]],
        lambda xp, x: x[:, xp.asarray([0, -1])],
        lambda xp, x: x[xp.asarray([0, 1]), xp.asarray([2, 0])],
        lambda xp, x: xp.take(x, xp.asarray([0, 2]), axis=1),
        lambda xp, x: xp.where(x > 2, x, 0),
        lambda xp, x: xp.where(x > 2, 1.0, xp.exp(x)),
        lambda xp, x: xp.maximum(x, 2),
        lambda xp, x: xp.stack([x, x], axis=1),
        lambda xp, x: xp.concatenate((x, x), axis=1),
        lambda xp, x: xp.split(x, 3, axis=1)[2],
        lambda xp, x: xp.einsum("ij,kj->ik", x, x),
        lambda xp, x: xp.tensordot(x, x, axes=([1], [1])),
        lambda xp, x: xp.pad(x, ((1, 0), (2, 1)), constant_values=7),
        lambda xp, x: xp.broadcast_to(x, (2, 2, 3)),
        lambda xp, x: xp.moveaxis(x[None], 0, -1),
        lambda xp, x: xp.flip(x, 1),
        lambda xp, x: xp.roll(x, 1, axis=1),
        lambda xp, x: xp.repeat(x, 2, axis=0),
        lambda xp, x: xp.tile(x, (2, 1)),
        lambda xp, x: xp.argsort(-x, axis=1),
        lambda xp, x: xp.sort(-x, axis=1),
        lambda xp, x: xp.tril(x),
        lambda xp, x: xp.full_like(x, 2),
        lambda xp, x: xp.full((2, 2), 3, dtype=xp.float32),
        lambda xp, x: xp.arange(3, dtype=x.dtype),
        lambda xp, x: xp.linspace(0, 1, 5),
        lambda xp, x: xp.eye(3, dtype=xp.float32),
        lambda xp, x: xp.linalg.norm(x, axis=1),
        lambda xp, x: xp.linalg.inv(x @ x.T + xp.eye(2, dtype=x.dtype)),
        lambda xp, x: xp.lib.stride_tricks.sliding_window_view(x, 2, axis=1),
        lambda xp, x: xp.isnan(x / 0),
        lambda xp, x: np.exp(x),
        lambda xp, x: np.sum(x, axis=0),
        lambda xp, x: xp.bincount(x.ravel().astype(int), minlength=9),
        lambda xp, x: xp.take_along_axis(x, xp.asarray([[1], [0]]), 1),
        lambda xp, x: x.astype(xp.float16).sum(),
        lambda xp, x: (x > 1) & ~(x > 3),
        lambda xp, x: xp.unique(x, return_counts=True)[1],
    ],
)
def test_values_shapes_and_dtypes_are_numpys(cp, a, compute):
    with np.errstate(all="ignore"):
        expected = compute(np, HOST.copy())
    same(compute(cp, a), expected)


def test_reductions_are_arrays_on_the_device(cp, a):
    for value in (a.sum(), a[0, 0], cp.add(1, 2), cp.allclose(a, a), cp.array_equal(a, a)):
        assert isinstance(value, cp.ndarray) and value.shape == ()


def test_the_device_warns_of_nothing(cp, a):
    assert np.isinf(float(((a + 1) / 0).max()))
    assert np.isinf(float((a * cp.float32(1e38) * 1e38).max()))


def test_views_share_memory_and_know_their_owner(cp, a):
    for view in (a.T, a[0], a[0, 0], a[None], a.reshape(-1), a.ravel(), cp.swapaxes(a, 0, 1), cp.flip(a)):
        assert view.base is a and not view.flags.owndata
    assert a.T[1:].base is a
    assert a.squeeze() is not a.T and a[None].squeeze(0).base is a
    assert a.base is None and a.flags.owndata and (a + 1).base is None and a[[0]].base is None
    assert cp.lib.stride_tricks.as_strided(a, (2,), (4,)).base is None
    a.T[0, 1] = 9
    a[0, 0] = a[1, 1]
    a.reshape(-1)[5] *= 2
    same(a, np.float32([[4, 1, 2], [9, 4, 10]]))


def test_layout(a):
    assert a.flags.c_contiguous and a.T.flags.f_contiguous and a.flags["C_CONTIGUOUS"]
    assert a.strides == HOST.strides and a.T.strides == HOST.T.strides
    assert (a.size, a.ndim, a.nbytes, a.itemsize, len(a)) == (6, 2, 24, 4, 2)


def test_lifetime_and_copies(a):
    reference = weakref.ref(a)
    assert reference() is a
    for twin in (a.copy(), deepcopy(a), pickle.loads(pickle.dumps(a))):
        assert twin is not a and twin.base is None
        same(twin, HOST)


def test_indices_out_of_range_wrap_around(cp, a):
    same(a[cp.asarray([2, -3])], HOST[[0, 1]])
    same(cp.take(a, cp.asarray([7])), HOST.take([1]))
    a[cp.asarray([2])] = -1
    same(a[0], np.full(3, -1, np.float32))


def test_scatter_accumulates(cp, a):
    scatter_add = importlib.import_module("cupyx").scatter_add
    for add in (scatter_add, cp.add.at):
        out = cp.zeros(3, dtype=cp.float32)
        add(out, cp.asarray([0, 2, 0]), a[1])
        same(out, np.float32([8, 0, 4]))
        add(out, 1, 5)
        same(out, np.float32([8, 5, 4]))
    with pytest.raises(TypeError, match="scatter"):
        scatter_add(cp.zeros(3, dtype=cp.int8), cp.asarray([0]), 1)


def test_in_place_keeps_the_array_and_its_dtype(cp, a):
    before = a
    a += 1
    a *= np.float32(2)
    assert a is before
    same(a, (HOST + 1) * 2)
    out = cp.empty_like(a)
    assert cp.exp(a, out=out) is out
    with pytest.raises(TypeError):
        out = cp.zeros(3, dtype=int)
        out += 1.5


def test_setitem(cp, a):
    a[a > 4] = 0
    a[:, [0]] = [[7], [8]]
    a[0, 1:] = a[1, :2]
    same(a, np.float32([[7, 8, 4], [8, 4, 0]]))


def test_another_class_may_answer_an_operator(a):
    class Mine:
        def __radd__(self, other):
            return "mine"

    assert a + Mine() == "mine"
    with pytest.raises(TypeError):
        a + object()


def test_random(cp):
    first, second = (cp.random.default_rng(3).standard_normal((2, 3), dtype=cp.float32) for _ in range(2))
    same(first, second.get())
    assert first.dtype == np.float32
    draws = cp.random.default_rng(0).integers(0, 5, size=50)
    assert int(draws.min()) >= 0 and int(draws.max()) < 5
    cp.random.seed(0)
    assert cp.random.rand(2, 3).shape == cp.random.uniform(size=(2, 3)).shape == (2, 3)
    values = cp.arange(5)
    cp.random.shuffle(values)
    same(cp.sort(values), np.arange(5))


def test_cuda(cp):
    assert cp.cuda.runtime.getDeviceCount() == 1 and cp.cuda.is_available()
    with cp.cuda.Device(0) as device:
        device.synchronize()
    cp.cuda.Stream.null.synchronize()
    with pytest.raises(cp.cuda.runtime.CUDARuntimeError):
        cp.cuda.Device(1)
