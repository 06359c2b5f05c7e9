"""AlexNet: Krizhevsky, Sutskever & Hinton 2012, ImageNet Classification with Deep CNNs.

    input 3@227×227
    conv1 96  11×11 s4 → 55×55   ReLU, LRN   max 3×3 s2 → 27×27
    conv2 256 5×5 p2   → 27×27   ReLU, LRN   max 3×3 s2 → 13×13
    conv3 384 3×3 p1   → 13×13   ReLU
    conv4 384 3×3 p1   → 13×13   ReLU
    conv5 256 3×3 p1   → 13×13   ReLU        max 3×3 s2 → 6×6
    fc6 4096, ReLU, dropout ½   fc7 4096, ReLU, dropout ½   fc8 1000

The pooling windows overlap (3 > 2). The input is often given as 224, but (224 − 11)/4 + 1 = 54.25: it is
227, or 224 with a border of 2 of which one row is never read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .. import nn
from ..autograd import Tensor
from ..nn import init
from .images import check_images, choose


@dataclass(frozen=True)
class Form:
    """What the variants differ in: channels of conv1–5, groups of conv2, 4 and 5, padding of conv1."""

    channels: tuple[int, int, int, int, int]
    groups: int
    padding: int
    paper: bool  # response normalization, fixed input, the paper's initialization


VARIANTS = {
    "notes": Form((96, 256, 384, 384, 256), groups=1, padding=0, paper=True),
    "paper": Form((96, 256, 384, 384, 256), groups=2, padding=0, paper=True),
    "torchvision": Form((64, 192, 384, 256, 256), groups=1, padding=2, paper=False),
}


WHY_227 = (
    "; conv1 makes 55 columns of 227, and (224 − 11)/4 + 1 = 54.25 of 224: pad or crop to 227, or use "
    'variant="torchvision", which pads by 2'
)


class AlexNet(nn.Module):
    """x (N, 3, 227, 227) → logits (N, classes).

    `variant`: "notes", one tower; "paper", two towers that meet in conv3 and the linear layers
    (groups = 2); "torchvision", Krizhevsky 2014 (One weird trick), any input of at least 63, with
    torchvision's dropout, before fc6 and fc7 instead of after them.
    `hidden`: units of fc6 and fc7.
    """

    input_shape = (3, 227, 227)

    def __init__(
        self, classes: int = 1000, variant: str = "notes", dropout: float = 0.5, hidden: int = 4096
    ) -> None:
        self.variant = choose(self, variant, VARIANTS)
        form = VARIANTS[variant]
        if not form.paper:
            self.input_shape = (3, 224, 224)
        c, g = form.channels, form.groups

        def norm() -> list[nn.Module]:
            return [nn.LocalResponseNorm(5, 1e-4, 0.75, k=2.0, convention="paper")] if form.paper else []

        self.features = nn.Sequential(
            nn.Conv2d(3, c[0], 11, stride=4, padding=form.padding), nn.ReLU(), *norm(), nn.MaxPool2d(3, 2),
            nn.Conv2d(c[0], c[1], 5, padding=2, groups=g), nn.ReLU(), *norm(), nn.MaxPool2d(3, 2),
            nn.Conv2d(c[1], c[2], 3, padding=1), nn.ReLU(),
            nn.Conv2d(c[2], c[3], 3, padding=1, groups=g), nn.ReLU(),
            nn.Conv2d(c[3], c[4], 3, padding=1, groups=g), nn.ReLU(), nn.MaxPool2d(3, 2),
        )  # fmt: skip
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))  # does nothing to 6×6
        fc6 = [nn.Linear(c[4] * 6 * 6, hidden), nn.ReLU()]
        fc7 = [nn.Linear(hidden, hidden), nn.ReLU()]
        fc8 = nn.Linear(hidden, classes)
        first, second = nn.Dropout(dropout), nn.Dropout(dropout)
        self.classifier = nn.Sequential(
            *([*fc6, first, *fc7, second] if form.paper else [first, *fc6, second, *fc7]), fc8
        )
        if form.paper:
            self._initialize()

    def _initialize(self) -> None:
        """The paper: w ~ N(0, 0.01²); b = 1 in conv2, 4, 5 and the hidden linear layers.

        The notes name none; theirs is He et al. 2015, as the paper's needs ImageNet to leave its plateau.
        """
        layers = [m for m in self.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        for number, layer in enumerate(layers, 1):
            if self.variant == "paper":
                init.normal_(layer.weight, 0.0, 0.01)
                init.constant_(layer.bias, 1.0 if number in (2, 4, 5, 6, 7) else 0.0)
            else:
                init.kaiming_normal_(layer.weight, nonlinearity="relu")
                init.zeros_(layer.bias)

    def forward(self, x: Any) -> Tensor:
        if VARIANTS[self.variant].paper:
            check_images(self, x, exact=227, why=WHY_227)
        else:
            check_images(self, x, least=63)
        return self.classifier(self.avgpool(self.features(x)).reshape(len(x), -1))
