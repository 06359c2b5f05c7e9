"""The training loop: batches → loss → gradients → step, and a state from which it goes on bit for bit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from .. import backend
from ..autograd import Tensor, no_grad
from ..data import DataLoader
from ..nn import Module
from ..ops.activation import log_softmax
from ..ops.loss import cross_entropy, nll_loss
from ..ops.reduction import logsumexp
from ..optim import Optimizer, clip_grad_norm_
from .interrupt import Interrupted
from .metrics import accuracy
from .progress import Silent

READ_EVERY = 16  # batches between two looks at the losses: each look waits for the device


class Diverged(FloatingPointError):
    """The loss or a weight is NaN or infinite; the message says where."""


@dataclass
class Sums:
    """Running sums over the batches of the epoch under way."""

    loss: float = 0.0
    correct: int = 0
    samples: int = 0
    seconds: float = 0.0


class Trainer:
    """Minimizes the loss of `model` on the batches of `train`: `model.loss(output, labels)` where a network
    has its own, as GoogLeNet with its auxiliary classifiers, else the cross-entropy.

    `schedule` (anything of `optim.lr_scheduler`) steps after every batch; `max_norm` limits the
    global norm of the gradients. `history` has one dict per finished epoch: epoch, train_loss,
    train_accuracy, validation_loss, validation_accuracy, lr, seconds.
    """

    def __init__(
        self, model: Module, optimizer: Optimizer, train: DataLoader, validation: DataLoader | None = None,
        *, schedule: Any = None, max_norm: float | None = None,
    ) -> None:  # fmt: skip
        self.model, self.optimizer, self.schedule, self.max_norm = model, optimizer, schedule, max_norm
        self.train, self.validation = train, validation
        self.history: list[dict[str, Any]] = []
        self.batch = 0  # batches done in the epoch under way
        self.sums = Sums()
        self._unread: list[tuple[Tensor, Tensor, int, float]] = []  # loss, correct, samples, lr of a batch

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

    # ---- the loop ------------------------------------------------------------------------------

    def fit(
        self, epochs: int, *, progress: Silent | None = None,
        save: Callable[[Trainer], None] = lambda trainer: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """Train until `epochs` epochs are done in all; `save(self)` after each of them.

        Raises:
            Diverged: the loss or a weight is NaN or infinite; nothing was saved since it was sound.
            Interrupted: `should_stop()` became true; the state after the last batch was saved.
        """
        progress = Silent() if progress is None else progress
        while len(self.history) < epochs:
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
        return self.history

    def _epoch(self, progress: Silent, should_stop: Callable[[], bool]) -> dict[str, Any]:
        """The rest of the epoch under way. Whatever ends it, the next call goes on behind the last step."""
        self.model.train()
        start, position = time.perf_counter(), self.train.state_dict()
        try:
            for images, labels in self.train:  # the rest of the epoch: nothing if it was cut at its end
                position = self.train.state_dict()
                self._step(images, labels)
                if len(self._unread) >= READ_EVERY or self.batch == len(self.train):
                    self._read()
                read = self.sums.samples
                progress.update(self.batch, len(images), self.sums.loss / read if read else None)
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
        line = {
            "epoch": len(self.history) + 1,
            "train_loss": self.sums.loss / self.sums.samples,
            "train_accuracy": self.sums.correct / self.sums.samples,
        }
        if self.validation is None:
            return line
        loss, predicted, labels = evaluate(self.model, self.validation, should_stop)
        if not math.isfinite(loss):
            raise Diverged(f"{self._place()}: the validation loss is {loss}{ADVICE}")
        return line | {"validation_loss": loss, "validation_accuracy": accuracy(predicted, labels)}

    def _step(self, images: Any, labels: Any) -> None:
        """One batch. Its loss stays on the device."""
        lr = self.optimizer.param_groups[0]["lr"]
        output = self.model(images)
        loss = criterion(self.model)(output, labels)
        logits = output[0] if isinstance(output, tuple) else output  # the others are auxiliary
        correct = (logits.detach().argmax(axis=1) == labels).sum()
        self.optimizer.zero_grad()
        loss.backward()
        if self.max_norm is not None:
            clip_grad_norm_(self.model.parameters(), self.max_norm)
        self.optimizer.step()  # what fails before this is done again by the next fit
        if self.schedule is not None:
            self.schedule.step()
        self._unread.append((loss.detach(), correct, len(images), lr))
        self.batch += 1

    def _read(self) -> None:
        """Fetch the losses of the latest batches in one go; add them up in the order of the batches."""
        unread, sums = self._unread, replace(self.sums)
        if not unread:
            return
        losses = _fetch([loss for loss, *_ in unread])
        hits = _fetch([correct for _, correct, *_ in unread])
        for i, (loss, correct, (*_, samples, lr)) in enumerate(zip(losses, hits, unread, strict=True)):
            if not math.isfinite(loss):
                place = self._place(self.batch - len(unread) + i + 1)
                raise Diverged(f"{place}: the loss is {loss} at lr {lr:.4g}{ADVICE}")
            sums.loss += loss * samples
            sums.correct += int(correct)
            sums.samples += samples
        self.sums, self._unread = sums, []  # at the end: nothing is lost if the device is waited for in vain

    def _place(self, batch: int | None = None) -> str:
        return f"epoch {len(self.history) + 1}, batch {self.batch if batch is None else batch}"


ADVICE = (
    "; lower the learning rate (--lr) or limit the gradients (--clip-norm), "
    "and let --detect-anomaly name the operation it comes from"
)


def criterion(model: Module) -> Callable[[Any, Any], Tensor]:
    """The loss that `model` is trained with: mean over the batch of (output, labels)."""
    return getattr(model, "loss", cross_entropy)


def evaluate(
    model: Module, loader: DataLoader, should_stop: Callable[[], bool] = lambda: False
) -> tuple[float, np.ndarray, np.ndarray]:
    """(mean loss, predicted classes (N,), labels (N,)) of `model` in evaluation mode.

    A loader that gives several views of each image, one behind the other (`data.TenCrop`), has their
    softmax averaged. The mode is put back afterwards; nothing is recorded. Raises Interrupted if
    `should_stop()` is true before a batch.
    """
    mode = model.training
    model.eval()
    losses, predicted, labels = [], [], []
    try:
        with no_grad():
            for images, wanted in loader:
                if should_stop():
                    raise Interrupted("evaluation")
                scores, loss = model(images), criterion(model)
                if len(images) != len(wanted):
                    scores, loss = _mean_of_views(scores, len(wanted)), nll_loss
                losses.append(loss(scores, wanted) * len(wanted))
                predicted.append(scores.argmax(axis=1))
                labels.append(wanted)
            total = sum(_fetch(losses))
    finally:
        model.train(mode)
    classes = [np.concatenate([t.numpy() for t in part]) for part in (predicted, labels)]
    return total / len(classes[0]), classes[0], classes[1]


def _mean_of_views(logits: Tensor, images: int) -> Tensor:
    """log of the mean softmax over the views of each image: (images · views, C) → (images, C)."""
    views = len(logits) // images
    apart = log_softmax(logits, axis=1).reshape(images, views, -1)
    return logsumexp(apart, axis=1) - math.log(views)


def _fetch(scalars: list[Tensor]) -> list[Any]:
    """Their values, by one copy from the device."""
    return backend.to_numpy(backend.xp.stack([t.data for t in scalars])).tolist()  # type: ignore[no-any-return]
