"""Derivations of pooling, on one map: windows that overlap."""

from __future__ import annotations

from typing import Any

from ...ops import pooling as ops
from .derivation import Builder, derivation
from .formula import Eq, largest, over, partial

CALL = dict(kernel=(2, 2), stride=(1, 1), padding=(0, 0), ceil_mode=False)


def _windows(d: Builder) -> tuple[Any, ...]:
    k, l = d.letters("k l", 3, hand=2)  # noqa: E741
    i, j = d.letters("i j", 2, hand=1)
    p, q = d.letters("p q", 2)
    x = d.given("x", k, l)
    return x, i, j, k, l, p, q


@derivation(
    "max pooling", ops.MaxPool2d,
    en="The largest number of each window of 2 × 2, one step apart.",
    zh="每个 2 × 2 窗口中的最大值，步幅为 1。",
)  # fmt: skip
def max_pooling(d: Builder) -> None:
    x, i, j, k, l, p, q = _windows(d)  # noqa: E741
    y = d.define("y", (i, j), largest(x[i + p, j + q], p, q))
    gy = d.output("y")
    d.step(
        d.g(x)[k, l], over(gy[i, j] * partial(y[i, j], x[k, l]), i, j),
        "The chain rule: a pixel may be the largest of several windows.",
        "链式法则：一个像素可能是多个窗口的最大值。",
    )  # fmt: skip
    here = Eq(i + p, k) & Eq(j + q, l) & Eq(x[k, l], y[i, j])
    d.step(
        None, over(gy[i, j], i, j, p, q, where=here),
        "Near this point y is that pixel itself: slope 1 for the largest, 0 for all others. Of equal "
        "ones the "
        "first in scan order gets the whole.",
        "在该点附近 y 就是那个像素本身：最大者斜率为 1，其余为 0。若有相等的，全部归扫描顺序中的第一个。",
    )  # fmt: skip
    d.ships(ops.MaxPool2d, [lambda get: get("y")[None, None]],
            lambda get, numbers: {**CALL, "dilation": (1, 1)},
            x=lambda get: get("x")[None, None])  # fmt: skip


@derivation(
    "average pooling", ops.AvgPool2d,
    en="The mean of each window of 2 × 2, one step apart; m = 4.",
    zh="每个 2 × 2 窗口的平均值，步幅为 1；m = 4。",
)  # fmt: skip
def average_pooling(d: Builder) -> None:
    x, i, j, k, l, p, q = _windows(d)  # noqa: E741
    m = d.number("m", 4)
    y = d.define("y", (i, j), (1 / m) * over(x[i + p, j + q], p, q))
    gy = d.output("y")
    d.step(
        d.g(x)[k, l], over(gy[i, j] * partial(y[i, j], x[k, l]), i, j),
        "The chain rule over all windows.", "对所有窗口用链式法则。",
    )  # fmt: skip
    d.step(
        None, (1 / m) * over(gy[i, j], i, j, p, q, where=Eq(i + p, k) & Eq(j + q, l)),
        "Each pixel of a window has the share 1/m; the windows that hold it add up.",
        "窗口中每个像素的份额为 1/m；包含它的窗口相加。",
    )  # fmt: skip
    d.ships(ops.AvgPool2d, [lambda get: get("y")[None, None]],
            lambda get, numbers: {**CALL, "count_include_pad": True},
            x=lambda get: get("x")[None, None])  # fmt: skip
