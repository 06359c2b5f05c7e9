"""Derivations of the normalizations. Where it is not said otherwise, all sums run over what is normalized."""

from __future__ import annotations

from typing import Any

from ...ops import normalization as ops
from .derivation import Builder, derivation
from .formula import over, partial, sqrt


def _standardized(d: Builder, i: Any, j: Any, x: Any, m: Any, eps: Any) -> tuple[Any, Any, Any]:
    mu = d.define("μ", (), (1 / m) * over(x[j], j), "the mean", "均值")
    v = d.define(
        "v", (), (1 / m) * over((x[j] - mu) ** 2, j), "the variance, divided by m", "方差（除以 m，有偏）"
    )
    x_hat = d.define("x̂", i, (x[i] - mu) / sqrt(v + eps), "x standardized", "标准化后的 x")
    return mu, v, x_hat


def _to_x(d: Builder, i: Any, j: Any, x: Any, mu: Any, v: Any, x_hat: Any, m: Any, eps: Any) -> None:
    """From gx̂ to gx, along the three paths."""
    gx, gv, gmu, gh = d.g(x), d.g(v), d.g(mu), d.g(x_hat)
    d.step(
        gv, over(gh[j] * partial(x_hat[j], v), j),
        "The variance reaches the loss through every x̂.",
        "方差通过每一个 x̂ 影响损失。",
    )  # fmt: skip
    d.step(
        None, -((1 / (2 * (v + eps))) * over(gh[j] * x_hat[j], j)),
        "The derivative of (v + ε)^(−1/2) is −½ (v + ε)^(−3/2), and (x − μ)/√(v + ε) is x̂ again.",
        "(v + ε)^(−1/2) 的导数是 −½ (v + ε)^(−3/2)，而 (x − μ)/√(v + ε) 又是 x̂。",
    )  # fmt: skip
    d.step(
        gmu, over(gh[j] * partial(x_hat[j], mu, (v,)), j) + gv * partial(v, mu),
        "The mean goes into every x̂, directly and through the variance.",
        "均值进入每一个 x̂：一条路径是直接的，另一条经过方差。",
    )  # fmt: skip
    d.step(
        None, -((1 / sqrt(v + eps)) * over(gh[j], j)),
        "∂v/∂μ = −(2/m) Σ (x − μ) is 0: deviations from the mean add up to nothing.",
        "∂v/∂μ = −(2/m) Σ (x − μ) 等于 0：与均值的偏差之和为零。",
    )  # fmt: skip
    d.step(
        gx[i],
        gh[i] * partial(x_hat[i], x[i], (mu, v)) + gv * partial(v, x[i], (mu,)) + gmu * partial(mu, x[i]),
        "The three paths of one x: through its own x̂, through the variance, through the mean.",
        "每个 x 有三条路径：经过自己的 x̂、经过方差、经过均值。",
    )  # fmt: skip
    d.step(
        None, gh[i] / sqrt(v + eps) + gv * (2 * (x[i] - mu) / m) + gmu / m,
        "The three derivatives, with what is held fixed.",
        "代入三个偏导数，其余量保持不变。",
    )  # fmt: skip


@derivation(
    "batch norm", ops.BatchNorm,
    en="Training: one channel, whose m numbers x are all batch and positions. μ and v depend on every x.",
    zh="训练模式：取一个通道，x 的 m 个数来自整个批次和所有位置。μ 和 v 依赖于每一个 x。",
)  # fmt: skip
def batch_norm(d: Builder) -> None:
    i, j = d.letters("i j", 4)
    m, eps = d.number("m", 2 if d.hand else 4), d.number("ε")
    x, gamma, beta = d.given("x", i), d.given("γ"), d.given("β")
    mu, v, x_hat = _standardized(d, i, j, x, m, eps)
    y = d.define("y", i, gamma * x_hat[i] + beta, "scaled and shifted", "缩放并平移")
    gy, gx = d.output("y"), d.g(x)
    d.step(
        gx[i], over(gy[j] * partial(y[j], x[i]), j),
        "The chain rule: one x moves the mean and the variance, and so every y.",
        "链式法则：一个 x 会改变均值和方差，因而影响每一个 y。",
    )  # fmt: skip
    d.step(d.g(x_hat)[i], gy[i] * gamma, "y = γ x̂ + β, each by itself.", "y = γ x̂ + β，逐个元素计算。")
    _to_x(d, i, j, x, mu, v, x_hat, m, eps)
    mean = (1 / m) * over(gy[j], j)
    along = (1 / m) * over(gy[j] * x_hat[j], j)
    d.step(
        None, gamma / sqrt(v + eps) * (gy[i] - mean - x_hat[i] * along),
        "With gx̂ = gy γ: γ/√(v + ε) comes out of all three terms, and x̂ stands for (x − μ)/√(v + ε).",
        "代入 gx̂ = gy γ：三项都含有 γ/√(v + ε)，提出来，并用 x̂ 代替 (x − μ)/√(v + ε)。",
    )  # fmt: skip
    d.step(
        d.g(gamma), over(gy[i] * partial(y[i], gamma), i),
        "γ scales every y of the channel.", "γ 缩放该通道的每一个 y。",
    )  # fmt: skip
    d.step(None, over(gy[i] * x_hat[i], i), "∂y/∂γ = x̂.", "∂y/∂γ = x̂。")
    d.step(d.g(beta), over(gy[i], i), "∂y/∂β = 1 for every y.", "对每一个 y，∂y/∂β = 1。")
    d.ships(
        ops.BatchNorm, [lambda get: get("y")[:, None], None, None],
        lambda get, numbers: {"eps": numbers["ε"]},
        x=lambda get: get("x")[:, None], gamma=lambda get: get("γ")[None], beta=lambda get: get("β")[None],
    )  # fmt: skip


@derivation(
    "batch norm in evaluation", ops.BatchNormFixed,
    en="Evaluation: μ and v are running statistics, constants. One channel.",
    zh="评估模式：μ 和 v 是滑动统计量，视为常数。取一个通道。",
)  # fmt: skip
def batch_norm_in_evaluation(d: Builder) -> None:
    i, j = d.letters("i j", 3)
    eps = d.number("ε")
    x, gamma, beta = d.given("x", i), d.given("γ"), d.given("β")
    mu, v = d.given("μ"), d.given("v", positive=True)
    y = d.define("y", i, gamma * (x[i] - mu) / sqrt(v + eps) + beta)
    gy = d.output("y")
    d.step(
        d.g(x)[i], over(gy[j] * partial(y[j], x[i]), j),
        "The chain rule over all y.", "对所有 y 用链式法则。",
    )  # fmt: skip
    d.step(
        None, gy[i] * gamma / sqrt(v + eps),
        "μ and v do not move with x: nothing of the batch's two terms is left.",
        "μ 和 v 不随 x 变化：训练模式中来自批次的两项都不出现。",
    )  # fmt: skip
    d.step(
        d.g(gamma), over(gy[i] * (x[i] - mu), i) / sqrt(v + eps),
        "γ scales every y.", "γ 缩放每一个 y。",
    )  # fmt: skip
    d.step(d.g(beta), over(gy[i], i), "β is added to every y.", "β 加到每一个 y 上。")
    d.ships(
        ops.BatchNormFixed, [lambda get: get("y")[:, None]],
        lambda get, n: {"mean": get("μ").reshape(1, 1), "var": get("v").reshape(1, 1), "eps": n["ε"]},
        x=lambda get: get("x")[:, None], gamma=lambda get: get("γ")[None], beta=lambda get: get("β")[None],
    )  # fmt: skip


@derivation(
    "layer norm", ops.LayerNorm,
    en="One sample of m numbers; γ and β have a number for each place.",
    zh="取一个样本的 m 个数；γ 和 β 在每个位置各有一个数。",
)  # fmt: skip
def layer_norm(d: Builder) -> None:
    i, j = d.letters("i j", 3)
    m, eps = d.number("m", 2 if d.hand else 3), d.number("ε")
    x, gamma, beta = d.given("x", i), d.given("γ", i), d.given("β", i)
    mu, v, x_hat = _standardized(d, i, j, x, m, eps)
    y = d.define("y", i, gamma[i] * x_hat[i] + beta[i], "scaled and shifted", "缩放并平移")
    gy, gh = d.output("y"), d.g(x_hat)
    d.step(
        d.g(x)[i], over(gy[j] * partial(y[j], x[i]), j),
        "The chain rule: one x moves the mean and the variance of its sample.",
        "链式法则：一个 x 会改变所在样本的均值和方差。",
    )  # fmt: skip
    d.step(gh[i], gy[i] * gamma[i], "Each place has its own γ.", "每个位置有自己的 γ。")
    _to_x(d, i, j, x, mu, v, x_hat, m, eps)
    mean, along = (1 / m) * over(gh[j], j), (1 / m) * over(gh[j] * x_hat[j], j)
    d.step(
        None, 1 / sqrt(v + eps) * (gh[i] - mean - x_hat[i] * along),
        "The root comes out of all three terms. γ stays inside: it differs from place to place.",
        "三项都提出根号。γ 留在里面：它在各个位置不同。",
    )  # fmt: skip
    d.step(
        d.g(gamma)[i],
        gy[i] * x_hat[i],
        "A batch adds up those of its samples.",
        "一个批次把各样本的结果相加。",
    )
    d.step(d.g(beta)[i], gy[i], "Likewise for β.", "β 同理。")
    d.ships(ops.LayerNorm, None, lambda get, n: {"axes": (0,), "eps": n["ε"]}, x="x", gamma="γ", beta="β")
