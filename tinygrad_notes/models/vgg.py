"""VGG: Simonyan & Zisserman 2014, Very Deep Convolutional Networks for Large-Scale Image Recognition.

    A 11  64       M 128      M 256 256          M 512 512          M 512 512          M
    B 13  64 64    M 128 128  M 256 256          M 512 512          M 512 512          M
    D 16  64 64    M 128 128  M 256 256 256      M 512 512 512      M 512 512 512      M
    E 19  64 64    M 128 128  M 256 256 256 256  M 512 512 512 512  M 512 512 512 512  M
          224×224    112×112    56×56              28×28              14×14              7×7

then fc 4096, fc 4096, fc 1000. Every number is a 3×3 convolution with padding 1 and ReLU, M a 2×2 maximum.
Three 3×3 convolutions see 7×7 pixels with 27 C² weights where one 7×7 has 49 C².
"""

from __future__ import annotations

from typing import Any

from .. import nn
from ..autograd import Tensor
from ..nn import init
from .images import check_images, choose

WIDTHS = (64, 128, 256, 512, 512)
BLOCKS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
VARIANTS = ("notes", "paper", "torchvision")


class VGG(nn.Module):
    """x (N, 3, 224, 224) → logits (N, classes).

    `variant`: "notes" (He et al. 2015's initialization, which trains from scratch), "paper" (N(0, 0.01²), as
    Caffe and torchvision read its "variance" of 10⁻²; the deeper nets were started from a trained A) or
    "torchvision" (as "notes", and any input of at least 32: the last maps are averaged to 7×7).
    `batch_norm` puts one after each convolution.
    `hidden`: units of the first two linear layers.
    """

    input_shape = (3, 224, 224)

    def __init__(
        self, depth: int = 16, classes: int = 1000, batch_norm: bool = False, variant: str = "notes",
        dropout: float = 0.5, hidden: int = 4096,
    ) -> None:  # fmt: skip
        if depth not in BLOCKS:
            raise ValueError(f"VGG: depth must be one of {[*BLOCKS]}, got {depth!r}")
        self.variant = choose(self, variant, VARIANTS)
        layers: list[nn.Module] = []
        before = 3
        for width, count in zip(WIDTHS, BLOCKS[depth], strict=True):
            for _ in range(count):
                layers.append(nn.Conv2d(before, width, 3, padding=1))
                layers += [nn.BatchNorm2d(width), nn.ReLU()] if batch_norm else [nn.ReLU()]
                before = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))  # does nothing to 7×7
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, hidden), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden, classes),
        )  # fmt: skip
        self._initialize()

    def _initialize(self) -> None:
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                if isinstance(layer, nn.Linear) or self.variant == "paper":
                    init.normal_(layer.weight, 0.0, 0.01)
                else:
                    init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                init.zeros_(layer.bias)

    def forward(self, x: Any) -> Tensor:
        if self.variant == "torchvision":
            check_images(self, x, least=32)
        else:
            why = ': the linear layers fit 7×7 maps; variant="torchvision" averages others to that'
            check_images(self, x, exact=224, why=why)
        return self.classifier(self.avgpool(self.features(x)).reshape(len(x), -1))


class VGG11(VGG):
    """VGG with 8 convolutions and 3 linear layers (A)."""

    def __init__(self, classes: int = 1000, **options: Any) -> None:
        super().__init__(11, classes, **options)


class VGG13(VGG):
    """VGG with 10 convolutions and 3 linear layers (B)."""

    def __init__(self, classes: int = 1000, **options: Any) -> None:
        super().__init__(13, classes, **options)


class VGG16(VGG):
    """VGG with 13 convolutions and 3 linear layers (D)."""

    def __init__(self, classes: int = 1000, **options: Any) -> None:
        super().__init__(16, classes, **options)


class VGG19(VGG):
    """VGG with 16 convolutions and 3 linear layers (E)."""

    def __init__(self, classes: int = 1000, **options: Any) -> None:
        super().__init__(19, classes, **options)
