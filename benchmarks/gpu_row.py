"""``python -m benchmarks.gpu_row NAME``: one row of ``benchmarks.gpu`` in a process of its own, as JSON.

``limits`` measures the card alone. ``--dry-run`` counts on the stand-in for CuPy instead of timing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_notes as tg
from tinygrad_notes import backend

from . import gpu_case, harness
from .gpu import NAMES
from .gpu_case import Case

Step = Callable[[], Any]
BURST = 0.2  # seconds


def dry(name: str) -> dict[str, Any]:
    """What a step launches on the stand-in, beside the rules that it runs; is a captured one equal?"""
    import cupy

    case = gpu_case.case_of(name, tiny=True)
    model = case.build(tg, 0.0)
    state = {key: value.copy() for key, value in model.state_dict().items()}
    step = case.step(tg, model)
    losses = [step().item()]  # the first one makes the state of the optimizer as well
    with gpu_case.rules_counted() as rules:
        cupy._standin.reset()
        loss = step()
        counted = {kind: getattr(cupy._standin, kind).total() for kind in ("launches", "syncs", "transfers")}
    losses.append(loss.item())
    updates = sum(1 for _ in model.parameters())
    total = rules["forward"] + rules["backward"] + updates
    row = {
        "name": name, **rules, "updates": updates, "rules": total, **counted,
        "launches_per_rule": round(counted["launches"] / total, 2),
    }  # fmt: skip
    captured = _captured(case, state)
    row["captured_equal"] = losses == [captured().item(), captured().item()]
    captured()  # the third call is recorded
    cupy._standin.reset()
    captured()
    copies = 1  # of the loss, which the caller may keep
    return row | {"captured_launches": cupy._standin.launches.total() - copies}


def _captured(case: Case, state: dict[str, Any]) -> Step:
    """The step as a graph of the device, from the weights `state`."""
    model = case.build(tg, 0.0)
    model.load_state_dict(state)
    return tg.capture(case.step(tg, model))


def limits() -> dict[str, float]:
    """GFLOP/s of a float32 product of 8192² matrices, and GB/s of a copy of 1 GiB: read and written."""
    import cupy

    a = cupy.ones((8192, 8192), cupy.float32)
    x = cupy.ones(2**28, cupy.float32)
    y = cupy.empty_like(x)

    def copy() -> None:
        y[...] = x

    product, copied = (min(_burst(f, 3) for _ in range(5)) for f in (lambda: a @ a, copy))
    return {"gflops": 2 * 8192**3 / product / 1e6, "gbs": 2 * x.nbytes / copied / 1e6}


def _burst(step: Step, count: int) -> float:
    """Milliseconds of one step, of `count` in a row, between two events of CUDA on a device that is idle."""
    import cupy

    start, end = cupy.cuda.Event(), cupy.cuda.Event()
    cupy.cuda.Device().synchronize()
    start.record()
    for _ in range(count):
        step()
    cupy.cuda.Device().synchronize()  # of all streams: a captured step and PyTorch have their own
    end.record()
    end.synchronize()
    return float(cupy.cuda.get_elapsed_time(start, end)) / count


def in_turn(functions: dict[str, Step], seconds: float) -> dict[str, float]:
    """The median ms of each, in bursts that alternate, at least 3 of each."""
    counts = {side: max(1, int(BURST * 1e3 / max(_burst(step, 2), 0.05))) for side, step in functions.items()}
    times: dict[str, list[float]] = {side: [] for side in functions}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(times.values()))) < 3:
        for side, step in functions.items():
            times[side].append(_burst(step, counts[side]))
    return {side: statistics.median(taken) for side, taken in times.items()}


def measured(name: str, seconds: float, limit: dict[str, float]) -> dict[str, Any]:
    """A row: equal losses first, then times, memory and shares of the limits."""
    import cupy
    import torch

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    device = _device(torch)
    case = gpu_case.case_of(name)
    tg.manual_seed(0)
    model = case.build(tg, 0.0)
    state = {key: backend.to_numpy(value).copy() for key, value in model.state_dict().items()}
    step = case.step(tg, model)
    start = time.perf_counter()
    losses = [step().item()]
    first = time.perf_counter() - start
    losses += [step().item() for _ in range(2)]
    theirs = case.build(torch, 0.0)
    theirs.load_state_dict({key: torch.from_numpy(np.asarray(value)) for key, value in state.items()})
    check(name, losses, case.step(torch, theirs, device), "PyTorch")
    captured = _captured(case, state)
    check(name, losses, captured, "the captured step")
    del step, model, theirs, captured
    return {
        "name": name,
        "unit": "ms",
        "first_s": round(first, 2),
        **_timed(case, seconds, limit, cupy, torch),
    }


def _timed(case: Case, seconds: float, limit: dict[str, float], cupy: Any, torch: Any) -> dict[str, Any]:
    """Times, memory and shares of the limits of models with the dropout that the case has."""
    pool = cupy.get_default_memory_pool()
    pool.free_all_blocks()
    _torch_peak(torch, again=True)
    moved = gpu_case.traffic(case)
    pool.free_all_blocks()
    functions = {"ours": case.step(tg, case.build(tg, case.dropout))}
    _burst(functions["ours"], 3)
    mib = pool.total_bytes() / 2**20
    functions["torch"] = case.step(torch, case.build(torch, case.dropout), _device(torch))
    pool.free_all_blocks()
    free = cupy.cuda.runtime.memGetInfo()[0]
    functions["captured"] = tg.capture(case.step(tg, case.build(tg, case.dropout)))
    _burst(functions["captured"], 3)
    mib_captured = (free - cupy.cuda.runtime.memGetInfo()[0]) / 2**20
    ms = in_turn(functions, seconds)
    best = min(ms["ours"], ms["captured"])
    return {
        **{side: round(taken, 3) for side, taken in ms.items()},
        **{f"ratio_{side}": round(taken / ms["torch"], 2) for side, taken in ms.items() if side != "torch"},
        "percent_of_product": round(100 * case.gflop / best * 1e3 / limit["gflops"], 1),
        "percent_of_copy": round(100 * moved / best * 1e3 / limit["gbs"], 1),
        "mib_ours": round(mib), "mib_captured": round(mib_captured), "mib_torch": _torch_peak(torch),
    }  # fmt: skip


def _device(torch: Any) -> str:
    """The card; the CPU where CuPy is the stand-in."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def _torch_peak(torch: Any, again: bool = False) -> int:
    """MiB that PyTorch held at most, since it was asked to begin `again`."""
    if not torch.cuda.is_available():
        return 0
    if again:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    return round(torch.cuda.max_memory_reserved() / 2**20)


def check(name: str, losses: list[float], step: Step, other: str) -> None:
    """Raise unless the steps of the other give the same losses."""
    theirs = [float(step().item()) for _ in losses]
    if not np.allclose(losses, theirs, rtol=1e-3, atol=1e-3):
        raise RuntimeError(f"{name}: losses {losses} here, {theirs} of {other}; nothing timed")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_row", description=__doc__)
    parser.add_argument("name", choices=[*NAMES, "limits"])
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--limits", type=json.loads, default={}, help="what the row `limits` printed")
    parser.add_argument("--dry-run", action="store_true")
    options = parser.parse_args()
    if not harness.on_gpu():
        parser.error("set BACKEND=cupy")
    if options.name == "limits":
        row = limits()
    else:
        row = (
            dry(options.name) if options.dry_run else measured(options.name, options.seconds, options.limits)
        )
    print(json.dumps(row))


if __name__ == "__main__":
    main()
