"""The derivation of convolution: one sum, three adjoints."""

from __future__ import annotations

from ...ops import convolution as ops
from .derivation import Builder, derivation
from .formula import Eq, over, partial


@derivation(
    "conv2d", ops.Conv2d,
    en="Cross-correlation with stride s and padding P, for one image: x[c, k, l] is 0 outside.",
    zh="步幅为 s、填充为 P 的互相关，取一张图像：在图像之外 x[c, k, l] 为 0。",
)  # fmt: skip
def conv2d(d: Builder) -> None:
    (o,), (c,) = d.letters("o", 2, hand=1), d.letters("c", 2, hand=1)
    k, l = d.letters("k l", 3, hand=2)  # noqa: E741
    p, q = d.letters("p q", 2)
    i, j = d.letters("i j", 2)
    s, pad = d.number("s", 2), d.number("P", 1)
    x = d.given("x", c, k, l, padded=True)
    w, b = d.given("w", o, c, p, q), d.given("b", o)
    seen = x[c, i * s + p - pad, j * s + q - pad]
    y = d.define(
        "y", (o, i, j), b[o] + over(w[o, c, p, q] * seen, c, p, q),
        "each output sees one window of x", "每个输出对应 x 的一个窗口",
    )  # fmt: skip
    gy = d.output("y")
    d.step(
        d.g(x)[c, k, l], over(gy[o, i, j] * partial(y[o, i, j], x[c, k, l]), o, i, j),
        "The chain rule: a pixel reaches the loss through every output.",
        "链式法则：一个像素通过每一个输出影响损失。",
    )  # fmt: skip
    here = Eq(i * s + p - pad, k) & Eq(j * s + q - pad, l)
    d.step(
        None, over(gy[o, i, j] * w[o, c, p, q], o, i, j, p, q, where=here),
        "y is linear in x: ∂y/∂x is the weight by which that output sees the pixel, if it sees it at all. "
        "So each gy is spread over its window; a pixel in several windows adds up.",
        "y 关于 x 是线性的：∂y/∂x 就是该输出看到这个像素时所用的权重，看不到则为 0。"
        "因此每个 gy 散布到自己的窗口上；处于多个窗口中的像素把它们累加。",
    )  # fmt: skip
    d.step(
        d.g(w)[o, c, p, q], over(gy[o, i, j] * partial(y[o, i, j], w[o, c, p, q]), i, j),
        "The same weight is used at every position (i, j): the paths add up.",
        "同一个权重用在每个位置 (i, j)：把所有路径相加。",
    )  # fmt: skip
    d.step(
        None, over(gy[o, i, j] * seen, i, j),
        "∂y/∂w is the pixel that the weight meets there: x correlated with gy.",
        "∂y/∂w 是权重在该处遇到的像素：结果是 x 与 gy 的互相关。",
    )  # fmt: skip
    d.step(d.g(b)[o], over(gy[o, i, j], i, j), "b is added at every position.", "b 加在每个位置上。")
    d.ships(
        ops.Conv2d, [lambda get: get("y")[None]],
        lambda get, n: dict(stride=(n["s"],) * 2, padding=(n["P"],) * 2, dilation=(1, 1), groups=1),
        x=lambda get: get("x")[None], w="w", b="b",
    )  # fmt: skip
