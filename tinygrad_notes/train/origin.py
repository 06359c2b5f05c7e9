"""What a run began with, as its checkpoint remembers: the configuration, the data, the number of threads.

Who goes on with other data, or evaluates on it, gets figures of another training; so both are refused.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import backend
from .config import Config
from .options import RunError
from .task import Parts

FREE = {"epochs", "patience"}  # may differ from what the training began with


def remember(config: Config, contents: dict[str, Any]) -> dict[str, Any]:
    """What the checkpoint keeps of it, beside the state of the training."""
    return {"config": json.dumps(config.as_json()), "data": contents}


def contents_of(parts: Parts) -> dict[str, Any]:
    """{part: how many samples it has, and a digest of all of them}."""
    return {
        name: {"samples": len(part), "digest": part.fingerprint()} for name, part in parts.named().items()
    }


def check_config(folder: Path, config: Config, state: Mapping[str, Any]) -> None:
    """Raises RunError if config.json was changed by hand, but for epochs and the place of the data."""
    then, now = _config_of(folder, state), json.loads(json.dumps(config.as_json()))
    names = config.task.datasets
    moved = then["options"]["data"] not in names and now["options"]["data"] not in names
    free = FREE | ({"data"} if moved else set())
    for before, after in ((then, now), (then["options"], now["options"]), (then["facts"], now["facts"])):
        for name in sorted((before.keys() | after.keys()) - free - {"options", "facts", "threads"}):
            if before.get(name) != after.get(name):
                raise RunError(
                    f"{folder}: the checkpoint does not fit config.json: {name} is {after.get(name)!r} "
                    f"there, and the training began with {before.get(name)!r}; put that back, or train "
                    "anew in another folder"
                )


def check_data(
    folder: Path, data: str, state: Mapping[str, Any], now: dict[str, Any], changed: list[str], advice: str
) -> None:
    """Raises RunError if `data`, which holds `now`, is not what the training began with.

    `changed` are the names of files with other contents, `advice` is what to do.
    """
    then = _resume(folder, state)["data"]
    for part in {**then, **now}:
        if then.get(part) == now.get(part):
            continue
        before, after = (contents.get(part, {"samples": 0})["samples"] for contents in (then, now))
        same = f"as many samples as then ({after:,}), but others, or in another order"
        told = same if before == after else f"{after:,} samples, and then it had {before:,}"
        if changed:
            told += f" (changed: {', '.join(changed[:3])}{', ...' * (len(changed) > 3)})"
        raise RunError(
            f"{folder}: the {part} part of {data} is not what the run began with: it has {told}; {advice}"
        )


def check_threads(folder: Path, state: Mapping[str, Any]) -> None:
    """Warns if the numbers will be rounded otherwise than so far."""
    before, now = _config_of(folder, state)["threads"], backend.threads()
    if before == now:
        return
    first, second = (f"{n} thread{'s' * (n > 1)}" if n else "a GPU" for n in (before, now))
    hint = f"; OPENBLAS_NUM_THREADS={before} goes on as it began" if before and now else ""
    warnings.warn(
        f"{folder}: the run began on {first} and goes on on {second}: sums are rounded otherwise, so the "
        f"weights will not be those of a run without a break{hint}",
        stacklevel=3,
    )


def _config_of(folder: Path, state: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration that the training began with."""
    config: dict[str, Any] = json.loads(_resume(folder, state)["config"])
    return config


def _says(resume: Any) -> bool:
    """Whether it has what `remember` gives."""
    try:
        config, data = json.loads(resume["config"]), resume["data"]
        whole = [config["options"]["data"], config["facts"].keys(), config["threads"]]
        return bool(whole) and all(isinstance(part["samples"], int) for part in data.values())
    except (LookupError, ValueError, TypeError, AttributeError, RecursionError):
        return False


def _resume(folder: Path, state: Mapping[str, Any]) -> Mapping[str, Any]:
    resume = state.get("resume") if isinstance(state, Mapping) else None
    if not isinstance(resume, Mapping) or not _says(resume):
        raise RunError(f"{folder}: its checkpoint does not say what the run began with; train anew")
    return resume
