"""Equality of states bit for bit."""

import numpy as np


def same(a, b):
    """Whether two nested values are equal in type, and their arrays in every bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return type(a) is type(b) and a == b


def state_of(trainer):
    """All that a training goes on from, without the seconds."""
    found = trainer.state_dict()
    found["resume"]["sums"].pop("seconds")
    found["resume"]["history"] = [{**line, "seconds": 0} for line in trainer.history]
    return found
