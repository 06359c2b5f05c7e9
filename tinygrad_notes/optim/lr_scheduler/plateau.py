"""The schedule that looks at a figure instead of counting."""

from __future__ import annotations

import math
from typing import Any

from ..optimizer import Optimizer
from .base import LRScheduler, one_per_group, real, whole


class ReduceLROnPlateau(LRScheduler):
    """Multiply the rates by `factor` when ``step(metrics)`` got no better for more than `patience` steps.

    Better is below best · (1 − threshold), with threshold_mode="abs" below best − threshold; in mode
    "max" above best · (1 + threshold) or best + threshold. After a cut `cooldown` steps do not count.
    No rate falls below `min_lr` (one number, or one for each group) nor changes by `eps` or less.
    """

    progress = ("last_epoch", "best", "cooldown_counter", "num_bad_epochs", "_last_lr")

    def __init__(
        self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1, patience: int = 10,
        threshold: float = 1e-4, threshold_mode: str = "rel", cooldown: int = 0,
        min_lr: float | list[float] = 0, eps: float = 1e-8,
    ) -> None:  # fmt: skip
        name = "ReduceLROnPlateau"
        self._attach(optimizer)
        self.cut = real(f"{name}: factor", factor)
        if self.cut >= 1:
            raise ValueError(f"{name}: factor must be below 1, got {factor}")
        if mode not in ("min", "max"):
            raise ValueError(f"{name}: mode must be 'min' or 'max', got {mode!r}")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"{name}: threshold_mode must be 'rel' or 'abs', got {threshold_mode!r}")
        self.mode, self.threshold_mode = mode, threshold_mode
        self.threshold = real(f"{name}: threshold", threshold)
        self.patience = whole(f"{name}: patience", patience, 0)
        self.cooldown = whole(f"{name}: cooldown", cooldown, 0)
        self.eps, self.min_lr = real(f"{name}: eps", eps), min_lr
        one_per_group(f"{name}: min_lr", min_lr, len(optimizer.param_groups))
        self.last_epoch = self.cooldown_counter = self.num_bad_epochs = 0
        self.best = math.inf if mode == "min" else -math.inf
        self._last_lr = self._found()

    def step(self, metrics: Any) -> None:  # type: ignore[override]
        """Count one epoch whose figure was `metrics`: a number or a Tensor of one."""
        current = float(metrics)
        self.last_epoch += 1
        if self._is_better(current):
            self.best, self.num_bad_epochs = current, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = self._found()

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        least = one_per_group("ReduceLROnPlateau: min_lr", self.min_lr, len(groups))
        for group, low in zip(groups, least, strict=True):
            reduced = max(group["lr"] * self.cut, low)
            if group["lr"] - reduced > self.eps:
                group["lr"] = reduced

    def _is_better(self, current: float) -> bool:
        sign = -1 if self.mode == "min" else 1
        if self.threshold_mode == "rel":
            limit = self.best * (1 + sign * self.threshold)
        else:
            limit = self.best + sign * self.threshold
        return sign * current > sign * limit
