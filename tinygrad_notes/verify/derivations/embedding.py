"""The derivation of the embedding."""

from __future__ import annotations

from ...ops import embedding as ops
from .derivation import Builder, derivation
from .formula import Eq, indicator, over, partial


@derivation(
    "embedding", ops.Embedding,
    en="nᵢ is the number of the word at place i, and W_v the row of word v, a vector.",
    zh="nᵢ 是位置 i 上的词的编号，W_v 是词 v 的那一行，是一个向量。",
)  # fmt: skip
def embedding(d: Builder) -> None:
    (i,), (v,), (k, e) = d.letters("i", 3), d.letters("v", 3), d.letters("k e", 2)
    w, ids = d.given("W", v, k), d.given("n", i, values=[2, 0, 2], hand=[1, 1])
    y = d.define("y", (i, k), w[ids[i], k], "row nᵢ of the table", "表中第 nᵢ 行")
    gy = d.output("y")
    d.step(
        d.g(w)[v, k], over(gy[i, e] * partial(y[i, e], w[v, k]), i, e),
        "The chain rule over all places.", "对所有位置用链式法则。",
    )  # fmt: skip
    d.step(
        None, over(gy[i, k] * indicator(Eq(ids[i], v)), i),
        "Picking is linear, with slope 1 where the word is v. This is a product with a matrix of ones "
        "and zeros.",
        "取行是线性的：词为 v 处斜率为 1。这相当于乘以一个由 0 和 1 组成的矩阵。",
    )  # fmt: skip
    d.step(
        None, over(gy[i, k], i, where=Eq(ids[i], v)),
        "The matrix is never made: the rows are added up where they came from, and a word that stands twice "
        "gets both.",
        "不必构造这个矩阵：把各行加回它们的来处；出现两次的词得到两份。",
    )  # fmt: skip
    d.ships(ops.Embedding, None,
            lambda get, numbers: {"ids": get("n"), "padding_idx": None, "row": None}, weight="W")  # fmt: skip
