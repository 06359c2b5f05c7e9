"""Convolution and its adjoint as layers. Names, arguments and defaults are torch.nn's."""

from __future__ import annotations

from typing import Any

from ..autograd import Tensor
from ..ops.arguments import conv_padding, pair
from . import functional as F
from . import init
from .layers import _size
from .module import Module
from .parameter import unset

DEFAULTS = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "output_padding": (0, 0), "groups": 1}


class _Convolution(Module):
    """What a convolution and its adjoint share: channels, geometry, a weight and a bias."""

    transposed = False

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any, dilation: Any, groups: int,
        bias: bool,
    ) -> None:  # fmt: skip
        name = type(self).__name__
        self.in_channels = _size(name, "in_channels", in_channels)
        self.out_channels = _size(name, "out_channels", out_channels)
        self.groups = _size(name, "groups", groups)
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{name}: groups = {groups} must divide in_channels {in_channels} and "
                f"out_channels {out_channels}"
            )
        self.kernel_size = pair(name, "kernel_size", kernel_size, 1)
        self.stride = pair(name, "stride", stride, 1)
        self.dilation = pair(name, "dilation", dilation, 1)
        first, second = (in_channels, out_channels)[:: 1 if self.transposed else -1]
        self.weight = unset(first, second // groups, *self.kernel_size)
        self.register_parameter("bias", unset(out_channels) if bias else None)
        init.torch_default_(self.weight, self.bias)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        for name, default in DEFAULTS.items():
            if getattr(self, name, default) != default:
                text += f", {name}={getattr(self, name)}"
        return text + ("" if self.bias is not None else ", bias=False")


class Conv2d(_Convolution):
    """Convolution of images (N, C, H, W) or (C, H, W).   weight (out, in/groups, kh, kw), bias (out,)."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(in_channels, out_channels, kernel_size, stride, dilation, groups, bias)
        self.padding = conv_padding("Conv2d", padding, self.stride)

    def forward(self, input: Any) -> Tensor:
        return F.conv2d(input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class ConvTranspose2d(_Convolution):
    """The adjoint of a convolution.   weight (in, out/groups, kh, kw), bias (out,).

    It has the weight of the `Conv2d` whose channels are exchanged, and computes that layer's gradient in its
    input from one in its output: images of the size that the layer reads. Where its stride leaves a rest,
    several sizes fit; `output_padding` says how much the smallest grows.
    """

    transposed = True

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        output_padding: Any = 0, groups: int = 1, bias: bool = True, dilation: Any = 1,
    ) -> None:  # fmt: skip
        super().__init__(in_channels, out_channels, kernel_size, stride, dilation, groups, bias)
        self.padding = pair("ConvTranspose2d", "padding", padding)
        self.output_padding = pair("ConvTranspose2d", "output_padding", output_padding)

    def forward(self, input: Any) -> Tensor:
        return F.conv_transpose2d(
            input, self.weight, self.bias, self.stride, self.padding, self.output_padding, self.groups,
            self.dilation,
        )  # fmt: skip
