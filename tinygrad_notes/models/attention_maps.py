"""What each head of a Transformer attends to, written down while the model runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..nn import Module, MultiheadAttention


@contextmanager
def recorded_attention(model: Module) -> Iterator[dict[str, np.ndarray]]:
    """{name of a `MultiheadAttention`: its weights (N, heads, L, S)} of the last forward inside."""
    maps: dict[str, np.ndarray] = {}

    def recording(name: str, layer: Any) -> Any:
        def run(*inputs: Any, **options: Any) -> Any:
            options |= {"need_weights": True, "average_attn_weights": False}
            y, weights, *cache = type(layer).forward(layer, *inputs, **options)
            maps[name] = weights.detach().numpy()
            return (y, weights, *cache)

        return run

    layers = {name: m for name, m in model.named_modules() if isinstance(m, MultiheadAttention)}
    for name, layer in layers.items():
        layer.forward = recording(name, layer)  # type: ignore[method-assign]
    try:
        yield maps
    finally:
        for layer in layers.values():
            vars(layer).pop("forward", None)  # the class's own is back
