"""Stochastic gradient descent on the rows of tables that a batch has read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import backend
from ..autograd import Tensor, is_grad_enabled
from ..autograd.guard import touched
from ..backend.capture import running
from ..ops.arguments import as_tensor
from ..ops.embedding import embedding
from .optimizer import Optimizer


class RowSGD(Optimizer):
    """w_v ← w_v − lr ∂L/∂w_v for the rows v that were picked: SGD, since all others have gradient 0.

    The dense gradient of a table (V, D) costs V·D numbers a step, whatever the batch. So `pick` stands in for
    `F.embedding`: it reads each row once, as a leaf of the graph, and `step` moves it. Ids that repeat add up
    in the leaf's gradient, as they do in the table's. `max_norm` limits the length of each row's gradient:
    one batch may read a row hundreds of times.

    Raises ValueError for a `max_norm` that is not above 0.
    """

    states = ()

    def __init__(self, params: Iterable[Any], lr: float, max_norm: float | None = None) -> None:
        if max_norm is not None and not max_norm > 0:
            raise ValueError(f"RowSGD: max_norm must be above 0, got {max_norm}")
        super().__init__(params, lr=lr)
        self.max_norm = max_norm
        self._picked: list[tuple[Tensor, Any, Any, Tensor]] = []  # table, rows, owners, what was read

    def pick(self, input: Any, weight: Tensor) -> Tensor:
        """F.embedding(input, weight); where operations are recorded, `step` will move the rows it read.

        Raises ValueError for a table that this optimizer does not hold.
        """
        if not (is_grad_enabled() and weight.requires_grad):
            return embedding(input, weight)
        if not any(weight is p for p in self._parameters):
            raise ValueError(f"RowSGD: a table {weight.shape} was picked from that is none of its parameters")
        rows, place, owner = backend.xp.distinct_rows(as_tensor(input)._data, len(weight))
        leaf = embedding(Tensor._wrap(rows), weight.detach())
        leaf.requires_grad = True
        self._picked.append((weight, rows, owner, leaf))
        return embedding(Tensor._wrap(place), leaf)

    def step(self) -> None:
        """Move the rows picked since the last step, in place, and forget them."""
        groups = {id(p): group for group in self.param_groups for p in group["params"]}
        for weight, rows, owner, leaf in self._picked:
            if leaf.grad is not None:
                g = self._limited(leaf.grad._data)  # of a row that owns none it is 0
                g = g if owner is None else g[owner]
                weight._data[rows] -= self._rate(weight, groups[id(weight)]) * g  # equal rows: equal values
                touched(weight._data)
        self._picked.clear()

    def _rate(self, weight: Tensor, group: dict[str, Any]) -> Any:
        """The learning rate; in a captured step on the device, where it is renewed."""
        if not running:
            return group["lr"]
        running[-1].holds_tensor(weight, "a table of RowSGD")
        return backend.each_step(lambda: np.array(group["lr"], weight.dtype))

    def _limited(self, g: Any) -> Any:
        """g (rows, D), each row at most `max_norm` long. (NaN stays: it is to be seen.)"""
        if self.max_norm is None:
            return g
        xp = backend.xp
        length = xp.sqrt(xp.sum(g * g, axis=-1, keepdims=True))
        return g * (self.max_norm / xp.maximum(length, self.max_norm))

    def zero_grad(self) -> None:
        """Forget the gradients; what was picked waits for its step."""
        for *_, leaf in self._picked:
            leaf.zero_grad()
        super().zero_grad()
