"""The batch size: in the same epochs, small batches take more steps, noisier ones, and more time."""

from __future__ import annotations

import time

from .. import optim
from ..nn import ReLU
from .finding import Finding, Panel
from .fitting import digits, fit, measured, network, seeded, smooth, steps

SIZES, EPOCHS, TRAIN = (8, 32, 128, 512), 4, 4000


def run(seed: int, share: float) -> Finding:
    data = digits(TRAIN)
    rows, curves, right = [], {}, {}
    for size in SIZES:
        seeded(seed)
        model = network((784, 64, 10), ReLU)
        count = steps(EPOCHS * TRAIN / size, share)
        start = time.perf_counter()
        losses = fit(model, optim.SGD(model.parameters(), 0.1), data, count, size, seed)
        seconds = time.perf_counter() - start
        right[size] = measured(model, data.test_x, data.test_y)[1]
        rows.append(
            [str(size), f"{count:,}", f"{smooth(losses)[-1]:.3f}", f"{right[size]:.1f} %", f"{seconds:.1f} s"]
        )
        curves[f"{size}"] = ([(i + 1) * size / TRAIN for i in range(count)], smooth(losses))
    small, large = SIZES[0], SIZES[-1]
    return Finding(
        ("batch", "steps", "last loss", "test right", "time"), rows,
        f"After the same {EPOCHS} epochs at the same rate, batches of {small} have {right[small]:.1f} % of "
        f"the test digits right in {rows[0][1]} steps, and batches of {large} {right[large]:.1f} % in "
        f"{rows[-1][1]}.",
        [Panel("the same epochs at lr 0.1", "epoch", "loss, smoothed", curves, log_y=True)],
    )  # fmt: skip
