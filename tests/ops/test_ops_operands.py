"""Operands that are no plain arrays: scalars, lists, memory maps, other byte orders, narrow integers."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend
from tinygrad_notes.nn import functional as F


def operand(array):
    """Itself where NumPy computes; a GPU is given it by asarray."""
    return array if backend.BACKEND == "numpy" else backend.asarray(array)


def values(tensor):
    return backend.to_numpy(tensor.data).tolist()


@pytest.mark.parametrize(
    "use",
    [lambda a: tg.tensor([1.0, 2.0]) * a, lambda a: a * tg.tensor([1.0, 2.0]), lambda a: tg.relu(a) * [1, 2],
     lambda a: tg.maximum(a, 0) * [1, 2], lambda a: tg.where([True, True], a, 0) * [1, 2],
     lambda a: tg.concat([a])[:2] * [1, 2], lambda a: tg.scatter_add(a, np.array([0, 1]), (2,)) * [1, 2]],
)  # fmt: skip
def test_arrays_of_other_classes_and_byte_orders_are_arrays(use, tmp_path):
    for dtype in ("<f4", ">f4", "<f8", ">f8"):
        mapped = np.memmap(tmp_path / f"{dtype[1:]}{dtype[0] == '<'}", dtype, "w+", shape=(2,))
        mapped[:] = [3, 5]
        for array in (mapped, np.array([3, 5], dtype)):
            y = use(operand(array))
            assert y.dtype == np.dtype(dtype).newbyteorder("=") and y.dtype.isnative
            assert values(y) == [3, 10]
    with pytest.raises(TypeError, match="a masked array would lose its mask"):
        use(operand(np.ma.masked_array([3.0, 5.0], [0, 1])))


@pytest.mark.parametrize("scalar", [np.float64, np.float32, np.float16, float])
def test_a_scalar_of_numpy_is_a_number_everywhere(scalar):
    """It has no say in the dtype, nor in how many digits are compared."""
    x, whole = tg.tensor([0.25, 0.5]), tg.tensor([1, 2])
    half = scalar(0.5)
    for y in (half**x, x**half, half * x, half**whole, half * whole):
        assert y.dtype == np.float32
    assert values(half**whole) == [0.5, 0.25]
    assert values(x >= half) == values(x == half) == values(half <= x) == [False, True]
    assert values(tg.tensor([0.3]) > np.float64(0.3)) == values(tg.tensor([0.3]) > 0.3)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint64])
@pytest.mark.parametrize("number", [int, np.int64, np.int8])
def test_a_whole_number_takes_the_dtype_of_the_integers_beside_it(dtype, number):
    x = tg.tensor(np.array([2, 3], dtype))
    for y, expected in (
        (number(3) ** x, [9, 27]), (x ** number(3), [8, 27]), (x + number(1), [3, 4]),
        (x & number(2), [2, 2]), (number(4) | x, [6, 7]),
    ):  # fmt: skip
        assert y.dtype == dtype and values(y) == expected
    x &= number(2)
    assert x.dtype == dtype and values(x) == [2, 2]
    assert values(3 ** tg.tensor(np.array([34], np.uint64))) == [3**34]  # float64 has not so many digits
    assert (2.5 ** tg.tensor(np.array([3], dtype))).item() == 15.625


def test_a_narrow_dtype_in_place_refuses_what_it_does_not_hold():
    x = tg.tensor(np.array([100, 1], np.int8))
    x += tg.tensor([27, 1])
    assert x.dtype == np.int8 and values(x) == [127, 2]
    with pytest.raises(OverflowError, match=r"\+=: 129 lies outside of int8"):
        x += tg.tensor([2, 0])
    assert values(x) == [127, 2]
    with pytest.raises(TypeError, match="dtype object is not supported"):
        x[0] = 2**70


@pytest.mark.parametrize(
    ("make", "message"),
    [(lambda: tg.arange(0, 300.0, dtype="int8"), "arange: int8 cannot hold 299"),
     (lambda: tg.full((2,), np.int64(300), "uint8"), "full: uint8 cannot hold 300"),
     (lambda: tg.full((2,), -1, "uint8"), "full: uint8 cannot hold -1")],
)  # fmt: skip
def test_what_is_made_in_a_narrow_dtype_fits(make, message):
    with pytest.raises(OverflowError, match=message):
        make()


def test_a_range_is_not_counted_in_the_dtype_of_its_step():
    assert values(tg.arange(0, 300, np.uint8(1))) == list(range(300))


@pytest.mark.parametrize(
    "function", [tg.exp, tg.log, tg.sqrt, tg.tanh, tg.sigmoid, F.silu, F.softplus, tg.sin, tg.log1p]
)
def test_lists_of_booleans_and_integers_are_real_numbers(function):
    for given in ([True, True], [1, 1], True, 1, [1.0, 1.0]):
        y = function(given)
        assert y.dtype == np.float32
        np.testing.assert_allclose(backend.to_numpy(y.data), function(tg.tensor(1.0)).item(), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, bool])
@pytest.mark.parametrize("beta", [1, 2, 1.0])
def test_softplus_of_integers_is_that_of_real_numbers(dtype, beta):
    whole = np.array([0, 1, 100]).astype(dtype)
    y = F.softplus(tg.tensor(whole), beta)
    assert y.dtype == np.float32 and values(y) == values(
        F.softplus(tg.tensor(whole.astype(np.float32)), beta)
    )


def test_integers_are_rounded_to_tens():
    x = np.array([15, 25, 123, -27])
    for decimals in (-2, -1, 0, 1):
        y = tg.round(tg.tensor(x), decimals)
        assert y.dtype == np.int64 and values(y) == np.round(x, decimals).tolist()
    assert values(tg.round(tg.tensor([True]), -1)) == [True]


def test_float16_is_added_up_in_float32_wherever_indices_repeat():
    """In itself it counts to 2048."""
    x = tg.Tensor(np.ones((1, 2), np.float16), requires_grad=True)
    places = np.zeros(5000, int)
    for y in (tg.repeat(x, 5000, 0), x[places], x[places.tolist()], F.embedding(places, x)):
        (g,) = tg.grad(y.sum(), x)
        assert g.dtype == np.float16 and values(g) == [[5000, 5000]]
    y = tg.scatter_add(tg.ones(5000, "float16"), places, (1,))
    assert y.dtype == np.float16 and values(y) == [5000]


@pytest.mark.parametrize("p", [1.5, 1.9, 3])
def test_the_second_derivative_of_a_norm_beside_a_zero(p):
    """d²/dx² of Σ g² is the same as without the zero, which has no part in it."""
    found = []
    for x in ([0.0, 1.0, 2.0], [1.0, 2.0]):
        x = tg.Tensor(np.array(x), requires_grad=True)
        with np.errstate(all="ignore"):  # the slope of aᵖ⁻¹ at 0 is infinite, and not used
            (g,) = tg.grad(tg.norm(x, p), x, create_graph=True)
            found.append(values(tg.grad((g * g).sum(), x)[0]))
    np.testing.assert_allclose(found[0], [0, *found[1]], rtol=1e-12)


def test_empty_tensors_change_in_place():
    x, z = tg.zeros((3, 4)), tg.zeros((3, 0))
    x[tg.tensor([False] * 3)] += 1
    z += 1
    z[...] = 2.0
    assert values(x) == [[0] * 4] * 3 and z.shape == (3, 0)


def test_the_gradient_that_a_backward_starts_with_has_all_its_digits():
    x = tg.Tensor(np.array([1.0, 1.0]), requires_grad=True)
    (x * 1).backward([0.1, 1 / 3])
    assert values(x.grad) == [0.1, 1 / 3]


def test_no_axes_are_not_all_axes():
    x = tg.zeros((2, 3))
    assert x.transpose().shape == x.transpose(None).shape == x.transpose(1, 0).shape == (3, 2)
    assert tg.zeros(()).transpose(()).shape == ()
    with pytest.raises(ValueError, match=r"transpose: 0 axes \(\) for an array of shape \(2, 3\)"):
        x.transpose(())
