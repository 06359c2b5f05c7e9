"""The functions of the module: NumPy's of the same name, behind CuPy's parameters and refusals.

ROLES says which parameters of a function are device arrays. A letter after the name tells more:
``x?`` array or scalar, ``x*`` a sequence of arrays. Parameters not named take host values; ``out``
is always a device array.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from . import _capture, _creation, _device, _names, _standin
from ._array import check_kind, ndarray

ROLES = {
    "a": """all any amax amin argmax argmin argpartition argsort argwhere around round copy count_nonzero
        cumsum cumprod diagonal expand_dims flatnonzero flip fliplr flipud max mean median min moveaxis nanmax
        nanmean nanmin nansum nonzero partition prod ptp quantile percentile ravel repeat reshape roll
        rollaxis rot90 sort squeeze std sum swapaxes transpose trace var ones_like
        zeros_like permute_dims""",
    "prototype": "empty_like",
    "a b": "dot inner kron outer tensordot vdot cross",
    "a? b?": "allclose isclose",
    "a fill_value?": "full_like",
    "a indices?": "take",
    "a indices": "take_along_axis",
    "a v?": "searchsorted",
    "a weights": "average",
    "a prepend append": "diff",
    "a a_min? a_max?": "clip",
    "a val?": "fill_diagonal",
    "a ind? v?": "put",
    "a mask values?": "putmask",
    "a1 a2": "array_equal",
    "arr": "delete",
    "arr values?": "append",
    "arr indices values?": "put_along_axis",
    "arr1 arr2": "intersect1d union1d",
    "ar1 ar2": "in1d setdiff1d",
    "element test_elements": "isin",
    "ar": "unique",
    "array": "broadcast_to pad",
    "ary": "array_split split hsplit vsplit",
    "arys*": "atleast_1d atleast_2d",
    "args*": "broadcast_arrays ix_",
    "tup*": "concatenate concat stack vstack hstack dstack column_stack",
    "keys": "lexsort",
    "condition a": "compress extract",
    "condition x? y?": "where",
    "condlist* choicelist*": "select",
    "dst src? where?": "copyto",
    "x": "nan_to_num cumulative_sum matrix_transpose astype vander",
    "x weights": "bincount",
    "x bins?": "digitize",
    "x bins? weights": "histogram",
    "x xp fp": "interp",
    "y x": "trapezoid",
    "v": "diag diagflat",
    "val": "real imag",
    "m": "tril triu",
    "A": "tile",
    "xi*": "meshgrid",
    "multi_index*": "ravel_multi_index",
    "indices": "unravel_index",
    "fill_value?": "full",
    "": "empty zeros ones eye identity tri arange linspace logspace indices tril_indices triu_indices",
}  # fmt: skip
# These only look at types and shapes: no data of the device is read, the result is a host value.
ON_HOST = """ndim shape size broadcast_shapes can_cast common_type iscomplexobj isdtype isrealobj isscalar
    issubdtype may_share_memory min_scalar_type promote_types result_type shares_memory"""
# The host waits: the shape of the result depends on the values.
WAITS = """nonzero flatnonzero argwhere unique compress extract intersect1d union1d setdiff1d bincount
    histogram interp delete"""

# The function writes into this argument and returns nothing.
IN_PLACE = {"copyto": "dst", "fill_diagonal": "a", "put": "a", "putmask": "a", "put_along_axis": "arr"}
FREE = ("empty", "empty_like")  # memory alone


def roles_of(roles: str) -> dict[str, str]:
    """{parameter: "", "?" or "*"}."""
    return {role.rstrip("?*"): role[-1] if role[-1] in "?*" else "" for role in roles.split()} | {"out": ""}


def function(name: str, parameters: str, roles: str, host: Any) -> Callable[..., Any]:
    """A device function with these parameters that computes with `host` on the buffers."""
    sig, kinds = _device.signature(parameters), roles_of(roles)

    def call(*args: Any, **kwargs: Any) -> Any:
        given = _device.bind(sig, name, args, kwargs)
        sources: list[ndarray] = []
        values = {key: _value(name, key, value, kinds, sources) for key, value in given.items()}
        if name in WAITS.split() or (name == "where" and "x" not in given):
            _standin.synced()
        if "kind" in given:
            check_kind(given["kind"])
        positional, named = _arrange(sig, values, host)
        written = given.get("out", given.get(IN_PLACE.get(name, "")))
        if written is not None:
            _device.launch(lambda: host(*positional, **named), [written._data])
            return given.get("out")
        return _device.computed(host, *positional, sources=sources, free=name in FREE, **named)

    call.__name__ = call.__qualname__ = name
    call.__signature__ = sig  # type: ignore[attr-defined]
    return call


def _value(name: str, key: str, value: Any, kinds: dict[str, str], sources: list[ndarray]) -> Any:
    """The argument NumPy gets, after the refusals."""
    where = f"{name}: {key}"
    if value is None:
        return None
    if key not in kinds:
        return _device.check_dtype(value) if key == "dtype" else _device.host_argument(value, where)
    if kinds[key] == "*":
        sources.extend(item for item in value if _device.is_device(item))
        return tuple(_device.array_sequence(value, where))
    if _device.is_device(value):
        sources.append(value)
    return _device.operand(value, where) if kinds[key] == "?" else _device.array_argument(value, where)


def _arrange(sig: inspect.Signature, values: dict[str, Any], host: Any) -> tuple[list[Any], dict[str, Any]]:
    """Arguments as NumPy spells them: by keyword where it knows the name, else by position."""
    known = _host_parameters(host)
    order = [key for key in sig.parameters if key in values]
    last = max((i for i, key in enumerate(order) if key not in known), default=-1)
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for i, key in enumerate(order):
        kind = sig.parameters[key].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            positional.extend(values[key])
        elif kind is inspect.Parameter.VAR_KEYWORD:
            named.update(values[key])
        elif i <= last and kind is not inspect.Parameter.KEYWORD_ONLY:
            positional.append(values[key])
        else:
            named[key] = values[key]
    return positional, named


@functools.cache
def _host_parameters(host: Any) -> frozenset[str]:
    """Read once: NumPy's functions write their signatures as text, which takes long to read."""
    try:
        parameters = inspect.signature(host).parameters.values()
    except ValueError:
        return frozenset({"axis", "out", "dtype", "casting", "keepdims"})
    return frozenset(p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))


# --- what NumPy spells differently ---


def _reduce_argument(host: Any) -> Callable[..., Any]:
    def search(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        found = host(a, axis=axis, keepdims=keepdims).astype(dtype or np.int64)
        if out is None:
            return found
        out[...] = found
        return out

    return search


def _clip(a: Any, a_min: Any, a_max: Any, out: Any = None) -> Any:
    if a_min is None and a_max is None:
        raise ValueError("array_clip: must set either max or min")
    return np.clip(a, a_min, a_max, out=out)


def _clip_method(a: Any, min: Any = None, max: Any = None, out: Any = None) -> Any:
    return sys.modules[__package__].clip(a, min, max, out)


def _flatten(a: ndarray, order: str = "C") -> ndarray:
    return a.reshape(-1, order=order).copy() if a.size else a.copy().reshape(-1)


def _copy(a: Any, order: str = "K") -> Any:
    return np.array(a, order=order, copy=True)


def _copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = None) -> None:
    np.copyto(dst, src, casting=casting, where=True if where is None else where)


def _take(a: Any, indices: Any, axis: Any = None, out: Any = None) -> Any:
    return np.take(a, indices, axis, out, mode="wrap")  # out of range wraps around on the device


def _bincount(x: Any, weights: Any = None, minlength: Any = None) -> Any:
    return np.bincount(x, weights, minlength or 0)


def _astype(x: Any, dtype: Any, copy: bool = True) -> Any:
    return x.astype(dtype, copy=copy)


def _dot(a: Any, b: Any, out: Any = None) -> Any:
    _capture.refuse_libraries()
    return np.dot(a, b) if out is None else np.dot(a, b, out)


def _by_library(function: Callable[..., Any]) -> Callable[..., Any]:
    def product(*args: Any, **kwargs: Any) -> Any:
        _capture.refuse_libraries()
        return function(*args, **kwargs)

    return product


def _diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    view = np.diagonal(a, offset, axis1, axis2)
    return np.lib.stride_tricks.as_strided(view, view.shape, view.strides, writeable=True)


def _allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    return np.asarray(np.allclose(a, b, rtol, atol, equal_nan))


def _array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    return np.asarray(np.array_equal(a1, a2, equal_nan))


def _reshape(a: Any, newshape: Any, order: str = "C", copy: Any = None) -> Any:
    found = np.reshape(a, newshape, order)
    if copy is False and not np.may_share_memory(found, a):
        raise ValueError("Unable to avoid creating a copy while reshaping")
    return found.copy() if copy else found


def _repeat(a: Any, repeats: Any, axis: Any = None) -> Any:
    return np.repeat(a, repeats, axis)


HOST = {
    "argmax": _reduce_argument(np.argmax),
    "argmin": _reduce_argument(np.argmin),
    "allclose": _allclose,
    "array_equal": _array_equal,
    "astype": _astype,
    "bincount": _bincount,
    "clip": _clip,
    "copy": _copy,
    "copyto": _copyto,
    "diagonal": _diagonal,
    "dot": _dot,
    "in1d": np.isin,
    "inner": _by_library(np.inner),
    "repeat": _repeat,
    "reshape": _reshape,
    "take": _take,
    "tensordot": _by_library(np.tensordot),
    "vdot": _by_library(np.vdot),
}


def einsum(*operands: Any, **kwargs: Any) -> ndarray:
    """Einstein summation of device arrays; CuPy knows ``dtype``, ``optimize`` and ``out`` is missing."""
    unknown = set(kwargs) - {"dtype", "optimize"}
    if unknown:
        raise TypeError(f"einsum() got unexpected keyword arguments {sorted(unknown)}")
    _capture.refuse_libraries()
    subscripts, *arrays = operands
    if not isinstance(subscripts, str):
        raise TypeError("einsum: give the subscripts as a string first")
    values = [_device.array_argument(value, "einsum") for value in arrays]
    views = [value for value in arrays if _device.is_device(value)]
    return _device.computed(np.einsum, subscripts, *values, sources=views, **kwargs)


def matmul(x1: Any, x2: Any, out: Any = None, **kwargs: Any) -> ndarray:
    """Matrix product. 0-d operands and, unlike NumPy, scalars are refused."""
    unknown = set(kwargs) - {"dtype", "casting", "order", "axes", "axis", "keepdims", "signature"}
    if unknown:
        raise TypeError(f"matmul() got an unexpected keyword argument {sorted(unknown)[0]!r}")
    _capture.refuse_libraries()
    left, right = _device.array_argument(x1, "matmul"), _device.array_argument(x2, "matmul")
    if out is None:
        return _device.computed(np.matmul, left, right, **kwargs)
    written = _device.array_argument(out, "matmul: out")
    _device.launch(lambda: np.matmul(left, right, out=written, **kwargs), [written])
    return out


def _host_only(name: str) -> Callable[..., Any]:
    sig, host = _device.signature(_names.FUNCTIONS[name]), getattr(np, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        given = sig.bind(*args, **kwargs)
        values = [value._data if _device.is_device(value) else value for value in given.args]
        return host(*values, **given.kwargs)

    call.__name__ = name
    return call


def build() -> dict[str, Any]:
    """Every function of the module by name."""
    found: dict[str, Any] = {}
    for roles, names in ROLES.items():
        for name in names.split():
            host = HOST.get(name) or getattr(np, name)
            found[name] = function(name, _names.FUNCTIONS[name], roles, host)
    for name in ON_HOST.split():
        found[name] = _host_only(name)
    for name in ("array", "asarray", "ascontiguousarray", "asnumpy", "get_array_module"):
        found[name] = getattr(_creation, name)
    found["asanyarray"] = _creation.asarray
    return found | {"einsum": einsum, "matmul": matmul, "_clip_method": _clip_method, "_flatten": _flatten}
