"""The derivation of the LSTM cell through time. A sample by itself: hₜ, cₜ and the gates are vectors."""

from __future__ import annotations

from typing import Any

from ...ops import lstm as ops
from .derivation import Builder, derivation
from .formula import IndexedBase, T, dot, outer, over, partial, sigma, tanh
from .packing import stacked

GATES = ("i", "f", "g", "o")


@derivation(
    "lstm", ops.LSTM,
    en="The LSTM cell through time; aₜ is the input's share W_ih xₜ + b in the four sums. Products of "
    "vectors "
    "are taken element by element (∘).",
    zh="沿时间展开的 LSTM 单元；aₜ 是输入在四个和中的贡献 W_ih xₜ + b。向量之间的 ∘ 表示逐元素相乘。",
)  # fmt: skip
def lstm(d: Builder) -> None:
    t, s = d.letters("t s", 2, start=1)
    a = {n: d.given(f"a^{n}", t, shape=(2,)) for n in GATES}
    w = {n: d.given(f"W^{n}", shape=(2, 2)) for n in GATES}
    h, c = d.given("h", shape=(2,), start=0), d.given("c", shape=(2,), start=0)
    texts = {
        "i": ("input gate", "输入门"), "f": ("forget gate", "遗忘门"),
        "g": ("new value", "候选值"), "o": ("output gate", "输出门"),
    }  # fmt: skip
    i, f, g, o = (
        d.define(n, t, (tanh if n == "g" else sigma)(a[n][t] + dot(w[n], h[t - 1])), *texts[n], time=t)
        for n in GATES
    )
    d.define(
        "c",
        t,
        f[t] * c[t - 1] + i[t] * g[t],
        "the cell state: forget, then add",
        "单元状态：先遗忘，再相加",
        t,
    )
    d.define("h", t, o[t] * tanh(c[t]), "the output", "输出", t)
    d.define("y", t, h[t], "which leaves the layer", "送出该层", t)
    d.output("y")
    _through_time(d, t, s, a, w)
    _gates(d, t, a)
    _weights(d, t, w)
    d.ships(
        ops.LSTM, [lambda get: get("y")[:, None], None, None],
        lambda get, numbers: {"mask": None, "reverse": False},
        a=lambda get: stacked(get, "a", GATES, 1)[:, None], w=lambda get: stacked(get, "W", GATES, 0),
        h0=lambda get: get("h")[:1], c0=lambda get: get("c")[:1],
    )  # fmt: skip


def _through_time(d: Builder, t: Any, s: Any, a: dict[str, Any], w: dict[str, Any]) -> None:
    """The gradients of c and h, which come from two sides."""
    y, h, c, o, f = (IndexedBase(n) for n in ("y", "h", "c", "o", "f"))
    gy, gh, gc = d.g(y), d.g(h), d.g(c)
    d.step(
        gc[t], over(dot(T(partial(y[s], c[t])), gy[s]), s),
        "The chain rule over all paths through time: cₜ reaches every later output; each ∂yₛ/∂cₜ is a "
        "matrix.",
        "沿时间的所有路径用链式法则：cₜ 影响此后的每个输出；每个 ∂yₛ/∂cₜ 是一个矩阵。",
    )  # fmt: skip
    back = gy[t]
    for n in GATES:
        back = back + dot(T(w[n]), d.g(a[n])[t + 1])
    d.step(
        gh[t], back,
        "One step at a time instead: hₜ leaves the layer and enters the four sums of step t + 1. After "
        "the last "
        "step the gradients of t + 1 are 0.",
        "改为逐步计算：hₜ 一方面作为输出，另一方面进入第 t + 1 步的四个和。最后一步之后，t + 1 "
        "处的梯度为 0。",
    )  # fmt: skip
    d.step(
        gc[t], gh[t] * o[t] * (1 - tanh(c[t]) ** 2) + gc[t + 1] * f[t + 1],
        "cₜ likewise: into hₜ = oₜ ∘ tanh cₜ with tanh′ = 1 − tanh², and into cₜ₊₁, scaled by the forget "
        "gate "
        "alone. So the gradient of c need not vanish.",
        "cₜ 也有两条路径：进入 hₜ = oₜ ∘ tanh cₜ（tanh′ = 1 − tanh²），以及进入 cₜ₊₁，后者只乘以遗忘门。"
        "因此 c 的梯度不必消失。",
    )  # fmt: skip


def _gates(d: Builder, t: Any, a: dict[str, Any]) -> None:
    i, f, g, o, c = (IndexedBase(n) for n in ("i", "f", "g", "o", "c"))
    gc, gh = d.g(c), d.g("h")
    d.step(d.g(i)[t], gc[t] * g[t], "From cₜ = fₜ ∘ cₜ₋₁ + iₜ ∘ gₜ.", "由 cₜ = fₜ ∘ cₜ₋₁ + iₜ ∘ gₜ。")
    d.step(d.g(f)[t], gc[t] * c[t - 1], "From the same line.", "由同一式。")
    d.step(d.g(g)[t], gc[t] * i[t], "From the same line.", "由同一式。")
    d.step(d.g(o)[t], gh[t] * tanh(c[t]), "From hₜ = oₜ ∘ tanh cₜ.", "由 hₜ = oₜ ∘ tanh cₜ。")
    for n, gate in (("i", i), ("f", f), ("o", o)):
        d.step(
            d.g(a[n])[t], d.g(gate)[t] * gate[t] * (1 - gate[t]),
            "σ′ = σ (1 − σ), told from the gate's value.", "σ′ = σ (1 − σ)，由门的值直接得到。",
        )  # fmt: skip
    d.step(d.g(a["g"])[t], d.g(g)[t] * (1 - g[t] ** 2), "tanh′ = 1 − tanh².", "tanh′ = 1 − tanh²。")


def _weights(d: Builder, t: Any, w: dict[str, Any]) -> None:
    h = IndexedBase("h")
    for n in GATES:
        d.step(
            d.g(w[n]), over(outer(IndexedBase(f"ga^{n}")[t], h[t - 1]), t),
            "The same weights act at every time: outer products, added up over time.",
            "同一组权重用于每个时刻：外积沿时间求和。",
        )  # fmt: skip
