"""``python -m benchmarks [NAME...] [--seconds S] [--record]``: time, compare, and keep the figures."""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Console
from rich.table import Table

from . import harness, overhead, steps


def main() -> None:
    names = [*steps.NETWORKS, "overhead", "chain"]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"what to measure, of {', '.join(names)}; default all")
    parser.add_argument("--seconds", type=float, default=10, help="time for each comparison (default 10)")
    parser.add_argument(
        "--record", action="store_true", help="append the figures to benchmarks/history.jsonl"
    )
    parser.add_argument("--serve", metavar="SIDE", choices=("ours", "torch"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = set(options.names) - set(names)
    if unknown:
        parser.error(f"unknown {', '.join(sorted(unknown))}; choose from {', '.join(names)}")
    if options.serve:
        harness.serve(steps.alone(options.names[0], options.serve))
        return

    limit = harness.matmul_limit()
    console = Console()
    console.print(f"matrix product 2048³, float32: {limit:.0f} GFLOP/s (the limit)")
    table = Table(
        "measurement", "ours", "PyTorch", "ratio", "inference", "% of limit", "peak MiB ours / PyTorch"
    )
    rows = []
    for name in options.names or names:
        row = {"name": name, "limit_gflops": round(limit, 1), **measure(name, options.seconds, limit)}
        rows.append(row)
        table.add_row(
            name, f"{row['ours']} {row['unit']}", f"{row.get('torch', '-')}", f"{row.get('ratio', '-')}",
            f"{row.get('inference_ratio', '-')}",
            f"{row.get('percent_of_limit', '-')}",
            f"{row['mib_ours']} / {row['mib_torch']}" if "mib_ours" in row else "-",
        )  # fmt: skip
    console.print(table)
    if options.record:
        harness.record(rows)


def measure(name: str, seconds: float, limit: float) -> dict[str, Any]:
    """One row of the table."""
    if name == "chain":
        times = overhead.long_chain()
        total = {n: sum(t for key, t in times.items() if key.endswith(f"_{n}")) for n in (10_000, 100_000)}
        return {
            "ours": round(total[100_000], 2), "unit": "s for 100,000 ops",
            "growth_per_10x": round(total[100_000] / total[10_000], 1),
            **{key: round(t, 3) for key, t in times.items()},
        }  # fmt: skip
    if name == "overhead":
        times = harness.alternate(
            {"ours": overhead.our_chain(), "torch": overhead.torch_chain()}, seconds, warmup=5
        )
        medians = harness.summary(times)  # ms for 1000 operations = µs for one
        return {
            "unit": "µs/op", "ours": round(medians["ours"], 2), "torch": round(medians["torch"], 2),
            "ratio": round(harness.ratio(times, "ours", "torch"), 2),
        }  # fmt: skip
    steps.check(name)
    workers = {side: harness.Worker(name, side) for side in ("ours", "torch")}
    times = harness.in_turn(workers, "step", seconds)
    memory = {side: worker.ask("memory") for side, worker in workers.items()}
    forwards = harness.in_turn(workers, "forward", seconds / 3)
    for worker in workers.values():
        worker.close()
    medians = harness.summary(times)
    network = steps.NETWORKS[name]
    gflop = 3 * 2 * network.macs * network.shape[0] / 1e9  # backward costs two forwards
    kept = steps.graph_bytes(name)
    return {
        "unit": "ms", "ours": round(medians["ours"], 2), "torch": round(medians["torch"], 2),
        "ratio": round(harness.ratio(times, "ours", "torch"), 2),
        "inference_ours": round(harness.summary(forwards)["ours"], 2),
        "inference_torch": round(harness.summary(forwards)["torch"], 2),
        "inference_ratio": round(harness.ratio(forwards, "ours", "torch"), 2),
        "percent_of_limit": round(100 * gflop / (medians["ours"] / 1e3) / limit),
        "mib_ours": round(memory["ours"]), "mib_torch": round(memory["torch"]),
        "graph_bytes_ours": kept["ours"], "graph_bytes_torch": kept["torch"],
    }  # fmt: skip


main()
