"""What of a training step is captured, and what the host says anew in each step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import backend


def each_step(function: Callable[[], np.ndarray]) -> Any:
    """The host's array `function()` as one of the backend: numbers that are others in each step."""
    return backend.asarray(function())
