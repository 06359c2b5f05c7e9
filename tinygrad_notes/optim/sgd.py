"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .. import backend
from .optimizer import Arrays, Optimizer


class SGD(Optimizer):
    """v ← μ v + (1 − dampening) g,  w ← w − lr v, with g = ∂L/∂w + λ w; the first v is g.

    The learning rate multiplies v at the step (torch's form); in Sutskever et al. 2013 and AlexNet it
    is inside v, which differs once lr changes. `nesterov` steps along g + μ v. `maximize` climbs:
    ∂L/∂w counts with the other sign.
    """

    kernel = "sgd_update"
    states = ("momentum_buffer",)
    older = {"velocity": "momentum_buffer"}  # noqa: RUF012

    def __init__(
        self, params: Iterable[Any], lr: float, momentum: float = 0, dampening: float = 0,
        weight_decay: float = 0, nesterov: bool = False, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            params, lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay,
            nesterov=nesterov, maximize=maximize,
        )  # fmt: skip

    def _checked(self, group: Mapping[str, Any]) -> dict[str, Any]:
        checked = super()._checked(group)
        if checked["nesterov"] and (checked["momentum"] <= 0 or checked["dampening"] != 0):
            raise ValueError("SGD: nesterov needs momentum > 0 and dampening = 0")
        return checked

    def _arrays(self, p: Any, g: Any, state: dict[str, Any], group: Mapping[str, Any]) -> Arrays:
        if group["momentum"] and "momentum_buffer" not in state:
            state["momentum_buffer"] = backend.xp.empty_like(p)
        return p, g, state.get("momentum_buffer")

    def _numbers(self, state: dict[str, Any], group: Mapping[str, Any]) -> dict[str, Any]:
        numbers = {name: group[name] for name in ("lr", "momentum", "dampening", "weight_decay", "nesterov")}
        return {**numbers, "first": "momentum_buffer" not in state}
