"""One cycle over a whole training: the rate up and down again, the momentum the other way."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..optimizer import Optimizer
from .base import LRScheduler, one_per_group, real, whole


class OneCycleLR(LRScheduler):
    """The rate from max_lr / div_factor to max_lr and down to 1 / final_div_factor of its start.

    Meanwhile the momentum (Adam: β₁) goes from max_momentum to base_momentum and back. Smith & Topin 2018.
    The way up takes `pct_start` of the steps; with `three_phase` the way down to the start takes as long,
    then the rate falls. The optimizer's own lr and momentum are replaced at the beginning, as in torch.

    Raises ValueError for more than total_steps steps.
    """

    def __init__(
        self, optimizer: Optimizer, max_lr: float | list[float], total_steps: int | None = None,
        epochs: int | None = None, steps_per_epoch: int | None = None, pct_start: float = 0.3,
        anneal_strategy: str = "cos", cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85, max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0, final_div_factor: float = 1e4, three_phase: bool = False,
    ) -> None:  # fmt: skip
        self._attach(optimizer)
        if total_steps is not None:
            self.total_steps = whole("OneCycleLR: total_steps", total_steps)
        elif epochs is not None and steps_per_epoch is not None:
            self.total_steps = whole("OneCycleLR: epochs", epochs)
            self.total_steps *= whole("OneCycleLR: steps_per_epoch", steps_per_epoch)
        else:
            raise ValueError("OneCycleLR: give total_steps, or epochs and steps_per_epoch")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"OneCycleLR: anneal_strategy is 'cos' or 'linear', got {anneal_strategy!r}")
        self.anneal_strategy, self.cycle_momentum = anneal_strategy, cycle_momentum
        up = real("OneCycleLR: pct_start", pct_start, 0, 1) * self.total_steps
        first = real("OneCycleLR: div_factor", div_factor)
        last = 1 / real("OneCycleLR: final_div_factor", final_div_factor)
        final = self.total_steps - 1
        self._ends = (up - 1, 2 * up - 2, final) if three_phase else (up - 1, final)
        self._corners = (1.0, first, 1.0, last) if three_phase else (1.0, first, last)  # of the first rate
        self._begin(first, last, one_per_group("OneCycleLR: max_lr", max_lr, len(optimizer.param_groups)),
                    base_momentum, max_momentum)  # fmt: skip
        super().__init__(optimizer)

    def _begin(
        self, first: float, last: float, peaks: list[float], base_momentum: float | list[float],
        max_momentum: float | list[float],
    ) -> None:  # fmt: skip
        """The limits of every group go into it, under torch's names."""
        groups = self.optimizer.param_groups
        base = one_per_group("OneCycleLR: base_momentum", base_momentum, len(groups))
        most = one_per_group("OneCycleLR: max_momentum", max_momentum, len(groups))
        if self.cycle_momentum and not {"momentum", "betas"} & set(groups[0]):
            raise ValueError("OneCycleLR: cycle_momentum needs an optimizer with momentum or betas")
        for group, peak, low, high in zip(groups, peaks, base, most, strict=True):
            start = peak / first
            group.update(lr=start, initial_lr=start, max_lr=peak, min_lr=start * last)
            if self.cycle_momentum:
                group.update(base_momentum=low, max_momentum=high)

    def factor(self, step: int) -> float:
        return self._annealed(step, self._corners)

    def step(self) -> None:
        if self.last_epoch >= self.total_steps:
            raise ValueError(f"OneCycleLR: step {self.last_epoch + 1} of {self.total_steps} planned")
        if not all("max_lr" in group for group in self.optimizer.param_groups):
            raise ValueError(
                "OneCycleLR: a group was added that has no max_lr; make a new schedule for all groups"
            )
        super().step()

    def _move(self, before: Sequence[float], now: Sequence[float]) -> None:
        super()._move(before, now)
        for group in self.optimizer.param_groups if self.cycle_momentum else ():
            low, high = group["base_momentum"], group["max_momentum"]
            momentum = self._annealed(self.last_epoch, (high, low, high, high))
            if "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum

    def _annealed(self, step: int, corners: Sequence[float]) -> float:
        """Between the two `corners` of the phase that `step` lies in."""
        phase = next((i for i, end in enumerate(self._ends) if step <= end), len(self._ends) - 1)
        start, end = (0.0, *self._ends)[phase], self._ends[phase]
        done = (step - start) / (end - start) if end != start else 1.0
        a, b = corners[phase], corners[phase + 1]
        if self.anneal_strategy == "cos":
            return b + (a - b) / 2 * (1 + math.cos(math.pi * done))
        return a + (b - a) * done
