"""The plain steps of optimizers, which return new arrays."""

from __future__ import annotations

from typing import Any

Array = Any


def sgd(
    np: Any, p: Array, g: Array, v: Array, *, lr: float, momentum: float, dampening: float,
    weight_decay: float, nesterov: bool, first: bool,
) -> tuple[Array, Array]:  # fmt: skip
    """(p, v) after a step: v ← μ v + (1 − dampening) g, the first v is g;  p ← p − lr v (or g + μ v)."""
    g = g + weight_decay * p
    v = g if first or not momentum else momentum * v + (1 - dampening) * g
    return p - lr * (g + momentum * v if nesterov else v), v


def adam(
    np: Any, p: Array, g: Array, m: Array, v: Array, largest: Array | None, *, lr: float, beta1: float,
    beta2: float, eps: float, l2: float, decay: float, step: int,
) -> tuple[Array, Array, Array, Array | None]:  # fmt: skip
    """(p, m, v, largest) after step `step`: Adam with `l2`, AdamW with `decay`, AMSGrad with `largest`."""
    p = p - decay * p
    g = g + l2 * p
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    largest = None if largest is None else np.maximum(largest, v)
    m_hat, v_hat = m / (1 - beta1**step), (v if largest is None else largest) / (1 - beta2**step)
    return p - lr * m_hat / (np.sqrt(v_hat) + eps), m, v, largest
