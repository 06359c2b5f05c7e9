"""scatter_add against the plain one and as the adjoint of indexing, for every kind of index."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kernel_cases import SEED, views

from tinygrad_notes.backend.kernels import plain, scatter

SHAPE = (5, 4, 3)
MASK = np.arange(60).reshape(SHAPE) % 3 == 0
INDICES = {
    "integer": 2,
    "negative": -1,
    "NumPy integer": np.int64(1),
    "slices": (slice(None, None, -2), slice(1, 3)),
    "ellipsis": (..., 1),
    "new axis": (None, 2, slice(None)),
    "everything": (),
    "mask": MASK,
    "row mask": MASK[:, 0, 0],
    "mask in a tuple": (MASK[:, 0, 0], 1),
    "rows, repeated": np.array([0, 2, 2, -1, 2]),
    "rows, unsigned": np.array([1, 1], np.uint8),
    "rows in two axes": np.array([[0, 1], [1, 1]]),
    "one row, 0-d": np.array(3),
    "no rows": np.array([], dtype=int),
    "pairs, repeated": (np.array([0, 1, 1]), np.array([2, -2, 2])),
    "pairs, broadcast": (np.array([[0], [1]]), np.array([0, 0, 3])),
    "triples": (np.array([1, 1]), np.array([1, 1]), np.array([2, 2])),
    "second axis": (slice(None), np.array([0, 0, 1])),
    "array and slice": (np.array([1, 1]), slice(0, 2)),
    "array and integer": (np.array([0, 1, 1]), 2),
    "list": [0, 0, 4],
}


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, object])
def test_scatter_add_is_plain_and_the_adjoint_of_indexing(name, dtype):
    index = INDICES[name]
    random = np.random.default_rng(0)
    x = random.integers(-9, 9, SHAPE).astype(dtype)
    g = random.integers(-9, 9, x[index].shape).astype(dtype)
    kept = g.copy()
    out = scatter.scatter_add(g, index, SHAPE)
    assert out.shape == SHAPE and out.dtype == dtype
    np.testing.assert_array_equal(out, plain.scatter_add(np, g, index, SHAPE))
    assert (x[index] * g).sum() == (x * out).sum()
    np.testing.assert_array_equal(g, kept)


def test_repeats_accumulate():
    g = np.ones((3, 2), np.float32)
    assert scatter.scatter_add(g, np.array([1, 1, 1]), (2, 2)).tolist() == [[0, 0], [3, 3]]


def test_strided_and_broadcast_gradients():
    index = np.array([0, 1, 0])
    g = np.random.default_rng(0).standard_normal((4, 6)).T[::2]
    np.testing.assert_array_equal(
        scatter.scatter_add(g, index, (2, 4)), plain.scatter_add(np, g, index, (2, 4))
    )
    ones = np.broadcast_to(np.float32(1), (3, 4))
    assert scatter.scatter_add(ones, index, (2, 4)).tolist() == [[2] * 4, [1] * 4]


@given(hnp.array_shapes(max_dims=3, max_side=4), st.data(), SEED)
def test_gradients_and_indices_of_any_strides(shape, data, seed):
    leading = data.draw(st.integers(1, len(shape)))
    places = data.draw(hnp.integer_array_indices(shape[:leading]))
    index = tuple(data.draw(views(part)) for part in places)
    g = np.random.default_rng(seed).standard_normal(np.zeros(shape)[index].shape)
    g = data.draw(views(g))
    expected = plain.scatter_add(np, g.copy(), tuple(part.copy() for part in index), shape)
    np.testing.assert_allclose(scatter.scatter_add(g, index, shape), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("index", [np.array([5]), np.array([-6]), 5, (np.array([0]), np.array([4]))])
def test_an_index_out_of_bounds_raises(index):
    with pytest.raises(IndexError, match="out of bounds"):
        scatter.scatter_add(np.ones(3), index, SHAPE)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
@pytest.mark.parametrize("width", [0, 1, 2, 5, 6])
@pytest.mark.parametrize("layout", ["plain", "turned", "stretched"])
def test_rows_of_any_width_and_layout_add_up(dtype, width, layout):
    """Pairs of reals are added as complex numbers where the width is even."""
    random = np.random.default_rng(0)
    ids = random.integers(-5, 5, (7, 2))
    g = random.integers(-9, 9, (7, 2, width)).astype(dtype)
    if layout == "turned":
        g = np.ascontiguousarray(g.T).T
    elif layout == "stretched":
        g = np.broadcast_to(g[:1], g.shape)
    out = scatter.scatter_add(g, ids, (5, width))
    assert out.dtype == dtype
    np.testing.assert_array_equal(out, plain.scatter_add(np, g, ids, (5, width)))


@pytest.mark.parametrize("strange", [np.nan, np.inf, -np.inf])
def test_a_strange_number_stays_in_its_column(strange):
    """A product of complex numbers would spread it; a sum does not."""
    g = np.ones((3, 4), np.float32)
    g[1, 2] = strange
    out = scatter.scatter_add(g, np.array([0, 1, 1]), (3, 4))
    np.testing.assert_array_equal(out, [[1] * 4, [2, 2, strange, 2], [0] * 4])


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (0, 2)])
@pytest.mark.parametrize("padding_idx", [None, 1])
@pytest.mark.parametrize("with_row", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, object])
def test_rows_by_number_are_plain_and_a_pair_of_adjoints(shape, padding_idx, with_row, dtype):
    random = np.random.default_rng(0)
    x = random.integers(-9, 9, (5, 4)).astype(dtype)
    ids = random.integers(0, 3, shape)
    row = x[4] if with_row else None
    y = scatter.take_rows(x, ids, padding_idx, row)
    assert y.dtype == dtype and y.shape == (*shape, 4)
    np.testing.assert_array_equal(y, plain.take_rows(np, x, ids, padding_idx, row))
    g = random.integers(-9, 9, y.shape).astype(dtype)
    out = scatter.add_rows(g, ids, 5, padding_idx)
    assert out.dtype == dtype and out.shape == (5, 4)
    np.testing.assert_array_equal(out, plain.add_rows(np, g, ids, 5, padding_idx))
    if not with_row:
        assert (y * g).sum() == (x * out).sum()


@pytest.mark.parametrize("ids", [np.array([0, 5]), np.array([[-1]]), np.array(7)])
def test_a_row_that_does_not_exist_is_named(ids):
    with pytest.raises(ValueError, match=rf"index {ids.reshape(-1)[-1]} is not in 0\.\.4"):
        scatter.take_rows(np.zeros((5, 2)), ids, None, None)
