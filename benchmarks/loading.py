"""``python -m benchmarks.loading``: does a training wait for its data?

LeNet-5 (digits), ResNet-20 (32×32 JPEG, shifted and mirrored) and ResNet-18 (500×375 JPEG scaled to 256,
cropped to 224, mirrored, lit) run by their recipes as ``tinygrad-notes train`` runs them, on images made for
it. One loop loads, then steps; in the other a thread loads ahead, as in every training; they alternate.
The first batch of an epoch, which nothing can hide, is left out. Files are decoded once, at the start.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tinygrad_notes.tasks.images import TASK
from tinygrad_notes.train.run import Run

from . import harness

FOLDERS = {"resnet20": (2000, (32, 32)), "resnet18": (400, (500, 375))}  # JPEG files: how many, which size
NETWORKS = ("lenet5", *FOLDERS)
ROUNDS = 3
LEAST = 3  # batches of a loop in a round


def measure(name: str, seconds: float) -> dict[str, Any]:
    """Medians per batch in ms over about `seconds` for each of the two loops, and the share of waiting."""
    with TemporaryDirectory() as folder:
        data = "digits"
        if name in FOLDERS:
            data = str(Path(folder) / "images")
            _write_images(Path(data), *FOLDERS[name])
        start = time.perf_counter()
        run = Run.start(TASK, TASK.settings(name, data=data), Path(folder) / "run")
        begun = time.perf_counter() - start
        times = {prefetch: (list[float](), list[float]()) for prefetch in (0, run.trainer.train.prefetch)}
        for _ in range(ROUNDS):
            for prefetch, (waits, steps) in times.items():
                _loop(run, prefetch, seconds / ROUNDS, waits, steps)
    (loading, alone), (waiting, beside) = times.values()
    return {
        "batch": run.settings.batch_size, "start_s": round(begun, 2),
        "loading_ms": round(statistics.median(loading), 2), "step_ms": round(statistics.median(alone), 2),
        "step_beside_loading_ms": round(statistics.median(beside), 2),
        "waiting_ms": round(statistics.median(waiting), 2),
        "waiting_percent": round(100 * sum(waiting) / (sum(waiting) + sum(beside)), 2),
    }  # fmt: skip


def _loop(run: Run, prefetch: int, seconds: float, waits: list[float], steps: list[float]) -> None:
    """Append the milliseconds until each batch was there, and those of each training step."""
    loader, count = run.trainer.train, 0
    loader.prefetch = prefetch
    end = time.perf_counter() + seconds
    while True:
        batches = iter(loader)
        run.trainer._step(next(batches))
        before = time.perf_counter()
        for batch in batches:
            there = time.perf_counter()
            run.trainer._step(batch)
            done = time.perf_counter()
            waits.append((there - before) * 1e3)
            steps.append((done - there) * 1e3)
            before, count = done, count + 1
            if done > end and count >= LEAST:
                return


def _write_images(folder: Path, count: int, size: tuple[int, int]) -> None:
    """`count` JPEG files of two classes: smooth colors with grain, as costly to decode as a photograph."""
    from PIL import Image

    rng, contents = np.random.default_rng(0), []
    folder.mkdir()
    for _ in range(8):
        picture = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize(size)
        grain = rng.normal(0, 8, (size[1], size[0], 3))
        file = io.BytesIO()
        pixels = (np.asarray(picture) + grain).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(file, "JPEG", quality=90)
        contents.append(file.getvalue())
    for i in range(count):
        path = folder / "ab"[i % 2] / f"{i:04}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(contents[i % len(contents)])


COLUMNS = {
    "name": "network", "batch": "batch", "loading_ms": "load, ms", "step_ms": "step, ms",
    "step_beside_loading_ms": "step meanwhile", "waiting_ms": "waited, ms", "waiting_percent": "waited, %",
    "start_s": "start, s",
}  # fmt: skip


def show(rows: list[dict[str, Any]]) -> None:
    """The table, one row for each network."""
    table = Table(*COLUMNS.values())
    for row in rows:
        table.add_row(*(str(row[key]) for key in COLUMNS))
    Console(width=None if sys.stdout.isatty() else 110).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loading", description=__doc__)
    parser.add_argument("--seconds", type=float, default=15, help="of each loop (default 15)")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/history.jsonl")
    options = parser.parse_args()
    rows = [{"name": name, **measure(name, options.seconds)} for name in NETWORKS]
    show(rows)
    if options.record:
        harness.record([{**row, "name": f"{row['name']} loading"} for row in rows])


if __name__ == "__main__":
    main()
