"""From the same weights and batch every network follows PyTorch, in training and in evaluation: the logits, the
gradient of every parameter, and 5 steps of SGD with momentum: each loss, then all parameters and statistics.

A difference is relative to the largest number of its tensor, so that no single wrong number hides in a large
tensor; it stays below 1e-9 in float64 and 1e-4 in float32. In evaluation, dropout has its published probability
and the running statistics are those of another batch; in training, dropout is off.

A ReLU or a maximum has a kink. Where two libraries round to different sides of one, a gradient jumps, by 1e-3
of its size and more, and neither library is wrong. Away from kinks a network is smooth, and rounding stays
small. So the points where they are compared were searched, once: by its seed, each network stays farther from
every kink than rounding reaches, which is tested here with PyTorch alone.
"""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_notes as tg
from tests import twins
from tinygrad_notes import models, nn
from tinygrad_notes.models.count import undrawn

torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")

CLASSES = 5
STEPS = 5
TOLERANCE = {np.float64: 1e-9, np.float32: 1e-4}
LR = 1e-2
FRACTION = 1e-3


class Point(NamedTuple):
    """A network, its twin in torch, the shape of a batch, and the seed of weights and batch."""

    ours: Any
    theirs: Any
    shape: tuple[int, ...]
    seed: int = 0
    width: float = 1.0
    lr: float = LR


def _alexnet(variant, *shape, **options):
    arguments = (CLASSES, variant, *shape)
    return Point(
        partial(models.AlexNet, CLASSES, variant, hidden=16),
        partial(twins.alexnet, CLASSES, variant, 16),
        shape,
        **options,
    )


def _vgg(depth, batch_norm=False, **options):
    return Point(
        partial(models.VGG, depth, CLASSES, batch_norm, "torchvision", hidden=16),
        partial(twins.vgg, depth, CLASSES, batch_norm, 16),
        (4 if batch_norm else 1, 3, 32, 32),
        **options,
    )


def _resnet(network, counts, variant, **options):
    option = "A" if variant == "paper" else "B"
    twin = partial(twins.resnet, counts, (64, 128, 256, 512), CLASSES, option, True)
    return Point(partial(network, CLASSES, variant), twin, (4, 3, 64, 64), **options)


def _cifar(depth, option, **options):
    twin = partial(twins.resnet, (depth // 6,) * 3, (16, 32, 64), CLASSES, option, False)
    return Point(partial(models.CifarResNet, depth, CLASSES, option), twin, (4, 3, 16, 16), **options)


def _googlenet(variant, aux, *shape, **options):
    arguments = (CLASSES, variant, aux)
    return Point(
        partial(models.GoogLeNet, *arguments), partial(twins.googlenet, *arguments), shape, **options
    )


NETWORKS = {
    "mlp": Point(models.MLP, twins.mlp, (4, 784)),
    "lenet5": Point(models.LeNet5, twins.lenet5, (4, 1, 32, 32)),
    "lenet1998": Point(models.LeNet1998, twins.lenet1998, (4, 1, 32, 32)),
    "simplecnn": Point(models.SimpleCNN, twins.simplecnn, (4, 1, 28, 28)),
    "simplecnn of odd images": Point(
        partial(models.SimpleCNN, (3, 13, 10), CLASSES), partial(twins.simplecnn, (3, 13, 10), CLASSES),
        (4, 3, 13, 10),
    ),
    "alexnet notes": _alexnet("notes", 1, 3, 227, 227),
    "alexnet paper": _alexnet("paper", 1, 3, 227, 227),
    "alexnet torchvision": _alexnet("torchvision", 2, 3, 96, 96),
    "vgg11": _vgg(11),
    "vgg13": _vgg(13),
    "vgg16": _vgg(16),
    "vgg19": _vgg(19),
    "vgg11 with batch norm": _vgg(11, batch_norm=True),
    "vgg13 with batch norm": _vgg(13, batch_norm=True),
    "vgg16 with batch norm": _vgg(16, batch_norm=True),
    "vgg19 with batch norm": _vgg(19, batch_norm=True),
    "resnet18 B": _resnet(models.ResNet18, (2, 2, 2, 2), "notes"),
    "resnet18 A": _resnet(models.ResNet18, (2, 2, 2, 2), "paper"),
    "resnet34 B": _resnet(models.ResNet34, (3, 4, 6, 3), "torchvision"),
    "resnet34 A": _resnet(models.ResNet34, (3, 4, 6, 3), "paper"),
    "cifar resnet20 A": _cifar(20, "A"),
    "cifar resnet20 B": _cifar(20, "B"),
    "cifar resnet32 A": _cifar(32, "A"),
    "cifar resnet44 A": _cifar(44, "A"),
    "cifar resnet56 A": _cifar(56, "A"),
    "cifar resnet110 A": _cifar(110, "A"),
    "googlenet notes": _googlenet("notes", True, 1, 3, 224, 224, width=1 / 4),
    "googlenet notes, no aux": _googlenet("notes", False, 2, 3, 64, 64),
    "googlenet paper": _googlenet("paper", True, 1, 3, 224, 224, width=1 / 4),
    "googlenet paper, no aux": _googlenet("paper", False, 2, 3, 64, 64),
    "googlenet torchvision": _googlenet("torchvision", True, 4, 3, 48, 48),
    "googlenet torchvision-5x5": _googlenet("torchvision-5x5", True, 4, 3, 48, 48),
}  # fmt: skip


def _draw(network, rng, width):
    """He's scale for weights. Shifts of ±2 deviations after batch norm: few inputs of ReLU are near 0."""
    for name, layer in network.named_modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.data = rng.uniform(0.5, 1.5, layer.weight.shape).astype(np.float32)
            layer.bias.data = rng.choice([-2, 2], layer.bias.shape).astype(np.float32)
        elif isinstance(layer, nn.Conv2d | nn.Linear):
            shape = layer.weight.shape
            weight = rng.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / np.prod(shape[1:])))
            bias = rng.choice([-BIAS, BIAS], shape[0]).astype(np.float32)
            if width < 1 and isinstance(layer, nn.Conv2d) and not name.startswith("aux"):
                live = max(LIVE, int(width*shape[0]))
                weight *= np.float32(width**-.5)
                weight[live:] = 0
                bias[live:] = -1
                bias[:live] = BIAS
            layer.weight.data = weight
            if layer.bias is not None:
                layer.bias.data = bias


LIVE = 4
BIAS = 0.3


def _at(point, mode, *dtypes):
    """The network in float32, its twin in each of `dtypes`, all with the same weights; x, labels."""
    rng = np.random.default_rng(point.seed)
    with undrawn():
        ours = point.ours()
    if isinstance(ours, models.LeNet1998):
        ours = point.ours()
    else:
        _draw(ours, rng, point.width)
    x, other = rng.standard_normal((2, *point.shape), np.float32)
    labels = rng.integers(0, CLASSES, len(x))
    if mode == "eval":
        _gather(ours, other)
    parts = [ours]
    for dtype in dtypes:
        with torch.device("meta"):
            twin = point.theirs()
        twin = twin.to(getattr(torch, np.dtype(dtype).name)).to_empty(device="cpu")
        twins.copy_weights(ours, twin)
        parts.append(twin)
    for network in parts:
        network.train(mode == "train")
        for module in network.modules():
            if mode == "train" and isinstance(module, nn.Dropout | torch.nn.Dropout):
                module.p = 0.0
    return *parts, x, labels


def _gather(network, x):
    """Give every batch norm the statistics of x."""
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    if norms:
        with tg.no_grad():
            network(tg.Tensor(x))
    for norm in norms:
        norm.momentum = 0.1


def _losses(network, ours, theirs, labels):
    """The network's own loss where it has one, written out for torch."""
    cross_entropy = torch.nn.functional.cross_entropy
    target = torch.from_numpy(labels)
    if isinstance(theirs, tuple):
        reference = cross_entropy(theirs[0], target) + 0.3 * sum(cross_entropy(a, target) for a in theirs[1:])
        return models.GoogLeNet.loss(ours, labels), reference
    if isinstance(network, models.LeNet1998):
        rest = torch.cat([theirs, -torch.ones(len(labels), 1, dtype=theirs.dtype)], 1)
        reference = (-theirs[range(len(labels)), labels] + torch.logsumexp(rest, 1)).mean()
        return network.loss(ours, labels), reference
    return tg.nn.functional.cross_entropy(ours, labels), cross_entropy(theirs, target)


def _error(ours, theirs):
    """The largest difference, relative to the largest number."""
    theirs = theirs.detach().numpy()
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


def compare(point, mode, dtype, report):
    ours, theirs, x, labels = _at(point, mode, dtype)
    ours.astype(dtype)
    x = x.astype(dtype)
    start = ours.state_dict()
    for step in range(STEPS):
        y, reference = ours(tg.Tensor(x)), theirs(torch.from_numpy(x))
        loss, expected = _losses(ours, y, reference, labels)
        ours.zero_grad()
        theirs.zero_grad()
        loss.backward()
        expected.backward()
        report[f"loss {step}"] = abs(loss.item() - expected.item()) / max(1.0, abs(expected.item()))
        if step == 0:
            outputs = zip(y, reference, strict=True) if isinstance(y, tuple) else [(y, reference)]
            report["logits"] = max(_error(a.detach().numpy(), b) for a, b in outputs)
            gradients = dict(theirs.named_parameters())
            for key, p in ours.named_parameters():
                if p.grad is None:
                    assert gradients[key].grad is None
                    continue
                if not np.abs(gradients[key].grad.numpy()).max():
                    print("zero", key)
                    continue
                report[f"gradient of {key}"] = _error(p.grad.numpy(), gradients[key].grad)
        if step == 0:
            lr = FRACTION * min(
                float(p.detach().abs().max() / p.grad.abs().max())
                for p in theirs.parameters()
                if p.grad is not None
            )
            report["lr"] = lr
            our_step = tg.optim.SGD(ours.parameters(), lr, momentum=0.9)
            their_step = torch.optim.SGD(theirs.parameters(), lr, momentum=0.9)
        our_step.step()
        their_step.step()
    state = ours.state_dict()
    moved = []
    for key, value in theirs.state_dict().items():
        report[f"{key} at the end"] = _error(state[key], value)
        if key in gradients:
            moved.append(np.abs(state[key] - start[key]).max() / np.abs(start[key]).max())
    report["moved"] = np.median(moved), np.min(moved), loss.item()
    return report
