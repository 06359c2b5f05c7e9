"""How large a network is, without drawing its weights and without computing its convolutions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from .. import backend
from ..autograd import Tensor, no_grad
from ..nn import Conv2d, ConvTranspose2d, Linear, Module
from ..nn.init import Zeros
from ..ops.arguments import pair
from .lenet1998 import PartialConv2d


def undrawn() -> AbstractContextManager[None]:
    """Networks made inside start from weights of 0: to be counted or loaded into, not trained."""
    return backend.use_rng(Zeros())


def parameter_count(model: Module) -> int:
    """Trainable numbers; shared ones count once."""
    return sum(p.size for p in model.parameters() if p.requires_grad)


def multiply_adds(model: Module, input_shape: Sequence[int]) -> int:
    """Those of all convolutions and linear layers for one sample of `input_shape`, without biases.

    Every number of a weight is used once at each place of the output. Counted in evaluation mode:
    without auxiliary classifiers. The counted layers give zeros of the right shape.
    """
    total = 0

    def counted(module: Any) -> Callable[[Any], Tensor]:
        def run(input: Any) -> Tensor:
            nonlocal total
            y, macs = without_arithmetic(module, input)
            total += macs
            return y

        return run

    layers = [m for m in model.modules() if isinstance(m, tuple(SHAPES))]
    mode = model.training
    model.eval()
    try:
        for layer in layers:
            layer.forward = counted(layer)  # type: ignore[method-assign]
        with no_grad():
            model(Tensor(np.zeros((1, *input_shape), np.float32)))
    finally:
        model.train(mode)
        for layer in layers:
            vars(layer).pop("forward", None)  # the class's own is back
    return total


def without_arithmetic(layer: Any, x: Tensor) -> tuple[Tensor, int]:
    """Zeros of the shape that a layer of `SHAPES` gives for `x`, and the multiply-adds that it would take.

    Raises ValueError where `x` does not fit.
    """
    shape_of = next(f for kind, f in SHAPES.items() if isinstance(layer, kind))
    shape, places = shape_of(layer, x.shape)
    if min(shape) < 1:
        raise ValueError(f"{type(layer).__name__}: an input of {x.shape} leaves no output, {shape}")
    return Tensor._wrap(backend.xp.zeros(shape, x.dtype)), layer.weight.size * places


def _check(layer: Any, given: int, needed: int) -> None:
    if given != needed:
        raise ValueError(f"{type(layer).__name__}: takes {needed} numbers at each place, got {given}")


def _after_convolution(conv: Any, x: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    _check(conv, x[1], conv.in_channels)
    if conv.padding == "same":
        size = x[2:]
    else:
        padding = (0, 0) if conv.padding == "valid" else pair("multiply_adds", "padding", conv.padding)
        size = tuple(
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, p, d, k, s in zip(
                x[2:], padding, conv.dilation, conv.kernel_size, conv.stride, strict=True
            )
        )
    return (x[0], conv.out_channels, *size), x[0] * math.prod(size)


def _after_transposed(conv: Any, x: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    _check(conv, x[1], conv.in_channels)
    size = tuple(
        (n - 1) * s - 2 * p + d * (k - 1) + 1 + more
        for n, p, d, k, s, more in zip(
            x[2:],
            conv.padding,
            conv.dilation,
            conv.kernel_size,
            conv.stride,
            conv.output_padding,
            strict=True,
        )
    )
    return (x[0], conv.out_channels, *size), x[0] * math.prod(x[2:])


def _after_partial(conv: Any, x: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    size = tuple(n - k + 1 for n, k in zip(x[2:], conv.weight.shape[1:], strict=True))
    return (x[0], conv.bias.size, *size), x[0] * math.prod(size)


def _after_linear(linear: Any, x: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    _check(linear, x[-1], linear.in_features)
    return (*x[:-1], linear.out_features), math.prod(x[:-1])


# For each kind of layer: the shape of its output, and at how many places all its weights are used
SHAPES = {
    Conv2d: _after_convolution, ConvTranspose2d: _after_transposed, PartialConv2d: _after_partial,
    Linear: _after_linear,
}  # fmt: skip
