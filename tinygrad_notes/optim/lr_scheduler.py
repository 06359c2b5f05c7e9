"""Learning-rate schedules: after every epoch (or batch) call ``step()``; lr is a function of the count.

Each schedule is a closed formula of the number of steps, so restoring the count restores it exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from .optimizer import Optimizer


class LRScheduler:
    """Base: a subclass defines `factor(step)`, the multiple of each group's first learning rate."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.base_lrs = [group["lr"] for group in optimizer.param_groups]
        self.last_epoch = 0
        self._apply()

    def factor(self, step: int) -> float:
        raise TypeError(f"{type(self).__name__} defines no factor(step)")

    def _apply(self) -> None:
        for group, lr in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = lr * self.factor(self.last_epoch)

    def step(self) -> None:
        """Count one epoch and set the learning rates."""
        self.last_epoch += 1
        self._apply()

    def get_last_lr(self) -> list[float]:
        """The learning rate of every group now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.last_epoch, self.base_lrs = int(state["last_epoch"]), list(state["base_lrs"])
        self._apply()


class StepLR(LRScheduler):
    """lr · gamma^⌊step / step_size⌋."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        if step_size < 1:
            raise ValueError(f"StepLR: step_size must be at least 1, got {step_size}")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return self.gamma ** (step // self.step_size)


class CosineAnnealingLR(LRScheduler):
    """From lr down to eta_min along half a cosine in T_max steps.  Loshchilov & Hutter 2017."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        if T_max < 1:
            raise ValueError(f"CosineAnnealingLR: T_max must be at least 1, got {T_max}")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def _apply(self) -> None:
        cosine = self.factor(self.last_epoch)
        for group, lr in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = self.eta_min + (lr - self.eta_min) * cosine

    def factor(self, step: int) -> float:
        return (1 + math.cos(math.pi * step / self.T_max)) / 2


class LinearWarmup(LRScheduler):
    """lr · (step + 1) / steps for the first `steps` steps, then `after(step − steps)` (default 1).

    `after` is a function of the steps past the warm-up, e.g. ``lambda s: 0.5 ** (s // 10)``.
    """

    def __init__(self, optimizer: Optimizer, steps: int, after: Callable[[int], float] | None = None) -> None:
        if steps < 1:
            raise ValueError(f"LinearWarmup: steps must be at least 1, got {steps}")
        self.steps, self.after = steps, after
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        if step < self.steps:
            return (step + 1) / self.steps
        return 1.0 if self.after is None else self.after(step - self.steps)
