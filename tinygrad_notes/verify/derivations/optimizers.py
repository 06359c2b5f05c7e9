"""Derivations of the optimizers, for one weight w and its gradients g₁, g₂, ...: what T steps come to."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import optim
from ...autograd import Tensor
from ...backend import use_backend
from .derivation import Builder, derivation
from .formula import expected, over, sqrt


def _trained(optimizer: Any, get: Any, **options: Any) -> list[tuple[Any, Any]]:
    """(the w of the definitions, that of the optimizer) after each step."""
    with use_backend("numpy"):
        w = Tensor(get("w")[:1].astype(np.float64), requires_grad=True)
        update = optimizer([w], **options)
        found = []
        for g in get("g"):
            w.grad = Tensor(np.array([g]))
            update.step()
            found.append(w.numpy().copy())
    return [(get("w")[1:], np.concatenate(found))]


@derivation(
    "sgd with momentum", optim.SGD,
    en="v runs after the gradients: what of an old gradient is left, and how far a steady one carries.",
    zh="v 累积梯度：旧的梯度还剩多少，恒定的梯度能走多远。",
)  # fmt: skip
def sgd(d: Builder) -> None:
    (t,), (s,) = d.letters("t", 3, start=1), d.letters("s", 3, start=1)
    mu, eta = d.number("μ", hand="1/2"), d.number("η", hand="1/4")
    g, v, w = d.given("g", t), d.given("v", start=0, values=[0]), d.given("w", start=0)
    d.define("v", t, mu * v[t - 1] + g[t], "the velocity", "速度", t)
    d.define("w", t, w[t - 1] - eta * v[t], "the step", "更新", t)
    d.step(
        v[t], over(mu ** (t - s) * g[s], s, where=s <= t),
        "Put in again and again: each step multiplies what was there by μ.",
        "反复代入：每一步都把已有的部分乘以 μ。",
    )  # fmt: skip
    d.step(
        w[t], w[t - 1] - eta * over(mu ** (t - s) * g[s], s, where=s <= t),
        "One step of w: gradients from long ago count less and less.",
        "w 的一步：越早的梯度作用越小。",
    )  # fmt: skip
    d.step(
        w[t], w[0] - eta * over((1 - mu ** (t - s + 1)) / (1 - mu) * g[s], s, where=s <= t),
        "All steps together: gₛ is in vₛ, ..., vₜ with 1 + μ + ... + μᵗ⁻ˢ, a geometric sum. A steady "
        "gradient "
        "gets the step η/(1 − μ) in the end: ten times η for μ = 0.9.",
        "所有步合在一起：gₛ 出现在 vₛ、……、vₜ 中，系数为 1 + μ + … + μᵗ⁻ˢ，是等比级数。"
        "恒定的梯度最终的步长为 "
        "η/(1 − μ)：μ = 0.9 时是 η 的十倍。",
    )  # fmt: skip
    d.runs(lambda get, n: _trained(optim.SGD, get, lr=float(n["η"]), momentum=float(n["μ"])))


@derivation(
    "adam", optim.Adam,
    en="m and v are running means that start at 0: too small at first, by a factor that is known.",
    zh="m 和 v 是从 0 开始的滑动平均：起初偏小，但偏小的倍数是已知的。",
)  # fmt: skip
def adam(d: Builder) -> None:
    (t,), (s,) = d.letters("t", 3, start=1), d.letters("s", 3, start=1)
    b1, b2 = d.number("β_1", "7/8", hand="1/2"), d.number("β_2", "15/16", hand="3/4")
    eta, eps = d.number("η", hand="1/4"), d.number("ε", "1/1024")
    g, w = d.given("g", t), d.given("w", start=0)
    m, v = d.given("m", start=0, values=[0]), d.given("v", start=0, values=[0])
    d.define("m", t, b1 * m[t - 1] + (1 - b1) * g[t], "running mean of g", "g 的滑动平均", t)
    d.define("v", t, b2 * v[t - 1] + (1 - b2) * g[t] ** 2, "running mean of g²", "g² 的滑动平均", t)
    mh = d.define("m̂", t, m[t] / (1 - b1**t), "corrected", "校正后", t)
    vh = d.define("v̂", t, v[t] / (1 - b2**t), "corrected", "校正后", t)
    d.define("w", t, w[t - 1] - eta * (mh[t] / (sqrt(vh[t]) + eps)), "the step", "更新", t)
    chance = d.chance("G", s, outcomes=(-2, 1, 3))
    d.step(
        m[t], (1 - b1) * over(b1 ** (t - s) * g[s], s, where=s <= t),
        "Put in again and again.", "反复代入。",
    )  # fmt: skip
    weights = over(b1 ** (t - s), s, where=s <= t)
    d.step(
        (1 - b1) * weights, 1 - b1**t,
        "The weights are a geometric sum: they add up to less than 1, to 1 − β₁ at t = 1.",
        "权重是等比级数：它们的和小于 1，t = 1 时只有 1 − β₁。",
    )  # fmt: skip
    d.step(
        expected((1 - b1) * over(b1 ** (t - s) * chance[s], s, where=s <= t)),
        (1 - b1**t) * expected(chance[1]),
        "For gradients G that are drawn from one distribution, m has the mean of G times that sum. So "
        "m̂ = m/(1 − β₁ᵗ) has the mean of G, and v̂ that of G².",
        "若各步的梯度 G 来自同一分布，m 的期望等于 G 的期望乘以这个和。因此 m̂ = m/(1 − β₁ᵗ) 的期望就是 G "
        "的期望，"
        "v̂ 同理对应 G²。",
    )  # fmt: skip
    d.step(
        mh[t], over(b1 ** (t - s) * g[s], s, where=s <= t) / weights,
        "m̂ is a weighted mean, with weights that fall off by β₁ a step: at t = 1 it is g₁ itself.",
        "m̂ 是加权平均，权重每步衰减为 β₁ 倍：t = 1 时就是 g₁ 本身。",
    )  # fmt: skip
    d.step(
        vh[t], over(b2 ** (t - s) * g[s] ** 2, s, where=s <= t) / over(b2 ** (t - s), s, where=s <= t),
        "And v̂ one of the squares.", "v̂ 是平方的加权平均。",
    )  # fmt: skip
    d.step(
        w[t], w[t - 1] - eta * m[t] * sqrt(1 - b2**t) / ((1 - b1**t) * (sqrt(v[t]) + eps * sqrt(1 - b2**t))),
        "Both corrections in one factor, as an implementation may do it; ε stays outside of the "
        "corrected root.",
        "把两个校正合并成一个因子，实现时可以这样写；ε 仍在校正后的根号之外。",
    )  # fmt: skip
    d.runs(lambda get, n: _trained(
        optim.Adam, get, lr=float(n["η"]), betas=(float(n["β_1"]), float(n["β_2"])), eps=float(n["ε"])
    ))  # fmt: skip
