"""Element-wise arithmetic. Inputs broadcast as in NumPy; the engine sums gradients back.

Each element of y = f(a, b) is made of one a and one b, so ∂L/∂a = gy · ∂f/∂a and ∂L/∂b = gy · ∂f/∂b. The
slopes of a product are the factors; the others follow by differentiating what defines y:

    y = a/b:      y b = a, so ∂y/∂a · b = 1 and ∂y/∂b · b + y = 0:      ∂y/∂a = 1/b,  ∂y/∂b = −y/b
    y = ln x:     eʸ = x, so eʸ y′ = 1:                                 y′ = 1/x
    y = √x:       y² = x, so 2 y y′ = 1:                                y′ = 1/(2y)
    y = aᵇ:       ln y = b ln a, so y′/y is b/a in a and ln a in b:     ∂y/∂a = b aᵇ⁻¹,  ∂y/∂b = y ln a
    sin, cos:     (cos x + i sin x)′ = i (cos x + i sin x):             cos′ = −sin,  sin′ = cos

Where broadcasting made several elements of one a, each is a path to the loss: ∂L/∂a is the sum of their
gradients, which the engine takes (autograd/broadcast.py).
"""

from __future__ import annotations

import numpy as np

from .. import backend
from ..autograd import Function, Tensor
from .arguments import as_tensor, number, of_reals


class Add(Function):
    """y = a + b."""

    broadcasts = True

    def forward(xp, a, b):
        return xp.add(a, b)

    def backward_a(xp, gy):
        return gy

    def backward_b(xp, gy):
        return gy


class Subtract(Function):
    """y = a − b."""

    broadcasts = True

    def forward(xp, a, b):
        return a - b

    def backward_a(xp, gy):
        return gy

    def backward_b(xp, gy):
        return -gy


class Multiply(Function):
    """y = a b;  ∂y/∂a = b,  ∂y/∂b = a."""

    broadcasts = True

    def forward(xp, a, b):
        return a * b

    def backward_a(xp, gy, b):
        return gy * b

    def backward_b(xp, gy, a):
        return gy * a


class Divide(Function):
    """y = a / b;  ∂y/∂a = 1/b,  ∂y/∂b = −a/b² = −y/b."""

    broadcasts = True

    def forward(xp, a, b):
        return a / b

    def backward_a(xp, gy, b):
        return gy / b

    def backward_b(xp, gy, y, b):
        return -gy * (y / b)


class Negative(Function):
    """y = −x."""

    def forward(xp, x):
        return -x

    def backward(xp, gy):
        return -gy


class Power(Function):
    """y = xᵖ for a number p;  y′ = p xᵖ⁻¹, and 0 for p = 0 also where x = 0."""

    def forward(xp, x, *, exponent):
        return x**exponent

    def backward(xp, gy, x, *, exponent):
        if exponent == 0:
            return xp.zeros_like(gy)
        if exponent == 1:
            return gy
        return gy * (exponent * x ** (exponent - 1))


class PowerTensor(Function):
    """y = aᵇ for arrays;  ∂y/∂a = b aᵇ⁻¹,  ∂y/∂b = y ln a (0 where a = 0 and b ≥ 0)."""

    broadcasts = True

    def forward(xp, a, b):
        return xp.power(a, b)

    def backward_a(xp, gy, a, b):
        # b = 0: the factor b is 0, so keep 1/a finite.
        return gy * b * xp.power(xp.where((b == 0) & ((a == 0) | (a != a)), 1, a), b - 1)

    def backward_b(xp, gy, y, a, b):
        return gy * y * xp.log(a + (a == 0) * (b >= 0))


class Exp(Function):
    """y = eˣ = y′."""

    def forward(xp, x):
        return xp.exp(x)

    def backward(xp, gy, y):
        return gy * y


class Log(Function):
    """y = ln x;  y′ = 1/x."""

    def forward(xp, x):
        return xp.log(x)

    def backward(xp, gy, x):
        return gy / x


class Sqrt(Function):
    """y = √x;  y′ = 1/(2√x) = 1/(2y)."""

    def forward(xp, x):
        return xp.sqrt(x)

    def backward(xp, gy, y):
        return gy / (2 * y)


class Sin(Function):
    """y = sin x;  y′ = cos x."""

    def forward(xp, x):
        return xp.sin(x)

    def backward(xp, gy, x):
        return gy * xp.cos(x)


class Cos(Function):
    """y = cos x;  y′ = −sin x."""

    def forward(xp, x):
        return xp.cos(x)

    def backward(xp, gy, x):
        return -gy * xp.sin(x)


class Astype(Function):
    """The same values in another dtype; the gradient comes back in the input's (the engine's work)."""

    def forward(xp, x, *, dtype):
        return x.astype(dtype)

    def backward(xp, gy):
        return gy


# ---- functions with NumPy's names -------------------------------------------------------------


def add(a, b) -> Tensor:
    """a + b, element by element, with broadcasting."""
    return Add.apply(a, b)


def subtract(a, b) -> Tensor:
    """a − b, element by element, with broadcasting."""
    return Subtract.apply(a, b)


def multiply(a, b) -> Tensor:
    """a · b, element by element, with broadcasting."""
    return Multiply.apply(a, b)


def divide(a, b) -> Tensor:
    """a / b, element by element, with broadcasting."""
    return Divide.apply(a, b)


def negative(x) -> Tensor:
    """−x."""
    return Negative.apply(x)


def power(a, b) -> Tensor:
    """aᵇ, element by element. A plain number as exponent takes the cheaper rule."""
    if isinstance(b, int | float | np.generic) and not isinstance(b, bool | np.bool_):
        return Power.apply(a, exponent=number("power", "the exponent", b))
    if isinstance(a, int | float | np.generic):  # as an array of b's dtype, which the rule can mask
        a, b = a.item() if isinstance(a, np.generic) else a, as_tensor(b)
        a = backend.asarray(a, b.dtype if b.dtype.kind in ("iuf" if isinstance(a, int) else "f") else None)
    return PowerTensor.apply(a, b)


def elementwise(function, *arrays) -> Tensor:
    """function(*arrays), made of element-wise operations: what a backend may compute block by block."""
    return function(*arrays)


@of_reals
def exp(x) -> Tensor:
    """eˣ, element by element."""
    return Exp.apply(x)


@of_reals
def log(x) -> Tensor:
    """Natural logarithm, element by element."""
    return Log.apply(x)


@of_reals
def sqrt(x) -> Tensor:
    """√x, element by element."""
    return Sqrt.apply(x)


def square(x) -> Tensor:
    """x², element by element."""
    return Power.apply(x, exponent=2)


@of_reals
def sin(x) -> Tensor:
    """sin x, x in radians."""
    return Sin.apply(x)


@of_reals
def cos(x) -> Tensor:
    """cos x, x in radians."""
    return Cos.apply(x)


def astype(x, dtype) -> Tensor:
    """x in another dtype."""
    return Astype.apply(x, dtype=backend.check_dtype(dtype))
