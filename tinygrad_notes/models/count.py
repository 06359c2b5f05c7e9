"""How large a network is, without drawing its weights and without computing its convolutions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from .. import backend
from ..autograd import Tensor, no_grad
from ..nn import Conv2d, Linear, Module
from ..ops.arguments import pair
from .lenet1998 import PartialConv2d


class _Zeros:
    """Stands in for the random generator: every draw is 0, and takes no memory."""

    def uniform(self, low: float, high: float, size: tuple[int, ...]) -> np.ndarray:
        return np.broadcast_to(0.0, size)

    normal = uniform


def undrawn() -> AbstractContextManager[None]:
    """Networks made inside start from weights of 0: to be counted or loaded into, not trained."""
    return backend.use_rng(_Zeros())


def parameter_count(model: Module) -> int:
    """Trainable numbers; shared ones count once."""
    return sum(p.size for p in model.parameters() if p.requires_grad)


def multiply_adds(model: Module, input_shape: Sequence[int]) -> int:
    """Those of all convolutions and linear layers for one sample of `input_shape`, without biases.

    Every number of a weight is used once at each place of the output. Counted in evaluation mode:
    without auxiliary classifiers. The counted layers give zeros of the right shape.
    """
    total = 0

    def counted(module: Any, shape_of: Callable[..., tuple[tuple[int, ...], int]]) -> Callable[[Any], Tensor]:
        def run(x: Any) -> Tensor:
            nonlocal total
            shape, places = shape_of(module, x.shape)
            total += module.weight.size * places
            return Tensor._wrap(backend.xp.zeros(shape, np.float32))

        return run

    layers = [(m, f) for kind, f in SHAPES.items() for m in model.modules() if isinstance(m, kind)]
    mode = model.training
    model.eval()
    try:
        for layer, shape_of in layers:
            layer.forward = counted(layer, shape_of)  # type: ignore[method-assign]
        with no_grad():
            model(Tensor(np.zeros((1, *input_shape), np.float32)))
    finally:
        model.train(mode)
        for layer, _ in layers:
            vars(layer).pop("forward", None)  # the class's own is back
    return total


def _after_convolution(conv: Any, x: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
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


def _after_partial(conv: Any, x: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    size = tuple(n - k + 1 for n, k in zip(x[2:], conv.weight.shape[1:], strict=True))
    return (x[0], conv.bias.size, *size), x[0] * math.prod(size)


def _after_linear(linear: Any, x: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    return (*x[:-1], linear.out_features), math.prod(x[:-1])


# For each kind of layer: the shape of its output, and at how many places all its weights are used
SHAPES = {Conv2d: _after_convolution, PartialConv2d: _after_partial, Linear: _after_linear}
