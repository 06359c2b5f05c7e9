"""A recurrence over time: results go straight to their place, and samples without a step are left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .plain import check_times


def scan(
    step: Callable[..., tuple[Any, ...]],
    sequences: Sequence[Any],
    states: Sequence[Any],
    constants: Sequence[Any],
    mask: Any,
    reverse: bool,
) -> tuple[Any, ...]:
    """A recurrence over t; see `plain.scan`."""
    times, count = check_times(sequences), len(states)
    constants = [np.ascontiguousarray(c) for c in constants]  # BLAS copies a transposed one at every step
    stacks: list[Any] = []
    for t in reversed(times) if reverse else times:
        rows = _with_a_step(mask, t)
        if rows is None:
            new = step(*[s[t] for s in sequences], *states, *constants)
            states = new[:count]
        else:
            new = step(*[s[t][rows] for s in sequences], *[state[rows] for state in states], *constants)
            states = [_replaced(state, rows, value) for state, value in zip(states, new, strict=False)]
        results = new[count:]
        if not stacks:
            shape = (len(times), *states[0].shape[:1])
            make = np.empty if mask is None else np.zeros
            stacks = [make((*shape, *r.shape[1:]), r.dtype) for r in results]
        for stack, result in zip(stacks, results, strict=True):
            stack[t if rows is None else (t, rows)] = result
    return *states, *stacks


def _with_a_step(mask: Any, t: int) -> Any:
    """The samples that have a step at t; None where all have."""
    if mask is None or mask[t].all():
        return None
    return np.flatnonzero(mask[t])


def _replaced(state: Any, rows: Any, value: Any) -> Any:
    """A copy of `state`, which may be anybody's, with `value` in some rows."""
    state = state.copy()
    state[rows] = value
    return state
