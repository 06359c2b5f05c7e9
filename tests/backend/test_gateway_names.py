"""The gateway, name by name: dtypes, copies, sharing, settings, and what each refusal says."""

import sys
from array import array
from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend
from tinygrad_notes.backend import precision


@pytest.fixture
def on_numpy():
    with backend.use_backend("numpy"):
        yield


@pytest.mark.parametrize(
    "dtype",
    ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "longlong", "float16",
     "float32", "float64"],
)  # fmt: skip
def test_numbers_of_up_to_64_bits_keep_their_dtype(dtype):
    assert backend.check_dtype(dtype) == np.dtype(dtype)
    assert backend.asarray(np.ones(2, dtype)).dtype == np.dtype(dtype)


@pytest.mark.parametrize("dtype", ["complex64", "U1", "S1", "O", "datetime64[s]", "timedelta64[s]"])
def test_what_is_no_number_is_refused_with_a_way_out(dtype):
    with pytest.raises(
        TypeError, match=r"dtype .* is not supported: .*at most 64 bits .*\.astype\('float64'\)"
    ):
        backend.check_dtype(dtype)


@pytest.mark.parametrize(
    ("data", "expected"),
    [(1, "int64"), (1.0, "float32"), (True, "bool"), ([1, 2.5], "float32"), ((), "float32"),
     (np.float64(1), "float64"), (np.float16(1), "float16"), (np.int8(1), "int8"),
     (array("d", [1.0]), "float32"), (array("f", [1.0]), "float32"), (range(3), "int64"),
     (np.ones(1, ">f8"), "float64"), (np.ones(1, ">i2"), "int16")],
)  # fmt: skip
def test_numbers_of_python_are_of_the_default_precision_and_arrays_keep_theirs(data, expected):
    assert backend.asarray(data).dtype == np.dtype(expected) and backend.asarray(data).dtype.isnative
    assert backend.asarray(data, "int16").dtype == np.int16


def test_host_memory_is_shared_unless_a_copy_is_asked_for(on_numpy):
    x = np.arange(3.0)
    assert backend.asarray(x) is x and backend.asarray(x, copy=False) is x and backend.to_numpy(x) is x
    assert backend.asarray(x, "float64") is x and not np.shares_memory(backend.asarray(x, "float32"), x)
    assert not np.shares_memory(backend.asarray(x, copy=True), x)
    matrix = np.arange(6.0).reshape(2, 3).T
    assert backend.asarray(matrix) is matrix
    assert backend.asarray(memoryview(x)).dtype == np.float32  # as every number that is no array of NumPy
    assert backend.threads() == backend.kernel_threads()


def test_what_an_array_is():
    assert backend.is_array(np.ones(1)) and backend.is_array(backend.asarray([1]))
    assert not any(map(backend.is_array, (np.float32(1), 1.0, [1], tg.Tensor([1]), None)))
    assert backend.is_array(type("ndarray", (), {"__module__": "cupy._core.core"})())
    assert not backend.is_array(type("ndarray", (), {"__module__": "cupyx"})())


def test_what_has_no_get_is_read_as_numpy_reads_it():
    held = SimpleNamespace(get=lambda: np.array([1, 2]))
    assert backend.to_numpy(held).tolist() == [1, 2] and backend.to_numpy([3]).tolist() == [3]


def test_an_array_of_a_device_does_not_enter_numpy(on_numpy):
    foreign = type("ndarray", (), {"__module__": "cupy"})()
    with pytest.raises(
        backend.BackendError, match="asarray: a cupy array cannot enter the numpy backend; move it"
    ):
        backend.asarray(foreign)
    with pytest.raises(backend.BackendError, match="the backend numpy has no GPUs; call set_backend"):
        backend.set_device(0)
    assert backend.explain(ValueError("x")) is None


def test_a_backend_is_left_as_it_was_also_after_an_error():
    before = backend.BACKEND, backend.xp
    with pytest.raises(ZeroDivisionError), backend.use_backend("numpy"):
        assert (backend.BACKEND, backend.xp) == ("numpy", backend.cpu)
        raise ZeroDivisionError
    assert (backend.BACKEND, backend.xp) == before
    with pytest.raises(ValueError, match="set_backend: unknown backend 'jax'"), backend.use_backend("jax"):
        pass
    assert (backend.BACKEND, backend.xp) == before


def test_a_rule_gets_the_namespace_its_arrays_and_its_attributes():
    found = backend.run(lambda xp, a, b, *, c: (xp is backend.xp, a, b, c) and xp.add(a, b) * c,
                        backend.asarray([1.0]), backend.asarray([2.0]), c=3)  # fmt: skip
    assert backend.to_numpy(found).tolist() == [9]


# ---- settings ----------------------------------------------------------------------------------


@pytest.fixture
def settings():
    before = precision.words()
    yield
    precision.set_float32_conv_precision(before[0])
    precision.set_float32_matmul_precision(before[1])


def test_each_setting_has_its_words_and_says_them(settings):
    for word in ("highest", "high"):
        precision.set_float32_conv_precision(word)
        assert precision.get_float32_conv_precision() == word
    for word in ("half", "high", "highest"):
        precision.set_float32_matmul_precision(word)
        assert precision.get_float32_matmul_precision() == word
        assert precision.words() == ("high", word)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: precision.set_float32_conv_precision("half"),
         r"set_float32_conv_precision \(or FLOAT32_CONV_PRECISION\): precision must be 'high' or 'highest'; "
         "got 'half'"),
        (lambda: precision.set_float32_matmul_precision("low"),
         r"set_float32_matmul_precision \(or FLOAT32_MATMUL_PRECISION\): precision must be 'highest', "
         "'high', 'half'; got 'low'"),
        (lambda: precision.set_float32_matmul_precision(None), "got None"),
        (lambda: precision.set_float32_conv_precision(["high"]), r"got \['high'\]"),
    ],
)  # fmt: skip
def test_other_words_are_refused_and_change_nothing(settings, call, message):
    before = precision.words()
    with pytest.raises(ValueError, match=message):
        call()
    assert precision.words() == before


@pytest.mark.parametrize(
    ("environment", "words"),
    [({}, ("high", "highest")), ({"FLOAT32_CONV_PRECISION": "highest"}, ("highest", "highest")),
     ({"FLOAT32_MATMUL_PRECISION": "half"}, ("high", "half")),
     ({"FLOAT32_CONV_PRECISION": "", "FLOAT32_MATMUL_PRECISION": ""}, ("high", "highest"))],
)  # fmt: skip
def test_the_environment_sets_both(settings, monkeypatch, environment, words):
    for name in ("FLOAT32_CONV_PRECISION", "FLOAT32_MATMUL_PRECISION"):
        monkeypatch.delenv(name, raising=False)
    for name, word in environment.items():
        monkeypatch.setenv(name, word)
    precision.read_environment()
    assert precision.words() == words


@pytest.mark.parametrize(
    ("argv", "orig", "command"),
    [
        (["/usr/bin/tinygrad-notes", "doctor"], ["python", "/usr/bin/tinygrad-notes"], True),
        (["tinygrad-notes.exe"], ["x"], True), (["-m"], ["python", "-m", "tinygrad_notes", "doctor"], True),
        (["-m"], ["python", "-m", "other"], False), (["a.py"], ["python", "a.py", "tinygrad_notes"], False),
        ([], ["python"], False), (["tinygrad-notes/a.py"], ["python"], False),
    ],
)  # fmt: skip
def test_the_command_is_known_by_how_it_was_called(monkeypatch, argv, orig, command):
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(sys, "orig_argv", orig)
    assert backend._is_command() is command
