"""``python -m benchmarks.classify [lstm] [gru] [transformer] ...``: classifiers of sequences, and PyTorch's.

Surnames and their languages, by the default settings of ``tinygrad-notes train classify``. Both sides start
from the same weights and get the same batches and learning rates; what each drops out is its own chance. It
prints the share of the test part that is right, and exits with 1 if the means over the seeds differ by more
than 1.5 points. With ``--record`` the figures are appended to `benchmarks/history.jsonl`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tests import twins
from tinygrad_notes.tasks.labels import TASK
from tinygrad_notes.tasks.labels.settings import TRANSFORMER
from tinygrad_notes.train.loop import evaluate
from tinygrad_notes.train.run import Run

from . import harness

KINDS: dict[str, dict[str, Any]] = {
    "lstm": {"cell": "lstm"},
    "bilstm": {"cell": "lstm", "bidirectional": True},
    "gru": {"cell": "gru"},
    "rnn": {"cell": "rnn", "lr": 1e-3},
    "transformer": {"cell": TRANSFORMER, "lr": 1e-3},
}
GOAL = 0.015


def run(kind: str, epochs: int, seed: int, limit: int | None) -> Run:
    """The model, its data and its schedule; nothing of it is kept on disk."""
    settings = TASK.settings(
        "classify", epochs=epochs, seed=seed, limit=limit, validation=None, **KINDS[kind]
    )
    with TemporaryDirectory() as folder:
        return Run.start(TASK, settings, Path(folder) / "run")


def ours(run: Run) -> float:
    """The test accuracy after all epochs."""
    run.trainer.fit(run.settings.epochs)
    return evaluate(TASK, run.model, _tested(run)).figures["accuracy"]


def theirs(run: Run) -> float:
    """The same of PyTorch's layers, optimizer and arithmetic on the batches of `run`."""
    torch: Any = importlib.import_module("torch")
    torch.manual_seed(run.settings.seed)
    settings, trainer = run.settings, run.trainer
    net = twins.classifier(run.model, settings.cell, settings.bidirectional, settings.dropout, settings.heads)
    twins.copy_weights(run.model, net)
    optimizer = torch.optim.Adam(net.parameters(), lr=settings.lr)
    for _ in range(settings.epochs):
        net.train()
        for batch in trainer.train:
            values, lengths, labels = (torch.from_numpy(part.numpy()) for part in batch)
            optimizer.param_groups[0]["lr"] = trainer.optimizer.param_groups[0]["lr"]
            loss = torch.nn.functional.cross_entropy(net(values, lengths), labels)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), settings.clip_norm)
            optimizer.step()
            trainer.schedule.step()
    net.eval()
    hits = 0
    with torch.no_grad():
        for batch in _tested(run):
            values, lengths, labels = (torch.from_numpy(part.numpy()) for part in batch)
            hits += int((net(values, lengths).argmax(1) == labels).sum())
    return hits / len(run.parts.test)


def _tested(run: Run) -> Any:
    return TASK.batches(run.settings, run.facts, run.parts.test, training=False)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.classify", description=__doc__)
    parser.add_argument("names", nargs="*", default=list(KINDS), help="default: " + " ".join(KINDS))
    parser.add_argument("--epochs", type=int, default=15, help="default 15")
    parser.add_argument("--limit", type=int, help="samples of each part at most (default all)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="default 0 1 2")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/history.jsonl")
    options = parser.parse_args()
    if unknown := set(options.names) - set(KINDS):
        parser.error(f"unknown {', '.join(sorted(unknown))}; choose from {', '.join(KINDS)}")
    rows, missed = [], False
    for kind in options.names:
        found: dict[str, list[float]] = {"ours": [], "torch": []}
        for seed in options.seeds:
            for side, learn in (("ours", ours), ("torch", theirs)):
                start = time.perf_counter()
                found[side].append(learn(run(kind, options.epochs, seed, options.limit)))
                rows.append({"name": f"classify {kind}", "side": side, "seed": seed, "epochs": options.epochs,
                             "accuracy": found[side][-1]})  # fmt: skip
                seconds = time.perf_counter() - start
                print(
                    f"{kind} {side} seed {seed}: {100 * found[side][-1]:.2f} %, {seconds:.0f} s", flush=True
                )
        here, there = (float(np.mean(found[side])) for side in ("ours", "torch"))
        missed |= abs(here - there) > GOAL
        print(f"{kind}: {100 * here:.2f} % ours, {100 * there:.2f} % PyTorch's, "
              f"{100 * (here - there):+.2f} points over seeds {options.seeds}", flush=True)  # fmt: skip
    if options.record:
        harness.record(rows)
    sys.exit(int(missed))


if __name__ == "__main__":
    main()
