"""Derivations of Word2Vec's losses, for one word x; w_m are the rows that it is asked about."""

from __future__ import annotations

from typing import Any

from ...ops import words as ops
from .derivation import Builder, derivation
from .formula import Eq, T, dot, exp, indicator, ln, over, partial, sigma


def _scores(d: Builder, m: Any) -> tuple[Any, Any, Any]:
    x, w = d.given("x", shape=(2,)), d.given("w", m, shape=(2,))
    return x, w, d.define("s", m, dot(T(x), w[m]), "the products", "内积")


def _back(d: Builder, m: Any, x: Any, w: Any, s: Any) -> None:
    d.step(d.g(x), over(d.g(s)[m] * w[m], m), "s = x · w is linear in x.", "s = x · w 关于 x 是线性的。")
    d.step(d.g(w)[m], d.g(s)[m] * x, "And in w.", "关于 w 也是线性的。")


def _shipped(d: Builder, attributes: Any) -> None:
    d.ships(ops.LogisticPairs, [lambda get: get("ℓ")[None]], attributes, x=lambda get: get("x")[None], w="w")


@derivation(
    "negative sampling", ops.LogisticPairs,
    en="w₀ is the word that stands there, w₁, w₂ were drawn: yes to the first, no to the others.",
    zh="w₀ 是真正出现的词，w₁、w₂ 是抽样得到的：对第一个答“是”，对其余答“否”。",
)  # fmt: skip
def negative_sampling(d: Builder) -> None:
    (m,), (k,) = d.letters("m", 3, hand=3), d.letters("k", 2, start=1)
    x, w, s = _scores(d, m)
    loss = d.define(
        "ℓ", (), -ln(sigma(s[0])) - over(ln(sigma(-s[k])), k),
        "the cost of the answers", "各个回答的代价",
    )  # fmt: skip
    g = d.output("ℓ")
    d.step(
        d.g(x), g * over(partial(loss, s[m]) * partial(s[m], x), m),
        "The chain rule over all questions.", "对所有提问用链式法则。",
    )  # fmt: skip
    d.step(
        d.g(s)[0], -g * (1 - sigma(s[0])),
        "(ln σ)′ = σ (1 − σ)/σ = 1 − σ.", "(ln σ)′ = σ (1 − σ)/σ = 1 − σ。",
    )  # fmt: skip
    d.step(
        d.g(s)[m], g * (sigma(s[m]) - indicator(Eq(m, 0))),
        "For the others −s and 1 − σ(−s) = σ(s): in each case what was said minus what is right.",
        "其余各项把 s 换成 −s，而 1 − σ(−s) = σ(s)：总是“给出的概率减去正确答案”。",
    )  # fmt: skip
    _back(d, m, x, w, s)
    _shipped(
        d, lambda get, numbers: {"a": get("s")[None] * 0 + [1, 0, 0], "b": get("s")[None] * 0 + [0, 1, 1]}
    )


@derivation(
    "hierarchical softmax", ops.LogisticPairs,
    en="The way to a leaf of the tree: at node m left (d = 0) with probability σ(s), else right (d = 1).",
    zh="通向树叶的路径：在节点 m 以概率 σ(s) 向左（d = 0），否则向右（d = 1）。",
)  # fmt: skip
def hierarchical_softmax(d: Builder) -> None:
    (m,) = d.letters("m", 3, hand=2)
    code = d.given("d", m, values=[0, 1, 0], hand=[0, 1])
    x, w, s = _scores(d, m)
    z = d.define("z", m, 1 - 2 * code[m], "the sign of the turn", "转向的符号")
    p = d.define(
        "p", m, 1 / (1 + exp(-z[m] * s[m])), "σ(z s), as σ(−s) = 1 − σ(s)", "σ(z s)，因为 σ(−s) = 1 − σ(s)"
    )
    loss = d.define("ℓ", (), -over(ln(p[m]), m), "−ln of the product", "乘积的 −ln")
    g = d.output("ℓ")
    d.step(
        d.g(x), g * over(partial(loss, p[m]) * partial(p[m], x), m),
        "The chain rule over the nodes on the way.", "对路径上的节点用链式法则。",
    )  # fmt: skip
    d.step(
        d.g(s)[m], -g * z[m] * (1 - p[m]),
        "(ln σ)′ = 1 − σ, and z from inside.", "(ln σ)′ = 1 − σ，内层再乘 z。",
    )  # fmt: skip
    d.step(
        None, g * (sigma(s[m]) - (1 - code[m])),
        "For z = 1 this is σ(s) − 1, for z = −1 it is σ(s): what was said minus word2vec.c's label 1 − d.",
        "z = 1 时为 σ(s) − 1，z = −1 时为 σ(s)：给出的概率减去 word2vec.c 的标签 1 − d。",
    )  # fmt: skip
    _back(d, m, x, w, s)
    _shipped(d, lambda get, numbers: {"a": 1 - get("d")[None], "b": get("d")[None]})
