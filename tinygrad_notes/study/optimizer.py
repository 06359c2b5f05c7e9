"""Optimizers: their paths through a long valley, and their curves on digits."""

from __future__ import annotations

import numpy as np

from .. import optim
from ..autograd import Tensor
from ..nn import Parameter, ReLU
from .finding import Finding, Panel
from .fitting import digits, fit, measured, network, seeded, smooth, steps

KINDS = {  # name: (optimizer, its rate in the valley, its rate on digits)
    "SGD": (lambda p, lr: optim.SGD(p, lr), 0.03, 0.1),
    "momentum": (lambda p, lr: optim.SGD(p, lr, momentum=0.9), 0.03, 0.03),
    "Nesterov": (lambda p, lr: optim.SGD(p, lr, momentum=0.9, nesterov=True), 0.03, 0.03),
    "Adam": (lambda p, lr: optim.Adam(p, lr), 0.3, 2e-3),
}
STEEP = 25.0  # times as steep across the valley as along it
START, VALLEY = (-4.0, 1.5), 60


def run(seed: int, share: float) -> Finding:
    data, count = digits(2000), steps(300, share)
    rows, paths, curves, height = [], {}, {}, {}
    for name, (make, valley_rate, rate) in KINDS.items():
        path = valley(make, valley_rate, VALLEY)
        paths[name] = path[:, 0], path[:, 1]
        height[name] = (path[-1, 0] ** 2 + STEEP * path[-1, 1] ** 2) / 2
        seeded(seed)
        model = network((784, 64, 10), ReLU)
        losses = fit(model, make(model.parameters(), rate), data, count, seed=seed)
        right = measured(model, data.test_x, data.test_y)[1]
        figures = f"{height[name]:.1e}", f"{rate:g}", f"{smooth(losses)[-1]:.3f}", f"{right:.1f} %"
        rows.append([name, f"{valley_rate:g}", *figures])
        curves[name] = range(1, count + 1), smooth(losses)
    lowest = min(height, key=height.__getitem__)
    best = max(rows, key=lambda row: float(row[5].rstrip(" %")))
    xs, ys = np.linspace(-5, 3, 81), np.linspace(-2, 2, 61)
    heights = np.log(1 + (xs**2 + STEEP * ys[:, None] ** 2) / 2)
    return Finding(
        ("optimizer", "lr, valley", f"height after {VALLEY} steps", "lr, digits", "last loss", "test right"),
        rows,
        f"After {VALLEY} steps in the valley {lowest} is lowest ({height[lowest]:.0e}; SGD "
        f"{height['SGD']:.0e}), and after {count} steps on digits {best[0]} has the most right ({best[5]}; "
        f"SGD {rows[0][5]}).",
        [
            Panel(f"½(x² + {STEEP:g} y²)", "x", "y", paths, points=True, contour=(xs, ys, heights)),
            Panel("digits", "step", "loss, smoothed", curves, log_y=True),
        ],
    )  # fmt: skip


def valley(make: object, rate: float, count: int) -> np.ndarray:
    """The points (count + 1, 2) of a descent on (x² + STEEP y²)/2."""
    point = Parameter(np.array(START))
    optimizer = make([point], rate)  # type: ignore[operator]
    path = [point.numpy().copy()]
    for _ in range(count):
        height = (point * point * Tensor([0.5, STEEP / 2], dtype="float64")).sum()
        optimizer.zero_grad()
        height.backward()
        optimizer.step()
        path.append(point.numpy().copy())
    return np.array(path)
