"""The derivation of local response normalization."""

from __future__ import annotations

from ...ops import response as ops
from .derivation import Builder, derivation
from .formula import Eq, over, partial


@derivation(
    "local response norm", ops.LocalResponseNorm,
    en="Each channel divided by a power of the squares around it: r = −1, 0, 1 here; outside x is 0.",
    zh="每个通道除以邻近通道平方和的幂：这里 r = −1, 0, 1；在范围之外 x 为 0。",
)  # fmt: skip
def local_response_norm(d: Builder) -> None:
    i, j = d.letters("i j", 4)
    (r,) = d.letters("r", 3, hand=3, start=-1)
    k, alpha, beta = d.number("k"), d.number("α"), d.number("β", "3/4")
    x = d.given("x", i, padded=True)
    s = d.define(
        "s", i, k + alpha * over(x[i + r] ** 2, r), "what is raised to the power β", "取 β 次幂的底数"
    )
    y = d.define("y", i, x[i] / s[i] ** beta)
    gy, gx, gs = d.output("y"), d.g(x), d.g(s)
    d.step(
        gx[j], over(gy[i] * partial(y[i], x[j]), i),
        "The chain rule: x reaches its own y and those of its neighbors.",
        "链式法则：x 影响自己的 y，也影响邻近通道的 y。",
    )  # fmt: skip
    d.step(
        gs[i], -beta * gy[i] * x[i] / s[i] ** (beta + 1),
        "The power rule, for the path through s.", "幂函数求导，对应经过 s 的路径。",
    )  # fmt: skip
    d.step(
        gx[j], gy[j] / s[j] ** beta + over(gs[i] * (2 * alpha * x[j]), i, r, where=Eq(i + r, j)),
        "Its own y directly, and the s of every window that holds it: ∂sᵢ/∂xⱼ = 2αxⱼ.",
        "一条直接到自己的 y，其余经过每个包含它的窗口的 s：∂sᵢ/∂xⱼ = 2αxⱼ。",
    )  # fmt: skip
    around = over(gy[i] * x[i] / s[i] ** (beta + 1), i, r, where=Eq(i + r, j))
    d.step(
        None, gy[j] / s[j] ** beta - 2 * alpha * beta * x[j] * around,
        "What does not depend on the window comes out of the sum.", "与窗口无关的因子提到求和号外。",
    )  # fmt: skip
    d.ships(
        ops.LocalResponseNorm, [lambda get: get("y")[None]],
        lambda get, n: {"window": (1, 1), "alpha": n["α"], "beta": n["β"], "k": n["k"]},
        x=lambda get: get("x")[None],
    )  # fmt: skip
