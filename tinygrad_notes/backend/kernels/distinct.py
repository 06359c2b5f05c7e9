"""Which numbers stand in a batch of ids, each once."""

from __future__ import annotations

from typing import Any

import numpy as np


def distinct_rows(ids: np.ndarray, count: int) -> tuple[np.ndarray, Any, None]:
    """(rows (n,), place (*ids), None) with rows[place] = ids: equal ids, of 0..count − 1, have one place.

    A namespace that would have to wait for the number of different ids may give a row for each id instead.
    Then the last is an array `owner` (n,): row k is the same as row owner[k], which is the place of its id.
    """
    rows, place = np.unique(ids, return_inverse=True)
    return rows, place.reshape(ids.shape), None
