"""cupy.linalg: dense linear algebra of device arrays."""

from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from . import _names
from ._functions import function

__all__ = ["LinAlgError", *_names.LINALG]


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module 'cupy.linalg' has no attribute {name!r}")


globals().update(
    {
        name: function(name, parameters, "a b M x", getattr(np.linalg, name))
        for name, parameters in _names.LINALG.items()
    }
)
