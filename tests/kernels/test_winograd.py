"""Winograd's points and matrices: exact, the best there are, with the errors that the documentation says."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from tinygrad_notes.backend.kernels import convolution, plain, winograd

ONE = (1, 1)


@pytest.mark.parametrize("k", [3, 5])
def test_the_transforms_are_a_correlation_exactly(k):
    """On fractions: y = Aᵀ [(G w) ⊙ (Bᵀ x)]."""
    m, exact = 7 - k, np.vectorize(Fraction, otypes=[object])
    bt, n = exact(winograd.BT), exact(winograd.N)
    a, powers = exact(winograd._powers(m - 1)), exact(winograd._powers(k - 1))
    random = np.random.default_rng(0)
    x, w = exact(random.integers(-9, 9, 6)), exact(random.integers(-9, 9, k))
    y = a.T @ ((powers @ w / n) * (bt @ x))
    assert y.tolist() == [w @ x[j : j + k] for j in range(m)]


@pytest.mark.parametrize("k", [3, 5])
def test_the_matrices_on_tiles_are_exact_but_for_g(k):
    u, out = winograd.KERNEL_OUT[k]
    assert winograd.IN.dtype == out.dtype == u.dtype == np.float32
    assert (np.abs(winograd.IN) < 2**24).all() and not (winograd.IN % 1).any()
    np.testing.assert_array_equal(winograd.IN, np.kron(winograd.BT, winograd.BT))
    np.testing.assert_array_equal(out, np.kron(winograd._powers(6 - k).T, winograd._powers(6 - k).T))
    g = winograd._powers(k - 1) / winograd.N[:, None]
    np.testing.assert_allclose(u, np.kron(g, g), rtol=1e-7)


def amplification(points, k):
    """Mean over the outputs of Σₑ Aₑⱼ² ‖Gₑ‖² ‖Bₑ‖²/k: by how much rounding errors of the products grow."""
    points = np.array(points)
    rest = [np.delete(points, e) for e in range(5)]
    b = np.array([*(np.square(np.poly(r)).sum() for r in rest), np.square(np.poly(points)).sum()])
    n = np.array([np.prod(p - r) for p, r in zip(points, rest, strict=True)])

    def powers(count):
        return np.vstack([np.vander(points, count, increasing=True), np.eye(count)[-1]])

    g = np.square(powers(k)).sum(1) / np.append(n, 1) ** 2
    return (np.square(powers(7 - k)) * (g * b)[:, None]).sum() / (7 - k) / k


@pytest.mark.parametrize(("k", "here", "lavin"), [(3, 4.762, 10.773), (5, 5.326, 12.272)])
def test_no_points_near_these_amplify_less(k, here, lavin):
    assert amplification([0, 1, -1, 2, -2], k) == pytest.approx(lavin, abs=1e-3)
    points = [u / v for u, v in winograd.POINTS[:-1]]
    assert winograd.POINTS[-1] == (1, 0)
    assert amplification(points, k) == pytest.approx(here, abs=1e-3)
    random, best = np.random.default_rng(0), amplification(points, k)
    for size, _ in itertools.product([0.01, 0.03, 0.1, 0.3, 1], range(300)):
        assert amplification(np.array(points) + size * random.standard_normal(5), k) > 0.995 * best
    others = np.linspace(0.3, 3, 55)
    assert (
        min(amplification([0, a, -a, b, -b], k) for a, b in itertools.combinations(others, 2)) > 0.995 * best
    )


def trio(x, w, g, padding, algorithm):
    rest = ONE, padding, ONE, 1
    return (
        convolution.conv2d(x, w, None, *rest, algorithm),
        convolution.conv2d_input_grad(g, w, x.shape, *rest, algorithm),
        convolution.conv2d_weight_grad(g, x, w.shape, *rest, algorithm),
    )


@pytest.mark.parametrize("k", [3, 5])
def test_errors_in_float32(k):
    """In standard deviations of the result, 64 channels; the direct sum: rms 0.4·10⁻⁶ at most."""
    random, padding = np.random.default_rng(0), (k // 2, 1)
    x, w = random.standard_normal((4, 64, 22, 18)), random.standard_normal((48, 64, k, k))
    y = plain.conv2d(np, x, w, None, ONE, padding, ONE, 1)
    g = random.standard_normal(y.shape)
    exact = (
        y,
        plain.conv2d_input_grad(np, g, w, x.shape, ONE, padding, ONE, 1),
        plain.conv2d_weight_grad(np, g, x, w.shape, ONE, padding, ONE, 1),
    )
    single = trio(*(a.astype(np.float32) for a in (x, w, g)), padding, "winograd")
    for actual, expected in zip(single, exact, strict=True):
        error = (actual - expected) / expected.std()
        assert np.abs(error).max() < 3e-5
        assert np.sqrt((error**2).mean()) < 2.2e-6
    assert np.sqrt(((single[0] - y) ** 2).mean()) < 1.2e-6 * y.std()


@pytest.mark.parametrize("k", [3, 5])
@pytest.mark.parametrize("images", [2, 8])  # of few numbers, and of many: looked at as a whole, or by blocks
@pytest.mark.parametrize("place", [(0, 0), (1, 2), (2, 3), (13, 14), (31, 31)])
def test_a_large_pixel_moves_nothing_that_does_not_see_it(k, images, place):
    random, padding, (i, j) = np.random.default_rng(0), (k // 2, k // 2), place
    x, g = (random.standard_normal((images, 32, 32, 32)).astype(np.float32) for _ in range(2))
    w = random.standard_normal((32, 32, k, k)).astype(np.float32)
    before = trio(x, w, g, padding, "winograd")
    large, gradient = x.copy(), g.copy()
    large[1, 3, i, j] = gradient[1, 3, i, j] = 1e6
    y, _, gw = trio(large, w, g, padding, "winograd")
    _, gx, _ = trio(x, w, gradient, padding, "winograd")
    around = np.s_[1, :, max(0, i - k // 2) : i + k // 2 + 1, max(0, j - k // 2) : j + k // 2 + 1]
    for after, now in ((y, before[0]), (gx, before[1])):
        moved = np.abs(after - now)
        assert moved[around].max() > 1e5
        moved[around] = 0
        assert moved.max() < 3e-6 * 1e6
    places = np.arange(k) - k // 2
    seen = [(places <= p) & (p < 32 + places) for p in place]  # by the weights at these places
    moved = np.abs(gw - before[2])
    moved[:, 3][:, np.outer(*seen)] = 0
    assert moved.max() < 3e-6 * 1e6


def test_blocks_with_and_without_large_pixels_repeat_bit_for_bit():
    random = np.random.default_rng(0)
    x, g = (random.standard_normal((3, 40, 60, 60)).astype(np.float32) for _ in range(2))
    w = random.standard_normal((40, 40, 3, 3)).astype(np.float32)
    x[1, 5, 30, 7] = x[2, 0, 0, 0] = g[0, 1, 50, 50] = 1e7
    runs = [trio(x, w, g, ONE, "winograd") for _ in range(3)]
    for actual, expected in zip(runs[0], trio(x, w, g, ONE, "im2col"), strict=True):
        assert np.abs(actual - expected).max() < 1e-5 * np.abs(expected).max()
    for run in runs[1:]:
        assert [a.tobytes() for a in run] == [a.tobytes() for a in runs[0]]
