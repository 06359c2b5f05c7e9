"""Layers that normalize. Running statistics are state, so they live here."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend
from ..autograd import Tensor, mode
from ..backend.capture import renew
from ..ops import normalization as ops
from ..ops.arguments import as_shape
from ..ops.response import local_response_norm
from .module import Module
from .parameter import Buffer, Parameter


def _scale_and_shift(layer: Module, shape: Any, affine: bool, bias: bool) -> None:
    """γ and β of `shape` as `weight` and `bias`; None where `affine` (for β also `bias`) is False."""
    layer.register_parameter("weight", Parameter(np.ones(shape, np.float32)) if affine else None)
    layer.register_parameter("bias", Parameter(np.zeros(shape, np.float32)) if affine and bias else None)


class _BatchNorm(Module):
    """Training: the batch's own mean and biased variance. Evaluation: the running ones, as constants.

    After each batch in training, running ← (1 − momentum) · running + momentum · new, with the
    unbiased variance v m/(m − 1), m = N · positions. `momentum` is the weight of the new value
    (Keras counts that of the old); None averages all batches alike. Without running statistics
    (`track_running_stats=False`) evaluation uses the batch as well.
    """

    dimensions: tuple[int, ...]
    running_mean: Any  # Buffers, or None
    running_var: Any
    num_batches_tracked: Any

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True, *, bias: bool = True,
    ) -> None:  # fmt: skip
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        ones, zeros = np.ones(num_features, np.float32), np.zeros(num_features, np.float32)
        _scale_and_shift(self, num_features, affine, bias)
        self.running_mean = Buffer(zeros) if track_running_stats else None
        self.running_var = Buffer(ones) if track_running_stats else None
        self.num_batches_tracked = Buffer(np.array(0, np.int64)) if track_running_stats else None

    def forward(self, input: Any) -> Tensor:
        name = type(self).__name__
        if input.ndim not in self.dimensions or input.shape[1] != self.num_features:
            raise ValueError(
                f"{name}: input {input.shape} must have {' or '.join(map(str, self.dimensions))} axes "
                f"(N, C, ...) with C = num_features = {self.num_features}"
            )
        gamma = np.ones(self.num_features, input.dtype) if self.weight is None else self.weight
        beta = np.zeros(self.num_features, input.dtype) if self.bias is None else self.bias
        if not self.training and self.running_mean is not None:
            return ops.batch_norm_fixed(input, self.running_mean, self.running_var, gamma, beta, self.eps)
        y, mean, var = ops.batch_norm(input, gamma, beta, self.eps)
        if self.training and self.running_mean is not None and mode.updating.get():
            self._update(mean._data, var._data, input.size // self.num_features)
        return y

    def _update(self, mean: Any, var: Any, m: int) -> None:
        """New arrays, never in place: a graph may still hold the old ones."""
        count = self.num_batches_tracked._data + 1
        new = 1 / int(count) if self.momentum is None else self.momentum
        renew(self.num_batches_tracked, count)
        running = self.running_mean, self.running_var
        for buffer, array in zip(
            running, backend.run(_moved, *(b._data for b in running), mean, var, new=new, m=m), strict=True
        ):
            renew(buffer, array)

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


def _moved(
    xp: Any, old_mean: Any, old_var: Any, mean: Any, var: Any, *, new: float, m: int
) -> tuple[Any, ...]:
    """(1 − new) old + new of the batch, for both; the variance of m numbers is the unbiased one."""
    pairs = (old_mean, mean), (old_var, var * (m / (m - 1)))
    return tuple((1 - new) * old + new * now.reshape(old.shape).astype(old.dtype) for old, now in pairs)


class BatchNorm1d(_BatchNorm):
    """Batch normalization of (N, C) or (N, C, L), per channel; see `_BatchNorm`."""

    dimensions = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalization of images (N, C, H, W), per channel over N, H and W; see `_BatchNorm`."""

    dimensions = (4,)


class LayerNorm(Module):
    """The last axes, of shape `normalized_shape`, normalized for each sample by itself."""

    def __init__(
        self, normalized_shape: Any, eps: float = 1e-5, elementwise_affine: bool = True, bias: bool = True
    ) -> None:
        self.normalized_shape, self.eps = as_shape(normalized_shape), eps
        _scale_and_shift(self, self.normalized_shape, elementwise_affine, bias)

    def forward(self, input: Any) -> Tensor:
        return ops.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}"


class GroupNorm(Module):
    """Groups of channels of (N, C, *) normalized for each sample by itself."""

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, *, bias: bool = True
    ) -> None:
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(f"GroupNorm: num_groups {num_groups} must divide num_channels {num_channels}")
        self.num_groups, self.num_channels, self.eps = num_groups, num_channels, eps
        _scale_and_shift(self, num_channels, affine, bias)

    def forward(self, input: Any) -> Tensor:
        return ops.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}"


class _InstanceNorm(Module):
    """Each map of each sample normalized by itself, in training and in evaluation; see `instance_norm`.

    The arguments are torch's, but there are no running statistics: `momentum` has no effect, and
    `track_running_stats=True` raises ValueError.
    """

    dimensions: int

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False,
        track_running_stats: bool = False, *, bias: bool = True,
    ) -> None:  # fmt: skip
        if track_running_stats:
            raise ValueError(f"{type(self).__name__}: running statistics are those of BatchNorm, use that")
        self.num_features, self.eps = num_features, eps
        _scale_and_shift(self, num_features, affine, bias)

    def forward(self, input: Any) -> Tensor:
        single = input.ndim == self.dimensions - 1
        x = input[None] if single else input
        if x.ndim != self.dimensions or x.shape[1] != self.num_features:
            raise ValueError(
                f"{type(self).__name__}: input {input.shape} must have {self.dimensions} axes (N, C, ...), "
                f"or one less without N, with C = num_features = {self.num_features}"
            )
        y = ops.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)
        return y[0] if single else y

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}"


class InstanceNorm1d(_InstanceNorm):
    """Instance normalization of (N, C, L) or (C, L), each row by itself; see `_InstanceNorm`."""

    dimensions = 3


class InstanceNorm2d(_InstanceNorm):
    """Instance normalization of images (N, C, H, W) or (C, H, W), each map by itself; see `_InstanceNorm`."""

    dimensions = 4


class LocalResponseNorm(Module):
    """Division by a power of the sum of squares in `size` neighboring channels.  Krizhevsky et al. 2012.

    The defaults are torch's; the paper's layer is (5, alpha=1e-4, beta=0.75, k=2, convention="paper").
    """

    def __init__(
        self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0,
        convention: str = "torch",
    ) -> None:  # fmt: skip
        self.size, self.alpha, self.beta, self.k, self.convention = size, alpha, beta, k, convention

    def forward(self, input: Any) -> Tensor:
        return local_response_norm(input, self.size, self.alpha, self.beta, self.k, self.convention)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}, {self.convention!r}"


class RMSNorm(Module):
    """x/√(mean(x²) + ε) over the last axes, of shape `normalized_shape`, times a weight.

    Zhang & Sennrich 2019. `eps` None: see `rms_norm`.
    """

    def __init__(
        self, normalized_shape: Any, eps: float | None = None, elementwise_affine: bool = True
    ) -> None:
        self.normalized_shape, self.eps = as_shape(normalized_shape), eps
        self.weight = Parameter(np.ones(self.normalized_shape, np.float32)) if elementwise_affine else None

    def forward(self, input: Any) -> Tensor:
        return ops.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}"
