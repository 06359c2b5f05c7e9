"""The Transformer of Vaswani et al. 2017 translates, by byte pairs that both languages share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import optim
from ..autograd import no_grad
from ..models import Transformer
from ..models.attention_maps import recorded_attention
from ..nn import Module
from ..ops.attention import sinusoidal_positions
from ..optim.lr_scheduler import NoamLR
from ..train.options import RunError, option
from ..train.schedules import SCHEDULES
from ..train.settings import OPTIMIZERS
from ..train.task import Outcome
from .pairs import settings as shared
from .pairs import texts
from .pairs.bleu import bleu
from .pairs.settings import TATOEBA
from .pairs.task import Pairs, Told, buckets, of_length, rows

NOAM = "noam"


@dataclass(frozen=True)
class Settings(shared.Settings):
    """See `models.Transformer`. The optimizer is the paper's Adam, with β₂ = 0.98 and ε = 10⁻⁹."""

    data: str = option(TATOEBA, metavar="D", help="tatoeba (short sentences, English → Chinese), dates, or a "
                       "file with a source, a tab and a target in each line")  # fmt: skip
    lr: float | None = option(None, above=0, help="the largest learning rate; none: the paper's "
                              "1 / √(width · warmup)")  # fmt: skip
    schedule: str = option(NOAM, choices={NOAM: "up for --warmup steps, then down as 1/√step"} | SCHEDULES,
                           help="the learning rate over all epochs")  # fmt: skip
    warmup: int = option(200, least=1, help="steps of the schedule noam")
    batch_tokens: int = option(1000, least=1, metavar="N",
                               help="ids of a batch, padding counted: as many pairs as fit")  # fmt: skip
    tokens: int = option(2000, least=260, help="byte pairs that are learned from the training part")
    heads: int = option(4, least=1, help="of each attention")
    layers: int = option(3, least=1, help="of encoder and of decoder")
    feed_forward: int = option(512, least=1, metavar="N", help="numbers inside the feed-forward parts")
    norm_first: bool = option(False, help="norms before each part, not behind each sum as in the paper")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width % self.heads:
            raise RunError(f"heads = {self.heads} must divide width = {self.width}")

    def check_given(self, given: Any) -> None:
        super().check_given(given)
        if "batch_size" in given:
            raise RunError(
                "a batch of translate has as many pairs as --batch-tokens fit: leave out --batch-size"
            )
        if "warmup" in given and self.schedule != NOAM:
            raise RunError(f"--warmup is of the schedule noam, not of {self.schedule}")

    @property
    def largest(self) -> float:
        """The largest learning rate."""
        return (self.width * self.warmup) ** -0.5 if self.lr is None else self.lr

    def make_optimizer(self, model: Module) -> optim.Optimizer:
        """For noam its lr is the factor beside the paper's formula."""
        lr = self.largest * ((self.width * self.warmup) ** 0.5 if self.schedule == NOAM else 1)
        own: dict[str, Any] = (
            {"momentum": self.momentum} if self.optimizer == "sgd" else {"betas": (0.9, 0.98), "eps": 1e-9}
        )
        return OPTIMIZERS[self.optimizer](model.parameters(), lr=lr, weight_decay=self.weight_decay, **own)

    def make_schedule(self, optimizer: optim.Optimizer, batches: int) -> Any:
        if self.schedule == NOAM:
            return NoamLR(optimizer, self.width, self.warmup)
        return super().make_schedule(optimizer, batches)


class Translation(Pairs):
    """See `Pairs` and `models.Transformer`. A test adds BLEU."""

    name = "translation"
    models: Mapping[str, Mapping[str, Any]] = {
        "translate": {"epochs": 20, "lr": 1.5e-3, "validation": 0.05, "label_smoothing": 0.1, "dropout": 0.2}
    }
    Settings = Settings
    sides = staticmethod(texts.byte_pairs)

    def build(self, settings: Settings, facts: dict[str, Any]) -> Module:
        s = settings
        return Transformer(
            len(texts.both(facts)[0]), s.width, s.heads, s.layers, s.feed_forward, s.dropout, s.longest + 1,
            s.norm_first, texts.PAD,
        )  # fmt: skip

    def batches(
        self, settings: Settings, facts: dict[str, Any], part: Any, training: bool, options: Any = None
    ) -> Told:
        return buckets(part, settings, training, settings.batch_tokens)

    def logits(self, model: Any, batch: Any, training: bool) -> Any:
        sources, _, targets, *_ = batch
        return model(sources, targets[:, :-1])

    def start(self, model: Any, sources: np.ndarray, lengths: np.ndarray) -> Any:
        return model.start(sources)

    def judge_texts(
        self, written: list[str], wanted: list[str], figures: dict[str, float], said: list[str]
    ) -> None:
        try:
            figures["bleu"], tokens = bleu(written, wanted)
            said.insert(0, f"BLEU {figures['bleu']:.2f} (sacrebleu, {tokens})")
        except ImportError as error:
            said.append(f"no BLEU ({error})")

    def report(self, run: Any, outcome: Outcome | None) -> None:
        """attention_encoder, attention_decoder and attention_cross (every head and layer, for one sentence),
        learning_rate and positions."""
        from . import sequence_pictures as pictures

        settings, model = run.settings, run.best_model().eval()
        source, target = texts.both(run.facts)
        ids = of_length(rows(run.parts.test.columns[0]), 10)
        (made,) = self.write(model, [ids], settings, self.Testing())
        read, written = [texts.START, *made.ids], target.words([*made.ids, texts.END])
        with no_grad(), recorded_attention(model) as maps:
            model(np.array([ids]), np.array([read]))
        words = {"encoder": (source.words(ids),) * 2, "decoder": (written, target.words(read)),
                 "cross": (written, source.words(ids))}  # fmt: skip
        parts = {"encoder": "encoder.layers.{}.self_attn", "decoder": "decoder.layers.{}.self_attn",
                 "cross": "decoder.layers.{}.multihead_attn"}  # fmt: skip
        for kind, name in parts.items():
            layers = {f"layer {i + 1}": maps[name.format(i)][0] for i in range(settings.layers)}
            pictures.attention_maps(layers, *words[kind], run.folder / f"attention_{kind}.png")
        steps = settings.epochs * len(run.trainer.train)
        pictures.learning_rates(learning_rates(settings, steps), run.folder / "learning_rate.png")
        table = sinusoidal_positions(settings.longest, settings.width, dtype=np.float64).numpy()
        pictures.positions(table, run.folder / "positions.png")


def learning_rates(settings: Settings, steps: int) -> list[float]:
    """Those of all steps, by the schedule itself on an optimizer of nothing."""
    from ..nn import Linear

    optimizer = settings.make_optimizer(Linear(1, 1))
    schedule = settings.make_schedule(optimizer, max(1, steps // settings.epochs))
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        if schedule is not None:
            schedule.step()
    return rates


TASK = Translation()
