"""A run: the folder that holds one training, from its configuration to its plots.

config.json  metrics.jsonl  checkpoint.safetensors  best.safetensors  learning_curves.png  and what the task
adds, such as pictures or a list of files
"""

from __future__ import annotations

import json
import os
import secrets
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import backend, checkpoint
from ..nn import Module
from . import origin
from .config import NAME as CONFIG
from .config import Config, read_config
from .folder import Claim, clear, new_folder
from .loop import Trainer
from .options import RunError
from .task import Outcome, Parts, Task

CHECKPOINT, BEST, METRICS = "checkpoint.safetensors", "best.safetensors", "metrics.jsonl"


class Run:
    """A training and the folder it lives in. Make one with `Run.start` or `Run.resume`."""

    def __init__(self, config: Config, claim: Claim, parts: Parts, contents: dict[str, Any]) -> None:
        self.config, self.claim, self.folder = config, claim, claim.folder
        self.task, self.settings, self.facts = config.task, config.settings, config.facts
        self.parts, self.contents = parts, contents  # see `origin.contents_of`
        task, settings = self.task, self.settings
        backend.manual_seed(settings.seed)
        self.model = task.build(settings, self.facts)
        optimizer = settings.make_optimizer(self.model)
        train = task.batches(settings, self.facts, parts.train, training=True)
        validation = parts.validation
        if validation is not None:
            validation = task.batches(settings, self.facts, validation, training=False)
        schedule = settings.make_schedule(optimizer, len(train))
        self.trainer = Trainer(
            task, self.model, optimizer, train, validation,
            schedule=schedule, max_norm=settings.clip_norm, patience=settings.patience,
        )  # fmt: skip

    @classmethod
    def start(
        cls, task: Task, settings: Any, folder: str | os.PathLike[str] | None = None, **how: Any
    ) -> Run:
        """A new run in the new or empty `folder` (None: runs/MODEL-DATE-TIME); `how` goes to `task.load`.

        Nothing is left of it if it cannot start, and its first batches are tried before it does.
        """
        for name in ("data", "validation"):  # the run is to be read from anywhere
            value = getattr(settings, name)
            if isinstance(value, str) and value not in task.datasets and os.path.exists(value):
                settings = replace(settings, **{name: os.path.abspath(value)})
        default = Path("runs", f"{settings.model}-{time.strftime('%Y%m%d-%H%M%S')}")
        path = default if folder is None else Path(folder)
        with new_folder(path, numbered=folder is None) as claim:
            return cls._begin(task, settings, claim, how)

    @classmethod
    def _begin(cls, task: Task, settings: Any, claim: Claim, how: dict[str, Any]) -> Run:
        """The folder's first files. The configuration comes first: from there on `resume` can begin again.
        The checkpoint comes last: where it is, the others are."""
        parts = task.load(settings, **how)
        config = Config(task, settings, parts.facts, backend.threads())
        contents = origin.contents_of(parts)
        cls(config, claim, parts, contents).trainer.rehearse()
        run = cls(config, claim, parts, contents)  # another: the first has learned, and drawn numbers
        notes = task.notes(settings, parts)
        new = [name for name in (CHECKPOINT, *notes, CONFIG) if not (run.folder / name).exists()]
        try:
            run.write_config()
            for name, text in notes.items():
                _write(run.folder / name, text)
            run.save(run.trainer)
        except BaseException:
            for name in new:  # backwards, for a kill may come here as well
                (run.folder / name).unlink(missing_ok=True)
            raise
        return run

    @classmethod
    def resume(
        cls, task: Task, folder: str | os.PathLike[str], epochs: int | None = None,
        patience: int | None = None, **how: Any,
    ) -> Run:  # fmt: skip
        """Go on with the run in `folder`, to `epochs` in all and with `patience` instead of what was said."""
        folder = Path(folder)
        config = read_config(task, folder)
        changes = {"epochs": epochs, "patience": patience}
        changes = {name: value for name, value in changes.items() if value is not None}
        config = replace(config, settings=replace(config.settings, **changes))
        claim = Claim(folder)
        with claim.kept():
            clear(folder)
            if not any((folder / name).exists() for name in (CHECKPOINT, BEST, METRICS)):
                # A kill came before the first checkpoint, so nothing was learned.
                return cls._begin(task, config.settings, claim, how)
            state = checkpoint.load(folder / CHECKPOINT)
            origin.check_config(folder, config, state)
            parts, contents = load_same_parts(folder, config, state, "put it back, or train anew", **how)
            origin.check_threads(folder, state)
            run = cls(config, claim, parts, contents)
            run.restore(state)
            if changes:
                run.write_config()
        return run

    def restore(self, state: dict[str, Any]) -> None:
        """Put the training where the checkpoint `state` stands, and metrics.jsonl too."""
        try:
            self.trainer.load_state_dict(state)
        except (LookupError, ValueError, TypeError, AttributeError, OverflowError) as error:
            raise RunError(f"{self.folder}: the checkpoint does not fit config.json ({error})") from error
        done, epochs = len(self.trainer.history), self.settings.epochs
        if done > epochs:
            raise RunError(f"{self.folder} already has {done} epochs, more than {epochs}")
        self.write_metrics()

    def fit(self, **options: Any) -> list[dict[str, Any]]:
        """Train to the end; see `Trainer.fit`. Afterwards the folder is free for another training."""
        self.claim.take()
        try:
            said = {"between": lambda: self.task.between(self)}
            return self.trainer.fit(self.settings.epochs, save=self.save, **said, **options)
        finally:
            self.claim.release()

    def save(self, trainer: Trainer) -> None:
        """The best weights, the checkpoint, the metrics: a kill between two of them loses nothing.

        From the checkpoint before, the epoch is trained again, bit for bit, and so are the best weights
        written again; metrics.jsonl follows from the checkpoint.
        """
        state = trainer.state_dict()
        began = origin.remember(self.config, self.contents)
        state["resume"] |= began
        ended = trainer.batch == 0 and len(trainer.history)  # the epoch, if one has just ended
        if ended and trainer.best() == ended:
            best = {key: value for key, value in state.items() if key != "resume"}
            checkpoint.save({**best, "resume": {**began, "epoch": ended}}, self.folder / BEST)
        checkpoint.save(state, self.folder / CHECKPOINT)
        if ended:
            path = self.folder / METRICS
            with checkpoint.named(path), path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(trainer.history[-1]) + "\n")

    def write_config(self) -> None:
        _write(self.folder / CONFIG, json.dumps(self.config.as_json(), indent=2) + "\n")

    def write_metrics(self) -> None:
        """metrics.jsonl as the checkpoint has it: a kill may have left a line too many or too few."""
        lines = [json.dumps(line) + "\n" for line in self.trainer.history]
        _write(self.folder / METRICS, "".join(lines))

    def best_model(self) -> Module:
        """The model with the weights of the best epoch, or as it is where nothing was validated."""
        if self.trainer.best() is None:
            return self.model
        return trained_model(self.folder, self.config, checkpoint.load(self.folder / BEST))

    def test(self) -> Outcome | None:
        """What the best weights make of the test part, which is read here and nowhere else in a training."""
        if self.parts.test is None:
            return None
        model, task = self.best_model(), self.task
        return task.test(self.settings, self.facts, model, self.parts.test, task.Testing())

    def plot(self, outcome: Outcome | None) -> None:
        """Write learning_curves.png, and what the task shows. Raises ImportError without Matplotlib."""
        from .plots import learning_curves

        path = self.folder / "learning_curves.png"
        learning_curves(self.trainer.history, path, self.task.percent)
        self.task.report(self, outcome)


def load_trained(task: Task, folder: Path, name: str | None = None) -> tuple[Config, dict[str, Any]]:
    """The configuration of a run, and the weights in its file `name` (None: the best, else the last).

    Weights lie under their state_dict keys, beside "resume". Raises RunError if the two do not belong
    together.
    """
    config = read_config(task, folder)
    if name is None:
        name = BEST if (folder / BEST).exists() else CHECKPOINT
    state = checkpoint.load(folder / name)
    origin.check_config(folder, config, state)
    return config, state


def trained_model(folder: Path, config: Config, state: dict[str, Any]) -> Module:
    """The model of a run with the weights of `state`; no random number is drawn from the global generator."""
    try:
        with backend.use_rng(np.random.default_rng(0)):
            model = config.task.build(config.settings, config.facts)
        model.load_state_dict({key: value for key, value in state.items() if key != "resume"})
    except (KeyError, ValueError, TypeError) as error:
        raise RunError(f"{folder}: its weights do not fit {CONFIG} ({error.args[0]})") from error
    return model


def load_same_parts(
    folder: Path, config: Config, state: dict[str, Any], advice: str, **how: Any
) -> tuple[Parts, dict[str, Any]]:
    """The data of the run in `folder`, and its contents.

    Raises RunError if it is not what the run began with; `advice` is what to do then.
    """
    task, settings = config.task, config.settings
    task.check_notes(folder, settings)
    parts = task.load(settings, config.facts, **how)
    contents, changed = origin.contents_of(parts), task.changed(folder, settings, parts)
    origin.check_data(folder, settings.data, state, contents, changed, advice)
    return parts, contents


def _write(path: Path, text: str) -> None:
    """Replace a small text file in one step."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with checkpoint.named(path):
        try:
            part.write_text(text, encoding="utf-8", errors="surrogateescape")  # for names of files
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
