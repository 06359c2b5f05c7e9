"""Optimizers, schedules and gradient clipping, with torch.optim's names."""

from . import lr_scheduler
from .adam import Adam, AdamW
from .clip import clip_grad_norm_, clip_grad_value_
from .optimizer import Optimizer
from .rows import RowSGD
from .sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Optimizer",
    "RowSGD",
    "clip_grad_norm_",
    "clip_grad_value_",
    "lr_scheduler",
]
__dir__ = __all__.copy  # what dir() and completion offer
