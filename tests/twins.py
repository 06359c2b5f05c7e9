"""The networks of the package written in torch.nn, with the same state_dict keys: for parity and timing."""

from __future__ import annotations

from typing import Any

import numpy as np


def mlp(sizes: tuple[int, ...] = (784, 1000, 1000, 10)) -> Any:
    """`tg.models.MLP` in torch."""
    from torch import nn

    layers: list[Any] = [nn.Flatten()]
    for before, after in zip(sizes[:-2], sizes[1:-1], strict=True):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return _Nested(layers=nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1])))


def lenet5(classes: int = 10) -> Any:
    """`tg.models.LeNet5` in torch."""
    from torch import nn

    return _Nested(
        features=nn.Sequential(
            nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2)
        ),
        classifier=nn.Sequential(
            nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, classes)
        ),
    )


def _Nested(**parts: Any) -> Any:
    """A torch module that applies its named parts in order."""
    from collections import OrderedDict

    from torch import nn

    return nn.Sequential(OrderedDict(parts))


def copy_weights(ours: Any, theirs: Any) -> None:
    """Give the torch module the values of ours; every key must match."""
    import torch

    state = {name: torch.from_numpy(np.array(value)) for name, value in ours.state_dict().items()}
    theirs.load_state_dict(state, strict=True)
