"""What a run began with, as its checkpoint remembers: the configuration, the data, the number of threads.

Who goes on with other data, or evaluates on it, gets figures of another training; so both are refused.
A checkpoint of a version that remembered less is taken with a warning: its weights are good, and only that
nothing has changed since cannot be shown.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .. import backend
from ..data import ArrayDataset
from ..data.sources import NAMES
from .config import Config, RunError

FREE = {"epochs", "threads"}  # may differ from what the training began with
PARTS = ("training", "test")


def remember(config: Config, contents: dict[str, Any]) -> dict[str, Any]:
    """What the checkpoint keeps of it, beside the state of the training."""
    return {"config": json.dumps(asdict(config)), "data": contents}


def contents_of(parts: tuple[ArrayDataset, ArrayDataset]) -> dict[str, Any]:
    """{part: how many samples it has, and a digest of all of them}."""
    return {
        name: {"samples": len(part), "digest": part.fingerprint()}
        for name, part in zip(PARTS, parts, strict=True)
    }


def check_config(folder: Path, config: Config, state: Mapping[str, Any]) -> None:
    """Raises RunError if config.json was changed by hand, but for epochs and the place of the data."""
    then = _config_of(folder, state)
    if then is None:
        return
    now = json.loads(json.dumps(asdict(config)))
    moved = then["data"] not in NAMES and now["data"] not in NAMES
    free = FREE | ({"data"} if moved else set())
    for name in sorted(then.keys() & now.keys() - free):
        if then[name] != now[name]:
            raise RunError(
                f"{folder}: the checkpoint does not fit config.json: {name} is {now[name]!r} there, and the "
                f"training began with {then[name]!r}; put that back, or train anew in another folder"
            )


def check_data(
    folder: Path, data: str, state: Mapping[str, Any], now: dict[str, Any], changed: list[str], advice: str
) -> None:
    """Raises RunError if `data`, which holds `now`, is not what the training began with.

    `changed` are the names of files with other contents, `advice` is what to do.
    """
    then = _resume(state).get("data")
    if then is None:
        _warn_old(folder, f"no digest of the data, so a change in {data} would not be noticed")
        return
    for part in PARTS:
        if then[part] == now[part]:
            continue
        before, after = then[part]["samples"], now[part]["samples"]
        same = f"as many samples as then ({after:,}), but others, or in another order"
        told = same if before == after else f"{after:,} samples, and then it had {before:,}"
        if changed:
            told += f" (changed: {', '.join(changed[:3])}{', ...' * (len(changed) > 3)})"
        raise RunError(
            f"{folder}: the {part} part of {data} is not what the run began with: it has {told}; {advice}"
        )


def check_threads(folder: Path, state: Mapping[str, Any]) -> None:
    """Warns if the numbers will be rounded otherwise than so far."""
    then = _config_of(folder, state, quiet=True) or {}
    now = backend.threads()
    if "threads" not in then or then["threads"] == now:
        return
    before, after = (f"{n} thread{'s' * (n > 1)}" if n else "a GPU" for n in (then["threads"], now))
    hint = f"; OPENBLAS_NUM_THREADS={then['threads']} goes on as it began" if then["threads"] and now else ""
    warnings.warn(
        f"{folder}: the run began on {before} and goes on on {after}: sums are rounded otherwise, so the "
        f"weights will not be those of a run without a break{hint}",
        stacklevel=3,
    )


def _config_of(folder: Path, state: Mapping[str, Any], quiet: bool = False) -> dict[str, Any] | None:
    """The configuration that the training began with; None (and a warning) where nobody wrote it down."""
    text = _resume(state).get("config")
    if text is None:
        if not quiet:
            _warn_old(folder, "no configuration, so a change in config.json would not be noticed")
        return None
    config: dict[str, Any] = json.loads(text)
    return config


def _resume(state: Mapping[str, Any]) -> Mapping[str, Any]:
    resume = state.get("resume", {})
    return resume if isinstance(resume, Mapping) else {}


def _warn_old(folder: Path, what: str) -> None:
    warnings.warn(f"{folder}: its checkpoint, of an older version, has {what}", stacklevel=4)
