"""Every user of a sum keeps its digits over long axes, in float32, in any order of memory.

The numbers are equal or nearly so: each step of a running sum then rounds to the same side. What is exact is
the same rule in float64.
"""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend
from tinygrad_notes.nn import functional as F

LONG = 1 << 17


def orders(rows: int, columns: int) -> dict[str, tg.Tensor]:
    """(rows, columns) Tensors of 0.1 and 0.1001 in several orders of memory."""
    values = np.full((rows, columns), 0.1, np.float32)
    values[:, 1::2] = 0.1001
    spread = tg.Tensor(np.repeat(values, 2, axis=1))
    return {
        "C": tg.Tensor(values),
        "F": tg.Tensor(values.T.copy()).T,
        "columns left out": spread[:, ::2],
        "rows left out": tg.Tensor(np.repeat(values, 2, axis=0))[::2],
        "backwards": tg.Tensor(values[::-1])[::-1],
        "broadcast": tg.broadcast_to(tg.Tensor(values[:1]), values.shape),
    }


def exact(got: tg.Tensor, want: np.ndarray, tolerance: float = 1e-6) -> None:
    assert got.dtype == np.float32
    np.testing.assert_allclose(got.detach().numpy(), want, rtol=tolerance)


@pytest.mark.parametrize("order", orders(1, 1))
@pytest.mark.parametrize("columns", [1, 2, 3, 5, 33])
def test_reductions_of_long_axes(order, columns):
    x = orders(LONG + 77, columns)[order]
    wide = x.numpy().astype(np.float64)
    exact(tg.sum(x, axis=0), wide.sum(0))
    exact(tg.mean(x, axis=0), wide.mean(0))
    exact(tg.sum(x), wide.sum())
    exact(tg.var(x * x + 1.0, axis=0) + 1.0, (wide**2).var(0) + 1)
    exact(tg.logsumexp(x, axis=0), np.log(np.exp(wide).sum(0)))


def test_means_of_two_to_the_25_numbers():
    """The rows of (2²⁵, 2), one by one: NumPy's sum of 0.1 is 6 to 40 % low here, and of ones half."""
    x = np.full((1 << 25, 2), 0.1, np.float32)
    exact(tg.mean(x, axis=0), np.full(2, np.float32(0.1), np.float64))
    x[...] = 1
    exact(tg.mean(x, axis=0), np.ones(2))


IMAGE = (1, 2, 512, 512)


def image(channels_last: bool, value: float = 5.1) -> tg.Tensor:
    if not channels_last:
        return tg.Tensor(np.full(IMAGE, value, np.float32), requires_grad=True)
    moved = np.full((1, 512, 512, 2), value, np.float32).transpose(0, 3, 1, 2)
    return tg.Tensor(backend.asarray(moved), requires_grad=True)


@pytest.mark.parametrize("channels_last", [False, True])
def test_global_pooling_and_its_windows(channels_last):
    x = image(channels_last)
    value = np.float64(np.float32(5.1))
    exact(F.adaptive_avg_pool2d(x, 1), np.full((1, 2, 1, 1), value))
    exact(F.adaptive_avg_pool2d(x, (3, 5)), np.full((1, 2, 3, 5), value))


@pytest.mark.parametrize("channels_last", [False, True])
def test_normalization_of_large_images(channels_last):
    """Around a large mean the whole of y is lost with the digits of the mean."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((1, 512, 512, 2)).astype(np.float32) + 30
    raw = noise.transpose(0, 3, 1, 2) if channels_last else np.ascontiguousarray(noise.transpose(0, 3, 1, 2))
    gy = rng.standard_normal(IMAGE) + 3
    for run in (
        lambda x: F.instance_norm(x), lambda x: F.group_norm(x, 1),
        lambda x: F.layer_norm(x, IMAGE[1:]),
        lambda x: tg.nn.BatchNorm2d(2).astype(x.dtype)(x),
    ):  # fmt: skip
        results = []
        for dtype in (np.float32, np.float64):
            x = tg.Tensor(raw, requires_grad=True, dtype=dtype)
            y = run(x)
            y.backward(gy.astype(dtype))
            results.append((y.detach().numpy(), x.grad.numpy()))
        (y, gx), (want, want_gx) = results
        assert np.abs(y - want).max() < 1e-5
        assert np.abs(gx - want_gx).max() < 1e-5 * np.abs(want_gx).max() + 1e-5


def test_bias_and_parameter_gradients_over_many_rows():
    x, bias = (
        tg.Tensor(np.full((100_000, 3), 0.1, np.float32)),
        tg.Tensor(np.zeros(3, "f"), requires_grad=True),
    )
    w = tg.Tensor(np.zeros((3, 3), "f"), requires_grad=True)
    F.linear(x, w, bias).backward(np.full((100_000, 3), 0.1, np.float32))
    exact(bias.grad, np.full(3, 1e5 * np.float64(np.float32(0.1))))
    scale = tg.Tensor(np.ones(3, "f"), requires_grad=True)
    (x * scale).backward(np.ones((100_000, 3), np.float32))  # broadcasting undone
    exact(scale.grad, np.full(3, 1e5 * np.float64(np.float32(0.1))))
    b = tg.Tensor(np.zeros(2, "f"), requires_grad=True)
    y = F.conv2d(image(True), tg.Tensor(np.zeros((2, 2, 1, 1), "f")), b)
    gy = np.full((1, 512, 512, 2), 0.1, np.float32).transpose(0, 3, 1, 2)
    y.backward(tg.Tensor(backend.asarray(gy)))
    exact(b.grad, np.full(2, 512 * 512 * np.float64(np.float32(0.1))))


@pytest.mark.parametrize("layout", ["C", "F"])
def test_losses_and_norms(layout):
    size, value = (1 << 17, 3), np.float64(np.float32(0.7))
    x = (
        tg.Tensor(np.full(size, 0.7, np.float32))
        if layout == "C"
        else tg.Tensor(np.full(size[::-1], 0.7, "f")).T
    )
    zero = tg.Tensor(np.zeros(size, np.float32))
    exact(F.mse_loss(x, zero), value**2)
    exact(F.l1_loss(x, zero), value)
    exact(F.huber_loss(x, zero), value**2 / 2)
    exact(F.cross_entropy(x, np.zeros(size[0], np.int64)), np.log(3))
    exact(F.binary_cross_entropy_with_logits(x, zero), np.log1p(np.exp(value)))
    p = tg.nn.Parameter(np.zeros(size, np.float32))
    p.grad = x.detach() if layout == "C" else tg.Tensor(x.numpy())
    exact(tg.optim.clip_grad_norm_([p], 1.0), value * np.sqrt(3 * size[0]))


@pytest.mark.parametrize("subscripts, shapes", [
    ("nc,nc->c", ((LONG, 3), (LONG, 3))), ("nc,cn->", ((LONG, 3), (3, LONG))), ("n,n->", ((LONG,), (LONG,))),
    ("nc,c->", ((LONG, 3), (3,))),
])  # fmt: skip
def test_einsum_as_a_sum(subscripts, shapes):
    a = tg.Tensor(np.full(shapes[0], 0.1, np.float32))
    got = tg.einsum(subscripts, a, np.ones(shapes[1], np.float32))
    exact(got, np.einsum(subscripts, a.numpy().astype(np.float64), np.ones(shapes[1])))


@pytest.mark.parametrize(
    "shapes", [((3, 2, 4), (5, 3, 4, 2)), ((6, 5, 3, 2, 4), (3, 4, 2)), ((2, 4), (5, 4, 2))]
)
def test_the_axes_of_dots_are_lined_up_from_the_right(shapes):
    a, b = (np.random.default_rng(0).standard_normal(shape) for shape in shapes)
    got = tg.einsum("...ij,...jk->...ik", tg.Tensor(a), tg.Tensor(b)).numpy()
    np.testing.assert_allclose(got, a @ b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("order", orders(1, 1))
def test_float64_keeps_its_digits_too(order):
    x = tg.Tensor(orders(LONG, 3)[order].numpy() / 3, dtype="float64")
    want = [float(sum(map(int, column))) / 2**60 for column in (x.numpy() * 2**60).T]  # in integers
    np.testing.assert_allclose(tg.sum(x, axis=0).numpy(), want, rtol=1e-12)


def test_a_sum_shares_no_memory_with_its_input():
    x = backend.asarray(np.ones((1, 3000), np.float32))
    for axis in ((), 0, (0,)):
        total = backend.xp.sum(x, axis=axis)
        total += 1
        assert backend.to_numpy(x).max() == 1


@pytest.mark.parametrize("subscripts", ["iii->i", "iii", "iji->j"])
def test_a_letter_may_stand_three_times_in_an_einsum(subscripts):
    x = np.random.default_rng(0).standard_normal((3, 3, 3))
    np.testing.assert_allclose(tg.einsum(subscripts, x).numpy(), np.einsum(subscripts, x), 1e-12)


def test_half_precision_may_be_given_by_keyword():
    random = np.random.default_rng(0)
    x = tg.Tensor(random.standard_normal((2, 3, 4)).astype(np.float16))
    w, b = (tg.Tensor(random.standard_normal(3).astype(np.float16)) for _ in range(2))
    found = F.instance_norm(x, weight=w, bias=b)
    assert found.dtype == np.float16
    x, w, b = (t.astype("float32") for t in (x, w, b))
    single = F.instance_norm(x, weight=w, bias=b)
    np.testing.assert_allclose(found.numpy(), single.numpy(), 2e-3, 2e-3)
