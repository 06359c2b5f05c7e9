"""The tuned convolutions against the plain ones, each algorithm on everything it says it can do."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import convolutions, laid_out, odd, views

import tinygrad_notes as tg
from tinygrad_notes.backend.kernels import batch_last, convolution, plain, threads
from tinygrad_notes.backend.kernels.convolution import ALGORITHMS
from tinygrad_notes.backend.kernels.geometry import conv_geometry

ONE, ZERO = (1, 1), (0, 0)


def able(case):
    conv = conv_geometry("conv2d", case.x.shape, case.w.shape, *case.rest)
    return [None, *(name for name, module in ALGORITHMS.items() if module.can(conv, case.x.dtype))]


def assert_close(actual, expected):
    """Equal up to rounding of the largest entry: Winograd loses half a digit of float32."""
    assert actual.shape == expected.shape and actual.dtype == expected.dtype
    tolerance = 2e-5 if expected.dtype == np.float32 else 1e-12
    assert np.abs(actual - expected).max(initial=0) <= tolerance * np.abs(expected).max(initial=1)


@settings(max_examples=150)
@given(convolutions(), st.data())
def test_tuned_is_plain(case, data):
    algorithm = data.draw(st.sampled_from(able(case)))
    x, w, b = case.x.copy(), case.w.copy(), case.b
    y = plain.conv2d(np, x, w, b, *case.rest)
    assert_close(convolution.conv2d(*case, algorithm), y)
    g = data.draw(views(np.random.default_rng(0).standard_normal(y.shape).astype(y.dtype)))
    kept = g.copy()
    assert_close(
        convolution.conv2d_input_grad(g, case.w, x.shape, *case.rest, algorithm),
        plain.conv2d_input_grad(np, kept, w, x.shape, *case.rest),
    )
    gw = convolution.conv2d_weight_grad(g, case.x, w.shape, *case.rest, algorithm)
    assert_close(gw, plain.conv2d_weight_grad(np, kept, x, w.shape, *case.rest))
    assert gw.flags.c_contiguous
    for now, before in ((case.x, x), (case.w, w), (case.b, b), (g, kept)):
        np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_direction_has_its_own_stride_padding_and_dilation(algorithm):
    """With its own length of the kernel: by every algorithm that can, as by plain; some can none of them."""
    random, done = np.random.default_rng(0), 0
    values = [(1, 1), (1, 2), (2, 1), (3, 1), (2, 3)]
    for kernel, stride, padding, dilation in itertools.product(
        [(1, 1), (3, 3), (1, 3)], values, [ZERO, (0, 1), (1, 0)], values[:3]
    ):
        rest = (stride, padding, dilation, 1)
        x, w = (random.standard_normal(s).astype(np.float32) for s in ((2, 3, 8, 9), (4, 3, *kernel)))
        if not ALGORITHMS[algorithm].can(conv_geometry("conv2d", x.shape, w.shape, *rest), x.dtype):
            continue
        y = plain.conv2d(np, x, w, None, *rest)
        assert_close(convolution.conv2d(x, w, None, *rest, algorithm), y)
        g = random.standard_normal(y.shape).astype(np.float32)
        assert_close(convolution.conv2d_input_grad(g, w, x.shape, *rest, algorithm),
                     plain.conv2d_input_grad(np, g, w, x.shape, *rest))  # fmt: skip
        assert_close(convolution.conv2d_weight_grad(g, x, w.shape, *rest, algorithm),
                     plain.conv2d_weight_grad(np, g, x, w.shape, *rest))  # fmt: skip
        done += 1
    assert done


@pytest.mark.parametrize("stride", [0, 1, -1, 7, 10**9])
@pytest.mark.parametrize("order", ["plain", "channels_last", "batch_last"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_stride_of_an_axis_of_length_1_means_nothing(algorithm, order, stride):
    random, rest, done = np.random.default_rng(0), (ONE, ZERO, ONE, 1), 0
    kernels, outs = [(1, 1), (3, 3), (5, 5), (1, 3), (3, 1)], [(1, 1), (1, 4), (5, 1)]
    for n, c, o, (kh, kw), (oh, ow) in itertools.product([1, 33], [1, 2, 9], [1, 2], kernels, outs):
        shapes = (n, c, oh + kh - 1, ow + kw - 1), (o, c, kh, kw), (n, o, oh, ow)
        x, w, g = (random.standard_normal(s).astype(np.float32) for s in shapes)
        if not ALGORITHMS[algorithm].can(conv_geometry("conv2d", x.shape, w.shape, *rest), x.dtype):
            continue
        done += 1
        x_, w_, g_ = (odd(laid_out(a, order), stride) for a in (x, w, g))
        assert_close(convolution.conv2d(x_, w_, None, *rest, algorithm), plain.conv2d(np, x, w, None, *rest))
        gx = convolution.conv2d_input_grad(g_, w_, x.shape, *rest, algorithm)
        assert_close(gx, plain.conv2d_input_grad(np, g, w, x.shape, *rest))
        gw = convolution.conv2d_weight_grad(g_, x_, w.shape, *rest, algorithm)
        assert_close(gw, plain.conv2d_weight_grad(np, g, x, w.shape, *rest))
    assert done


@pytest.mark.parametrize(("channels", "size", "k"), [*itertools.product([1, 4, 9], [(9, 5), (7, 3)], [3, 5])])
@pytest.mark.parametrize("loss", [lambda y: (y**2).sum(), lambda y: (y.mean(axis=3) ** 2).sum()])
def test_gradients_of_one_output_column_and_channel(channels, size, k, loss):
    """What one operation hands to the next: here an axis of length 1 with the stride of another axis."""
    random = np.random.default_rng(0)
    x = random.standard_normal((32, channels, size[0], max(k, size[1])))
    w = random.standard_normal((1, channels, k, k))
    gradients = []
    for dtype in (np.float32, np.float64):
        inputs = [tg.Tensor(a.astype(dtype), requires_grad=True) for a in (x, w)]
        gradients.append([g.numpy() for g in tg.grad(loss(tg.nn.functional.conv2d(*inputs)), inputs)])
    gy = 2 * plain.conv2d(np, x, w, None, ONE, ZERO, ONE, 1)
    if gy.shape[3] == 1:  # there the two losses are one
        exact = plain.conv2d_input_grad(np, gy, w, x.shape, ONE, ZERO, ONE, 1)
        np.testing.assert_allclose(gradients[1][0], exact, rtol=1e-10, atol=1e-10)
    for single, double in zip(*gradients, strict=True):
        np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-4 * np.abs(double).max())


BLOCKS = [  # shapes that need several blocks, and thus threads
    ("im2col", (3, 4, 40, 40), (5, 4, 3, 3), (2, 2), (1, 1)),
    ("im2col", (9, 12, 12, 12), (5, 12, 3, 3), ONE, (1, 1)),
    ("winograd", (2, 3, 90, 40), (4, 3, 3, 3), ONE, (1, 1)),
    ("winograd", (40, 3, 13, 13), (4, 3, 3, 3), ONE, (2, 0)),
    ("winograd", (4, 3, 45, 30), (4, 3, 5, 5), ONE, (4, 2)),
    ("batch_last", (64, 2, 12, 12), (5, 2, 5, 5), ONE, (1, 0)),
    ("batch_last", (33, 9, 7, 8), (4, 9, 3, 3), ONE, (1, 1)),
    ("batch_last", (33, 9, 1, 3), (5, 9, 1, 1), ONE, (3, 0)),  # rows that see padding only
    ("pointwise", (4, 6, 30, 30), (5, 6, 1, 1), (2, 3), ZERO),
]


@pytest.mark.parametrize(("algorithm", "x_shape", "w_shape", "stride", "padding"), BLOCKS)
def test_blocks_agree_with_plain_and_repeat_bit_for_bit(algorithm, x_shape, w_shape, stride, padding):
    random = np.random.default_rng(0)
    x, w = (random.standard_normal(s).astype(np.float32) for s in (x_shape, w_shape))
    b = random.standard_normal(w_shape[0]).astype(np.float32)
    rest = stride, padding, ONE, 1
    y = plain.conv2d(np, x, w, b, *rest)
    g = random.standard_normal(y.shape).astype(np.float32)
    runs = [
        (
            convolution.conv2d(x, w, b, *rest, algorithm),
            convolution.conv2d_input_grad(g, w, x_shape, *rest, algorithm),
            convolution.conv2d_weight_grad(g, x, w_shape, *rest, algorithm),
        )
        for _ in range(3)
    ]
    assert_close(runs[0][0], y)
    assert_close(runs[0][1], plain.conv2d_input_grad(np, g, w, x_shape, *rest))
    assert_close(runs[0][2], plain.conv2d_weight_grad(np, g, x, w_shape, *rest))
    for run in runs[1:]:
        for again, first in zip(run, runs[0], strict=True):
            assert again.tobytes() == first.tobytes()


@pytest.mark.parametrize("channels", [2, 9])
def test_batch_last_takes_the_rows_of_a_share_in_several_runs(monkeypatch, channels):
    monkeypatch.setattr(convolution.batch_last, "BLOCK", 4000)  # runs of at most 4 rows of y, 3 of gx
    random = np.random.default_rng(0)
    x = random.standard_normal((33, channels, 15, 11)).astype(np.float32)
    w = random.standard_normal((5, channels, 3, 3)).astype(np.float32)
    b = random.standard_normal(5).astype(np.float32)
    rest = ONE, ONE, ONE, 1
    y = plain.conv2d(np, x, w, b, *rest)
    assert_close(convolution.conv2d(x, w, b, *rest, "batch_last"), y)
    gx = convolution.conv2d_input_grad(y, w, x.shape, *rest, "batch_last")
    assert_close(gx, plain.conv2d_input_grad(np, y, w, x.shape, *rest))
    gw = convolution.conv2d_weight_grad(y, x, w.shape, *rest, "batch_last")
    assert_close(gw, plain.conv2d_weight_grad(np, y, x, w.shape, *rest))


def test_winograd_sums_its_weight_gradient_over_several_groups(monkeypatch):
    monkeypatch.setattr(convolution.winograd, "GROUP", 1)
    random = np.random.default_rng(0)
    x, g = (random.standard_normal((3, c, 60, 60)).astype(np.float32) for c in (2, 4))
    rest = ONE, ONE, ONE, 1
    gw = convolution.conv2d_weight_grad(g, x, (4, 2, 3, 3), *rest, "winograd")
    assert_close(gw, plain.conv2d_weight_grad(np, g, x, (4, 2, 3, 3), *rest))


def test_one_thread_gives_the_same_numbers(monkeypatch):
    random = np.random.default_rng(0)
    x, w = random.standard_normal((4, 3, 30, 30)), random.standard_normal((5, 3, 3, 3))
    rest = ONE, ONE, ONE, 1
    both = convolution.conv2d(x, w, None, *rest)
    monkeypatch.setattr(threads, "threads", lambda: 1)
    np.testing.assert_allclose(convolution.conv2d(x, w, None, *rest), both, rtol=1e-12)


@pytest.mark.parametrize("algorithm", [None, "im2col"])
def test_an_empty_batch(algorithm):
    x, w = np.zeros((0, 4, 5, 5), np.float32), np.ones((6, 2, 3, 3), np.float32)
    rest = (2, 1), (1, 1), ONE, 2
    y = convolution.conv2d(x, w, np.ones(6, np.float32), *rest, algorithm)
    assert y.shape == (0, 6, 3, 5) and y.dtype == np.float32
    assert convolution.conv2d_input_grad(y, w, x.shape, *rest, algorithm).shape == x.shape
    gw = convolution.conv2d_weight_grad(y, x, w.shape, *rest, algorithm)
    assert gw.shape == w.shape and not gw.any()


def test_float16_is_computed_in_float32():
    random = np.random.default_rng(0)
    x, w = (random.standard_normal(s).astype(np.float16) for s in ((2, 64, 6, 6), (8, 64, 3, 3)))
    y = convolution.conv2d(x, w, None, ONE, ONE, ONE, 1)
    exact = plain.conv2d(np, x.astype(np.float64), w.astype(np.float64), None, ONE, ONE, ONE, 1)
    assert y.dtype == np.float16
    np.testing.assert_allclose(y, exact, rtol=2e-3, atol=2e-3)


def test_symbols_take_the_plain_kernel():
    x = np.arange(16).reshape(1, 1, 4, 4).astype(object)
    w = np.ones((1, 1, 3, 3), object)
    y = convolution.conv2d(x, w, None, ONE, ZERO, ONE, 1)
    assert y.dtype == object and y.tolist() == [[[[45, 54], [81, 90]]]]


@pytest.mark.parametrize(
    ("x", "w", "rest", "says"),
    [
        ((1, 3, 5, 5), (2, 4, 3, 3), (ONE, ZERO, ONE, 1), "3 channels"),
        ((1, 3, 5, 5), (2, 3, 3, 3), (ONE, ZERO, ONE, 2), "groups=2 must divide"),
        ((1, 4, 5, 5), (3, 2, 3, 3), (ONE, ZERO, ONE, 2), "groups=2 must divide"),
        ((1, 3, 2, 5), (2, 3, 3, 3), (ONE, ZERO, ONE, 1), "more than the padded input"),
        ((1, 3, 5, 5), (2, 3, 3, 3), (ONE, ZERO, (3, 1), 1), "spans 7"),
        ((1, 3, 5, 5), (2, 3, 3, 3), ((0, 1), ZERO, ONE, 1), "stride"),
        ((1, 3, 5, 5), (2, 3, 3, 3), (ONE, (-1, 0), ONE, 1), "padding"),
        ((3, 5, 5), (2, 3, 3, 3), (ONE, ZERO, ONE, 1), "must be"),
    ],
)
@pytest.mark.parametrize("which", ["tuned", "plain"])
def test_what_would_give_a_wrong_number_raises(x, w, rest, says, which):
    x, w = np.zeros(x), np.zeros(w)
    with pytest.raises(ValueError, match=f"conv2d: .*{says}"):
        if which == "plain":
            plain.conv2d(np, x, w, None, *rest)
        else:
            convolution.conv2d(x, w, None, *rest)


def test_a_gradient_or_bias_of_the_wrong_shape_raises():
    x, w, g = np.zeros((1, 2, 5, 5)), np.zeros((3, 2, 3, 3)), np.zeros((1, 3, 4, 3))
    rest = ONE, ZERO, ONE, 1
    with pytest.raises(ValueError, match=r"conv2d: b must have shape \(3,\)"):
        convolution.conv2d(x, w, np.zeros(2), *rest)
    with pytest.raises(ValueError, match=r"conv2d_input_grad: gy must have shape \(1, 3, 3, 3\)"):
        convolution.conv2d_input_grad(g, w, x.shape, *rest)
    with pytest.raises(ValueError, match=r"conv2d_weight_grad: gy must have shape \(1, 3, 3, 3\)"):
        convolution.conv2d_weight_grad(g, x, w.shape, *rest)


@pytest.mark.parametrize("algorithm", ["winograd", "pointwise", "direct"])
def test_an_algorithm_that_cannot_names_those_that_can(algorithm):
    x, w = np.zeros((1, 2, 5, 5)), np.zeros((3, 2, 3, 3))
    with pytest.raises(ValueError, match=f"{algorithm}.*use 'batch_last' or 'im2col' or None"):
        convolution.conv2d(x, w, None, ONE, ZERO, ONE, 1, algorithm)


@settings(max_examples=30)
@given(convolutions())
def test_parity_with_torch(case):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x, w = (torch.tensor(a.copy(), requires_grad=True) for a in (case.x, case.w))
    b = None if case.b is None else torch.tensor(case.b)
    y = torch.nn.functional.conv2d(x, w, b, *case.rest)
    assert_close(convolution.conv2d(*case), y.detach().numpy())
    g = np.random.default_rng(0).standard_normal(y.shape).astype(case.x.dtype)
    y.backward(torch.tensor(g))
    assert_close(convolution.conv2d_input_grad(g, case.w, case.x.shape, *case.rest), x.grad.numpy())
    assert_close(convolution.conv2d_weight_grad(g, case.x, case.w.shape, *case.rest), w.grad.numpy())


@pytest.mark.parametrize("shape", [(33, 2, 3, 4), (1, 2, 3, 4), (0, 2, 3, 4), (33, 1, 1, 1)])
@pytest.mark.parametrize("order", ["plain", "channels_last", "batch_last", "strided"])
def test_flattened_images_are_numpys(shape, order):
    x = laid_out(np.random.default_rng(0).standard_normal(shape), order)
    for flat in ((shape[0], x.size // max(1, shape[0])), (x.size,), (-1, 1)):
        np.testing.assert_array_equal(batch_last.reshape(x, flat), np.reshape(x, flat))
    with pytest.raises(ValueError, match="reshape"):
        batch_last.reshape(x, (7, 11))
