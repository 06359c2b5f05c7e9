"""A recurrent encoder and decoder, letter by letter: by default dates as people write them → ISO 8601."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..autograd import no_grad
from ..models import Seq2Seq
from ..models.seq2seq import ATTENTIONS, CELLS
from ..nn import Module
from ..train.options import RunError, option
from ..train.task import Outcome
from .pairs import settings as shared
from .pairs import texts
from .pairs.settings import DATES
from .pairs.task import Pairs, Told, buckets, of_length, rows


@dataclass(frozen=True)
class Settings(shared.Settings):
    """See `models.Seq2Seq`."""

    data: str = option(DATES, metavar="D", help="dates (English and Chinese forms → ISO 8601), tatoeba "
                       "(English → Chinese), or a file: source, tab and target in each line")  # fmt: skip
    cell: str = option("gru", choices=tuple(CELLS), metavar="C", help="of encoder and decoder")
    attention: str = option(
        "additive", choices=ATTENTIONS, metavar="A", help="how the decoder looks at the source"
    )
    embedding: int = option(32, least=1, help="numbers of an embedded letter")
    layers: int = option(1, least=1, help="of encoder and of decoder")
    input_feeding: bool = option(False, help="the decoder's cell reads what was attended to before")
    forcing: float = option(1.0, least=0, metavar="P",
                            help="chance that training reads the true id before, not its own")  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.forcing > 1:
            raise RunError(f"forcing is a probability, got {self.forcing}")
        if self.width % 2:
            raise RunError(f"width must be even, a half for each direction of the encoder, got {self.width}")
        if self.input_feeding and self.attention == "none":
            raise RunError("input_feeding needs an attention")


class SequenceToSequence(Pairs):
    """See `Pairs` and `models.Seq2Seq`."""

    name = "seq2seq"
    models: Mapping[str, Mapping[str, Any]] = {
        "seq2seq": {"epochs": 3, "lr": 3e-3, "clip_norm": 1.0, "validation": 0.05, "dropout": 0.0}
    }
    Settings = Settings
    sides = staticmethod(texts.characters)

    def build(self, settings: Settings, facts: dict[str, Any]) -> Module:
        source, target = texts.both(facts)
        s = settings
        return Seq2Seq(len(source), len(target), s.cell, s.attention, s.width, s.embedding, s.layers,
                       s.dropout, s.input_feeding)  # fmt: skip

    def batches(
        self, settings: Settings, facts: dict[str, Any], part: Any, training: bool, options: Any = None
    ) -> Told:
        return buckets(part, settings, training)

    def logits(self, model: Any, batch: Any, training: bool) -> Any:
        sources, lengths, targets, *_, settings = batch
        return model(sources, targets[:, :-1], lengths, settings.forcing if training else 1.0)

    def start(self, model: Any, sources: np.ndarray, lengths: np.ndarray) -> Any:
        return model.start(sources, lengths)

    def report(self, run: Any, outcome: Outcome | None) -> None:
        """attention.png: what each letter of one test pair was written from."""
        if run.settings.attention == "none":
            return
        from .sequence_pictures import attention_map

        model: Any = run.best_model().eval()
        source, target = texts.both(run.facts)
        ids = of_length(rows(run.parts.test.columns[0]), 25)
        (made,) = self.write(model, [ids], run.settings, self.Testing())
        read = [texts.START, *made.ids]
        with no_grad():
            state = model.start(np.array([ids]), np.array([len(ids)]))
            _, _, alpha = model.attended(np.array([read]), state)
        written = target.words([*made.ids, texts.END])
        attention_map(alpha.numpy()[0], written, source.words(ids), run.folder / "attention.png")


TASK = SequenceToSequence()
