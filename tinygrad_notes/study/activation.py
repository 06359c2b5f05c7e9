"""Activations over depth: which of them let a gradient through ten layers, and which units die."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import optim
from ..autograd import Tensor, no_grad
from ..nn import LeakyReLU, Linear, ReLU, Sequential, Sigmoid, Tanh, init
from ..ops.loss import cross_entropy
from .finding import Finding, Panel
from .fitting import Data, digits, fit, measured, network, seeded, smooth, steps

KINDS = {"sigmoid": Sigmoid, "tanh": Tanh, "ReLU": ReLU, "Leaky ReLU": lambda: LeakyReLU(0.1)}
SIZES = (784, *[64] * 10, 10)


def run(seed: int, share: float) -> Finding:
    data, count = digits(2000), steps(300, share)
    rows, losses, norms, first, right = [], {}, {}, {}, {}
    for name, kind in KINDS.items():
        seeded(seed)
        model = network(SIZES, kind)
        _fill(model, init.kaiming_normal_ if "ReLU" in name else init.xavier_normal_)
        norms[name] = gradient_norms(model, data)
        first[name] = norms[name][0] / norms[name][-1]
        curve = fit(model, optim.SGD(model.parameters(), 0.05, momentum=0.9), data, count, seed=seed)
        right[name] = measured(model, data.test_x, data.test_y)[1]
        dead = f"{100 * dead_units(model, data.x):.0f} %" if "ReLU" in name else "-"
        rows.append([name, f"{first[name]:.1e}", f"{smooth(curve)[-1]:.3f}", f"{right[name]:.1f} %", dead])
        losses[name] = range(1, count + 1), smooth(curve)
    weakest = min(first, key=first.__getitem__)
    strongest = max(first, key=first.__getitem__)
    return Finding(
        ("activation", "first / last gradient", "last loss", "test right", "dead units"), rows,
        f"Before training the gradient of the first of {len(SIZES) - 1} layers is {first[weakest]:.0e} of "
        f"the last one's with {weakest} and {first[strongest]:.0e} with {strongest}; after {count} steps "
        f"{right[weakest]:.1f} % and {right[strongest]:.1f} % of the test digits are right.",
        [
            Panel("gradients before training", "layer", "norm of ∂L/∂W",
                  {name: (range(1, len(found) + 1), found) for name, found in norms.items()},
                  log_y=True, points=True),
            Panel("training, SGD with momentum", "step", "loss, smoothed", losses),
        ],
    )  # fmt: skip


def _fill(model: Sequential, fill: Callable[[Any], Any]) -> None:
    """Each activation with the weights that are made for it: He's for ReLU and its like, else Xavier's."""
    for layer in model:
        if isinstance(layer, Linear):
            fill(layer.weight)
            init.zeros_(layer.bias)


def gradient_norms(model: Sequential, data: Data) -> list[float]:
    """‖∂L/∂W‖ of each layer at the first 500 rows."""
    cross_entropy(model(Tensor(data.x[:500])), Tensor(data.y[:500])).backward()
    found = [float(np.linalg.norm(m.weight.grad.numpy())) for m in model if isinstance(m, Linear)]
    for parameter in model.parameters():
        parameter.grad = None
    return found


def dead_units(model: Sequential, x: np.ndarray) -> float:
    """The share of hidden units whose input is at most 0 for every row: their ReLU passes no gradient."""
    dead, units, signal = 0, 0, Tensor(x)
    with no_grad():
        for layer in model:
            if isinstance(layer, ReLU | LeakyReLU):
                silent = (signal.numpy() <= 0).all(axis=0)
                dead, units = dead + int(silent.sum()), units + silent.size
            signal = layer(signal)
    return dead / units
