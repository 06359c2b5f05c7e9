"""Which numbers stand in a batch of ids, without waiting for how many there are."""

from __future__ import annotations

from typing import Any

import cupy
import numpy as np


def distinct_rows(ids: Any, count: int) -> tuple[Any, Any, Any]:
    """A row for each id, as in kernels/distinct.py: of equal ids one, whichever, is the place of all.

    Each id writes its number into a table of `count`; the one that is left there is the place. An id out of
    range has none.
    """
    flat = ids.reshape(-1)
    slots = cupy.zeros(count, np.int64)
    inside = cupy.minimum(cupy.maximum(flat, 0), count - 1)
    slots[inside] = cupy.arange(flat.size)
    owner = slots[inside]
    return flat, owner.reshape(ids.shape), owner
