"""Derivations of the scores of attention: queries sᵢ, keys hⱼ."""

from __future__ import annotations

from ...ops import alignment as ops
from .derivation import Builder, derivation
from .formula import T, dot, outer, over, partial, tanh


@derivation("dot score", ops.DotScore, en="eᵢⱼ = sᵢ · hⱼ: E = S Hᵀ.", zh="eᵢⱼ = sᵢ · hⱼ，即 E = S Hᵀ。")
def dot_score(d: Builder) -> None:
    (i, p), (j, r), (k,) = d.letters("i p", 2), d.letters("j r", 3), d.letters("k", 2)
    s, h = d.given("S", i, k), d.given("H", j, k)
    e = d.define("E", (i, j), over(s[i, k] * h[j, k], k))
    ge = d.output("E")
    d.step(
        d.g(s)[i, k], over(ge[p, r] * partial(e[p, r], s[i, k]), p, r),
        "The chain rule over all scores.", "对所有打分用链式法则。",
    )  # fmt: skip
    d.step(None, over(ge[i, j] * h[j, k], j), "A query meets every key.", "一个查询与每个键相遇。")
    d.step(d.g(s), dot(ge, h), "As matrices.", "写成矩阵。")
    d.step(d.g(h)[j, k], over(ge[i, j] * s[i, k], i), "A key meets every query.", "一个键与每个查询相遇。")
    d.step(d.g(h), dot(T(ge), s), "As matrices.", "写成矩阵。")
    d.ships(ops.DotScore, s="S", h="H")


@derivation(
    "general score", ops.GeneralScore,
    en="eᵢⱼ = sᵢᵀ W hⱼ: the notes' first score, a bilinear form.",
    zh="eᵢⱼ = sᵢᵀ W hⱼ：笔记中的第一种打分，双线性型。",
)  # fmt: skip
def general_score(d: Builder) -> None:
    (i, p), (j, r) = d.letters("i p", 2), d.letters("j r", 3)
    k, l = d.letters("k", 2)[0], d.letters("l", 2)[0]  # noqa: E741
    s, w, h = d.given("S", i, k), d.given("W", k, l), d.given("H", j, l)
    e = d.define("E", (i, j), over(s[i, k] * w[k, l] * h[j, l], k, l))
    ge = d.output("E")
    d.step(
        d.g(w)[k, l], over(ge[p, r] * partial(e[p, r], w[k, l]), p, r),
        "The chain rule: W is in every score.", "链式法则：每个打分中都有 W。",
    )  # fmt: skip
    d.step(None, over(ge[i, j] * s[i, k] * h[j, l], i, j), "e is linear in W.", "e 关于 W 是线性的。")
    d.step(d.g(w), dot(dot(T(s), ge), h), "As matrices.", "写成矩阵。")
    d.step(
        d.g(s)[i, k], over(ge[i, j] * w[k, l] * h[j, l], j, l),
        "It is linear in s as well.", "关于 s 也是线性的。",
    )  # fmt: skip
    d.step(d.g(s), dot(ge, dot(h, T(w))), "H Wᵀ is what the queries meet.", "查询所遇到的是 H Wᵀ。")
    d.step(d.g(h)[j, l], over(ge[i, j] * s[i, k] * w[k, l], i, k), "And in h.", "关于 h 同样。")
    d.step(d.g(h), dot(T(ge), dot(s, w)), "S W is what the keys meet.", "键所遇到的是 S W。")
    d.ships(ops.GeneralScore, s="S", h="H", w="W")


@derivation(
    "additive score", ops.AdditiveScore,
    en="eᵢⱼ = vᵀ tanh(W₁ hⱼ + W₂ sᵢ): the notes' second score; sᵢ and hⱼ are vectors.",
    zh="eᵢⱼ = vᵀ tanh(W₁ hⱼ + W₂ sᵢ)：笔记中的第二种打分；sᵢ 与 hⱼ 是向量。",
)  # fmt: skip
def additive_score(d: Builder) -> None:
    (i, p), (j, r) = d.letters("i p", 2), d.letters("j r", 2)
    s, h = d.given("s", i, shape=(2,)), d.given("h", j, shape=(2,))
    w1, w2, v = d.given("W_1", shape=(2, 2)), d.given("W_2", shape=(2, 2)), d.given("v", shape=(2,))
    z = d.define("z", (i, j), dot(w1, h[j]) + dot(w2, s[i]))
    t = d.define("t", (i, j), tanh(z[i, j]))
    e = d.define("e", (i, j), dot(T(v), t[i, j]))
    ge, gt, gz = d.output("e"), d.g(t), d.g(z)
    d.step(
        d.g(s)[i], over(ge[p, r] * partial(e[p, r], s[i]), p, r),
        "The chain rule over all scores; each ∂e/∂s is a vector.",
        "对所有打分用链式法则；每个 ∂e/∂s 是一个向量。",
    )  # fmt: skip
    d.step(gt[i, j], ge[i, j] * v, "e is linear in t.", "e 关于 t 是线性的。")
    d.step(
        d.g(v), over(ge[i, j] * t[i, j], i, j),
        "And in v, which is in every score.", "关于 v 也是线性的；v 在每个打分中。",
    )  # fmt: skip
    d.step(gz[i, j], gt[i, j] * (1 - t[i, j] ** 2), "tanh′ = 1 − tanh².", "tanh′ = 1 − tanh²。")
    d.step(
        d.g(s)[i], over(dot(T(w2), gz[i, j]), j),
        "W₂ leads back to the query, which is in the score of every key.",
        "经 W₂ 回到查询；一个查询出现在每个键的打分中。",
    )  # fmt: skip
    d.step(
        d.g(h)[j], over(dot(T(w1), gz[i, j]), i),
        "A key is in the score of every query.", "一个键出现在每个查询的打分中。",
    )  # fmt: skip
    d.step(
        d.g(w1), over(outer(gz[i, j], h[j]), i, j), "Outer products, as in a layer.", "外积，与线性层相同。"
    )
    d.step(d.g(w2), over(outer(gz[i, j], s[i]), i, j), "Likewise.", "同理。")
    d.ships(ops.AdditiveScore, s="s", h="h", w1="W_1", w2="W_2", v="v")
