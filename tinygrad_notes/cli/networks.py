"""Networks, and their published forms, by the names that a user types."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .. import models
from ..models.count import undrawn
from ..models.resnet import OPTIONS
from ..models.variants import VARIANTS
from ..nn import Module
from .operations import plain, suggestion

# Models of sequences, and the places of a sample: small vocabularies where none is published.
SEQUENCES: dict[str, tuple[Callable[[], Module], tuple[int, ...]]] = {
    "CharLM": (partial(models.RecurrentLM, 65), (64,)),
    "TransformerLM": (partial(models.TransformerLM, 65), (64,)),
    "Seq2Seq": (partial(models.Seq2Seq, 64, 14), (20, 11)),
    "Transformer": (partial(models.Transformer, 37_000), (20, 20)),
    "GPT2": (models.GPT2, (64,)),
    "BERT": (models.BERT, (64,)),
}


@dataclass(frozen=True)
class Network:
    """`build()` makes it; `family` is its key in the table of variants. `places` are those of each text that
    it reads; none: it reads images."""

    name: str
    build: Callable[[], Module]
    family: str
    places: tuple[int, ...] = ()

    def inputs(self, model: Any) -> tuple[Any, ...]:
        """One sample for `model`: the shape of an image, or ids."""
        if not self.places:
            return (model.input_shape,)
        return tuple(np.ones((1, places), np.int64) for places in self.places)

    def undrawn(self) -> Module:
        """Quick to make: all weights are 0."""
        with undrawn():
            return self.build()


def all_networks() -> dict[str, Network]:
    """Every network by its plain name; those of He et al. for CIFAR by their depth."""
    found = {
        plain(name): Network(name, value, name)
        for name, value in vars(models).items()
        if inspect.isclass(value) and issubclass(value, Module) and hasattr(value, "input_shape")
    }
    for name, (build, places) in SEQUENCES.items():
        found[plain(name)] = Network(name, build, name, places)
    for depth in (20, 32, 44, 56, 110):
        build = partial(models.CifarResNet, depth)
        found[f"resnet{depth}"] = Network(f"ResNet{depth}", build, "CifarResNet")
    return found


def find_network(name: str, variant: str | None = None, others: tuple[str, ...] = ()) -> Network:
    """The network called `name`, whatever the case, in its form `variant`.

    Raises ValueError, which may suggest one of `others`, names that are known elsewhere.
    """
    known = all_networks()
    if plain(name) not in known:
        names = [*(network.name for network in known.values()), *others]
        raise ValueError(f"unknown network {name!r}; {suggestion(name, names)}")
    network = known[plain(name)]
    if variant is None:
        return network
    forms = {v.name: v.build for v in VARIANTS.get(network.family, ())}
    if network.family == "CifarResNet" and isinstance(network.build, partial):
        forms = {option: partial(network.build, option=option) for option in OPTIONS}
    if variant not in forms:
        listed = f"choose from {'; '.join(forms)}" if forms else "there is one form only"
        raise ValueError(f"unknown variant {variant!r} of {network.name}; {listed}")
    return Network(f"{network.name} ({variant})", forms[variant], network.family)
