"""The names of torch.nn.functional, with its arguments; where torch says `dim` we say `axis`."""

from __future__ import annotations

from ..ops.activation import (
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)  # fmt: skip
from ..ops.attention import scaled_dot_product_attention
from ..ops.classes import one_hot
from ..ops.dropout import dropout
from ..ops.embedding import embedding
from ..ops.images import avg_pool2d, conv2d, conv_transpose2d, max_pool2d
from ..ops.linear import linear
from ..ops.loss import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    l1_loss,
    mse_loss,
    nll_loss,
)  # fmt: skip
from ..ops.normalization import group_norm, instance_norm, layer_norm, rms_norm
from ..ops.pooling import adaptive_avg_pool2d
from ..ops.response import local_response_norm
from ..ops.shape import flatten, pad
from ..ops.words import hierarchical_softmax_loss, negative_sampling_loss

__all__ = [
    "adaptive_avg_pool2d", "avg_pool2d", "binary_cross_entropy_with_logits", "conv2d", "conv_transpose2d",
    "cross_entropy", "dropout", "elu", "embedding", "flatten", "gelu", "group_norm",
    "hierarchical_softmax_loss", "huber_loss", "instance_norm", "l1_loss", "layer_norm", "leaky_relu",
    "linear", "local_response_norm", "log_softmax", "max_pool2d", "mse_loss", "negative_sampling_loss",
    "nll_loss", "one_hot", "pad", "relu", "rms_norm", "scaled_dot_product_attention", "sigmoid", "silu",
    "softmax", "softplus", "tanh",
]  # fmt: skip
__dir__ = __all__.copy  # what dir() and completion offer
