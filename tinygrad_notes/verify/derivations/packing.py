"""Arguments of rules, packed from the arrays of a derivation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def stacked(get: Callable[[str], Any], name: str, parts: Sequence[str], axis: int) -> Any:
    """The arrays name^part side by side."""
    first, *rest = (get(f"{name}^{part}") for part in parts)
    return np.concatenate([first, *rest], axis=axis).view(type(first))
