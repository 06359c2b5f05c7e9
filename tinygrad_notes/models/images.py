"""What every network asks of its input."""

from __future__ import annotations

from typing import Any


def check_images(network: Any, x: Any, least: int = 1, exact: int | None = None, why: str = "") -> None:
    """Raise ValueError unless x is (N, C, H, W) with the network's channels and sides it can take.

    `least`: the smallest side for which every pooling window finds a number; `exact`: the only side
    that the fully connected layers fit.
    """
    name, channels = type(network).__name__, network.input_shape[0]
    if x.ndim != 4 or x.shape[1] != channels:
        raise ValueError(f"{name}: images must be (N, {channels}, H, W), got {x.shape}")
    if exact is not None and x.shape[2:] != (exact, exact):
        raise ValueError(f"{name}: images must be {exact}×{exact}, got {x.shape[2]}×{x.shape[3]}{why}")
    if min(x.shape[2:]) < least:
        raise ValueError(
            f"{name}: images must be at least {least}×{least}, got {x.shape[2]}×{x.shape[3]}; enlarge them"
        )


def choose(network: Any, variant: str, variants: Any) -> str:
    """`variant`, if the network has it; else a ValueError that lists what there is."""
    if variant not in variants:
        raise ValueError(f"{type(network).__name__}: variant must be one of {[*variants]}, got {variant!r}")
    return variant
