"""The derivation of dropout."""

from __future__ import annotations

from ...ops import dropout as ops
from .derivation import Builder, derivation
from .formula import over, partial


@derivation(
    "dropout", ops.Dropout,
    en="kᵢ is 1 for what is kept and 0 for what is dropped, with probability p; drawn once for both "
    "directions.",
    zh="kᵢ 为 1 表示保留，为 0 表示丢弃（概率为 p）；前向与反向使用同一次抽样。",
)  # fmt: skip
def dropout(d: Builder) -> None:
    i, j = d.letters("i j", 4)
    p = d.number("p", "1/2")
    x, kept = d.given("x", i), d.given("k", i, values=[1, 0, 1, 1], hand=[1, 0])
    y = d.define(
        "y", i, x[i] * kept[i] / (1 - p),
        "1/(1 − p) keeps the mean: E[k] = 1 − p", "除以 1 − p 使均值不变：E[k] = 1 − p",
    )  # fmt: skip
    gy, gx = d.output("y"), d.g(x)
    d.step(
        gx[i], over(gy[j] * partial(y[j], x[i]), j),
        "The chain rule: x reaches the loss through every y.",
        "链式法则：x 通过每一个 y 影响损失。",
    )  # fmt: skip
    d.step(
        None, gy[i] * kept[i] / (1 - p),
        "Each y is its own x times a constant: the backward is the forward, with the same mask.",
        "每个 y 等于同位置的 x 乘以常数：反向与前向是同一个运算，用同一个掩码。",
    )  # fmt: skip
    d.ships(ops.Dropout, None, lambda get, v: {"mask": get("k") / (1 - v["p"])}, x="x")
