"""Derivations of the matrix products: element by element, then as matrices."""

from __future__ import annotations

from ...ops import linear as ops
from .derivation import Builder, derivation
from .formula import T, dot, over, partial


@derivation(
    "matmul", ops.MatMul,
    en="The product of two matrices; the gradient of each is gY times the other, transposed.",
    zh="两个矩阵的乘积；对每个矩阵的梯度都是 gY 与另一个矩阵的转置之积。",
)  # fmt: skip
def matmul(d: Builder) -> None:
    (i, r), (k,), (j, s) = d.letters("i r", 3), d.letters("k", 2), d.letters("j s", 2)
    a, b = d.given("A", i, k), d.given("B", k, j)
    y = d.define("Y", (i, j), over(a[i, k] * b[k, j], k))
    gy = d.output("Y")
    d.step(
        d.g(a)[i, k], over(gy[r, s] * partial(y[r, s], a[i, k]), r, s),
        "The chain rule over all elements of Y.", "对 Y 的所有元素用链式法则。",
    )  # fmt: skip
    d.step(
        None, over(gy[i, j] * b[k, j], j),
        "A_ik stands in row i of Y only, in front of B_kj.", "A_ik 只出现在 Y 的第 i 行，与 B_kj 相乘。",
    )  # fmt: skip
    d.step(
        d.g(a), dot(gy, T(b)),
        "A sum over the second index of both: a product with the transpose.",
        "对两者的第二个下标求和：即与转置相乘。",
    )  # fmt: skip
    d.step(
        d.g(b)[k, j], over(gy[r, s] * partial(y[r, s], b[k, j]), r, s),
        "The same for B.", "对 B 同理。",
    )  # fmt: skip
    d.step(
        None, over(a[i, k] * gy[i, j], i),
        "B_kj stands in column j of Y only, behind A_ik.", "B_kj 只出现在 Y 的第 j 列，与 A_ik 相乘。",
    )  # fmt: skip
    d.step(
        d.g(b), dot(T(a), gy),
        "A sum over the first index of both.", "对两者的第一个下标求和。",
    )  # fmt: skip
    d.ships(ops.MatMul, a="A", b="B")


@derivation(
    "linear", ops.Linear,
    en="A fully connected layer on a batch: a sample is a row of X, a neuron a row of W.",
    zh="作用于一个批次的全连接层：X 的每一行是一个样本，W 的每一行是一个神经元。",
)  # fmt: skip
def linear(d: Builder) -> None:
    (n, r), (i,), (o, s) = d.letters("n r", 3), d.letters("i", 2), d.letters("o s", 2)
    x, w, b = d.given("X", n, i), d.given("W", o, i), d.given("b", o)
    y = d.define("Y", (n, o), over(x[n, i] * w[o, i], i) + b[o])
    gy = d.output("Y")
    d.step(
        d.g(x)[n, i], over(gy[r, s] * partial(y[r, s], x[n, i]), r, s),
        "The chain rule over all elements of Y.", "对 Y 的所有元素用链式法则。",
    )  # fmt: skip
    d.step(
        None, over(gy[n, o] * w[o, i], o),
        "A sample is seen by every neuron of its own row.", "一个样本被它那一行的每个神经元看到。",
    )  # fmt: skip
    d.step(d.g(x), dot(gy, w), "As matrices: no transpose here.", "写成矩阵：这里不需要转置。")
    d.step(
        d.g(w)[o, i], over(gy[r, s] * partial(y[r, s], w[o, i]), r, s),
        "The same for W.", "对 W 同理。",
    )  # fmt: skip
    d.step(
        None, over(gy[n, o] * x[n, i], n),
        "A weight acts on every sample: the sum over the batch.", "一个权重作用于每个样本：对批次求和。",
    )  # fmt: skip
    d.step(d.g(w), dot(T(gy), x), "As matrices.", "写成矩阵。")
    d.step(
        d.g(b)[o], over(gy[n, o], n),
        "b is added to every row.", "b 加到每一行上。",
    )  # fmt: skip
    d.ships(ops.Linear, x="X", w="W", b="b")
