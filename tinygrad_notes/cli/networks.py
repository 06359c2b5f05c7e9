"""Networks, and their published forms, by the names that a user types."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from .. import models
from ..data.windows import Around
from ..models.count import undrawn
from ..models.resnet import OPTIONS
from ..models.summary import sample_ids
from ..models.variants import VARIANTS
from ..nn import Module
from .operations import plain, suggestion

# Models of sequences, and a sample of what they read: small vocabularies where none is published. Classify
# and Translate are what `train classify` and `train translate` make of their own data.
SEQUENCES: dict[str, tuple[Callable[[], Module], tuple[Any, ...]]] = {
    "CharLM": (partial(models.RecurrentLM, 65), sample_ids(64)),
    "TokenLM": (partial(models.RecurrentLM, 2000), sample_ids(64)),
    "TransformerLM": (partial(models.TransformerLM, 65), sample_ids(64)),
    "Classify": (partial(models.SequenceClassifier, 19, 119), sample_ids(20)),
    "Seq2Seq": (partial(models.Seq2Seq, 64, 14), sample_ids(20, 11)),
    "Transformer": (partial(models.Transformer, 37_000), sample_ids(20, 20)),
    "Translate": (partial(models.Transformer, 2000, 128, 4, 3, 512, max_len=101), sample_ids(20, 20)),
    "Word2Vec": (partial(models.Word2Vec, 10_000), (Around.blank(),)),
    "GPT2": (models.GPT2, sample_ids(64)),
    "BERT": (models.BERT, sample_ids(64)),
}


@dataclass(frozen=True)
class Network:
    """`build()` makes it; `family` is its key in the table of variants. `texts` are a sample of
    what it reads; none: it reads images."""

    name: str
    build: Callable[[], Module]
    family: str
    texts: tuple[Any, ...] = ()

    def inputs(self, model: Any) -> tuple[Any, ...]:
        """One sample for `model`: the shape of an image, or ids."""
        return self.texts or (model.input_shape,)

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
    for name, (build, texts) in SEQUENCES.items():
        found[plain(name)] = Network(name, build, name, texts)
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
