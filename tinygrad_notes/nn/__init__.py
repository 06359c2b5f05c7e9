"""Parameters and state. Names, arguments, defaults and state_dict keys follow torch.nn."""

from . import functional, init
from .layers import (
    AvgPool2d, Conv2d, Dropout, Flatten, GELU, Identity, LeakyReLU, Linear, LogSoftmax, MaxPool2d, ReLU,
    Sigmoid, Softmax, Softplus, Tanh,
)  # fmt: skip
from .losses import BCEWithLogitsLoss, CrossEntropyLoss, HuberLoss, L1Loss, MSELoss, NLLLoss
from .module import Buffer, Module, ModuleList, Parameter, Sequential

__all__ = [
    "AvgPool2d", "BCEWithLogitsLoss", "Buffer", "Conv2d", "CrossEntropyLoss", "Dropout", "Flatten", "GELU",
    "HuberLoss", "Identity", "L1Loss", "LeakyReLU", "Linear", "LogSoftmax", "MSELoss", "MaxPool2d", "Module",
    "ModuleList", "NLLLoss", "Parameter", "ReLU", "Sequential", "Sigmoid", "Softmax", "Softplus", "Tanh",
    "functional", "init",
]  # fmt: skip
