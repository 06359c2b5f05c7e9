"""Matrix products shared among threads, against NumPy's, in every way that they are cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kernel_cases import SEED, views

from tinygrad_notes.backend.kernels import blas, products, threads

SHAPES = {
    "tall": ((700, 60), (60, 50)),
    "wide": ((50, 60), (60, 700)),
    "many terms": ((30, 4000), (4000, 20)),
    "column": ((2000, 1500), (1500, 1)),
    "row": ((1, 1500), (1500, 2000)),
    "one BLAS thread": ((80, 80), (80, 80)),
    "small": ((3, 4), (4, 5)),
    "batch": ((5, 60, 70), (5, 70, 80)),
    "two axes": ((2, 9, 60, 40), (2, 9, 40, 60)),
    "one term": ((300, 1), (1, 200)),
    "one term, broadcast": ((6, 1, 60, 1), (3, 1, 70)),
    "broadcast matrix": ((6, 60, 70), (70, 80)),
    "broadcast batch": ((6, 1, 60, 70), (3, 70, 80)),
    "vector": ((300, 4000), (4000,)),
}


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", SHAPES)
def test_matmul_is_numpys(monkeypatch, name, dtype, count):
    if blas.threads() is not None:
        monkeypatch.setattr(threads, "threads", lambda: count)
    random = np.random.default_rng(0)
    a, b = (random.standard_normal(shape).astype(dtype) for shape in SHAPES[name])
    swapped = np.asfortranarray(a) if a.ndim == 2 else a
    exact = np.matmul(a.astype(np.float64), b.astype(np.float64))
    bound = 2 * np.sqrt(a.shape[-1]) * np.finfo(dtype).eps * np.matmul(np.abs(a), np.abs(b))
    for left in (a, swapped):
        y = products.matmul(left, b)
        assert y.shape == exact.shape and y.dtype == dtype
        assert (np.abs(y - exact) <= bound).all()
        assert y.tobytes() == products.matmul(left, b).tobytes()


@given(
    hnp.mutually_broadcastable_shapes(signature="(m,k),(k,n)->(m,n)", max_dims=2, max_side=9), SEED, st.data()
)
def test_operands_of_any_strides(shapes, seed, data):
    random = np.random.default_rng(seed)
    a, b = (data.draw(views(random.standard_normal(shape))) for shape in shapes.input_shapes)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SMALL", "ALONE"):  # every product is cut among the threads
            patch.setattr(products, name, 0)
        y = products.matmul(a, b)
    np.testing.assert_allclose(y, np.matmul(a.copy(), b.copy()), rtol=1e-10, atol=1e-12)


def test_what_numpy_refuses_is_refused():
    with pytest.raises(ValueError, match="matmul"):
        products.matmul(np.ones((300, 400)), np.ones((300, 400)))


def test_mixed_dtypes_and_symbols_are_left_to_numpy():
    a = np.ones((300, 300), np.float32)
    assert products.matmul(a, a.astype(np.float64)).dtype == np.float64
    assert products.matmul(np.ones((2, 2), object), np.ones((2, 2), object)).tolist() == [[2, 2], [2, 2]]


def test_a_product_leaves_blas_as_it_was():
    openblas = blas.threads()
    if openblas is None:
        pytest.skip("this NumPy does not bundle an OpenBLAS whose threads can be set")
    before = openblas[1]()
    for size in (80, 300):
        products.matmul(np.ones((size, size)), np.ones((size, size)))
    assert openblas[1]() == before


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 64])
def test_long_products_of_a_matrix_and_a_vector_keep_their_digits(width):
    """With ones, as the gradient of a weight with one output over many rows: BLAS adds number by number."""
    for length in (2049, 4096, 100_003, 1 << 18):
        x = np.full((length, width), 0.1, np.float32)
        want = np.full(width, length * np.float64(np.float32(0.1)))
        ones = np.ones((1, length), np.float32)
        for got in (products.matmul(ones, x)[0], products.matmul(x.T, ones.T)[:, 0]):
            assert got.dtype == np.float32
            np.testing.assert_allclose(got, want, rtol=5e-6)


def test_a_long_product_that_does_not_fit_is_refused_as_by_numpy():
    with pytest.raises(ValueError, match="mismatch in its core dimension"):
        products.matmul(np.ones((1, 5000), np.float32), np.ones((4000, 1), np.float32))
