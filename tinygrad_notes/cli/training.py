"""``train`` and ``eval``."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..autograd import detect_anomaly
from ..data.sources import NAMES
from ..train import files
from ..train.config import Config, RunError
from ..train.interrupt import Interrupted, stop_on_signal
from ..train.loop import evaluate
from ..train.metrics import confusion_matrix, report
from ..train.progress import Silent, show
from ..train.recipes import RECIPES
from ..train.run import (
    Parts,
    Run,
    build_model,
    evaluation_loader,
    load_parts,
    load_same_parts,
    load_trained,
)  # fmt: skip
from . import DONE, INTERRUPTED
from .output import print_json, print_table

OPTIONS = ("data", "batch_size", "optimizer", "lr", "momentum", "weight_decay", "schedule", "clip_norm",
           "shift", "seed", "limit", "variant", "size", "resize", "flip", "lighting", "on_error")  # fmt: skip


def train_command(arguments: argparse.Namespace) -> int:
    progress = show()
    try:
        with _warnings_told(progress):
            run = _make_run(arguments, {"download": arguments.download, "progress": progress.work})
        progress.message(
            f"{len(run.train_set):,} training and {len(run.test_set):,} test images of "
            f"{len(run.train_set.classes)} classes; run folder {run.folder}"
        )
        if any(getattr(part, "skipped", ()) for part in (run.train_set, run.test_set)):
            progress.message(f"{run.folder / files.NAME} names every image that was left out")
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
    _plot(run, progress)
    _print_result(run, history[-1], arguments.json)
    return DONE


def eval_command(arguments: argparse.Namespace) -> int:
    folder = Path(arguments.run_dir)
    progress = show()
    try:
        with _warnings_told(progress):
            config, state, (train, test) = _load_to_evaluate(folder, arguments, progress)
    finally:
        progress.close()
    if train.classes != config.classes:
        ours, theirs = _listed(config.classes), _listed(train.classes)
        raise RunError(f"{folder} tells apart {ours}, but {config.data} has {theirs}")
    try:
        model = build_model(config, train)
        model.load_state_dict({key: value for key, value in state.items() if key != "resume"})
    except (KeyError, ValueError, TypeError) as error:
        raise RunError(f"{folder}: its weights do not fit {config.data} ({error.args[0]})") from error
    loss, predicted, labels = evaluate(model, evaluation_loader(config, test, arguments.ten_crop))
    counts = confusion_matrix(predicted, labels, len(test.classes))
    result = {"run": str(folder), "model": config.model, "data": config.data, "loss": loss}
    result |= report(counts, test.classes)
    if arguments.json:
        print_json(result)
        return DONE
    print(f"{config.model} on {config.data}: {100 * result['accuracy']:.2f} % of "
          f"{result['samples']:,} right, loss {loss:.4f}\n")  # fmt: skip
    print_table(
        ["true \\ predicted", *test.classes, "precision", "recall"],
        [
            [name, *(count or "." for count in row), _percent(precision), _percent(recall)]
            for name, row, precision, recall in zip(
                test.classes, counts.tolist(), result["precision"], result["recall"], strict=True
            )
        ],
    )
    return DONE


def _load_to_evaluate(
    folder: Path, arguments: argparse.Namespace, progress: Silent
) -> tuple[Config, dict[str, Any], Parts]:
    """The configuration, the checkpoint and the data: the run's own, unchanged, or other on demand."""
    config, state = load_trained(folder)
    if arguments.data is not None:
        config = replace(config, data=arguments.data, limit=None)
    if arguments.on_error is not None:
        _refuse_without_files(config.data)
        config = replace(config, on_error=arguments.on_error)
    how = {"download": arguments.download, "progress": progress.work}
    if arguments.data is not None:
        return config, state, load_parts(config, **how)
    advice = f"put it back, or evaluate on it as it is now: --data {shlex.quote(config.data)}"
    return config, state, load_same_parts(folder, config, state, advice, **how)[0]


def _make_run(arguments: argparse.Namespace, how: dict[str, Any]) -> Run:
    given = {name: getattr(arguments, name) for name in OPTIONS if getattr(arguments, name) is not None}
    if arguments.resume is not None:
        given |= {name: 1 for name in ("model", "out") if getattr(arguments, name) is not None}
        if given:
            names = ", ".join(sorted(given)).replace("_", "-")
            raise RunError(f"--resume goes on with the options of the run; leave out {names}")
        return Run.resume(arguments.resume, arguments.epochs, **how)
    if arguments.model is None:
        raise RunError("train needs a MODEL, or --resume DIR")
    name = arguments.model.lower()
    if name not in RECIPES:
        raise RunError(f"unknown model {arguments.model!r}; train knows {', '.join(RECIPES)}")
    if arguments.epochs is not None:
        given["epochs"] = arguments.epochs
    config = Config(name, **{**RECIPES[name].defaults, **given})
    if "momentum" in given and config.optimizer != "sgd":
        raise RunError(
            f"--momentum is of sgd, and {name} is trained with {config.optimizer}: "
            "add --optimizer sgd, or leave out --momentum"
        )
    if "on_error" in given:
        _refuse_without_files(config.data)
    return Run.start(config, arguments.out or None, **how)


def _refuse_without_files(data: str) -> None:
    if data in NAMES:
        raise RunError(f"--on-error is for images in files; {data} has none: leave it out")


@contextlib.contextmanager
def _warnings_told(progress: Silent) -> Iterator[None]:
    """Warnings of the data, such as images left out, as plain lines."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *rest: progress.message(f"warning: {message}")
        yield


def _plot(run: Run, progress: Silent) -> None:
    """Plots are a bonus: a training whose plots fail, for whatever reason, is a success."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of letters that Matplotlib's font has not
            run.plot()
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        progress.message(f"no plots: {reason}")


def _print_result(run: Run, line: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json({"run": str(run.folder), "model": run.config.model, "data": run.config.data, **line})
        return
    accuracy = 100 * line["validation_accuracy"]
    print(f"{run.config.model} on {run.config.data}: validation accuracy {accuracy:.2f} %, loss "
          f"{line['validation_loss']:.4f}, epoch {line['epoch']}\nrun folder: {run.folder}")  # fmt: skip


def _listed(classes: tuple[str, ...]) -> str:
    return f"{len(classes)} classes ({', '.join(classes[:3])}{', ...' * (len(classes) > 3)})"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
