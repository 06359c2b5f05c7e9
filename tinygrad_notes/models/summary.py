"""What a network is made of: output shapes, parameters and multiply-adds of every layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..autograd import Tensor, no_grad
from ..nn import Module, Parameter
from .count import SHAPES, without_arithmetic

STEPS = 20  # of a sample where a model reads texts or series of any length


@dataclass
class Layer:
    """One layer as it ran: `shape` of its output for one sample, `macs` over all its calls."""

    name: str
    kind: str
    weight: tuple[int, ...] | None
    shape: tuple[int, ...] | None
    parameters: int
    macs: int


def summary(model: Module, *inputs: Any) -> list[Layer]:
    """The layers of `model` in the order in which they run on one sample of `inputs`: its shape, or arrays.

    A layer is a module without parts, or with parameters of its own. Multiply-adds (MACs) are those
    that `models.count.multiply_adds` counts, of convolutions and fully connected layers, without bias.
    Those layers give zeros of the right shape: no number is needed to know it. Parameters shared by two
    layers count at the first. Layers that did not run come last, with shape None.
    """
    layers: dict[int, Layer] = {}
    counted: set[int] = set()
    chosen = [(name, m) for name, m in model.named_modules() if _is_layer(m)]
    for name, module in chosen:
        module.forward = _watched(name, module, layers, counted)  # type: ignore[method-assign]
    mode = model.training
    model.eval()
    try:
        with no_grad():
            model(*map(sample, inputs))
    finally:
        model.train(mode)
        for _, module in chosen:
            del module.forward  # the class's own is back
    for name, module in chosen:
        if id(module) not in layers:
            layers[id(module)] = _layer(name, module, None, counted)
    return list(layers.values())


def sample_ids(*places: int) -> tuple[np.ndarray, ...]:
    """One text for each of `places`, which is how many ids it has."""
    return tuple(np.ones((1, count), np.int64) for count in places)


def sample(given: Any) -> Any:
    """One sample: zeros of a shape, or the array or tuple of arrays that is given."""
    if not isinstance(given, tuple | list):
        return Tensor(given)
    if all(isinstance(n, int | np.integer) for n in given):
        return Tensor(np.zeros((1, *given), np.float32))
    return tuple(map(Tensor, given))


def _watched(name: str, module: Module, layers: dict[int, Layer], counted: set[int]) -> Callable[..., Any]:
    forward = module.forward

    def run(*inputs: Any, **options: Any) -> Any:
        if isinstance(module, tuple(SHAPES)):
            y, macs = without_arithmetic(module, *inputs, *options.values())
        else:
            y, macs = forward(*inputs, **options), 0
        first = y[0] if isinstance(y, tuple) else y
        if id(module) not in layers:
            layers[id(module)] = _layer(name, module, tuple(first.shape[1:]), counted)
        layers[id(module)].macs += macs
        return y

    return run


def _is_layer(module: Module) -> bool:
    parts = any(True for _ in module.children())
    return not parts or any(isinstance(v, Parameter) for v in vars(module).values())


def _layer(name: str, module: Module, shape: tuple[int, ...] | None, counted: set[int]) -> Layer:
    """Its parameters are those that lie in `module` itself and were not counted before."""
    own = [p for key, p in module.named_parameters() if "." not in key and id(p) not in counted]
    counted.update(map(id, own))
    weight = getattr(module, "weight", None)
    return Layer(name, type(module).__name__, None if weight is None else tuple(weight.shape), shape,
                 sum(p.size for p in own), 0)  # fmt: skip
