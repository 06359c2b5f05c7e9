"""``python -m benchmarks.gpu [NAME...]``: what is to know of a card, in one command of eight minutes at most.

First the part of the suite that meets the device. Then training steps beside PyTorch's on the same card:
equal losses first, and only then times by CUDA's events, of steps as they are written and of captured ones,
with the first step of a process that has compiled nothing, memory, and shares of what the card can multiply
and copy.

What a step launches is counted on the stand-in for CuPy, since CuPy does not count on a card. ``--dry-run``
does nothing else: it needs no card and no PyTorch, and says how many launches there are for each rule.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
STANDIN = ROOT / "tests" / "standin"
NAMES = ("mlp", "lenet5", "alexnet", "vgg16", "googlenet", "resnet18", "lstm", "gru", "encoder")
TESTS = ("backend", "ops", "kernels", "autograd", "nn", "optim", "models", "train")
OF_TESTS, OF_A_ROW = 180, 90  # seconds at most
DRY = {
    "forward": "rules forward", "backward": "backward", "updates": "updates", "launches": "launches",
    "launches_per_rule": "launches per rule", "syncs": "waits", "transfers": "transfers",
    "captured_equal": "captured is equal", "captured_launches": "captured launches",
}  # fmt: skip
MEASURED = {
    "ours": "ms", "captured": "captured", "torch": "PyTorch", "ratio_ours": "ratio",
    "ratio_captured": "ratio, captured", "first_s": "first step, s", "launches": "launches",
    "percent_of_product": "% of product", "percent_of_copy": "% of copy", "mib_ours": "MiB",
    "mib_captured": "captured", "mib_torch": "PyTorch's",
}  # fmt: skip


class Stopped(RuntimeError):
    """A part that failed or ran out of time; the message says which."""


def row(name: str, seconds: float, environment: dict[str, str], *words: str) -> dict[str, Any]:
    """What ``benchmarks.gpu_row NAME`` prints, or Stopped."""
    command = [sys.executable, "-m", "benchmarks.gpu_row", name, *words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, cwd=ROOT, env=os.environ | environment
        )
    except subprocess.TimeoutExpired:
        raise Stopped(f"{name}: not done after {seconds:.0f} s") from None
    if done.returncode != 0:
        last = done.stderr.strip().splitlines() or ["no word"]
        raise Stopped(f"{name}: {last[-1]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def dry_row(name: str) -> dict[str, Any]:
    """The counts of a step on the stand-in."""
    path = os.pathsep.join([str(STANDIN), str(ROOT)])
    return row(name, OF_A_ROW, {"BACKEND": "cupy", "PYTHONPATH": path}, "--dry-run")


def suite(seconds: float) -> tuple[bool, str]:
    """Whether the tests that meet the device pass, and pytest's last line."""
    command = [sys.executable, "-m", "pytest", "-q", *(f"tests/{part}" for part in TESTS)]
    if importlib.util.find_spec("xdist"):
        command += ["-n", str(max(1, min(15, (os.cpu_count() or 2) - 1)))]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=seconds,
            cwd=ROOT,
            env=os.environ | {"BACKEND": "cupy"},
        )
    except subprocess.TimeoutExpired:
        return False, f"not done after {seconds:.0f} s"
    return done.returncode == 0, (done.stdout.strip().splitlines() or done.stderr.strip().splitlines())[-1]


def shown(rows: list[dict[str, Any]], columns: dict[str, str]) -> Table:
    """The rows as a table; a column that no row has is left out."""
    used = {key: title for key, title in columns.items() if any(key in row for row in rows)}
    table = Table("training step", *used.values())
    for one in rows:
        table.add_row(one["name"], *(str(one.get(key, "-")) for key in used))
    return table


def dry_run(console: Console, names: list[str]) -> list[str]:
    """Counts every step; returns what went wrong."""
    rows, wrong = [], []
    for name in names:
        try:
            rows.append(dry_row(name))
        except Stopped as stopped:
            wrong.append(str(stopped))
    console.print(shown(rows, DRY))
    return wrong + [f"{one['name']}: the captured step gives other losses" for one in rows
                    if one.get("captured_equal") is False]  # fmt: skip


def measure(console: Console, names: list[str], options: argparse.Namespace) -> list[str]:
    """Tests and every row until the time is over; returns what went wrong."""
    end = time.monotonic() + 60 * options.minutes
    wrong, rows = [], []
    if not options.no_tests:
        passed, said = suite(min(OF_TESTS, end - time.monotonic()))
        console.print(f"tests on the device: {said}")
        wrong += [] if passed else [f"tests: {said}"]
    with TemporaryDirectory() as cache:  # nothing is compiled yet
        environment = {"BACKEND": "cupy", "CUPY_CACHE_DIR": cache}
        try:
            limits = row("limits", OF_A_ROW, environment)
        except Stopped as stopped:
            return [*wrong, str(stopped)]
        console.print(
            f"the limits: float32 product {limits['gflops'] / 1e3:.1f} TFLOP/s, copy {limits['gbs']:.0f} GB/s"
        )
        words = ("--seconds", str(options.seconds), "--limits", json.dumps(limits))
        for name in names:
            left = end - time.monotonic()
            if left < 10:
                wrong.append(f"{name}: no time left")
                continue
            try:
                one = row(name, min(OF_A_ROW, left), environment, *words)
                rows.append({**one, "launches": dry_row(name)["launches"]})
            except Stopped as stopped:
                wrong.append(str(stopped))
    console.print(shown(rows, MEASURED))
    console.print(
        "The kernels that an upper row has compiled are not compiled again: first steps are in this order."
    )
    if options.record:
        record(rows, limits)
    return wrong


def record(rows: list[dict[str, Any]], limits: dict[str, float]) -> None:
    """Append the rows to benchmarks/history.jsonl, each with the limits of the card."""
    os.environ["BACKEND"] = "cupy"
    from . import harness

    rounded = {f"limit_{key}": round(value, 1) for key, value in limits.items()}
    harness.record([{**one, "name": f"gpu {one['name']}", **rounded} for one in rows])


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; default all")
    parser.add_argument("--minutes", type=float, default=8, help="at most, for all of it (default 8)")
    parser.add_argument("--seconds", type=float, default=4, help="of timing for each row (default 4)")
    parser.add_argument("--no-tests", action="store_true", help="leave out the tests")
    parser.add_argument("--record", action="store_true", help="append the rows to benchmarks/history.jsonl")
    parser.add_argument(
        "--dry-run", action="store_true", help="count launches on the stand-in; no card is needed"
    )
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"unknown {', '.join(sorted(unknown))}; choose from {', '.join(NAMES)}")
    if options.dry_run and options.record:
        parser.error("--record keeps what a card has measured; leave it out of a dry run")
    names = options.names or list(NAMES)
    console = Console(width=None if sys.stdout.isatty() else 200)
    wrong = dry_run(console, names) if options.dry_run else measure(console, names, options)
    for sentence in wrong:
        console.print(sentence, highlight=False, markup=False)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
