"""Training steps here and elsewhere: time, compare, keep.

``python -m benchmarks [NAME...] [--seconds S] [--peers PEER...] [--chainer PYTHON] [--record]``
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from . import harness, overhead, sequences, steps

MIB = ("mib_ours", "mib_torch", "mib_chainer")
CHAINER = ("chainer", "faster_than_chainer")
PEERS = {peer: f"PyTorch {peer}" for peer in steps.PREPARED} | {"jax": "JAX"}
READERS = {"chainer": "Chainer", "jax": "JAX"}  # they have the weights and the batch from a file


def main() -> None:
    names = [*steps.NETWORKS, *sequences.PAIRS, "overhead", "chain"]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"what to measure, of {', '.join(names)}; default all")
    parser.add_argument("--seconds", type=float, default=10, help="time for each comparison (default 10)")
    parser.add_argument(
        "--record", action="store_true", help="append the figures to benchmarks/history.jsonl"
    )
    parser.add_argument(
        "--chainer", metavar="PYTHON", help="time Chainer's training steps too, by an interpreter that has it"
    )
    parser.add_argument(
        "--peers", nargs="+", default=[], choices=PEERS, metavar="PEER",
        help=f"further columns for the image networks: {', '.join(PEERS)}",
    )  # fmt: skip
    parser.add_argument(
        "--serve", metavar="SIDE", choices=("ours", "torch", *steps.PREPARED), help=argparse.SUPPRESS
    )
    options = parser.parse_args()
    if "jax" in options.peers and not find_spec("jax"):
        parser.error("--peers jax: JAX is not installed; pip install jax")
    unknown = set(options.names) - set(names)
    if unknown:
        parser.error(f"unknown {', '.join(sorted(unknown))}; choose from {', '.join(names)}")
    if options.serve:
        (name,), side = options.names, options.serve
        if name in sequences.PAIRS:
            harness.serve(sequences.alone(name, side))
        else:
            harness.serve(overhead.alone(side) if name == "overhead" else steps.alone(name, side))
        return

    limit = harness.matmul_limit()
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(f"matrix product 2048³, float32: {limit:.0f} GFLOP/s (the limit)")
    peers = ["PyTorch", "Chainer"] if options.chainer else ["PyTorch"]
    table = Table(
        "measurement", "ours", "PyTorch", "ratio", "inference", "% of limit",
        " / ".join(["peak MiB ours", *peers]),
    )  # fmt: skip
    for peer in options.peers:
        table.add_column(PEERS[peer])
        table.add_column("ratio")
    if options.chainer:
        table.add_column("Chainer")
        table.add_column("Chainer / ours")
    rows = []
    for name in options.names or names:
        figures = measure(name, options.seconds, limit, options.chainer, options.peers)
        row = {"name": name, "limit_gflops": round(limit, 1), **figures}
        rows.append(row)
        table.add_row(
            name, f"{row['ours']} {row['unit']}", f"{row.get('torch', '-')}", f"{row.get('ratio', '-')}",
            f"{row.get('inference_ratio', '-')}",
            f"{row.get('percent_of_limit', '-')}",
            " / ".join(str(row[key]) for key in MIB if key in row) or "-",
            *(str(row.get(key, "-")) for peer in options.peers for key in (peer, f"ratio_{peer}")),
            *([str(row.get(key, "-")) for key in CHAINER] if options.chainer else []),
        )  # fmt: skip
    console.print(table)
    if options.record:
        harness.record(rows)


def measure(
    name: str, seconds: float, limit: float, chainer: str | None = None, peers: Sequence[str] = ()
) -> dict[str, Any]:
    """One row of the table."""
    if name == "chain":
        times = overhead.long_chain()
        total = {n: sum(t for key, t in times.items() if key.endswith(f"_{n}")) for n in (10_000, 100_000)}
        return {
            "ours": round(total[100_000], 2), "unit": "s for 100,000 ops",
            "growth_per_10x": round(total[100_000] / total[10_000], 1),
            **{key: round(t, 3) for key, t in times.items()},
        }  # fmt: skip
    sides = {side: [sys.executable, "-m", "benchmarks", name, "--serve", side] for side in ("ours", "torch")}
    if name == "overhead":
        workers = {side: harness.Worker(command) for side, command in sides.items()}
        times = harness.in_turn(workers, "step", seconds)
        for worker in workers.values():
            worker.close()
        medians = harness.summary(times)  # ms for 1000 operations = µs for one
        return {
            "unit": "µs/op", "ours": round(medians["ours"], 2), "torch": round(medians["torch"], 2),
            "ratio": round(harness.ratio(times, "ours", "torch"), 2),
        }  # fmt: skip
    if name in sequences.PAIRS:
        return measure_sequence(name, sides, seconds, limit)
    for peer in steps.PREPARED.keys() & set(peers):
        sides[peer] = [sys.executable, "-m", "benchmarks", name, "--serve", peer]
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.npz"
        steps.export(name, file)
        if chainer:
            sides["chainer"] = [chainer, "-m", "benchmarks.chainer_side", name, str(file)]
        if "jax" in peers:
            sides["jax"] = [sys.executable, "-m", "benchmarks.jax_side", name, str(file)]
        steps.check(name, {READERS[side]: sides[side] for side in READERS if side in sides})
        workers = {side: harness.Worker(command) for side, command in sides.items()}
        times = harness.in_turn(workers, "step", seconds)
        memory = {side: worker.ask("memory") for side, worker in workers.items()}
        forwards = harness.in_turn(workers, "forward", seconds / 3)
        for worker in workers.values():
            worker.close()
    medians = harness.summary(times)
    network = steps.NETWORKS[name]
    gflop = 3 * 2 * network.macs * network.shape[0] / 1e9  # backward costs two forwards
    kept = steps.graph_bytes(name)
    beside_chainer = {
        "chainer": round(medians["chainer"], 2),
        "faster_than_chainer": round(harness.ratio(times, "chainer", "ours"), 2),
        "inference_chainer": round(harness.summary(forwards)["chainer"], 2),
        "mib_chainer": round(memory["chainer"]),
    } if chainer else {}  # fmt: skip
    return {
        "unit": "ms", "ours": round(medians["ours"], 2), "torch": round(medians["torch"], 2),
        "ratio": round(harness.ratio(times, "ours", "torch"), 2),
        "inference_ours": round(harness.summary(forwards)["ours"], 2),
        "inference_torch": round(harness.summary(forwards)["torch"], 2),
        "inference_ratio": round(harness.ratio(forwards, "ours", "torch"), 2),
        "percent_of_limit": round(100 * gflop / (medians["ours"] / 1e3) / limit),
        "mib_ours": round(memory["ours"]), "mib_torch": round(memory["torch"]),
        "graph_bytes_ours": kept["ours"], "graph_bytes_torch": kept["torch"],
        **{peer: round(medians[peer], 2) for peer in peers},
        **{f"ratio_{peer}": round(harness.ratio(times, "ours", peer), 2) for peer in peers},
        **beside_chainer,
    }  # fmt: skip


def measure_sequence(name: str, sides: dict[str, list[str]], seconds: float, limit: float) -> dict[str, Any]:
    """The row of a sequence model."""
    sequences.check(name)
    workers = {side: harness.Worker(command) for side, command in sides.items()}
    times = harness.in_turn(workers, "step", seconds)
    memory = {side: worker.ask("memory") for side, worker in workers.items()}
    for worker in workers.values():
        worker.close()
    medians = harness.summary(times)
    pair = sequences.PAIRS[name]
    gflop = (3 if pair.trains else 1) * 2 * pair.gmacs
    return {
        "unit": "ms", "ours": round(medians["ours"], 2), "torch": round(medians["torch"], 2),
        "ratio": round(harness.ratio(times, "ours", "torch"), 2),
        "percent_of_limit": round(100 * gflop / (medians["ours"] / 1e3) / limit),
        "mib_ours": round(memory["ours"]), "mib_torch": round(memory["torch"]),
    }  # fmt: skip


main()
