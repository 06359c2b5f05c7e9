"""`detect_anomaly` looks for the operation that makes the first NaN or infinity, in forward or backward."""

from __future__ import annotations

import traceback
from typing import Any


class AnomalyError(FloatingPointError):
    """NaN or infinity found by `detect_anomaly`."""


def check_forward(operation: Any, xp: Any, inputs: list[Any], outputs: tuple[Any, ...]) -> str:
    """Where the operation was called. Raises for the first non-finite output, and tells of the inputs."""
    if all(finite(xp, a) for a in outputs):
        return "".join(traceback.format_stack()[:-2])  # without this function and `apply`
    bad = [name for name, a in zip(operation.inputs, inputs, strict=False) if not finite(xp, a)]
    source = f"its input {', '.join(bad)} already was" if bad else "its inputs are finite"
    raise AnomalyError(f"detect_anomaly: the forward of {operation.name} is NaN or infinite; {source}")


def check_backward(node: Any, xp: Any, gx: Any) -> None:
    """Raise for a gradient `gx` that is NaN or infinite, and tell where the forward of `node` was called."""
    if not finite(xp, gx):
        raise AnomalyError(
            f"detect_anomaly: the backward of {node.operation.name} gave NaN or infinity. "
            f"Its forward was called here:\n{node.created or '(outside detect_anomaly)'}"
        )


def finite(xp: Any, value: Any) -> bool:
    """Whether `value` is no array of real numbers, or all of them are finite."""
    if not hasattr(value, "dtype") or value.dtype.kind != "f":
        return True
    return bool(xp.isfinite(value).all())
