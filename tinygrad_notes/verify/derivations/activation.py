"""Derivations of the activation functions."""

from __future__ import annotations

from ...ops import activation as ops
from .derivation import Builder, derivation
from .formula import exp, over, partial


@derivation(
    "sigmoid", ops.Sigmoid,
    en="The logistic function, whose slope can be told from its value.",
    zh="logistic 函数，它的导数可以直接由函数值得到。",
)  # fmt: skip
def sigmoid(d: Builder) -> None:
    i, j = d.letters("i j", 3)
    x = d.given("x", i)
    y = d.define("y", i, 1 / (1 + exp(-x[i])), "the logistic function σ", "logistic 函数 σ")
    gy, gx = d.output("y"), d.g(x)
    d.step(
        gx[i], over(gy[j] * partial(y[j], x[i]), j),
        "The chain rule: x reaches the loss through every y.",
        "链式法则：x 通过每一个 y 影响损失，各条路径相加。",
    )  # fmt: skip
    d.step(
        None, gy[i] * partial(y[i], x[i]),
        "Each y depends on its own x alone, so one term is left.",
        "每个 y 只依赖于同一位置的 x，求和中只剩下一项。",
    )  # fmt: skip
    d.step(
        None, gy[i] * (exp(-x[i]) / (1 + exp(-x[i])) ** 2),
        "The derivative of 1/u is −u′/u², with u = 1 + e⁻ˣ and u′ = −e⁻ˣ.",
        "1/u 的导数是 −u′/u²，其中 u = 1 + e⁻ˣ，u′ = −e⁻ˣ。",
    )  # fmt: skip
    d.step(
        None, gy[i] * (1 / (1 + exp(-x[i])) * (1 - 1 / (1 + exp(-x[i])))),
        "One factor 1/u is y. The other is e⁻ˣ/u = (u − 1)/u = 1 − 1/u.",
        "一个因子 1/u 就是 y，另一个是 e⁻ˣ/u = (u − 1)/u = 1 − 1/u。",
    )  # fmt: skip
    d.step(
        None, gy[i] * y[i] * (1 - y[i]),
        "Written with y, which the forward has computed already: x need not be kept.",
        "用前向传播已经算出的 y 表示：反向传播不必保存 x。",
    )  # fmt: skip
    d.ships(ops.Sigmoid, x="x")
