"""The symbolic reading of ``xp``: NumPy's names on arrays of symbols.

An element is a `Scalar`: a SymPy expression together with its value, to 50 digits, at one point. What a rule
decides (>, max, |x|, the place of a maximum) is decided by the value, so each region of a branch is proved at
points of its own. Constants are taken at their word: a Python float is the fraction that it holds.

Kernels are those of backend/kernels/plain/. Raises ImportError where SymPy is missing.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..backend import cpu
from ..backend.kernels import plain

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


def _function(name: str, symbol: Callable[[Any], Any], number: Callable[[Any], Any]) -> Any:
    """A function of one variable, element by element; arrays of plain numbers are left to NumPy."""

    def of_element(x: Any) -> Scalar:
        s = lift(x)
        return Scalar(None if s.expr is None else symbol(s.expr), number(s.value))

    over = np.frompyfunc(of_element, 1, 1)
    ours = getattr(cpu, name)

    @functools.wraps(ours)
    def apply(x: Any) -> Any:
        return over(x) if _is_symbolic(x) else ours(x)

    return apply


def _is_symbolic(x: Any) -> bool:
    return getattr(x, "dtype", None) == np.dtype(object)


def _test(name: str) -> Any:
    test, ours = np.frompyfunc(lambda x: bool(getattr(mp, name)(value_of(x))), 1, 1), getattr(cpu, name)

    @functools.wraps(ours)
    def apply(x: Any) -> Any:
        return np.asarray(test(x), bool) if _is_symbolic(x) else ours(x)

    return apply


FUNCTIONS = {
    "exp": (sympy.exp, mp.exp),
    "log": (sympy.log, mp.log),
    "sqrt": (sympy.sqrt, mp.sqrt),
    "sin": (sympy.sin, mp.sin),
    "cos": (sympy.cos, mp.cos),
    "tanh": (sympy.tanh, mp.tanh),
    "erf": (sympy.erf, mp.erf),
    "log1p": (lambda x: sympy.log(1 + x), mp.log1p),
    "expm1": (lambda x: sympy.exp(x) - 1, mp.expm1),
}


def _kernel(name: str) -> Any:
    """A plain kernel with NumPy bound as its array library."""
    kernel = getattr(plain, name)
    return functools.partial(kernel, np)  # its signature is the kernel's without `np`


def _namespace() -> SimpleNamespace:
    """Every name of cpu.py that a rule may use (not the in-place updates of optimizers)."""
    names: dict[str, Any] = {}
    for name in cpu.__all__:
        if name in FUNCTIONS:
            names[name] = _function(name, *FUNCTIONS[name])
        elif name in ("isfinite", "isnan"):
            names[name] = _test(name)
        elif hasattr(np, name):
            names[name] = getattr(np, name)
        elif hasattr(plain, name):
            names[name] = _kernel(name)
        elif not name.endswith("_update"):
            names[name] = getattr(cpu, name)
    return SimpleNamespace(**names)


xp = _namespace()


class Symbols(np.ndarray):
    """An object array that stays one when a rule asks for a floating dtype."""

    def astype(self, dtype: Any, **options: Any) -> np.ndarray:
        return self if np.dtype(dtype).kind == "f" else super().astype(dtype, **options)


def symbols(array: np.ndarray, name: str) -> np.ndarray:
    """An array of the symbols name_0, name_1, ... with the values of `array` (floats, exactly)."""
    return _fill(array, lambda i, v: Scalar(sympy.Symbol(f"{name}_{i}", real=True), value_of(v)))


def numbers(array: np.ndarray) -> np.ndarray:
    """The values of `array` as Scalars without expressions."""
    return _fill(array, lambda i, v: Scalar(None, value_of(v)))


def constants(array: np.ndarray) -> np.ndarray:
    """The values of `array`, which no gradient is wanted of, as they are; integers stay integers."""
    if array.dtype.kind not in "fO":
        return array
    return _fill(array, lambda i, v: Scalar(sympy.Rational(*v.as_integer_ratio()), value_of(v)))


def _fill(array: np.ndarray, element: Callable[[int, Any], Scalar]) -> np.ndarray:
    out = np.empty(array.size, object)
    out[:] = [element(i, v) for i, v in enumerate(array.flat)]
    return out.reshape(array.shape).view(Symbols)


def evaluate(expr: Any, values: dict[Any, Any], memo: dict[Any, Any]) -> Any:
    """A SymPy expression to 50 digits; shared parts are computed once."""
    known = memo.get(expr)
    if known is not None:
        return known
    if expr.is_Symbol:
        result = values[expr]
    elif expr.is_Rational:
        result = mp.mpf(int(expr.p)) / int(expr.q)
    elif expr.is_NumberSymbol:  # π, e
        result = mp.mpf({"Pi": mp.pi, "Exp1": mp.e}[type(expr).__name__])
    else:
        parts = [evaluate(a, values, memo) for a in expr.args]
        if expr.is_Add:
            result = mp.fsum(parts)
        elif expr.is_Mul:
            result = mp.fprod(parts)
        elif expr.is_Pow:
            result = mp.power(*parts)
        else:
            result = getattr(mp, type(expr).__name__)(*parts)
    memo[expr] = result
    return result


def derivative(expr: Any, symbol: Any, memo: dict[Any, Any]) -> Any:
    """∂expr/∂symbol as `sympy.diff` gives it, but shared parts are differentiated once.

    A recurrence holds the state before in every gate: written out it doubles and doubles with each step.
    """
    known = memo.get(expr)
    if known is not None:
        return known
    parts = expr.args
    if not parts:
        result = sympy.Integer(expr == symbol)
    elif expr.is_Add:
        result = sympy.Add(*(derivative(a, symbol, memo) for a in parts))
    elif expr.is_Mul:
        others = (parts[:i] + parts[i + 1 :] for i in range(len(parts)))
        result = sympy.Add(*(
            sympy.Mul(derivative(a, symbol, memo), *rest) for a, rest in zip(parts, others, strict=True)
        ))  # fmt: skip
    elif expr.is_Function and len(parts) == 1:
        result = expr.fdiff() * derivative(parts[0], symbol, memo)
    elif expr.is_Pow and parts[1].is_number:
        result = parts[1] * parts[0] ** (parts[1] - 1) * derivative(parts[0], symbol, memo)
    else:
        result = sympy.diff(expr, symbol)
    memo[expr] = result
    return result
