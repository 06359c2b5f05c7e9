"""How functions read axes, shapes, limits, truths and numbers: every form taken, and every one refused."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tinygrad_notes as tg
from tests.op_table import value_and_gradient
from tinygrad_notes import backend
from tinygrad_notes.nn import functional as F

A = np.arange(24.0).reshape(2, 3, 4)
TRUTHS = np.array([[[True, False], [True, True]], [[True, False], [False, False]]])


def t(*shape, dtype=np.float32):
    return tg.Tensor(np.ones(shape, dtype))


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, -1, (2, 0), [0, -2], ()])
@pytest.mark.parametrize("name", ["all", "any"])
def test_truths_over_axes_are_numpys(name, axis, keepdims):
    over = tuple(axis) if isinstance(axis, list) else axis
    expected = getattr(np, name)(TRUTHS, axis=over, keepdims=keepdims)
    for x in (TRUTHS, tg.Tensor(TRUTHS), tg.Tensor(3 * TRUTHS), tg.Tensor(-0.5 * TRUTHS)):
        for y in (getattr(tg, name)(x, axis, keepdims), getattr(tg, name)(x, axis=axis, keepdims=keepdims)):
            assert isinstance(y, tg.Tensor) and y.dtype == bool and not y.requires_grad
            np.testing.assert_array_equal(y.numpy(), expected)


def test_truths_of_nothing_and_of_nan():
    assert tg.all(np.zeros((0, 2))).item() is True and tg.any(np.zeros((0, 2))).item() is False
    assert tg.all([np.nan, 1.0]).item() is True and tg.any([0.0, np.nan]).item() is True
    assert tg.all(np.zeros((2, 0)), axis=1).numpy().tolist() == [True, True]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, 1, -1, (1,), [-3]])
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_places_of_extremes_are_the_first_ones(name, axis, keepdims):
    x = np.random.default_rng(0).integers(0, 3, (2, 3, 4)) * 1.0  # with ties
    over = axis[0] if isinstance(axis, tuple | list) else axis
    y = getattr(tg, name)(tg.Tensor(x, requires_grad=True), axis, keepdims)
    assert y.dtype == np.int64 and not y.requires_grad
    np.testing.assert_array_equal(y.numpy(), getattr(np, name)(x, axis=over, keepdims=keepdims))
    assert y.ndim == (3 if keepdims else 0 if axis is None else 2)


@pytest.mark.parametrize("run", [tg.var, tg.std])
def test_one_number_has_the_variance_zero(run):
    y, g = value_and_gradient(lambda x: run(x, 0), [[5.0, 7.0]])
    assert y.tolist() == [0, 0] and g.tolist() == [[0, 0]]
    assert run([1.0, 2.0, 4.0], ddof=1).item() == pytest.approx(np.array([1, 2, 4]).std(ddof=1) ** (
        2 if run is tg.var else 1))  # fmt: skip


def test_the_padding_may_be_any_row_counted_from_the_end():
    for padding_idx in (-3, 0):
        w = tg.Tensor(np.ones((3, 2)), requires_grad=True)
        F.embedding([0, 1], w, padding_idx).sum().backward()
        assert w.grad.numpy()[:, 0].tolist() == [0, 1, 0]


FLATTENED = {(): (24,), (1,): (2, 12), (0, 1): (6, 4), (-3, -2): (6, 4), (1, 1): (2, 3, 4), (-1,): (2, 3, 4),
             (0, -2): (6, 4), (2, 2): (2, 3, 4), (0, 0): (2, 3, 4)}  # fmt: skip


@pytest.mark.parametrize(("axes", "shape"), FLATTENED.items())
def test_flatten_joins_the_axes_from_the_first_to_the_last_that_are_named(axes, shape):
    y = tg.flatten(tg.Tensor(A), *axes)
    assert y.shape == shape
    np.testing.assert_array_equal(y.numpy(), A.reshape(shape))
    assert tg.flatten(tg.Tensor(3.0)).numpy().tolist() == [3.0]


FORMS = {
    "flip: a tuple": (lambda x: tg.flip(x, (0, -1)), A[::-1, :, ::-1]),
    "flip: a list": (lambda x: tg.flip(x, [1]), A[:, ::-1]),
    "squeeze: several": (lambda x: tg.squeeze(x.reshape(1, 24, 1, 1), (0, -1)), A.reshape(24, 1)),
    "expand_dims: a list": (lambda x: tg.expand_dims(x, [0, -1]), A[None, ..., None]),
    "transpose: a list": (lambda x: tg.transpose(x, [-1, 0, 1]), A.transpose(2, 0, 1)),
    "moveaxis: lists": (lambda x: tg.moveaxis(x, [0, 1], [-1, 0]), A.transpose(1, 2, 0)),
    "stack: the last axis": (lambda x: tg.stack([x, -x], -1), np.stack([A, -A], -1)),
    "stack: before the last": (lambda x: tg.stack([x, -x], -2), np.stack([A, -A], -2)),
    "concat: before the last": (lambda x: tg.concat([x, A[:, :1]], -2), np.concatenate([A, A[:, :1]], 1)),
    "concat: one": (lambda x: tg.concat([x], 1), A),
    "repeat: the middle": (lambda x: tg.repeat(x, 2, -2), A.repeat(2, 1)),
    "repeat: NumPy's integer": (lambda x: tg.repeat(x, np.int64(3), 2), A.repeat(3, 2)),
    "repeat: never": (lambda x: tg.repeat(x, 0, 0), A[:0]),
    "broadcast_to: one length": (lambda x: tg.broadcast_to(x[0, 0, 1], 3), np.ones(3)),
    "reshape: one length": (lambda x: tg.reshape(x, np.int64(24)), A.reshape(24)),
    "reshape: a list": (lambda x: tg.reshape(x, [4, -1]), A.reshape(4, 6)),
    "pad: one pair for all": (lambda x: tg.pad(x, (1, 2)), np.pad(A, (1, 2))),
    "pad: unsigned widths": (lambda x: tg.pad(x, np.uint8([[1, 0], [0, 2], [0, 0]]), -1.5),
                             np.pad(A, ((1, 0), (0, 2), (0, 0)), constant_values=-1.5)),
    "split: NumPy's integer": (lambda x: tg.split(x, np.int32(2), 2)[1], A[..., 2:]),
    "split: an array of places": (lambda x: tg.split(x, np.array([1, 3]), -1)[1], A[..., 1:3]),
    "swapaxes: negative": (lambda x: tg.swapaxes(x, -3, -2), A.swapaxes(0, 1)),
}  # fmt: skip


@pytest.mark.parametrize(("run", "expected"), FORMS.values(), ids=FORMS)
def test_axes_lengths_and_widths_come_in_many_forms(run, expected):
    np.testing.assert_array_equal(run(tg.Tensor(A)).numpy(), expected)


REFUSED = [
    (lambda: tg.mean(t(0, 3), 0), ValueError,
     "mean: needs at least 1 number for each result, got 0 from an array of shape (0, 3) over axis 0"),
    (lambda: tg.var(t(2, 3, 1), (-1, 0), ddof=2), ValueError,
     "var: needs at least 3 numbers for each result, "
     "got 2 from an array of shape (2, 3, 1) over axis (-1, 0)"),
    (lambda: tg.std(t(1, 3), 0, ddof=1), ValueError,
     "std: needs at least 2 numbers for each result, got 1 from an array of shape (1, 3) over axis 0"),
    (lambda: tg.argmin(t(2, 3), (0, -1)), ValueError,
     "argmin: axis must be one integer or None, got (0, -1)"),
    (lambda: tg.all(t(2, 3), 2), ValueError, "all: axis 2 is out of range for an array of shape (2, 3)"),
    (lambda: tg.any(t(2, 3), -3), ValueError, "any: axis -3 is out of range for an array of shape (2, 3)"),
    (lambda: tg.broadcast_to(t(3, 3), (3,)), ValueError,
     "broadcast_to: (3, 3) does not stretch to (3,); "
     "lengths must agree, counted from the last axis, or be 1"),
    (lambda: tg.reshape(t(2, 3), (5, -1)), ValueError,
     "reshape: 6 numbers of shape (2, 3) do not fit into (5, -1)"),
    (lambda: tg.reshape(t(2, 3), (-2, -3)), ValueError,
     "reshape: 6 numbers of shape (2, 3) do not fit into (-2, -3)"),
    (lambda: tg.transpose(t(2, 3), (1,)), ValueError, "transpose: 1 axes (1,) for an array of shape (2, 3)"),
    (lambda: tg.transpose(t(2, 3), (0, -2)), ValueError,
     "transpose: axis (0, -2) names one axis of an array of shape (2, 3) twice"),
    (lambda: tg.squeeze(t(1, 3), (0, -1)), ValueError,
     "squeeze: axis (0, -1) of shape (1, 3) is not of length 1"),
    (lambda: tg.expand_dims(t(2, 3), 3), ValueError,
     "expand_dims: axis 3 is out of range for an array of 3 dimensions"),
    (lambda: tg.expand_dims(t(2, 3), (0, -4)), ValueError,
     "expand_dims: axis (0, -4) names one axis of an array of 4 dimensions twice"),
    (lambda: tg.cumsum(t(2, 3), (0, 1)), ValueError, "cumsum: needs one axis, got (0, 1)"),
    (lambda: tg.sort(t(2, 3), ()), ValueError, "sort: needs one axis, got ()"),
    (lambda: tg.flip(t(2, 3), "rows"), TypeError, "flip: axis must be integers or None, got 'rows'"),
    (lambda: tg.concat([t(2, 3), t(2)], 1), ValueError,
     "concat: shapes [(2, 3), (2,)] differ outside axis 1"),
    (lambda: tg.concat([t(2, 3), t(2, 2), t(1, 2)], -1), ValueError,
     "concat: shapes [(2, 3), (2, 2), (1, 2)] differ outside axis 1"),
    (lambda: tg.split(t(2, 3), 0, 1), ValueError,
     "split: axis 1 of shape (2, 3) does not divide into 0 parts"),
    (lambda: tg.split(t(2, 6), -2, -1), ValueError,
     "split: axis 1 of shape (2, 6) does not divide into -2 parts"),
    (lambda: tg.split(t(4), (-1, 2)), ValueError, "split: positions [-1, 2] must rise within 0..4"),
    (lambda: tg.split(t(4), [5]), ValueError, "split: positions [5] must rise within 0..4"),
    (lambda: tg.pad(t(2, 3), ((0, 0), (0, -1))), ValueError,
     "pad: widths must not be negative, got ((0, 0), (0, -1)); slice to crop"),
    (lambda: tg.pad(t(2, 3), (True, False)), TypeError, "pad: widths must be integers, got (True, False)"),
    (lambda: tg.pad(t(2, 3), 1, "edge"), TypeError, "pad: constant_values must be a number, got str"),
    (lambda: tg.topk(t(2, 3), -1, 0), ValueError,
     "topk: k = -1 of axis 0 of shape (2, 3); k must be in 0..2"),
    (lambda: tg.topk(t(2, 3), 3, -2), ValueError, "topk: k = 3 of axis 0 of shape (2, 3); k must be in 0..2"),
    (lambda: tg.topk(t(2, 3), 1.0), TypeError, "topk: k must be an integer, got 1.0"),
    (lambda: tg.tril(t(2, 3), "1"), TypeError, "tril: k must be an integer, got '1'"),
    (lambda: tg.take_along_axis(t(2, 3), np.zeros((2, 1, 1), int), -1), ValueError,
     "take_along_axis: indices (2, 1, 1) must have as many axes as x (2, 3), "
     "each of x's length or 1 except axis 1"),
    (lambda: tg.masked_fill(t(3), np.zeros((2, 3), bool), 0), ValueError,
     "masked_fill: mask (2, 3) must stretch to x (3,)"),
    (lambda: tg.masked_fill(t(3, dtype=np.uint8), [True, False, True], 0.5), TypeError,
     "masked_fill: uint8 cannot hold 0.5; use x.astype('float32')"),
    (lambda: tg.masked_fill(t(2, dtype=bool), [True, False], 0.5), TypeError,
     "masked_fill: bool cannot hold 0.5"),
    (lambda: tg.masked_fill(t(2, dtype=np.uint8), [True, False], tg.tensor(0.5)), TypeError,
     "masked_fill: uint8 cannot hold 0.5; use x.astype('float32')"),
    (lambda: tg.masked_fill(t(2, dtype=np.uint8), [True, False], 256), OverflowError,
     "masked_fill: uint8 cannot hold 256; use x.astype('int64')"),
    (lambda: tg.masked_fill(t(2, dtype=np.int8), [True, False], tg.tensor(-129)), OverflowError,
     "masked_fill: int8 cannot hold -129; use x.astype('int64')"),
    (lambda: tg.where([True, False], 256, t(2, dtype=np.uint8)), OverflowError,
     "where: uint8 cannot hold 256; use x.astype('int64')"),
    (lambda: tg.where([True, False], t(2, dtype=np.uint8), np.int64(-1)), OverflowError,
     "where: uint8 cannot hold -1; use x.astype('int64')"),
    (lambda: tg.pad(t(2, dtype=np.uint8), 1, -1), OverflowError,
     "pad: uint8 cannot hold -1; use x.astype('int64')"),
    (lambda: tg.pad(t(2, dtype=np.int64), 1, 0.5), TypeError,
     "pad: int64 cannot hold 0.5; use x.astype('float32')"),
    (lambda: tg.arange(129, dtype=np.int8), OverflowError,
     "arange: int8 cannot hold 128; use x.astype('int64')"),
    (lambda: tg.arange(-129, 0, dtype=np.int8), OverflowError,
     "arange: int8 cannot hold -129; use x.astype('int64')"),
    (lambda: tg.clip(t(2), np.nan, 1), ValueError, "clip: a_min = nan must not be above a_max = 1"),
    (lambda: tg.clip(t(2), 0, np.float64(np.nan)), ValueError,
     "clip: a_min = 0 must not be above a_max = nan"),
    (lambda: F.dropout(t(2), -0.25), ValueError, "dropout: p is a probability, got -0.25"),
    (lambda: F.dropout(t(2), np.nan), ValueError, "dropout: p is a probability, got nan"),
    (lambda: F.leaky_relu(t(2), "0.1"), TypeError, "leaky_relu: negative_slope must be a number, got str"),
    (lambda: F.leaky_relu(t(2), np.bool_(True)), TypeError,
     f"leaky_relu: negative_slope must be a number, got {type(np.bool_(True)).__name__}"),
    (lambda: F.conv2d(t(1, 2, 5, 5), t(4, 2, 3, 3), padding="same", stride=(1, 2)), ValueError,
     "conv2d: padding='same' needs stride 1, got (1, 2)"),
    *((lambda s=s: F.embedding(np.array([0]), t(*s)), ValueError,
       f"embedding: weight must be (V, D), a row per id, got {s}") for s in ((3,), (3, 2, 1))),
    (lambda: F.embedding(np.array([0]), t(3, 2, dtype=int)), TypeError,
     "embedding: weight must be real numbers, got int64"),
    (lambda: F.dropout(t(2, 3), mask=np.ones((2, 2))), ValueError,
     "dropout: mask (2, 2) must have input's shape (2, 3) or stretch to it"),
    *((lambda x=x, w=w: F.linear(x, w), ValueError,
       f"linear: x {x.shape} needs a last axis equal to in of weight (out, in) = {w.shape}")
      for x, w in ((t(), t(4, 3)), (t(2, 3), t(1, 3, 2)), (t(3), t(3)))),
    *((lambda shape=shape: F.linear(t(2, 3), t(4, 3), t(*shape)), ValueError,
       f"linear: bias {shape} for weight (out, in) = (4, 3)") for shape in ((4, 1), (1, 4), (1,), ())),
    (lambda: F.linear(t(2, 3), t(4, 3), t(4, dtype=np.float64)), TypeError,
     "linear: input is float32 but bias is float64; all must have one dtype: use x.astype('float64')"),
    (lambda: tg.matmul(t(), t(2, 3)), ValueError,
     "matmul: shapes () and (2, 3); a number has no matrix product"),
    (lambda: tg.gelu(t(2), "erf"), ValueError, "gelu: approximate must be 'none' or 'tanh', got 'erf'"),
    (lambda: tg.softplus(t(2), -1.0), ValueError, "softplus: beta must be positive, got -1.0"),
    (lambda: tg.softplus(t(2), np.nan), ValueError, "softplus: beta must be positive, got nan"),
    (lambda: tg.elu(t(2), "1"), TypeError, "elu: alpha must be a number, got str"),
    *((lambda f=f: getattr(tg, f)(t(2, 0, 3), -2), ValueError, f"{f}: axis 1 of shape (2, 0, 3) is empty")
      for f in ("softmax", "log_softmax")),
    (lambda: F.embedding(np.array([0]), t(3, 2), padding_idx=3), ValueError,
     "embedding: padding_idx 3 names none of 3 rows"),
    (lambda: F.embedding(np.array([0]), t(3, 2), padding_idx=-4), ValueError,
     "embedding: padding_idx -4 names none of 3 rows"),
    (lambda: F.linear(t(2, 3), t(4, 3, dtype=np.float64), t(4, dtype=np.float16)), TypeError,
     "linear: input is float32 but weight is float64 and bias is float16; all must have one dtype: use "
     "x.astype('float64'), or module.astype('float32') for a whole network"),
    (lambda: F.linear(t(2, 3, dtype=int), t(4, 3)), TypeError,
     "linear: input is int64 but weight is float32; all must have one dtype: use x.astype('float32')"),
    (lambda: F.layer_norm(t(2, 3, dtype=np.float16), 3, weight=t(3)), TypeError,
     "layer_norm: input is float16 but weight is float32; all must have one dtype: use x.astype('float32'), "
     "or module.astype('float16') for a whole network"),
    (lambda: F.layer_norm(t(2, 3), 3, bias=t(3, 1)), ValueError,
     "layer_norm: bias is (3, 1); for input (2, 3) it must be (3,)"),
    (lambda: F.group_norm(t(4), 2), ValueError,
     "group_norm: needs real numbers (N, C, ...), got (4,) float32"),
    (lambda: F.group_norm(t(2, 4, dtype=int), 2), ValueError,
     "group_norm: needs real numbers (N, C, ...), got (2, 4) int64"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), REFUSED, ids=[m[:50] for _, _, m in REFUSED])
def test_what_does_not_fit_is_refused_with_its_values(call, error, message):
    with pytest.raises(error, match="^" + re.escape(message)):
        call()


COMPARISONS = {"equal": "==", "not_equal": "!=", "less": "<", "less_equal": "<=", "greater": ">",
               "greater_equal": ">="}  # fmt: skip


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons_refuse_none_on_either_side_and_shapes_that_do_not_broadcast(name):
    compare = getattr(tg, name)
    for pair in ((None, t(2)), (t(2), None)):
        with pytest.raises(
            TypeError, match=f"^{name}: cannot compare with None; for identity write `is None`"
        ):
            compare(*pair)
    with pytest.raises(ValueError, match=rf"^{name}: shapes \(2, 3\) and \(2,\) do not broadcast"):
        compare(t(2, 3), t(2))
    a, b = np.array([[1, 2, 3]]), np.array([[2], [3]])
    y = compare(tg.Tensor(a), b)
    np.testing.assert_array_equal(y.numpy(), eval(f"a {COMPARISONS[name]} b", {"a": a, "b": b}))
    assert y.dtype == bool and compare.__name__ == compare.__qualname__ == name


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32, np.int64])
@pytest.mark.parametrize("name", ["bitwise_and", "bitwise_or", "bitwise_xor"])
def test_bits_of_every_kind_of_integer(name, dtype):
    a, b = (np.array(v).astype(dtype) for v in ([5, 0, 3, 1], [3, 0, 0, 1]))
    y = getattr(tg, name)(tg.Tensor(a), b)
    np.testing.assert_array_equal(y.numpy(), getattr(np, name)(a, b))
    assert y.dtype == dtype and tg.invert(a).dtype == dtype
    np.testing.assert_array_equal(tg.invert(a).numpy(), ~a)


@pytest.mark.parametrize("call", [
    lambda name, x: getattr(tg, name)(x, x > 0), lambda name, x: getattr(tg, name)(x > 0, x),
    lambda name, x: getattr(tg, name)(x > 0, 1.5), lambda name, x: getattr(tg, name)(1.5, x > 0),
])  # fmt: skip
@pytest.mark.parametrize("name", ["bitwise_and", "bitwise_or", "bitwise_xor"])
def test_reals_on_either_side_have_no_bits(name, call):
    with pytest.raises(
        TypeError, match=rf"^{name}: needs booleans or integers, got float\d\d; compare first"
    ):
        call(name, tg.Tensor([1.0, 2.0]))
    with pytest.raises(TypeError, match=r"^invert: needs booleans or integers, got float32; compare first"):
        tg.invert([1.0])


# ---- new Tensors --------------------------------------------------------------------------------

MAKERS = {
    "zeros": (tg.zeros, 0), "ones": (tg.ones, 1), "full": (lambda s, *a, **k: tg.full(s, 7, *a, **k), 7),
}  # fmt: skip


@pytest.mark.parametrize(("make", "value"), MAKERS.values(), ids=MAKERS)
def test_every_option_of_what_makes_a_tensor(make, value):
    y = make((2, 3))
    assert (y.dtype, y.shape, y.requires_grad) == (np.float32, (2, 3), False)
    for dtype in ("float64", np.float16, np.int32, bool):
        y = make(2, dtype)
        assert y.dtype == dtype and y.numpy().tolist() == [np.dtype(dtype).type(value)] * 2
    assert make(2, requires_grad=True).requires_grad and make((), np.float64, True).requires_grad
    with pytest.raises(TypeError, match="dtype cannot be 3; a shape is one argument"):
        make(2, np.int64(3))


def test_full_names_itself():
    with pytest.raises(
        TypeError, match=r"^full: dtype cannot be 3; a shape is one argument, as in full\(\(2, 3\)\)"
    ):
        tg.full(2, 7, 3)
    assert tg.full((), 0.1, "float64").item() == 0.1


RANGES = [
    ((3,), [0, 1, 2], np.int64), ((np.int32(3),), [0, 1, 2], np.int64), ((2.5,), [0, 1, 2], np.float32),
    ((1, 3), [1, 2], np.int64), ((1.0, 3), [1, 2], np.float32), ((1, 3.0), [1, 2], np.float32),
    ((0, 2, 0.5), [0, 0.5, 1, 1.5], np.float32), ((3, 0, -1), [3, 2, 1], np.int64), ((3, 0), [], np.int64),
    ((0, 3, 2, "float64"), [0, 2], np.float64), ((0, 1, 0.25, np.float16), [0, 0.25, 0.5, 0.75], np.float16),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "expected", "dtype"), RANGES, ids=str)
def test_arange_is_whole_where_all_of_its_numbers_are(arguments, expected, dtype):
    y = tg.arange(*arguments)
    assert y.dtype == dtype and not y.requires_grad
    assert y.numpy().tolist() == expected


@pytest.mark.parametrize(
    "x", [np.ones((2, 2), np.int16), tg.Tensor(5.0, requires_grad=True), [[True]]], ids=type
)
def test_what_is_like_another_has_its_shape_and_dtype_and_its_own_memory(x):
    array = x.numpy() if hasattr(x, "detach") and not x.requires_grad else np.asarray(
        x.detach().numpy() if hasattr(x, "detach") else x)  # fmt: skip
    for make, value in ((tg.zeros_like, 0), (tg.ones_like, 1)):
        y = make(x)
        assert (y.shape, y.dtype, y.requires_grad) == (array.shape, array.dtype, False)
        assert (y.numpy() == value).all()


def test_tensor_hands_on_every_option():
    x = tg.tensor([1, 2], True, "float64")
    assert x.requires_grad and x.dtype == np.float64 and not tg.tensor([1.0]).requires_grad


# ---- whose memory -------------------------------------------------------------------------------


@pytest.mark.parametrize("as_given", [lambda a: backend.asarray(a), tg.Tensor], ids=["array", "Tensor"])
@pytest.mark.parametrize("run", [
    lambda m, x: tg.where(m, x, 0.0), lambda m, x: tg.where(m, 0.0, x),
    lambda m, x: tg.masked_fill(x, m, 0.0), lambda m, x: x[m], lambda m, x: tg.scatter_add(x[:2], m, (3,)),
], ids=["where", "where, b", "masked_fill", "getitem", "scatter_add"])  # fmt: skip
def test_a_mask_that_changes_after_the_forward_moves_no_gradient(run, as_given):
    mask = as_given(np.array([True, False, True]))
    x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    (expected,) = tg.grad(run(np.array([True, False, True]), x).sum() * 2, x)
    y = run(mask, x)
    data = mask._data if isinstance(mask, tg.Tensor) else mask
    data[0], data[1] = False, True
    (g,) = tg.grad(y.sum() * 2, x)
    np.testing.assert_array_equal(g.numpy(), expected.numpy())


@pytest.mark.parametrize("run", [tg.floor, tg.ceil, tg.round, tg.sign], ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_what_rounds_shares_no_memory_with_its_input(run, dtype):
    x = tg.Tensor(np.array([1, 0, 1], dtype))
    y = run(x)
    y._data[...] = 5
    assert x.numpy().tolist() == [1, 0, 1] and y.dtype == dtype


# ---- pieces -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, np.float16])
def test_a_limit_that_is_left_out_keeps_dtype_and_numbers(dtype):
    info = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else np.finfo(dtype)
    x = tg.Tensor(np.array([info.min, 3, 9, info.max], dtype))
    low, high, neither = tg.clip(x, a_max=5), tg.clip(x, 5), tg.clip(x)
    assert low.numpy().tolist() == [info.min, 3, 5, 5] and high.numpy().tolist() == [5, 5, 9, info.max]
    assert neither.numpy().tolist() == x.numpy().tolist()
    assert low.dtype == high.dtype == neither.dtype == dtype


def test_a_limit_as_a_tensor_is_not_compared_with_a_number():
    y = tg.clip(tg.Tensor([1.0, 5.0]), 3, tg.Tensor([2.0, 4.0]))
    assert y.numpy().tolist() == [2.0, 4.0]
    assert tg.clip(tg.Tensor([1.0, 5.0]), tg.Tensor([2.0, 6.0]), 3).numpy().tolist() == [2.0, 3.0]


def test_a_condition_may_be_numbers_and_nan_is_true():
    for condition in ([2, 0, -1], [0.5, 0.0, np.nan], tg.Tensor([True, False, True])):
        assert tg.where(condition, t(3), 0.0).numpy().tolist() == [1, 0, 1]
    x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    tg.where([2, 0, -1], 0.0, x).sum().backward()
    assert x.grad.numpy().tolist() == [0, 1, 0]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.int64])
def test_signs_keep_the_dtype(dtype):
    y = tg.sign(tg.Tensor(np.array([-3, 0, 4], dtype)))
    assert y.dtype == dtype and y.numpy().tolist() == [-1, 0, 1]


def test_what_is_finite_is_neither_infinite_nor_nan():
    x = tg.Tensor([1.0, np.nan, np.inf, -np.inf])
    assert tg.isfinite(x).numpy().tolist() == [True, False, False, False]
    assert tg.isnan(x).numpy().tolist() == [False, True, False, False]
    assert tg.isfinite([1, 2]).numpy().all() and not tg.isnan(tg.Tensor([1, 2])).numpy().any()


def test_rounding_to_tens_and_to_decimals():
    assert tg.round(tg.Tensor([1234.0, 1250.0, -1350.0]), -2).numpy().tolist() == [1200, 1200, -1400]
    assert tg.round(tg.Tensor([0.125, 0.375], dtype="float64"), np.int64(2)).numpy().tolist() == [0.12, 0.38]
    assert tg.round(tg.Tensor([15, 25]), -1).numpy().tolist() == [20, 20]  # halves to the even neighbor


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16])
def test_triangles_and_fillings_keep_the_dtype(dtype):
    x = tg.Tensor(np.ones((2, 3), dtype))
    lower, upper = tg.tril(x), tg.triu(x, np.int64(1))
    assert lower.dtype == upper.dtype == tg.masked_fill(x, [True, False, True], True).dtype == dtype
    assert lower.numpy().tolist() == [[1, 0, 0], [1, 1, 0]] and upper.numpy().tolist() == [
        [0, 1, 1],
        [0, 0, 1],
    ]


def test_a_real_base_of_whole_exponents_stays_real():
    n = tg.Tensor([1, 2, 0])
    assert tg.power(2.5, n).numpy().tolist() == [2.5, 6.25, 1.0]
    assert tg.power(3, n).numpy().tolist() == [3, 9, 1] and tg.power(3, n).dtype == np.int64


def test_half_precision_by_keyword_is_computed_in_single():
    x = tg.Tensor(np.full(300, 300, np.float16))
    assert tg.mean(x=x).item() == 300 and tg.mean(x=x).dtype == np.float16
    assert tg.norm(x=x).item() == pytest.approx(300 * np.sqrt(300), rel=1e-3)
    assert tg.softmax(input=x).dtype == np.float16
