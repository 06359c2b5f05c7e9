"""The vocabulary of formulas: SymPy's expressions, and the few nodes that it lacks.

Everything is built unevaluated, so that a formula is printed in the order in which it was written. Letters
(i, j, t) are integer symbols, arrays are `IndexedBase`s; an array may be named without all of its letters and
is then a vector or a matrix, for which there are `dot`, `T` and, as a product of two, ∘.
"""

from __future__ import annotations

from typing import Any

import sympy
from sympy import Eq, Expr, Function, IndexedBase, Piecewise, Symbol, Tuple, exp, sqrt, tanh
from sympy import log as ln

__all__ = [
    "Eq", "IndexedBase", "Symbol", "T", "cases", "dot", "exp", "expected", "indicator", "largest",
    "ln", "maximum", "outer", "over", "partial", "place", "sigma", "sqrt", "tanh",
]  # fmt: skip

sigma, maximum = Function("σ"), Function("max")


class Over(Expr):
    """The sum of `body` over all values of `letters`, or those that fulfill `condition`."""

    is_commutative = True


class Partial(Expr):
    """∂of/∂by through all definitions between them, but for those of `fixed`, which stay as they are."""

    is_commutative = True


class Dot(Expr):
    """The product of two matrices, or of a matrix and a vector."""

    is_commutative = True


class Outer(Expr):
    """u vᵀ of two vectors."""

    is_commutative = True


class Transposed(Expr):
    is_commutative = True


class Indicator(Expr):
    """1 where the condition holds, else 0."""

    is_commutative = True


class Largest(Expr):
    """The largest `body` over all values of a letter."""

    is_commutative = True


class Place(Expr):
    """The first value of a letter at which `body` is largest."""

    is_commutative = True


class Expected(Expr):
    """The mean over all outcomes of the chance variables."""

    is_commutative = True


def over(body: Any, *letters: Symbol, where: Any = sympy.true) -> Over:
    return Over(sympy.sympify(body), Tuple(*letters), where)


def partial(of: Any, by: Any, fixed: tuple[IndexedBase, ...] = ()) -> Partial:
    return Partial(of, by, Tuple(*fixed))


def dot(a: Any, b: Any) -> Dot:
    return Dot(a, b)


def outer(a: Any, b: Any) -> Outer:
    return Outer(a, b)


def T(a: Any) -> Transposed:
    return Transposed(a)


def indicator(condition: Any) -> Indicator:
    return Indicator(condition)


def largest(body: Any, *letters: Symbol) -> Largest:
    return Largest(body, Tuple(*letters))


def place(body: Any, letter: Symbol) -> Place:
    return Place(body, Tuple(letter))


def expected(body: Any) -> Expected:
    return Expected(body)


def cases(*pairs: tuple[Any, Any]) -> Piecewise:
    return Piecewise(*pairs, evaluate=False)
