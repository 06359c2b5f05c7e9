"""The plain recurrence over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Array = Any


def scan(
    np: Any,
    step: Callable[..., tuple[Array, ...]],
    sequences: Sequence[Array],
    states: Sequence[Array],
    constants: Sequence[Array],
    mask: Array | None,
    reverse: bool,
) -> tuple[Array, ...]:
    """A recurrence over t = 0, 1, ..., T − 1, or from T − 1 down to 0 with `reverse`.

    (*states, *results) ← step(*[s[t] for s in sequences], *states, *constants), where every s[t], state and
    result is (N, ...).
    Where `mask` (T, N) is False a sample has no step: its states stay, its results are 0, whatever its
    sequences hold there. Returns the states after the last step and the results of all, stacked (T, N, ...).
    """
    times = check_times(sequences)
    states, rows = tuple(states), [()] * len(times)
    for t in reversed(times) if reverse else times:
        new = step(*(s[t] for s in sequences), *states, *constants)
        if mask is not None:
            new = tuple(
                np.where(mask[t].reshape(-1, *(1,) * (value.ndim - 1)), value, before)
                for value, before in zip(new, states + (0,) * (len(new) - len(states)), strict=True)
            )
        states, rows[t] = new[: len(states)], new[len(states) :]
    return *states, *(np.stack(results) for results in zip(*rows, strict=True))


def check_times(sequences: Sequence[Array]) -> range:
    """The times of sequences of one length, which must not be 0: no step would say what its results are."""
    lengths = [len(s) for s in sequences]
    if len(set(lengths)) != 1 or not lengths[0]:
        raise ValueError(f"scan: sequences must be of one length, and at least 1 long; got {lengths}")
    return range(lengths[0])
