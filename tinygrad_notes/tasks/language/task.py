"""The task itself: ids in, logits of each next one out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...data.text import Stream, Streams
from ...models.language import RecurrentLM, TransformerLM
from ...models.summary import sample_ids
from ...nn import Module
from ...nn import functional as F
from ...train.loop import evaluate
from ...train.options import RunError
from ...train.task import Outcome, Parts, Score, Task
from . import texts
from .carried import Carried
from .generation import sample
from .settings import DEFAULTS, TOPICS, TRANSFORMER, Settings
from .texts import Units


class Language(Task):
    """Language models. Facts: the characters, or the byte pairs.

    The loss is that of one id in nats. Perplexity is e^loss; bits per character compare models of different
    ids: loss · ids / (characters · ln 2).
    """

    name = "language"
    unit = "ids"
    models: Mapping[str, Mapping[str, Any]] = {"charlm": DEFAULTS, "tokenlm": DEFAULTS}
    datasets = (TOPICS,)
    Settings = Settings

    def takes(self, data: str) -> bool:
        return data == TOPICS or Path(data).is_file()

    def load(self, settings: Settings, facts: dict[str, Any] | None = None, **how: Any) -> Parts:
        return texts.load(settings, facts)

    def build(self, settings: Settings, facts: dict[str, Any]) -> Module:
        vocabulary, dropout = len(Units.from_facts(facts)), settings.dropout
        if settings.cell == TRANSFORMER:
            return TransformerLM(
                vocabulary, settings.width, settings.layers or 4, settings.heads, settings.places, dropout,
                settings.tied is not False,
            )  # fmt: skip
        layers, tied = settings.layers or 2, bool(settings.tied)
        return RecurrentLM(vocabulary, settings.cell, settings.width, layers, dropout, tied)

    def sample(self, settings: Settings, facts: dict[str, Any]) -> tuple[Any, ...]:
        return sample_ids(settings.places)

    def batches(
        self, settings: Settings, facts: dict[str, Any], part: Any, training: bool, options: Any = None
    ) -> Carried:
        """Rows side by side, as many as the part has places for; the state of each is carried along."""
        rows = max(1, min(settings.batch_size, (len(part) - 1) // settings.places))
        fits = training and (len(part) - settings.places) // rows > 0
        streams = Streams(part, rows, settings.places, shuffle=fits)
        return Carried(streams, Units.from_facts(facts).characters)

    def score(self, model: Any, batch: Any, training: bool) -> Score:
        ids, following, characters, *before = batch
        logits, state = model(ids, tuple(before))
        loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), following.reshape(-1))
        sums = {"characters": characters[following].sum()}
        return Score(loss, sums, carried=model.carried(state))

    def figures(self, loss: float, weight: int, sums: Mapping[str, float]) -> dict[str, float]:
        """Raises FloatingPointError where the perplexity is no number any more."""
        return {
            "loss": loss, "perplexity": perplexity(loss),
            "bits_per_character": loss * weight / (max(sums["characters"], 1) * math.log(2)),
        }  # fmt: skip

    def test(
        self, settings: Settings, facts: dict[str, Any], model: Module, part: Any, options: Any
    ) -> Outcome:
        figures = evaluate(self, model, self.batches(settings, facts, part, training=False)).figures
        bits = f"{figures['bits_per_character']:.3f} bits per character"
        return Outcome(f"test perplexity {figures['perplexity']:.2f}, {bits}", figures)

    def predict(
        self, settings: Settings, facts: dict[str, Any], model: Any, inputs: Sequence[str], options: Any
    ) -> Outcome:
        """How well the model foresees each text: its perplexity, from the second id on."""
        rows, details = [], []
        for number, text in enumerate(inputs, 1):
            ids = Units.from_facts(facts).encode(text, f"text {number}")
            if len(ids) < 2:
                raise RunError(
                    f"predict: text {number} has {len(ids)} ids; from 2 on there is one to foresee"
                )
            found = evaluate(self, model, self.batches(settings, facts, Stream(ids), False)).figures
            details.append({"text": text, "ids": len(ids), **found})
            rows.append([text if len(text) <= 40 else f"{text[:39]}…", len(ids), f"{found['perplexity']:.2f}",
                         f"{found['bits_per_character']:.3f}"])  # fmt: skip
        columns = ["text", "ids", "perplexity", "bits per character"]
        return Outcome("", {}, {"texts": details}, columns, rows)

    def announce(self, folder: Path, parts: Parts) -> list[str]:
        units = Units.from_facts(parts.facts)
        kind = "characters" if "characters" in parts.facts else "byte pairs"
        return [f"{super().announce(folder, parts)[0]} of {len(units):,} {kind}"]

    def between(self, run: Any) -> list[str]:
        """A sample of what the model writes now."""
        if not run.settings.sample:
            return []
        text = sample(run.model, run.settings, Units.from_facts(run.facts))
        return ["  it writes: " + text.replace("\n", "↵")]


def perplexity(loss: float) -> float:
    """e^loss. Raises FloatingPointError where it is too large for a number, from 709 nats on."""
    try:
        return math.exp(loss)
    except OverflowError:
        raise FloatingPointError(
            f"the perplexity e^{loss:.0f} is infinite: the model is lost; lower the learning rate (--lr) or "
            "limit the gradients (--clip-norm)"
        ) from None


TASK = Language()
