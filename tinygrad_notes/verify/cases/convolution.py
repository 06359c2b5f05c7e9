"""Rows of ops/convolution.py: the trio under every geometry."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ops import convolution as ops
from .case import Case, F, Lazy, case, real

ONE, NONE = (1, 1), (0, 0)
GRAD = Lazy("torch.nn.grad")

# name, x, w, stride, padding, dilation, groups
GEOMETRIES: tuple[tuple[Any, ...], ...] = (
    ("plain", (1, 2, 3, 3), (2, 2, 2, 2), ONE, NONE, ONE, 1),
    ("padding", (1, 1, 3, 2), (1, 1, 3, 3), ONE, ONE, ONE, 1),
    ("stride that leaves a rest", (2, 1, 4, 5), (1, 1, 2, 2), (3, 2), NONE, ONE, 1),
    ("unlike axes", (1, 1, 4, 3), (2, 1, 1, 2), (2, 1), (1, 0), (1, 2), 1),
    ("dilation", (1, 1, 5, 4), (1, 1, 2, 2), ONE, ONE, (3, 2), 1),
    ("groups", (1, 4, 2, 2), (2, 2, 2, 1), ONE, NONE, ONE, 2),
    ("depthwise", (1, 2, 3, 3), (4, 1, 2, 2), (2, 2), ONE, ONE, 2),
    ("kernel 1", (2, 2, 2, 2), (3, 2, 1, 1), ONE, NONE, ONE, 1),
    ("stride beyond the kernel", (1, 1, 5, 5), (1, 1, 1, 1), (3, 3), NONE, ONE, 1),
    ("3 by 3", (1, 2, 4, 4), (2, 2, 3, 3), ONE, ONE, ONE, 1),
)


def _sizes(x: Any, w: Any, stride: Any, padding: Any, dilation: Any) -> tuple[int, int]:
    return tuple(
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(x[2:], w[2:], stride, padding, dilation, strict=True)
    )


def _terms(x: Any, w: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """Every (place in y, place in x, place in w) whose product the sum has: the whole definition."""
    height, width = _sizes(x, w, stride, padding, dilation)
    for n, o, i, j in np.ndindex(x[0], w[0], height, width):
        for c, p, q in np.ndindex(*w[1:]):
            row = i * stride[0] + p * dilation[0] - padding[0]
            column = j * stride[1] + q * dilation[1] - padding[1]
            if 0 <= row < x[2] and 0 <= column < x[3]:
                channel = o // (w[0] // groups) * w[1] + c
                yield (n, o, i, j), (n, channel, row, column), (o, c, p, q)


def _rows(name: str, x: Any, w: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    geometry = (stride, padding, dilation, groups)
    y = (x[0], w[0], *_sizes(x, w, stride, padding, dilation))

    def forward(a: np.ndarray, k: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
        out = np.zeros(y) if b is None else np.zeros(y) + b.reshape(1, -1, 1, 1)
        for at_y, at_x, at_w in _terms(x, w, *geometry):
            out[at_y] += a[at_x] * k[at_w]
        return out

    def in_x(g: np.ndarray, k: np.ndarray) -> np.ndarray:
        out = np.zeros(x)
        for at_y, at_x, at_w in _terms(x, w, *geometry):
            out[at_x] += g[at_y] * k[at_w]
        return out

    def in_w(g: np.ndarray, a: np.ndarray) -> np.ndarray:
        out = np.zeros(w)
        for at_y, at_x, at_w in _terms(x, w, *geometry):
            out[at_w] += g[at_y] * a[at_x]
        return out

    def twin(a: Any, k: Any, b: Any = None) -> Any:
        return F.conv2d(a, k, b, *geometry)

    yield case(f"conv2d: {name}", ops.Conv2d, lambda a, k: ops.conv2d(a, k, None, *geometry),
               real(x, w), forward, twin)  # fmt: skip
    yield case(f"conv2d_input_grad: {name}", ops.Conv2dInputGrad,
               lambda g, k: ops.conv2d_input_grad(g, k, x, *geometry), real(y, w), in_x,
               lambda g, k: GRAD.conv2d_input(x, k, g, *geometry))  # fmt: skip
    yield case(f"conv2d_weight_grad: {name}", ops.Conv2dWeightGrad,
               lambda g, a: ops.conv2d_weight_grad(g, a, w, *geometry), real(y, x), in_w,
               lambda g, a: GRAD.conv2d_weight(a, w, g, *geometry))  # fmt: skip
    if name == "unlike axes":
        yield case("conv2d: bias", ops.Conv2d, lambda a, k, b: ops.conv2d(a, k, b, *geometry),
                   real(x, w, w[:1]), forward, twin)  # fmt: skip


CASES: tuple[Case, ...] = tuple(row for geometry in GEOMETRIES for row in _rows(*geometry))
