"""LeNet-5 as published: LeCun, Bottou, Bengio & Haffner 1998, Gradient-Based Learning Applied to Document
Recognition.

    input 1@32×32, white −0.1, black 1.175: mean about 0, variance about 1
    C1 conv 6@28×28            (25 + 1) · 6                 =    156 parameters
    S2 subsampling 6@14×14     (1 + 1) · 6                  =     12
    C3 conv 16@10×10           60 kernels of 25, 16 biases  =  1,516
    S4 subsampling 16@5×5      (1 + 1) · 16                 =     32
    C5 conv 120@1×1            (400 + 1) · 120              = 48,120
    F6 84                      (120 + 1) · 84               = 10,164
    output 10: squared distances to ten fixed bitmaps of 7×12                60,000 in all

Every layer up to F6 ends in f(a) = 1.7159 tanh(2a/3), which maps ±1 to ±1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import nn
from ..autograd import Tensor
from ..nn import functional as F
from ..nn import init
from ..nn.parameter import unset
from ..ops.activation import tanh
from ..ops.reduction import logsumexp
from ..ops.shape import concat, scatter_add
from .bitmaps import bitmaps
from .images import check_images

# Table I of the paper: the maps of S2 that each of the 16 maps of C3 sees
C3_TABLE = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)  # fmt: skip


def squash(a: Any) -> Tensor:
    """f(a) = 1.7159 tanh(2a/3): f(±1) = ±1, and the curvature is largest there."""
    return 1.7159 * tanh(a * (2 / 3))


def _start(parameter: Any, fan_in: int) -> None:
    """U(±2.4/fan_in)."""
    init.uniform_(parameter, -2.4 / fan_in, 2.4 / fan_in)


class Subsampling(nn.Module):
    """y = f(c · (sum over 2×2) + b) with one trainable c and b per map.   (N, C, H, W) → (N, C, H/2, W/2)."""

    def __init__(self, maps: int) -> None:
        self.weight = unset(maps)
        self.bias = unset(maps)
        _start(self.weight, 4)
        _start(self.bias, 4)

    def forward(self, x: Any) -> Tensor:
        total = F.avg_pool2d(x, 2) * 4
        return squash(total * self.weight.reshape(1, -1, 1, 1) + self.bias.reshape(1, -1, 1, 1))


class PartialConv2d(nn.Module):
    """A convolution in which map o sees only the maps table[o].   weight (connections, k, k), bias (out,)."""

    def __init__(self, table: Any, kernel: int) -> None:
        self.outputs = np.array([o for o, seen in enumerate(table) for _ in seen])
        self.inputs = np.array([i for seen in table for i in seen])
        self.shape = (len(table), self.inputs.max() + 1, kernel, kernel)
        self.weight = unset(len(self.inputs), kernel, kernel)
        self.bias = unset(len(table))
        bounds = [2.4 / (len(seen) * kernel**2) for seen in table]
        init.uniform_(self.weight, -1.0, 1.0)
        self.weight.data = self.weight.numpy() * np.array(bounds)[self.outputs, None, None]
        init.uniform_(self.bias, -1.0, 1.0)
        self.bias.data = self.bias.numpy() * np.array(bounds)

    def forward(self, x: Any) -> Tensor:
        return F.conv2d(x, scatter_add(self.weight, (self.outputs, self.inputs), self.shape), self.bias)


class LeNet1998(nn.Module):
    """x (N, 1, 32, 32) → scores (N, 10): minus the squared distance of F6's 84 units to each bitmap."""

    input_shape = (1, 32, 32)

    def __init__(self) -> None:
        self.c1 = nn.Conv2d(1, 6, 5)
        self.s2 = Subsampling(6)
        self.c3 = PartialConv2d(C3_TABLE, 5)
        self.s4 = Subsampling(16)
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Linear(120, 84)
        self.bitmaps = nn.Buffer(bitmaps().astype(np.float32))
        for layer in (self.c1, self.c5, self.f6):
            fan_in = math.prod(layer.weight.shape[1:])
            _start(layer.weight, fan_in)
            _start(layer.bias, fan_in)

    def forward(self, x: Any) -> Tensor:
        check_images(self, x, exact=32)
        x = self.s2(squash(self.c1(x)))
        x = self.s4(squash(self.c3(x)))
        x = squash(self.c5(x)).reshape(len(x), -1)
        x = squash(self.f6(x))
        return -((x.reshape(-1, 1, 84) - self.bitmaps) ** 2).sum(axis=2)

    @staticmethod
    def loss(scores: Tensor, target: Any, criterion: str = "map", rubbish: float = 1.0) -> Tensor:
        """The paper's criteria, mean over the batch, with y = −scores the penalties.

        "mse" (eq. 8): y of the right class. "map" (eq. 9): that plus log(e⁻ʲ + Σᵢ e⁻ʸⁱ), which pushes
        the other classes away; j = `rubbish` is the penalty of a class for everything else.
        """
        if criterion not in ("mse", "map"):
            raise ValueError(f"LeNet1998.loss: criterion must be 'mse' or 'map', got {criterion!r}")
        right = F.nll_loss(scores, target)
        if criterion == "mse":
            return right
        rest = np.full((len(scores), 1), -rubbish, scores.dtype)
        return right + logsumexp(concat([scores, Tensor(rest)], axis=1), axis=1).mean()

    def connections(self) -> dict[str, int]:
        """What each layer reads, biases included: parameters times positions, 4 + 1 per subsampling unit."""
        sizes = {name: sum(p.size for p in child.parameters()) for name, child in self.named_children()}
        positions = {"c1": 28 * 28, "c3": 10 * 10, "c5": 1, "f6": 1}
        counts = {name: sizes[name] * n for name, n in positions.items()}
        counts["s2"] = (4 + 1) * self.s2.bias.size * 14 * 14
        counts["s4"] = (4 + 1) * self.s4.bias.size * 5 * 5
        counts["output"] = self.bitmaps.size
        return counts
