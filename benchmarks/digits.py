"""``python -m benchmarks.digits [NAME...]``: how ``tinygrad-notes train`` does on the embedded digits.

Each training is the command itself with the network's recipe, in a process and a run folder of its own, one
after the other. The seconds are those of the whole command, its start and its plots included. The exit code
is 1 if one misses its goal.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from . import harness

GOALS = {"lenet5": 0.975, "mlp": 0.96}  # accuracy on the 2,000 test images, with every seed
SECONDS = 60


def train(name: str, seed: int) -> tuple[float, float]:
    """(accuracy on the test images of the best epoch's weights, seconds of the command)."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tinygrad_notes", "train", name, "--seed", str(seed), "--json",
                   "--out", str(Path(folder) / "run")]  # fmt: skip
        start = time.perf_counter()
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
        )
        seconds = time.perf_counter() - start
    return json.loads(done.stdout)["test_accuracy"], seconds


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.digits", description=__doc__)
    parser.add_argument("names", nargs="*", default=list(GOALS), help="default: " + " ".join(GOALS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="default 0 1 2")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/history.jsonl")
    options = parser.parse_args()
    unknown = set(options.names) - set(GOALS)
    if unknown:
        parser.error(f"unknown {', '.join(sorted(unknown))}; choose from {', '.join(GOALS)}")
    rows, missed = [], False
    for name in options.names:
        results = []
        for seed in options.seeds:
            accuracy, seconds = train(name, seed)
            print(f"{name} seed {seed}: {100 * accuracy:.2f} %, {seconds:.1f} s", flush=True)
            results.append((accuracy, seconds))
            rows.append({"name": f"{name} digits", "seed": seed, "accuracy": accuracy,
                         "seconds": round(seconds, 1)})  # fmt: skip
        least, longest = min(a for a, _ in results), max(s for _, s in results)
        missed |= least < GOALS[name] or longest > SECONDS
        print(
            f"{name}: at least {100 * least:.2f} % (goal {100 * GOALS[name]:.1f} %), "
            f"at most {longest:.1f} s (goal {SECONDS} s)",
            flush=True,
        )
    if options.record:
        harness.record(rows)
    sys.exit(missed)


if __name__ == "__main__":
    main()
