"""What decides a training: config.json of a run folder."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from pathlib import Path

from .recipes import RECIPES
from .schedules import SCHEDULES

NAME = "config.json"
OPTIMIZERS = ("sgd", "adam", "adamw")
ON_ERROR = ("raise", "skip")
WHOLE = {"epochs": 1, "batch_size": 1, "seed": 0, "shift": 0, "limit": 1, "size": 1, "resize": 1}  # least
OPTIONAL = ("limit", "size", "resize", "clip_norm")
DATA_FIELDS = ("classes", "mean", "std", "color_values", "color_vectors")


class RunError(ValueError):
    """A configuration or a run folder that cannot be used; the message says why."""


@dataclass(frozen=True)
class Config:
    """All that decides the outcome of a training, besides the code: config.json.

    Images are scaled to the side `resize` and cropped at random to `size`, the network's input
    (None: as the recipe says); `shift` is in pixels, `lighting` the deviation of the principal colors'
    weights. `limit` keeps the first images of both parts, `on_error` tells what a damaged image does.
    `schedule` runs over all epochs. The last five fields follow from the training data.
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
    variant: str | None = None
    size: int | None = None
    resize: int | None = None
    flip: bool = False
    lighting: float = 0.0
    on_error: str = "raise"
    classes: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    color_values: tuple[float, ...] = ()
    color_vectors: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        known = {"model": RECIPES, "optimizer": OPTIMIZERS, "schedule": SCHEDULES, "on_error": ON_ERROR}
        for name, allowed in known.items():
            value = getattr(self, name)
            if value not in allowed:
                raise RunError(f"unknown {name} {value!r}; choose from {', '.join(allowed)}")
        variants = RECIPES[self.model].variants
        if self.variant is not None and self.variant not in variants:
            raise RunError(
                f"unknown variant {self.variant!r} of {self.model}; choose from {', '.join(variants)}"
            )
        for name, least in WHOLE.items():
            value = getattr(self, name)
            if name in OPTIONAL and value is None:
                continue
            if not isinstance(value, int) or value < least:
                raise RunError(f"{name} must be a whole number of at least {least}, got {value!r}")
        for name in ("lr", "momentum", "weight_decay", "clip_norm", "lighting"):
            value = getattr(self, name)
            if name in OPTIONAL and value is None:
                continue
            positive = name in ("lr", "clip_norm")
            if not (math.isfinite(value) and (value > 0 if positive else value >= 0)):
                rule = "positive" if positive else "at least 0"
                raise RunError(f"{name} must be a finite number, {rule}, got {value}")


def read_config(folder: Path) -> Config:
    """config.json of a run folder. Raises RunError where there is none or a damaged one."""
    if not folder.is_dir():
        raise RunError(f"{folder} is not a folder")
    path = folder / NAME
    if not path.is_file():
        raise RunError(f"{folder} is not a run folder: it has no config.json")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        unknown = set(values) - {field.name for field in fields(Config)}
        if unknown:
            raise RunError(f"unknown keys {sorted(unknown)}")
        values |= {name: tuple(values.get(name, ())) for name in DATA_FIELDS}
        return Config(**values)
    except (ValueError, TypeError, AttributeError) as error:
        raise RunError(f"{path}: {error}") from error
