"""The perceptron of a table, with the loss it is trained by."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ...autograd import Tensor
from ...models import MLP
from ...nn import functional as F

LOSSES: dict[str, Callable[..., Tensor]] = {
    "mse": F.mse_loss,
    "half-mse": partial(F.mse_loss, convention="notes"),
    "l1": F.l1_loss,
    "huber": F.huber_loss,
}


class TableMLP(MLP):
    """Inputs (N, F) → logits (N, classes), or (N, 1): a number, less its mean, by its deviation `unit`."""

    def __init__(self, inputs: int, hidden: tuple[int, ...], facts: dict[str, Any]) -> None:
        self.classes = len(facts.get("classes", ()))
        super().__init__((inputs, *hidden, self.classes or 1))
        self.mean, self.unit = facts.get("mean", 0.0), facts.get("std", 1.0)
        self.loss = F.cross_entropy if self.classes else LOSSES[facts["loss"]]
