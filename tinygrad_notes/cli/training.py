"""``train`` and ``eval``."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import shlex
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..autograd import detect_anomaly
from ..tasks import find_task, task_of
from ..train.config import Config, read_task
from ..train.interrupt import Interrupted, stop_on_signal
from ..train.options import RunError, given_options
from ..train.progress import Silent, show
from ..train.run import BEST, CHECKPOINT, Run, load_same_parts, load_trained, trained_model
from ..train.settings import Settings
from ..train.task import Outcome, Parts, Task
from . import DONE, INTERRUPTED
from .output import print_json, print_table

CHECKPOINTS = {"best": BEST, "last": CHECKPOINT}


def train_command(arguments: argparse.Namespace) -> int:
    task = _task(arguments)
    progress = show(task)
    try:
        with _warnings_told(progress):
            how = {"download": arguments.download, "progress": progress.work}
            run = _make_run(task, arguments, how)
        first, *others = task.announce(run.folder, run.parts)
        for line in (f"{first}; run folder {run.folder}", *others):
            progress.message(line)
        guard = detect_anomaly() if arguments.detect_anomaly else contextlib.nullcontext()
        with stop_on_signal(progress.message) as should_stop, guard:  # before that there is nothing to save
            history = run.fit(progress=progress, should_stop=should_stop)
    except Interrupted as stopped:
        progress.close()
        hint = f"tinygrad-notes train --resume {shlex.quote(str(run.folder))}"
        progress.message(f"interrupted at {stopped}; go on with: {hint}")
        return INTERRUPTED
    finally:
        progress.close()
    outcome = run.test()
    _plot(run, outcome, progress)
    _print_result(run, history[-1], outcome, arguments.json)
    return DONE


def eval_command(arguments: argparse.Namespace) -> int:
    folder = Path(arguments.run_dir)
    task = find_task(read_task(folder))
    options = task.Testing(**given_options(arguments, task.Testing))
    progress = show(task)
    try:
        with _warnings_told(progress):
            config, state, parts = _load_to_evaluate(task, folder, arguments, options, progress)
    finally:
        progress.close()
    if parts.test is None:
        raise RunError(f"{folder}: {config.settings.data} has no test part; name one with --data")
    model = trained_model(folder, config, state)
    outcome = task.test(config.settings, config.facts, model, parts.test, options)
    head = {"run": str(folder), "model": config.settings.model, "data": config.settings.data}
    if arguments.json:
        print_json(head | outcome.figures | outcome.details)
        return DONE
    print(f"{config.settings.model} on {config.settings.data}: {outcome.text}")
    if outcome.columns:
        print()
        print_table(outcome.columns, outcome.rows, outcome.left)
    return DONE


def _load_to_evaluate(
    task: Task, folder: Path, arguments: argparse.Namespace, options: Any, progress: Silent
) -> tuple[Config, dict[str, Any], Parts]:
    """The configuration, the checkpoint and the data: the run's own, unchanged, or other on demand."""
    name = None if arguments.checkpoint is None else CHECKPOINTS[arguments.checkpoint]
    config, state = load_trained(task, folder, name)
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
        return config, state, task.load(settings, config.facts, **how)
    advice = f"put it back, or evaluate on it as it is now: --data {shlex.quote(settings.data)}"
    return config, state, load_same_parts(folder, config, state, advice, **how)[0]


def _task(arguments: argparse.Namespace) -> Task:
    if arguments.resume is not None:
        known = Settings if arguments.model is None else task_of(arguments.model.lower()).Settings
        given = set(given_options(arguments, known)) - {"epochs", "patience"}
        given |= {name for name in ("model", "out") if getattr(arguments, name) is not None}
        if given:
            names = ", ".join(sorted(given)).replace("_", "-")
            raise RunError(f"--resume goes on with the options of the run; leave out {names}")
        return find_task(read_task(Path(arguments.resume)))
    if arguments.model is None:
        raise RunError("train needs a MODEL, or --resume DIR")
    return task_of(arguments.model.lower(), getattr(arguments, "data", None))


def _make_run(task: Task, arguments: argparse.Namespace, how: dict[str, Any]) -> Run:
    given = given_options(arguments, task.Settings)
    if arguments.resume is not None:
        return Run.resume(task, arguments.resume, **given, **how)
    settings: Settings = task.settings(arguments.model.lower(), **given)
    settings.check_given(given)
    return Run.start(task, settings, arguments.out or None, **how)


@contextlib.contextmanager
def _warnings_told(progress: Silent) -> Iterator[None]:
    """Warnings of the data, such as images left out, as plain lines."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *rest: progress.message(f"warning: {message}")
        yield


def _plot(run: Run, outcome: Outcome | None, progress: Silent) -> None:
    """Plots are a bonus: a training whose plots fail, for whatever reason, is a success."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of letters that Matplotlib's font has not
            run.plot(outcome)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        progress.message(f"no plots: {reason}")


def _print_result(run: Run, line: dict[str, Any], outcome: Outcome | None, as_json: bool) -> None:
    """The last epoch, and what the weights of the best one make of the test part."""
    best = run.trainer.best() or line["epoch"]
    settings = run.settings
    tested = {} if outcome is None else {f"test_{name}": v for name, v in outcome.figures.items()}
    if as_json:
        head = {"run": str(run.folder), "model": settings.model, "data": settings.data}
        print_json({**head, **line, "best_epoch": best, **tested})
        return
    text = "no test part" if outcome is None else outcome.text
    print(f"{settings.model} on {settings.data}: {text}, epoch {best}\nrun folder: {run.folder}")
