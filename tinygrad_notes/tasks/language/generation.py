"""Texts that a language model writes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from ...models.decoding import Sampling, stream
from ...train.options import RunError
from .settings import TRANSFORMER, Settings
from .texts import Units

BROKEN = "�"  # of bytes that are not yet, or not, a character


def written(
    model: Any, settings: Settings, units: Units, prompt: str, length: int, choose: Sampling
) -> Iterator[str]:
    """The text behind `prompt`, up to `length` ids, piece by piece as it is made.

    A recurrent network has read the whole text before; a transformer, where its places are full, reads the
    last half of them again and forgets what came before. The model's mode is put back at the end.

    Raises RunError for an empty prompt, or a character in it that the model does not know.
    """
    if not prompt:
        raise RunError("generate: the prompt is empty; it needs at least one character to go on from")
    ids = units.encode(prompt, "the prompt")
    context = settings.places if settings.cell == TRANSFORMER else None
    return _pieces(model, units, ids, length, choose, context)


def _pieces(
    model: Any, units: Units, ids: Any, length: int, choose: Sampling, context: int | None
) -> Iterator[str]:
    made: list[int] = []
    shown = ""
    mode = model.training
    model.eval()
    try:
        for (new,) in itertools.islice(stream(model, ids[None], choose, context=context), length):
            made.append(int(new))
            text = units.decode(made)
            whole = text.rstrip(BROKEN) if len(made) < length else text  # a character may not be whole yet
            if len(whole) > len(shown):
                yield whole[len(shown) :]
                shown = whole
    finally:
        model.train(mode)


def default_prompt(units: Units) -> str:
    """A new line where the model knows it, else its most frequent character."""
    known = getattr(units.table, "ids", {})
    return "\n" if "\n" in known or "Ċ" in known else str(units.decode([0]))


def sample(model: Any, settings: Settings, units: Units) -> str:
    """The same draws after each epoch, so that what changes is the model."""
    prompt = default_prompt(units)
    return "".join(written(model, settings, units, prompt, settings.sample, Sampling(0.8, seed=0)))
