"""Learning rates over a whole training, by the name that a configuration gives."""

from __future__ import annotations

import math
from typing import Any

from ..optim import Optimizer
from ..optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, StepLR

SCHEDULES = {
    "cosine": "down to 0",
    "step": "a tenth after each quarter",
    "resnet": "a tenth after 1/2 and after 3/4",
    "resnet-warmup": "the same, and a tenth for the first 400 steps",
    "googlenet": "4 % less every 8 epochs",
    "linear": "down to a ten-thousandth",
    "constant": "always the same",
}


WARMUP = 400  # steps: where He et al. saw the training error of ResNet-110 below 80 %


class Drops(LRScheduler):
    """lr · 0.1^(number of `milestones` passed), and lr / 10 in the first `warmup` steps.

    He et al. 2015, section 4.2.
    """

    def __init__(self, optimizer: Optimizer, milestones: tuple[int, ...], warmup: int = 0) -> None:
        self.milestones, self.warmup = milestones, warmup
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        if step < self.warmup:
            return 0.1
        return 0.1 ** sum(step >= milestone for milestone in self.milestones)


def make_schedule(name: str, optimizer: Optimizer, epochs: int, batches: int) -> Any:
    """The schedule over `epochs` of `batches` each; None for a constant learning rate."""
    steps = epochs * batches
    if name == "cosine":
        return CosineAnnealingLR(optimizer, steps)
    if name == "step":
        return StepLR(optimizer, max(1, math.ceil(steps / 4)))
    if name == "linear":  # as word2vec.c, never 0
        return LinearLR(optimizer, 1.0, 1e-4, steps)
    if name.startswith("resnet"):
        milestones = math.ceil(steps / 2), math.ceil(3 * steps / 4)
        return Drops(optimizer, milestones, WARMUP if name == "resnet-warmup" else 0)
    if name == "googlenet":
        return StepLR(optimizer, 8 * batches, 0.96)
    return None
