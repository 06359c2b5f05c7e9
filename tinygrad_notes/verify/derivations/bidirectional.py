"""The derivation of a layer that reads both ways, of simple cells without biases, for one sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...autograd import Tensor, grad
from ...backend import use_backend
from ...nn import RNN
from ...ops.shape import concat
from ..symbolic import Scalar, value_of
from .derivation import Builder, derivation
from .formula import IndexedBase, T, dot, outer, over, partial, tanh

WAYS = "fb"  # forward, and back from the end
PAPER = {"f": [[1, 0], [-1, 1]], "b": [[0, 1], [1, 1]]}  # of larger numbers tanh is ±1


@derivation(
    "bidirectional", RNN.forward,
    en="Two simple cells, f from the first time on and b from the last one back; their outputs stand side by "
    "side.",
    zh="两个简单循环单元：f 从第一个时刻往后读，b 从最后一个时刻往前读；两者的输出并排放置。",
)  # fmt: skip
def bidirectional(d: Builder) -> None:
    length = 2 if d.hand else 3
    t, s = d.letters("t s", length, start=1)
    x = d.given("x", t, shape=(2,))
    u, w = (
        {way: d.given(f"{name}^{way}", shape=(2, 2), hand=_one(w)) for way, w in PAPER.items()}
        for name in "UW"
    )
    h = {way: d.given(f"h^{way}", shape=(2,), start=0 if way == "f" else length + 1) for way in WAYS}
    a: dict[str, Any] = {}
    for way, step in zip(WAYS, (-1, 1), strict=True):
        read, back = dot(u[way], x[t]) + dot(w[way], h[way][t + step]), way == "b"
        a[way] = d.define(f"a^{way}", t, read, "the sum", "求和", t, back)
        d.define(f"h^{way}", t, tanh(a[way][t]), "the state", "状态", t, back)
    y = {
        "f": d.define("y^f", t, h["f"][t], "the first half of the output", "输出的前一半"),
        "b": d.define("y^b", t, h["b"][t], "the second half", "输出的后一半"),
    }
    gy = {way: d.output(f"y^{way}") for way in WAYS}
    d.step(
        d.g(x)[t],
        over(dot(T(partial(y["f"][s], x[t])), gy["f"][s]), s)
        + over(dot(T(partial(y["b"][s], x[t])), gy["b"][s]), s),
        "The chain rule over all paths: xₜ reaches the first half of later outputs and the second of earlier "
        "ones.",
        "对所有路径用链式法则：xₜ 影响此后各输出的前一半，也影响此前各输出的后一半。",
    )  # fmt: skip
    _states(d, t, w, h, a, gy)
    d.step(
        d.g(x)[t], dot(T(u["f"]), d.g(a["f"])[t]) + dot(T(u["b"]), d.g(a["b"])[t]),
        "xₜ stands in one sum of each way: the two gradients are added up, and meet nowhere else.",
        "xₜ 在每个方向的一个和中出现：两个梯度相加，此外两个方向互不相干。",
    )  # fmt: skip
    _weights(d, t, x, u, w, h, a)
    d.runs(_shipped)


def _one(matrix: list[list[int]]) -> list[Any]:
    """The values of an array without letters: a matrix of whole numbers."""
    numbers = [[Scalar(None, value_of(n)) for n in row] for row in matrix]
    return [np.array(numbers, object)]


def _states(d: Builder, t: Any, w: Any, h: Any, a: Any, gy: Any) -> None:
    reasons = {
        "f": ("hₜ goes out, and into the next sum. After the last time ga is 0.",
              "hₜ 一方面输出，另一方面进入下一步的和。最后一个时刻之后 ga 为 0。"),
        "b": ("Here the next sum is that of t − 1, so the gradient runs from the first time to the last.",
              "这里下一步的和属于时刻 t − 1，所以梯度从第一个时刻传到最后一个时刻。"),
    }  # fmt: skip
    for way, step in zip(WAYS, (1, -1), strict=True):
        gh, ga = d.g(h[way]), d.g(a[way])
        d.step(gh[t], gy[way][t] + dot(T(w[way]), ga[t + step]), *reasons[way])
        d.step(ga[t], gh[t] * (1 - h[way][t] ** 2), "tanh′ = 1 − tanh².", "tanh′ = 1 − tanh²。")


def _weights(d: Builder, t: Any, x: Any, u: Any, w: Any, h: Any, a: Any) -> None:
    said = (
        "Each way has weights of its own; they are the same at all times.",
        "每个方向有自己的权重，各时刻共用。",
    )
    for way, step in zip(WAYS, (-1, 1), strict=True):
        ga: IndexedBase = d.g(a[way])
        d.step(d.g(u[way]), over(outer(ga[t], x[t]), t), *said)
        gw = over(outer(ga[t], h[way][t + step]), t)
        d.step(d.g(w[way]), gw, "And those of the state.", "状态的权重同理。")


def _shipped(get: Any, numbers: Any) -> list[tuple[Any, Any]]:
    """The layer on the same numbers: both halves of its output, and all gradients."""
    with use_backend("numpy"):
        layer = RNN(2, 2, bias=False, bidirectional=True).astype("float64")
        weights = {"U^f": layer.weight_ih_l0, "W^f": layer.weight_hh_l0,
                   "U^b": layer.weight_ih_l0_reverse, "W^b": layer.weight_hh_l0_reverse}  # fmt: skip
        for name, weight in weights.items():
            weight.data[:] = get(name)
        x = Tensor(get("x")[:, None], requires_grad=True)
        h0 = Tensor(np.stack([get("h^f")[:1], get("h^b")[-1:]]), requires_grad=True)
        outputs, _ = layer(x, h0)
        gy = concat([Tensor(get(f"gy^{way}")[:, None]) for way in WAYS], axis=2)
        gx, gh0, *found = grad(outputs, [x, h0, *weights.values()], gy)
    y = outputs.detach().numpy()[:, 0]
    pairs = [(get("y^f"), y[:, :2]), (get("y^b"), y[:, 2:]), (get("gx"), gx.numpy()[:, 0]),
             (get("gh^f")[0], gh0.numpy()[0, 0]), (get("gh^b")[-1], gh0.numpy()[1, 0])]  # fmt: skip
    return [*pairs, *((get(f"g{name}"), g.numpy()) for name, g in zip(weights, found, strict=True))]
