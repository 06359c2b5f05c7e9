"""``eval`` and ``predict``: what a trained model makes of the test part, and of what a user gives it."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..tasks import find_task
from ..train.config import Config, read_task
from ..train.options import RunError, given_options
from ..train.progress import Silent, show, warnings_told
from ..train.run import BEST, CHECKPOINT, load_same_parts, load_trained, trained_model
from ..train.task import Outcome, Task
from . import DONE
from .output import print_json, print_table

CHECKPOINTS = {None: None, "best": BEST, "last": CHECKPOINT}


def eval_command(arguments: argparse.Namespace) -> int:
    folder = Path(arguments.run_dir)
    task = find_task(read_task(folder))
    options = task.Testing(**given_options(arguments, task.Testing))
    progress = show(task)
    try:
        with warnings_told(progress):
            config, state, test = _load_to_evaluate(task, folder, arguments, options, progress)
    finally:
        progress.close()
    if test is None:
        raise RunError(f"{folder}: {config.settings.data} has no test part; name one with --data")
    model = trained_model(folder, config, state)
    outcome = task.test(config.settings, config.facts, model, test, options)
    head = {"run": str(folder), "model": config.settings.model, "data": config.settings.data}
    text = f"{config.settings.model} on {config.settings.data}: {outcome.text}"
    _print(replace(outcome, text=text), head, arguments.json)
    return DONE


def _load_to_evaluate(
    task: Task, folder: Path, arguments: argparse.Namespace, options: Any, progress: Silent
) -> tuple[Config, dict[str, Any], Any]:
    """The configuration, the checkpoint and the test part: of the run's own data, unchanged, or of other."""
    config, state = load_trained(task, folder, CHECKPOINTS[arguments.checkpoint])
    settings = config.settings
    if arguments.data is not None:
        settings = replace(settings, data=arguments.data, limit=None, validation=None)
    # An option of an evaluation with the name of a setting takes its place, where it is given.
    names = {field.name for field in dataclasses.fields(settings)}
    own = {name: value for name, value in vars(options).items() if name in names and value is not None}
    settings = replace(settings, **own)
    settings.check_given(own)
    config = replace(config, settings=settings)
    how = {"download": arguments.download, "progress": progress.work}
    if arguments.data is not None:
        return config, state, task.load_test(settings, config.facts, **how)
    advice = f"put it back, or evaluate on it as it is now: --data {shlex.quote(settings.data)}"
    return config, state, load_same_parts(folder, config, state, advice, **how)[0].test


def predict_command(arguments: argparse.Namespace) -> int:
    """Needs the run folder alone, and none of the data it was trained on."""
    folder = Path(arguments.run_dir)
    task = find_task(read_task(folder))
    options = task.Predicting(**given_options(arguments, task.Predicting))
    config, state = load_trained(task, folder, CHECKPOINTS[arguments.checkpoint])
    model = trained_model(folder, config, state).eval()
    outcome = task.predict(config.settings, config.facts, model, arguments.inputs, options)
    head = {"run": str(folder), "model": config.settings.model}
    _print(outcome, head, arguments.json)
    return DONE


def _print(outcome: Outcome, head: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(head | outcome.figures | outcome.details)
        return
    if outcome.text:
        print(outcome.text)
    if outcome.text and outcome.columns:
        print()
    if outcome.columns:
        print_table(outcome.columns, outcome.rows, outcome.left)
