"""An optimizer in a captured step: its numbers lie on the device, and are renewed before each replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import backend
from ..backend.capture import Capture, CaptureError

if TYPE_CHECKING:
    from .optimizer import Call, Optimizer

Member = tuple[int, Mapping[str, Any]]  # the place of a parameter, and its group
FLAGS = ("maximize", "amsgrad", "nesterov")


def captured_calls(
    optimizer: Optimizer, capture: Capture, before: dict[int, dict[str, Any]], calls: Sequence[Call],
    members: Sequence[Member],
) -> list[Call]:  # fmt: skip
    """`calls` for a kernel that reads its numbers on the device; parameters with equal ones share them.

    `before` is the state before this step. Raises CaptureError where an array of state was made in it.
    """
    capture.undo.append(lambda: setattr(optimizer, "state", before))
    name = type(optimizer).__name__
    alike: dict[Any, list[Member]] = {}
    for (arrays, numbers), (place, group) in zip(calls, members, strict=True):
        state = optimizer.state[place]
        if state.keys() != before.get(place, {}).keys():
            raise CaptureError(
                f"{name} begins the state of a parameter {arrays[0].shape} in it; call it once more before"
            )
        alike.setdefault((id(group), tuple(numbers.items())), []).append((place, group))
        capture.holds_tensor(optimizer._parameters[place], f"a parameter of {name}")
        for key in state.keys() - {"step"}:
            capture.holds(
                (name, id(optimizer), place, key), f"{key} of {name}", *_ways(optimizer, place, key)
            )
    capture.depends(("options", id(optimizer)), f"an option of {name}", lambda: _options(optimizer))
    given = {key: _given(optimizer, capture, dict(key[1]), group) for key, group in alike.items()}
    return [
        (arrays, {**numbers, "given": given[id(group), tuple(numbers.items())]})
        for (arrays, numbers), (_, group) in zip(calls, members, strict=True)
    ]


def _given(optimizer: Optimizer, capture: Capture, numbers: dict[str, Any], members: list[Member]) -> Any:
    """What the kernel reads of `numbers`, on the device: those of the next step in the next replay."""
    ordered: Callable[..., Any] = getattr(backend.xp, optimizer.kernel.replace("update", "numbers"))

    def again() -> np.ndarray:
        counted = [optimizer._numbers(optimizer.state[place], group) for place, group in members]
        return np.array(ordered(**counted[0]))

    return capture.number(np.array(ordered(**numbers)), again)


def _ways(optimizer: Optimizer, place: int, key: str) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    """How an array of the state is read, and replaced."""

    def put(array: Any) -> None:
        optimizer.state[place][key] = array

    return lambda: optimizer.state.get(place, {}).get(key), put


def _options(optimizer: Optimizer) -> list[Any]:
    """What the kernel is chosen by, for each group."""
    return [
        (len(group["params"]), bool(group.get("momentum")), *(group.get(flag) for flag in FLAGS))
        for group in optimizer.param_groups
    ]
