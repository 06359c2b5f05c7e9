"""The tuned sum and element-wise functions against NumPy's, over memory layouts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_notes.backend.kernels import reduction, ufuncs


@st.composite
def arrays(draw, least=0, most=70):
    """An array of up to 4 axes in any order of memory, sometimes with gaps or negative strides."""
    shape = tuple(draw(st.lists(st.integers(1, most), min_size=1, max_size=4)))
    while np.prod(shape) > 60_000:
        shape = tuple(max(1, n // 2) for n in shape)
    order = draw(st.permutations(range(len(shape))))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x = rng.standard_normal([shape[a] for a in order]).astype(dtype).transpose(np.argsort(order))
    if draw(st.booleans()):
        x = x[tuple(slice(None, None, draw(st.sampled_from([1, 1, 2, -1]))) for _ in shape)]
    return x


@given(x=arrays(), data=st.data(), keepdims=st.booleans())
def test_sum_equals_numpys(x, data, keepdims):
    axis = data.draw(
        st.one_of(
            st.none(),
            st.integers(-x.ndim, x.ndim - 1),
            st.lists(st.integers(0, x.ndim - 1), unique=True, max_size=x.ndim).map(tuple),
        )
    )
    got = reduction.sum(x, axis=axis, keepdims=keepdims)
    want = np.sum(x.astype(np.float64), axis=axis, keepdims=keepdims)
    assert got.shape == want.shape and got.dtype == x.dtype
    tolerance = 1e-12 if x.dtype == np.float64 else 2e-5
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * np.sqrt(x.size) * 4)


@given(x=arrays(), data=st.data(), keepdims=st.booleans(), dtype=st.sampled_from([np.float16, np.float32]))
def test_mean_equals_numpys(x, data, keepdims, dtype):
    axis = data.draw(st.one_of(st.none(), st.integers(0, x.ndim - 1)))
    x = x.astype(dtype, order="K")
    got, want = reduction.mean(x, axis, keepdims), np.mean(x.astype(np.float64), axis=axis, keepdims=keepdims)
    assert got.shape == want.shape and got.dtype == dtype
    np.testing.assert_allclose(got, want, rtol=2 * np.finfo(dtype).eps, atol=20 * np.finfo(dtype).eps)


LENGTHS = [1, 3, 63, 64, 65, 127, 128, 129, 255, 257, 1000, 4097, 65_536, 100_003]
WIDTHS = [1, 2, 3, 4, 5, 31, 32, 33]


@pytest.mark.parametrize("value", [0.1, 0.7, 1 / 3, 5.1, 1.9])
def test_no_running_sum_is_long(value):
    """Equal numbers round alike at every step; the outer, the inner and a middle axis of memory."""
    exact = np.float64(np.float32(value))
    for length in LENGTHS:
        for width in WIDTHS:
            rows = np.full((length, width), value, np.float32)
            for x, axis in ((rows, 0), (rows.T, 1), (rows.T.copy(), 1), (rows[None].repeat(2, 0), 1)):
                np.testing.assert_allclose(reduction.sum(x, axis), length * exact, rtol=1e-6)
            np.testing.assert_allclose(reduction.sum(rows), length * width * exact, rtol=1e-6)


def test_repeated_numbers_are_multiplied():
    x = np.broadcast_to(np.float32(0.1), (1 << 15, 1 << 15, 2))  # as memory, 8 GB
    np.testing.assert_allclose(reduction.sum(x, (0, 1)), np.full(2, (1 << 30) * np.float64(np.float32(0.1))))


@given(data=st.data(), dtype=st.sampled_from([np.float16, np.float32, np.float64]))
def test_einsum_equals_numpys(data, dtype):
    """Every kind of letter: in both operands and the result, in both alone, in one and the result."""
    kinds = data.draw(st.lists(st.sampled_from(["batch", "summed", "left", "right"]), max_size=6))
    letters = [(c, kind, data.draw(st.integers(0, 5))) for c, kind in zip("abcdef", kinds, strict=False)]
    size = {c: n for c, _, n in letters}

    def part(*wanted):
        return "".join(data.draw(st.permutations([c for c, kind, _ in letters if kind in wanted])))

    left, right, out = (
        part("batch", "summed", "left"),
        part("batch", "summed", "right"),
        part("batch", "left", "right"),
    )
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal([size[c] for c in letters]).astype(dtype) for letters in (left, right))
    got = reduction.einsum(f"{left},{right}->{out}", a, b)
    want = np.einsum(f"{left},{right}->{out}", a.astype(np.float64), b.astype(np.float64))
    assert (got.shape, got.dtype) == (want.shape, dtype)
    np.testing.assert_allclose(got, want, rtol=30 * np.finfo(dtype).eps, atol=300 * np.finfo(dtype).eps)


def test_integers_and_booleans_sum_as_in_numpy():
    x = np.ones((100, 100), bool)
    assert reduction.sum(x, axis=0).dtype == np.sum(x, axis=0).dtype == np.int64


@given(x=arrays(), name=st.sampled_from(["exp", "sqrt", "tanh", "log"]))
def test_functions_equal_numpys(x, name):
    x = np.abs(x) + 0.1 if name in ("sqrt", "log") else x
    np.testing.assert_allclose(getattr(ufuncs, name)(x), getattr(np, name)(x), rtol=1e-6)


@pytest.mark.parametrize("name", ["add", "multiply"])
@pytest.mark.parametrize("types", [("f", "d"), ("d", "f"), ("f", "i"), ("e", "f"), ("d", "d")])
def test_large_arrays_of_two_dtypes_meet_as_in_numpy(name, types):
    a, b = ((np.arange(ufuncs.LARGE) % 7 + 1 / 3).astype(dtype) for dtype in types)
    expected = getattr(np, name)(a, b)
    got = getattr(ufuncs, name)(a, b)
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
@pytest.mark.parametrize("number", [0, 0.5, -1.0])
@given(x=arrays())
def test_extrema_with_a_number_equal_numpys(name, number, x):
    got = getattr(ufuncs, name)(x, number)
    np.testing.assert_array_equal(got, getattr(np, name)(x, number))
    assert got.dtype == x.dtype


@pytest.mark.parametrize("order", ["C", "channels last", "gaps"])
def test_large_arrays_keep_their_layout(order):
    x = np.random.default_rng(0).standard_normal((8, 32, 72, 72)).astype(np.float32)
    if order == "channels last":
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    if order == "gaps":
        x = x[:, :, ::2]
    for name in ("tanh", "exp"):
        y = getattr(ufuncs, name)(x)
        np.testing.assert_array_equal(y, getattr(np, name)(x))
        assert order == "gaps" or y.strides == x.strides
    y = ufuncs.maximum(x, 0)
    np.testing.assert_array_equal(y, np.maximum(x, 0))
    x[0, 0, 0, 0] = np.nan
    assert np.isnan(ufuncs.maximum(x, 0)[0, 0, 0, 0])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("second", ["0", "0.5", "array", "row"])
def test_where_is_numpys_bit_for_bit(dtype, second):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 40, 50)).astype(dtype).transpose(0, 2, 1)
    a[0, :3] = np.nan, np.inf, -0.0
    b = {"0": 0, "0.5": 0.5, "array": b, "row": b[:1]}[second]
    condition = rng.random(a.shape) < 0.5
    got, expected = ufuncs.where(condition, a, b), np.where(condition, a, b)
    assert got.dtype == expected.dtype and got.tobytes() == expected.tobytes()
