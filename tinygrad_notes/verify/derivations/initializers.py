"""Derivations of the variances that weights start with; E is the mean over all outcomes.

In the check each variable has a few outcomes, weights such of mean 0, and E adds up all of them exactly.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import backend
from ...autograd import Tensor
from ...backend import use_backend
from ...nn import init
from .derivation import Builder, derivation
from .formula import expected, maximum, over, sqrt


def _scale(fill: Any, plain: Any, shape: tuple[int, int]) -> Any:
    """What `fill` multiplies the same draws by that `plain` leaves as they are."""
    with use_backend("numpy"):
        kept = backend.rng().bit_generator.state
        drawn = []
        for function in (fill, plain):
            backend.rng().bit_generator.state = kept
            w = Tensor(np.zeros(shape))
            function(w)
            drawn.append(w.numpy().copy())
        backend.rng().bit_generator.state = kept
    return drawn[0] / drawn[1]


def _sums(d: Builder, n: Any, i: Any, j: Any, w: Any, x: Any, side: tuple[str, str]) -> None:
    """E[(Σ w x)²] = n E[w²] E[x²]."""
    d.step(
        expected(over(w[i] * x[i], i) ** 2), over(expected(w[i] * x[i] * w[j] * x[j]), i, j),
        f"The square of a sum, and E of each product: {side[0]}.",
        f"把和的平方展开，对每个乘积取期望：{side[1]}。",
    )  # fmt: skip
    d.step(
        None, over(expected(w[i] ** 2) * expected(x[i] ** 2), i),
        "Independent, and the weights have mean 0: E[wᵢ xᵢ wⱼ xⱼ] = E[wᵢ] E[wⱼ] E[xᵢ xⱼ] = 0 for i ≠ j.",
        "相互独立且权重均值为 0：i ≠ j 时 E[wᵢ xᵢ wⱼ xⱼ] = E[wᵢ] E[wⱼ] E[xᵢ xⱼ] = 0。",
    )  # fmt: skip
    d.step(None, n * expected(w[0] ** 2) * expected(x[0] ** 2), "All alike.", "各项相同。")


@derivation(
    "xavier", init.xavier_normal_,
    en="Weights w of mean 0 and variance v: sums of nᵢ products forward, of nₒ backward, should keep "
    "their size.",
    zh="权重 w 均值为 0、方差为 v：前向是 nᵢ 个乘积之和，反向是 nₒ 个，都应保持大小。",
)  # fmt: skip
def xavier(d: Builder) -> None:
    (i, j), (k, l) = d.letters("i j", 2), d.letters("k l", 3, hand=2)  # noqa: E741
    fan_in, fan_out = d.number("n_i", 2), d.number("n_o", 2 if d.hand else 3)
    w, x = d.chance("w", i), d.chance("x", i, outcomes=(0, 1, 3))
    u, g = d.chance("u", k), d.chance("g", k, outcomes=(-1, 2))
    v = d.define("v", (), 2 / (fan_in + fan_out), "the variance that is chosen", "所选的方差")
    a = d.define("a", (), sqrt(3 * v), "the bound of a uniform distribution, whose variance is a²/3",
                 "均匀分布的边界，其方差为 a²/3")  # fmt: skip
    _sums(d, fan_in, i, j, w, x, ("an output of the layer", "层的一个输出"))
    _sums(
        d,
        fan_out,
        k,
        l,
        u,
        g,
        ("gx = Σ u g over the outputs, with weights u", "反向的 gx = Σ u g，权重记作 u"),
    )
    d.step(
        2 / v, fan_in + fan_out,
        "nᵢ v = 1 keeps what goes forward, nₒ v = 1 what goes back. v cannot be both, so 1/v is the mean "
        "of both.",
        "nᵢ v = 1 保持前向，nₒ v = 1 保持反向。两者不能兼得，于是取 1/v 为两者的平均。",
    )  # fmt: skip
    d.step(a, sqrt(6 / (fan_in + fan_out)), "As a uniform distribution on ±a.", "用 ±a 上的均匀分布实现。")
    d.runs(lambda get, n: [
        (math.sqrt(get("v")), _scale(init.xavier_normal_, init.normal_, (n["n_o"], n["n_i"]))),
        (get("a"), _scale(init.xavier_uniform_, lambda t: init.uniform_(t, -1, 1), (n["n_o"], n["n_i"]))),
    ])  # fmt: skip


@derivation(
    "he", init.kaiming_normal_,
    en="Weights before a ReLU: half of what comes in is cut off, so the variance is doubled.",
    zh="用于 ReLU 的权重：输入的一半被截掉，因此方差加倍。",
)  # fmt: skip
def he(d: Builder) -> None:
    i, j = d.letters("i j", 2)
    n, alpha = d.number("n", 2), d.number("α")
    w, x = d.chance("w", i), d.chance("x", i, outcomes=(0, 1, 3))
    z = d.chance("z", outcomes=(-2, -1, 1, 2))
    v = d.define("v", (), 2 / n, "the variance that is chosen", "所选的方差")
    leaky = d.define("v_α", (), 2 / ((1 + alpha**2) * n), "and for a slope α", "以及斜率为 α 时")
    _sums(d, n, i, j, w, x, ("a sum z of this layer", "本层的一个和 z"))
    d.step(
        expected(maximum(z, 0) ** 2), expected(z**2) / 2,
        "z is as likely as −z, and one of both is cut off: with xᵢ = max(z, 0) of the layer before, "
        "E[x²] is half of E[z²].",
        "z 与 −z 等可能，其中一个被截掉：下一层的输入 x = max(z, 0) 满足 E[x²] = ½ E[z²]。",
    )  # fmt: skip
    d.step(
        n * v * expected(maximum(z, 0) ** 2), expected(z**2),
        "So n · 2/n · ½ = 1: sums are of the same size in every layer.",
        "于是 n · 2/n · ½ = 1：各层的和大小相同。",
    )  # fmt: skip
    d.step(
        n * leaky * expected((maximum(z, 0) - alpha * maximum(-z, 0)) ** 2), expected(z**2),
        "With a slope α the other half is left with α²: ½ (1 + α²) in place of ½.",
        "斜率为 α 时另一半保留 α² 倍：½ 变为 ½ (1 + α²)。",
    )  # fmt: skip
    d.runs(lambda get, m: [
        (math.sqrt(get("v")),
         _scale(lambda t: init.kaiming_normal_(t, nonlinearity="relu"), init.normal_, (3, m["n"]))),
        (math.sqrt(get("v_α")),
         _scale(lambda t: init.kaiming_normal_(t, a=float(m["α"])), init.normal_, (3, m["n"]))),
    ])  # fmt: skip
