"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .. import backend
from .optimizer import Arrays, Optimizer
from .saved import hyperparameter


class Adam(Optimizer):
    """w ← w − lr m̂ / (√v̂ + ε), m and v running means of g and g², corrected for their start at 0.

    Kingma & Ba 2015, with ε outside the root of the corrected v̂. `weight_decay` is L2: λw is added to
    g and so divided by √v̂ too; `decoupled_weight_decay` (AdamW) shrinks w directly. `amsgrad` (Reddi et
    al. 2018) divides by the largest v so far, taken before its correction, as torch does. `maximize` climbs.

    In float32 g² overflows for |g| > 1.8e19 (√3.4e38; in float16 for |g| > 255): v is infinite from then on
    and that weight never moves again, in torch too. `tg.detect_anomaly` refuses such a step.
    """

    kernel = "adam_update"
    states = ("step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    squares = True

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, amsgrad: bool = False, *, maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad,
            maximize=maximize, decoupled_weight_decay=decoupled_weight_decay,
        )  # fmt: skip

    def _checked(self, group: Mapping[str, Any]) -> dict[str, Any]:
        checked, name = super()._checked(group), type(self).__name__
        betas = group["betas"]
        if not isinstance(betas, list | tuple) or len(betas) != 2:
            raise ValueError(f"{name}: betas must be two numbers in [0, 1), got {betas}")
        checked["betas"] = tuple(hyperparameter(f"{name}: betas", b) for b in betas)
        if not all(b < 1 for b in checked["betas"]):
            raise ValueError(f"{name}: betas must be two numbers in [0, 1), got {betas}")
        return checked

    def _missing(self, state: Mapping[str, Any], group: Mapping[str, Any]) -> set[str]:
        wanted = {"step", "exp_avg", "exp_avg_sq"} | ({"max_exp_avg_sq"} if group["amsgrad"] else set())
        return wanted - state.keys() if state else set()

    def _arrays(self, p: Any, g: Any, state: dict[str, Any], group: Mapping[str, Any]) -> Arrays:
        xp = backend.xp
        if "exp_avg" not in state:
            state["exp_avg"], state["exp_avg_sq"] = xp.zeros_like(p), xp.zeros_like(p)
        if group["amsgrad"] and "max_exp_avg_sq" not in state:
            state["max_exp_avg_sq"] = xp.zeros_like(p)
        largest = state["max_exp_avg_sq"] if group["amsgrad"] else None
        return p, g, state["exp_avg"], state["exp_avg_sq"], largest

    def _numbers(self, state: dict[str, Any], group: Mapping[str, Any]) -> dict[str, Any]:
        state["step"] = state.get("step", 0) + 1
        decay, decoupled = group["weight_decay"], group["decoupled_weight_decay"]
        return dict(
            lr=group["lr"], beta1=group["betas"][0], beta2=group["betas"][1], eps=group["eps"],
            l2=0 if decoupled else decay, decay=group["lr"] * decay if decoupled else 0, step=state["step"],
        )  # fmt: skip


class AdamW(Adam):
    """Adam with decoupled weight decay: w ← (1 − lr λ) w before the step.  Loshchilov & Hutter 2019."""

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True
        )

    def _checked(self, group: Mapping[str, Any]) -> dict[str, Any]:
        checked = super()._checked(group)
        if not checked["decoupled_weight_decay"]:
            raise ValueError("AdamW: decoupled_weight_decay is False; Adam has the L2 decay")
        return checked
