"""Kernels of windows in CUDA C, run on the CPU or on a GPU, against the plain definitions."""

import numpy as np
import pytest
from cuda_cases import DTYPES, SEEDS, Window, assert_close, drawn, needs_compiler, on_device, pairs, windows
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_notes.backend.kernels import plain

pytestmark = needs_compiler
ONE, ZERO = (1, 1), (0, 0)


@drawn
@given(windows(), DTYPES, SEEDS, st.booleans())
def test_columns_are_plain(gpu, window, dtype, seed, turned):
    random = np.random.default_rng(seed)
    x = random.standard_normal(window.x).astype(dtype)
    expected = plain.im2col(np, x, *window[1:])
    cols = gpu.im2col(on_device(gpu, x, turned), *window[1:])
    assert cols.dtype == dtype and cols.flags.c_contiguous
    np.testing.assert_array_equal(cols.get(), expected)
    g = random.standard_normal(expected.shape).astype(dtype)
    gx = gpu.col2im(on_device(gpu, g, turned), window.x, *window[2:])
    assert_close(gx, plain.col2im(np, g.astype(np.float64), window.x, *window[2:]).astype(dtype))


def values(random, shape, dtype):
    """Many ties, some infinities, some NaN."""
    x = random.integers(-2, 3, shape).astype(dtype)
    for value, share in ((-np.inf, 0.3), (np.inf, 0.05), (np.nan, 0.05)):
        x[random.random(shape) < share * random.integers(0, 2)] = value
    return x


@drawn
@given(windows(half_padded=True, over=True), DTYPES, SEEDS, st.booleans())
def test_max_pool2d_is_plain(gpu, window, dtype, seed, turned):
    random = np.random.default_rng(seed)
    x = values(random, window.x, dtype)
    y, index = plain.max_pool2d(np, x, *window[1:], True)
    ours, places = gpu.max_pool2d(on_device(gpu, x, turned), *window[1:], True)
    assert ours.dtype == dtype and places.dtype == index.dtype
    np.testing.assert_array_equal(ours.get(), y)
    np.testing.assert_array_equal(places.get(), index)
    g = random.integers(-9, 10, y.shape).astype(dtype)
    gx = gpu.max_pool2d_scatter(
        on_device(gpu, g, turned), on_device(gpu, index, turned), window.x, *window[1:]
    )
    np.testing.assert_array_equal(gx.get(), plain.max_pool2d_scatter(np, g, index, window.x, *window[1:]))
    assert gx.dtype == dtype
    back = gpu.max_pool2d_gather(on_device(gpu, x, turned), on_device(gpu, index, turned), *window[1:])
    np.testing.assert_array_equal(back.get(), plain.max_pool2d_gather(np, x, index, *window[1:]))
    assert back.dtype == dtype


@pytest.mark.parametrize("kernel", [(16, 16), (20, 15), (257, 256)])
def test_the_type_of_places_is_as_wide_as_the_window(gpu, kernel):
    x = np.random.default_rng(0).standard_normal((1, 2, kernel[0] + 1, kernel[1])).astype(np.float32)
    window = kernel, ONE, ZERO, ONE
    y, index = plain.max_pool2d(np, x, *window, False)
    ours, places = gpu.max_pool2d(gpu.from_host(x), *window, False)
    np.testing.assert_array_equal(places.get(), index)
    gx = gpu.max_pool2d_scatter(ours, places, x.shape, *window)
    np.testing.assert_array_equal(gx.get(), plain.max_pool2d_scatter(np, y, index, x.shape, *window))
    assert places.dtype == index.dtype == {16: np.uint8, 20: np.uint16, 257: np.uint32}[kernel[0]]


def test_a_place_that_is_none_reads_nothing(gpu):
    x, window = np.ones((1, 1, 4, 4), np.float32), ((2, 2), (2, 2), ZERO, ONE)
    index = np.array([[[[0, 4], [200, 255]]]], np.uint8)
    y = gpu.max_pool2d_gather(gpu.from_host(x), gpu.from_host(index), *window)
    assert y.get().tolist() == plain.max_pool2d_gather(np, x, index, *window).tolist() == [[[[1, 0], [0, 0]]]]


@drawn
@given(windows(half_padded=True, over=True), DTYPES, SEEDS, st.booleans(), st.booleans(), st.booleans())
def test_avg_pool2d_is_plain(gpu, window, dtype, seed, turned, ceil_mode, include_pad):
    spans = zip(window.kernel, window.padding, strict=True)
    if any(2 * p > k for k, p in spans):
        return
    random = np.random.default_rng(seed)
    shape = (*window.x[:2], *(n + k for n, k in zip(window.x[2:], window.kernel, strict=True)))
    x = random.standard_normal(shape).astype(dtype)
    how = window.kernel, window.stride, window.padding, ceil_mode, include_pad
    expected = plain.avg_pool2d(np, x.astype(np.float64), *how).astype(dtype)
    assert_close(gpu.avg_pool2d(on_device(gpu, x, turned), *how), expected)
    g = random.standard_normal(expected.shape).astype(dtype)
    expected = plain.avg_pool2d_adjoint(np, g.astype(np.float64), shape, *how).astype(dtype)
    assert_close(gpu.avg_pool2d_adjoint(on_device(gpu, g, turned), shape, *how), expected)


@drawn
@given(windows(), pairs(1, 3), st.sampled_from([1, 1, 2, 3]), DTYPES, SEEDS, st.booleans(), st.booleans())
def test_convolutions_are_plain(gpu, window, channels, groups, dtype, seed, turned, biased):
    random = np.random.default_rng(seed)
    c, o = (groups * count for count in channels)
    x = random.standard_normal((window.x[0], c, *window.x[2:])).astype(dtype)
    w = random.standard_normal((o, c // groups, *window.kernel)).astype(dtype)
    b = random.standard_normal(o).astype(dtype) if biased else None
    convolution_is_plain(gpu, x, w, b, (*window[2:], groups), turned)


def convolution_is_plain(gpu, x, w, b, rest, turned=False):
    """The three of the trio, each in two launches and what CuPy adds."""
    wide = [None if a is None else a.astype(np.float64) for a in (x, w, b)]
    expected = plain.conv2d(np, *wide, *rest)
    there = [None if a is None else on_device(gpu, a, turned) for a in (x, w, b)]
    roundings = 4 * max(1, int(np.prod(w.shape[1:]))) ** 0.5
    assert_close(gpu.conv2d(*there, *rest), expected.astype(x.dtype), roundings)
    g = np.random.default_rng(1).standard_normal(expected.shape).astype(x.dtype)
    gx = plain.conv2d_input_grad(np, g.astype(np.float64), wide[1], x.shape, *rest)
    g_there = on_device(gpu, g, turned)
    ours = gpu.conv2d_input_grad(g_there, there[1], x.shape, *rest)
    assert_close(ours, gx.astype(x.dtype), 8 * roundings)
    gw = plain.conv2d_weight_grad(np, g.astype(np.float64), wide[0], w.shape, *rest)
    ours = gpu.conv2d_weight_grad(g_there, there[0], w.shape, *rest)
    assert_close(ours, gw.astype(x.dtype), 8 * roundings)
    assert ours.flags.c_contiguous


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("kernel", [(1, 1), (3, 2)])
@pytest.mark.parametrize("n", [1, 5])
def test_columns_are_made_of_some_images_at_once(gpu, monkeypatch, kernel, groups, n):
    monkeypatch.setattr(gpu.windows_conv, "COLUMNS", 400)
    random = np.random.default_rng(0)
    x, w = random.standard_normal((n, 4, 7, 6)), random.standard_normal((6, 4 // groups, *kernel))
    for bias in (None, random.standard_normal(6)):
        convolution_is_plain(gpu, x, w, bias, (ONE, ZERO, ONE, groups))
        convolution_is_plain(gpu, x, w, bias, ((2, 1), ONE, ONE, groups))


def test_large_arrays_are_indexed_in_64_bits(gpu, monkeypatch):
    monkeypatch.setattr(gpu.launch, "SHORT", 1)
    gpu.windows.sizes.cache_clear()
    random = np.random.default_rng(0)
    x, window = random.standard_normal((2, 3, 7, 6)), Window((2, 3, 7, 6), (3, 2), (2, 1), (1, 1), ONE)
    cols = gpu.im2col(gpu.from_host(x), *window[1:])
    np.testing.assert_array_equal(cols.get(), plain.im2col(np, x, *window[1:]))
    assert_close(gpu.col2im(cols, x.shape, *window[2:]), plain.col2im(np, cols.get(), x.shape, *window[2:]))
    y, index = gpu.max_pool2d(gpu.from_host(x), *window[1:], True)
    expected = plain.max_pool2d(np, x, *window[1:], True)
    np.testing.assert_array_equal(y.get(), expected[0])
    np.testing.assert_array_equal(index.get(), expected[1])
    gpu.windows.sizes.cache_clear()


@pytest.mark.parametrize("dtype", [np.int32, np.bool_])
def test_what_is_no_real_number_is_left_to_the_plain_definitions(gpu, dtype):
    x = np.random.default_rng(0).integers(0, 2, (1, 2, 4, 4)).astype(dtype)
    window = (2, 2), (1, 1), ZERO, ONE
    np.testing.assert_array_equal(gpu.im2col(gpu.from_host(x), *window).get(), plain.im2col(np, x, *window))
    if dtype == np.int32:
        w = x[:, :, :2, :2]
        y = gpu.conv2d(gpu.from_host(x), gpu.from_host(w), None, ONE, ZERO, ONE, 1)
        np.testing.assert_array_equal(y.get(), plain.conv2d(np, x, w, None, ONE, ZERO, ONE, 1))


@pytest.mark.parametrize("shape", [(0, 2, 4, 4), (2, 2, 4, 4)])
def test_an_empty_batch(gpu, shape):
    x, w = np.ones(shape, np.float32), np.ones((3, 2, 3, 3), np.float32)
    rest, pool = (ONE, ONE, ONE, 1), ((2, 2), (2, 2), ZERO)
    y = gpu.conv2d(gpu.from_host(x), gpu.from_host(w), None, *rest)
    np.testing.assert_array_equal(y.get(), plain.conv2d(np, x, w, None, *rest))
    gw = gpu.conv2d_weight_grad(y, gpu.from_host(x), w.shape, *rest)
    assert gw.shape == w.shape and bool(gw.any()) is (shape[0] > 0)
    assert gpu.conv2d_input_grad(y, gpu.from_host(w), shape, *rest).shape == shape
    pooled, index = gpu.max_pool2d(gpu.from_host(x), *pool, ONE, False)
    assert pooled.shape == index.shape == (shape[0], 2, 2, 2)
    assert gpu.max_pool2d_scatter(pooled, index, shape, *pool, ONE).shape == shape
    assert gpu.avg_pool2d(gpu.from_host(x), *pool, False, True).shape == pooled.shape


def test_what_would_give_a_wrong_number_raises(gpu):
    x = gpu.zeros((1, 1, 3, 3))
    with pytest.raises(ValueError, match="im2col: kernel"):
        gpu.im2col(x, (4, 4), ONE, ZERO, ONE)
    with pytest.raises(ValueError, match="col2im: cols must have shape"):
        gpu.col2im(gpu.zeros((1, 1, 2, 2, 3, 3)), (1, 1, 3, 3), ONE, ZERO, ONE)
    with pytest.raises(ValueError, match="conv2d: b must have shape"):
        gpu.conv2d(x, gpu.zeros((2, 1, 1, 1)), gpu.zeros(3), ONE, ZERO, ONE, 1)
    with pytest.raises(ValueError, match="conv2d_weight_grad: gy must have shape"):
        gpu.conv2d_weight_grad(x, x, (1, 1, 2, 2), ONE, ZERO, ONE, 1)
    with pytest.raises(ValueError, match=r"max_pool2d: padding .* more than half of kernel"):
        gpu.max_pool2d(x, (3, 3), ONE, (2, 0), ONE, False)
    y, index = gpu.max_pool2d(x, (2, 2), (2, 2), ZERO, ONE, False)
    with pytest.raises(ValueError, match=r"max_pool2d_scatter: .* do not belong"):
        gpu.max_pool2d_scatter(y, index, (1, 1, 9, 9), (2, 2), (2, 2), ZERO, ONE)
    with pytest.raises(ValueError, match=r"max_pool2d_gather: .* do not belong"):
        gpu.max_pool2d_gather(gpu.zeros((1, 1, 9, 9)), index, (2, 2), (2, 2), ZERO, ONE)
    with pytest.raises(ValueError, match="avg_pool2d_adjoint: gy must have shape"):
        gpu.avg_pool2d_adjoint(y, (1, 1, 9, 9), (2, 2), (2, 2), ZERO, False, True)


LAUNCHES = {  # at most, of 8 images: kernels, a product, an array that is turned
    "im2col": 1, "col2im": 1, "max_pool2d": 1, "max_pool2d_scatter": 1, "max_pool2d_gather": 1,
    "avg_pool2d": 1, "avg_pool2d_adjoint": 1, "conv2d": 3, "conv2d_input_grad": 3, "conv2d_weight_grad": 3,
}  # fmt: skip


def test_the_number_of_launches(gpu):
    standin = pytest.importorskip("cupy", reason="CuPy is not installed")
    if not hasattr(standin, "_standin"):
        pytest.skip("launches are counted by the stand-in")
    random = np.random.default_rng(0)
    x, w = (gpu.from_host(random.standard_normal(s)) for s in ((8, 2, 6, 6), (4, 2, 3, 3)))
    b, pool = gpu.from_host(random.standard_normal(4)), ((2, 2), (2, 2), ZERO)
    y, cols = gpu.conv2d(x, w, b, ONE, ZERO, ONE, 1), gpu.im2col(x, (3, 3), ONE, ZERO, ONE)
    pooled, index = gpu.max_pool2d(x, *pool, ONE, False)
    calls = {
        "im2col": (x, (3, 3), ONE, ZERO, ONE), "col2im": (cols, x.shape, ONE, ZERO, ONE),
        "max_pool2d": (x, *pool, ONE, False), "max_pool2d_scatter": (pooled, index, x.shape, *pool, ONE),
        "max_pool2d_gather": (x, index, *pool, ONE), "avg_pool2d": (x, *pool, False, True),
        "avg_pool2d_adjoint": (pooled, x.shape, *pool, False, True), "conv2d": (x, w, b, ONE, ZERO, ONE, 1),
        "conv2d_input_grad": (y, w, x.shape, ONE, ZERO, ONE, 1),
        "conv2d_weight_grad": (y, x, w.shape, ONE, ZERO, ONE, 1),
    }  # fmt: skip
    counted = {}
    for name, arguments in calls.items():
        standin._standin.reset()
        getattr(gpu, name)(*arguments)
        counted[name] = standin._standin.launches.total()
    assert all(1 <= counted[name] <= most for name, most in LAUNCHES.items()), counted
