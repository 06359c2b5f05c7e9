"""Chainer's side of ``python -m benchmarks --chainer PYTHON``: the same networks in chainer.links.

It runs in that other interpreter, since Chainer 7.8.1 needs NumPy 1.23 or older. Of this repository it
imports harness.py alone, and both must run on Python 3.7, the last one with iDeep; weights, batch and
optimizer come in a file (`steps.export`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
from chainer.backends import intel64

from . import harness

Net = chainer.Sequential


class Branches(chainer.ChainList):
    """Parts that see the same input; their channels are joined."""

    def forward(self, x: Any) -> Any:
        return F.concat([part(x) for part in self], axis=1)


class Residual(chainer.ChainList):
    """y = ReLU(F(x) + shortcut(x)), of one part or two: without the second the shortcut is x itself."""

    def forward(self, x: Any) -> Any:
        residual, *shortcut = self
        return F.relu(residual(x) + (shortcut[0](x) if shortcut else x))


def conv(width: int, kernel: int, stride: int = 1, pad: int = 0, bias: bool = True) -> Any:
    """A convolution; the channels of its input are those of the weights that it is given."""
    return L.Convolution2D(None, width, kernel, stride, pad, nobias=not bias)


def linear(width: int) -> Any:
    """A linear map; it flattens its input."""
    return L.Linear(None, width)


def norm(width: int) -> Any:
    """Batch normalization with PyTorch's constants: Chainer's ε is 2e-5."""
    return L.BatchNormalization(width, decay=0.9, eps=1e-5)


def max_pool(kernel: int, stride: int, pad: int = 0) -> Any:
    """Whole windows only, as everywhere in these networks; Chainer's default rounds their number up."""
    return partial(F.max_pooling_2d, ksize=kernel, stride=stride, pad=pad, cover_all=False)


def mean(x: Any) -> Any:
    """The mean over positions."""
    return F.average(x, axis=(2, 3))


def mlp() -> Any:
    """784-1000-1000-10."""
    return Net(linear(1000), F.relu, linear(1000), F.relu, linear(10))


def lenet5() -> Any:
    """The notes' LeNet-5."""
    pool = partial(F.average_pooling_2d, ksize=2)
    return Net(
        conv(6, 5), F.tanh, pool, conv(16, 5), F.tanh, pool,
        linear(120), F.relu, linear(84), F.relu, linear(10),
    )  # fmt: skip


def alexnet() -> Any:
    """The notes' AlexNet, one tower; α of the response normalization is per channel, as in the paper."""
    response = partial(F.local_response_normalization, n=5, k=2, alpha=1e-4, beta=0.75)
    return Net(
        conv(96, 11, 4), F.relu, response, max_pool(3, 2),
        conv(256, 5, pad=2), F.relu, response, max_pool(3, 2),
        conv(384, 3, pad=1), F.relu, conv(384, 3, pad=1), F.relu, conv(256, 3, pad=1), F.relu, max_pool(3, 2),
        linear(4096), F.relu, linear(4096), F.relu, linear(1000),
    )  # fmt: skip


def vgg16() -> Any:
    """VGG-16."""
    layers: list[Any] = []
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        layers += [layer for _ in range(count) for layer in (conv(width, 3, pad=1), F.relu)]
        layers.append(max_pool(2, 2))
    return Net(*layers, linear(4096), F.relu, linear(4096), F.relu, linear(1000))


def googlenet() -> Any:
    """The notes' GoogLeNet without auxiliary classifiers: pools have a border of 1."""

    def inception(a: int, r3: int, b: int, r5: int, c: int, d: int) -> Any:
        return Branches(
            Net(conv(a, 1), F.relu),
            Net(conv(r3, 1), F.relu, conv(b, 3, pad=1), F.relu),
            Net(conv(r5, 1), F.relu, conv(c, 5, pad=2), F.relu),
            Net(max_pool(3, 1, 1), conv(d, 1), F.relu),
        )

    halve = max_pool(3, 2, 1)
    return Net(
        conv(64, 7, 2, 3), F.relu, halve, conv(64, 1), F.relu, conv(192, 3, pad=1), F.relu, halve,
        inception(64, 96, 128, 16, 32, 32), inception(128, 128, 192, 32, 96, 64), halve,
        inception(192, 96, 208, 16, 48, 64), inception(160, 112, 224, 24, 64, 64),
        inception(128, 128, 256, 24, 64, 64), inception(112, 144, 288, 32, 64, 64),
        inception(256, 160, 320, 32, 128, 128), halve,
        inception(256, 160, 320, 32, 128, 128), inception(384, 192, 384, 48, 128, 128),
        mean, linear(1000),
    )  # fmt: skip


def resnet18() -> Any:
    """ResNet-18 with shortcuts of option B."""

    def block(width: int, stride: int = 1) -> Any:
        residual = Net(
            conv(width, 3, stride, 1, bias=False), norm(width), F.relu,
            conv(width, 3, 1, 1, bias=False), norm(width),
        )  # fmt: skip
        if stride == 1:
            return Residual(residual)
        return Residual(residual, Net(conv(width, 1, stride, bias=False), norm(width)))

    return Net(
        conv(64, 7, 2, 3, bias=False), norm(64), F.relu, max_pool(3, 2, 1),
        block(64), block(64), block(128, 2), block(128), block(256, 2), block(256), block(512, 2), block(512),
        mean, linear(1000),
    )  # fmt: skip


NETWORKS = {f.__name__: f for f in (mlp, lenet5, alexnet, vgg16, googlenet, resnet18)}


def layers(part: Any) -> Iterator[Any]:
    """What a network is made of, in the order in which it runs (`links` has another)."""
    if isinstance(part, chainer.ChainList):
        for each in part:
            yield from layers(each)
    else:
        yield part


def loaded(name: str, saved: Any) -> Any:
    """The network with the weights of `saved`: both frameworks have the same layers in the same order."""
    model = NETWORKS[name]()
    weights = (saved[key] for key in saved.files if key.startswith("weights."))
    for layer in layers(model):
        if isinstance(layer, L.BatchNormalization):
            layer.gamma.array, layer.beta.array = next(weights), next(weights)
            layer.avg_mean[...], layer.avg_var[...] = next(weights), next(weights)
        elif isinstance(layer, (L.Convolution2D, L.Linear)):
            layer.W.array = next(weights)
            if layer.b is not None:
                layer.b.array = next(weights)
    if any(True for _ in weights):
        raise ValueError(f"{name}: some weights belong to no layer")
    if intel64.should_use_ideep(">=auto"):  # where it is installed and CHAINER_USE_IDEEP=auto asks for it
        model.to_intel64()
    return model


def alone(name: str, file: str) -> dict[str, Callable[[], Any]]:
    """The training step and the forward, as `steps.alone` has them for the other sides."""
    saved = np.load(file)
    model, evaluated = loaded(name, saved), loaded(name, saved)
    x, y = saved["images"], saved["labels"].astype(np.int32)
    optimizer = getattr(chainer.optimizers, str(saved["optimizer"]))(float(saved["lr"])).setup(model)

    def step() -> float:
        loss = F.softmax_cross_entropy(model(x), y)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return float(loss.array)

    def forward() -> np.ndarray:
        with chainer.using_config("train", False), chainer.no_backprop_mode():
            return evaluated(x).array

    return {"step": step, "forward": forward}


if __name__ == "__main__":
    harness.answer(alone)
