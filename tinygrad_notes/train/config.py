"""What decides a training: config.json of a run folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .recipes import RECIPES
from .schedules import SCHEDULES

NAME = "config.json"
OPTIMIZERS = ("sgd", "adam", "adamw")
ON_ERROR = ("raise", "skip")
WHOLE = {  # and their least values
    "epochs": 1, "batch_size": 1, "seed": 0, "shift": 0, "limit": 1, "size": 1, "resize": 1, "threads": 1,
}  # fmt: skip
WORDS = ("model", "data", "optimizer", "schedule", "variant", "on_error")
POSITIVE, NOT_NEGATIVE = ("lr", "clip_norm"), ("momentum", "weight_decay", "lighting")
OPTIONAL = ("limit", "size", "resize", "clip_norm", "variant", "threads")
DATA_FIELDS = ("classes", "mean", "std", "color_values", "color_vectors")


class RunError(ValueError):
    """A configuration or a run folder that cannot be used; the message says why."""


@dataclass(frozen=True)
class Config:
    """All that decides the outcome of a training, besides the code: config.json.

    Images are scaled to the side `resize` and cropped at random to `size`, the network's input
    (None: as the recipe says); `shift` is in pixels, `lighting` the deviation of the principal colors'
    weights. `limit` keeps the first images of both parts, `on_error` tells what a damaged image does.
    `schedule` runs over all epochs. The fields from `classes` on follow from the training data, but for
    `threads` (None on a GPU): how many round the sums, on which the last digits of the weights depend.
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
    threads: int | None = None

    def __post_init__(self) -> None:
        for name in WORDS:
            self._check(name, "a word in quotes", lambda value: isinstance(value, str))
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
            rule = f"a whole number of at least {least}"
            self._check(name, rule, lambda value, least=least: _is_number(value, int) and value >= least)
        for name in POSITIVE:
            self._check(name, "a finite number, positive", lambda value: _is_number(value) and value > 0)
        for name in NOT_NEGATIVE:
            self._check(name, "a finite number, at least 0", lambda value: _is_number(value) and value >= 0)
        self._check("flip", "true or false", lambda value: isinstance(value, bool))
        for name in DATA_FIELDS:
            of_words = name == "classes"
            self._check(
                name,
                f"a list of {'words' if of_words else 'finite numbers'}",
                lambda value, of_words=of_words: (
                    isinstance(value, tuple)
                    and all(isinstance(v, str) if of_words else _is_number(v) for v in value)
                ),
            )

    def _check(self, name: str, rule: str, holds: Callable[[Any], bool]) -> None:
        value = getattr(self, name)
        if not (holds(value) or (value is None and name in OPTIONAL)):
            raise RunError(f"{name} must be {rule}, got {value!r}")


def _is_number(value: Any, kind: Any = int | float) -> bool:
    """A number that float64 can hold; True and False are none."""
    return isinstance(value, kind) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def read_config(folder: Path) -> Config:
    """config.json of a run folder. Raises RunError where there is none or a damaged one."""
    if not folder.is_dir():
        raise RunError(f"{folder} is not a folder")
    path = folder / NAME
    if not path.is_file():
        raise RunError(f"{folder} is not a run folder: it has no config.json")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict) or "model" not in values:
            raise RunError("must be an object in braces that names a model")
        unknown = set(values) - {field.name for field in fields(Config)}
        if unknown:
            raise RunError(f"unknown keys {sorted(unknown)}")
        lists = {name: tuple(values[name]) for name in DATA_FIELDS if isinstance(values.get(name), list)}
        return Config(**(values | lists))
    except ValueError as error:
        raise RunError(f"{path}: {error}") from error
    except RecursionError:
        raise RunError(f"{path}: nested too deeply to be the configuration of a run") from None
