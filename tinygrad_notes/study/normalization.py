"""Normalization: inputs of different scales slow learning down, and batch normalization makes up for it."""

from __future__ import annotations

import numpy as np

from .. import optim
from ..nn import BatchNorm1d, ReLU, Sequential
from .finding import Finding, Panel
from .fitting import Data, digits, fit, measured, network, seeded, smooth, steps

RATES = 0.3, 0.1, 0.03, 0.01


def run(seed: int, share: float) -> Finding:
    plain, count = digits(2000), steps(200, share)
    rng = np.random.default_rng(seed)
    scale, shift = 10 ** rng.uniform(-1, 1, 784), rng.uniform(-5, 5, 784)
    raw = plain._replace(x=_float(plain.x * scale + shift), test_x=_float(plain.test_x * scale + shift))
    mean, std = raw.x.mean(axis=0), raw.x.std(axis=0)
    std = np.where(std > 0, std, 1)
    standard = raw._replace(x=_float((raw.x - mean) / std), test_x=_float((raw.test_x - mean) / std))
    kinds: dict[str, tuple[Data, bool]] = {
        "as they are": (raw, False), "standardized": (standard, False),
        "as they are, with batch norm": (raw, True), "standardized, with batch norm": (standard, True),
    }  # fmt: skip
    rows, curves, right = [], {}, {}
    for name, (data, batch_norm) in kinds.items():
        rate, losses, right[name] = max(
            (_trained(data, batch_norm, rate, count, seed) for rate in RATES), key=lambda found: found[2]
        )
        rows.append([name, f"{rate:g}", f"{smooth(losses)[-1]:.3f}", f"{right[name]:.1f} %"])
        curves[name] = range(1, count + 1), smooth(losses)
    plainly, standardized, normed = (right[name] for name in list(kinds)[:3])
    return Finding(
        ("inputs", "best lr", "last loss", "test right"), rows,
        f"At its best rate the network has {plainly:.1f} % of the test digits right after {count} steps on "
        f"inputs of different scales, {standardized:.1f} % on standardized ones, and {normed:.1f} % on the "
        "first with batch normalization.",
        [Panel("each at its best rate", "step", "loss, smoothed", curves, log_y=True)],
    )  # fmt: skip


def _trained(
    data: Data, batch_norm: bool, rate: float, count: int, seed: int
) -> tuple[float, list[float], float]:
    """(rate, losses, percent right)."""
    seeded(seed)
    model = network((784, 64, 64, 10), ReLU, BatchNorm1d if batch_norm else None)
    if batch_norm:
        model = Sequential(BatchNorm1d(784), *model)
    losses = fit(model, optim.SGD(model.parameters(), rate, momentum=0.9), data, count, seed=seed)
    lost = not np.isfinite(losses[-1])
    return rate, losses, 0.0 if lost else measured(model, data.test_x, data.test_y)[1]


def _float(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32)
