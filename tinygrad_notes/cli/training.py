"""``train``."""

from __future__ import annotations

import argparse
import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..autograd import detect_anomaly
from ..tasks import find_task, task_of
from ..tasks.lettering import missing_fonts_told
from ..train.config import read_task
from ..train.interrupt import Interrupted, stop_on_signal
from ..train.options import RunError, given_options
from ..train.progress import Silent, show, warnings_told
from ..train.run import Run
from ..train.settings import Settings
from ..train.task import Outcome, Task
from . import DONE, INTERRUPTED, RESUMED
from .output import print_json


def train_command(arguments: argparse.Namespace) -> int:
    task = _task(arguments)
    progress = show(task)
    goes_on = [RESUMED] if arguments.resume is not None else []
    try:
        with warnings_told(progress):
            how = {"download": arguments.download, "progress": progress.work}
            run = _make_run(task, arguments, how)
        first, *others = task.announce(run.folder, run.parts)
        for line in (f"{first}; run folder {run.folder}", *others):
            progress.message(line)
        guard = detect_anomaly() if arguments.detect_anomaly else contextlib.nullcontext()
        watched = stop_on_signal(progress.message)  # before this there is nothing to save
        with watched as should_stop, guard, _noted(_batches(run.settings), *goes_on):
            history = run.fit(progress=progress, should_stop=should_stop)
    except Interrupted as stopped:
        progress.close()
        hint = f"tinygrad-notes train --resume {shlex.quote(str(run.folder))}"
        progress.message(f"interrupted at {stopped}; go on with: {hint}")
        return INTERRUPTED
    finally:
        progress.close()
    if len(history) < run.settings.epochs:
        progress.message(
            f"no better epoch than {run.trainer.best()} in {run.settings.patience}: it ends here"
        )
    outcome = run.test()
    _plot(run, outcome, progress)
    _print_result(run, history[-1], outcome, arguments.json)
    return DONE


def _task(arguments: argparse.Namespace) -> Task:
    if arguments.resume is not None:
        known = Settings if arguments.model is None else task_of(arguments.model.lower()).Settings
        given = set(given_options(arguments, known)) - {"epochs", "patience"}
        given |= {"out"} if arguments.out is not None else set()
        names = [f"--{name.replace('_', '-')}" for name in sorted(given)]
        names += [] if arguments.model is None else [arguments.model]
        if names:
            raise RunError(f"--resume goes on with the options of the run; leave out {', '.join(names)}")
        return find_task(read_task(Path(arguments.resume)))
    if arguments.model is None:
        raise RunError("train needs a MODEL, or --resume DIR")
    return task_of(arguments.model.lower(), getattr(arguments, "data", None))


def _make_run(task: Task, arguments: argparse.Namespace, how: dict[str, Any]) -> Run:
    given = given_options(arguments, task.Settings)
    if arguments.resume is not None:
        with _noted(RESUMED):
            return Run.resume(task, arguments.resume, **given, **how)
    settings: Settings = task.settings(arguments.model.lower(), **given)
    settings.check_given(given)
    with _noted(_batches(settings)):  # it rehearses a step
        return Run.start(task, settings, arguments.out, **how)


@contextlib.contextmanager
def _noted(*notes: str) -> Iterator[None]:
    """An error gets these notes."""
    try:
        yield
    except Exception as error:
        for note in notes:
            error.add_note(note)
        raise


def _batches(settings: Settings) -> str:
    """How large the batches are: where memory runs out, smaller ones help."""
    tokens = getattr(settings, "batch_tokens", None)  # of tasks whose batches are counted in tokens
    return f"with --batch-tokens {tokens}" if tokens else f"with --batch-size {settings.batch_size}"


def _plot(run: Run, outcome: Outcome | None, progress: Silent) -> None:
    """Plots are a bonus: a training whose plots fail, for whatever reason, is a success."""
    try:
        with missing_fonts_told(progress.message):
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
    text, *told = ("no test part" if outcome is None else outcome.text).split("\n")
    print(f"{settings.model} on {settings.data}: {text}, epoch {best}", *told, sep="\n")
    print(f"run folder: {run.folder}")
