"""Which samples are held out of training, so that they can judge it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .loader import shuffled


def held_out(labels: Any, share: float, seed: int) -> np.ndarray:
    """(N,) bool: True for round(share · N) samples, drawn by `seed`, that hold each class as often as all do.

    `labels` (N,) are the classes; samples without any are all of one: np.zeros(N). Raises ValueError for a
    share outside of [0, 1).
    """
    if not 0 <= share < 1:
        raise ValueError(f"held_out: share must be at least 0 and below 1, got {share!r}")
    values = np.asarray(labels)
    order = shuffled(len(values), seed)
    held = np.zeros(len(values), bool)
    held[order[in_turns(values[order])[: round(share * len(values))]]] = True
    return held


def in_turns(labels: Any, limit: int | None = None) -> np.ndarray:
    """An order in which every beginning holds the classes in their proportions.

    With `limit` that many of them, drawn from the whole of each class: its first may be those with A.
    """
    values = np.asarray(labels)
    if limit is not None:
        order = shuffled(len(values), 0)
        drawn: np.ndarray = order[in_turns(values[order])[:limit]]
        return drawn
    place = np.empty(len(values))
    for label in np.unique(values):
        where = np.flatnonzero(values == label)
        place[where] = (np.arange(len(where)) + 0.5) / len(where)
    return np.argsort(place, kind="stable")
