"""What a network is made of: output shapes, parameters and multiply-adds of every layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..autograd import Tensor, no_grad
from ..nn import Module, Parameter
from .count import SHAPES


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
    Parameters shared by two layers count at the first. Layers that did not run come last, with
    shape None.
    """
    layers: dict[int, Layer] = {}
    counted: set[int] = set()
    chosen = [(name, m) for name, m in model.named_modules() if _is_layer(m)]
    handles = [m.register_forward_hook(_watch(name, layers, counted)) for name, m in chosen]
    mode = model.training
    model.eval()
    try:
        with no_grad():
            model(*map(sample, inputs))
    finally:
        model.train(mode)
        for handle in handles:
            handle.remove()
    for name, module in chosen:
        if id(module) not in layers:
            layers[id(module)] = _layer(name, module, None, counted)
    return list(layers.values())


def sample(given: Any) -> Tensor:
    """One sample: zeros of a shape, or the arrays that are given."""
    shape = isinstance(given, tuple | list) and all(isinstance(n, int | np.integer) for n in given)
    return Tensor(np.zeros((1, *given), np.float32) if shape else given)


def _watch(name: str, layers: dict[int, Layer], counted: set[int]) -> Callable[..., None]:
    def hook(module: Module, inputs: tuple[Any, ...], y: Any) -> None:
        first = y[0] if isinstance(y, tuple) else y
        if id(module) not in layers:
            layers[id(module)] = _layer(name, module, tuple(first.shape[1:]), counted)
        layers[id(module)].macs += _macs(module, inputs[0].shape)

    return hook


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


def _macs(module: Module, shape: tuple[int, ...]) -> int:
    """For an input of `shape`: every number of the weight at each place of the output."""
    for kind, shape_of in SHAPES.items():
        if isinstance(module, kind):
            _, places = shape_of(module, shape)
            return module.weight.size * places
    return 0
