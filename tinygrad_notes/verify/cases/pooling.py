"""Rows of ops/pooling.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...backend import asarray
from ...ops import pooling as ops
from .case import Case, F, build, case, real

ONE, NONE = (1, 1), (0, 0)

# name, x, kernel, stride, padding, dilation, ceil_mode
GEOMETRIES: tuple[tuple[Any, ...], ...] = (
    ("plain", (1, 2, 4, 4), (2, 2), (2, 2), NONE, ONE, False),
    ("overlapping", (1, 1, 5, 5), (3, 3), (2, 2), NONE, ONE, False),
    ("a rest, floor", (2, 1, 5, 4), (2, 3), (2, 2), NONE, ONE, False),
    ("a rest, ceil", (2, 1, 5, 4), (2, 3), (2, 2), NONE, ONE, True),
    ("padding", (1, 1, 4, 3), (3, 2), (1, 2), (1, 1), ONE, False),
    ("padding and ceil", (1, 1, 4, 4), (2, 2), (3, 3), ONE, ONE, True),
    ("ceil drops the window in the padding", (1, 1, 3, 3), (2, 2), (2, 2), ONE, ONE, True),
    ("stride beyond the kernel", (1, 1, 5, 5), (1, 2), (3, 3), NONE, ONE, False),
    ("dilation", (1, 1, 5, 5), (2, 2), (1, 2), NONE, (3, 2), False),
)


def _size(n: int, k: int, s: int, p: int, d: int, ceil: bool) -> int:
    """The windows along one axis: the last one must start inside the input or the padding before it."""
    span = n + 2 * p - d * (k - 1) - 1
    count = (-(-span // s) if ceil else span // s) + 1
    return count - 1 if ceil and (count - 1) * s >= n + p else count


def _windows(x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool) -> Any:
    """The shape of y, and a function that lists the window of an output: (place, (row, column))."""
    axes = zip(x[2:], kernel, stride, padding, dilation, strict=True)
    shape = (*x[:2], *(_size(*axis, ceil) for axis in axes))

    def window(i: int, j: int) -> list[tuple[int, tuple[int, int]]]:
        return [(p * kernel[1] + q, (i * stride[0] + p * dilation[0] - padding[0],
                                     j * stride[1] + q * dilation[1] - padding[1]))
                for p, q in np.ndindex(*kernel)]  # fmt: skip

    def inside(at: tuple[int, int]) -> bool:
        return 0 <= at[0] < x[2] and 0 <= at[1] < x[3]

    return shape, window, inside


def _max_rows(name: str, x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool) -> Any:
    geometry = (kernel, stride, padding, dilation)
    y, window, inside = _windows(x, *geometry, ceil)

    def largest(a: np.ndarray) -> np.ndarray:
        return build(y, lambda n, c, i, j: max(a[n, c, *at] for _, at in window(i, j) if inside(at)))

    # some place of every window that lies inside: an index as the kernel would give it
    index = build(y, lambda n, c, i, j: [k for k, at in window(i, j) if inside(at)][(i + j + c) % 2 - 1])
    index = index.astype(np.uint8)

    def chosen(i: Any) -> tuple[int, ...]:
        return (*i[:2], *dict(window(*i[2:]))[int(index[i])])

    def scattered(g: np.ndarray) -> np.ndarray:
        out = np.zeros(x)
        for i in np.ndindex(*y):
            out[chosen(i)] += g[i]
        return out

    yield case(f"max_pool2d: {name}", ops.MaxPool2d, lambda a: ops.max_pool2d(a, *geometry, ceil),
               real(x), largest, F.later("max_pool2d", kernel_size=kernel, stride=stride,
               padding=padding, dilation=dilation, ceil_mode=ceil) if _torch_can(kernel, padding)
               else None)  # fmt: skip
    yield case(f"max_pool2d_scatter: {name}", ops.MaxPool2dScatter,
               lambda g: ops.max_pool2d_scatter(g, asarray(index), x, *geometry), real(y),
               scattered)  # fmt: skip
    yield case(f"max_pool2d_gather: {name}", ops.MaxPool2dGather,
               lambda a: ops.max_pool2d_gather(a, asarray(index), *geometry), real(x),
               lambda a: build(y, lambda *i: a[chosen(i)]))  # fmt: skip


def _avg_rows(name: str, x: Any, kernel: Any, stride: Any, padding: Any, ceil: bool, count: bool) -> Any:
    geometry = (kernel, stride, padding)
    y, window, inside = _windows(x, *geometry, ONE, ceil)

    def share(i: int, j: int) -> tuple[list[tuple[int, int]], float]:
        """The places that a window reads, and the number that it divides by."""
        places = [at for _, at in window(i, j)]
        framed = [at for at in places if at[0] < x[2] + padding[0] and at[1] < x[3] + padding[1]]
        read = [at for at in places if inside(at)]
        return read, len(framed if count else read)

    def mean(a: np.ndarray) -> np.ndarray:
        def at(n: int, c: int, i: int, j: int) -> float:
            read, divisor = share(i, j)
            return sum(a[n, c, *place] for place in read) / divisor

        return build(y, at)

    def spread(g: np.ndarray) -> np.ndarray:
        out = np.zeros(x)
        for n, c, i, j in np.ndindex(*y):
            read, divisor = share(i, j)
            for place in read:
                out[n, c, *place] += g[n, c, i, j] / divisor
        return out

    yield case(f"avg_pool2d: {name}, count_include_pad {count}", ops.AvgPool2d,
               lambda a: ops.avg_pool2d(a, *geometry, ceil, count), real(x), mean,
               F.later("avg_pool2d", kernel_size=kernel, stride=stride, padding=padding,
                       ceil_mode=ceil, count_include_pad=count) if _torch_can(kernel, padding)
               else None)  # fmt: skip
    yield case(
        f"avg_pool2d_adjoint: {name}, count_include_pad {count}",
        ops.AvgPool2dAdjoint,
        lambda g: ops.avg_pool2d_adjoint(g, x, *geometry, ceil, count),
        real(y),
        spread,
    )


def _adaptive_row(x: Any, size: Any) -> Case:
    """Windows that overlap: size does not divide the lengths."""

    def span(i: int, n: int, outputs: int) -> slice:
        return slice(i * n // outputs, -(-(i + 1) * n // outputs))

    def mean(a: np.ndarray) -> np.ndarray:
        return build((*x[:2], *size), lambda n, c, i, j: np.mean(a[n, c, span(i, x[2], size[0]),
                                                                   span(j, x[3], size[1])]))  # fmt: skip

    return case(f"adaptive_avg_pool2d: {x[2:]} to {size}", ops.WindowSums,
                lambda a: ops.adaptive_avg_pool2d(a, size), real(x), mean,
                F.later("adaptive_avg_pool2d", output_size=size))  # fmt: skip


def _torch_can(kernel: Any, padding: Any) -> bool:
    return all(2 * p <= k for p, k in zip(padding, kernel, strict=True))


def _all_rows() -> Any:
    for name, x, kernel, stride, padding, dilation, ceil in GEOMETRIES:
        yield from _max_rows(name, x, kernel, stride, padding, dilation, ceil)
        for count in (True, False) if dilation == ONE else ():
            yield from _avg_rows(name, x, kernel, stride, padding, ceil, count)
    yield _adaptive_row((1, 2, 5, 4), (3, 3))
    yield _adaptive_row((2, 1, 2, 3), (5, 2))


CASES: tuple[Case, ...] = tuple(_all_rows())
