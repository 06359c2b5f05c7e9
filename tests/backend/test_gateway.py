"""The one gateway between host and device."""

import os
import subprocess
import sys
from array import array
from pathlib import Path

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend

ROOT = Path(__file__).resolve().parents[2]


def run_with(tmp_path, code="import tinygrad_notes", **environment):
    """Run `code` in a new interpreter that sees neither a stand-in nor the caller's choices."""
    env = {k: v for k, v in os.environ.items() if k not in ("BACKEND", "PYTHONPATH")}
    return subprocess.run(
        [sys.executable, "-c", code], env={**env, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip


def test_cupy_that_cannot_be_used_is_one_sentence(tmp_path):
    done = run_with(tmp_path, BACKEND="cupy")
    if done.returncode == 0:
        assert "GPU" in run_with(tmp_path, "import cupy; print('GPU', cupy.cuda.Device().id)").stdout
        return  # this machine has CuPy and a GPU
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    assert "CuPy is not installed" in done.stderr or "finds no" in done.stderr


def test_cupy_without_a_gpu_says_so(tmp_path):
    """A module cupy that imports and has no device, as the real one on a machine without a driver."""
    code = (
        "import cupy\n"
        "class NoDriver(cupy.cuda.runtime.CUDARuntimeError): pass\n"
        "def none(): raise NoDriver('cudaErrorNoDevice: no CUDA-capable device is detected')\n"
        "cupy.cuda.runtime.getDeviceCount = none\n"
        "import tinygrad_notes"
    )
    path = os.pathsep.join([str(ROOT / "tests/standin"), str(ROOT)])
    done = run_with(tmp_path, code, BACKEND="cupy", PYTHONPATH=path)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "finds no usable GPU (cudaErrorNoDevice" in done.stderr and "use BACKEND=numpy" in done.stderr
    code = (
        "import cupy; cupy.cuda.runtime.getDeviceCount = lambda: 0; import tinygrad_notes"  # a driver alone
    )
    done = run_with(tmp_path, code, BACKEND="cupy", PYTHONPATH=path)
    assert (done.returncode, done.stdout) == (2, "")
    said = "tinygrad_notes: BACKEND=cupy: CuPy finds no GPU; use BACKEND=numpy on this machine\n"
    assert done.stderr == said


def test_an_empty_choice_is_none(tmp_path):
    code = (
        "from tinygrad_notes import backend as b\n"
        "print(b.BACKEND, b.xp is b.cpu, b.precision.get_float32_conv_precision())"
    )
    done = run_with(tmp_path, code, BACKEND="", FLOAT32_CONV_PRECISION="")
    assert (done.returncode, done.stdout, done.stderr) == (0, "numpy True high\n", "")


def test_unknown_backend(tmp_path):
    done = run_with(tmp_path, BACKEND="jax")
    assert done.returncode == 2 and "unknown backend 'jax'; choose 'numpy' or 'cupy'" in done.stderr
    with pytest.raises(ValueError, match="unknown backend 'tpu'"):
        tg.set_backend("tpu")


def test_the_cpu_needs_no_cupy(tmp_path):
    done = run_with(tmp_path, "import tinygrad_notes, sys; assert 'cupy' not in sys.modules")
    assert done.returncode == 0, done.stderr


def test_importing_is_light(tmp_path):
    heavy = ("sympy", "matplotlib", "PIL", "rich", "torch", "pandas")
    code = f"import tinygrad_notes, sys; print([m for m in {heavy} if m in sys.modules])"
    assert run_with(tmp_path, code).stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("data", "dtype", "expected"),
    [
        (1.5, None, "float32"),
        ([1, 2], None, "int64"),
        ([0.5], "float64", "float64"),
        (np.ones(2, np.float16), None, "float16"),
        (np.ones(2), "float32", "float32"),
        ([True], None, "bool"),
    ],
)
def test_asarray_dtypes(data, dtype, expected):
    array = backend.asarray(data, dtype)
    assert isinstance(array, backend.xp.ndarray) and array.dtype == np.dtype(expected)


def test_round_trip_and_copies():
    host = np.arange(6.0).reshape(2, 3)
    array = backend.asarray(host, copy=True)
    np.testing.assert_array_equal(backend.to_numpy(array), host)
    host[0, 0] = 99
    assert backend.to_numpy(array)[0, 0] == 0


@pytest.mark.parametrize("dtype", [None, "float64", "float32"])
@pytest.mark.parametrize("make", [lambda x, **how: backend.asarray(x, copy=True, **how), tg.Tensor])
def test_a_copy_shares_no_memory_whatever_the_dtype(make, dtype):
    for source in (np.arange(3.0), backend.asarray(np.arange(3.0))):
        made = make(source, dtype=dtype)
        source[0] = 99
        made = made.data if isinstance(made, tg.Tensor) else made
        assert backend.to_numpy(made).tolist() == [0, 1, 2] and made.dtype == (dtype or "float64")


class Holder:
    """An object with the memory of an array, as another library's arrays are."""

    def __init__(self, array):
        self.__array_interface__, self.kept = array.__array_interface__, array


@pytest.mark.parametrize("make", [lambda x: backend.asarray(x, copy=True), tg.Tensor])
@pytest.mark.parametrize("holder", [lambda x: array("f", x), memoryview, Holder])
def test_a_copy_shares_no_memory_with_a_buffer(holder, make):
    source = np.arange(3, dtype=np.float32)
    buffer = holder(source)
    made = make(buffer)
    source[0] = 99
    if isinstance(buffer, array):
        buffer[0] = 99
    made = made.data if isinstance(made, tg.Tensor) else made
    assert np.asarray(buffer)[0] == 99 and backend.to_numpy(made).tolist() == [0, 1, 2]


UNSUPPORTED = [np.array(["text"]), np.array([1j]), np.array([None]), np.array(["2020"], "datetime64[D]")]
if np.dtype(np.longdouble).itemsize > 8:
    UNSUPPORTED.append(np.ones(1, np.longdouble))


@pytest.mark.parametrize("array", UNSUPPORTED, ids=lambda a: str(a.dtype))
def test_what_is_no_real_number_of_64_bits_is_refused_everywhere(array):
    """Accepted, a complex array would be computed with and lose its imaginary part in the gradient."""
    dtype = array.dtype
    x = tg.Tensor([1.0])
    layer = tg.nn.Linear(1, 1)
    for attempt in (
        lambda: tg.Tensor(array),
        lambda: tg.Tensor(array.tolist()) if dtype.kind != "f" else tg.Tensor(array[0]),
        lambda: tg.Tensor([1], dtype=dtype),
        lambda: x * array,
        lambda: x.astype(dtype),
        lambda: tg.zeros((2,), dtype=dtype),
        lambda: tg.arange(3, dtype=dtype),
        lambda: setattr(x, "data", array),
        lambda: layer.astype(dtype),
    ):
        with pytest.raises(TypeError, match=r"dtype .* is not supported: Tensors hold real numbers"):
            attempt()
    assert layer.weight.dtype == np.float32


def test_a_seed_fixes_every_draw_and_its_state_can_be_restored():
    tg.manual_seed(5)
    first = backend.rng().random(4)
    state = backend.rng_state()
    second = backend.rng().random(4)
    tg.manual_seed(5)
    np.testing.assert_array_equal(backend.rng().random(4), first)
    backend.set_rng_state(state)
    np.testing.assert_array_equal(backend.rng().random(4), second)
    for seed in (np.int64(5), np.arange(6, dtype=np.uint8)[-1]):
        tg.manual_seed(seed)
        np.testing.assert_array_equal(backend.rng().random(4), first)
    for wrong in (-1, np.int64(-1), 5.0, np.float64(5), "5", None):
        with pytest.raises(ValueError, match="non-negative integer"):
            tg.manual_seed(wrong)


def test_a_generator_that_is_lent_is_given_back_also_after_an_error():
    before = backend.rng()
    with pytest.raises(ZeroDivisionError), backend.use_rng(np.random.default_rng(1)):
        assert backend.rng() is not before
        raise ZeroDivisionError
    assert backend.rng() is before


def test_arrays_of_another_device_are_refused(gpu):
    """A Tensor made on one backend does not slip into a computation on the other."""
    device = tg.Tensor(np.ones(2))
    with backend.use_backend("numpy"):
        host = tg.Tensor(np.ones(2))
    with pytest.raises(backend.BackendError, match="Add: argument 'b' is a numpy array"):
        device + host
    with backend.use_backend("numpy"):
        with pytest.raises(backend.BackendError, match=r"Exp: argument 'x' is a cupy.* backend is numpy"):
            tg.exp(device)
        with pytest.raises(backend.BackendError, match="move it with to_numpy"):
            tg.Tensor(device.data)
        np.testing.assert_array_equal(tg.to_numpy(device), np.ones(2))


def test_arrays_of_other_kinds_become_plain_ones(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(6.0))
    mapped = tg.Tensor(np.load(tmp_path / "x.npy", mmap_mode="r"))
    assert (mapped + 1).numpy().tolist() == [1, 2, 3, 4, 5, 6]
    p = tg.Tensor(np.arange(20_000, dtype=">f4"), requires_grad=True)  # the kernels read bytes as they are
    p.sum().backward()
    tg.optim.SGD([p], lr=0.5).step()
    assert p.numpy()[:3].tolist() == [-0.5, 0.5, 1.5]
    with pytest.raises(TypeError, match="would lose its mask"):
        tg.Tensor(np.ma.masked_equal([1.0, 2.0], 2.0))
