"""The derivation of addition, as a residual network uses it."""

from __future__ import annotations

from ...ops import arithmetic as ops
from .derivation import Builder, derivation
from .formula import over, partial, tanh


@derivation(
    "residual addition", ops.Add,
    en="H(x) = F(x) + x. F is any layer, here tanh(W x); sᵢ is the copy of x on the shortcut.",
    zh="H(x) = F(x) + x。F 可以是任意层，这里取 tanh(W x)；sᵢ 是捷径上的那一份 x。",
)  # fmt: skip
def residual_addition(d: Builder) -> None:
    i, j = d.letters("i j", 2)
    x, w = d.given("x", i), d.given("W", i, j)
    f = d.define("F", i, tanh(over(w[i, j] * x[j], j)), "the residual branch", "残差分支")
    s = d.define("s", i, x[i], "the shortcut", "捷径")
    y = d.define("y", i, f[i] + s[i], "the sum", "相加")
    gy, gx = d.output("y"), d.g(x)
    d.step(d.g(f)[i], gy[i], "The derivative of a sum in either term is 1.", "和对每一项的导数都是 1。")
    d.step(d.g(s)[i], gy[i], "So both branches get gy as it is.", "因此两个分支都原样得到 gy。")
    d.step(
        gx[i], over(gy[j] * partial(y[j], x[i]), j),
        "The chain rule for what comes before the block.", "对残差块之前的 x 用链式法则。",
    )  # fmt: skip
    d.step(
        None, over(d.g(f)[j] * partial(f[j], x[i]), j) + d.g(s)[i],
        "Two paths: through F, and along the shortcut.", "两条路径：经过 F，以及沿捷径。",
    )  # fmt: skip
    d.step(
        None, gy[i] + over(gy[j] * partial(f[j], x[i]), j),
        "However small the derivative of F is, gy arrives whole: through a hundred blocks as through one.",
        "无论 F 的导数多么小，gy 都完整地传到：经过一百个块与经过一个块一样。",
    )  # fmt: skip
    d.ships(ops.Add, a="F", b="s")
