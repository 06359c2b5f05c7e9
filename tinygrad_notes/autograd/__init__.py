"""Reverse-mode automatic differentiation: read tensor.py, node.py, function.py, plain.py, then engine.py."""

from ..backend.capture import CaptureError
from . import copies, hooks, in_place  # noqa: F401  (they give Tensors their methods)
from .anomaly import AnomalyError
from .captured import capture
from .engine import grad
from .function import Function
from .mode import detect_anomaly, enable_grad, is_grad_enabled, no_grad
from .tape import fill_tape, tape
from .tensor import Tensor

__all__ = [
    "AnomalyError", "CaptureError", "Function", "Tensor", "capture", "detect_anomaly", "enable_grad",
    "fill_tape", "grad", "is_grad_enabled",
    "no_grad", "tape",
]  # fmt: skip
