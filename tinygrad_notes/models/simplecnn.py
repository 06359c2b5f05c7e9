"""The simple convolutional network of the notes: convolution, ReLU and pooling twice, then one linear map.

    input 1@28×28 → conv 16@28×28 → max 16@14×14 → conv 32@14×14 → max 32@7×7 → 10

A convolution keeps the size here: OH = (H + 2P − FH)/S + 1 = (28 + 2 − 3)/1 + 1 = 28.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import nn
from ..autograd import Tensor
from .images import check_images


class SimpleCNN(nn.Module):
    """x (N, C, H, W) → logits (N, classes). Sides must be those of `shape`: the linear map fixes them."""

    input_shape: tuple[int, ...] = (1, 28, 28)

    def __init__(
        self, shape: Sequence[int] = (1, 28, 28), classes: int = 10, channels: Sequence[int] = (16, 32)
    ) -> None:
        before, height, width = self.input_shape = tuple(shape)
        layers: list[nn.Module] = []
        for count in channels:
            layers += [nn.Conv2d(before, count, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
            before, height, width = count, height // 2, width // 2
        if min(height, width) < 1:
            raise ValueError(
                f"SimpleCNN: {len(channels)} poolings leave nothing of {shape[1]}×{shape[2]} images; "
                "use larger images or fewer channels"
            )
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(before * height * width, classes))

    def forward(self, x: Any) -> Tensor:
        check_images(self, x)
        if x.shape[1:] != self.input_shape:
            raise ValueError(f"SimpleCNN: images must be {self.input_shape}, got {x.shape[1:]}")
        return self.classifier(self.features(x))
