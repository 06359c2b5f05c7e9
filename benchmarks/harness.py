"""How things are timed: alternating, in one process, medians; and how a figure is recorded."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HISTORY = Path(__file__).with_name("history.jsonl")


def alternate(steps: dict[str, Callable[[], Any]], seconds: float, warmup: int = 2) -> dict[str, list[float]]:
    """Call the steps in turn for about `seconds`, at least 5 rounds; milliseconds of every call."""
    for _ in range(warmup):
        for step in steps.values():
            step()
    times: dict[str, list[float]] = {name: [] for name in steps}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(times.values()))) < 5:
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            times[name].append((time.perf_counter() - start) * 1e3)
    return times


def summary(times: dict[str, list[float]]) -> dict[str, float]:
    """The median of each, in ms."""
    return {name: statistics.median(values) for name, values in times.items()}


def ratio(times: dict[str, list[float]], a: str, b: str) -> float:
    """The median over rounds of time(a) / time(b): drift of the machine's speed cancels in a round."""
    return statistics.median(x / y for x, y in zip(times[a], times[b], strict=True))


def matmul_limit(size: int = 2048, repeats: int = 5) -> float:
    """GFLOP/s of NumPy's float32 product of two size×size matrices: the best of a few."""
    a = np.random.default_rng(0).standard_normal((size, size)).astype(np.float32)
    best = float("inf")
    a @ a
    for _ in range(repeats):
        start = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e9


def peak_memory_mib() -> float:
    """The largest resident set of this process since it started its program (Linux), in MiB."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("peak memory: /proc/self/status has no VmHWM line")


def in_fresh_process(*arguments: str) -> dict[str, Any]:
    """Run ``python -m benchmarks`` with `arguments` in a process of its own; its last line is JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments], capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def record(rows: list[dict[str, Any]]) -> None:
    """Append one line per measurement to the history, with what it was measured on."""
    setting = {
        "date": time.strftime("%Y-%m-%d"),
        "commit": _commit(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    with HISTORY.open("a", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps({**setting, **row}) + "\n")


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=HISTORY.parent
    )
    return done.stdout.strip() or "?"


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()
