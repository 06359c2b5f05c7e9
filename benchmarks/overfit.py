"""``python -m benchmarks.overfit --data DIR [NAME...]``: the large networks learn 32 images by heart at 224².

DIR is a folder with train/<class>, of which the first 32 images are taken, at the size of the network's
input and without augmentation or dropout. Adam, batches of 8, until the cross-entropy of the 32 images in
evaluation mode is below 0.05; one line per epoch.
"""

from __future__ import annotations

import argparse
import sys
import time

import tinygrad_notes as tg
from tinygrad_notes.data import Compose, DataLoader, Normalize, Resize, load, normalization
from tinygrad_notes.tasks.images import TASK
from tinygrad_notes.tasks.images.recipes import RECIPES
from tinygrad_notes.train.loop import Trainer, evaluate

from . import harness

GOAL = 0.05
IMAGES = 32
LEARNING_RATES = {"alexnet": 1e-4, "vgg16": 1e-4, "googlenet": 3e-4, "resnet18": 1e-3}


def overfit(name: str, data: str, epochs: int, lr: float) -> tuple[int, float]:
    """(epochs, cross-entropy) when the goal is reached, or after the last epoch."""
    tg.manual_seed(0)
    train, _ = load(data, size=32, limit=IMAGES)
    recipe = RECIPES[name]
    assert recipe.size is not None
    model = recipe.build((3, recipe.size, recipe.size), len(train.classes), recipe.variants[0])
    for module in model.modules():
        if isinstance(module, tg.nn.Dropout):
            module.p = 0.0
    transform = Compose([Resize(recipe.size), Normalize(*normalization(train))])
    batches = DataLoader(train, 8, shuffle=True, transform=transform)
    trainer = Trainer(TASK, model, tg.optim.Adam(model.parameters(), lr=lr), batches)
    whole = DataLoader(train, 8, transform=transform)
    start, loss = time.perf_counter(), float("inf")
    for epoch in range(1, epochs + 1):
        trained = trainer.fit(epoch)[-1]["train_loss"]
        figures = evaluate(TASK, model, whole).figures
        loss, right, seconds = (
            figures["loss"],
            round(IMAGES * figures["accuracy"]),
            time.perf_counter() - start,
        )
        print(f"{name} epoch {epoch}: training loss {trained:.4f}, cross-entropy {loss:.4f}, "
              f"{right} of {IMAGES} right, {seconds:.0f} s", flush=True)  # fmt: skip
        if loss < GOAL:
            return epoch, loss
    return epochs, loss


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overfit", description=__doc__)
    parser.add_argument("names", nargs="*", default=list(LEARNING_RATES), help="default: all four networks")
    parser.add_argument("--data", required=True, help="a folder of train/<class> and test/<class>")
    parser.add_argument("--epochs", type=int, default=100, help="at most; default 100")
    parser.add_argument("--lr", type=float, help="default: " + str(LEARNING_RATES))
    parser.add_argument("--record", action="store_true", help="append to benchmarks/history.jsonl")
    options = parser.parse_args()
    unknown = set(options.names) - set(LEARNING_RATES)
    if unknown:
        parser.error(f"unknown {', '.join(sorted(unknown))}; choose from {', '.join(LEARNING_RATES)}")
    rows = []
    for name in options.names:
        epochs, loss = overfit(name, options.data, options.epochs, options.lr or LEARNING_RATES[name])
        rows.append({"name": f"{name} overfit", "images": IMAGES, "epochs": epochs, "loss": round(loss, 4)})
    if options.record:
        harness.record(rows)
    sys.exit(any(row["loss"] >= GOAL for row in rows))


if __name__ == "__main__":
    main()
