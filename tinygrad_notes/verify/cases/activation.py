"""Rows of ops/activation.py."""

from __future__ import annotations

import math

import numpy as np

from ...ops import activation as ops
from .case import F, T, case, each, positive, real, softmax_of

S = (2, 3)


def _along(x: np.ndarray, axis: int, log: bool = False) -> np.ndarray:
    """Softmax of every line of x along `axis`, or its logarithm."""
    y = np.moveaxis(np.empty(x.shape), axis, -1)
    lines = np.moveaxis(x, axis, -1)
    for i in np.ndindex(y.shape[:-1]):
        p = softmax_of(lines[i])
        y[i] = [math.log(v) for v in p] if log else p
    return np.moveaxis(y, -1, axis)


def _gelu_tanh(u: float) -> float:
    return 0.5 * u * (1 + math.tanh(math.sqrt(2 / math.pi) * (u + 0.044715 * u**3)))


CASES = (
    case("sigmoid", ops.Sigmoid, ops.sigmoid, real(S), lambda x: each(lambda u: 1 / (1 + math.exp(-u)), x),
         T.later("sigmoid")),
    case("tanh", ops.Tanh, ops.tanh, real(S), lambda x: each(math.tanh, x), T.later("tanh")),
    case("relu", ops.ReLU, ops.relu, real(S), lambda x: each(lambda u: u if u > 0 else 0, x),
         T.later("relu")),
    case("leaky_relu", ops.LeakyReLU, ops.leaky_relu, real(S),
         lambda x: each(lambda u: u if u > 0 else 0.01 * u, x), F.later("leaky_relu")),
    case("leaky_relu: slope 1/4", ops.LeakyReLU, lambda x: ops.leaky_relu(x, 0.25), real(S),
         lambda x: each(lambda u: u if u > 0 else 0.25 * u, x),
         F.later("leaky_relu", negative_slope=0.25)),
    case("softplus", ops.Softplus, ops.softplus, real(S),
         lambda x: each(lambda u: math.log(1 + math.exp(u)), x), F.later("softplus")),
    case("softplus: beta 3", ops.Softplus, lambda x: ops.softplus(x, 3), real(S),
         lambda x: each(lambda u: math.log(1 + math.exp(3 * u)) / 3, x), F.later("softplus", beta=3)),
    case("silu", ops.SiLU, ops.silu, real(S), lambda x: each(lambda u: u / (1 + math.exp(-u)), x),
         F.later("silu")),
    *(case(f"elu: alpha {a}", ops.ELU, lambda x, a=a: ops.elu(x, a), real(S),
           lambda x, a=a: each(lambda u: u if u > 0 else a * math.expm1(u), x), F.later("elu", alpha=a))
      for a in (1.0, 0.5)),
    case("gelu", ops.GELU, ops.gelu, real(S),
         lambda x: each(lambda u: u * 0.5 * math.erfc(-u / math.sqrt(2)), x), F.later("gelu")),
    case("gelu: tanh", ops.GELUTanh, lambda x: ops.gelu(x, "tanh"), real(S),
         lambda x: each(_gelu_tanh, x), F.later("gelu", approximate="tanh")),
    case("erf", ops.Erf, ops.erf, real(S), lambda x: each(math.erf, x), T.later("erf")),
    case("log1p", ops.Log1p, ops.log1p, positive(S), lambda x: each(math.log1p, x), T.later("log1p")),
    case("softmax", ops.Softmax, ops.softmax, real(S), lambda x: _along(x, -1),
         F.later("softmax", dim=-1)),
    case("softmax: axis 1 of 3", ops.Softmax, lambda x: ops.softmax(x, 1), real((2, 3, 2)),
         lambda x: _along(x, 1), F.later("softmax", dim=1)),
    case("log_softmax", ops.LogSoftmax, ops.log_softmax, real(S), lambda x: _along(x, -1, log=True),
         F.later("log_softmax", dim=-1)),
    case("log_softmax: axis 0", ops.LogSoftmax, lambda x: ops.log_softmax(x, axis=0), real((3, 2)),
         lambda x: _along(x, 0, log=True), F.later("log_softmax", dim=0)),
)  # fmt: skip
