"""Derivations of the simple recurrent cell and the GRU through time, for one sample: hₜ is a vector."""

from __future__ import annotations

from typing import Any

from ...ops import rnn as ops
from .derivation import Builder, derivation
from .formula import IndexedBase, T, dot, outer, over, partial, sigma, tanh
from .packing import stacked

ALL_PATHS = (
    "The chain rule over all paths through time: hₜ reaches every later output; each ∂yₛ/∂hₜ is a matrix.",
    "沿时间的所有路径用链式法则：hₜ 影响此后的每个输出；每个 ∂yₛ/∂hₜ 是一个矩阵。",
)


@derivation(
    "rnn", ops.RNN,
    en="The simple recurrent cell; aₜ is the input's share W_ih xₜ + b.",
    zh="简单循环单元；aₜ 是输入的贡献 W_ih xₜ + b。",
)  # fmt: skip
def rnn(d: Builder) -> None:
    t, s = d.letters("t s", 3, start=1)
    a, w = d.given("a", t, shape=(2,)), d.given("W", shape=(2, 2))
    h = d.given("h", shape=(2,), start=0)
    d.define("h", t, tanh(a[t] + dot(w, h[t - 1])), "the state", "状态", t)
    y = d.define("y", t, h[t], "which leaves the layer", "送出该层", t)
    gy, gh, ga = d.output("y"), d.g(h), d.g(a)
    d.step(gh[t], over(dot(T(partial(y[s], h[t])), gy[s]), s), *ALL_PATHS)
    d.step(
        None, gy[t] + dot(T(w), ga[t + 1]),
        "One step at a time instead: hₜ goes out, and into the next sum. After the last step ga is 0.",
        "改为逐步计算：hₜ 一方面输出，另一方面进入下一步的和。最后一步之后 ga 为 0。",
    )  # fmt: skip
    d.step(
        ga[t], gh[t] * (1 - h[t] ** 2),
        "tanh′ = 1 − tanh². Each step back multiplies by Wᵀ and by this: gradients vanish or explode.",
        "tanh′ = 1 − tanh²。每后退一步都要乘以 Wᵀ 和这一项：梯度因此消失或爆炸。",
    )  # fmt: skip
    d.step(
        d.g(w), over(outer(ga[t], h[t - 1]), t),
        "One W for all times: outer products, added up.", "所有时刻共用一个 W：外积求和。",
    )  # fmt: skip
    d.step(gh[0], dot(T(w), ga[1]), "The initial state has no output of its own.", "初始状态没有自己的输出。")
    d.ships(
        ops.RNN, [lambda get: get("y")[:, None], None],
        lambda get, numbers: {"nonlinearity": "tanh", "mask": None, "reverse": False},
        a=lambda get: get("a")[:, None], w="W", h0=lambda get: get("h")[:1],
    )  # fmt: skip


@derivation(
    "gru", ops.GRU,
    en="The gated recurrent unit, its reset after the product; aₜ is the input's share. ∘ is element by "
    "element.",
    zh="门控循环单元，重置门作用在乘积之后；aₜ 是输入的贡献。∘ 表示逐元素相乘。",
)  # fmt: skip
def gru(d: Builder) -> None:
    t, s = d.letters("t s", 2, start=1)
    a = {n: d.given(f"a^{n}", t, shape=(2,)) for n in "rzn"}
    w = {n: d.given(f"W^{n}", shape=(2, 2)) for n in "rzn"}
    b = {n: d.given(f"b^{n}", shape=(2,)) for n in "rzn"}
    h = d.given("h", shape=(2,), start=0)
    u = {n: d.define(f"u^{n}", t, dot(w[n], h[t - 1]) + b[n], time=t) for n in "rzn"}
    r = d.define("r", t, sigma(a["r"][t] + u["r"][t]), "reset gate", "重置门", t)
    z = d.define("z", t, sigma(a["z"][t] + u["z"][t]), "update gate", "更新门", t)
    n = d.define("n", t, tanh(a["n"][t] + r[t] * u["n"][t]), "new value", "候选值", t)
    d.define("h", t, (1 - z[t]) * n[t] + z[t] * h[t - 1], "between new and old", "新旧之间", t)
    d.define("y", t, h[t], "which leaves the layer", "送出该层", t)
    d.output("y")
    _gru_state(d, t, s, w, h, z)
    _gru_gates(d, t, h, r, z, n, u["n"])
    _gru_weights(d, t, w, b, h)
    d.ships(
        ops.GRU, [lambda get: get("y")[:, None], None],
        lambda get, numbers: {"mask": None, "reverse": False},
        a=lambda get: stacked(get, "a", "rzn", 1)[:, None], w=lambda get: stacked(get, "W", "rzn", 0),
        b=lambda get: stacked(get, "b", "rzn", 0), h0=lambda get: get("h")[:1],
    )  # fmt: skip


def _gru_state(d: Builder, t: Any, s: Any, w: dict[str, Any], h: Any, z: Any) -> None:
    y = IndexedBase("y")
    gy, gh = d.g(y), d.g(h)
    d.step(gh[t], over(dot(T(partial(y[s], h[t])), gy[s]), s), *ALL_PATHS)
    paths = gy[t] + gh[t + 1] * z[t + 1]
    for name in "rzn":
        paths = paths + dot(T(w[name]), d.g(f"u^{name}")[t + 1])
    d.step(
        None, paths,
        "One step at a time: out, straight on through the update gate, and into the three products.",
        "逐步计算：输出、经更新门直接传下去、以及进入三个乘积。",
    )  # fmt: skip


def _gru_gates(d: Builder, t: Any, h: Any, r: Any, z: Any, n: Any, un: Any) -> None:
    gh, gan = d.g(h), d.g("a^n")
    d.step(
        d.g(n)[t], gh[t] * (1 - z[t]), "From hₜ = (1 − z) ∘ n + z ∘ hₜ₋₁.", "由 hₜ = (1 − z) ∘ n + z ∘ hₜ₋₁。"
    )
    d.step(d.g(z)[t], gh[t] * (h[t - 1] - n[t]), "z stands in both terms.", "z 出现在两项中。")
    d.step(gan[t], d.g(n)[t] * (1 - n[t] ** 2), "tanh′ = 1 − tanh².", "tanh′ = 1 − tanh²。")
    d.step(d.g(r)[t], gan[t] * un[t], "r scales the product uⁿ.", "r 缩放乘积 uⁿ。")
    d.step(d.g("u^n")[t], gan[t] * r[t], "And uⁿ is scaled by r.", "uⁿ 被 r 缩放。")
    for name, gate in (("r", r), ("z", z)):
        ga = d.g(f"a^{name}")[t]
        d.step(ga, d.g(gate)[t] * gate[t] * (1 - gate[t]), "σ′ = σ (1 − σ).", "σ′ = σ (1 − σ)。")
        d.step(d.g(f"u^{name}")[t], ga, "a and u are added.", "a 与 u 相加。")


def _gru_weights(d: Builder, t: Any, w: dict[str, Any], b: dict[str, Any], h: Any) -> None:
    for name in "rzn":
        gu = d.g(f"u^{name}")
        d.step(
            d.g(w[name]), over(outer(gu[t], h[t - 1]), t),
            "One W for all times: outer products, added up.", "所有时刻共用一个 W：外积求和。",
        )  # fmt: skip
        d.step(d.g(b[name]), over(gu[t], t), "And one bias.", "偏置也只有一个。")
