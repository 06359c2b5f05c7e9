"""NaN, infinities and the limits of float16: values and gradients as torch's, or as the pages say.

Warnings are errors in the tests, so none of these lines makes NumPy warn.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_notes as tg
from tests.op_table import value_and_gradient
from tinygrad_notes.nn import functional as F

INF, NAN = math.inf, math.nan
X = np.array([NAN, 1.0, -1.0, 0.5])

# name: ours, torch's with `t` for torch, value and gradient at X
ELEMENTWISE = {
    "relu": (tg.relu, lambda t, x: t.relu(x), [NAN, 1, 0, 0.5], [1, 1, 0, 1]),
    "leaky_relu": (lambda x: tg.leaky_relu(x, 0.25), lambda t, x: t.nn.functional.leaky_relu(x, 0.25),
                   [NAN, 1, -0.25, 0.5], [0.25, 1, 0.25, 1]),
    "maximum": (lambda x: tg.maximum(x, 0.5), lambda t, x: t.maximum(x, t.tensor(0.5)),
                [NAN, 1, 0.5, 0.5], [1, 1, 0, 0.5]),
    "minimum": (lambda x: tg.minimum(x, 0.5), lambda t, x: t.minimum(x, t.tensor(0.5)),
                [NAN, 0.5, -1, 0.5], [1, 0, 1, 0.5]),
    "clip": (lambda x: tg.clip(x, 0.0, 0.75), lambda t, x: t.clip(x, 0.0, 0.75),
             [NAN, 0.75, 0, 0.5], [0, 0, 0, 1]),
    "abs": (tg.abs, lambda t, x: t.abs(x), [NAN, 1, 1, 0.5], [0, 1, -1, 1]),
    "where": (lambda x: tg.where(x > 0, x, 0.0), lambda t, x: t.where(x > 0, x, 0.0),
              [0, 1, 0, 0.5], [0, 1, 0, 1]),
    "masked_fill": (lambda x: tg.masked_fill(x, x != x, 0.0), lambda t, x: x.masked_fill(x != x, 0.0),
                    [0, 1, -1, 0.5], [0, 1, 1, 1]),
    "silu": (tg.silu, lambda t, x: t.nn.functional.silu(x), None, None),
    "elu": (tg.elu, lambda t, x: t.nn.functional.elu(x), None, None),
    "cumsum": (lambda x: tg.cumsum(x, 0), lambda t, x: t.cumsum(x, 0), None, [4, 3, 2, 1]),
    "norm": (tg.norm, lambda t, x: t.linalg.vector_norm(x), NAN, [NAN] * 4),
    "sort": (tg.sort, lambda t, x: t.sort(x).values, [-1, 0.5, 1, NAN], [1, 1, 1, 1]),
    "sigmoid": (tg.sigmoid, lambda t, x: t.sigmoid(x), None, None),
    "tanh": (tg.tanh, lambda t, x: t.tanh(x), None, None),
    "softplus": (tg.softplus, lambda t, x: t.nn.functional.softplus(x), None, None),
    "gelu": (tg.gelu, lambda t, x: t.nn.functional.gelu(x), None, None),
    "exp": (tg.exp, lambda t, x: t.exp(x), None, None),
    "power 0": (lambda x: x**0, lambda t, x: x**0, [1, 1, 1, 1], [0, 0, 0, 0]),
    "max": (tg.max, lambda t, x: t.max(x), NAN, [1, 0, 0, 0]),
    "min": (tg.min, lambda t, x: t.min(x), NAN, [1, 0, 0, 0]),
    "sum": (tg.sum, lambda t, x: t.sum(x), NAN, [1, 1, 1, 1]),
    "mean": (tg.mean, lambda t, x: t.mean(x), NAN, [0.25] * 4),
    "std": (tg.std, lambda t, x: t.std(x, correction=0), NAN, [NAN] * 4),
    "logsumexp": (tg.logsumexp, lambda t, x: t.logsumexp(x, 0), NAN, [NAN] * 4),
    "softmax": (tg.softmax, lambda t, x: t.softmax(x, 0), [NAN] * 4, [NAN] * 4),
    "log_softmax": (tg.log_softmax, lambda t, x: t.log_softmax(x, 0), [NAN] * 4, [NAN] * 4),
    "max_pool2d": (lambda x: F.max_pool2d(x.reshape(1, 1, 1, 4), (1, 2)).reshape(2),
                   lambda t, x: t.nn.functional.max_pool2d(x.reshape(1, 1, 1, 4), (1, 2)).reshape(2),
                   [NAN, 0.5], [1, 0, 0, 1]),
    "avg_pool2d": (lambda x: F.avg_pool2d(x.reshape(1, 1, 1, 4), (1, 2)).reshape(2),
                   lambda t, x: t.nn.functional.avg_pool2d(x.reshape(1, 1, 1, 4), (1, 2)).reshape(2),
                   [NAN, -0.25], [0.5] * 4),
    "huber_loss": (lambda x: F.huber_loss(x, tg.Tensor(np.zeros(4, x.dtype)), reduction="none"),
                   lambda t, x: t.nn.functional.huber_loss(x, t.zeros(4), reduction="none"), None, None),
    "l1_loss": (lambda x: F.l1_loss(x, tg.Tensor(np.zeros(4, x.dtype)), reduction="none"),
                lambda t, x: t.nn.functional.l1_loss(x, t.zeros(4), reduction="none"),
                [NAN, 1, 1, 0.5], [0, 1, -1, 1]),
}  # fmt: skip


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_nan_is_treated_as_in_torch(name):
    run, theirs, value, slope = ELEMENTWISE[name]
    y, g = value_and_gradient(run, X, np.float32)
    if value is not None:
        np.testing.assert_array_equal(y, np.array(value, np.float32))
        np.testing.assert_array_equal(g, np.array(slope, np.float32))
    torch = pytest.importorskip("torch")
    x = torch.tensor(X, dtype=torch.float32, requires_grad=True)
    out = theirs(torch, x)
    out.backward(torch.ones_like(out))
    np.testing.assert_allclose(y, out.detach().numpy(), rtol=1e-6)
    np.testing.assert_allclose(g, x.grad.numpy(), rtol=1e-6)


def test_nan_in_what_has_no_gradient():
    x = tg.Tensor(X)
    assert tg.sign(x).numpy().tolist() == [0, 1, -1, 1]
    assert (tg.argmax(x).item(), tg.argmin(x).item()) == (0, 0)
    assert (x == x).numpy().tolist() == [False, True, True, True]
    assert (x != x).numpy().tolist() == [True, False, False, False]
    assert not (x < x).numpy().any() and not (x >= NAN).numpy().any()


@pytest.mark.parametrize("run", [tg.maximum, tg.minimum])
def test_both_get_the_gradient_where_one_is_nan(run):
    a, b = (tg.Tensor(v, requires_grad=True) for v in ([NAN, 1.0, NAN], [1.0, NAN, NAN]))
    run(a, b).sum().backward()
    for x in (a, b):
        np.testing.assert_array_equal(x.grad.numpy(), [1, 1, 1])


@pytest.mark.parametrize("run", [tg.max, tg.min])
def test_nans_of_a_line_share_its_gradient(run):
    x = [[NAN, 1.0, NAN], [3.0, 2.0, 3.0 if run is tg.max else 2.0]]
    y, g = value_and_gradient(lambda x: run(x, axis=1), x)
    assert np.isnan(y[0]) and g[0].tolist() == [0.5, 0, 0.5]
    assert g[1].sum() == 1
    x = tg.Tensor(x, requires_grad=True)
    run(x, axis=1).backward(np.array([INF, INF], np.float32))  # 0 · ∞ stays out of the others
    assert x.grad.numpy()[0].tolist() == [INF, 0, INF] and not np.isnan(x.grad.numpy()).any()


LINES = [[NAN, 1.0], [INF, 1.0], [INF, INF], [-INF, 1.0], [-INF, -INF], [INF, -INF], [NAN, INF], [-INF, NAN],
         [3e38, 3e38], [INF, 3e38], [NAN, 3e38]]  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_logsumexp_of_infinities_and_nan(line):
    """As torch's, but for the gradient 0 of a line of −∞."""
    y, g = value_and_gradient(lambda v: tg.logsumexp(v, axis=0), line, np.float32)
    top = max(line, key=lambda v: (math.isnan(v), v))
    assert math.isnan(y) if math.isnan(top) else y == np.float32(top)  # 3e38 + ln 2 too
    if math.isnan(top):
        want = [NAN, NAN]
    elif top == INF:
        want = [NAN if v == INF else 0 for v in line]
    else:
        want = {-INF: [0, 0]}.get(top, [0, 1] if line[0] == -INF else [1, 1])
    np.testing.assert_array_equal(g, want)
    torch = pytest.importorskip("torch")
    x = torch.tensor(line, requires_grad=True)
    out = torch.logsumexp(x, 0)
    out.backward()
    np.testing.assert_array_equal(y, out.detach().numpy())
    if top != -INF:
        np.testing.assert_array_equal(g, x.grad.numpy())


def test_second_derivatives_of_logsumexp_beside_infinite_lines():
    x = tg.Tensor([[INF, 0.0], [-INF, -INF], [0.0, 0.0]], requires_grad=True, dtype="float64")
    (g,) = tg.grad(tg.logsumexp(x, axis=1)[2], x, create_graph=True)
    (h,) = tg.grad(g[2, 0], x)
    np.testing.assert_allclose(h.numpy()[2], [0.25, -0.25])


@pytest.mark.parametrize("line", [line for line in LINES if not (INF in line and 3e38 in line)])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_infinities_and_nan(name, line):
    y, g = value_and_gradient(getattr(tg, name), line, np.float32)
    torch = pytest.importorskip("torch")
    x = torch.tensor(line, requires_grad=True)
    out = getattr(torch, name)(x, 0)
    out.backward(torch.ones(2))
    np.testing.assert_array_equal(y, out.detach().numpy())
    np.testing.assert_allclose(g, x.grad.numpy(), atol=1e-6)


# ---- 0 × ∞ --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 13])
@pytest.mark.parametrize("huge", [1e20, INF, NAN])
def test_response_normalization_keeps_infinity_in_its_windows(size, huge):
    values = np.random.default_rng(0).standard_normal((2, 6, 2, 1)).astype(np.float32)
    values[0, 0, 0, 0] = huge
    gy = np.random.default_rng(1).standard_normal(values.shape).astype(np.float32)
    x = tg.Tensor(values, requires_grad=True)
    with np.errstate(over="ignore", invalid="ignore"):  # 1e20² and ∞/∞ are what they are
        y = F.local_response_norm(x, size)
        y.backward(gy)
    sees = np.zeros(values.shape, bool)
    sees[0, : size // 2 + 1, 0, 0] = True  # i − size//2 ≤ 0
    assert np.isfinite(y.detach().numpy()[~sees]).all()
    calm = values.copy()
    calm[0, 0, 0, 0] = 0
    assert np.isfinite(x.grad.numpy()[1]).all()
    np.testing.assert_array_equal(
        y.detach().numpy()[~sees], F.local_response_norm(tg.Tensor(calm), size).numpy()[~sees]
    )
    torch = pytest.importorskip("torch")
    theirs = torch.tensor(values, requires_grad=True)
    out = torch.nn.functional.local_response_norm(theirs, size)
    out.backward(torch.tensor(gy))
    np.testing.assert_allclose(y.detach().numpy(), out.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(x.grad.numpy(), theirs.grad.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 3), (2, 3), (1, 1), (3, 7), (1, 5)])
@pytest.mark.parametrize("huge", [INF, -INF, NAN])
def test_adaptive_pooling_keeps_infinity_in_its_windows(size, huge):
    values = np.arange(20, dtype=np.float32).reshape(1, 1, 4, 5)
    values[0, 0, 0, 0] = huge
    x = tg.Tensor(values, requires_grad=True)
    y = F.adaptive_avg_pool2d(x, size)
    gy = np.arange(1, 1 + math.prod(size), dtype=np.float32).reshape(y.shape)
    gy[..., -1] = INF
    y.backward(gy)
    assert (~np.isfinite(y.detach().numpy())).sum() == (
        np.ones(size)[: -(-size[0] // 4), : -(-size[1] // 5)]
    ).size
    torch = pytest.importorskip("torch")
    theirs = torch.tensor(values, requires_grad=True)
    out = torch.nn.functional.adaptive_avg_pool2d(theirs, size)
    out.backward(torch.tensor(gy))
    np.testing.assert_allclose(y.detach().numpy(), out.detach().numpy(), rtol=1e-6)
    np.testing.assert_allclose(x.grad.numpy(), theirs.grad.numpy(), rtol=1e-6)


def test_binary_cross_entropy_of_certain_logits():
    x = [INF, INF, -INF, -INF, INF, NAN]
    t = tg.Tensor([0.0, 1.0, 0.0, 1.0, 0.5, 0.0])
    y, g = value_and_gradient(
        lambda x: F.binary_cross_entropy_with_logits(x, t, reduction="none"), x, np.float32
    )
    np.testing.assert_array_equal(y, [INF, 0, 0, INF, INF, NAN])
    np.testing.assert_array_equal(g, [1, 0, 0, -1, 0.5, NAN])


def test_an_ignored_row_may_hold_anything():
    x = [[NAN, 1.0], [INF, INF], [0.0, 0.0]]
    for loss in (F.cross_entropy, F.nll_loss):
        y, g = value_and_gradient(lambda x, loss=loss: loss(x, np.array([-100, -100, 1])), x)
        assert np.isfinite(y)
        np.testing.assert_array_equal(g[:2], np.zeros((2, 2)))


@pytest.mark.parametrize("run, cut", [
    (tg.relu, [0, 2]), (tg.abs, [2]), (lambda x: tg.leaky_relu(x, 0.0), []), (lambda x: x**0, [0, 1, 2]),
    (lambda x: tg.clip(x, 0.5, 9.0), [0, 2]), (lambda x: tg.maximum(x, 0.5), [0, 2]),
    (lambda x: tg.where(x > 0.5, x, 0.0), [0, 2]),
])  # fmt: skip
def test_an_infinite_gradient_stays_out_where_the_slope_is_zero_by_comparison(run, cut):
    x = tg.Tensor([-1.0, 4.0, 0.0], requires_grad=True)
    with np.errstate(invalid="ignore"):  # 0 · ∞ of the slope 0, which is a factor
        run(x).backward(np.full(3, INF, np.float32))
    assert x.grad.numpy()[cut].tolist() == [0] * len(cut)


def test_std_of_equal_numbers_under_an_infinite_gradient():
    x = tg.Tensor([2.0, 2.0], requires_grad=True)
    tg.std(x).backward(np.array(INF, np.float32))
    np.testing.assert_array_equal(x.grad.numpy(), [0, 0])


def test_dropout_of_float16_by_nearly_all():
    """1/(1 − p) is infinite in float16; what is dropped is 0 all the same."""
    x = tg.Tensor(np.ones(1000, np.float16))
    y = F.dropout(x, 1 - 1e-6).numpy()
    assert set(y.tolist()) <= {0.0, INF}


@pytest.mark.parametrize("p", [float("nan"), 0.999, 0, -INF])
def test_below_one_or_nan_there_is_no_norm(p):
    with pytest.raises(ValueError, match="norm: p must be at least 1, got"):
        tg.norm(tg.Tensor([3.0, 4.0]), p)


@pytest.mark.parametrize("p", [0, 0.5, 1])
def test_a_mask_of_dropout_that_is_given_is_taken_whatever_p(p):
    x, mask = tg.Tensor([1.0, 2.0, 3.0]), np.array([0.0, 2.0, 1.0])
    np.testing.assert_array_equal(F.dropout(x, p, mask=mask).numpy(), [0, 4, 3])
    np.testing.assert_array_equal(F.dropout(x, p, training=False, mask=mask).numpy(), [1, 2, 3])


# ---- float16 ------------------------------------------------------------------------------------

MANY = 70_000  # beyond 65504, and 1/70000 has three digits in float16


@pytest.mark.parametrize("name, run", {
    "max": tg.max, "min": tg.min, "mean": tg.mean, "var": tg.var, "std": tg.std,
    "var ddof": lambda x: tg.var(x, ddof=1),
    "logsumexp": tg.logsumexp, "softmax": tg.softmax, "log_softmax": tg.log_softmax,
    "max of equal": lambda x: tg.max(x - x.detach()),
    "mse_loss": lambda x: F.mse_loss(x, tg.Tensor(np.full(MANY, 0.5, x.dtype))),
    "l1_loss": lambda x: F.l1_loss(x, tg.Tensor(np.full(MANY, 0.5, x.dtype))),
    "huber_loss": lambda x: F.huber_loss(x, tg.Tensor(np.full(MANY, 0.5, x.dtype))),
    "cross_entropy": lambda x: F.cross_entropy(x.reshape(-1, 2), np.zeros(MANY // 2, np.int64)),
    "cross_entropy, one row": lambda x: F.cross_entropy(x.reshape(1, -1), np.array([3])),
    "nll_loss": lambda x: F.nll_loss(x.reshape(-1, 1), np.zeros(MANY, np.int64)),
    "bce": lambda x: F.binary_cross_entropy_with_logits(x, tg.Tensor(np.ones(MANY, x.dtype))),
    "layer_norm": lambda x: F.layer_norm(x, (MANY,)),
    "group_norm": lambda x: F.group_norm(x.reshape(1, 2, -1), 1),
    "instance_norm": lambda x: F.instance_norm(x.reshape(1, 1, -1)),
    "batch_norm": lambda x: tg.nn.BatchNorm1d(1).astype(x.dtype)(x.reshape(-1, 1)),
    "local_response_norm": lambda x: F.local_response_norm(x.reshape(1, -1, 10) * 256.0, 5),
    "avg_pool2d": lambda x: F.avg_pool2d(x.reshape(1, 1, 280, 250), (280, 250)),
    "adaptive_avg_pool2d": lambda x: F.adaptive_avg_pool2d(x.reshape(1, 1, 280, 250), (1, 3)),
    "global pooling": lambda x: F.adaptive_avg_pool2d(x.reshape(1, 1, 280, 250), 1),
}.items())  # fmt: skip
def test_float16_counts_squares_and_adds_in_float32(name, run):
    """As if computed in float32 and rounded, gradients too."""
    values = np.random.default_rng(0).standard_normal(MANY).astype(np.float16)
    results = []
    for dtype in (np.float16, np.float32):
        x = tg.Tensor(values.astype(dtype), requires_grad=True)
        y = run(x)
        gy = np.ones(y.shape) if y.ndim == 0 else np.random.default_rng(1).standard_normal(y.shape)
        y.backward(gy.astype(np.float16).astype(dtype))
        assert y.dtype == x.grad.dtype == dtype
        results.append((y.detach().numpy(), x.grad.numpy()))
    (y, g), (want, want_g) = results
    np.testing.assert_allclose(y, want, rtol=2e-3, atol=1e-7)
    np.testing.assert_allclose(g, want_g, rtol=4e-3, atol=2e-7 + 1e-6 * np.abs(want_g).max())
    assert (g != 0).any()


def test_float16_beyond_its_largest_number():
    x = tg.Tensor(np.full(MANY, 300, np.float16), requires_grad=True)
    assert tg.mean(x).item() == 300  # the sum is 2.1e7
    both = x - tg.Tensor(np.tile(np.array([0, 600], np.float16), MANY // 2))  # ±300
    assert tg.std(both).item() == 300
    with np.errstate(over="ignore"):
        assert tg.var(both).item() == INF  # 90000
    tg.max(x).backward()
    np.testing.assert_allclose(x.grad.numpy(), 1 / MANY, rtol=4e-3)


def test_a_mixture_with_float16_is_still_refused():
    with pytest.raises(TypeError, match="float16"):
        F.layer_norm(tg.Tensor(np.ones((2, 3), np.float16)), (3,), tg.Tensor(np.ones(3, np.float32)))
