"""What decides a training: config.json of a run folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .options import RunError, options_of
from .task import Task

NAME = "config.json"
KEYS = {"task", "model", "options", "facts", "threads"}


@dataclass(frozen=True)
class Config:
    """A task and its `settings`; the `facts` that followed from the training data; and how many `threads`
    round the sums, on which the last digits of the weights depend (None: a GPU)."""

    task: Task
    settings: Any
    facts: dict[str, Any]
    threads: int | None = None

    def as_json(self) -> dict[str, Any]:
        options = asdict(self.settings)
        model = options.pop("model")
        return {"task": self.task.name, "model": model, "options": options, "facts": self.facts,
                "threads": self.threads}  # fmt: skip


def read_task(folder: Path) -> str:
    """The name of the task of a run folder. Raises RunError where there is none or a damaged one."""
    return str(_read(folder)["task"])


def read_config(task: Task, folder: Path) -> Config:
    """config.json of a run folder of `task`. Raises RunError where there is none or a damaged one."""
    found, path = _read(folder), folder / NAME
    if found["task"] != task.name:
        raise RunError(f"{path}: a run of the task {found['task']!r}, not of {task.name!r}")
    unknown = set(found["options"]) - set(options_of(task.Settings))
    if unknown:
        raise RunError(f"{path}: unknown options {sorted(unknown)}")
    try:
        settings = task.Settings(found["model"], **found["options"])
    except RunError as error:
        raise RunError(f"{path}: {error}") from error
    return Config(task, settings, found["facts"], found["threads"])


def _read(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise RunError(f"{folder} is not a folder")
    path = folder / NAME
    if not path.is_file():
        raise RunError(f"{folder} is not a run folder: it has no {NAME}")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError(f"{path}: no JSON, so it was cut off or edited: {error}") from error
    except RecursionError:
        raise RunError(f"{path}: nested too deeply to be the configuration of a run") from None
    if isinstance(found, dict) and "model" in found and "task" not in found:
        raise RunError(f"{path}: written by an older version, which this one cannot go on from; train anew")
    if not isinstance(found, dict) or set(found) != KEYS:
        raise RunError(f"{path}: must be an object in braces with the keys {', '.join(sorted(KEYS))}")
    for name in ("options", "facts"):
        if not isinstance(found[name], dict):
            raise RunError(f"{path}: {name} must be an object in braces, got {found[name]!r}")
    return found
