"""Rows of ops/normalization.py and ops/response.py."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...ops import normalization as ops
from ...ops import response
from .case import Case, Domain, F, T, build, case, fold, real, total

EPS = 1 / 256  # a power of two is exact in a proof
MEAN, VAR = np.array([0.5, -0.25]), np.array([1.5, 0.75])


def _mean(numbers: list[float]) -> float:
    return total(numbers) / len(numbers)


def _variance(numbers: list[float]) -> float:
    m = _mean(numbers)
    return total([(v - m) ** 2 for v in numbers]) / len(numbers)


def _statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    axes = (0, *range(2, x.ndim))
    return fold(_mean, x, axes, True), fold(_variance, x, axes, True)


def _per_channel(x: np.ndarray, mean: Any, var: Any, gamma: Any, beta: Any) -> np.ndarray:
    def element(n: int, c: int, *rest: int) -> float:
        x_hat = (x[n, c, *rest] - mean.flat[c]) / math.sqrt(var.flat[c] + EPS)
        return gamma[c] * x_hat + beta[c]

    return build(x.shape, element)


def _batch(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> tuple[np.ndarray, ...]:
    mean, var = _statistics(x)
    return _per_channel(x, mean, var, gamma, beta), mean, var


def _torch_batch(x: Any, gamma: Any, beta: Any) -> Any:
    axes = (0, *range(2, x.ndim))
    y = F.batch_norm(x, None, None, gamma, beta, training=True, eps=EPS)
    return y, x.mean(axes, keepdim=True), x.var(axes, keepdim=True, unbiased=False)


def _batch_row(*x: int) -> Case:
    return case(f"batch_norm: {len(x)} axes", ops.BatchNorm, lambda *a: ops.batch_norm(*a, EPS),
                real(x, x[1:2], x[1:2]), _batch, _torch_batch)  # fmt: skip


def _fixed_row(*x: int) -> Case:
    return case(
        f"batch_norm_fixed: {len(x)} axes", ops.BatchNormFixed,
        lambda a, gamma, beta: ops.batch_norm_fixed(
            a, MEAN.astype(a.dtype), VAR.astype(a.dtype), gamma, beta, EPS
        ),
        real(x, x[1:2], x[1:2]), lambda a, *p: _per_channel(a, MEAN, VAR, *p),
        lambda a, *p: F.batch_norm(a, T.tensor(MEAN), T.tensor(VAR), *p, eps=EPS),
    )  # fmt: skip


def _layer(x: np.ndarray, gamma: np.ndarray | None = None, beta: np.ndarray | None = None) -> np.ndarray:
    last = (2,) if gamma is None else tuple(range(x.ndim - gamma.ndim, x.ndim))
    mean, var = fold(_mean, x, last, True), fold(_variance, x, last, True)

    def element(*i: int) -> float:
        at = tuple(0 if a in last else n for a, n in enumerate(i))
        x_hat = (x[i] - mean[at]) / math.sqrt(var[at] + EPS)
        inner = tuple(i[a] for a in last)
        return x_hat if gamma is None else gamma[inner] * x_hat + beta[inner]

    return build(x.shape, element)


def _rms(x: np.ndarray, gamma: np.ndarray | None = None) -> np.ndarray:
    """Over the last axis."""

    def element(*i: int) -> float:
        mean_square = _mean([float(v) ** 2 for v in x[i[:-1]]])
        return x[i] / math.sqrt(mean_square + EPS) * (1 if gamma is None else gamma[i[-1]])

    return build(x.shape, element)


def _group_row(groups: int, *x: int) -> Case:
    width = x[1] // groups

    def plain(a: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
        def element(n: int, c: int, *rest: int) -> float:
            start = c // width * width
            group = [float(v) for v in a[n, start : start + width].flat]
            return gamma[c] * (a[n, c, *rest] - _mean(group)) / math.sqrt(_variance(group) + EPS) + beta[c]

        return build(a.shape, element)

    return case(f"group_norm: {groups} groups of {width}", ops.LayerNorm,
                lambda a, *p: ops.group_norm(a, groups, *p, EPS), real(x, x[1:2], x[1:2]), plain,
                lambda a, *p: F.group_norm(a, groups, *p, EPS))  # fmt: skip


def _response_row(name: str, x: tuple[int, ...], size: int, beta: float, convention: str) -> Case:
    alpha, k = 0.25, 2.0
    share = alpha / size if convention == "torch" else alpha

    def plain(a: np.ndarray) -> np.ndarray:
        def element(n: int, i: int, *rest: int) -> float:
            first, last = max(0, i - size // 2), min(x[1] - 1, i + (size - 1) // 2)
            squares = total([a[n, j, *rest] ** 2 for j in range(first, last + 1)])
            return a[n, i, *rest] / (k + share * squares) ** beta

        return build(a.shape, element)

    return case(
        f"local_response_norm: {name}", response.LocalResponseNorm,
        lambda a: response.local_response_norm(a, size, alpha, beta, k, convention), real(x), plain,
        lambda a: F.local_response_norm(a, size, alpha if convention == "torch" else alpha * size, beta, k),
    )  # fmt: skip


CASES = (
    _batch_row(3, 2),
    _batch_row(2, 2, 2),
    _batch_row(2, 2, 1, 2),
    _fixed_row(3, 2),
    _fixed_row(2, 2, 1, 2),
    case("layer_norm: last axis", ops.LayerNorm, lambda x, *p: ops.layer_norm(x, 3, *p, EPS),
         real((2, 3), (3,), (3,)), _layer, lambda x, *p: F.layer_norm(x, (3,), *p, EPS)),
    case("layer_norm: two axes", ops.LayerNorm, lambda x, *p: ops.layer_norm(x, (2, 2), *p, EPS),
         real((2, 2, 2), (2, 2), (2, 2)), _layer, lambda x, *p: F.layer_norm(x, (2, 2), *p, EPS)),
    case("layer_norm: no weight", ops.LayerNorm, lambda x: ops.layer_norm(x, 3, eps=EPS),
         Domain(((1, 2, 3),)), _layer, lambda x: F.layer_norm(x, (3,), None, None, EPS)),
    case("rms_norm", ops.RMSNorm, lambda x, w: ops.rms_norm(x, 3, w, EPS), real((2, 3), (3,)), _rms,
         lambda x, w: F.rms_norm(x, (3,), w, EPS)),
    case("rms_norm: no weight", ops.RMSNorm, lambda x: ops.rms_norm(x, 2, eps=EPS), real((2, 1, 2)), _rms,
         lambda x: F.rms_norm(x, (2,), None, EPS)),
    _group_row(2, 2, 4, 1),
    _group_row(3, 1, 3, 1, 2),
    _response_row("the paper's", (1, 5, 1, 2), 3, 0.75, "paper"),
    _response_row("torch's", (2, 4, 2), 3, 0.75, "torch"),
    _response_row("even window", (1, 5, 2), 4, 0.75, "torch"),
    _response_row("other exponent", (1, 3, 1, 1), 5, 2.0, "paper"),
)  # fmt: skip
