"""Winograd's kernels in CUDA C, run on the CPU or on a GPU: errors, what stands out, the choice, launches."""

import numpy as np
import pytest
from cuda_cases import SEEDS, drawn, needs_compiler, on_device, pairs
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_notes as tg
import tinygrad_notes.nn.functional as F
from tinygrad_notes.backend.kernels import plain
from tinygrad_notes.backend.kernels.geometry import conv_geometry

pytestmark = needs_compiler
ONE = (1, 1)
LARGEST, RMS, FORWARD = 3e-5, 2.2e-6, 1.2e-6  # in standard deviations, as tests/kernels/test_winograd.py


def numbers(random, n, c, o, size, padding, biased=True):
    """x, w, b, g of normal numbers in float32."""
    out = [length + 2 * p - 2 for length, p in zip(size, padding, strict=True)]
    shapes = (n, c, *size), (o, c, 3, 3), (o,), (n, o, *out)
    x, w, b, g = (random.standard_normal(shape).astype(np.float32) for shape in shapes)
    return x, w, b if biased else None, g


def ours(gpu, x, w, b, g, padding, turned=False):
    """y, gx and gw by Winograd's algorithm, whatever the choice would be."""
    conv = conv_geometry("conv2d", x.shape, w.shape, ONE, padding, ONE, 1)
    x, w, b, g = (None if a is None else on_device(gpu, a, turned) for a in (x, w, b, g))
    y, gx = gpu.winograd.forward(x, w, b, conv), gpu.winograd.input_grad(g, w, conv)
    return [a.get() for a in (y, gx, gpu.winograd.weight_grad(g, x, conv))]


def definition(x, w, b, g, padding):
    """The same from the definitions in float64."""
    x, w, b, g = (None if a is None else a.astype(np.float64) for a in (x, w, b, g))
    rest = ONE, padding, ONE, 1
    with np.errstate(invalid="ignore"):  # 0 · ∞
        y, gx = plain.conv2d(np, x, w, b, *rest), plain.conv2d_input_grad(np, g, w, x.shape, *rest)
        return [y, gx, plain.conv2d_weight_grad(np, g, x, w.shape, *rest)]


@drawn
@given(pairs(1, 9), pairs(0, 2), st.integers(1, 3), pairs(1, 5), SEEDS, st.booleans(), st.booleans())
def test_any_shape_is_plain(gpu, size, padding, n, channels, seed, turned, biased):
    size = [max(length, 3 - 2 * p) for length, p in zip(size, padding, strict=True)]
    given = numbers(np.random.default_rng(seed), n, *channels, size, padding, biased)
    places = n * given[3].shape[2] * given[3].shape[3]
    terms = 9 * channels[0], 9 * channels[1], places  # of each sum
    expected = definition(*given, padding)
    for actual, exact, count in zip(ours(gpu, *given, padding, turned), expected, terms, strict=True):
        assert actual.dtype == np.float32 and actual.shape == exact.shape and actual.flags.c_contiguous
        np.testing.assert_allclose(actual, exact, rtol=0, atol=LARGEST * count**0.5)


def test_errors_are_those_of_the_cpu(gpu):
    given = numbers(np.random.default_rng(0), 4, 64, 48, (22, 18), ONE, biased=False)
    rms = []
    for actual, exact in zip(ours(gpu, *given, ONE), definition(*given, ONE), strict=True):
        error = (actual - exact) / exact.std()
        assert np.abs(error).max() < LARGEST
        rms.append(np.sqrt((error**2).mean()))
    assert rms[0] < FORWARD and max(rms) < RMS


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1e30, 1e6])
@pytest.mark.parametrize("size", [(8, 8), (7, 9)])
def test_what_stands_out_stays_with_what_sees_it(gpu, value, size):
    x, w, b, g = numbers(np.random.default_rng(0), 3, 5, 6, size, ONE)
    before = ours(gpu, x, w, b, g, ONE)
    for i, j in ((0, 0), (3, 4), (4, 3), (size[0] - 1, size[1] - 1)):
        large, gradient = x.copy(), g.copy()
        large[1, 3, i, j] = gradient[1, 3, i, j] = value
        around = np.s_[1, :, max(0, i - 1) : i + 2, max(0, j - 1) : j + 2]
        of_x, of_g = (large, w, b, g), (x, w, b, gradient)
        (y, _, gw), (exact_y, _, exact_gw) = ours(gpu, *of_x, ONE), definition(*of_x, ONE)
        (_, gx, gv), (_, exact_gx, exact_gv) = ours(gpu, *of_g, ONE), definition(*of_g, ONE)
        for now, exact, old in ((y, exact_y, before[0]), (gx, exact_gx, before[1])):
            np.testing.assert_allclose(now[around], exact[around], rtol=1e-5)
            now[around] = old[around]
            np.testing.assert_allclose(now, old, rtol=0, atol=LARGEST * old.std())
        for now, exact in ((gw, exact_gw), (gv, exact_gv)):
            np.testing.assert_allclose(now, exact, rtol=1e-5, atol=LARGEST * before[2].std())


def test_weights_that_are_not_finite(gpu):
    x, w, b, g = numbers(np.random.default_rng(0), 2, 4, 3, (6, 5), ONE)
    before = ours(gpu, x, w, b, g, ONE)
    w[1, 2, 0, 2] = np.inf
    y, gx, _ = ours(gpu, x, w, b, g, ONE)
    expected = definition(x, w, b, g, ONE)
    for now, exact, old, channel in ((y, expected[0], before[0], 1), (gx, expected[1], before[1], 2)):
        infinite = ~np.isfinite(exact)
        assert infinite[:, channel].any() and not np.delete(infinite, channel, 1).any()
        np.testing.assert_array_equal(now[infinite], exact[infinite])
        np.testing.assert_allclose(now[~infinite], exact[~infinite], rtol=0, atol=LARGEST * old.std())


def marked(gpu, monkeypatch, x):
    """Which tiles (C, T) the kernel leaves to the definition."""
    seen, w = [], np.ones((1, x.shape[1], 3, 3), np.float32)
    real = gpu.winograd.matmul
    monkeypatch.setattr(gpu.winograd, "matmul", lambda u, v: (seen.append(np.isnan(v.get())), real(u, v))[1])
    gpu.winograd.forward(on_device(gpu, x), on_device(gpu, w), None, conv_geometry(
        "conv2d", x.shape, w.shape, ONE, ONE, ONE, 1))  # fmt: skip
    monkeypatch.undo()
    return seen[0].any(0)


@pytest.mark.parametrize("size", [(4, 4), (60, 70)])
def test_only_what_stands_out_is_left_to_the_definition(gpu, monkeypatch, size):
    random = np.random.default_rng(0)
    x = random.standard_normal((2, 3, *size)).astype(np.float32)
    assert not marked(gpu, monkeypatch, x).any()
    assert not marked(gpu, monkeypatch, np.zeros_like(x)).any()
    for value in (1e4, -1e4, np.inf, np.nan):
        for place in (0, 5, -1):
            changed = x.copy()
            changed[0, 1].reshape(-1)[place] = value
            found = marked(gpu, monkeypatch, changed)
            assert found[1].sum() in (1, 2, 4) and not found[[0, 2]].any()


def test_sparse_gradients_do_not_stand_out(gpu, monkeypatch):
    random = np.random.default_rng(0)
    sparse = np.where(random.random((4, 8, 64, 64)) < 1 / 200, 3, 0).astype(np.float32)
    assert not marked(gpu, monkeypatch, sparse).any()
    sparse[:, :, :16] = 0  # planes begin with zeros, and so do pieces that the sample is of
    assert not marked(gpu, monkeypatch, sparse).any()


def test_the_sample_is_of_all_parts_and_within_the_array(gpu, monkeypatch):
    """Numbers of a last part of x raise the level; the sanitizers would see a read beyond it."""
    x = np.zeros((1, 1, 127, 129), np.float32)
    x[0, 0, 0, 0] = 1
    assert marked(gpu, monkeypatch, x).sum() == 1
    x[0, 0, 120:] = 1
    assert not marked(gpu, monkeypatch, x).any()


@pytest.mark.parametrize("scales", [(1e35, 1e-2), (1e-2, 1e35)])
def test_what_only_the_transform_makes_infinite_is_the_definition(gpu, scales):
    x, w, _, g = numbers(np.random.default_rng(0), 2, 3, 4, (7, 6), ONE)
    given = x * np.float32(scales[0]), w * np.float32(1e-2), None, g * np.float32(scales[1])
    for actual, exact in zip(ours(gpu, *given, ONE), definition(*given, ONE), strict=True):
        np.testing.assert_allclose(actual, exact, rtol=0, atol=LARGEST * exact.std())


def test_images_are_cut_into_parts_and_indices_into_64_bits(gpu, monkeypatch):
    given = numbers(np.random.default_rng(0), 5, 3, 4, (7, 6), ONE)
    monkeypatch.setattr(gpu.winograd, "ROOM", 2 * 36 * 4 * 4)  # two images
    monkeypatch.setattr(gpu.launch, "SHORT", 1)
    for actual, exact in zip(ours(gpu, *given, ONE), definition(*given, ONE), strict=True):
        np.testing.assert_allclose(actual, exact, rtol=0, atol=LARGEST * exact.std())


def test_gradients_of_one_sample_alone(gpu):
    """Where most of a batch is learned, the rest stands out: tiles of it are added by the definition."""
    x, w, b, g = numbers(np.random.default_rng(0), 40, 3, 4, (9, 9), ONE)
    g[:-1] *= 1e-6
    g[-1, :, 1:] *= 1e-6
    for actual, exact in zip(ours(gpu, x, w, b, g, ONE), definition(x, w, b, g, ONE), strict=True):
        np.testing.assert_allclose(actual, exact, rtol=0, atol=LARGEST * exact.std())


CASES = {  # n, c, size, o, k, stride, padding, dilation, groups: is it less work?
    "VGG-16, second": ((2, 64, 224, 224), (64, 64, 3, 3), 1, 1, 1, 1, True),
    "VGG-16, last": ((2, 512, 14, 14), (512, 512, 3, 3), 1, 1, 1, 1, True),
    "VGG-16, last, of one image": ((1, 512, 14, 14), (512, 512, 3, 3), 1, 1, 1, 1, False),
    "ResNet-18": ((8, 64, 56, 56), (64, 64, 3, 3), 1, 1, 1, 1, True),
    "few channels": ((8, 3, 56, 56), (64, 3, 3, 3), 1, 1, 1, 1, False),
    "few outputs": ((8, 64, 56, 56), (16, 64, 3, 3), 1, 1, 1, 1, False),
    "5×5": ((8, 64, 56, 56), (64, 64, 5, 5), 1, 2, 1, 1, False),
    "stride 2": ((8, 64, 56, 56), (64, 64, 3, 3), 2, 1, 1, 1, False),
    "dilated": ((8, 64, 56, 56), (64, 64, 3, 3), 1, 2, 2, 1, False),
    "much padding": ((8, 64, 56, 56), (64, 64, 3, 3), 1, 3, 1, 1, False),
    "groups": ((8, 128, 56, 56), (128, 64, 3, 3), 1, 1, 1, 2, False),
}


@pytest.mark.parametrize("name", CASES)
def test_the_choice(gpu, name):
    x, w, stride, padding, dilation, groups, expected = CASES[name]
    pair = [(value, value) for value in (stride, padding, dilation)]
    conv = conv_geometry("conv2d", x, w, *pair, groups)
    assert gpu.winograd.takes(conv, np.dtype("float32")) is expected
    assert not gpu.winograd.takes(conv, np.dtype("float64"))
    assert not gpu.winograd.takes(conv, np.dtype("float16"))


@pytest.fixture
def settings_again():
    yield
    tg.set_float32_conv_precision("high")
    tg.set_float32_matmul_precision("highest")


def trio(gpu, x, w, b, g):
    """y, gx, gw as the namespace has them."""
    x, w, b, g = (on_device(gpu, a) for a in (x, w, b, g))
    rest = ONE, ONE, ONE, 1
    found = gpu.conv2d(x, w, b, *rest), gpu.conv2d_input_grad(g, w, x.shape, *rest)
    return [a.get() for a in (*found, gpu.conv2d_weight_grad(g, x, w.shape, *rest))]


def test_the_settings_of_precision_choose(gpu, monkeypatch, settings_again):
    given = numbers(np.random.default_rng(0), 4, 32, 32, (20, 20), ONE)
    high = trio(gpu, *given)
    for actual, expected in zip(high, ours(gpu, *given, ONE), strict=True):
        np.testing.assert_array_equal(actual, expected)
    tg.set_float32_conv_precision("highest")
    direct = trio(gpu, *given)
    tg.set_float32_conv_precision("high")
    for word in ("high", "half"):  # factors of a product are rounded: the errors must not grow
        tg.set_float32_matmul_precision(word)
        monkeypatch.setattr(gpu.winograd, "INPUTS", None)
        monkeypatch.setattr(gpu.winograd, "BOTH", None)
        rounded = trio(gpu, *given)
        assert max(np.abs(a - b).max() for a, b in zip(rounded, direct, strict=True)) < 0.1
    for actual, other, exact in zip(high, direct, definition(*given, ONE), strict=True):
        assert 0 < np.abs(actual - other).max() < LARGEST * exact.std()


def test_large_batches_of_small_maps_take_fewer_launches_than_im2col(gpu, settings_again):
    standin = pytest.importorskip("cupy", reason="CuPy is not installed")
    if not hasattr(standin, "_standin"):
        pytest.skip("launches are counted by the stand-in")
    x, w, b, g = (on_device(gpu, a) for a in numbers(np.random.default_rng(0), 4, 32, 32, (20, 20), ONE))
    rest, counted = (ONE, ONE, ONE, 1), []
    for word in ("high", "highest"):
        tg.set_float32_conv_precision(word)
        standin._standin.reset()
        gpu.conv2d(x, w, b, *rest)
        gpu.conv2d_input_grad(g, w, x.shape, *rest)
        gpu.conv2d_weight_grad(g, x, w.shape, *rest)
        counted.append(standin._standin.launches.total())
        assert standin._standin.syncs.total() == 0
    assert counted[0] <= counted[1] == 9


def test_second_derivatives(gpu):
    """⟨v, ∂/∂(x, w) of the gradient⟩ through the trio, against the definitions in float64."""
    x, w, _, g = numbers(np.random.default_rng(0), 2, 32, 32, (20, 20), ONE)
    random, found = np.random.default_rng(1), []
    vx, vw = (random.standard_normal(a.shape).astype(np.float32) for a in (x, w))
    for dtype in (np.float32, np.float64):
        tx, tw, tv, tu, tg_ = (tg.Tensor(a.astype(dtype)) for a in (x, w, vx, vw, g))
        tx.requires_grad = tw.requires_grad = tg_.requires_grad = True
        y = F.conv2d(tx, tw, padding=1)
        gx, gw = tg.grad(y, [tx, tw], tg_, create_graph=True)
        found.append([a.numpy() for a in tg.grad((gx * tv).sum() + (gw * tu).sum(), [tx, tw, tg_])])
    for actual, exact in zip(*found, strict=True):
        assert 0 < np.abs(actual - exact).max() < LARGEST * exact.std()


def test_a_captured_step_is_the_plain_one(gpu):
    given = [tg.Tensor(a) for a in numbers(np.random.default_rng(0), 2, 32, 32, (20, 20), ONE)]

    def step(x):
        return F.conv2d(x, given[1], given[2], padding=1)

    captured = tg.capture(step)
    for scale in (1.0, 2.0, 3.0, 4.0):
        x = tg.Tensor(given[0].numpy() * np.float32(scale))
        np.testing.assert_array_equal(captured(x).numpy(), step(x).numpy())


VGG16 = [(3, 64, 224), (64, 64, 224), (64, 128, 112), (128, 128, 112), (128, 256, 56), (256, 256, 56),
         (256, 256, 56), (256, 512, 28), (512, 512, 28), (512, 512, 28), *3 * [(512, 512, 14)]]  # fmt: skip


def test_the_counts_of_vgg16_on_the_page(gpu):
    """docs/gpu.md: the forward of two images; where Winograd's algorithm is not taken, both are im2col."""
    counts, taken = np.zeros((2, 2)), 0  # multiplications, numbers moved; of im2col, with Winograd
    for c, o, side in VGG16:
        conv = conv_geometry("conv2d", (2, c, side, side), (o, c, 3, 3), ONE, ONE, ONE, 1)
        places, tiles, kernels = 2 * side**2, 2 * (-(-side // 4)) ** 2, o * c
        direct = 9 * kernels * places, (19 * c + 3 * o) * places + 9 * kernels
        ours = 36 * kernels * tiles, (c + o) * (places + 72 * tiles) + 81 * kernels
        winograd = gpu.winograd.takes(conv, np.dtype(np.float32))
        taken += winograd
        counts += np.transpose([direct, ours if winograd else direct])
    assert taken == 12 and (counts / 1e9).round(2).tolist() == [[30.69, 8.02], [0.44, 0.37]]
