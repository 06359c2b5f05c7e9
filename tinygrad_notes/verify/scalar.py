"""A number that is two things at once: a SymPy expression, and its value to 50 digits at one point.

What a rule decides (>, max, |x|, the place of a maximum) is decided by the value, so each region of a branch
is proved at points of its own. Constants are taken at their word: a Python float is the fraction it holds.

Raises ImportError where SymPy is missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

try:
    import mpmath
    import sympy
except ImportError as error:
    raise ImportError("proofs need SymPy, which is an extra: pip install 'tinygrad-notes[verify]'") from error

DIGITS = 50
SHORT = 1 << 24  # a float whose denominator is larger has most likely been rounded

mp = mpmath.MPContext()
mp.dps = DIGITS


class Trace:
    """What the rules did since `clear`: the comparisons they made, and whether a float was rounded."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.decisions: list[bool] = []
        self.rounded = False


trace = Trace()


class Scalar:
    """A real number: `value` to 50 digits, and `expr` in the symbols of the proof (None: not followed)."""

    __slots__ = ("expr", "value")
    __hash__ = None  # type: ignore[assignment]

    shape, ndim, size = (), 0, 1  # NumPy's scalars have them
    dtype = np.dtype(object)

    def __init__(self, expr: Any, value: Any) -> None:
        self.expr = expr
        self.value = value

    def __repr__(self) -> str:
        return f"Scalar({self.expr}, {mp.nstr(self.value, 6)})"

    def __add__(self, other: Any) -> Scalar:
        return _binary(lambda a, b: a + b, self, other)

    def __sub__(self, other: Any) -> Scalar:
        return _binary(lambda a, b: a - b, self, other)

    def __mul__(self, other: Any) -> Scalar:
        return _binary(lambda a, b: a * b, self, other)

    def __truediv__(self, other: Any) -> Scalar:
        return _binary(lambda a, b: a / b, self, other)

    def __pow__(self, other: Any) -> Scalar:
        return _binary(lambda a, b: a**b, self, other)

    def __rsub__(self, other: Any) -> Scalar:
        return _binary(lambda a, b: b - a, self, other)

    def __rtruediv__(self, other: Any) -> Scalar:
        return _binary(lambda a, b: b / a, self, other)

    def __rpow__(self, other: Any) -> Scalar:
        return _binary(lambda a, b: b**a, self, other)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Scalar:
        return Scalar(None if self.expr is None else -self.expr, -self.value)

    def __pos__(self) -> Scalar:
        return self

    def __abs__(self) -> Scalar:
        return -self if self < 0 else self

    def __lt__(self, other: Any) -> bool:
        return _decide(self.value < value_of(other))

    def __le__(self, other: Any) -> bool:
        return _decide(self.value <= value_of(other))

    def __gt__(self, other: Any) -> bool:
        return _decide(self.value > value_of(other))

    def __ge__(self, other: Any) -> bool:
        return _decide(self.value >= value_of(other))

    def __eq__(self, other: object) -> bool:
        return _decide(self.value == value_of(other))

    def __ne__(self, other: object) -> bool:
        return _decide(self.value != value_of(other))

    def __bool__(self) -> bool:
        return _decide(self.value != 0)


def lift(x: Any) -> Scalar:
    """A number as a Scalar: integers, fractions and floats at their exact value."""
    if isinstance(x, Scalar):
        return x
    if isinstance(x, float | np.floating):
        if abs(x) == math.inf:  # a masked score
            return Scalar(sympy.oo if x > 0 else -sympy.oo, mp.mpf(float(x)))
        fraction = Fraction(float(x))
        trace.rounded |= fraction.denominator > SHORT
    else:
        fraction = x if isinstance(x, Fraction) else Fraction(int(x))
    return Scalar(sympy.Rational(fraction.numerator, fraction.denominator), value_of(fraction))


def value_of(x: Any) -> Any:
    """The value of a number to 50 digits."""
    if isinstance(x, Scalar):
        return x.value
    if isinstance(x, Fraction):
        return mp.mpf(x.numerator) / x.denominator
    return mp.mpf(float(x) if isinstance(x, float | np.floating) else int(x))


def _decide(answer: bool) -> bool:
    trace.decisions.append(answer)
    return answer


def _binary(operation: Callable[[Any, Any], Any], a: Scalar, other: Any) -> Scalar:
    try:
        b = lift(other)
    except (TypeError, ValueError, OverflowError):
        return NotImplemented
    followed = a.expr is not None and b.expr is not None
    return Scalar(operation(a.expr, b.expr) if followed else None, operation(a.value, b.value))
