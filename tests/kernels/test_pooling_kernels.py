"""The tuned poolings against the plain ones and PyTorch, adjointness, errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import laid_out, poolings, views

from tinygrad_notes.backend.kernels import plain, pooling

ONE, ZERO = (1, 1), (0, 0)


@settings(max_examples=120)
@given(poolings())
def test_max_pool2d_is_plain(pool):
    kept = pool.x.copy()
    y, index = plain.max_pool2d(np, *pool)
    tuned, places = pooling.max_pool2d(*pool)
    np.testing.assert_array_equal(tuned, y)
    np.testing.assert_array_equal(places, index)
    assert tuned.dtype == y.dtype and places.dtype == index.dtype
    np.testing.assert_array_equal(pool.x, kept)


@settings(max_examples=120)
@given(poolings(), st.data())
def test_scatter_is_plain_and_the_adjoint_of_gather(pool, data):
    y, index = plain.max_pool2d(np, *pool)
    random = np.random.default_rng(0)
    g = data.draw(views(random.standard_normal(y.shape).astype(y.dtype)))
    index = data.draw(views(index, stretch=False))
    gx = pooling.max_pool2d_scatter(g, index, pool.x.shape, *pool.window)
    np.testing.assert_array_equal(gx, plain.max_pool2d_scatter(np, g, index, pool.x.shape, *pool.window))
    v = random.standard_normal(gx.shape).astype(y.dtype)
    gathered = pooling.max_pool2d_gather(v, index, *pool.window)
    assert gathered.dtype == gx.dtype == y.dtype
    assert abs(np.vdot(gathered, g) - np.vdot(v, gx)) < 1e-3
    # All of gy arrives somewhere, unless a window holds nothing but padding.
    if pool.dilation == ONE:
        np.testing.assert_allclose(gx.sum(), g.sum(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("scatter", [
    pooling.max_pool2d_scatter, lambda *a: plain.max_pool2d_scatter(np, *a),
])  # fmt: skip
def test_a_kernel_beyond_the_padded_input_has_a_gradient_in_ceil_mode(scatter):
    x, window = np.arange(3.0).reshape(1, 1, 1, 3), ((1, 4), (1, 4), ZERO, ONE)
    y, index = plain.max_pool2d(np, x, *window, True)
    assert scatter(np.ones_like(y), index, x.shape, *window).tolist() == [[[[0, 0, 1]]]]
    with pytest.raises(ValueError, match="is larger than the padded input"):
        plain.max_pool2d(np, x, *window, False)


@settings(max_examples=120)
@given(poolings(dilated=False), st.booleans(), st.data())
def test_avg_pool2d_is_plain_and_its_adjoint(pool, include_pad, data):
    x = data.draw(views(np.where(np.isfinite(pool.x), pool.x, 0.5)))
    window = pool.kernel, pool.stride, pool.padding, pool.ceil_mode, include_pad
    y = pooling.avg_pool2d(x, *window)
    np.testing.assert_allclose(y, plain.avg_pool2d(np, x, *window), rtol=1e-5, atol=1e-6)
    g = data.draw(views(np.random.default_rng(0).standard_normal(y.shape).astype(x.dtype)))
    gx = pooling.avg_pool2d_adjoint(g, x.shape, *window)
    expected = plain.avg_pool2d_adjoint(np, g, x.shape, *window)
    np.testing.assert_allclose(gx, expected, rtol=1e-5, atol=1e-6)
    assert gx.dtype == y.dtype == x.dtype
    assert abs(np.vdot(y, g) - np.vdot(x, gx)) < 1e-3


def test_nan_wins_and_gets_the_gradient():
    x = np.zeros((1, 1, 4, 4), np.float32)
    x[0, 0, 1, 2] = np.nan
    y, index = pooling.max_pool2d(x, (2, 2), (2, 2), ZERO, ONE, False)
    assert np.isnan(y[0, 0]).tolist() == [[False, True], [False, False]]
    gx = pooling.max_pool2d_scatter(np.ones_like(y), index, x.shape, (2, 2), (2, 2), ZERO, ONE)
    assert gx[0, 0, 1, 2] == 1 and gx.sum() == 4


def test_ties_go_to_the_first_place():
    _, index = pooling.max_pool2d(np.ones((1, 1, 4, 4)), (2, 2), (2, 2), ZERO, ONE, False)
    assert not index.any()


@pytest.mark.parametrize("stride", [(2, 2), (1, 1)])
def test_an_infinite_gradient_stays_in_its_pixel(stride):
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    y, index = pooling.max_pool2d(x, (2, 2), stride, ZERO, ONE, False)
    gx = pooling.max_pool2d_scatter(np.full_like(y, np.inf), index, x.shape, (2, 2), stride, ZERO, ONE)
    assert not np.isnan(gx).any() and np.isinf(gx).sum() == y.size


@pytest.mark.parametrize("order", ["plain", "channels_last", "batch_last"])
def test_large_images_in_pieces_keep_their_memory_order(monkeypatch, order):
    monkeypatch.setattr(pooling, "ALONE", 1)
    monkeypatch.setattr(pooling, "PIECE", 1)  # one image
    x = np.random.default_rng(0).standard_normal((4, 3, 150, 131)).astype(np.float32)
    x = laid_out(x, order)
    window = (3, 3), (2, 2), (1, 1), ONE
    y, index = pooling.max_pool2d(x, *window, True)
    expected, places = plain.max_pool2d(np, x, *window, True)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(index, places)
    gx = pooling.max_pool2d_scatter(y, index, x.shape, *window)
    np.testing.assert_array_equal(gx, plain.max_pool2d_scatter(np, y, index, x.shape, *window))
    ranks = [np.argsort(np.argsort(a.strides)).tolist() for a in (x, y, index, gx)]
    assert all(rank == ranks[0] for rank in ranks)


@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (2, 3, 4, 4)])
def test_an_empty_batch_and_float16(shape):
    x = np.ones(shape, np.float16)
    y, index = pooling.max_pool2d(x, (2, 2), (2, 2), ZERO, ONE, False)
    assert y.shape == (*shape[:2], 2, 2) and y.dtype == np.float16
    gx = pooling.max_pool2d_scatter(y, index, shape, (2, 2), (2, 2), ZERO, ONE)
    assert gx.shape == shape and gx.dtype == np.float16
    a = pooling.avg_pool2d(x, (2, 2), (2, 2), ZERO, False, True)
    assert a.dtype == np.float16 and (a == 1).all()


@pytest.mark.parametrize("library", [pooling, None])
def test_what_would_give_a_wrong_number_raises(library):
    def pool(x, *rest):
        return pooling.max_pool2d(x, *rest) if library else plain.max_pool2d(np, x, *rest)

    x = np.zeros((1, 1, 3, 3))
    with pytest.raises(ValueError, match=r"max_pool2d: padding .* more than half of kernel"):
        pool(x, (3, 3), (1, 1), (2, 0), ONE, False)
    with pytest.raises(ValueError, match=r"max_pool2d: kernel .* larger than the padded input"):
        pool(x, (4, 4), (1, 1), ZERO, ONE, False)
    with pytest.raises(ValueError, match="max_pool2d: stride must be"):
        pool(x, (2, 2), (0, 1), ZERO, ONE, False)
    y, index = pool(x, (2, 2), (2, 2), ZERO, ONE, False)
    with pytest.raises(ValueError, match=r"max_pool2d_scatter: .* do not belong"):
        pooling.max_pool2d_scatter(y, index, (1, 1, 9, 9), (2, 2), (2, 2), ZERO, ONE)
    with pytest.raises(ValueError, match=r"max_pool2d_gather: .* do not belong"):
        pooling.max_pool2d_gather(np.zeros((1, 1, 9, 9)), index, (2, 2), (2, 2), ZERO, ONE)
    with pytest.raises(ValueError, match="avg_pool2d_adjoint: gy must have shape"):
        pooling.avg_pool2d_adjoint(y, (1, 1, 9, 9), (2, 2), (2, 2), ZERO, False, True)


@settings(max_examples=40)
@given(poolings())
def test_max_pool2d_parity_with_torch(pool):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    functional = torch.nn.functional
    (kh, kw), stride, padding, dilation = pool.window
    x = torch.tensor(pool.x.copy(), requires_grad=True)
    if any(d > 1 for d in dilation):
        return  # PyTorch answers an index outside the image where a dilated window holds only padding
    y, flat = functional.max_pool2d(
        x, (kh, kw), stride, padding, dilation, pool.ceil_mode, return_indices=True
    )
    tuned, index = pooling.max_pool2d(*pool)
    np.testing.assert_array_equal(tuned, y.detach().numpy())
    rows = np.arange(y.shape[2])[:, None] * stride[0] - padding[0] + index // kw
    cols = np.arange(y.shape[3]) * stride[1] - padding[1] + index % kw
    np.testing.assert_array_equal(rows * pool.x.shape[3] + cols, flat.numpy())
    g = np.random.default_rng(0).standard_normal(y.shape).astype(pool.x.dtype)
    y.backward(torch.tensor(g))
    gx = pooling.max_pool2d_scatter(g, index, pool.x.shape, *pool.window)
    np.testing.assert_allclose(gx, x.grad.numpy(), rtol=1e-5, atol=1e-6)


@settings(max_examples=40)
@given(poolings(dilated=False), st.booleans())
def test_avg_pool2d_parity_with_torch(pool, include_pad):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    numbers = np.where(np.isfinite(pool.x), pool.x, 0.5)
    window = pool.kernel, pool.stride, pool.padding, pool.ceil_mode, include_pad
    if any(2 * p > k for p, k in zip(pool.padding, pool.kernel, strict=True)):
        return
    x = torch.tensor(numbers, requires_grad=True)
    y = torch.nn.functional.avg_pool2d(x, *window)
    ours = pooling.avg_pool2d(numbers, *window)
    np.testing.assert_allclose(ours, y.detach().numpy(), rtol=1e-5, atol=1e-6)
    g = np.random.default_rng(0).standard_normal(y.shape).astype(numbers.dtype)
    y.backward(torch.tensor(g))
    gx = pooling.avg_pool2d_adjoint(g, numbers.shape, *window)
    np.testing.assert_allclose(gx, x.grad.numpy(), rtol=1e-5, atol=1e-6)
