"""Nothing drifts to float64: not a result, and not a temporary inside a rule."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import tinygrad_notes as tg
from tests.op_table import CASES, as_tuple, draw, tensors
from tinygrad_notes import backend
from tinygrad_notes.autograd import Function

numpy_only = pytest.mark.skipif(backend.BACKEND != "numpy", reason="watches NumPy's temporaries")


class Watched(np.ndarray):
    """An array whose every ufunc and array function must not turn float32 into float64."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **keywords):
        if out is not None:
            keywords["out"] = tuple(_plain(o) for o in out)
        result = getattr(ufunc, method)(*map(_plain, inputs), **keywords)
        if method == "accumulate":  # running sums are added up in float64, and rounded
            return result
        return _checked(ufunc.__name__, result)

    def __array_function__(self, function, types, args, keywords):
        result = super().__array_function__(function, types, args, keywords)
        return (
            result if function is np.cumsum else _checked(function.__name__, result)
        )  # it adds up in float64


def _plain(x):
    return x.view(np.ndarray) if isinstance(x, Watched) else x


def _checked(name, result):
    if isinstance(result, tuple | list):
        return type(result)(_checked(name, r) for r in result)
    assert getattr(result, "dtype", None) != np.float64, f"{name} made float64 out of float32"
    return result.view(Watched) if isinstance(result, np.ndarray) else result


def _calls(case, monkeypatch):
    """(operation, raw inputs, attributes) of every operation that the row runs."""
    calls = []
    original = Function.apply.__func__

    def recording(cls, *inputs, **attributes):
        raw = [x._data if isinstance(x, tg.Tensor) else x for x in inputs]
        calls.append((cls, raw, attributes))
        return original(cls, *inputs, **attributes)

    with monkeypatch.context() as patch:
        patch.setattr(Function, "apply", classmethod(recording))
        case.run(*tensors(case, draw(case, np.float32)))
    return calls


def _run(rule, skip, values, attributes, *first):
    """Call a rule with the values that its signature names."""
    parameters = inspect.signature(rule).parameters.values()
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD][skip:]
    keywords = {p.name: attributes[p.name] for p in parameters if p.kind is p.KEYWORD_ONLY}
    given = [v for p in parameters if p.kind is p.VAR_POSITIONAL for v in values.values()]
    given += [np.shape(values[n[:-6]]) if n.endswith("_shape") and n not in values else values[n]
              for n in positional]  # fmt: skip
    return rule(backend.xp, *first, *given, **keywords)


@numpy_only
@pytest.mark.parametrize("case", [c for c in CASES if c.name != "astype"], ids=lambda c: c.name)
def test_rules_stay_in_float32(case, monkeypatch):
    for operation, raw, attributes in _calls(case, monkeypatch):
        names = [str(i) for i in range(len(raw))] if operation.variadic else operation.inputs
        inputs = [x.view(Watched) if isinstance(x, np.ndarray) else x for x in raw]
        values = dict(zip(names, inputs, strict=True))
        if operation.saves:
            values |= zip(operation.saves, _run(operation.save, 1, values, attributes), strict=True)
        y = _run(operation.forward, 1, values, attributes)
        values["y"] = y
        parts = as_tuple(y)
        assert all(np.asarray(part).dtype == np.float32 for part in parts), operation.name
        gy = tuple(np.ones_like(part) for part in parts) if isinstance(y, tuple) else np.ones_like(y)
        rules = [operation.backward] if hasattr(operation, "backward") else [
            getattr(operation, f"backward_{name}") for name in operation.inputs
            if hasattr(operation, f"backward_{name}") and isinstance(values[name], np.ndarray)
        ]  # fmt: skip
        for rule in rules:
            if operation.variadic:
                results = _run(rule, 2, {}, attributes, gy)
            else:
                results = _run(rule, 2, values, attributes, gy)
            for i, gx in enumerate(as_tuple(results)):
                if gx is None and raw[i] is None:
                    continue  # no gradient for an input left out
                assert np.asarray(gx).dtype == np.float32, f"{rule.__qualname__}"


SCALARS = [2, 1.5, True, np.float64(1.5), np.float32(1.5), np.float16(1.5), np.int64(2), np.bool_(True)]
OPERATORS = {
    "x + s": lambda x, s: x + s,
    "s + x": lambda x, s: s + x,
    "x - s": lambda x, s: x - s,
    "s - x": lambda x, s: s - x,
    "x * s": lambda x, s: x * s,
    "s * x": lambda x, s: s * x,
    "x / s": lambda x, s: x / s,
    "s / x": lambda x, s: s / x,
    "x ** s": lambda x, s: x**s,
    "s ** x": lambda x, s: s**x,
    "maximum": tg.maximum,
    "minimum": tg.minimum,
    "where": lambda x, s: tg.where(x > 1, x, s),
    "where reversed": lambda x, s: tg.where(x > 1, s, x),
}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("scalar", SCALARS, ids=lambda s: f"{type(s).__name__}")
@pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)
@pytest.mark.parametrize("shape", [(), (3,)])
def test_scalars_never_change_the_dtype(operator, scalar, dtype, shape):
    x = tg.Tensor(np.full(shape, 1.25, dtype), requires_grad=True)
    y = operator(x, scalar)
    assert isinstance(y, tg.Tensor)
    assert (y.dtype, y.shape) == (dtype, shape)
    y.sum().backward()
    assert (x.grad.dtype, x.grad.shape) == (dtype, shape)


@pytest.mark.parametrize("run", [
    lambda x, s: tg.leaky_relu(x, s),
    lambda x, s: tg.softplus(x, s),
    lambda x, s: tg.clip(x, -s, s),
    lambda x, s: tg.pad(x, 1, s),
    lambda x, s: tg.power(x, s),
    lambda x, s: tg.ops.dropout.dropout(x, s),
    lambda x, s: tg.ops.loss.huber_loss(x, x * 2, delta=s),
    lambda x, s: tg.ops.loss.cross_entropy(x, np.array([0, 1]), label_smoothing=s),
])  # fmt: skip
def test_numpy_scalars_as_settings_never_change_the_dtype(run):
    x = tg.Tensor(np.array([[1.0, 2.0, 3.0], [0.5, 0.2, 0.1]], np.float32), requires_grad=True)
    y = run(x, np.float64(0.5))
    assert y.dtype == np.float32
    y.sum().backward()
    assert x.grad.dtype == np.float32


@pytest.mark.parametrize("operator", [
    lambda a, x: a + x, lambda a, x: a - x, lambda a, x: a * x, lambda a, x: a / x, lambda a, x: a**x,
    lambda a, x: a @ x, lambda a, x: a < x, lambda a, x: a >= x, lambda a, x: a == x, lambda a, x: a != x,
])  # fmt: skip
def test_array_op_tensor_is_a_tensor(operator):
    a = np.array([1.0, 2.0, 3.0], np.float32)
    x = tg.Tensor(np.array([3.0, 2.0, 1.0], np.float32), requires_grad=True)
    y = operator(backend.asarray(a), x)
    assert isinstance(y, tg.Tensor)
    np.testing.assert_allclose(y.detach().numpy(), operator(a, x.detach().numpy()), rtol=1e-6)


def test_comparison_has_no_gradient():
    a, b = (tg.Tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    isfinite = tg.ops.piecewise.isfinite
    for y in (a == b, a != b, a < b, a <= b, a > b, a >= b, tg.sign(a), isfinite(a), tg.argmax(a)):
        assert not y.requires_grad
        assert y.dtype.kind in "bif"
    assert (a == b).numpy().all()
    assert (a <= 2).dtype == np.bool_


def test_integers_keep_their_kind():
    n = tg.Tensor(np.array([3, -4, 5]))
    for y in (n + 1, n * n, n - 2, n.clip(0, 4), n.clip(a_min=0), n**2, tg.maximum(n, 0), n.sum(), n[1:]):
        assert y.dtype == np.int64
    assert (n > 0).sum().dtype == np.int64


HALF, SINGLE, DOUBLE = np.float16, np.float32, np.float64


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [
        ((HALF, SINGLE, np.int64), SINGLE),
        ((HALF, np.int64), HALF),
        ((SINGLE, np.int64), SINGLE),
        ((HALF, HALF), HALF),
        ((HALF, SINGLE, DOUBLE, np.int64), DOUBLE),
        ((np.int32, np.int64), np.int64),
    ],
)
@pytest.mark.parametrize("join", [tg.concat, tg.stack])
def test_arrays_of_several_dtypes_are_joined_as_in_torch(join, dtypes, expected):
    for order in (dtypes, dtypes[::-1]):
        parts = [tg.Tensor(np.array([1, 2], d), requires_grad=d in (HALF, SINGLE, DOUBLE)) for d in order]
        joined = join(parts)
        assert joined.dtype == expected
        np.testing.assert_array_equal(joined.detach().numpy().ravel(), [1, 2] * len(order))
        if joined.requires_grad:
            (joined * joined).sum().backward()
            for part in parts:
                if part.requires_grad:
                    assert part.grad.dtype == part.dtype
                    np.testing.assert_array_equal(part.grad.numpy(), [2, 4])
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    theirs = torch.cat([torch.from_numpy(np.array([1, 2], d)) for d in dtypes])
    assert theirs.numpy().dtype == expected


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64])
def test_functions_of_integers_are_those_of_real_numbers(dtype):
    """Also far below 0, where a sum or a negative of small integers would wrap around."""
    points = np.array([np.iinfo(dtype).min, -120, -1, 0, 1, 80], dtype)
    for name in ("exp", "tanh", "sigmoid", "softplus", "silu", "elu", "erf", "sin", "cos", "logsumexp"):
        y = getattr(tg, name)(tg.Tensor(points))
        assert y.dtype == np.float32, name
        expected = getattr(tg, name)(tg.Tensor(points.astype(np.float64))).numpy()
        np.testing.assert_allclose(y.numpy(), expected.astype(np.float32), rtol=2e-5, atol=1e-6, err_msg=name)
    for name in ("log", "log1p", "sqrt"):
        y = getattr(tg, name)(tg.Tensor(points[-2:]))
        assert y.dtype == np.float32, name
        np.testing.assert_allclose(y.numpy(), getattr(np, name)([1.0, 80.0]), rtol=1e-6, atol=1e-7)


def test_functions_of_booleans_and_bytes_are_real():
    for dtype in (bool, np.uint8):
        for name in ("exp", "log1p", "sqrt", "sin", "cos", "tanh"):
            y = getattr(tg, name)(tg.Tensor(np.array([0, 1], dtype)))
            assert y.dtype == np.float32
            np.testing.assert_allclose(y.numpy(), getattr(np, name)([0.0, 1.0]), rtol=1e-6)
    assert tg.Tensor(np.array([80], np.uint8)).exp().dtype == np.float32


@pytest.mark.parametrize("axis", [np.int64(0), np.int32(-1), (np.int64(0), np.int8(1))])
def test_an_axis_of_a_function_of_reals_may_be_numpys(axis):
    for x in (np.arange(6, dtype=np.int64).reshape(2, 3), np.ones((2, 3), np.float32)):
        expected = np.log(np.exp(x.astype(np.float64)).sum(axis=axis))
        for y in (tg.logsumexp(x, axis), tg.logsumexp(x=tg.Tensor(x), axis=axis)):
            assert y.dtype == np.float32
            np.testing.assert_allclose(backend.to_numpy(y.data), expected, rtol=1e-6)
