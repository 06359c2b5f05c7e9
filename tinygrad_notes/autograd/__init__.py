"""Reverse-mode automatic differentiation: read tensor.py, function.py, plain.py, then engine.py."""

from . import copies, in_place  # noqa: F401  (they give Tensors their methods)
from .engine import grad
from .function import AnomalyError, Function
from .mode import detect_anomaly, enable_grad, is_grad_enabled, no_grad
from .tensor import Tensor, fill_tape, tape

__all__ = [
    "AnomalyError", "Function", "Tensor", "detect_anomaly", "enable_grad",
    "fill_tape", "grad", "is_grad_enabled",
    "no_grad", "tape",
]  # fmt: skip
