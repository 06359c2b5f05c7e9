"""The learning rate: a range test (Smith 2015) suggests one; what a thirtieth and the thirtyfold of it do."""

from __future__ import annotations

import numpy as np

from .. import optim
from ..nn import ReLU
from .finding import Finding, Panel
from .fitting import digits, fit, measured, network, seeded, smooth, steps

FIRST, LAST = 1e-4, 30.0  # rates of the range test


def run(seed: int, share: float) -> Finding:
    data, count = digits(2000), steps(200, share)
    rates = np.geomspace(FIRST, LAST, count)
    seeded(seed)
    model = network((784, 64, 10), ReLU)
    optimizer = optim.SGD(model.parameters(), rates[0])

    def next_rate(step: int, loss: float) -> None:
        optimizer.param_groups[0]["lr"] = rates[min(step + 1, count - 1)]

    losses = np.array(smooth(fit(model, optimizer, data, count, seed=seed, after=next_rate), 0.9))
    suggested = float(rates[np.nanargmin(losses)]) / 4  # below the rate at which the loss turns up again
    rows, curves = [], {}
    for factor, name in ((1 / 30, "a thirtieth"), (1.0, "suggested"), (30.0, "thirtyfold")):
        seeded(seed)
        model = network((784, 64, 10), ReLU)
        number = steps(300, share)
        curve = fit(model, optim.SGD(model.parameters(), suggested * factor), data, number, seed=seed)
        right = measured(model, data.test_x, data.test_y)[1]
        rows.append([name, f"{suggested * factor:.3g}", f"{curve[-1]:.3f}", f"{right:.1f} %"])
        curves[f"{name}, {suggested * factor:.2g}"] = (range(1, number + 1), smooth(curve))
    shares = [row[3] for row in rows]
    return Finding(
        ("rate", "lr", "last loss", "test right"), rows,
        f"The range test suggests lr = {suggested:.2g}: with it {shares[1]} of the test digits are right "
        f"after {steps(300, share)} steps, with a thirtieth of it {shares[0]}, with thirty times as much "
        f"{shares[2]}.",
        [
            Panel("range test: the rate rises", "learning rate", "loss, smoothed", {"loss": (rates, losses)},
                  log_x=True, marks={"suggested": suggested}),
            Panel("training at three rates", "step", "loss, smoothed", curves, log_y=True),
        ],
    )  # fmt: skip
