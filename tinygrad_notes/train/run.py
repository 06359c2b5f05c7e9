"""A run: the folder that holds one training, from its configuration to its plots.

config.json  metrics.jsonl  checkpoint.safetensors  learning_curves.png  confusion_matrix.png
"""

from __future__ import annotations

import json
import math
import os
import secrets
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import backend, optim
from ..data import (
    ArrayDataset,
    CenterCrop,
    Compose,
    DataLoader,
    Normalize,
    Pad,
    RandomShift,
    load,
    normalization,
)  # fmt: skip
from ..nn import Module
from . import checkpoint
from .loop import Trainer, evaluate
from .metrics import confusion_matrix
from .recipes import RECIPES

OPTIMIZERS = {"sgd": optim.SGD, "adam": optim.Adam, "adamw": optim.AdamW}
SCHEDULES = ("cosine", "step", "constant")
EVALUATION_BATCH = 500


class RunError(ValueError):
    """A configuration or a run folder that cannot be used; the message says why."""


@dataclass(frozen=True)
class Config:
    """All that decides the outcome of a training, besides the code: config.json.

    `limit` keeps the first images of both parts; `shift` (pixels) and `mean`, `std` describe the
    transforms; `schedule` runs over all batches of all epochs.
    """

    model: str
    data: str = "digits"
    epochs: int = 10
    batch_size: int = 128
    optimizer: str = "adam"
    lr: float = 1e-3
    momentum: float = 0.9  # of sgd
    weight_decay: float = 0.0
    schedule: str = "cosine"
    clip_norm: float | None = None
    shift: int = 0
    seed: int = 0
    limit: int | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        known = {"model": RECIPES, "optimizer": OPTIMIZERS, "schedule": SCHEDULES}
        for name, allowed in known.items():
            value = getattr(self, name)
            if value not in allowed:
                raise RunError(f"unknown {name} {value!r}; choose from {', '.join(allowed)}")
        for name, least in (("epochs", 1), ("batch_size", 1), ("limit", 1), ("seed", 0), ("shift", 0)):
            value = getattr(self, name)
            if name == "limit" and value is None:
                continue
            if not isinstance(value, int) or value < least:
                raise RunError(f"{name} must be a whole number of at least {least}, got {value!r}")
        for name in ("lr", "momentum", "weight_decay", "clip_norm"):
            value = getattr(self, name)
            if name == "clip_norm" and value is None:
                continue
            positive = name in ("lr", "clip_norm")
            if not (math.isfinite(value) and (value > 0 if positive else value >= 0)):
                rule = "positive" if positive else "at least 0"
                raise RunError(f"{name} must be a finite number, {rule}, got {value}")


class Run:
    """A training and the folder it lives in. Make one with `Run.start` or `Run.resume`."""

    def __init__(self, config: Config, folder: Path, parts: tuple[ArrayDataset, ArrayDataset]) -> None:
        self.config, self.folder = config, folder
        self.train_set, self.test_set = parts
        shape, classes = self.train_set.images.shape[1:], len(self.train_set.classes)
        backend.manual_seed(config.seed)
        self.model = build_model(config.model, shape, classes)
        options: dict[str, Any] = {"momentum": config.momentum} if config.optimizer == "sgd" else {}
        optimizer = OPTIMIZERS[config.optimizer](
            self.model.parameters(), lr=config.lr, weight_decay=config.weight_decay, **options
        )
        transform = transforms(config, shape)
        train = DataLoader(self.train_set, config.batch_size, shuffle=True, transform=transform)
        schedule = _schedule(config, optimizer, config.epochs * len(train))
        self.trainer = Trainer(
            self.model, optimizer, train, evaluation_loader(config, self.test_set),
            schedule=schedule, max_norm=config.clip_norm,
        )  # fmt: skip

    @classmethod
    def start(cls, config: Config, folder: str | os.PathLike[str], **how: Any) -> Run:
        """A new run in the new or empty `folder`; `how` goes to `data.load`."""
        folder = Path(folder)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RunError(f"{folder} is not empty; go on with --resume {folder} or choose another --out")
        parts = load_parts(config, **how)
        mean, std = normalization(parts[0])
        std = np.where(std > 0, std, 1.0)
        config = replace(config, mean=tuple(mean.tolist()), std=tuple(std.tolist()))
        run = cls(config, folder, parts)
        folder.mkdir(parents=True, exist_ok=True)
        run.save(run.trainer)
        _write(folder / "config.json", json.dumps(asdict(config), indent=2) + "\n")
        return run

    @classmethod
    def resume(cls, folder: str | os.PathLike[str], epochs: int | None = None, **how: Any) -> Run:
        """Go on with the run in `folder`, to `epochs` in all instead of the planned number."""
        folder = Path(folder)
        config = read_config(folder)
        if epochs is not None:
            config = replace(config, epochs=epochs)
        state = checkpoint.load(folder / "checkpoint.safetensors")
        run = cls(config, folder, load_parts(config, **how))
        try:
            run.trainer.load_state_dict(state)
        except (KeyError, ValueError, TypeError) as error:
            raise RunError(f"{folder}: the checkpoint does not fit config.json ({error})") from error
        done = len(run.trainer.history)
        if done > config.epochs:
            raise RunError(f"{folder} already has {done} epochs, more than {config.epochs}")
        run.write_metrics()
        if epochs is not None:
            _write(folder / "config.json", json.dumps(asdict(config), indent=2) + "\n")
        for part in folder.glob(".*.part"):  # what a kill left behind
            part.unlink()
        return run

    def fit(self, **options: Any) -> list[dict[str, Any]]:
        """Train to the end; see `Trainer.fit`."""
        return self.trainer.fit(self.config.epochs, save=self.save, **options)

    def save(self, trainer: Trainer) -> None:
        """The checkpoint first: metrics.jsonl follows from it."""
        checkpoint.save(trainer.state_dict(), self.folder / "checkpoint.safetensors")
        if trainer.history and trainer.batch == 0:
            with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(trainer.history[-1]) + "\n")

    def write_metrics(self) -> None:
        """metrics.jsonl as the checkpoint has it: a kill may have left a line too many or too few."""
        lines = [json.dumps(line) + "\n" for line in self.trainer.history]
        _write(self.folder / "metrics.jsonl", "".join(lines))

    def plot(self) -> None:
        """Write learning_curves.png and confusion_matrix.png. Raises ImportError without Matplotlib."""
        from . import plots

        plots.learning_curves(self.trainer.history, self.folder / "learning_curves.png")
        assert self.trainer.validation is not None
        _, predicted, labels = evaluate(self.model, self.trainer.validation)
        counts = confusion_matrix(predicted, labels, len(self.test_set.classes))
        plots.confusion_plot(counts, self.test_set.classes, self.folder / "confusion_matrix.png")


def read_config(folder: Path) -> Config:
    """config.json of a run folder. Raises RunError where there is none or a damaged one."""
    if not folder.is_dir():
        raise RunError(f"{folder} is not a folder")
    path = folder / "config.json"
    if not path.is_file():
        raise RunError(f"{folder} is not a run folder: it has no config.json")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        unknown = set(values) - {field.name for field in fields(Config)}
        if unknown:
            raise RunError(f"unknown keys {sorted(unknown)}")
        values |= {name: tuple(values.get(name, ())) for name in ("mean", "std")}
        return Config(**values)
    except (ValueError, TypeError, AttributeError) as error:
        raise RunError(f"{path}: {error}") from error


def load_trained(folder: Path) -> tuple[Config, dict[str, Any]]:
    """The configuration of a run and its weights, under their state_dict keys."""
    config = read_config(folder)
    state = checkpoint.load(folder / "checkpoint.safetensors")
    return config, {key: value for key, value in state.items() if key != "resume"}


def load_parts(config: Config, **how: Any) -> tuple[ArrayDataset, ArrayDataset]:
    """(train, test) of the configuration, both cut to `limit`."""
    train, test = load(config.data, **how)
    if config.limit is None:
        return train, test
    return train.subset(slice(config.limit)), test.subset(slice(config.limit))


def build_model(name: str, shape: tuple[int, ...], classes: int) -> Module:
    """The network `name` for images of `shape` (C, H, W)."""
    recipe = RECIPES[name]
    return recipe.build((shape[0], *(recipe.size or shape[1:])), classes)


def transforms(config: Config, shape: tuple[int, ...]) -> Compose:
    """Shift, fit to the network's size, normalize."""
    steps: list[Any] = [RandomShift(config.shift)] if config.shift else []
    size = RECIPES[config.model].size
    if size is not None and size != tuple(shape[1:]):
        border = [max(0, -(-(want - have) // 2)) for want, have in zip(size, shape[1:], strict=True)]
        steps += [Pad((border[0], border[1])), CenterCrop(size)]
    return Compose([*steps, Normalize(config.mean, config.std)])


def evaluation_loader(config: Config, dataset: ArrayDataset) -> DataLoader:
    """`dataset` in order, in large batches, without augmentation."""
    transform = transforms(config, dataset.images.shape[1:]).deterministic()
    return DataLoader(dataset, EVALUATION_BATCH, transform=transform)


def _schedule(config: Config, optimizer: optim.Optimizer, steps: int) -> Any:
    if config.schedule == "cosine":
        return optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    if config.schedule == "step":  # a tenth after each third
        return optim.lr_scheduler.StepLR(optimizer, max(1, math.ceil(steps / 3)))
    return None


def _write(path: Path, text: str) -> None:
    """Replace a small text file in one step."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
