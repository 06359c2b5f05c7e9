"""The base of both tasks: source ids in, target ids out."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...autograd import no_grad
from ...data.text import Buckets, Sequences
from ...models.decoding import Hypothesis, State, beam_search, generate
from ...models.summary import STEPS, sample_ids
from ...nn import Module
from ...nn import functional as F
from ...train.loop import evaluate
from ...train.options import RunError
from ...train.task import Outcome, Parts, Score, Task
from ..language.task import perplexity
from . import texts
from .settings import DATES, TATOEBA, Decoding, Settings
from .texts import END, PAD, START

AT_ONCE = 100  # samples that are decoded together


class Weighed(Buckets):
    """Batches (sources, lengths, targets, lengths, ids): how many ids are predicted, known to the host."""

    def _batches(self, key: int, start: int) -> Generator[tuple[Any, ...], None, None]:
        for batch in super()._batches(key, start):
            yield *batch, int(batch[3].sum()) - len(batch[3])


class Told:
    """Batches (sources, lengths, targets, lengths, ids, settings): the loss depends on options."""

    def __init__(self, batches: Buckets, settings: Settings) -> None:
        self.batches, self.settings = batches, settings
        self.state_dict, self.load_state_dict = batches.state_dict, batches.load_state_dict

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return ((*batch, self.settings) for batch in self.batches)


class Pairs(Task):
    """From one text to another. Facts: the characters or byte pairs of both sides.

    The loss is that of one id of the target in nats, the accuracy the share of ids that are the likeliest
    ones behind the true ids before them. A test writes each target itself: `exact` is the share of those that
    are right from end to end.
    """

    unit = "pairs"
    datasets = (DATES, TATOEBA)
    percent = ("accuracy", "exact")
    Testing = Decoding
    Predicting = Decoding
    sides: Any = None  # how the ids are made: of `texts`

    def takes(self, data: str) -> bool:
        return data in self.datasets or Path(data).is_file()

    def load(self, settings: Any, facts: dict[str, Any] | None = None, **how: Any) -> Parts:
        return texts.load(settings, facts, type(self).sides)

    def sample(self, settings: Any, facts: dict[str, Any]) -> tuple[Any, ...]:
        return sample_ids(*[min(STEPS, settings.longest)] * 2)

    def logits(self, model: Any, batch: Any, training: bool) -> Any:
        """(N, T, V) behind each id of the targets but the last."""
        raise NotImplementedError

    def start(self, model: Any, sources: np.ndarray, lengths: np.ndarray) -> State:
        """The decoder's first state."""
        raise NotImplementedError

    def score(self, model: Module, batch: Any, training: bool) -> Score:
        _, _, targets, _, settings = batch
        logits, labels = self.logits(model, batch, training), targets[:, 1:]
        smoothing = settings.label_smoothing if training else 0.0
        loss = F.cross_entropy(
            logits.reshape(-1, logits.shape[-1]),
            labels.reshape(-1),
            ignore_index=PAD,
            label_smoothing=smoothing,
        )
        hits = ((logits.detach().argmax(axis=2) == labels) & (labels != PAD)).sum()
        return Score(loss, {"correct": hits})

    def figures(self, loss: float, weight: int, sums: Mapping[str, float]) -> dict[str, float]:
        return {"loss": loss, "perplexity": perplexity(loss), "accuracy": sums["correct"] / weight}

    def write(
        self, model: Module, sources: Sequence[Sequence[int]], settings: Settings, options: Decoding
    ) -> list[Hypothesis]:
        """What the model makes of each source. Scores are those of `beam_search`, 0 with one beam."""
        made: list[Hypothesis] = []
        for begin in range(0, len(sources), AT_ONCE):
            part = texts.Ragged(sources[begin : begin + AT_ONCE])
            ids, lengths = part.padded(np.arange(len(part)), PAD)
            with no_grad():
                state = self.start(model, ids, lengths)
            first, most = np.full((len(ids), 1), START), settings.longest
            if options.beams == 1:
                made += [
                    Hypothesis(ids, 0.0) for ids in generate(model.step, first, most, state=state, stop=END)
                ]
            else:
                every = beam_search(
                    model.step, first, most, END, options.beams, options.length_penalty, state
                )
                made += [best for best, *_ in every]
        return made

    def test(self, settings: Any, facts: dict[str, Any], model: Module, part: Any, options: Any) -> Outcome:
        """The first pairs are shown, and the figures of all; BLEU where sacrebleu is installed."""
        batches = self.batches(settings, facts, part, training=False)
        figures = dict(evaluate(self, model, batches).figures)
        source, target = texts.both(facts)
        sources, targets = (rows(column) for column in part.columns)
        written = [target.decode(h.ids) for h in self.writing(model, sources, settings, options)]
        wanted = [target.decode(ids) for ids in targets]
        figures["exact"] = sum(a == b for a, b in zip(written, wanted, strict=True)) / len(wanted)
        said = [f"{100 * figures['exact']:.2f} % of {len(wanted):,} test pairs exact"]
        self.judge_texts(written, wanted, figures, said)
        examples = list(zip(map(source.decode, sources[:8]), written, wanted, strict=False))
        return Outcome(
            ", ".join(said), figures, {"examples": [dict(zip(COLUMNS, e, strict=True)) for e in examples]},
            COLUMNS, [tuple(map(_shortened, example)) for example in examples], left=3,
        )  # fmt: skip

    def judge_texts(
        self, written: list[str], wanted: list[str], figures: dict[str, float], said: list[str]
    ) -> None:
        """Add what else is measured of the texts to the figures, and to what is said of them."""

    def writing(self, model: Module, sources: Any, settings: Any, options: Any) -> list[Hypothesis]:
        """`write` in evaluation mode."""
        mode = model.training
        model.eval()
        try:
            return self.write(model, sources, settings, options)
        finally:
            model.train(mode)

    def predict(
        self, settings: Any, facts: dict[str, Any], model: Module, inputs: Sequence[str], options: Any
    ) -> Outcome:
        source, target = texts.both(facts)
        ids = []
        for number, text in enumerate(inputs, 1):
            if not text.strip():
                raise RunError(f"predict: text {number} is empty")
            ids.append(source.encode(text, f"text {number}"))
            if len(ids[-1]) > settings.longest:
                raise RunError(
                    f"predict: text {number} has {len(ids[-1])} ids with its end sign, and the model was "
                    f"trained for up to {settings.longest} (--longest)"
                )
        written = [target.decode(h.ids) for h in self.writing(model, ids, settings, options)]
        found = [{"source": a, "written": b} for a, b in zip(inputs, written, strict=True)]
        return Outcome(
            "", {}, {"texts": found}, ["source", "written"], list(zip(inputs, written, strict=True)), 2
        )

    def announce(self, folder: Path, parts: Parts) -> list[str]:
        source, target = texts.both(parts.facts)
        sizes = f"{len(source):,} ids" if target is source else f"{len(source):,} and {len(target):,} ids"
        said = [f"{super().announce(folder, parts)[0]} of {sizes}"]
        if parts.facts["left out"]:
            said.append(f"{parts.facts['left out']:,} pairs are longer than --longest and left out")
        return said


COLUMNS = ("source", "written", "wanted")
SHOWN = 40  # characters of a text in a table


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def rows(column: Any) -> list[list[int]]:
    """The samples of a `Ragged` column."""
    ends = zip(column.starts[:-1], column.starts[1:], strict=True)
    return [column.flat[a:b].tolist() for a, b in ends]


def of_length(samples: list[list[int]], length: int) -> list[int]:
    """The first of those that are nearest to `length`: one that shows something, and fits a picture."""
    return min(samples, key=lambda ids: abs(len(ids) - length))


def buckets(part: Sequences, settings: Any, training: bool, tokens: int | None = None) -> Told:
    return Told(Weighed(part, settings.batch_size, shuffle=training, tokens=tokens), settings)
