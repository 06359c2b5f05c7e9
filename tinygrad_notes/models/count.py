"""How large a network is, without drawing its weights and without computing its convolutions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import backend
from ..autograd import Tensor, no_grad
from ..nn import Conv2d, Linear, Module
from ..nn.functional import pair


class _Zeros:
    """Stands in for the random generator: every draw is 0, and takes no memory."""

    def uniform(self, low: float, high: float, size: tuple[int, ...]) -> np.ndarray:
        return np.broadcast_to(0.0, size)

    normal = uniform


@contextmanager
def undrawn() -> Iterator[None]:
    """Networks made inside start from weights of 0: to be counted or loaded into, not trained."""
    before = backend._rng
    backend._rng = _Zeros()  # type: ignore[assignment]
    try:
        yield
    finally:
        backend._rng = before


def parameter_count(model: Module) -> int:
    """Trainable numbers; shared ones count once."""
    return sum(p.size for p in model.parameters() if p.requires_grad)


def multiply_adds(model: Module, input_shape: Sequence[int]) -> int:
    """Those of all convolutions and linear layers for one sample of `input_shape`, without biases.

    Every output element is a sum over one row of the weight, (out, what is summed ...). Counted in
    evaluation mode: without auxiliary classifiers. Those layers give zeros of the right shape.
    """
    total = 0

    def counted(module: Any, shape_of: Callable[..., tuple[int, ...]]) -> Callable[[Any], Tensor]:
        def run(x: Any) -> Tensor:
            nonlocal total
            shape = shape_of(module, x.shape)
            total += math.prod(shape) * math.prod(module.weight.shape[1:])
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


def _after_convolution(conv: Any, x: tuple[int, ...]) -> tuple[int, ...]:
    kernel = conv.weight.shape[2:]
    if conv.padding == "same":
        return (x[0], conv.weight.shape[0], *x[2:])
    padding = (0, 0) if conv.padding == "valid" else pair("multiply_adds", "padding", conv.padding)
    sizes = (
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, p, d, k, s in zip(x[2:], padding, conv.dilation, kernel, conv.stride, strict=True)
    )
    return (x[0], conv.weight.shape[0], *sizes)


def _after_linear(linear: Any, x: tuple[int, ...]) -> tuple[int, ...]:
    return (*x[:-1], linear.weight.shape[0])


SHAPES = {Conv2d: _after_convolution, Linear: _after_linear}
