"""NumPy's element-wise functions, large arrays cut into cached blocks and shared among the cores.

NumPy runs them on one core. The result has the memory layout of its argument, as NumPy's would. A number
as second argument of `maximum` and `minimum` is spread over one block first: NumPy's loop over two arrays
is vectorized, its loop over an array and a number is not (2.5 times slower).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from .blocking import BLOCK, even
from .fusion import over_blocks
from .threads import parallel

SIGNED = {2: np.int16, 4: np.int32, 8: np.int64}
LARGE = 4 * BLOCK  # below, the hand-over to another thread costs more than it saves
DEAR = 3 * BLOCK // 4  # the same for functions that take nanoseconds, not fractions of one, for a number


def _walked(x: Any) -> Any:
    """The elements of `x` as one axis in the order of memory, without a copy; None if there are gaps."""
    if x.flags.c_contiguous:
        return x.reshape(-1)
    order = sorted(range(x.ndim), key=lambda a: -x.strides[a])
    walked = x.transpose(order)
    return walked.reshape(-1) if walked.flags.c_contiguous else None


def _blockwise(run: Callable[[Any, Any], Any], x: Any, large: int) -> Any:
    """run(block of x, block of the result) over all blocks; None if memory has gaps."""
    flat = _walked(x)
    if flat is None:
        return None
    y = np.empty_like(x)
    out = _walked(y)
    ends = even(x.size, BLOCK)

    def work(_: int, start: int, stop: int) -> None:
        for i, j in itertools.pairwise(ends[start : stop + 1]):
            run(flat[i:j], out[i:j])

    if x.size < large:
        work(0, 0, len(ends) - 1)
    else:
        parallel(work, len(ends) - 1)
    return y


def _unary(function: Any, large: int) -> Callable[[Any], Any]:
    def apply(x: Any) -> Any:
        if x.size < large or x.dtype.kind != "f":
            return function(x)
        y = _blockwise(lambda block, out: function(block, out=out), x, large)
        return function(x) if y is None else y

    apply.__name__ = apply.__qualname__ = function.__name__
    apply.__doc__ = f"numpy.{function.__name__}, on every core."
    return apply


def _with_number(function: Any) -> Callable[[Any, Any], Any]:
    def apply(a: Any, b: Any) -> Any:
        number = isinstance(b, int | float) and isinstance(a, np.ndarray)
        if not number or a.size < 1024 or a.dtype.kind != "f":
            return function(a, b)
        constant = _block_of(float(b), a.dtype)
        y = _blockwise(lambda block, out: function(block, constant[: block.size], out=out), a, LARGE)
        return function(a, b) if y is None else y

    apply.__name__ = apply.__qualname__ = function.__name__
    apply.__doc__ = f"numpy.{function.__name__}, on every core where b is a number."
    return apply


@functools.lru_cache(maxsize=4)
def _block_of(number: float, dtype: Any) -> Any:
    """A block of one number, kept: filling it would cost as much as the function itself."""
    return np.full(BLOCK, number, dtype)


def _of_two(function: Any) -> Callable[..., Any]:
    def apply(a: Any, b: Any, out: Any = None) -> Any:
        alike = isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.shape == b.shape
        if not alike or a.size < LARGE or a.dtype != b.dtype or a.dtype.kind != "f":
            return function(a, b, out=out)
        y = np.empty_like(a) if out is None else out

        def work(part: tuple[slice, ...]) -> None:
            function(a[part], b[part], out=y[part])

        over_blocks(work, a)
        return y

    apply.__name__ = apply.__qualname__ = function.__name__
    apply.__doc__ = f"numpy.{function.__name__}, on every core where a and b are large and of one shape."
    return apply


def where(condition: Any, a: Any, b: Any) -> Any:
    """numpy.where; floats of one shape by masking bits, as NumPy's loop guesses at every element."""
    arrays = isinstance(condition, np.ndarray) and isinstance(a, np.ndarray)
    if isinstance(a, int) and a == 0 and isinstance(condition, np.ndarray) and condition.dtype == bool:
        return where(~condition, b, 0) if isinstance(b, np.ndarray) else np.where(condition, a, b)
    if not arrays or a.size < 1024 or condition.dtype != bool or a.dtype.kind != "f":
        return np.where(condition, a, b)
    if a.size > 4 * condition.size and isinstance(b, int | float):
        return _where_repeated(condition, a, b)
    if a.shape != condition.shape:
        return np.where(condition, a, b)
    zero = isinstance(b, int) and b == 0
    if not zero and not (isinstance(b, np.ndarray) and (b.shape, b.dtype) == (a.shape, a.dtype)):
        return np.where(condition, a, b)
    signed = SIGNED[a.itemsize]
    mask = np.negative(condition.view(np.int8))  # every bit set, or none
    bits = np.bitwise_and(a.view(signed), mask)
    if not zero:
        np.bitwise_or(bits, np.bitwise_and(b.view(signed), np.bitwise_not(mask, out=mask)), out=bits)
    return bits.view(a.dtype)


def _where_repeated(condition: Any, a: Any, b: float) -> Any:
    """The same for a number b and a condition that stretches over a: the bits of both from its few places."""
    signed = SIGNED[a.itemsize]
    mask = np.negative(condition, dtype=signed, casting="unsafe")
    other = np.bitwise_and(~mask, np.asarray(b, a.dtype).view(signed))
    bits = np.bitwise_and(a.view(signed), mask)
    return np.bitwise_or(bits, other, out=bits).view(a.dtype)


add = _of_two(np.add)
multiply = _of_two(np.multiply)
exp = _unary(np.exp, DEAR)
log = _unary(np.log, DEAR)
sqrt = _unary(np.sqrt, LARGE)
tanh = _unary(np.tanh, DEAR)
maximum = _with_number(np.maximum)
minimum = _with_number(np.minimum)
