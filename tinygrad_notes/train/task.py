"""What a training needs to be told: a task says what is learned from what, and the loop does the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from ..autograd import Tensor
from ..nn import Module
from .options import RunError
from .settings import Settings


class Score(NamedTuple):
    """What one batch gives: Tensors, and nothing that waits for the device. The loop reads many at once.

    `loss` is the mean over the batch (see `weighed`), which is differentiated in training. `sums` (0-d) are
    added up over batches for the figures, such as the number of hits. `each` (N, ...) has a row for each
    sample; only an evaluation that is asked to keeps them. `carried`, without a graph, goes to the batches.
    """

    loss: Tensor
    sums: Mapping[str, Tensor] = {}
    each: Mapping[str, Tensor] = {}
    carried: tuple[Tensor, ...] = ()


def weighed(batch: tuple[Any, ...]) -> tuple[tuple[Any, ...], int]:
    """(what `Task.score` is told of a batch, over how many samples its loss is the mean).

    An int in the batch is that number, and for the host alone: a step that a device repeats could not know
    that of the next batch. Without one it is the length of the last Tensor.
    """
    told = tuple(x for x in batch if not isinstance(x, int))
    counts = [x for x in batch if isinstance(x, int)]
    return told, counts[0] if counts else len([x for x in told if isinstance(x, Tensor)][-1])


class Dataset(Protocol):
    """One part of the data: `self[index array]` is a tuple of arrays, `fingerprint()` a digest of it all."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: Any, /) -> Any: ...
    def fingerprint(self) -> str: ...


class Batches(Protocol):
    """Batches of one epoch, each a tuple of Tensors, and where the iteration stands; see `data.DataLoader`.

    Beside Tensors there may be Settings, and an int, see `weighed`.

    Batches that differ in size or length, or that follow one stream, only have to keep to this. The state is
    plain numbers; its `next_batch` counts the batches that were handed out in the epoch under way, and the
    loop may put back a smaller one. After a state was loaded, iterating goes on with the rest of its epoch.
    """

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[tuple[Tensor, ...]]: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any], /) -> None: ...


class Carrying:
    """Batches that bring along what the score of the one before carried: a base of such ones."""

    def keep(self, carried: tuple[Tensor, ...]) -> None:
        """What the score of the latest batch carried, before the next one is asked for."""
        raise NotImplementedError


@dataclass(frozen=True)
class Parts:
    """The three parts of the data, and the `facts` that follow from the training part.

    Facts (the names of classes, means, a vocabulary) are what JSON can hold. They stand in config.json, so
    that a trained model is built, and used, without its training data.
    """

    train: Any  # Dataset
    validation: Any | None
    test: Any | None
    facts: dict[str, Any]

    def named(self) -> dict[str, Any]:
        """{name: part} of those that are there."""
        found = {"training": self.train, "validation": self.validation, "test": self.test}
        return {name: part for name, part in found.items() if part is not None}


@dataclass(frozen=True)
class Outcome:
    """What a test or a prediction says: `figures` and `details` as JSON, `text` and a table for people.

    `columns` and `rows` are the table's; its first `left` columns are words. `each` has the arrays that
    pictures are made from.
    """

    text: str = ""
    figures: dict[str, float] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    left: int = 1
    each: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class NoOptions:
    """A class of options without any."""


class Task:
    """What is learned from what. One object of each class does for all its trainings: it keeps no state.

    `models` are the names it trains, each with its own defaults of `Settings`; `datasets` the names of data
    that are no paths; `percent` the figures that are shares. `judge` chooses the best epoch: a figure, and
    min or max. `Testing` and `Predicting` are the options of `eval` and `predict` that only this task has.
    """

    name: ClassVar[str]
    unit: ClassVar[str] = "samples"  # what progress counts: the weights of scores
    models: Mapping[str, Mapping[str, Any]] = {}
    datasets: ClassVar[Sequence[str]] = ()
    percent: ClassVar[Sequence[str]] = ()
    judge: ClassVar[tuple[str, Callable[..., float]]] = ("loss", min)
    example: ClassVar[str] = "--seed 1"  # of its options, for `train MODEL --help`
    Settings: ClassVar[type[Settings]] = Settings
    Testing: ClassVar[type] = NoOptions
    Predicting: ClassVar[type] = NoOptions

    def settings(self, model: str, **given: Any) -> Any:
        """The settings of `model`: what is given, else its defaults. Raises RunError for an unknown one."""
        if model not in self.models:
            raise RunError(f"unknown model {model!r}; choose from {', '.join(self.models)}")
        return self.Settings(model, **{**self.models[model], **given})

    def takes(self, data: str) -> bool:
        """Whether `data` is of this task's kind: asked where several tasks train a model of the same name."""
        return data in self.datasets

    # ---- what every task says ------------------------------------------------------------------

    def load(self, settings: Any, facts: dict[str, Any] | None = None, **how: Any) -> Parts:
        """The data. With `facts`, those of a run, nothing is computed anew: data that does not fit them is
        refused (RunError). `how` has `download` and `progress`."""
        raise NotImplementedError

    def load_test(self, settings: Any, facts: dict[str, Any], **how: Any) -> Any:
        """The test part alone of other data than the run's, for `eval`; None where there is none."""
        return self.load(settings, facts, **how).test

    def build(self, settings: Any, facts: dict[str, Any]) -> Module:
        """The model, newly drawn."""
        raise NotImplementedError

    def sample(self, settings: Any, facts: dict[str, Any]) -> tuple[Any, ...]:
        """One sample of what the model reads, for `summary`: the shape of numbers, or arrays of ids."""
        raise NotImplementedError

    def batches(
        self, settings: Any, facts: dict[str, Any], part: Any, training: bool, options: Any = None
    ) -> Any:
        """The `Batches` of one part: shuffled and augmented in training, else in order. `options` are those
        of `Testing`, where a user tests."""
        raise NotImplementedError

    def score(self, model: Module, batch: Any, training: bool) -> Score:
        """The loss of one batch, without its int, and what the figures are made of."""
        raise NotImplementedError

    def figures(self, loss: float, weight: int, sums: Mapping[str, float]) -> dict[str, float]:
        """What an epoch is judged by, from the mean loss and the sums over `weight` samples; loss first."""
        return {"loss": loss}

    def test(self, settings: Any, facts: dict[str, Any], model: Module, part: Any, options: Any) -> Outcome:
        """What `eval` says of a part that the model has not seen."""
        raise NotImplementedError

    def predict(
        self, settings: Any, facts: dict[str, Any], model: Module, inputs: Sequence[str], options: Any
    ) -> Outcome:
        """What `predict` says of `inputs`, the words behind RUN_DIR."""
        raise RunError(f"predict: there is nothing to predict for {self.name}")

    def announce(self, folder: Path, parts: Parts) -> list[str]:
        """What is said before the first epoch: how many samples each part has."""
        *others, last = (f"{len(part):,} {name}" for name, part in parts.named().items())
        return [f"{', '.join(others)}{' and ' * bool(others)}{last} {self.unit}"]

    def between(self, run: Any) -> list[str]:
        """What is said after an epoch, e.g. an example of what the model makes now. It draws no number from
        the package's generator."""
        return []

    def report(self, run: Any, outcome: Outcome | None) -> None:
        """Write pictures (PNG) to the folder of a run that has ended; `outcome` is that of its test."""

    # ---- the files that the data is made of, for tasks that note them ----------------------------

    def notes(self, settings: Any, parts: Parts) -> dict[str, str]:
        """{name: text} of files that the run folder keeps about the data."""
        return {}

    def check_notes(self, folder: Path, settings: Any) -> None:
        """Raises RunError, before the data is read, if it is not what the notes in `folder` say."""

    def changed(self, folder: Path, settings: Any, parts: Parts) -> list[str]:
        """Names of the files with other contents than the notes in `folder` say."""
        return []
