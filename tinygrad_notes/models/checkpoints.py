"""Names of published checkpoints as those of the models here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import backend
from ..autograd import Tensor


def host(value: Any) -> np.ndarray:
    """A value of a state (array, Tensor here or of torch) as a NumPy array."""
    value = value._data if isinstance(value, Tensor) else value
    return backend.to_numpy(value) if backend.is_array(value) else np.asarray(value)


def renamed(state: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """`state` with the first of `names` (patterns of whole names: new names) that fits each; "" drops it.

    Names that fit none stay, for `load_state_dict` to tell of them.
    """
    found = {}
    for name, value in state.items():
        for pattern, new in names.items():
            match = re.fullmatch(pattern, name)
            if match:
                name = match.expand(new)
                break
        if name:
            found[name] = value
    return found


def layers_of(state: Mapping[str, Any], prefix: str) -> int:
    """How many layers a state has whose names are `prefix` + number + "."."""
    numbers = [re.match(re.escape(prefix) + r"(\d+)\.", name) for name in state]
    return max((int(n[1]) + 1 for n in numbers if n), default=0)
