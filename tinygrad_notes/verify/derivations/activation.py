"""Derivations of the activation functions."""

from __future__ import annotations

from ...ops import activation as ops
from .derivation import Builder, derivation
from .formula import Eq, cases, exp, indicator, maximum, over, partial


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


CHAIN = (
    "The chain rule: x reaches the loss through every y.",
    "链式法则：x 通过每一个 y 影响损失，各条路径相加。",
)
OWN = "Each y depends on its own x alone.", "每个 y 只依赖于同一位置的 x。"


@derivation(
    "tanh", ops.Tanh,
    en="The hyperbolic tangent, a sigmoid that is centered at 0.",
    zh="双曲正切：以 0 为中心的 S 形函数。",
)  # fmt: skip
def tanh(d: Builder) -> None:
    i, j = d.letters("i j", 3)
    x = d.given("x", i)
    up, down = exp(x[i]) - exp(-x[i]), exp(x[i]) + exp(-x[i])
    y = d.define("y", i, up / down)
    gy, gx = d.output("y"), d.g(x)
    d.step(gx[i], over(gy[j] * partial(y[j], x[i]), j), *CHAIN)
    d.step(None, gy[i] * partial(y[i], x[i]), *OWN)
    d.step(
        None, gy[i] * ((down * down - up * up) / down**2),
        "(u/w)′ = (u′ w − u w′)/w²; of u = eˣ − e⁻ˣ and w = eˣ + e⁻ˣ each is the derivative of the other.",
        "(u/w)′ = (u′ w − u w′)/w²；u = eˣ − e⁻ˣ 与 w = eˣ + e⁻ˣ 互为导数。",
    )  # fmt: skip
    d.step(
        None, gy[i] * (1 - y[i] ** 2),
        "w²/w² = 1 and u²/w² = y²: the output is enough.",
        "w²/w² = 1，u²/w² = y²：只需保存输出。",
    )  # fmt: skip
    d.ships(ops.Tanh, x="x")


@derivation(
    "relu", ops.ReLU,
    en="The positive part. It has no derivative at 0; 0 is chosen there.",
    zh="取正部。它在 0 处不可导，约定取 0。",
)  # fmt: skip
def relu(d: Builder) -> None:
    i, j = d.letters("i j", 4)
    x = d.given("x", i)
    y = d.define("y", i, maximum(x[i], 0))
    gy, gx = d.output("y"), d.g(x)
    d.step(gx[i], over(gy[j] * partial(y[j], x[i]), j), *CHAIN)
    d.step(None, gy[i] * partial(y[i], x[i]), *OWN)
    d.step(
        None, cases((gy[i], x[i] > 0), (0, x[i] <= 0)),
        "The slope is 1 where y = x, and 0 where y = 0.", "y = x 处斜率为 1，y = 0 处斜率为 0。",
    )  # fmt: skip
    d.step(
        None, gy[i] * indicator(y[i] > 0),
        "y > 0 exactly where x > 0: the output is enough.", "y > 0 当且仅当 x > 0：只需保存输出。",
    )  # fmt: skip
    d.ships(ops.ReLU, x="x")


@derivation(
    "leaky relu", ops.LeakyReLU,
    en="A slope α is left on the negative side, so that no unit stops learning.",
    zh="负半轴保留斜率 α，神经元不会停止学习。",
)  # fmt: skip
def leaky_relu(d: Builder) -> None:
    i, j = d.letters("i j", 4)
    x, alpha = d.given("x", i), d.number("α")
    y = d.define("y", i, cases((x[i], x[i] > 0), (alpha * x[i], x[i] <= 0)))
    gy, gx = d.output("y"), d.g(x)
    d.step(gx[i], over(gy[j] * partial(y[j], x[i]), j), *CHAIN)
    d.step(None, gy[i] * partial(y[i], x[i]), *OWN)
    d.step(
        None, cases((gy[i], x[i] > 0), (alpha * gy[i], x[i] <= 0)),
        "Both branches are lines. At 0 the left slope α is taken, so that α = 0 is ReLU.",
        "两段都是直线。在 0 处取左侧斜率 α，这样 α = 0 时就是 ReLU。",
    )  # fmt: skip
    d.ships(ops.LeakyReLU, None, lambda get, numbers: {"slope": numbers["α"]}, x="x")


@derivation(
    "softmax", ops.Softmax,
    en="Positive numbers of sum 1: each p depends on every x.",
    zh="和为 1 的正数：每个 p 都依赖于所有的 x。",
)  # fmt: skip
def softmax(d: Builder) -> None:
    i, j, k = d.letters("i j k", 3)
    x = d.given("x", i)
    p = d.define("p", i, exp(x[i]) / over(exp(x[k]), k))
    gp, gx = d.output("p"), d.g(x)
    d.step(
        gx[i], over(gp[j] * partial(p[j], x[i]), j),
        "The chain rule. No term may be left out: xᵢ is in the denominator of every p.",
        "链式法则。一项也不能漏：每个 p 的分母中都有 xᵢ。",
    )  # fmt: skip
    total = over(exp(x[k]), k)
    d.step(
        None, over(gp[j] * (indicator(Eq(i, j)) * exp(x[j]) / total - exp(x[j]) * exp(x[i]) / total**2), j),
        "(u/w)′ = u′/w − u w′/w²: u = exp(xⱼ) moves with xᵢ only if i = j, w = Σ exp(xₖ) always.",
        "(u/w)′ = u′/w − u w′/w²：u = exp(xⱼ) 仅当 i = j 时随 xᵢ 变化，w = Σ exp(xₖ) 总是变化。",
    )  # fmt: skip
    d.step(
        None, over(gp[j] * p[j] * (indicator(Eq(i, j)) - p[i]), j),
        "Every quotient is a p: ∂pⱼ/∂xᵢ = pⱼ (1[i = j] − pᵢ).",
        "每个商都是 p：∂pⱼ/∂xᵢ = pⱼ (1[i = j] − pᵢ)。",
    )  # fmt: skip
    d.step(
        None, p[i] * (gp[i] - over(gp[j] * p[j], j)),
        "The first term picks j = i, and pᵢ comes out of both. One sum for all i.",
        "第一项只取 j = i，两项都提出 pᵢ。这个和对所有 i 只需算一次。",
    )  # fmt: skip
    d.ships(ops.Softmax, None, lambda get, numbers: {"axis": 0}, x="x")
