"""Comparisons, and what combines their masks. The results are booleans or integers: nothing is recorded."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import backend
from ..autograd import Tensor
from .arguments import raw, raw_array


def _comparison(name: str, symbol: str):
    def compare(a, b) -> Tensor:
        if a is None or b is None:
            raise TypeError(f"{name}: cannot compare with None; for identity write `is None`")
        return _apart(name, getattr(backend.xp, name), raw(a), raw(b))

    compare.__name__ = compare.__qualname__ = name
    compare.__doc__ = f"a {symbol} b, element by element: a Tensor of booleans, without gradient."
    return compare


def _bitwise(name: str, symbol: str, operate: Callable[[Any, Any], Any]):
    def combine(a, b) -> Tensor:
        a, b = raw(a), raw(b)
        _check_bits(name, a, b)
        return _apart(name, operate, a, b)

    combine.__name__ = combine.__qualname__ = name
    combine.__doc__ = f"a {symbol} b of booleans, or bit by bit of integers; no gradient."
    return combine


def _logical(name: str, symbol: str):
    def combine(a, b) -> Tensor:
        return _apart(name, getattr(backend.xp, name), raw(a), raw(b))

    combine.__name__ = combine.__qualname__ = name
    combine.__doc__ = f"a {symbol} b of truths, where 0 is false and NaN is true: booleans, without gradient."
    return combine


def _check_bits(name: str, *values: Any) -> None:
    for v in values:
        dtype = getattr(v, "dtype", np.dtype(type(v)))
        if dtype.kind not in "biu":
            raise TypeError(f"{name}: needs booleans or integers, got {dtype}; compare first, as in x > 0")


def _apart(name: str, operate: Callable[[Any, Any], Any], a: Any, b: Any) -> Tensor:
    """An operation on two arrays that is not recorded."""
    try:
        return Tensor._wrap(backend.xp.asarray(operate(a, b)))
    except ValueError as error:
        shapes = f"{getattr(a, 'shape', ())} and {getattr(b, 'shape', ())}"
        raise ValueError(f"{name}: shapes {shapes} do not broadcast") from error


def invert(x) -> Tensor:
    """not x of booleans, or bit by bit of integers; no gradient."""
    array = raw_array(x)
    _check_bits("invert", array)
    return Tensor._wrap(backend.xp.asarray(~array))


def logical_not(x) -> Tensor:
    """Where x is 0: booleans, without gradient."""
    return Tensor._wrap(backend.xp.asarray(backend.xp.logical_not(raw_array(x))))


equal = _comparison("equal", "==")
not_equal = _comparison("not_equal", "≠")
less = _comparison("less", "<")
less_equal = _comparison("less_equal", "≤")
greater = _comparison("greater", ">")
greater_equal = _comparison("greater_equal", "≥")
bitwise_and = _bitwise("bitwise_and", "and", operator.and_)
bitwise_or = _bitwise("bitwise_or", "or", operator.or_)
bitwise_xor = _bitwise("bitwise_xor", "xor", operator.xor)
logical_and = _logical("logical_and", "and")
logical_or = _logical("logical_or", "or")
logical_xor = _logical("logical_xor", "xor")
