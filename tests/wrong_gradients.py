"""Functions with wrong gradients, and what the check says of them."""

import tinygrad_notes as tg
from tinygrad_notes.autograd import Function
from tinygrad_notes.autograd.gradcheck import gradcheck
from tinygrad_notes.verify.wrong import spoil


class ScaledTanh(Function):
    """tanh with every element of its gradient multiplied by `factor`."""

    def forward(xp, x, *, factor):
        return xp.tanh(x)

    def backward(xp, gy, y, *, factor):
        return factor * gy * (1 - y * y)


class Constant(Function):
    """eˣ; if `wrong`, its backward takes y as a constant, so the second order is wrong and only that."""

    def forward(xp, x, *, wrong):
        return xp.exp(x)

    def backward(xp, gy, y, *, wrong):
        return gy * (y.detach() if wrong and isinstance(y, tg.Tensor) else y)


def failure(function, *inputs, **options):
    report = gradcheck(function, inputs, raise_exception=False, **options)
    assert not report
    return report.text


def spoiled(right, **rules):
    return spoil(right, **rules).apply
