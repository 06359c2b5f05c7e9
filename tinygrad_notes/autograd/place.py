"""Where an error was raised: in which rule, on which GPU, and what an error of the device means."""

from __future__ import annotations

import re
from typing import Any

from .. import backend


def note(error: BaseException, where: str) -> None:
    """Add the rule to an error, "forward of Exp: x (2,) float32", and what helps if it is the device's."""
    error.add_note(f"in the {where}")
    trouble = backend.explain(error)
    if trouble is not None and trouble.text not in error.__notes__:
        error.add_note(trouble.text)


def note_backward(error: BaseException, node: Any) -> None:
    """Add the operation whose backward it was; a leaf has none."""
    operation = getattr(node, "operation", None)
    if operation is not None:
        note(error, f"backward of {operation.name}")


def rule_of(error: BaseException) -> str:
    """The innermost rule that was noted, such as "forward of Exp"; "" outside of rules."""
    found = (re.match(r"in the ((?:forward|backward) of \w+)", text) for text in
             getattr(error, "__notes__", ()))  # fmt: skip
    return next((match[1] for match in found if match), "")


def check_gpus(operation: Any, values: list[Any]) -> None:
    """Raises BackendError where an array of `values` is not on the GPU that computes, naming both."""
    devices = backend.xp.devices
    here = devices.current()
    for i, value in enumerate(values):
        there = devices.of(value)
        if there is not None and there != here:
            name = repr(operation.inputs[i]) if i < len(operation.inputs) else str(i)
            raise backend.BackendError(
                f"{operation.name}: argument {name} is on {devices.described(there)}, and what computes "
                f"is {devices.described(here)}; call set_device({there}), or move it by tg.to_numpy"
            )


def freed(node: Any) -> RuntimeError:
    """For a second backward through `node`."""
    return RuntimeError(
        f"backward: the graph was freed at {node.operation.name} by an earlier backward; "
        "pass retain_graph=True to the first one to go through it twice"
    )


def unruled(node: Any, i: int) -> RuntimeError:
    """For an input whose gradient no rule gives."""
    return RuntimeError(
        f"backward of {node.operation.name}: no rule gives the gradient of its input "
        f"{node.operation.inputs[i]!r}; write one, or detach the input"
    )
