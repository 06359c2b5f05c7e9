"""The drawing of the page about the training focus, as those of `pictures.py`."""

import numpy as np
from pictures import BLUE, COLORS, ORANGE, axes_of, saved

import tinygrad_notes as tg
from tinygrad_notes.nn import functional as F


def focus(file):
    """Gradient descent on a parabola at four rates, and how gradients of batches scatter."""
    figure, (left, right) = axes_of(["½ a w²:  |w|", "σ(B) / σ(1)"], 3.5, 3.1)
    for color, rate in zip(COLORS, (0.1, 0.5, 1.8, 2.1), strict=False):
        left.semilogy(range(31), descent(rate, 30), ".-", color=color, label=f"η = {rate:g} / a")
    sizes = 2 ** np.arange(0, 9, 2)
    found = scatter(sizes)
    right.loglog(sizes, found / found[0], "o", color=BLUE)
    right.loglog(sizes, sizes**-0.5, color=ORANGE, label="1/√B")
    left.set(xlabel="t", ylim=(1e-8, 1e2))
    right.set_xlabel("B")
    for axes in (left, right):
        axes.legend(frameon=False, fontsize=9)
    saved(figure, file)


def descent(rate, count):
    """|w| after each step of gradient descent on ½ w² from 1."""
    weight = tg.nn.Parameter(np.ones(1))
    optimizer, found = tg.optim.SGD([weight], lr=rate), [1.0]
    for _ in range(count):
        optimizer.zero_grad()
        (weight * weight / 2).sum().backward()
        optimizer.step()
        found.append(abs(weight.item()))
    return found


def scatter(sizes, draws=400):
    """The deviation of the gradient of a batch, for each size, in a linear model with one weight."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=5000)
    y = 2 * x + rng.normal(size=5000)
    weight, deviations = tg.Tensor(np.zeros(1), requires_grad=True), []
    for size in sizes:
        gradients = []
        for _ in range(draws):
            rows = rng.integers(len(x), size=size)
            loss = F.mse_loss(tg.Tensor(x[rows]) * weight, tg.Tensor(y[rows]))
            gradients.append(tg.grad(loss, weight)[0].item())
        deviations.append(np.std(gradients))
    return np.array(deviations)
