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


def test_integers_and_booleans_sum_as_in_numpy():
    x = np.ones((100, 100), bool)
    assert reduction.sum(x, axis=0).dtype == np.sum(x, axis=0).dtype == np.int64


@given(x=arrays(), name=st.sampled_from(["exp", "sqrt", "tanh", "log"]))
def test_functions_equal_numpys(x, name):
    x = np.abs(x) + 0.1 if name in ("sqrt", "log") else x
    np.testing.assert_allclose(getattr(ufuncs, name)(x), getattr(np, name)(x), rtol=1e-6)


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
