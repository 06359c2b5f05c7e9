"""ResNet: He, Zhang, Ren & Sun 2015, Deep Residual Learning for Image Recognition.

    ImageNet, 18 or 34 layers                  CIFAR, 6n + 2 layers
    conv1   7×7 s2, 64   112×112               conv1   3×3, 16        32×32
            max 3×3 s2    56×56                layer1  n blocks, 16   32×32
    layer1  2 | 3 blocks, 64    56×56          layer2  n blocks, 32   16×16
    layer2  2 | 4 blocks, 128   28×28          layer3  n blocks, 64    8×8
    layer3  2 | 6 blocks, 256   14×14
    layer4  2 | 3 blocks, 512    7×7
    mean over positions, fc                    mean over positions, fc

A block computes y = ReLU(F(x) + shortcut(x)) with F: conv 3×3, BN, ReLU, conv 3×3, BN. Convolutions have no
bias: the BN after them has one. The first block of a stage that halves the size has stride 2 in its first
convolution, and its shortcut changes shape:
    A  every other pixel, new channels zero: no parameters (the paper's 18 and 34, and all of CIFAR)
    A-centered  the same, half of the zeros before the old channels and half behind (ports to PyTorch)
    B  1×1 convolution of stride 2, BN (the notes, torchvision)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import nn
from ..autograd import Tensor
from ..nn import functional as F
from ..nn import init
from .images import check_images, choose

OPTIONS = ("A", "A-centered", "B")
VARIANTS = {"notes": "B", "paper": "A", "torchvision": "B"}  # the option of the shortcut


class BasicBlock(nn.Module):
    """y = ReLU(BN(conv(ReLU(BN(conv x)))) + shortcut x).   x (N, before, H, W) → (N, width, H/s, W/s)."""

    def __init__(self, before: int, width: int, stride: int, option: str) -> None:
        self.conv1 = _conv3x3(before, width, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample: nn.Module | None = None
        if stride != 1 or before != width:
            self.downsample = (
                nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))
                if option == "B" else Subsample(stride, width - before, centered=option == "A-centered")
            )  # fmt: skip

    def forward(self, x: Any) -> Tensor:
        residual = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(residual + (x if self.downsample is None else self.downsample(x)))


class Subsample(nn.Module):
    """Option A: every `stride`-th pixel, followed by `extra` channels of zeros, or `centered` in them.

    The paper does not say where they go. Weights trained with one order mean nothing in the other, though
    they fit: the channels of all later layers are permuted.
    """

    def __init__(self, stride: int, extra: int, centered: bool = False) -> None:
        self.stride = stride
        self.channels = (extra // 2, extra - extra // 2) if centered else (0, extra)

    def forward(self, x: Any) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], ((0, 0), self.channels, (0, 0), (0, 0)))


class _ResNet(nn.Module):
    """Stages of blocks, the mean over positions and a linear map; `stem` goes before them."""

    def _build(self, counts: Sequence[int], widths: Sequence[int], classes: int, option: str) -> None:
        if len(counts) != len(widths):
            name = type(self).__name__
            raise ValueError(f"{name}: {len(widths)} stages need as many counts of blocks, got {counts}")
        before = widths[0]
        for stage, (count, width) in enumerate(zip(counts, widths, strict=True), 1):
            blocks = [
                BasicBlock(before if i == 0 else width, width, 2 if i == 0 and stage > 1 else 1, option)
                for i in range(count)
            ]
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
            before = width
        self.stages = len(counts)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(before, classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Any) -> Tensor:
        check_images(self, x)
        x = self.stem(x)
        for stage in range(1, self.stages + 1):
            x = getattr(self, f"layer{stage}")(x)
        return self.fc(self.avgpool(x).reshape(len(x), -1))


class ResNet(_ResNet):
    """x (N, 3, H, W) → logits (N, classes), for ImageNet: 224×224, but any size runs.

    `blocks` per stage; `variant`: "notes" and "torchvision" have option B shortcuts, "paper" option A.
    """

    input_shape = (3, 224, 224)

    def __init__(
        self, blocks: Sequence[int] = (2, 2, 2, 2), classes: int = 1000, variant: str = "notes"
    ) -> None:
        self.variant = choose(self, variant, VARIANTS)
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        self._build(blocks, (64, 128, 256, 512), classes, VARIANTS[variant])

    def stem(self, x: Any) -> Tensor:
        return self.maxpool(F.relu(self.bn1(self.conv1(x))))


class ResNet18(ResNet):
    """ResNet of 2, 2, 2, 2 blocks."""

    def __init__(self, classes: int = 1000, variant: str = "notes") -> None:
        super().__init__((2, 2, 2, 2), classes, variant)


class ResNet34(ResNet):
    """ResNet of 3, 4, 6, 3 blocks."""

    def __init__(self, classes: int = 1000, variant: str = "notes") -> None:
        super().__init__((3, 4, 6, 3), classes, variant)


class CifarResNet(_ResNet):
    """x (N, 3, 32, 32) → logits (N, classes), `depth` = 6n + 2 layers.

    `option` of the shortcuts: "A" (new channels behind the old ones), "A-centered" (half before, half behind:
    for weights that were trained with a port to PyTorch which pads so), or "B".
    """

    input_shape = (3, 32, 32)

    def __init__(self, depth: int = 20, classes: int = 10, option: str = "A") -> None:
        if depth < 8 or depth % 6 != 2:
            raise ValueError(f"CifarResNet: depth must be 6n + 2 (20, 32, 44, 56, 110, ...), got {depth}")
        if option not in OPTIONS:
            raise ValueError(f"CifarResNet: option must be one of {', '.join(OPTIONS)}, got {option!r}")
        self.conv1 = _conv3x3(3, 16)
        self.bn1 = nn.BatchNorm2d(16)
        self._build((depth // 6,) * 3, (16, 32, 64), classes, option)

    def stem(self, x: Any) -> Tensor:
        return F.relu(self.bn1(self.conv1(x)))


def _conv3x3(before: int, width: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(before, width, 3, stride, padding=1, bias=False)
