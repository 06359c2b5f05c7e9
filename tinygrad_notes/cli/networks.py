"""Networks by the name that a user types."""

from __future__ import annotations

import inspect

from .. import models
from ..nn import Module
from .operations import plain, suggestion


def find_network(name: str) -> type[Module]:
    """The class of `models` that is called `name`, whatever the case. Raises ValueError."""
    known = {
        plain(key): value
        for key, value in vars(models).items()
        if inspect.isclass(value) and issubclass(value, Module) and hasattr(value, "input_shape")
    }
    if plain(name) in known:
        return known[plain(name)]
    names = [network.__name__ for network in known.values()]
    raise ValueError(f"unknown network {name!r}; {suggestion(name, names)}")
