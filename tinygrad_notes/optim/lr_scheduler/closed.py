"""Schedules whose factor is one formula of the step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ..optimizer import Optimizer
from .base import LRScheduler, real, whole


class StepLR(LRScheduler):
    """gamma^⌊step / step_size⌋."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = whole("StepLR: step_size", step_size)
        self.gamma = real("StepLR: gamma", gamma)
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return self.gamma ** (step // self.step_size)


class MultiStepLR(LRScheduler):
    """gamma^(number of milestones reached); one that is listed twice counts twice."""

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1) -> None:
        self.milestones = tuple(whole("MultiStepLR: milestones", m, 0) for m in milestones)
        self.gamma = real("MultiStepLR: gamma", gamma)
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return self.gamma ** sum(step >= milestone for milestone in self.milestones)


class ExponentialLR(LRScheduler):
    """gamma^step."""

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = real("ExponentialLR: gamma", gamma)
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return self.gamma**step


class ConstantLR(LRScheduler):
    """`factor` for the first `total_iters` steps, then 1."""

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5) -> None:
        self.first = real("ConstantLR: factor", factor, 0, 1)
        self.total_iters = whole("ConstantLR: total_iters", total_iters, 0)
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return self.first if step < self.total_iters else 1.0


class LinearLR(LRScheduler):
    """From start_factor straight to end_factor in `total_iters` steps."""

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5
    ) -> None:
        self.start_factor = real("LinearLR: start_factor", start_factor, 0, 1)
        self.end_factor = real("LinearLR: end_factor", end_factor, 0, 1)
        self.total_iters = whole("LinearLR: total_iters", total_iters)
        if self.start_factor == 0:
            raise ValueError("LinearLR: start_factor must be above 0; LinearWarmup starts at 1 / steps")
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        done = min(step, self.total_iters) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * done


class PolynomialLR(LRScheduler):
    """(1 − step / total_iters)^power, and 0 from then on."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0) -> None:
        self.total_iters = whole("PolynomialLR: total_iters", total_iters)
        self.power = real("PolynomialLR: power", power, 0)
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return (1 - min(step, self.total_iters) / self.total_iters) ** self.power  # type: ignore[no-any-return]


class LambdaLR(LRScheduler):
    """lr_lambda(step), a function, or a list of them with one for each group."""

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]]
    ) -> None:
        self._attach(optimizer)
        groups = len(optimizer.param_groups)
        one_each = isinstance(lr_lambda, list | tuple)
        self.lr_lambdas: list[Callable[[int], float]] = (
            list(lr_lambda) if one_each else [lr_lambda] * groups  # type: ignore[arg-type, list-item]
        )
        if len(self.lr_lambdas) != groups:
            raise ValueError(f"LambdaLR: {len(self.lr_lambdas)} functions for {groups} groups")
        if not all(map(callable, self.lr_lambdas)):
            raise TypeError(f"LambdaLR: lr_lambda must be a function of the step, got {lr_lambda!r}")
        super().__init__(optimizer)

    def factors(self) -> list[float]:
        groups = len(self.optimizer.param_groups)
        if len(self.lr_lambdas) != groups:
            raise ValueError(f"LambdaLR: {len(self.lr_lambdas)} functions for {groups} groups: append to "
                             "lr_lambdas when a group is added")  # fmt: skip
        return [f(self.last_epoch) for f in self.lr_lambdas]


class LinearWarmup(LRScheduler):
    """(step + 1) / steps for the first `steps` steps, then `after(step − steps)` (default 1).

    `after` is a function of the steps past the warm-up, e.g. ``lambda s: 0.5 ** (s // 10)``.
    """

    def __init__(self, optimizer: Optimizer, steps: int, after: Callable[[int], float] | None = None) -> None:
        self.steps, self.after = whole("LinearWarmup: steps", steps), after
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        if step < self.steps:
            return (step + 1) / self.steps
        return 1.0 if self.after is None else self.after(step - self.steps)


class NoamLR(LRScheduler):
    """d^−½ · min(s^−½, s w^−³ᐟ²): up for w steps, then down as 1/√s; s = step + 1, so it starts at 1.

    Vaswani et al. 2017, section 5.3, with d = d_model and w = warmup_steps; the optimizer's lr is a factor
    beside it: 1 for the paper's rates. Its largest is (d w)^−½, after w − 1 steps.
    """

    def __init__(self, optimizer: Optimizer, d_model: int, warmup_steps: int = 4000) -> None:
        self.d_model = whole("NoamLR: d_model", d_model)
        self.warmup_steps = whole("NoamLR: warmup_steps", warmup_steps)
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        s = step + 1
        return self.d_model**-0.5 * min(s**-0.5, s * self.warmup_steps**-1.5)  # type: ignore[no-any-return]
