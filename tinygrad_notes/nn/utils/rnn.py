"""Sequences of different lengths as one padded batch, and back to which of its places are real."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...autograd import Tensor
from ...ops.arguments import as_tensor
from ...ops.sequence import length_mask
from ...ops.shape import pad, stack

__all__ = ["length_mask", "pad_sequence"]


def pad_sequence(
    sequences: Sequence[Any], batch_first: bool = False, padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:  # fmt: skip
    """Sequences (Lᵢ, *) as one batch (T, N, *) with T = max Lᵢ, or (N, T, *) with `batch_first`.

    Raises ValueError if there are none, or if they differ in more than their length.
    """
    xs = [as_tensor(x) for x in sequences]
    if padding_side not in ("right", "left"):
        raise ValueError(f"pad_sequence: padding_side must be 'right' or 'left', got {padding_side!r}")
    if not xs or any(x.ndim == 0 or x.shape[1:] != xs[0].shape[1:] for x in xs):
        raise ValueError(f"pad_sequence: needs sequences (L, *) alike but for L, got {[x.shape for x in xs]}")
    longest = max(len(x) for x in xs)
    padded = []
    for x in xs:
        missing = longest - len(x)
        widths = (0, missing) if padding_side == "right" else (missing, 0)
        padded.append(pad(x, (widths, *((0, 0),) * (x.ndim - 1)), padding_value) if missing else x)
    return stack(padded, 0 if batch_first else 1)
