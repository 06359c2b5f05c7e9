"""The multilayer perceptron of the notes (FCNN/MLP): every unit of a layer sees all of the one before."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from .. import nn
from ..autograd import Tensor


class MLP(nn.Module):
    """x → (Linear → ReLU)* → Linear.   x (N, ...) is flattened to (N, sizes[0]); logits (N, sizes[-1])."""

    input_shape = (1, 28, 28)  # one sample

    def __init__(self, sizes: Sequence[int] = (784, 1000, 1000, 10)) -> None:
        if len(sizes) < 2:
            raise ValueError(f"MLP: sizes needs an input and an output length, got {tuple(sizes)}")
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in pairwise(sizes[:-1]):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))

    def forward(self, x: Any) -> Tensor:
        return self.layers(x)
