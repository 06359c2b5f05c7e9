"""What every schedule does: multiply the rates that it finds, keep count, save and restore itself."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from ...backend.capture import host_side
from ...ops.arguments import number
from ..optimizer import Optimizer


class LRScheduler:
    """Base: a subclass states `factor(step)`, and a rate is η + (r − η) · factor, η = `eta_min` (mostly 0).

    r is the rate without this schedule: what the optimizer had. If somebody else has changed the rate since
    the last step, another schedule or the user, r follows: r = η + (rate − η) / factor. So nothing is
    overwritten, and while nobody interferes a rate is its closed formula, without drift. (While a factor
    is exactly 0 the factors of others are lost: the rate is 0 with and without them.)

    `base_lrs` are the rates before any schedule (each group's "initial_lr"). A saved schedule goes with
    its optimizer's state, which has the rates themselves.
    """

    eta_min: float = 0.0
    progress: ClassVar[tuple[str, ...]] = ("last_epoch", "base_lrs", "rates", "_last_lr")

    last_epoch: int
    rates: list[float | None]  # r of every group; None: to be found from the rate at the next step
    _last_lr: list[float]

    def __init_subclass__(cls) -> None:
        if "step" in vars(cls):
            cls.step = host_side(cls.step)  # type: ignore[method-assign]

    def __init__(self, optimizer: Optimizer) -> None:
        self._attach(optimizer)
        self.base_lrs: list[float] = []
        self._enter()

    def _attach(self, optimizer: Any) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__}: needs an Optimizer, got {type(optimizer).__name__}")
        self.optimizer = optimizer

    def factor(self, step: int) -> float:
        """What a rate is multiplied by after `step` steps."""
        raise TypeError(f"{type(self).__name__} defines no factor(step)")

    def factors(self) -> list[float]:
        """The factor of every group now."""
        return [self.factor(self.last_epoch)] * len(self.optimizer.param_groups)

    @host_side
    def step(self) -> None:
        """Count one epoch (or batch) and change the rates."""
        before = self.factors()
        self.last_epoch += 1
        self._move(before, self.factors())

    def get_last_lr(self) -> list[float]:
        """The rate of every group after the latest step of this schedule."""
        return list(self._last_lr)

    # ---- rates -----------------------------------------------------------------------------------

    def _enter(self) -> None:
        """Begin, at step 0, from the rates as they are."""
        self.last_epoch = 0
        self.rates, self._last_lr = list(self._found()), self._found()
        self._know_groups()
        factors = self.factors()
        self._move([1.0] * len(factors), factors)

    def _leave(self) -> None:
        """Take back what this schedule makes of the rates."""
        factors = self.factors()
        self._move(factors, [1.0] * len(factors))

    def _move(self, before: Sequence[float], now: Sequence[float]) -> None:
        """From the rates with the factors `before` to those with the factors `now`."""
        self._know_groups()
        eta = self.eta_min
        for i, (group, was, factor) in enumerate(zip(self.optimizer.param_groups, before, now, strict=True)):
            r, lr = self.rates[i], group["lr"]
            if r is None or lr != self._last_lr[i]:
                r = self.rates[i] = eta + (lr - eta) / (was or 1.0)
            if was != factor:  # else a rate set by hand stays to the last bit
                group["lr"] = eta + (r - eta) * factor
        self._last_lr = self._found()

    def _found(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def _know_groups(self) -> None:
        """Groups may have been added since the last step."""
        for group in self.optimizer.param_groups[len(self.base_lrs) :]:
            self.base_lrs.append(group.setdefault("initial_lr", group["lr"]))
        for group in self.optimizer.param_groups[len(self.rates) :]:
            self.rates.append(None)
            self._last_lr.append(group["lr"])

    def _all(self) -> list[LRScheduler]:
        """This schedule, and those that it is made of."""
        return [self]

    def _undo_step(self) -> Callable[[], None]:
        """What takes back the next step."""
        before = [
            (s, {k: list(v) if isinstance(v, list) else v for k, v in vars(s).items()}) for s in self._all()
        ]
        options = [dict(group) for group in self.optimizer.param_groups]

        def undo() -> None:
            for schedule, values in before:
                vars(schedule).update(values)
            for group, values in zip(self.optimizer.param_groups, options, strict=True):
                group.update(values)

        return undo

    # ---- saving ----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """How far the schedule is; not its arguments."""
        found = {name: getattr(self, name) for name in self.progress}
        return {name: list(v) if isinstance(v, list) else v for name, v in found.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned. The rates themselves come with the optimizer's state.

        Raises ValueError or TypeError, with nothing changed, if something is missing or does not fit.
        """
        for schedule, values in self._fit(state_dict):
            vars(schedule).update(values)

    def _fit(self, state: Any) -> list[tuple[LRScheduler, dict[str, Any]]]:
        """What `state` sets, checked; several pairs where a schedule is made of others."""
        name = type(self).__name__
        if not isinstance(state, Mapping):
            raise TypeError(f"{name}: a state must be a dict, got {type(state).__name__}")
        groups, old = len(self.optimizer.param_groups), "_last_lr" not in state
        defaults = {"_last_lr": self._found(), "rates": state.get("base_lrs") if old else [None] * groups}
        values = {}
        for key in self.progress:
            if key not in state and key not in defaults:
                raise ValueError(f"{name}: the state lacks {key!r}; it has {sorted(map(str, state))}")
            values[key] = CHECKS[key](f"{name}: {key}", state.get(key, defaults.get(key)), groups)
        for key, value in vars(self).items():
            if key not in values and isinstance(value, int | float | str) and state.get(key, value) != value:
                raise ValueError(f"{name}: saved with {key} = {state[key]!r}, but here it is {value!r}")
        return [(self, values)]


# ---- arguments and saved values --------------------------------------------------------------------


def whole(title: str, value: Any, least: int = 1) -> int:
    """`value` as an int of at least `least`."""
    try:
        if isinstance(value, bool):
            raise TypeError
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"{title} must be a whole number, got {value!r}") from None
    if count < least:
        raise ValueError(f"{title} must be at least {least}, got {count}")
    return count


def real(title: str, value: Any, least: float = -math.inf, most: float = math.inf) -> float:
    """`value` as a finite Python number from `least` to `most`."""
    op, _, name = title.partition(": ")
    if isinstance(value, bool):
        raise TypeError(f"{title} must be a number, got {value}")
    checked = number(op, name, value)
    if not (math.isfinite(checked) and least <= checked <= most):
        limits = f"finite, from {least} to {most}" if most < math.inf else f"finite and at least {least}"
        raise ValueError(f"{title} must be {limits if least > -math.inf else 'finite'}, got {checked}")
    return checked


def one_per_group(title: str, value: Any, groups: int) -> list[float]:
    """`value`, a number for all groups or a list with one for each, as a list."""
    several = list(value) if isinstance(value, list | tuple) else [value] * groups
    if len(several) != groups:
        raise ValueError(f"{title} has {len(several)} values, the optimizer {groups} groups")
    return [real(title, v) for v in several]


def _rates(title: str, value: Any, groups: int) -> list[float]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{title} must be a list of numbers, got {value!r}")
    return one_per_group(title, value, groups)


def _rates_or_none(title: str, value: Any, groups: int) -> list[float | None]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{title} must be a list of numbers, got {value!r}")
    known = iter(_rates(title, [0.0 if v is None else v for v in value], groups))
    return [None if v is None else r for v, r in zip(value, known, strict=True)]


def _best(title: str, value: Any, groups: int) -> float:
    """A figure, or the infinity before the first one."""
    return value if value in (math.inf, -math.inf) else real(title, value)


def _count(title: str, value: Any, groups: int) -> int:
    return whole(title, value, 0)


CHECKS: dict[str, Callable[[str, Any, int], Any]] = {
    "last_epoch": lambda title, value, groups: whole(title, value, -1),  # −1: not begun, as torch has it
    "base_lrs": _rates,
    "_last_lr": _rates,
    "rates": _rates_or_none,
    "T_cur": lambda title, value, groups: real(title, value, -1),
    "T_i": lambda title, value, groups: real(title, value, 1),
    "best": _best,
    "cooldown_counter": _count,
    "num_bad_epochs": _count,
}
