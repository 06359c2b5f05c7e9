"""``python -m benchmarks.accuracy --data DIR``: ResNet-20 from scratch, here and in PyTorch.

Both start from the same weights and get the same augmented batches and learning rates (He et al. 2015,
section 4.2, in fewer epochs), so what differs is the framework alone. DIR is a folder with train/<class>
and test/<class>, or a name that ``tinygrad-notes train --data`` takes. It prints one line per epoch;
with ``--record`` the last accuracies are appended to `benchmarks/history.jsonl`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tests import twins
from tinygrad_notes.tasks.images import TASK
from tinygrad_notes.train.loop import evaluate
from tinygrad_notes.train.run import Run

from . import harness

NAME = "resnet20"


def run(data: str, epochs: int, seed: int) -> Run:
    """The network, its data and its schedule; nothing of it is kept on disk."""
    settings = TASK.settings(NAME, data=data, epochs=epochs, seed=seed, validation=None)
    with TemporaryDirectory() as folder:
        return Run.start(TASK, settings, Path(folder) / "run")


def ours(run: Run) -> Iterator[tuple[float, float]]:
    """(training loss, test accuracy) after each epoch."""
    for epoch in range(run.settings.epochs):
        line = run.trainer.fit(epoch + 1)[-1]
        yield line["train_loss"], evaluate(TASK, run.model, _tested(run)).figures["accuracy"]


def theirs(run: Run) -> Iterator[tuple[float, float]]:
    """The same of PyTorch's network, optimizer and arithmetic on the batches of `run`."""
    import torch

    net = twins.resnet((3, 3, 3), (16, 32, 64), len(run.facts["classes"]), "A", False)
    twins.copy_weights(run.model, net)
    net.to(harness.torch_device())
    config, trainer = run.settings, run.trainer
    optimizer = torch.optim.SGD(
        net.parameters(), lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay
    )
    for _ in range(config.epochs):
        net.train()
        losses = []
        for x, y in _arrays(trainer.train):
            optimizer.param_groups[0]["lr"] = trainer.optimizer.param_groups[0]["lr"]
            loss = torch.nn.functional.cross_entropy(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            trainer.schedule.step()
            losses.append((loss.item(), len(y)))
        net.eval()
        with torch.no_grad():
            hits = [int((net(x).argmax(1) == y).sum()) for x, y in _arrays(_tested(run))]
        samples = sum(n for _, n in losses)
        yield sum(loss * n for loss, n in losses) / samples, sum(hits) / len(run.parts.test)


def _tested(run: Run) -> Any:
    return TASK.batches(run.settings, run.facts, run.parts.test, training=False)


def _arrays(loader: Any) -> Iterator[Any]:
    import torch

    device = harness.torch_device()
    return (tuple(torch.from_numpy(part.numpy()).to(device) for part in batch) for batch in loader)


SIDES: dict[str, Callable[[Run], Iterable[tuple[float, float]]]] = {"ours": ours, "torch": theirs}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--data", required=True, help="a folder of train/<class>, test/<class>, or a name")
    parser.add_argument("--epochs", type=int, default=16, help="default 16")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="default 0 1")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES), help="default both")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/history.jsonl")
    options = parser.parse_args()
    rows = []
    for side in options.sides:
        for seed in options.seeds:
            start = time.perf_counter()
            accuracy = 0.0
            for epoch, (loss, accuracy) in enumerate(SIDES[side](run(options.data, options.epochs, seed)), 1):
                seconds = time.perf_counter() - start
                line = f"loss {loss:.4f}, test {accuracy:.4f}, {seconds:.0f} s"
                print(f"{side} seed {seed} epoch {epoch}: {line}", flush=True)
            rows.append(
                {
                    "name": f"{NAME} accuracy",
                    "side": side,
                    "seed": seed,
                    "epochs": options.epochs,
                    "accuracy": accuracy,
                }
            )
        mean = np.mean([row["accuracy"] for row in rows if row["side"] == side])
        print(f"{side}: mean {100 * mean:.2f} % over seeds {options.seeds}", flush=True)
    if options.record:
        harness.record(rows)


if __name__ == "__main__":
    main()
