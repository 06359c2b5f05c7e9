"""Half a cosine from the rate down to eta_min: once, or again and again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..optimizer import Optimizer
from .base import LRScheduler, real, whole


def _half_cosine(done: float) -> float:
    """From 1 at done = 0 to 0 at done = 1."""
    return (1 + math.cos(math.pi * done)) / 2


class CosineAnnealingLR(LRScheduler):
    """η + (lr − η) (1 + cos(π step / T_max)) / 2, η = eta_min.  Loshchilov & Hutter 2017, without restarts.

    Beyond T_max it climbs again, as torch's does: from the bottom towards the initial rate.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max = whole("CosineAnnealingLR: T_max", T_max)
        self.eta_min = real("CosineAnnealingLR: eta_min", eta_min)
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return _half_cosine(step / self.T_max)

    def step(self) -> None:
        if (
            self.factor(self.last_epoch) == 0
        ):  # the rate is η, whatever it was before: start from the first one
            self._know_groups()
            climb = self.factor(self.last_epoch + 1)
            self._last_lr = self._found()
            self.rates = [base + (lr - self.eta_min) / climb
                          for base, lr in zip(self.base_lrs, self._last_lr, strict=True)]  # fmt: skip
        super().step()


class CosineAnnealingWarmRestarts(LRScheduler):
    """A half cosine in T_0 steps, the next in T_0 T_mult, in T_0 T_mult², …  Loshchilov & Hutter 2017.

    `step(epoch)` goes to any epoch, which may be a fraction: ``step(epoch + batch / batches)``.
    """

    progress = (*LRScheduler.progress, "T_cur", "T_i")

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0) -> None:
        self.T_0 = whole("CosineAnnealingWarmRestarts: T_0", T_0)
        self.T_mult = whole("CosineAnnealingWarmRestarts: T_mult", T_mult)
        self.eta_min = real("CosineAnnealingWarmRestarts: eta_min", eta_min)
        super().__init__(optimizer)

    def _enter(self) -> None:
        self.T_cur, self.T_i = 0, self.T_0
        super()._enter()

    def factors(self) -> list[float]:
        return [_half_cosine(self.T_cur / self.T_i)] * len(self.optimizer.param_groups)

    def _move(self, before: Sequence[float], now: Sequence[float]) -> None:
        """A rate that something else brought below `eta_min` counts as that: a restart would multiply what is
        missing, into rates below 0."""
        self._know_groups()
        for group, last in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            if group["lr"] != last:
                group["lr"] = max(group["lr"], self.eta_min)
        super()._move(before, now)

    def step(self, epoch: float | None = None) -> None:
        before = self.factors()
        position: Any
        if epoch is None:
            self.last_epoch += 1
            position, length = self.T_cur + 1, self.T_i
        else:
            position, length = real("CosineAnnealingWarmRestarts: epoch", epoch, 0), self.T_0
            self.last_epoch = math.floor(position)
        if self.T_mult == 1:
            position %= length
        while position >= length:
            position, length = position - length, length * self.T_mult
        self.T_cur, self.T_i = position, length
        self._move(before, self.factors())
