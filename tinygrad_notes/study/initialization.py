"""Initial weights: how a signal and its gradient fare through ten layers before anything is learned."""

from __future__ import annotations

import numpy as np

from .. import optim
from ..autograd import Tensor
from ..nn import Linear, ReLU, Sequential, init
from ..ops.loss import cross_entropy
from .finding import Finding, Panel
from .fitting import Data, digits, fit, measured, network, seeded, smooth, steps

SIZES = (784, *[256] * 9, 10)
KINDS = {
    "zeros": init.zeros_,
    "too small, N(0, 0.01²)": lambda w: init.normal_(w, std=0.01),
    "too large, N(0, 0.2²)": lambda w: init.normal_(w, std=0.2),
    "Xavier": init.xavier_normal_,
    "He": lambda w: init.kaiming_normal_(w, nonlinearity="relu"),
}


def run(seed: int, share: float) -> Finding:
    data, count = digits(2000), steps(120, share)
    rows, signals, gradients, ratio = [], {}, {}, {}
    for name, fill in KINDS.items():
        seeded(seed)
        model = network(SIZES, ReLU)
        for layer in model:
            if isinstance(layer, Linear):
                fill(layer.weight)
                init.zeros_(layer.bias)
        signal, gradient = variances(model, data)
        losses = fit(model, optim.SGD(model.parameters(), 0.02, momentum=0.9), data, count, seed=seed)
        right = measured(model, data.test_x, data.test_y)[1]
        ratio[name] = signal[-1] / signal[0] if signal[0] else 0.0
        rows.append(
            [name, f"{ratio[name]:.1e}", f"{gradient[0]:.1e}", f"{smooth(losses)[-1]:.3g}", f"{right:.1f} %"]
        )
        if any(signal):
            layers = range(1, len(signal) + 1)
            signals[name], gradients[name] = (layers, signal), (layers, gradient)
    right = {row[0]: row[4] for row in rows}
    small = "too small, N(0, 0.01²)"
    return Finding(
        ("weights", "last / first variance", "first ∂L/∂W variance", "last loss", "test right"), rows,
        f"From the first to the last hidden layer the variance of a signal changes by {ratio['He']:.1g} with "
        f"He's weights, {ratio['Xavier']:.1g} with Xavier's and {ratio[small]:.1g} with small ones; after "
        f"{count} steps {right['He']}, {right['Xavier']} and {right[small]} of the test digits are right, "
        f"and {right['zeros']} from zeros.",
        [
            Panel("signal before training", "layer", "variance of activations", signals, log_y=True,
                  points=True),
            Panel("gradient before training", "layer", "variance of ∂L/∂W", gradients, log_y=True,
                  points=True),
        ],
    )  # fmt: skip


def variances(model: Sequential, data: Data) -> tuple[list[float], list[float]]:
    """Of each hidden layer's activations, and of the gradients of its weights, at the first 500 rows."""
    signal, found = Tensor(data.x[:500]), []
    with np.errstate(over="ignore", invalid="ignore"):
        for layer in model:
            signal = layer(signal)
            if isinstance(layer, ReLU):
                found.append(float(signal.detach().numpy().var()))
        cross_entropy(signal, Tensor(data.y[:500])).backward()
    layers = [layer for layer in model if isinstance(layer, Linear)][:-1]
    gradients = [float(layer.weight.grad.numpy().var()) for layer in layers]
    for parameter in model.parameters():
        parameter.grad = None
    return found, gradients
