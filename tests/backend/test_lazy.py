"""Rules read as kernels: the same numbers and types as the rule on NumPy, in few launches, compiled once."""

import math
import sys

import numpy as np
import pytest

from tinygrad_notes import backend
from tinygrad_notes.backend import cpu

REALS = ("float16", "float32", "float64")
WHOLE = ("int8", "uint8", "int32", "int64")

REAL_RULES = {
    "sums and products": lambda xp, a, b: (a + b) * (a - 2) / (1 + b * b),
    "a weak number": lambda xp, a, b: 0.1 * a - b / 3,
    "functions": lambda xp, a, b: xp.exp(-xp.abs(a)) + xp.log1p(b * b) * xp.tanh(a) + xp.sqrt(xp.abs(b)),
    "more functions": lambda xp, a, b: xp.sin(a) * xp.cos(b) + xp.expm1(a) - xp.log(xp.abs(a) + 1),
    "erf": lambda xp, a, b: xp.erf(a * 0.5) * b,
    "larger and smaller": lambda xp, a, b: xp.maximum(a, b) - xp.minimum(a, 0),
    "a choice": lambda xp, a, b: xp.where(a > b, a * 2, 0),
    "a choice of numbers": lambda xp, a, b: xp.where((a <= b) & (b < 1), 1, 0.5) * a,
    "comparisons": lambda xp, a, b: (a == b) | ~(a >= b) ^ (b != 1),
    "logic": lambda xp, a, b: xp.logical_and(a, b > 0) == xp.logical_not(xp.logical_xor(a, b)),
    "more logic": lambda xp, a, b: xp.logical_or(a, b) & (a > 0),
    "whole parts": lambda xp, a, b: xp.floor(a) + xp.ceil(b) + xp.sign(a) + xp.round(b),
    "powers": lambda xp, a, b: a**2 + xp.abs(b) ** 1.5 + xp.power(xp.abs(a) + 1, b),
    "other types": lambda xp, a, b: a.astype("float64") * b + (a > 0).astype("int32"),
    "in place": lambda xp, a, b: _in_place(a, b),
    "a sum": lambda xp, a, b: xp.sum(a * b, axis=1, keepdims=True) + a,
    "a mean of all": lambda xp, a, b: xp.mean(a - b) * b,
    "a sum of an array": lambda xp, a, b: xp.sum(a, axis=(0, 1)),
    "a maximum": lambda xp, a, b: xp.exp(a - xp.max(a + 0, axis=0, keepdims=True)),
    "parts of a chain": lambda xp, a, b: (a * b)[:, 1:] - (a + b)[:, :-1][::-1],
    "a chain in another shape": lambda xp, a, b: xp.reshape(a * b, (b.size,))[1:] * 2,
    "new axes": lambda xp, a, b: xp.expand_dims(a + b, 0) * (a - 1)[None] + xp.swapaxes(b * 1, 0, 1).T,
    "a product": lambda xp, a, b: xp.matmul(a * 2, xp.swapaxes(b, 0, 1)) + 1,
    "joined": lambda xp, a, b: xp.concatenate((a * b, b, a + 1), axis=1) * 2,
    "stacked": lambda xp, a, b: xp.stack((a * b, b), axis=1),
    "a border": lambda xp, a, b: xp.pad(a * b, ((1, 0), (0, 2)), constant_values=3) - 1,
    "numbers alone": lambda xp, a, b: (xp.zeros((2, 3)), xp.exp(xp.ones_like(b)) * 2, xp.full((), 3)),
    "a number for each": lambda xp, a, b: (xp.zeros((5, *b.shape), b.dtype) + b * xp.full((), 0.5, a.dtype)),
    "sums of numbers": lambda xp, a, b: xp.sum(xp.ones((5, *b.shape)) * b, axis=0) + xp.sum(xp.ones(3)),
    "parts of numbers": lambda xp, a, b: (xp.ones_like(a) + xp.zeros(()))[1:, None] - xp.zeros((12,))[2],
    "sums together": lambda xp, a, b: (
        xp.sum(a * b, axis=0), xp.mean(a, axis=0), xp.sum(a - b, axis=0) / 3, xp.sum(b, axis=0) * b[0],
    ),
    "a sum of what a sum is in": lambda xp, a, b: (
        lambda m: (m, xp.mean((a - m) ** 2, axis=1, keepdims=True), xp.sum(b, axis=1, keepdims=True)))(
        xp.mean(a, axis=1, keepdims=True)),
    "numbers after a sum": lambda xp, a, b: a / xp.sqrt(xp.mean(a * a, axis=1, keepdims=True) + 0.1),
    "a choice after a sum": lambda xp, a, b: (lambda s: a / xp.where(s == 0, 1, s))(xp.sum(b - b, axis=0)),
    "a sum in another shape": lambda xp, a, b: (
        xp.reshape(xp.sum(a, axis=(0, 1), keepdims=True), ()) * xp.squeeze(xp.sum(b, 0, True), 0),
        xp.reshape(xp.sum(b, axis=1) * 2 + xp.sum(a, axis=1), (1, -1)),
        xp.expand_dims(xp.sum(b, axis=1), (0, 2)),
        xp.reshape(xp.sum(a, axis=1), (3, 1)),
    ),
    "parts of sums": lambda xp, a, b: (xp.sum(a * b, axis=1)[1:] + 1, (xp.sum(a, axis=0) + b[0])[::-1]),
    "joined sums": lambda xp, a, b: xp.concatenate((xp.sum(a, axis=0), xp.sum(b, axis=0) / 2, b[1]), axis=0),
    "a sum and others joined": lambda xp, a, b: xp.concatenate((xp.sum(a, axis=1), b[0], xp.mean(b)[None])),
    "the largest of a chain": lambda xp, a, b: (
        xp.max(a * b, axis=1, keepdims=True) - xp.max(b - a) + xp.max(-a, axis=(0, 1)) * 2),
    "one of each row": lambda xp, a, b: (lambda m, at: (
        ((a - m) * b - xp.sum(a, axis=1, keepdims=True))[xp.arange(3), at] * 2, b[xp.arange(3), at]))(
        xp.max(a, axis=1, keepdims=True), (a[:, 0] > 0) - 2 * (b[:, 0] > 0)),
    "one of each row of another": lambda xp, a, b: xp.scatter_add(
        a[:, 1] * b[:, 0], (xp.arange(3), (a[:, 0] > 0) - 2 * (b[:, 0] > 0)), (3, 5)) * 2 + xp.arange(5),
    "several results": lambda xp, a, b: (a * b, xp.exp(a * b), xp.sum(a * b, axis=0), a),
}  # fmt: skip
WHOLE_RULES = {
    "sums and products": lambda xp, a, b: (a + b) * (a - 2),
    "quotients": lambda xp, a, b: a / (b + 1),
    "sums": lambda xp, a, b: xp.sum(a * b, axis=0) + xp.mean(a, axis=0),
    "sums and numbers": lambda xp, a, b: (xp.sum(a, axis=1) * 3 + 1, xp.mean(b, axis=1) / 7, xp.max(a + b)),
    "functions": lambda xp, a, b: xp.exp(a) + xp.abs(b) + xp.sign(a),
    "larger and smaller": lambda xp, a, b: xp.maximum(a, b) - xp.minimum(a, 1),
    "bits": lambda xp, a, b: (a & b) | (a ^ 1) | ~b,
    "with reals": lambda xp, a, b: 0.5 * a + b,
    "a choice": lambda xp, a, b: xp.where(a, b, 7),
}


def _in_place(a, b):
    y = a - b
    y *= b
    y += 1
    y -= a
    y /= 2
    return y


def arrays(dtype, seed=0):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return [rng.standard_normal((3, 4)).astype(dtype) for _ in range(2)]
    return [rng.integers(0, 2 if dtype == "bool" else 10, (3, 4)).astype(dtype) for _ in range(2)]


def on_device(gpu, rule, *given):
    """What `rule` gives when it is read as kernels, as NumPy arrays."""
    found = gpu.read(rule)(None, *(gpu.from_host(x) for x in given))
    assert all(type(y) is gpu.ndarray for y in (found if isinstance(found, tuple) else (found,)))
    return [backend.to_numpy(y) for y in (found if isinstance(found, tuple) else (found,))]


def on_numpy(rule, *given):
    with np.errstate(all="ignore"):
        found = rule(cpu, *given)
    return [np.asarray(y) for y in (found if isinstance(found, tuple) else (found,))]


def assert_same(gpu, rule, *given):
    for got, expected in zip(on_device(gpu, rule, *given), on_numpy(rule, *given), strict=True):
        assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
        eps = float(np.finfo(got.dtype).eps) if got.dtype.kind == "f" else 0.0
        np.testing.assert_allclose(got, expected, rtol=16 * eps, atol=8 * eps)


@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("name", REAL_RULES)
def test_a_rule_on_reals_gives_what_numpy_gives(gpu, name, dtype):
    assert_same(gpu, REAL_RULES[name], *arrays(dtype))


@pytest.mark.parametrize("dtype", WHOLE)
@pytest.mark.parametrize("name", WHOLE_RULES)
def test_a_rule_on_integers_gives_what_numpy_gives(gpu, name, dtype):
    assert_same(gpu, WHOLE_RULES[name], *arrays(dtype))


@pytest.mark.parametrize("rule", [
    lambda xp, a, b: (a + b, a * b, a & b, a | b, a ^ b, ~a),
    lambda xp, a, b: (xp.maximum(a, b), xp.minimum(a, b), xp.sum(a, axis=0), xp.where(a, 1.5, 0)),
    lambda xp, a, b: (a + 1, a * 2.5, a == b, a < b, xp.logical_not(a)),
])  # fmt: skip
def test_a_rule_on_truths_gives_what_numpy_gives(gpu, rule):
    assert_same(gpu, rule, *arrays("bool"))


@pytest.mark.parametrize("pair", [("float32", "float64"), ("float16", "float32"), ("int32", "float32"),
                                  ("uint8", "int8"), ("bool", "float16"), ("int64", "uint64")])  # fmt: skip
def test_two_types_meet_as_in_numpy(gpu, pair):
    a, b = (arrays(dtype)[i] for i, dtype in enumerate(pair))
    assert_same(gpu, lambda xp, a, b: (a + b, a * b, xp.maximum(a, b), xp.where(a > 1, a, b), a <= b), a, b)


def chain(xp, a, b):
    return xp.exp(-a * a) * b + 1, xp.sum(a * b), xp.where(a > 0, b, -b)


@pytest.mark.parametrize(
    "shapes",
    [((), ()), ((0, 3), (0, 3)), ((2, 1), (1, 3)), ((4, 1, 3), (2, 3)), ((3,), ()), ((0,), (1,))],
)
def test_any_shapes(gpu, shapes):
    rng = np.random.default_rng(1)
    assert_same(gpu, chain, *(np.asarray(rng.standard_normal(shape), np.float32) for shape in shapes))


def test_any_layout(gpu):
    x = gpu.from_host(np.arange(24.0).reshape(4, 6))
    a, b = x.T[::2], x[::-1, 1:4].T
    found = [backend.to_numpy(y) for y in gpu.read(chain)(None, a, b)]
    for got, expected in zip(found, on_numpy(chain, backend.to_numpy(a), backend.to_numpy(b)), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-14)


def test_nan_and_infinity_are_numpys(gpu):
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -1.0, 1.0], np.float32)
    a, b = (np.ascontiguousarray(v) for v in np.broadcast_arrays(x[:, None], x))

    def rule(xp, a, b):
        largest, smallest = xp.maximum(a, b), xp.minimum(a, b)
        chosen = xp.where(a > 0, xp.log(a), 0), xp.where(b == 0, 0, a / b)
        tests = a < b, a == b, xp.isnan(a), xp.isfinite(b)
        return (largest, smallest, xp.sign(a), a / b, *tests, *chosen, xp.sum(a, axis=1), a**2, xp.sqrt(b))

    for got, expected in zip(on_device(gpu, rule, a, b), on_numpy(rule, a, b), strict=True):
        np.testing.assert_array_equal(got, expected)
    for part in (slice(None), slice(1, 5), slice(2, 3)):
        assert_same(
            gpu, lambda xp, a, b: (xp.max(a * 1, axis=0), xp.max(-b, axis=1)), a[part, part], b[part, part]
        )


def test_one_of_each_row_is_not_touched_by_the_others(gpu):
    x = np.array([[np.nan, 1.0, -np.inf], [np.inf, 2.0, np.nan]])
    assert_same(gpu, lambda xp, x: (x * 1)[xp.arange(2), xp.arange(2) + 1 - xp.arange(2)], x)


@pytest.mark.parametrize("labels", [[2, 0, 1], [-1, -3, -2], [-3, 2, -1]])
def test_labels_below_zero_count_from_the_end(gpu, labels):
    x, labels = np.arange(9.0).reshape(3, 3) + 1, np.array(labels)
    assert_same(gpu, lambda xp, x, at: (x * 2)[xp.arange(3), at], x, labels)
    assert_same(gpu, lambda xp, x, at: xp.scatter_add(x[0] * 2, (xp.arange(3), at), (3, 3)), x, labels)


def test_an_axis_that_is_not_there_is_refused(gpu):
    for rule in (lambda xp, x: xp.sum(x, axis=2), lambda xp, x: xp.mean(x * 1, axis=(0, -3))):
        with pytest.raises(ValueError, match="axis"):
            on_device(gpu, rule, arrays("float32")[0])


def test_float16_is_rounded_after_each_step(gpu):
    a = np.array([2048, 60000, 1e-7], np.float16)
    assert_same(gpu, lambda xp, a: (a + 1 - a, a + a - a, a * 0.1 * 10, a * 1e6), a)


def test_an_integer_too_large_for_the_type(gpu):
    a = np.arange(4, dtype=np.uint8)
    assert_same(gpu, lambda xp, a: (a != 300, a < -1), a)


def test_a_long_chain_is_computed_in_parts(gpu):
    def rule(xp, a, b):
        for _ in range(100):
            a = a * 0.5 + b
        return a, xp.sum(a)

    assert_same(gpu, rule, *arrays("float64"))


def test_more_arrays_than_a_kernel_takes(gpu):
    def rule(xp, *xs):
        total = xs[0] * 1
        for x in xs[1:]:
            total = total + x
        return (total, *(x * 2 for x in xs))

    assert_same(gpu, rule, *(arrays("float64", seed)[0] for seed in range(50)))


def test_an_input_that_is_a_result_is_the_same_array(gpu):
    x = gpu.from_host(np.ones(3))
    y, z = gpu.read(lambda xp, x: (x, x * 2))(None, x)
    assert y is x and z is not x
    a, b = gpu.read(lambda xp, x: (lambda v: (v, v))(x + 1))(None, x)
    assert a is b


def test_parts_that_are_written_into(gpu):
    def rule(xp, a, b):
        out = xp.zeros((4, *a.shape[1:]), a.dtype)
        out[:3] = a * b
        out[3] = xp.sum(a, axis=0)
        corner = out[:2, :2]
        corner += 1
        return out * 2

    assert_same(gpu, rule, *arrays("float32"))


def test_a_chain_does_not_read_what_was_written_after_it(gpu):
    def rule(xp, a):
        y = xp.flip(a, axis=0)
        doubled = y * 2
        y[0] = 0
        return doubled, y

    with pytest.raises(RuntimeError, match="wrote into an array of shape"):
        on_device(gpu, rule, arrays("float32")[0])


def test_a_host_array_is_refused(gpu):
    x = gpu.from_host(np.ones(3))
    for rule in (
        lambda xp, x: x * np.ones(3),
        lambda xp, x: np.ones(3) + x,
        lambda xp, x: xp.where(x > 0, x, [1]),
    ):
        with pytest.raises(TypeError, match=r"ndarray|list"):
            gpu.read(rule)(None, x)


def test_the_namespace_of_rules_has_every_name(gpu):
    assert set(cpu.__all__) == set(vars(sys.modules["tinygrad_notes.backend.gpu.lazy_names"].names))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_is_the_plain_one(gpu, masked, reverse):
    from tinygrad_notes.backend.kernels import plain

    rng = np.random.default_rng(0)
    s, h, w = rng.standard_normal((5, 2, 3)), rng.standard_normal((2, 3)), rng.standard_normal((3, 3))
    mask = np.arange(5)[:, None] < np.array([5, 2]) if masked else None

    def rule(xp, s, h, w, mask):
        def step(s, h, w):
            new = xp.tanh(s + xp.matmul(h, w))
            return new, new, h, xp.concatenate((new * 2, h), axis=1), xp.matmul(new, w)

        scan = xp.scan if xp is not np else lambda *args: plain.scan(np, *args)
        return scan(step, (s,), (h,), (w,), mask, reverse)

    found = gpu.read(rule)(
        None, *(gpu.from_host(x) for x in (s, h, w)), None if mask is None else gpu.from_host(mask)
    )
    for got, expected in zip(found, rule(np, s, h, w, mask), strict=True):
        np.testing.assert_allclose(backend.to_numpy(got), expected, rtol=1e-13)
    found[1][...] = 7  # the last state has memory of its own
    np.testing.assert_allclose(backend.to_numpy(found[0]), rule(np, s, h, w, mask)[0], rtol=1e-13)


def test_a_scan_whose_results_are_products(gpu):
    from tinygrad_notes.backend.kernels import plain

    rng = np.random.default_rng(0)
    given = rng.standard_normal((4, 2, 3)), rng.standard_normal((2, 3)), rng.standard_normal((3, 3))

    def rule(xp, s, h, w):
        def step(s, h, w):
            product = xp.matmul(h * s, w)
            return xp.tanh(product) + h, product, xp.matmul(s, w)

        scan = xp.scan if xp is not np else lambda *args: plain.scan(np, *args)
        return scan(step, (s,), (h,), (w,), None, False)

    for got, expected in zip(on_device(gpu, rule, *given), rule(np, *given), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-13)


def test_a_sum_of_many_is_exact_in_double(gpu):
    x = np.random.default_rng(0).random((64, 1024)).astype(np.float32)
    for rule in (
        lambda xp, x: xp.sum(x * x),
        lambda xp, x: xp.mean(x * x, keepdims=True),
        lambda xp, x: xp.sum(x.T),
    ):
        (got,) = on_device(gpu, rule, x)
        (expected,) = on_numpy(rule, x.astype(np.float64))
        assert got.shape == expected.shape and got.dtype == np.float32
        np.testing.assert_allclose(got, expected, rtol=1e-6)
    assert math.isfinite(float(got))
