"""Losses: what outliers do to squared errors, and squared errors to classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import optim
from ..autograd import Tensor
from ..nn import Linear, ReLU
from ..ops.activation import softmax
from ..ops.loss import cross_entropy, huber_loss, mse_loss
from .finding import Finding, Line, Panel
from .fitting import digits, fit, measured, network, seeded, smooth, steps

SLOPE, OFFSET, OUTLIERS = 2.0, 1.0, 0.1


def run(seed: int, share: float) -> Finding:
    rows, fitted, points = _outliers(seed, share)
    right, curves = {}, {}
    data, count = digits(2000), steps(300, share)
    for name, loss_of in (("squared error", _squared), ("cross-entropy", cross_entropy)):
        seeded(seed)
        model = network((784, 64, 10), ReLU)
        ours: list[float] = []

        def look(step: int, loss: float, model: Any = model, ours: list[float] = ours) -> None:
            ours.append(measured(model, data.x[:500], data.y[:500])[1])

        optimizer = optim.SGD(model.parameters(), 0.1)
        fit(model, optimizer, data, count, seed=seed, loss_of=loss_of, after=look)
        right[name] = measured(model, data.test_x, data.test_y)[1]
        rows.append([f"classes, {name}", "-", "-", f"{right[name]:.1f} %"])
        curves[name] = range(1, count + 1), smooth(ours)
    slopes = {row[0]: row[1] for row in rows[:2]}
    squared, huber = (float(slopes[f"a line, {kind}"]) for kind in ("squared error", "Huber"))
    return Finding(
        ("task and loss", "slope", "offset", "test right"), rows,
        f"With {100 * OUTLIERS:.0f} % of outliers squared errors find a slope of {squared:.2f} and Huber's "
        f"loss one of {huber:.2f} where it is {SLOPE:g}; for classes cross-entropy has "
        f"{right['cross-entropy']:.1f} % right after {count} steps, squared errors of the softmax "
        f"{right['squared error']:.1f} %.",
        [
            Panel("a line with outliers", "x", "y", fitted, dots={"data": points}),
            Panel("classes: the same steps", "step", "training digits right (%)", curves),
        ],
    )  # fmt: skip


def _outliers(seed: int, share: float) -> tuple[list[list[str]], dict[str, Line], Line]:
    """A line through 100 points, of which the last tenth lies far too low."""
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(-1, 1, 100)).astype(np.float32)[:, None]
    y = (SLOPE * x + OFFSET + 0.1 * rng.standard_normal(x.shape)).astype(np.float32)
    y[-round(OUTLIERS * len(y)) :] -= 8
    rows, fitted = list[list[str]](), dict[str, Line]()
    for name, loss_of in (("squared error", mse_loss), ("Huber", lambda a, b: huber_loss(a, b, delta=0.2))):
        seeded(seed)
        model = Linear(1, 1)
        optimizer = optim.Adam(model.parameters(), 0.05)
        for _ in range(steps(400, share)):
            loss = loss_of(model(Tensor(x)), Tensor(y))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        slope, offset = model.weight.item(), model.bias.item()
        rows.append([f"a line, {name}", f"{slope:.2f}", f"{offset:.2f}", "-"])
        fitted[name] = x[:, 0], slope * x[:, 0] + offset
    return rows, fitted, (x[:, 0], y[:, 0])


def _squared(logits: Tensor, labels: Tensor) -> Tensor:
    """Squared errors of the softmax against one-hot rows."""
    wanted = np.eye(logits.shape[1], dtype=np.float32)[labels.numpy()]
    return mse_loss(softmax(logits, axis=1), Tensor(wanted))
