"""Tensor as a NumPy-like value: dtypes, conversions, methods."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend


@pytest.mark.parametrize(
    ("data", "dtype"),
    [(1.5, "float32"), ([1.0, 2.0], "float32"), (3, "int64"), ([True], "bool"), (np.ones(2), "float64"),
     (np.ones(2, np.float16), "float16"), (np.float64(2), "float64")],
)  # fmt: skip
def test_dtype_of_data(data, dtype):
    assert tg.Tensor(data).dtype == np.dtype(dtype)


def test_a_tensor_owns_a_copy():
    source = np.ones(3)
    tensor = tg.Tensor(source)
    source[0] = 5
    np.testing.assert_array_equal(tensor.numpy(), np.ones(3))


@pytest.mark.parametrize("bad", ["text", [1, "a"], None, 1j, [object()]])
def test_data_that_is_not_numbers_is_refused(bad):
    with pytest.raises((TypeError, ValueError)):
        tg.Tensor(bad)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("other", [2, 2.5, True, np.float64(2.5), np.int64(2), np.float32(2)])
def test_scalars_never_change_the_dtype(dtype, other):
    x = tg.Tensor(np.ones(3, dtype), requires_grad=True)
    for y in (x + other, other * x, x / other, other - x, x ** float(other), tg.maximum(x, other)):
        assert isinstance(y, tg.Tensor) and y.dtype == dtype
        (g,) = tg.grad(y.sum(), x)
        assert g.dtype == dtype


def test_an_array_on_the_left_gives_a_tensor():
    x = tg.Tensor(np.ones(3), requires_grad=True)
    array = backend.asarray(np.arange(3.0))
    for y in (array + x, array * x, array - x, array / x, tg.matmul(array, x)):
        assert isinstance(y, tg.Tensor) and y.requires_grad
    assert isinstance(array < x, tg.Tensor)


def test_comparisons_have_no_gradient():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    for y in (x > 1, x >= 1, x < 1, x <= 1, x == 1, x != 1):
        assert y.dtype == bool and not y.requires_grad


def test_item_len_bool_float():
    x = tg.Tensor([[1.5]])
    assert x.item() == 1.5 and float(x) == 1.5 and int(x) == 1 and bool(x) and len(x) == 1
    with pytest.raises(ValueError, match=r"only a Tensor of size 1 is one number, this one is \(2,\)"):
        tg.Tensor([1.0, 2.0]).item()
    with pytest.raises(TypeError, match="0-d"):
        len(tg.Tensor(1.0))
    assert [10, 20, 30][tg.Tensor(1)] == 20


def test_a_recorded_tensor_does_not_slip_into_numpy():
    x = tg.Tensor([1.0], requires_grad=True)
    with pytest.raises(TypeError, match=r"call .detach\(\).numpy\(\)"):
        np.asarray(x)
    np.testing.assert_array_equal(np.asarray(x.detach()), [1.0])


def test_one_number_takes_a_format():
    loss = tg.Tensor([1.0, 2.0], requires_grad=True).mean()
    assert f"{loss:.3f}" == "1.500" and f"{loss}" == "1.5" and f"{tg.Tensor([[0.25]]):>7.1%}" == "  25.0%"
    assert f"{tg.Tensor([1.0])}" == "Tensor([1.])"
    with pytest.raises(TypeError, match=r"'.2f' is for one number, this Tensor is \(2,\)"):
        f"{tg.Tensor([1.0, 2.0]):.2f}"


@pytest.mark.parametrize("make", [tg.zeros, tg.ones])
def test_a_shape_is_one_argument(make):
    with pytest.raises(TypeError, match=rf"a shape is one argument, as in {make.__name__}\(\(2, 3\)\)"):
        make(2, 3)
    assert make((2, 3)).shape == (2, 3) and make(3, "float64").dtype == np.float64


def test_masks_combine():
    x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    low, high = x > 1.5, x < 2.5
    cases = [
        (low & high, [False, True, False]),
        (low | high, [True, True, True]),
        (low ^ high, [True, False, True]),
        (~low, [True, False, False]),
        (low & True, [False, True, True]),
        (backend.asarray(np.array([True, True, False])) & low, [False, True, False]),
        (tg.Tensor([6, 3, 8]) & 3, [2, 3, 0]),
        (1 | tg.Tensor([6, 3, 8]), [7, 3, 9]),
        (~tg.Tensor([0, 1, -1]), [-1, -2, 0]),
    ]
    for y, expected in cases:
        np.testing.assert_array_equal(y.numpy(), expected)
        assert y.dtype == np.array(expected).dtype and not y.requires_grad
    assert (tg.Tensor(True) & tg.Tensor(False)).item() is False


@pytest.mark.parametrize("combine", [
    lambda x: x & True, lambda x: True | x, lambda x: (x > 0) ^ x, lambda x: ~x, lambda x: (x > 0) & 1.5,
])  # fmt: skip
def test_only_booleans_and_integers_have_bits(combine):
    with pytest.raises(TypeError, match=r"needs booleans or integers, got float\d\d; compare first"):
        combine(tg.Tensor([1.0, 2.0]))
    with pytest.raises(ValueError, match=r"bitwise_and: shapes \(2,\) and \(3,\) do not broadcast"):
        tg.Tensor([1, 2]) & tg.Tensor([1, 2, 3])


@pytest.mark.parametrize("function", [
    np.sum, np.mean, np.std, np.max, np.argmax, np.transpose, np.squeeze, np.cumsum, np.linalg.norm,
    lambda x: np.mean(x, axis=0, dtype=np.float64), lambda x: np.concatenate([x, np.ones(2)]),
    lambda x: np.stack((x, x), axis=1), lambda x: np.clip(x, 0, 1.5),
])  # fmt: skip
def test_functions_of_numpy_give_arrays_and_never_lose_a_graph(function):
    a = np.array([1.0, 2.0], np.float32)
    found, expected = function(tg.Tensor(a)), function(a)
    assert type(found) is type(expected) and found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(TypeError, match=r"call \.detach\(\)\.numpy\(\), or use the functions of tinygrad"):
        function(tg.Tensor(a, requires_grad=True))


def test_data_keeps_its_shape_and_dtype():
    x = tg.Tensor([1.0, 2.0])
    with pytest.raises(ValueError, match=r"shape \(3,\) cannot replace \(2,\)"):
        x.data = np.zeros(3)
    x.data = np.zeros(2)
    assert x.dtype == np.float32


def test_grad_can_be_set_only_to_what_fits():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(ValueError, match=r"must be a Tensor of shape \(2,\)"):
        x.grad = tg.Tensor([1.0])
    x.grad = tg.Tensor([1.0, 1.0])
    with pytest.raises(RuntimeError, match="only a Tensor made with requires_grad"):
        tg.Tensor([1.0]).grad = tg.Tensor([1.0])


def test_a_leaf_that_was_frozen_for_a_while_keeps_its_gradient_and_its_graphs():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    (x * 3).sum().backward()
    before = (x * x).sum()  # a graph of the time before
    x.requires_grad = False
    assert not (x * 2).requires_grad
    x.requires_grad = True
    assert x.grad.numpy().tolist() == [3.0, 3.0]
    before.backward()
    assert x.grad.numpy().tolist() == [5.0, 7.0]


def test_requires_grad_of_a_result_cannot_be_set():
    y = tg.Tensor([1.0], requires_grad=True) * 2
    with pytest.raises(RuntimeError, match=r"result of an operation; call .detach\(\)"):
        y.requires_grad = False


def test_repr_tells_dtype_and_origin():
    x = tg.Tensor(np.ones(1), requires_grad=True)
    assert repr(x) == "Tensor([1.], dtype=float64, requires_grad=True)"
    assert "made by Exp" in repr(tg.exp(x))


def test_methods_agree_with_numpy():
    a = np.random.default_rng(0).standard_normal((2, 3, 4))
    x = tg.Tensor(a)
    for name in ("sum", "mean", "var", "std", "max", "min", "argmax", "argmin"):
        for axis in (None, 0, -1):
            np.testing.assert_allclose(
                getattr(x, name)(axis=axis).numpy(), getattr(a, name)(axis=axis), rtol=1e-12
            )
    np.testing.assert_array_equal(x.T.numpy(), a.T)
    np.testing.assert_array_equal(x.mT.numpy(), a.swapaxes(-1, -2))
    np.testing.assert_array_equal(x.reshape(4, -1).numpy(), a.reshape(4, -1))
    np.testing.assert_array_equal(x.transpose(1, 0, 2).numpy(), a.transpose(1, 0, 2))
    np.testing.assert_array_equal(x.flatten().numpy(), a.flatten())
    np.testing.assert_array_equal(x[0, ..., None, 1:3].numpy(), a[0, ..., None, 1:3])


def test_integers_do_not_raise_the_precision():
    x, n = tg.Tensor(np.ones(3, np.float32)), tg.Tensor([1, 2, 3])
    more = backend.asarray(np.arange(3))
    for y in (x * n, n * 0.5, tg.exp(n), n.mean(), x.sum() / n.sum(), n / 2, x + more):
        assert y.dtype == np.float32
    half = tg.Tensor(np.ones(3, np.float16))
    assert (half * n).dtype == np.float16
    assert (tg.Tensor(np.ones(3)) * n).dtype == np.float64
    assert x.astype("float64").dtype == np.float64


def test_an_array_operand_may_be_changed_afterwards():
    x, a = tg.Tensor([1.0], requires_grad=True), backend.asarray(np.array([2.0], np.float32))
    y = x * a
    a[:] = 5
    y.backward()
    assert x.grad.item() == 2.0
