"""Matrix products by cuBLAS: every layout without a copy or with one, the precisions, what is refused."""

import importlib
import sys

import numpy as np
import pytest
from cuda_cases import SEEDS, drawn, needs_compiler
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_notes as tg

pytestmark = needs_compiler
DIGITS = {np.float16: 1e-3, np.float32: 1e-6, np.float64: 1e-14}
LENGTHS = st.integers(0, 4)


@st.composite
def factors(draw):
    """Shapes of two stacks of matrices that can be multiplied; some leading axes are stretched."""
    m, k, n = draw(LENGTHS), draw(LENGTHS), draw(LENGTHS)
    lead = draw(st.lists(st.integers(0, 3), max_size=3))
    left, right = (
        [1 if draw(st.booleans()) else length for length in lead[draw(st.integers(0, len(lead))) :]]
        for _ in range(2)
    )
    return (*left, m, k), (*right, k, n)


def laid_out(gpu, x, how):
    """x on the device with other strides: transposed, every other number, reversed, or as rows of more."""
    if how == "transposed" and x.ndim > 1:
        return gpu.asarray(np.ascontiguousarray(x.swapaxes(-1, -2))).swapaxes(-1, -2)
    if how == "every other":
        return gpu.asarray(np.repeat(x, 2, axis=-1))[..., ::2]
    if how == "reversed":
        return gpu.asarray(np.ascontiguousarray(x[..., ::-1]))[..., ::-1]
    if how == "moved" and x.ndim > 2:
        return gpu.moveaxis(gpu.asarray(np.ascontiguousarray(np.moveaxis(x, 0, -2))), -2, 0)
    if how == "rows of more":
        return gpu.asarray(np.concatenate([x, x + 1], axis=-1))[..., : x.shape[-1]]
    if how == "stretched":
        return gpu.broadcast_to(gpu.asarray(x[..., :1, :]), x.shape)
    return gpu.asarray(x)


HOW = st.sampled_from(
    ["as it is", "transposed", "every other", "reversed", "moved", "rows of more", "stretched"]
)


@drawn
@given(factors(), st.sampled_from(list(DIGITS)), HOW, HOW, SEEDS)
def test_products_are_numpys(gpu, shapes, dtype, left, right, seed):
    random = np.random.default_rng(seed)
    a, b = (
        laid_out(gpu, random.standard_normal(shape).astype(dtype), how)
        for shape, how in zip(shapes, (left, right), strict=True)
    )
    expected = a.get().astype(np.float64) @ b.get().astype(np.float64)
    found = gpu.matmul(a, b)
    assert found.dtype == dtype and found.shape == expected.shape
    scale = np.abs(a.get().astype(np.float64)) @ np.abs(b.get().astype(np.float64))
    assert (np.abs(found.get() - expected) <= DIGITS[dtype] * scale).all()


@drawn
@given(factors(), HOW, SEEDS)
def test_products_are_written_where_they_are_wanted(gpu, shapes, how, seed):
    random = np.random.default_rng(seed)
    a, b = (random.standard_normal(shape).astype(np.float32) for shape in shapes)
    expected = a @ b
    if how == "stretched":
        how = "as it is"  # several results in one place
    out = laid_out(gpu, np.full(expected.shape, np.nan, np.float32), how)
    assert gpu.matmul(gpu.asarray(a), gpu.asarray(b), out=out) is out
    np.testing.assert_allclose(out.get(), expected, 1e-5, 1e-6)


def test_neighbors_of_the_result_stay(gpu):
    whole = gpu.asarray(np.zeros((4, 6), np.float32))
    gpu.matmul(gpu.ones((2, 3)).astype("f"), gpu.ones((3, 2)).astype("f"), out=whole[1:3, 2:4])
    expected = np.zeros((4, 6))
    expected[1:3, 2:4] = 3
    np.testing.assert_array_equal(whole.get(), expected)


@pytest.mark.usefixtures("standin")
def test_another_import_of_the_stand_in_leaves_this_one_alone(gpu, monkeypatch):
    """A process has one library that stands for cuBLAS; it calls the functions of whoever asks."""
    a = gpu.asarray(np.eye(2, dtype=np.float32))
    gpu.matmul(a, a)
    with monkeypatch.context() as patch:
        for name in [name for name in sys.modules if name.partition(".")[0] in ("cupy", "cupyx")]:
            patch.delitem(sys.modules, name)
        other = importlib.import_module("cupy")
        assert other.ndarray is not type(a) and other.cuda.Device().cublas_handle
    np.testing.assert_array_equal(gpu.matmul(a, a).get(), np.eye(2))


def launches(gpu, call):
    standin = getattr(sys.modules["cupy"], "_standin", None)
    if standin is None:
        pytest.skip("a real GPU counts nothing")
    standin.reset()
    call()
    return standin.launches.total()


@pytest.mark.parametrize("shapes", [((5, 3, 4), (4, 2)), ((3, 4), (4, 2)), ((5, 3, 4), (5, 4, 2))])
@pytest.mark.parametrize("left, right", [("as it is", "transposed"), ("transposed", "as it is")])
def test_transposes_and_stacks_are_one_launch(gpu, shapes, left, right):
    a, b = (
        laid_out(gpu, np.ones(shape, np.float32), how)
        for shape, how in zip(shapes, (left, right), strict=True)
    )
    assert launches(gpu, lambda: gpu.matmul(a, b)) == 1


@pytest.mark.parametrize("dtypes", [("i8", "i8"), ("?", "i4"), ("f4", "f8"), ("f2", "f4"), ("i4", "f4")])
def test_other_and_mixed_dtypes(gpu, dtypes):
    a, b = (
        np.arange(6).astype(dtype).reshape(shape)
        for dtype, shape in zip(dtypes, ((2, 3), (3, 2)), strict=True)
    )
    found = gpu.matmul(gpu.asarray(a), gpu.asarray(b))
    assert found.dtype == (a @ b).dtype
    np.testing.assert_array_equal(found.get(), a @ b)


@pytest.mark.parametrize(
    "a, b", [((3,), (4,)), ((2, 3), (2, 3)), ((3,), (2, 3)), ((2, 3), ()), ((2, 3), (2,))]
)
def test_shapes_that_do_not_fit_are_refused(gpu, a, b):
    with pytest.raises(ValueError, match="matmul: "):
        gpu.matmul(gpu.ones(a), gpu.ones(b))


def test_a_length_that_cublas_cannot_count_is_refused(gpu):
    row = gpu.broadcast_to(gpu.ones((1, 1)), (1, 2**31))
    with pytest.raises(ValueError, match=r"matmul: .* @ .*: cuBLAS counts no further than 2147483647"):
        gpu.matmul(gpu.broadcast_to(gpu.ones((1, 1)), (2**31, 1)), row)


# ---- precision ---------------------------------------------------------------------------------


@pytest.fixture
def precision():
    yield tg.set_float32_matmul_precision
    tg.set_float32_matmul_precision("highest")


def errors(gpu, a, b):
    """Of each result, as a share of Σ |a| |b|."""
    exact = a.astype(np.float64) @ b.astype(np.float64)
    found = gpu.matmul(gpu.asarray(a), gpu.asarray(b)).get()
    return np.abs(found - exact) / (np.abs(a).astype(np.float64) @ np.abs(b))


@pytest.mark.parametrize("word", ["high", "half"])
def test_the_digits_of_rounded_factors(gpu, precision, word):
    random = np.random.default_rng(0)
    a, b = random.standard_normal((2, 64, 64)).astype(np.float32)
    assert errors(gpu, a, b).max() < 2.0**-22
    precision(word)
    one = errors(gpu, a[:, :1], b[:1])  # products of two numbers: nothing cancels
    assert 2.0**-12 < one.max() < 1.01 * 2.0**-10
    assert 2.0**-15 < errors(gpu, a, b).max() < 2.0**-10
    assert errors(gpu, a.astype(np.float64), b.astype(np.float64)).max() < 1e-15  # of float32 alone


def test_the_range_of_rounded_factors(gpu, precision):
    large, one = np.full((1, 1), 1e5, np.float32), np.ones((1, 1), np.float32)
    for word, expected in (("highest", 1e5), ("high", 100032.0), ("half", np.inf)):
        precision(word)
        found = gpu.matmul(gpu.asarray(large), gpu.asarray(one)).get()
        np.testing.assert_allclose(found, expected, 5e-4)


def test_a_captured_step_keeps_its_precision(gpu, precision):
    x = tg.Tensor(np.full((1, 1), 1 + 2.0**-13, np.float32))
    step = tg.capture(lambda x: x @ x)
    for _ in range(3):
        exact = step(x).item()
    precision("high")
    with pytest.raises(tg.CaptureError, match="a precision or the backend are not what they were"):
        step(x)
    assert exact > 1 and tg.capture(lambda x: x @ x)(x).item() == 1


# ---- trouble -----------------------------------------------------------------------------------


def test_an_error_of_cublas_has_its_name(gpu, monkeypatch):
    from tinygrad_notes.backend.gpu import cublas

    a = gpu.ones((2, 2))
    gpu.matmul(a, a)
    monkeypatch.setattr(cublas, "ANY_ALGORITHM", 99)
    with pytest.raises(RuntimeError, match="CUBLAS_STATUS_INVALID_VALUE in a matrix product"):
        gpu.matmul(a, a)


def test_a_library_that_is_missing_is_told(gpu, monkeypatch):
    from tinygrad_notes.backend.gpu import cublas

    monkeypatch.setattr(sys.modules["cupy"].cuda.runtime, "runtimeGetVersion", lambda: 99000)
    with pytest.raises(ImportError, match=r'Failure finding "libcublas.so.99"') as raised:
        cublas.library.__wrapped__()
    assert "libcublas is missing: " in gpu.explain(raised.value).text
