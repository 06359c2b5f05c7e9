"""The networks of the notes, one file each."""

from .lenet import LeNet5
from .mlp import MLP

__all__ = ["MLP", "LeNet5"]
