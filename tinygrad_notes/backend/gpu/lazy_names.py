"""The namespace that rules are read on: the names of the CuPy namespace, as functions of Lazies.

What is element by element builds chains; sums end them. Functions that a rule hands over (to `elementwise`,
`rowwise`, ...) are read in the same way. Everything else computes its arguments and runs as it is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import cupy
import numpy as np

from .. import cpu
from ..kernels import normalization
from ..kernels.steps import repeated
from . import lazy_kernels, products
from .lazy import WEAK, Lazy, elementwise, opaque, unwrap, viewed, wrap
from .lazy_chains import Joined, Later
from .lazy_rows import arange, item, scatter_add
from .lazy_scan import scan
from .lazy_sums import max_, mean, sum_

names = SimpleNamespace(ndarray=Lazy)

ELEMENTWISE = """abs add bitwise_and bitwise_or bitwise_xor ceil cos divide equal exp expm1 floor greater
    greater_equal invert isfinite isnan less less_equal log log1p logical_and logical_not logical_or
    logical_xor maximum minimum multiply negative not_equal rint sign sin sqrt subtract tanh where"""
OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "pow": "power",
    "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "matmul": "matmul",
}  # fmt: skip
COMPARISONS = {
    "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater",
    "ge": "greater_equal",
}  # fmt: skip


def read(rule: Callable[..., Any]) -> Callable[..., Any]:
    """`rule`, called with a namespace and arrays, as kernels: it gets `names` and Lazies instead."""

    def run(_: Any, /, *args: Any, **attributes: Any) -> Any:
        result = rule(names, *map(wrap, args), **{key: wrap(value) for key, value in attributes.items()})
        return unwrap(result)

    return run


def computed(name: str) -> Callable[..., Any]:
    """The function `name` of rules as one of arrays, computed at once."""
    return functools.partial(read(lambda xp, *args, **options: getattr(xp, name)(*args, **options)), None)


def fill(namespace: dict[str, Any]) -> None:
    """Give `names` every public name of the CuPy `namespace`, and Lazies their operators."""
    own = {name: elementwise(name, getattr(cupy, name)) for name in ELEMENTWISE.split()}
    own["erf"] = elementwise("erf", namespace["erf"])
    own["round"] = _rounded(own["rint"], namespace["round"])
    own["power"] = _power(own["multiply"], elementwise("power", cupy.power))
    own |= {
        function.__name__.rstrip("_"): function
        for function in (
            arange,
            concatenate,
            expand_dims,
            full,
            matmul,
            max_,
            mean,
            moveaxis,
            ones,
            ones_like,
            pad,
            reshape,
            scan,
            squeeze,
            stack,
            sum_,
            swapaxes,
            transpose,
            zeros,
            zeros_like,
        )
    }
    own |= dict.fromkeys(("elementwise", "rowwise", "matrixwise"), _called)
    own["elementwise_sum"] = _called_and_summed
    own["scatter_add"] = scatter_add(namespace["scatter_add"])
    own["normalize"] = functools.partial(normalization.fused_normalize, _called)
    own["normalize_grad"] = functools.partial(normalization.fused_normalize_grad, _called)
    for name in cpu.__all__:
        setattr(names, name, own.get(name) or getattr(names, name, None) or opaque(namespace[name]))
    _give_operators(own)


def _give_operators(own: dict[str, Any]) -> None:
    for short, name in OPERATORS.items():
        function = own[name]
        setattr(Lazy, f"__{short}__", function)
        setattr(Lazy, f"__r{short}__", lambda self, other, function=function: function(other, self))
        setattr(Lazy, f"__i{short}__", _in_place(function))
    for short, name in COMPARISONS.items():
        setattr(Lazy, f"__{short}__", own[name])
    for short, name in {"neg": "negative", "abs": "abs", "invert": "invert"}.items():
        setattr(Lazy, f"__{short}__", own[name])
    for name, function in {"__getitem__": item, **{n: own[n] for n in ("mean", "sum", "swapaxes")}}.items():
        setattr(Lazy, name, function)
    Lazy.transpose = lambda self, *axes: transpose(self, *axes)  # type: ignore[attr-defined]


def _in_place(function: Callable[..., Any]) -> Callable[..., Any]:
    """``y *= a``: another value under the name, in the type of y; a part of an array is written into."""

    def change(self: Lazy, other: Any) -> Any:
        result = function(self, other).astype(self.dtype, copy=False)
        if self._array is None or self._array.base is None:
            return result
        self[...] = result
        return self

    return change


def _called(function: Callable[..., Any], *arrays: Any) -> Any:
    return function(*arrays)


def _called_and_summed(function: Callable[..., Any], axes: Any, *arrays: Any) -> Any:
    return sum_(function(*arrays), axis=axes, keepdims=True)


def _rounded(rint: Callable[..., Any], plain_round: Callable[..., Any]) -> Callable[..., Any]:
    def round_(x: Any, decimals: int = 0) -> Any:
        return rint(x) if decimals == 0 and x.dtype.kind == "f" else opaque(plain_round)(x, decimals)

    return round_


def _power(multiply: Callable[..., Any], power: Callable[..., Any]) -> Callable[..., Any]:
    def power_(x: Any, exponent: Any) -> Any:
        if type(exponent) in (int, float) and exponent == 2 and x.dtype.kind == "f":
            return multiply(x, x)
        return power(x, exponent)

    return power_


# ---- one number for all elements: nothing is filled before it is needed as an array ----------------------


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """An array of one number."""
    shape = shape if isinstance(shape, tuple | list) else (shape,)
    dtype = np.dtype(type(fill_value) if dtype is None else dtype)
    if type(fill_value) not in WEAK or (dtype.kind not in "bf" and fill_value not in (0, 1)):
        return opaque(cupy.full)(shape, fill_value, dtype)  # CuPy says what does not fit
    return Lazy(None, tuple(shape), dtype, repeated(dtype), (fill_value,))


def zeros(shape: Any, dtype: Any = float) -> Any:
    """An array of 0."""
    return full(shape, 0, dtype)


def ones(shape: Any, dtype: Any = float) -> Any:
    """An array of 1."""
    return full(shape, 1, dtype)


def zeros_like(x: Any) -> Any:
    """0 in the shape and type of x."""
    return full(x.shape, 0, x.dtype)


def ones_like(x: Any) -> Any:
    """1 in the shape and type of x."""
    return full(x.shape, 1, x.dtype)


# ---- views: of a chain they are views of its arrays where no other function would be slowed down -------


def reshape(x: Any, shape: Any) -> Any:
    """x in another shape."""
    return x.reshape(shape)


def expand_dims(x: Any, axis: Any) -> Any:
    """x with new axes of length 1."""
    ndim = x.ndim + (1 if isinstance(axis, int) else len(axis))
    new = np.lib.array_utils.normalize_axis_tuple(axis, ndim)
    index = tuple(None if i in new else slice(None) for i in range(ndim))
    return viewed(x, lambda array: array[index])


def squeeze(x: Any, axis: Any = None) -> Any:
    """x without axes of length 1."""
    return viewed(x, lambda array: array.squeeze(axis))


def transpose(x: Any, axes: Any = None) -> Any:
    """x with its axes in another order."""
    return wrap(cupy.transpose(x.array, axes))


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """x with two axes exchanged."""
    return wrap(cupy.swapaxes(x.array, axis1, axis2))


def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """x with axes moved."""
    return wrap(cupy.moveaxis(x.array, source, destination))


# ---- what is made of parts ---------------------------------------------------------------------


def concatenate(parts: Sequence[Any], axis: int = 0) -> Any:
    """Arrays one after another along `axis`; chains among them are written to their place at once."""
    parts = [wrap(part) for part in parts]
    ndim = parts[0].ndim
    axis = axis % ndim if ndim else axis
    rest = {(*part.shape[:axis], *part.shape[axis + 1 :]) for part in parts}
    if not ndim or len(rest) > 1 or any(part.ndim != ndim for part in parts):
        return opaque(cupy.concatenate)(tuple(parts), axis=axis)  # CuPy says what is wrong
    ends = np.cumsum([part.shape[axis] for part in parts]).tolist()
    places = [(slice(None),) * axis + (slice(end - part.shape[axis], end),)
              for part, end in zip(parts, ends, strict=True)]  # fmt: skip
    shape = (*parts[0].shape[:axis], ends[-1], *parts[0].shape[axis + 1 :])
    return _joined(parts, places, shape)


def stack(parts: Sequence[Any], axis: int = 0) -> Any:
    """Arrays of one shape along a new axis."""
    parts = [wrap(part) for part in parts]
    if len({part.shape for part in parts}) > 1:
        return opaque(cupy.stack)(tuple(parts), axis=axis)
    axis = axis % (parts[0].ndim + 1)
    places = [(slice(None),) * axis + (i,) for i in range(len(parts))]
    return _joined(parts, places, (*parts[0].shape[:axis], len(parts), *parts[0].shape[axis:]))


def _joined(parts: list[Any], places: list[Any], shape: tuple[int, ...]) -> Lazy:
    dtype = np.result_type(*(part.dtype for part in parts))
    parts = [part.astype(dtype, copy=False) for part in parts]
    return Lazy(None, shape, dtype, Joined(list(zip(parts, places, strict=True))))


def pad(x: Any, widths: Any, constant_values: float = 0) -> Any:
    """x with a border of `constant_values`: filled, and x written into the middle."""
    shape = tuple(n + before + after for n, (before, after) in zip(x.shape, widths, strict=True))
    inside = tuple(slice(before, before + n) for n, (before, _) in zip(x.shape, widths, strict=True))
    out = cupy.full(shape, constant_values, x.dtype)
    lazy_kernels.evaluate([(x, out[inside])])
    return wrap(out)


def matmul(a: Any, b: Any) -> Any:
    """The matrix product, computed when it is needed, and then where it is needed."""
    if min(a.ndim, b.ndim) < 2 or a.shape[-1] != b.shape[-2] or a.dtype != b.dtype:
        return opaque(products.matmul)(a, b)
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
    return Lazy(None, shape, a.dtype, Later(lambda out: products.matmul(a.array, b.array, out=out)), (a, b))
