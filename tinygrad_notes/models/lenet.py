"""LeNet-5 as the notes tabulate it, after LeCun, Bottou, Bengio & Haffner 1998.

    input 1@32×32 → conv 6@28×28 → mean 6@14×14 → conv 16@10×10 → mean 16@5×5 → 120 → 84 → 10

The notes' table is the modern form: plain 2×2 means where 1998 had trainable coefficients, a full second
convolution where 1998 had a connection table, ReLU in the fully connected part, softmax outputs.
61,706 parameters and 416,520 multiply-adds for one image.
"""

from __future__ import annotations

from typing import Any

from .. import nn
from ..autograd import Tensor
from .images import check_images

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh}


class LeNet5(nn.Module):
    """x (N, 1, 32, 32) → logits (N, classes). MNIST's 28×28 images need a border of 2.

    `activation` after the convolutions: "tanh" (default: it trains faster) or "sigmoid".
    """

    input_shape = (1, 32, 32)

    def __init__(self, classes: int = 10, activation: str = "tanh") -> None:
        if activation not in ACTIVATIONS:
            raise ValueError(f"LeNet5: activation must be one of {[*ACTIVATIONS]}, got {activation!r}")
        squash = ACTIVATIONS[activation]
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5), squash(), nn.AvgPool2d(2),
            nn.Conv2d(6, 16, 5), squash(), nn.AvgPool2d(2),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(16 * 5 * 5, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
            nn.Linear(84, classes),
        )  # fmt: skip

    def forward(self, x: Any) -> Tensor:
        check_images(self, x, exact=32, why="; MNIST's 28×28 need a border of 2")
        return self.classifier(self.features(x))
