"""The loop that studies share, and the digits as rows of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .. import backend, optim
from ..autograd import Tensor, no_grad
from ..data import load_digits
from ..nn import Linear, Module, Sequential
from ..ops.loss import cross_entropy


class Data(NamedTuple):
    """Rows (N, 784) in [0, 1] and labels (N,), for training and for testing."""

    x: np.ndarray
    y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray


def digits(train: int, test: int = 1000) -> Data:
    """The first images of both parts, which hold all ten digits."""
    parts = []
    for dataset, count in zip(load_digits(), (train, test), strict=True):
        images, labels = dataset[np.arange(count)]
        parts += [images.reshape(count, -1).astype(np.float32) / 255, labels]
    return Data(*parts)


def network(sizes: Sequence[int], activation: Callable[[], Module], extra: Any = None) -> Sequential:
    """Linear layers with an activation between each two; `extra(size)`, if any, is put before it."""
    layers: list[Module] = []
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        layers.append(Linear(inputs, outputs))
        if i < len(sizes) - 2:
            layers += [extra(outputs)] if extra else []
            layers.append(activation())
    return Sequential(*layers)


def fit(
    model: Module, optimizer: optim.Optimizer, data: Data, steps: int, batch: int = 64, seed: int = 0,
    loss_of: Callable[[Any, Any], Tensor] = cross_entropy, after: Callable[[int, float], Any] | None = None,
) -> list[float]:  # fmt: skip
    """The loss of each step; rows are drawn anew each time. Ends early, with the rest NaN, where it is lost.

    `after(step, loss)` is called behind each step.
    """
    rng, losses = np.random.default_rng(seed), list[float]()
    model.train()
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(steps):
            chosen = rng.integers(len(data.x), size=batch)
            loss = loss_of(model(Tensor(data.x[chosen])), Tensor(data.y[chosen]))
            losses.append(loss.item())
            if not np.isfinite(losses[-1]):
                return losses + [float("nan")] * (steps - len(losses))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if after is not None:
                after(step, losses[-1])
    return losses


def measured(model: Module, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """(cross-entropy, percent right) in evaluation mode."""
    model.eval()
    with no_grad(), np.errstate(over="ignore", invalid="ignore"):
        logits = model(Tensor(x))
        hits = (logits.numpy().argmax(axis=1) == y).mean()
        found = cross_entropy(logits, Tensor(y)).item(), 100 * float(hits)
    model.train()
    return found


def smooth(values: Sequence[float], weight: float = 0.95) -> list[float]:
    """A running mean in which each value counts 1 − weight, corrected at the start as Adam's."""
    mean, found = 0.0, list[float]()
    for i, value in enumerate(values, 1):
        mean = weight * mean + (1 - weight) * value
        found.append(mean / (1 - weight**i))
    return found


def steps(count: int, share: float) -> int:
    """A share of `count`, at least 2."""
    return max(2, round(count * share))


def seeded(seed: int) -> None:
    """The draws of weights and dropout that follow are those of `seed`."""
    backend.manual_seed(seed)
