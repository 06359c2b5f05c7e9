"""The derivation of scaled dot-product attention: one head, T queries, U keys."""

from __future__ import annotations

from ...ops import attention as ops
from .derivation import Builder, derivation
from .formula import Eq, T, dot, exp, indicator, over, partial


@derivation(
    "attention", ops.Attention,
    en="Each query t takes a mean of the values, weighted by a softmax over the keys u; c is 1/√d.",
    zh="每个查询 t 取各个值的加权平均，权重是对键 u 的 softmax；c 即 1/√d。",
)  # fmt: skip
def attention(d: Builder) -> None:
    (t, r), (u, v) = d.letters("t r", 2), d.letters("u v", 3)
    (k,), (e, a) = d.letters("k", 2), d.letters("e a", 2)
    c = d.number("c")
    query, key, value = d.given("Q", t, k), d.given("K", u, k), d.given("V", u, e)
    s = d.define("S", (t, u), c * over(query[t, k] * key[u, k], k), "the scores", "打分")
    p = d.define(
        "P", (t, u), exp(s[t, u]) / over(exp(s[t, v]), v), "a softmax in each row", "每一行做 softmax"
    )
    y = d.define("Y", (t, e), over(p[t, u] * value[u, e], u), "the means", "加权平均")
    gy, gp, gs = d.output("Y"), d.g(p), d.g(s)
    d.step(
        d.g(query)[t, k], over(gy[r, e] * partial(y[r, e], query[t, k]), r, e),
        "The chain rule over all paths, S, P and Y inside.", "对所有路径用链式法则，其中经过 S、P 和 Y。",
    )  # fmt: skip
    d.step(
        d.g(value)[u, e], over(gy[r, a] * partial(y[r, a], value[u, e]), r, a),
        "From the end: Y = P V is a matrix product.", "从后往前：Y = P V 是矩阵乘积。",
    )  # fmt: skip
    d.step(d.g(value), dot(T(p), gy), "The rule of a product is known.", "它的求导规则已知。")
    d.step(gp, dot(gy, T(value)), "For P as well.", "对 P 同理。")
    d.step(
        gs[t, u], over(gp[t, v] * p[t, v] * (indicator(Eq(u, v)) - p[t, u]), v),
        "The softmax, row by row: ∂P_tv/∂S_tu = P_tv (1[u = v] − P_tu).",
        "softmax 逐行处理：∂P_tv/∂S_tu = P_tv (1[u = v] − P_tu)。",
    )  # fmt: skip
    d.step(
        None, p[t, u] * (gp[t, u] - over(gp[t, v] * p[t, v], v)),
        "As for a softmax by itself.", "与单独的 softmax 相同。",
    )  # fmt: skip
    d.step(
        None, p[t, u] * (gp[t, u] - over(gy[t, e] * y[t, e], e)),
        "Σ gP P = Σ gY V P = Σ gY Y: a sum over e, which does not grow with the number of keys.",
        "Σ gP P = Σ gY V P = Σ gY Y：只对 e 求和，不随键的个数增长。",
    )  # fmt: skip
    d.step(d.g(query), c * dot(gs, key), "S = c Q Kᵀ is a matrix product again.", "S = c Q Kᵀ 又是矩阵乘积。")
    d.step(
        d.g(key)[v, k], over(gy[r, e] * partial(y[r, e], key[v, k]), r, e),
        "For the keys: all paths again.", "对键同样先写出所有路径。",
    )  # fmt: skip
    d.step(
        d.g(key),
        c * dot(T(gs), query),
        "S = c Q Kᵀ in its second factor.",
        "由 S = c Q Kᵀ 的第二个因子得到。",
    )
    d.ships(
        ops.Attention, None,
        lambda get, n: {"keep": None, "drop": None, "scale": n["c"], "whole": True},
        q="Q", k="K", v="V", bias=lambda get: None,
    )  # fmt: skip
