"""Learning rates over a whole training, by the name that a configuration gives."""

from __future__ import annotations

import math
from typing import Any

from ..optim import Optimizer
from ..optim.lr_scheduler import CosineAnnealingLR, LRScheduler, StepLR

SCHEDULES = {
    "cosine": "down to 0",
    "step": "a tenth after each quarter",
    "resnet": "a tenth after 1/2 and after 3/4",
    "googlenet": "4 % less every 8 epochs",
    "constant": "always the same",
}


class Drops(LRScheduler):
    """lr · 0.1^(number of `milestones` passed): He et al. 2015, section 4.2."""

    def __init__(self, optimizer: Optimizer, milestones: tuple[int, ...]) -> None:
        self.milestones = milestones
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return 0.1 ** sum(step >= milestone for milestone in self.milestones)


def make_schedule(name: str, optimizer: Optimizer, epochs: int, batches: int) -> Any:
    """The schedule over `epochs` of `batches` each; None for a constant learning rate."""
    steps = epochs * batches
    if name == "cosine":
        return CosineAnnealingLR(optimizer, steps)
    if name == "step":
        return StepLR(optimizer, max(1, math.ceil(steps / 4)))
    if name == "resnet":
        return Drops(optimizer, (math.ceil(steps / 2), math.ceil(3 * steps / 4)))
    if name == "googlenet":
        return StepLR(optimizer, 8 * batches, 0.96)
    return None
