"""JAX's side of ``python -m benchmarks --peers jax``: the same networks, as functions of their weights.

Forward, backward and update are one function that `jax.jit` compiles, with the old weights' memory donated to
the new ones, and images have their channels last. Weights, batch and optimizer come in a file
(`steps.export`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from . import harness

Array = jax.Array
Functions = dict[str, Callable[[], Any]]


class Layers:
    """A network's layers; each takes the next of its weights, so that a network runs in their order.

    Arrays: images (N, H, W, C), kernels (kh, kw, C, O), the weights of a linear layer (O, C).
    """

    def __init__(self, weights: list[Array], buffers: list[Array], training: bool) -> None:
        self._weights, self._buffers = iter(weights), iter(buffers)
        self._training = training
        self.moved: list[Array] = []  # the running statistics after this step

    def conv(self, x: Array, stride: int = 1, pad: int = 0, bias: bool = True) -> Array:
        kernel = next(self._weights)
        dimensions = ("NHWC", "HWIO", "NHWC")
        y = lax.conv_general_dilated(
            x, kernel, (stride,) * 2, ((pad,) * 2,) * 2, dimension_numbers=dimensions
        )
        return y + next(self._weights) if bias else y

    def linear(self, x: Array) -> Array:
        return x @ next(self._weights).T + next(self._weights)

    def norm(self, x: Array) -> Array:
        """Batch normalization; a running variance is of the unbiased kind."""
        gain, bias = next(self._weights), next(self._weights)
        mean, variance = next(self._buffers), next(self._buffers)
        if self._training:
            count = x.size // x.shape[-1]
            of_batch = jnp.mean(x, (0, 1, 2)), jnp.var(x, (0, 1, 2))
            unbiased = of_batch[1] * (count / (count - 1))
            self.moved += [0.9 * mean + 0.1 * of_batch[0], 0.9 * variance + 0.1 * unbiased]
            mean, variance = of_batch
        return (x - mean) * (gain * lax.rsqrt(variance + 1e-5)) + bias


relu = jax.nn.relu


def windows(x: Array, start: float, join: Any, kernel: int, stride: int, pad: int) -> Array:
    """Windows of `kernel`² reduced by `join`, beginning with `start`."""
    border = ((0, 0), (pad, pad), (pad, pad), (0, 0))
    return lax.reduce_window(x, start, join, (1, kernel, kernel, 1), (1, stride, stride, 1), border)


def max_pool(x: Array, kernel: int, stride: int, pad: int = 0) -> Array:
    return windows(x, -jnp.inf, lax.max, kernel, stride, pad)


def average_pool(x: Array) -> Array:
    return windows(x, 0.0, lax.add, 2, 2, 0) / 4


def response(x: Array) -> Array:
    """Local response normalization over 5 channels, with the constants of AlexNet."""
    near = lax.reduce_window(x * x, 0.0, lax.add, (1, 1, 1, 5), (1, 1, 1, 1), ((0, 0),) * 3 + ((2, 2),))
    return x / (2 + 1e-4 * near) ** 0.75


def flat(x: Array) -> Array:
    """(N, H, W, C) -> (N, C·H·W): linear layers have their weights in that order."""
    return x.transpose(0, 3, 1, 2).reshape(len(x), -1)


def classifier(net: Layers, x: Array) -> Array:
    """The three linear layers with ReLU in between, which end most of the networks."""
    for _ in range(2):
        x = relu(net.linear(x))
    return net.linear(x)


def mlp(net: Layers, x: Array) -> Array:
    return classifier(net, flat(x))


def lenet5(net: Layers, x: Array) -> Array:
    for _ in range(2):
        x = average_pool(jnp.tanh(net.conv(x)))
    return classifier(net, flat(x))


def alexnet(net: Layers, x: Array) -> Array:
    x = max_pool(response(relu(net.conv(x, 4))), 3, 2)
    x = max_pool(response(relu(net.conv(x, pad=2))), 3, 2)
    for _ in range(3):
        x = relu(net.conv(x, pad=1))
    return classifier(net, flat(max_pool(x, 3, 2)))


def vgg16(net: Layers, x: Array) -> Array:
    for count in (2, 2, 3, 3, 3):
        for _ in range(count):
            x = relu(net.conv(x, pad=1))
        x = max_pool(x, 2, 2)
    return classifier(net, flat(x))


def inception(net: Layers, x: Array) -> Array:
    """Widths are in the weights."""
    one = relu(net.conv(x))
    three = relu(net.conv(relu(net.conv(x)), pad=1))
    five = relu(net.conv(relu(net.conv(x)), pad=2))
    return jnp.concatenate([one, three, five, relu(net.conv(max_pool(x, 3, 1, 1)))], -1)


def googlenet(net: Layers, x: Array) -> Array:
    halve = partial(max_pool, kernel=3, stride=2, pad=1)
    x = halve(relu(net.conv(x, 2, 3)))
    x = halve(relu(net.conv(relu(net.conv(x)), pad=1)))
    for stage, count in enumerate((2, 5, 2)):
        x = halve(x) if stage else x
        for _ in range(count):
            x = inception(net, x)
    return net.linear(jnp.mean(x, (1, 2)))


def block(net: Layers, x: Array, stride: int) -> Array:
    """A residual block; the shortcut has a convolution where the stride is 2."""
    y = relu(net.norm(net.conv(x, stride, 1, bias=False)))
    y = net.norm(net.conv(y, 1, 1, bias=False))
    return relu(y + (x if stride == 1 else net.norm(net.conv(x, stride, bias=False))))


def resnet18(net: Layers, x: Array) -> Array:
    x = max_pool(relu(net.norm(net.conv(x, 2, 3, bias=False))), 3, 2, 1)
    for stride in (1, 1, 2, 1, 2, 1, 2, 1):
        x = block(net, x, stride)
    return net.linear(jnp.mean(x, (1, 2)))


NETWORKS = {f.__name__: f for f in (mlp, lenet5, alexnet, vgg16, googlenet, resnet18)}


def loss_of(weights: list[Array], buffers: list[Array], network: Any, x: Array, y: Array) -> Any:
    """The mean cross-entropy, and the running statistics after this step."""
    net = Layers(weights, buffers, True)
    logits = jax.nn.log_softmax(network(net, x))
    return -jnp.mean(jnp.take_along_axis(logits, y[:, None], 1)), net.moved


def sgd(weights: list[Array], gradients: list[Array], state: Any, lr: float) -> Any:
    return [w - lr * g for w, g in zip(weights, gradients, strict=True)], state


def adam(weights: list[Array], gradients: list[Array], state: Any, lr: float) -> Any:
    """Kingma & Ba 2015, with PyTorch's constants."""
    means, squares, t = state
    t = t + 1
    means = [0.9 * m + 0.1 * g for m, g in zip(means, gradients, strict=True)]
    squares = [0.999 * v + 0.001 * g * g for v, g in zip(squares, gradients, strict=True)]
    weights = [
        w - lr / (1 - 0.9**t) * m / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8)
        for w, m, v in zip(weights, means, squares, strict=True)
    ]
    return weights, (means, squares, t)


def loaded(saved: Any) -> tuple[list[Array], list[Array]]:
    """Weights and running statistics of a file, kernels with their channels last."""
    weights: list[Array] = []
    buffers: list[Array] = []
    for key, array in _named(saved):
        kind = buffers if "running_" in key else weights
        kind.append(jnp.asarray(array.transpose(2, 3, 1, 0) if array.ndim == 4 else array))
    return weights, buffers


def _named(saved: Any) -> Iterator[tuple[str, np.ndarray]]:
    return ((key, saved[key]) for key in saved.files if key.startswith("weights."))


def alone(name: str, file: str) -> Functions:
    """The training step and the forward, as `steps.alone` has them for the other sides."""
    saved = np.load(file)
    network, lr = NETWORKS[name], float(saved["lr"])
    x = jnp.asarray(saved["images"].transpose(0, 2, 3, 1))
    y = jnp.asarray(saved["labels"])
    update = {"SGD": sgd, "Adam": adam}[str(saved["optimizer"])]

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def train(weights: Any, buffers: Any, state: Any, x: Array, y: Array) -> Any:
        of_weights = jax.value_and_grad(loss_of, has_aux=True)
        (loss, buffers), gradients = of_weights(weights, buffers, network, x, y)
        weights, state = update(weights, gradients, state, lr)
        return loss, weights, buffers, state

    @jax.jit
    def infer(weights: Any, buffers: Any, x: Array) -> Array:
        return network(Layers(weights, buffers, False), x)

    weights, buffers = loaded(saved)
    state = [[jnp.zeros_like(w) for w in weights] for _ in range(2)] + [jnp.zeros(())]
    now = [weights, buffers, tuple(state)]
    fixed = loaded(saved)

    def step() -> float:
        loss, *now[:] = train(*now, x, y)
        jax.block_until_ready(now)
        return float(loss)

    def forward() -> np.ndarray:
        return np.asarray(infer(*fixed, x))

    return {"step": step, "forward": forward}


if __name__ == "__main__":
    harness.answer(alone)
