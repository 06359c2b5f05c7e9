"""A task that is nothing like images, for tests of the loop: y = 2 x + 1 with noise, some of it more trusted.

A batch has three arrays, and what its samples weigh together: the loss is weighted. The best epoch is that of
the largest R².
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinygrad_notes import nn
from tinygrad_notes.data import DataLoader, held_out
from tinygrad_notes.train import Outcome, Parts, Score, Settings, Task, evaluate, option


class Rows:
    def __init__(self, count, seed=0):
        rng = np.random.default_rng(seed)
        self.x = rng.normal(size=(count, 1)).astype(np.float32)
        self.y = (2 * self.x + 1 + rng.normal(0, 0.1, (count, 1))).astype(np.float32)
        self.trust = rng.integers(1, 4, size=(count, 1)).astype(np.int32)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return self.x[index], self.y[index], self.trust[index], int(self.trust[index].sum())

    def subset(self, index):
        part = Rows(0)
        part.x, part.y, part.trust, _ = self[index]
        return part

    def fingerprint(self):
        return f"{self.x.sum():.6f} {self.y.sum():.6f}"


@dataclass(frozen=True)
class LineSettings(Settings):
    data: str = option("lines", metavar="D", help="the only data there is")
    slope: float = option(0.0, least=-10, help="where the weight starts")


class Lines(Task):
    name = "lines"
    unit = "points"
    models: ClassVar = {"line": {"epochs": 4, "batch_size": 8, "optimizer": "sgd", "lr": 0.05}}
    datasets = ("lines",)
    judge = ("r2", max)
    Settings = LineSettings

    def load(self, settings, facts=None, **how):
        rows = Rows(40)
        held = held_out(np.zeros(40), settings.validation or 0, settings.seed)
        validation = rows.subset(held) if held.any() else None
        train = rows.subset(~held)
        return Parts(train, validation, Rows(30, seed=1), {"mean": float(train.y.mean())})

    def build(self, settings, facts):
        model = nn.Linear(1, 1)
        model.weight.data = np.full((1, 1), settings.slope, np.float32)
        return model

    def batches(self, settings, facts, part, training, options=None):
        return DataLoader(part, settings.batch_size, shuffle=training)

    def score(self, model, batch, training):
        x, y, trust = batch
        error = model(x) - y
        weights = trust.astype(np.float32)
        squares = {"squares": (error * error).detach().sum(), "around": ((y - 1) ** 2).sum()}
        return Score((weights * error * error).sum() / weights.sum(), squares, {"error": error.detach()})

    def figures(self, loss, weight, sums):
        return {"loss": loss, "r2": 1 - sums["squares"] / sums["around"], "weight": weight}

    def test(self, settings, facts, model, part, options):
        found = evaluate(self, model, self.batches(settings, facts, part, training=False), each=True)
        return Outcome("tested", found.figures, each=found.each)


LINES = Lines()
