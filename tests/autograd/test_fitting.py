"""Numbers that take the place of others: x[i] = value, x.data = value, Tensor(value, dtype=...)."""

import numpy as np
import pytest

import tinygrad_notes as tg

INTEGERS = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]
GIVEN = {
    "number": lambda v: v, "list": lambda v: [v, v], "scalar of NumPy": np.int64,
    "array": lambda v: np.array([v, v]), "Tensor": lambda v: tg.Tensor([v, v]),
}  # fmt: skip


def put_item(x, value):
    x[:] = value


def put_data(x, value):
    x.data = value if np.ndim(value) or isinstance(value, tg.Tensor) else [value, value]


@pytest.mark.parametrize("put", [put_item, put_data])
@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_go_where_they_fit(dtype, given, put):
    limits = np.iinfo(dtype)
    for value in {limits.min, limits.max, 0, 1, 100}:
        if value > np.iinfo(np.int64).max and given not in ("number", "list", "array"):
            continue
        x = tg.Tensor(np.array([5, 6], dtype))
        put(x, GIVEN[given](value))
        assert x.dtype == dtype and x.numpy().tolist() == [value, value]
    for value in (limits.min - 1, limits.max + 1):
        if not np.iinfo(np.int64).min <= value <= np.iinfo(np.int64).max:
            continue
        x = tg.Tensor(np.array([5, 6], dtype))
        with pytest.raises(
            OverflowError, match=f"{value} lies outside of {np.dtype(dtype)}; use x = x.astype"
        ):
            put(x, GIVEN[given](value))
        assert x.numpy().tolist() == [5, 6]


@pytest.mark.parametrize("put", [put_item, put_data])
def test_one_wrong_integer_among_right_ones_is_named(put):
    x = tg.Tensor(np.array([[1, 2], [3, 4]], np.uint8))
    with pytest.raises(OverflowError, match=": -7 lies outside of uint8"):
        put(x, np.array([[1, 2], [-7, 300]]))
    assert x.numpy().tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("put", [put_item, put_data])
@pytest.mark.parametrize("given", [lambda v: v.tolist(), lambda v: v, tg.Tensor, lambda v: tuple(v.tolist())])
def test_real_numbers_keep_the_digits_of_their_place(put, given):
    """A list of Python's numbers is a float32 Tensor by itself, but not on its way into a float64 one."""
    value = np.array([0.1, 1 / 3])
    for dtype in (np.float64, np.float32, np.float16):
        x = tg.Tensor(np.zeros(2, dtype))
        put(x, given(value))
        assert x.dtype == dtype and x.numpy().tolist() == value.astype(dtype).tolist()


@pytest.mark.parametrize("put", [put_item, put_data])
@pytest.mark.parametrize(
    ("place", "value", "dtype"),
    [(np.int64, [0.5, 1], "float32"), (np.uint8, np.ones(2), "float64"), (bool, [0, 1], "int64"),
     (bool, np.ones(2, np.float32), "float32")],
)  # fmt: skip
def test_the_kind_of_numbers_is_kept(put, place, value, dtype):
    x = tg.Tensor(np.zeros(2, place))
    with pytest.raises(
        TypeError, match=f"{dtype} numbers would be cut to {np.dtype(place)}; use x = x.astype"
    ):
        put(x, value)
    assert x.numpy().tolist() == [0, 0]


@pytest.mark.parametrize("place", [np.float64, np.float16, np.int8, np.uint64])
def test_booleans_are_0_and_1_everywhere(place):
    x = tg.Tensor(np.zeros(2, place))
    x[:] = [True, False]
    x[1] = True
    assert x.dtype == place and x.numpy().tolist() == [1, 1]


def test_data_with_a_history_is_refused():
    x, w = tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0], requires_grad=True)
    with pytest.raises(TypeError, match=r"the graph would be lost silently"):
        x.data = w * 2
    assert x.numpy().tolist() == [1, 2]


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        ([300, 1], np.int8),
        (-1, np.uint8),
        ([[1, 2], [3, 256]], np.uint8),
        (128, np.int8),
        (np.int64(300), np.uint8),
        ([np.int64(300)], np.uint8),
    ],
)
def test_a_tensor_of_integers_that_do_not_fit_is_refused(value, dtype):
    with pytest.raises(OverflowError, match=r"lies outside of u?int8"):
        tg.Tensor(value, dtype=dtype)
    with pytest.raises(OverflowError, match=r"lies outside of u?int8"):
        tg.tensor(value, dtype=dtype)


def test_a_tensor_of_lists_has_all_digits_of_its_dtype():
    assert tg.Tensor([0.1, 1 / 3], dtype=np.float64).numpy().tolist() == [0.1, 1 / 3]
    assert tg.Tensor([tg.Tensor(1.5), 2], dtype=np.float64).numpy().tolist() == [1.5, 2]
