"""Products with zeros, running sums, norms at 0, sorts with ties: values and gradients beside torch's."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import tinygrad_notes as tg
from tests.op_table import value_and_gradient

RNG = np.random.default_rng(0)
WITH_ZEROS = [
    [2.0, 3.0, 5.0], [2.0, 0.0, 5.0], [0.0, 3.0, 0.0], [0.0, 0.0, 0.0], [0.0], [7.0], [2.0, 0.0],
    [1.0, -2.0, 3.0, 0.0, 5.0], [2.0] * 9, [math.inf, 2.0, 3.0],
]  # fmt: skip


def torch_gradient(run, x):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    x = torch.tensor(np.asarray(x, np.float64), requires_grad=True)
    y = run(x)
    y.sum().backward()
    return y.detach().numpy(), x.grad.numpy()


@pytest.mark.parametrize("x", WITH_ZEROS, ids=str)
def test_a_product_has_the_products_of_the_others_as_gradient(x):
    y, g = value_and_gradient(tg.prod, x)
    assert y == math.prod(x)
    assert g.tolist() == [math.prod(x[:i] + x[i + 1 :]) for i in range(len(x))]
    if math.isfinite(sum(x)):  # there torch divides ∞ by ∞
        assert g.tolist() == torch_gradient(lambda t: t.prod(), x)[1].tolist()


@pytest.mark.parametrize("x", [[2.0, 0.0, 5.0], [0.0, 3.0, 0.0, 4.0], [0.0, 0.0, 0.0]], ids=str)
def test_the_second_derivative_of_a_product_with_zeros(x):
    """∂²y/∂xᵢ∂xⱼ is the product of all but these two."""
    t = tg.Tensor(x, requires_grad=True, dtype="float64")
    assert tg.gradgradcheck(tg.prod, (t,))
    (g,) = tg.grad(tg.prod(t), t, create_graph=True)
    for i in range(len(x)):
        (row,) = tg.grad(g[i], t, retain_graph=True)
        rest = [
            0.0 if i == j else math.prod(v for k, v in enumerate(x) if k not in (i, j)) for j in range(len(x))
        ]
        assert row.numpy().tolist() == rest


@pytest.mark.parametrize(
    "axis, keepdims", [(None, False), (1, True), ((0, 2), False), (-1, False), ((), False)]
)
@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 0, 3), (1, 1, 1)])
def test_products_over_axes(shape, axis, keepdims):
    x = RNG.normal(size=shape)
    t = tg.Tensor(x, requires_grad=True)
    y = t.prod(axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(y.detach().numpy(), np.prod(x, axis=axis, keepdims=keepdims))
    assert tg.gradcheck(lambda t: t.prod(axis=axis, keepdims=keepdims), (t,))


def test_products_of_integers_are_integers():
    assert tg.prod(tg.Tensor([2, 3])).item() == 6 and tg.prod(tg.Tensor([2, 3])).dtype == np.int64
    assert tg.prod(tg.Tensor([True, False])).dtype.kind == "i"


def test_a_product_that_float16_cannot_hold_on_the_way():
    assert (
        tg.prod(tg.Tensor(np.array([300, 300, 1 / 256, 1 / 256], np.float16))).item()
        == np.float16(300 / 256) ** 2
    )


def test_running_sums_keep_their_digits():
    x = np.full((1 << 20, 2), 0.1, np.float32)
    y = tg.cumsum(x, 0)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y[-1].numpy(), [104857.6] * 2, rtol=1e-6)
    assert tg.cumsum(tg.Tensor([1, 2, 3]), 0).numpy().tolist() == [1, 3, 6]
    assert tg.cumsum(tg.Tensor([True, True]), -1).dtype.kind == "i"
    assert tg.cumsum(np.zeros((2, 0, 3)), axis=1).shape == (2, 0, 3)


def test_the_gradient_of_a_running_sum_is_the_running_sum_from_the_end():
    x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    x.cumsum(0).backward([1.0, 10.0, 100.0])
    assert x.grad.numpy().tolist() == [111.0, 110.0, 100.0]


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, math.inf])
@pytest.mark.parametrize("x", [[0.0, 0.0], [3.0, 0.0, -4.0], [2.0, -2.0], [-1.0]], ids=str)
def test_a_norm_at_zero_has_the_sub_gradient_of_torch(p, x):
    y, g = value_and_gradient(lambda t: tg.norm(t, p), x)
    e, want = torch_gradient(lambda t: t.norm(p), x)
    np.testing.assert_allclose(y, e, rtol=1e-14)
    np.testing.assert_allclose(g, want, rtol=1e-14)
    assert np.isfinite(g).all()


def test_a_norm_that_is_zero_in_one_row_only():
    x = tg.Tensor([[0.0, 0.0], [3.0, 4.0]], requires_grad=True)
    tg.norm(x, axis=1).sum().backward()
    assert x.grad.numpy().tolist() == [[0.0, 0.0], [np.float32(0.6), np.float32(0.8)]]


def test_norms_are_those_of_one_vector():
    x = RNG.normal(size=(3, 4))
    assert tg.norm(x).item() == pytest.approx(np.linalg.norm(x.ravel()))
    assert tg.norm(np.zeros((2, 0)), axis=1).numpy().tolist() == [0.0, 0.0]
    assert tg.norm(np.full(70_000, 10, np.float16)).item() == pytest.approx(2646, abs=2)  # squares are 7e6


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, -1])
@pytest.mark.parametrize("p", [1, 2, 3, math.inf])
def test_norms_are_numpys(p, axis, keepdims):
    x = RNG.normal(size=(3, 4))
    want = np.linalg.norm(x.ravel() if axis is None else x, p, axis)
    want = np.reshape(want, (1, 1)) if axis is None and keepdims else want
    want = np.expand_dims(want, axis) if axis is not None and keepdims else want
    for y in (tg.norm(x, p, axis, keepdims), tg.Tensor(x).norm(p, axis=axis, keepdims=keepdims)):
        assert y.shape == want.shape
        np.testing.assert_allclose(y.numpy(), want, rtol=1e-14)


TIES = np.array([[2.0, 1.0, 2.0, 1.0, 2.0], [0.0, 0.0, 0.0, 0.0, 0.0]])


@pytest.mark.parametrize("descending", [False, True])
def test_ties_keep_their_order_and_so_do_their_gradients(descending):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    places = tg.argsort(TIES, descending=descending).numpy()
    want = torch.from_numpy(TIES).sort(dim=-1, descending=descending, stable=True)
    np.testing.assert_array_equal(places, want.indices.numpy())
    x = tg.Tensor(TIES, requires_grad=True)
    weights = np.arange(10.0).reshape(2, 5)
    x.sort(descending=descending).backward(weights)
    t = torch.tensor(TIES, requires_grad=True)
    t.sort(dim=-1, descending=descending, stable=True).values.backward(torch.from_numpy(weights))
    np.testing.assert_array_equal(x.grad.numpy(), t.grad.numpy())


def test_topk_gives_the_first_of_equals():
    values, places = tg.topk(TIES, 2)
    assert values.numpy().tolist() == [[2.0, 2.0], [0.0, 0.0]] and places.numpy().tolist() == [[0, 2], [0, 1]]
    values, places = tg.Tensor(TIES).topk(3, largest=False)
    assert places.numpy().tolist() == [[1, 3, 0], [0, 1, 2]]
    assert tg.topk(TIES, 0)[0].shape == (2, 0)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("largest", [True, False])
def test_topk_of_any_count_is_the_begin_of_the_order(axis, largest):
    x = RNG.permutation(np.arange(12.0)).reshape(3, 4)
    order = np.argsort(-x if largest else x, axis)
    for k in range(x.shape[axis] + 1):
        values, places = tg.topk(x, k, axis, largest)
        want = np.take(order, range(k), axis)
        np.testing.assert_array_equal(places.numpy(), want)
        np.testing.assert_array_equal(values.numpy(), np.take_along_axis(x, want, axis))


@pytest.mark.parametrize("descending", [False, True])
def test_nan_is_the_largest_number(descending):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    x = np.array([1.0, np.nan, 3.0, -np.inf, np.nan, np.inf])
    want = torch.from_numpy(x).sort(descending=descending, stable=True)
    np.testing.assert_array_equal(tg.argsort(x, descending=descending).numpy(), want.indices.numpy())
    np.testing.assert_array_equal(tg.sort(x, descending=descending).numpy(), want.values.numpy())


def test_what_is_filled_in_keeps_its_digits_and_the_dtype():
    for dtype in (np.float16, np.float32, np.float64):
        x = tg.Tensor(np.ones(2, dtype))
        for value in (0.1, np.float64(0.1), tg.Tensor(0.1, dtype="float64")):
            y = x.masked_fill([True, False], value)
            assert y.dtype == dtype and y.numpy().tolist() == [dtype(0.1), 1.0]
    assert tg.masked_fill(tg.Tensor([1, 2]), [True, False], 7).numpy().tolist() == [7, 2]
    assert tg.masked_fill(tg.Tensor([1.0, 2.0]), [True, False], -np.inf).numpy().tolist() == [-np.inf, 2.0]


def test_orders_of_nothing_and_of_integers():
    assert tg.sort(np.zeros((2, 0))).shape == (2, 0)
    assert tg.sort(tg.Tensor([3, 1, 2])).numpy().tolist() == [1, 2, 3]
    assert tg.sort(tg.Tensor([3, 1, 2])).dtype == np.int64


@pytest.mark.parametrize("shapes", list(itertools.product([(1,), (3,)], [(2, 1), (3,), ()])), ids=str)
def test_limits_are_summed_back_to_their_shapes(shapes):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    arrays = [
        RNG.normal(size=(2, 3)),
        *(RNG.normal(size=s) + d for s, d in zip(shapes, (-0.5, 0.5), strict=True)),
    ]
    ours = [tg.Tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    y, e = tg.clip(*ours), torch.clamp(*theirs)
    np.testing.assert_array_equal(y.detach().numpy(), e.detach().numpy())
    weights = RNG.normal(size=(2, 3))
    y.backward(weights)
    e.backward(torch.from_numpy(weights))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), atol=1e-14)


def test_at_a_limit_x_gets_the_gradient():
    x, low, high = (
        tg.Tensor(v, requires_grad=True) for v in ([1.0, 2.0, 5.0], [1.0, 3.0, 6.0], [4.0, 4.0, 5.0])
    )
    y = tg.clip(x, low, high)
    y.sum().backward()
    assert y.detach().numpy().tolist() == [1.0, 3.0, 5.0]
    assert [t.grad.numpy().tolist() for t in (x, low, high)] == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_limits_do_not_change_the_dtype():
    x = tg.Tensor([0.5, 1.5])
    assert tg.clip(x, np.float64(0.0), 1).dtype == tg.clip(x, [0.0, 1.0], x).dtype == np.float32
    assert tg.clip(tg.Tensor([1, 9]), tg.Tensor([2, 2]), 5).numpy().tolist() == [2, 5]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32, np.int64])
def test_rounding_keeps_the_dtype(dtype):
    x = tg.Tensor(np.array([-2.5, -0.5, 0.5, 1.5, 7.0]).astype(dtype))
    for function, of in ((tg.floor, np.floor), (tg.ceil, np.ceil), (tg.round, np.round)):
        y = function(x)
        assert y.dtype == dtype and not y.requires_grad
        np.testing.assert_array_equal(y.numpy(), of(x.numpy()))
    assert tg.round(tg.Tensor([1.26, -1.26]), 1).numpy().tolist() == [np.float32(1.3), np.float32(-1.3)]


def test_truths():
    a, b = tg.Tensor([0.0, 2.0, np.nan, 0.0]), tg.Tensor([1, 0, 1, 0])
    assert tg.logical_and(a, b).numpy().tolist() == [False, False, True, False]
    assert tg.logical_or(a, b).numpy().tolist() == [True, True, True, False]
    assert tg.logical_xor(a, b).numpy().tolist() == [True, True, False, False]
    assert tg.logical_not(a).numpy().tolist() == [True, False, False, True]
    assert tg.logical_and(a, True).dtype == bool
    assert tg.isnan(a).numpy().tolist() == [False, False, True, False]


@pytest.mark.parametrize("x", [-1e4, -3.0, -0.0, 0.0, 2.0, 1e4, math.nan])
def test_slopes_of_silu_and_elu_are_those_of_torch(x):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    F, T = tg.nn.functional, torch.nn.functional
    for ours, theirs in (
        (F.silu, T.silu),
        (F.elu, T.elu),
        (lambda t: F.elu(t, 0.5), lambda t: T.elu(t, 0.5)),
    ):
        for a, b in zip(value_and_gradient(ours, [x]), torch_gradient(theirs, [x]), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-14)
    for ours, theirs in ((tg.nn.SiLU(), torch.nn.SiLU()), (tg.nn.ELU(0.5), torch.nn.ELU(0.5))):
        np.testing.assert_allclose(ours(tg.Tensor([x])).numpy(), theirs(torch.tensor([x])).numpy(), rtol=1e-6)


WRONG = [
    (lambda x: tg.norm(x, 0.5), ValueError, "norm: p must be at least 1, got 0.5"),
    (lambda x: tg.norm(tg.Tensor([1, 2])), TypeError, "norm: x must be real numbers, got int64"),
    (lambda x: tg.cumsum(x, 2), ValueError, r"cumsum: axis 2 is out of range .* \(2, 3\)"),
    (lambda x: tg.cumsum(x, None), ValueError, "cumsum: needs one axis, got None"),
    (lambda x: tg.prod(x, axis=-3), ValueError, "prod: axis -3 is out of range"),
    (lambda x: tg.topk(x, 4), ValueError, r"topk: k = 4 of axis 1 of shape \(2, 3\); k must be in 0..3"),
    (lambda x: tg.sort(tg.Tensor(1.0)), ValueError, "sort: axis -1 is out of range"),
    (lambda x: tg.take_along_axis(x, [0, 1], 1), ValueError, r"indices \(2,\) must have as many axes"),
    (lambda x: tg.take_along_axis(x, np.zeros((3, 1), int), 1), ValueError, r"indices \(3, 1\)"),
    (lambda x: tg.take_along_axis(x, np.zeros((2, 1)), 1), IndexError, "must be integers, got float64"),
    (lambda x: tg.masked_fill(x, x, 0), TypeError, "masked_fill: mask must be boolean, got float32"),
    (lambda x: tg.masked_fill(x, [True, False], 0), ValueError, r"mask \(2,\) must stretch to x \(2, 3\)"),
    (lambda x: tg.masked_fill(x, x > 0, x), ValueError, r"value must be one number, got \(2, 3\)"),
    (lambda x: tg.masked_fill(tg.Tensor([1]), [True], 0.5), TypeError, "masked_fill: int64 cannot hold 0.5"),
    (lambda x: tg.tril(x[0]), ValueError, r"tril: needs a matrix, or several, .*\(3,\)"),
    (lambda x: tg.triu(x, 0.5), TypeError, "triu: k must be an integer"),
    (lambda x: tg.round(x, 0.5), TypeError, "round: decimals must be an integer"),
    (lambda x: tg.logical_and(x, x[:, :2]), ValueError, r"logical_and: shapes \(2, 3\) and \(2, 2\)"),
]  # fmt: skip


@pytest.mark.parametrize("call, error, message", WRONG, ids=[message for _, _, message in WRONG])
def test_wrong_use_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(tg.Tensor(np.ones((2, 3), np.float32)))
