"""Derivations of the losses."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from ...ops import loss as ops
from .derivation import Builder, derivation
from .formula import Eq, exp, indicator, ln, over, partial


@derivation(
    "cross entropy", ops.CrossEntropy,
    en="Softmax and cross-entropy as one operation, for one sample; q is any distribution over the classes.",
    zh="把 softmax 与交叉熵合为一个运算，取一个样本；q 是类别上的任意分布。",
)  # fmt: skip
def cross_entropy(d: Builder) -> None:
    i, j, k = d.letters("i j k", 3)
    x, q = d.given("x", i), d.given("q", i, positive=True)
    p = d.define("p", i, exp(x[i]) / over(exp(x[k]), k), "softmax", "softmax")
    loss = d.define("ℓ", (), -over(q[j] * ln(p[j]), j), "the cross-entropy", "交叉熵")
    g, gx = d.output("ℓ"), d.g(x)
    d.step(
        gx[i], g * over(partial(loss, p[j]) * partial(p[j], x[i]), j),
        "The chain rule: the logit xᵢ moves every probability.",
        "链式法则：logit xᵢ 会改变每一个概率。",
    )  # fmt: skip
    d.step(
        None, -g * over(q[j] / p[j] * (p[j] * (indicator(Eq(i, j)) - p[i])), j),
        "ln′ = 1/p, and the derivative of softmax.", "ln′ = 1/p，再代入 softmax 的导数。",
    )  # fmt: skip
    d.step(
        None, g * (p[i] * over(q[j], j) - q[i]),
        "pⱼ cancels: nothing is divided by a small probability. What is left are two sums.",
        "pⱼ 被约去，不再除以很小的概率，只剩下两个和。",
    )  # fmt: skip
    d.step(d.g(q)[i], g * partial(loss, q[i]), "q stands in one term.", "q 只出现在一项中。")
    d.step(None, -g * ln(p[i]), "ℓ is linear in q.", "ℓ 关于 q 是线性的。")
    d.ships(ops.CrossEntropy, [lambda get: get("ℓ")[None]],
            x=lambda get: get("x")[None], q=lambda get: get("q")[None])  # fmt: skip


@derivation(
    "cross entropy of classes", ops.CrossEntropyOfClasses,
    en="The mean over N samples, where cₙ is the number of the right class: q is 1 there, and 0 elsewhere.",
    zh="N 个样本的平均，cₙ 是正确类别的编号：q 在该处为 1，其余为 0。",
)  # fmt: skip
def cross_entropy_of_classes(d: Builder) -> None:
    (n,), (i, j, k) = d.letters("n", 2), d.letters("i j k", 3)
    count = d.number("N", 2)
    x, c = d.given("x", n, i), d.given("c", n, values=[2, 0], hand=[1, 0])
    p = d.define("p", (n, i), exp(x[n, i]) / over(exp(x[n, k]), k), "softmax", "softmax")
    loss = d.define(
        "ℓ", n, -(1 / count) * ln(p[n, c[n]]), "a sample's share of the mean", "一个样本在平均中的份额"
    )
    g, gx = d.output("ℓ"), d.g(x)
    d.step(
        gx[n, i], g[n] * over(partial(loss[n], p[n, j]) * partial(p[n, j], x[n, i]), j),
        "The chain rule; samples do not mix.", "链式法则；样本之间互不影响。",
    )  # fmt: skip
    d.step(
        None, g[n] * partial(loss[n], p[n, c[n]]) * partial(p[n, c[n]], x[n, i]),
        "Only the right class stands in the loss.", "损失中只出现正确类别的概率。",
    )  # fmt: skip
    right = indicator(Eq(i, c[n]))
    d.step(
        None, -g[n] * (1 / (count * p[n, c[n]])) * p[n, c[n]] * (right - p[n, i]),
        "ln′ = 1/p, and the derivative of softmax.", "ln′ = 1/p，再代入 softmax 的导数。",
    )  # fmt: skip
    d.step(
        None, (1 / count) * g[n] * (p[n, i] - right),
        "p cancels: the probability minus what it should be.", "约去 p：概率减去它应有的值。",
    )  # fmt: skip
    d.ships(ops.CrossEntropyOfClasses, None, _classes, x="x")


def _classes(get: Any, numbers: Any) -> dict[str, Any]:
    labels = get("c")
    own = get("x")[:, 0] * 0 + Fraction(1, 2) if get("x").dtype == object else get("x")[:, 0] * 0 + 0.5
    return {"labels": labels, "own": own, "share": own, "spread": None}


def _squares(d: Builder, half: bool) -> None:
    i, j = d.letters("i j", 4)
    n = d.number("n", 2 if d.hand else 4)
    a, y = d.given("ŷ", i), d.given("y", i)
    k = 1 / (2 * n) if half else 1 / n
    loss = d.define("L", (), k * over((a[j] - y[j]) ** 2, j))
    g = d.output("L")
    d.step(
        d.g(a)[i], g * partial(loss, a[i]),
        "The chain rule: one output, so one path.", "链式法则：只有一个输出，因此只有一条路径。",
    )  # fmt: skip
    d.step(
        None, g * k * over(2 * (a[j] - y[j]) * partial(a[j], a[i]), j),
        "The derivative of a square, term by term.", "逐项求平方的导数。",
    )  # fmt: skip
    end = (1 / n) * (a[i] - y[i]) if half else (2 / n) * (a[i] - y[i])
    d.step(
        None, g * end,
        "Only j = i moves with ŷᵢ" + (", and the ½ cancels the 2." if half else "."),
        "只有 j = i 的一项随 ŷᵢ 变化" + ("，½ 与 2 相消。" if half else "。"),
    )  # fmt: skip
    d.step(
        d.g(y)[i], -g * end,
        "y stands with the other sign, should anybody want its gradient.",
        "y 前面是负号（如果需要它的梯度）。",
    )  # fmt: skip
    d.ships(ops.SquaredError, None, lambda get, v: {"scale": (0.5 if half else 1) / v["n"]}, a="ŷ", b="y")


@derivation(
    "mse", ops.SquaredError,
    en="The mean squared error as torch has it, with 1/n.", zh="均方误差，取 torch 的约定 1/n。",
)  # fmt: skip
def mse(d: Builder) -> None:
    _squares(d, half=False)


@derivation(
    "mse of the notes", ops.SquaredError,
    en="The notes' J, with 1/(2n), whose gradient is (ŷ − y)/n.",
    zh="笔记中的 J，取 1/(2n)，梯度为 (ŷ − y)/n。",
)  # fmt: skip
def mse_of_the_notes(d: Builder) -> None:
    _squares(d, half=True)
