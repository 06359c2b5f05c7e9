"""Schedules made of schedules: side by side, or one after another."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from ..optimizer import Optimizer
from .base import LRScheduler, whole
from .plateau import ReduceLROnPlateau


class _Combined(LRScheduler):
    """The parts, their check and their states."""

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler]) -> None:
        name = type(self).__name__
        self._attach(optimizer)
        self._schedulers = list(schedulers)
        for i, part in enumerate(self._schedulers):
            if isinstance(part, ReduceLROnPlateau):
                raise ValueError(f"{name}: ReduceLROnPlateau (number {i}) needs a figure; step it by itself")
            if not isinstance(part, LRScheduler):
                raise TypeError(f"{name}: number {i} is a {type(part).__name__}, not a schedule")
            if part.optimizer is not optimizer:
                raise ValueError(f"{name}: number {i} ({type(part).__name__}) has another optimizer")
        if not self._schedulers:
            raise ValueError(f"{name}: needs at least one schedule")

    def _all(self) -> list[LRScheduler]:
        return [self, *(found for part in self._schedulers for found in part._all())]

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"_schedulers": [part.state_dict() for part in self._schedulers]}

    def _fit(self, state: Any) -> list[tuple[LRScheduler, dict[str, Any]]]:
        own = super()._fit(state)
        parts = state.get("_schedulers")
        if not isinstance(parts, list | tuple) or len(parts) != len(self._schedulers):
            name, count = type(self).__name__, len(self._schedulers)
            raise ValueError(f"{name}: the state must have {count} '_schedulers'")
        return own + [pair for part, saved in zip(self._schedulers, parts, strict=True)
                      for pair in part._fit(saved)]  # fmt: skip


class ChainedScheduler(_Combined):
    """All of them at every step: their factors multiply."""

    progress = ("_last_lr",)

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        first = schedulers[0].optimizer if optimizer is None and schedulers else optimizer
        super().__init__(first, schedulers)  # type: ignore[arg-type]
        self._last_lr = self._found()

    def step(self) -> None:
        for part in self._schedulers:
            part.step()
        self._last_lr = self._found()

    def _enter(self) -> None:
        for part in self._schedulers:
            part._enter()
        self._last_lr = self._found()

    def _leave(self) -> None:
        for part in reversed(self._schedulers):
            part._leave()
        self._last_lr = self._found()


class SequentialLR(_Combined):
    """One after another: number i + 1 takes over, at its own step 0, when `milestones[i]` steps are done."""

    progress = ("last_epoch", "_last_lr")

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int]
    ) -> None:
        super().__init__(optimizer, schedulers)
        self._milestones = [whole("SequentialLR: milestones", m, 0) for m in milestones]
        given, count = len(self._milestones), len(self._schedulers)
        if given != count - 1:
            raise ValueError(f"SequentialLR: {count} schedules need {count - 1} milestones, got {given}")
        if sorted(self._milestones) != self._milestones:
            raise ValueError(f"SequentialLR: milestones must increase, got {self._milestones}")
        for part in reversed(self._schedulers):  # each has begun when it was made
            part._leave()
        self._enter()

    def _now(self) -> LRScheduler:
        return self._schedulers[bisect_right(self._milestones, self.last_epoch)]

    def step(self) -> None:
        before = self._now()
        self.last_epoch += 1
        if self._now() is before:
            before.step()
        else:
            before._leave()
            self._now()._enter()
        self._last_lr = self._found()

    def _enter(self) -> None:
        self.last_epoch = 0
        self._now()._enter()
        self._last_lr = self._found()

    def _leave(self) -> None:
        self._now()._leave()
        self._last_lr = self._found()
