"""Broadcasting undone: an element that was repeated gets the sum of its copies' gradients."""

from __future__ import annotations

from typing import Any


def unbroadcast(xp: Any, g: Any, shape: tuple[int, ...]) -> Any:
    """Sum over the axes that broadcasting stretched: the adjoint of broadcast_to."""
    lead = g.ndim - len(shape)
    axes = tuple(i for i in range(g.ndim) if i < lead or (shape[i - lead] == 1 and g.shape[i] != 1))
    return xp.reshape(xp.sum(g, axis=axes), shape)
