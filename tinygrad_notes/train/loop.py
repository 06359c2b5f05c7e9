"""The training loop: batches → loss → gradients → step, and a state from which it goes on bit for bit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from .. import backend
from ..autograd import no_grad
from ..nn import Module
from ..optim import Optimizer, clip_grad_norm_
from .interrupt import Interrupted
from .progress import Silent
from .repeated import Repeated
from .task import Batches, Carrying, Score, Task, weighed

READ_EVERY = 16  # batches between two looks at the losses: each look waits for the device


class Diverged(FloatingPointError):
    """The loss or a weight is NaN or infinite; the message says where."""


@dataclass
class Sums:
    """Running sums over the batches of the epoch under way: of loss · weight, of weights, of a task's own."""

    loss: float = 0.0
    weight: int = 0
    others: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, loss: float, weight: int, others: Mapping[str, float]) -> None:
        self.loss += loss * weight
        self.weight += weight
        for name, value in others.items():
            self.others[name] = self.others.get(name, 0) + value

    def figures(self, task: Task, part: str) -> dict[str, float]:
        """The part's figures as they stand in a line of metrics: {"train_loss": ...}."""
        found = task.figures(self.loss / self.weight, self.weight, self.others)
        return {f"{part}_{name}": value for name, value in found.items()}


class Trainer:
    """Minimizes the loss that `task` gives `model` on the batches of `train`.

    `schedule` (anything of `optim.lr_scheduler`) steps after every batch; `max_norm` limits the global norm
    of the gradients; after `patience` epochs without a better one on `validation`, it ends. `history` has one
    dict per finished epoch: epoch, train_FIGURE and validation_FIGURE for each of the task's figures, lr,
    seconds.
    """

    def __init__(
        self, task: Task, model: Module, optimizer: Optimizer, train: Batches,
        validation: Batches | None = None, *, schedule: Any = None, max_norm: float | None = None,
        patience: int | None = None,
    ) -> None:  # fmt: skip
        self.task, self.model, self.optimizer = task, model, optimizer
        self.train, self.validation = train, validation
        self.schedule, self.max_norm, self.patience = schedule, max_norm, patience
        self.history: list[dict[str, Any]] = []
        self.batch = 0  # batches done in the epoch under way
        self.sums = Sums()
        self._unread: list[tuple[Score, int, float]] = []  # of each of the latest batches: weight, lr
        self._repeated = Repeated(self._learn)

    # ---- the state -----------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The weights under their own names, and under "resume" all that the next batch depends on."""
        self._read()
        weights = self.model.state_dict()
        for name, array in weights.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise Diverged(f"{self._place()}: {name} is not finite any more{ADVICE}")
        return {
            **weights,
            "resume": {
                "optimizer": self.optimizer.state_dict(),
                "schedule": None if self.schedule is None else self.schedule.state_dict(),
                "loader": self.train.state_dict(),
                "rng": backend.rng_state(),
                "batch": self.batch,
                "sums": asdict(self.sums),
                "history": self.history,
            },
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned, with the same model, optimizer, schedule and data."""
        resume = state["resume"]
        self.model.load_state_dict({key: value for key, value in state.items() if key != "resume"})
        self.optimizer.load_state_dict(resume["optimizer"])
        if self.schedule is not None:
            self.schedule.load_state_dict(resume["schedule"])
        self.train.load_state_dict(resume["loader"])
        backend.set_rng_state(resume["rng"])
        self.batch, self.sums = resume["batch"], Sums(**resume["sums"])
        self.history = list(resume["history"])

    def rehearse(self) -> None:
        """The loss of the first batch of each part: raises what is wrong with the data, the options or the
        network. Batches are drawn, and running statistics move, so it is not for the trainer that trains."""
        with no_grad():
            self.task.score(self.model.train(), weighed(next(iter(self.train)))[0], training=True)
            if self.validation is not None:
                batch, _ = weighed(next(iter(self.validation)))
                self.task.score(self.model.eval(), batch, training=False)

    # ---- the loop ------------------------------------------------------------------------------

    def fit(
        self, epochs: int, *, progress: Silent | None = None,
        save: Callable[[Trainer], None] = lambda trainer: None,
        should_stop: Callable[[], bool] = lambda: False, between: Callable[[], Sequence[str]] = lambda: (),
    ) -> list[dict[str, Any]]:  # fmt: skip
        """Train until `epochs` epochs are done in all; after each `save(self)`, and what `between()` says.

        Raises:
            Diverged: the loss or a weight is NaN or infinite; nothing was saved since it was sound.
            Interrupted: `should_stop()` became true; the state after the last batch was saved.
        """
        progress = Silent() if progress is None else progress
        while len(self.history) < epochs and not self.out_of_patience():
            progress.begin(len(self.history) + 1, epochs, len(self.train), self.batch)
            # The losses are looked at here, so NumPy need not warn of what made them infinite.
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                try:
                    line = self._epoch(progress, should_stop)
                except Interrupted:
                    save(self)
                    raise
            self.history.append(line)
            self.batch, self.sums = 0, Sums()
            save(self)
            progress.end(line)
            for text in between():
                progress.message(text)
        return self.history

    def best(self) -> int | None:
        """The epoch (from 1) that the validation judges best, of equal ones the first; None without it."""
        name, choose = self.task.judge
        values = [line.get(f"validation_{name}") for line in self.history]
        return None if not values or None in values else 1 + values.index(choose(values))

    def out_of_patience(self) -> bool:
        best = self.best()
        return self.patience is not None and best is not None and len(self.history) - best >= self.patience

    def _epoch(self, progress: Silent, should_stop: Callable[[], bool]) -> dict[str, Any]:
        """The rest of the epoch under way. Whatever ends it, the next call goes on behind the last step."""
        self.model.train()
        start, first, position = time.perf_counter(), self.batch, self.train.state_dict()
        try:
            for batch in self.train:  # the rest of the epoch: nothing if it was cut at its end
                if self.batch == first:  # once: a state that is carried would be waited for
                    position = self.train.state_dict()
                weight = self._step(batch)
                if len(self._unread) >= READ_EVERY or self.batch == len(self.train):
                    self._read()
                read = self.sums.weight
                progress.update(self.batch, weight, self.sums.loss / read if read else None)
                if should_stop():
                    raise Interrupted
            line = self._measured(should_stop)
        except BaseException as error:  # Ctrl-C in a notebook, a full memory, ...
            # The loader counts what it has handed out, which may be a batch more than what was learned from.
            self.train.load_state_dict(position | {"next_batch": self.batch})
            self.sums.seconds += time.perf_counter() - start
            if isinstance(error, Interrupted):
                self._read()
                raise Interrupted(self._place()) from None
            raise
        seconds = self.sums.seconds + time.perf_counter() - start
        return line | {"lr": self.optimizer.param_groups[0]["lr"], "seconds": round(seconds, 3)}

    def _measured(self, should_stop: Callable[[], bool]) -> dict[str, Any]:
        """The line of metrics of an epoch whose batches are done."""
        self._read()
        line = {"epoch": len(self.history) + 1, **self.sums.figures(self.task, "train")}
        if self.validation is None:
            return line
        found = evaluate(self.task, self.model, self.validation, should_stop)
        loss = found.figures["loss"]
        if not math.isfinite(loss):
            raise Diverged(f"{self._place()}: the validation loss is {loss}{ADVICE}")
        return line | {f"validation_{name}": value for name, value in found.figures.items()}

    def _step(self, batch: Any) -> int:
        """One batch; its loss stays on the device. Returns its weight."""
        lr = self.optimizer.param_groups[0]["lr"]
        told, weight = weighed(batch)
        score = self._repeated(told)  # what fails in it is done again by the next fit
        if self.schedule is not None:
            self.schedule.step()
        if isinstance(self.train, Carrying):
            self.train.keep(score.carried)
        self._unread.append((score._replace(carried=()), weight, lr))
        self.batch += 1
        return weight

    def _learn(self, batch: tuple[Any, ...]) -> Score:
        """The weights' step of one batch, and its score."""
        score = self.task.score(self.model, batch, training=True)
        self.optimizer.zero_grad()
        score.loss.backward()
        if self.max_norm is not None:
            clip_grad_norm_(self.model.parameters(), self.max_norm)
        self.optimizer.step()
        return score._replace(loss=score.loss.detach(), each={})

    def _read(self) -> None:
        """Fetch the losses of the latest batches in one go; add them up in the order of the batches."""
        unread, sums = self._unread, replace(self.sums, others=dict(self.sums.others))
        if not unread:
            return
        fetched = _fetch([score for score, *_ in unread])
        for i, ((loss, *others), (score, weight, lr)) in enumerate(zip(fetched, unread, strict=True)):
            if not math.isfinite(loss):
                place = self._place(self.batch - len(unread) + i + 1)
                raise Diverged(f"{place}: the loss is {loss} at lr {lr:.4g}{ADVICE}")
            sums.add(loss, weight, dict(zip(score.sums, others, strict=True)))
        self.sums, self._unread = sums, []  # at the end: nothing is lost if the device is waited for in vain

    def _place(self, batch: int | None = None) -> str:
        return f"epoch {len(self.history) + 1}, batch {self.batch if batch is None else batch}"


ADVICE = (
    "; lower the learning rate (--lr) or limit the gradients (--clip-norm), "
    "and let --detect-anomaly name the operation it comes from"
)


class Evaluated(NamedTuple):
    """Of a part of the data: the task's figures, and `each`, what its scores say of every sample."""

    figures: dict[str, float]
    each: dict[str, np.ndarray]


def evaluate(
    task: Task, model: Module, batches: Batches, should_stop: Callable[[], bool] = lambda: False,
    each: bool = False,
) -> Evaluated:  # fmt: skip
    """The figures of `model` on `batches` in evaluation mode, and with `each` what is known of every sample.

    The mode is put back afterwards; nothing is recorded. Raises Interrupted if `should_stop()` is true before
    a batch.
    """
    mode = model.training
    model.eval()
    scores, weights, rows = list[Score](), list[int](), list[Mapping[str, Any]]()
    try:
        with no_grad():
            for batch in batches:
                if should_stop():
                    raise Interrupted("evaluation")
                told, weight = weighed(batch)
                score = task.score(model, told, training=False)
                if isinstance(batches, Carrying):
                    batches.keep(score.carried)
                scores.append(Score(score.loss, score.sums))
                weights.append(weight)
                if each:
                    rows.append(score.each)
            sums = Sums()
            for (loss, *others), score, weight in zip(_fetch(scores), scores, weights, strict=True):
                sums.add(loss, weight, dict(zip(score.sums, others, strict=True)))
    finally:
        model.train(mode)
    gathered = {name: np.concatenate([row[name].numpy() for row in rows]) for name in rows[0]} if rows else {}
    return Evaluated(task.figures(sums.loss / sums.weight, sums.weight, sums.others), gathered)


def _fetch(scores: Sequence[Score]) -> list[list[float]]:
    """[loss, sums...] of each score, all by one copy from the device."""
    scalars = [t._data for score in scores for t in (score.loss, *score.sums.values())]
    numbers, found, end = backend.to_numpy(backend.xp.stack(scalars)).tolist(), [], 0
    for score in scores:
        start, end = end, end + 1 + len(score.sums)
        found.append(numbers[start:end])
    return found
