"""The plain normalization by a given mean and standard deviation, and its gradient.

x (N, C, *); γ, β (C,) or (1, C, 1, ...); everything else (1, C, 1, ...): one number for each channel.
"""

from __future__ import annotations

from typing import Any

Array = Any


def normalize(np: Any, x: Array, mean: Array, std: Array, gamma: Array, beta: Array) -> Array:
    """y = γ x̂ + β with x̂ = (x − μ)/σ."""
    gamma, beta = np.reshape(gamma, mean.shape), np.reshape(beta, mean.shape)
    return gamma * ((x - mean) / std) + beta


def normalize_grad(
    np: Any, gy: Array, x: Array, mean: Array, std: Array, gamma: Array, along_one: Array, along_x_hat: Array
) -> Array:
    """gx = (γ gy − a − x̂ b)/σ: without the parts a along a constant and b along x̂."""
    x_hat = (x - mean) / std
    return (np.reshape(gamma, mean.shape) * gy - along_one - x_hat * along_x_hat) / std
