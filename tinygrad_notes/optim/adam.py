"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .. import backend
from .optimizer import Call, Optimizer


class Adam(Optimizer):
    """w ← w − lr m̂ / (√v̂ + ε), m and v running means of g and g², corrected for their start at 0.

    Kingma & Ba 2015, with ε outside the root of the corrected v̂. `weight_decay` is L2: λw is added to
    g and so divided by √v̂ too; AdamW shrinks w directly. `amsgrad` (Reddi et al. 2018) divides
    by the largest v so far, taken before its correction, as torch does.
    """

    kernel = "adam_update"
    states = ("step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    decoupled = False

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, amsgrad: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            params, lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay, amsgrad=amsgrad
        )

    def _check(self, group: Mapping[str, Any]) -> None:
        super()._check(group)
        betas = group["betas"]
        if len(betas) != 2 or not all(0 <= b < 1 for b in betas):
            raise ValueError(f"{type(self).__name__}: betas must be two numbers in [0, 1), got {betas}")

    def _call(self, p: Any, g: Any, state: dict[str, Any], group: Mapping[str, Any]) -> Call:
        xp = backend.xp
        if not state:
            state["step"] = 0
            state["exp_avg"], state["exp_avg_sq"] = xp.zeros_like(p), xp.zeros_like(p)
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = xp.zeros_like(p)
        state["step"] += 1
        decay, lr = group["weight_decay"], group["lr"]
        numbers = dict(
            lr=lr, beta1=group["betas"][0], beta2=group["betas"][1], eps=group["eps"],
            l2=0 if self.decoupled else decay, decay=lr * decay if self.decoupled else 0,
            step=state["step"],
        )  # fmt: skip
        return (p, g, state["exp_avg"], state["exp_avg_sq"], state.get("max_exp_avg_sq")), numbers


class AdamW(Adam):
    """Adam with decoupled weight decay: w ← (1 − lr λ) w before the step.  Loshchilov & Hutter 2019."""

    decoupled = True

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2, amsgrad: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)
