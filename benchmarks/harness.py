"""How things are timed: alternating, as medians; and how a figure is recorded.

With ``BACKEND=cupy`` both sides compute on the GPU.
"""

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

# glibc gives no freed memory back: page faults cost PyTorch a third of some steps, and we keep ours too.
KEPT_HEAP = {"MALLOC_TRIM_THRESHOLD_": "2000000000", "MALLOC_MMAP_THRESHOLD_": "2000000000"}
QUIET = 0.05  # the share of the cores that other processes may use
HISTORY = Path(__file__).with_name("history.jsonl")


def summary(times: dict[str, list[float]]) -> dict[str, float]:
    """The median of each, in ms."""
    return {name: statistics.median(values) for name, values in times.items()}


def ratio(times: dict[str, list[float]], a: str, b: str) -> float:
    """The median over rounds of time(a) / time(b): drift of the machine's speed cancels in a round."""
    return statistics.median(x / y for x, y in zip(times[a], times[b], strict=True))


def on_gpu() -> bool:
    """Whether arrays are CuPy's."""
    return os.environ.get("BACKEND") == "cupy"


def torch_device() -> str:
    """PyTorch's device beside the backend; its convolutions multiply in float32, as CuPy, not in TF32."""
    import torch

    torch.backends.cudnn.allow_tf32 = False
    return "cuda" if on_gpu() else "cpu"


def matmul_limit(size: int = 2048, repeats: int = 5) -> float:
    """GFLOP/s of the array library's float32 product of two size×size matrices: the best of a few."""
    from tinygrad_notes import backend  # not above: an interpreter that has Chainer lacks it

    a = backend.asarray(np.random.default_rng(0).standard_normal((size, size)).astype(np.float32))

    def product() -> None:
        backend.to_numpy((a @ a)[:1, :1])  # one number fetched: a GPU has finished then

    best = float("inf")
    product()
    for _ in range(repeats):
        start = time.perf_counter()
        product()
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e9


def peak_memory_mib() -> float:
    """MiB at the peak: this process's largest resident set (Linux), or what it took of a GPU's memory."""
    if on_gpu():
        import cupy

        torch = sys.modules.get("torch")
        theirs = torch.cuda.max_memory_reserved() if torch else 0
        return float(cupy.get_default_memory_pool().total_bytes() + theirs) / 2**20
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("peak memory: /proc/self/status has no VmHWM line")


class Worker:
    """One framework in a process of its own: the threads of another never spin beside it.

    Every side keeps freed memory (`KEPT_HEAP`).
    """

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | KEPT_HEAP
        )
        self.pid = self._process.pid

    def ask(self, what: str) -> float:
        """Milliseconds of one "step" or "forward" (median of a short burst), or "memory" in MiB."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


def serve(functions: dict[str, Callable[[], Any]], burst: float = 0.4) -> None:
    """Answer the questions of `Worker.ask` until the input ends."""
    for line in sys.stdin:
        what = line.strip()
        if what == "memory":
            print(peak_memory_mib(), flush=True)
            continue
        times: list[float] = []
        while len(times) < 2 or sum(times) < burst * 1e3:
            start = time.perf_counter()
            functions[what]()
            times.append((time.perf_counter() - start) * 1e3)
        print(statistics.median(times), flush=True)


def answer(alone: Callable[[str, str], dict[str, Callable[[], Any]]]) -> None:
    """The program of a side that reads a file of `steps.export`: NETWORK FILE [--check].

    It serves the functions of ``alone(NETWORK, FILE)``, or prints their numbers for `steps.check`.
    """
    name, file, *check = sys.argv[1:]
    functions = alone(name, file)
    if check:
        losses, logits = numbers(functions)
        print(json.dumps({"losses": losses, "logits": np.asarray(logits).tolist()}))
    else:
        serve(functions)


def numbers(functions: dict[str, Callable[[], Any]]) -> tuple[list[float], Any]:
    """The losses of three steps, and what a forward gives: every side must agree on them."""
    return [functions["step"]() for _ in range(3)], functions["forward"]()


def in_turn(workers: dict[str, Worker], what: str, seconds: float) -> dict[str, list[float]]:
    """Alternating bursts of all workers for about `seconds`, at least 3 rounds after one to warm up.

    A round in which other processes used more than `QUIET` of the cores is taken again, for at most as long
    as the whole measurement should take; what is still missing then is measured beside them.
    """
    times: dict[str, list[float]] = {side: [] for side in workers}
    for worker in workers.values():
        worker.ask(what)
    start = time.perf_counter()
    end, patience = start + seconds, start + 2 * seconds
    while (now := time.perf_counter()) < end or len(next(iter(times.values()))) < 3:
        others = _seconds_of_others(workers)
        taken = {side: worker.ask(what) for side, worker in workers.items()}
        passed = time.perf_counter() - now
        if _seconds_of_others(workers) - others > QUIET * passed * _cores() and now < patience:
            end = min(end + passed, patience)
            continue
        for side, milliseconds in taken.items():
            times[side].append(milliseconds)
    return times


def _seconds_of_others(workers: dict[str, Worker]) -> float:
    """Seconds of computing since boot by processes that are not measured (Linux; elsewhere always 0)."""
    try:
        machine = Path("/proc/stat").read_text(encoding="utf-8").split(maxsplit=9)[1:9]
        user, nice, system, _, _, irq, softirq, stolen = map(int, machine)
        measured = 0
        for pid in ("self", *(worker.pid for worker in workers.values())):
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            measured += int(fields[11]) + int(fields[12])  # in user and in system mode
    except OSError:
        return 0.0
    return (user + nice + system + irq + softirq + stolen - measured) / os.sysconf("SC_CLK_TCK")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def setting() -> dict[str, Any]:
    """What is measured on, and when."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": _commit(),
        "cpu": _cpu(),
        "cores": _cores(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        **({"gpu": _gpu()} if on_gpu() else {}),
    }


def record(rows: list[dict[str, Any]]) -> None:
    """Append one line per measurement to the history, with what it was measured on."""
    measured_on = setting()
    with HISTORY.open("a", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps({**measured_on, **row}) + "\n")


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=HISTORY.parent
    )
    return done.stdout.strip() or "?"


def _gpu() -> str:
    import cupy

    return str(cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode())


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()
