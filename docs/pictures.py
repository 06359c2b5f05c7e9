"""The drawings of the pages, each a function that writes an SVG. No words that would need a translation."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle

import tinygrad_notes as tg
from tinygrad_notes.nn import functional as F
from tinygrad_notes.study.finding import COLORS
from tinygrad_notes.verify.derivations.check import _forward_double, points_of

BLUE, ORANGE, GREEN, PURPLE, GRAY = COLORS


def axes_of(titles, width=4.2, height=3.0):
    """A figure with one pair of axes per title."""
    figure = Figure(figsize=(width * len(titles), height), layout="constrained")
    found = figure.subplots(1, len(titles), squeeze=False)[0]
    for axes, title in zip(found, titles, strict=True):
        axes.set_title(title, loc="left", fontsize=11)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    return figure, found


def canvas(width, height):
    """A figure in inches without axes."""
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    return figure, axes


def saved(figure, file):
    figure.savefig(file, facecolor="white", metadata={"Date": None})


def with_slope(function, x):
    """The values and the slopes of a function of one number, by the package."""
    x = tg.Tensor(x, requires_grad=True)
    y = function(x)
    return y.detach().numpy(), tg.grad(y.sum(), x)[0].numpy()


def activation(file):
    figure, (left, right) = axes_of(["y", "∂y/∂x"])
    kinds = {"sigmoid": tg.sigmoid, "tanh": tg.tanh, "ReLU": tg.relu,
             "Leaky ReLU, α = 0.1": lambda x: tg.leaky_relu(x, 0.1)}  # fmt: skip
    x = np.linspace(-4, 4, 401)
    for color, (name, function) in zip(COLORS, kinds.items(), strict=False):
        style = "--" if name.startswith("Leaky") else "-"
        for axes, values in zip((left, right), with_slope(function, x), strict=True):
            axes.plot(x, values, style, color=color, label=name)
    left.set_ylim(-1.3, 2.5)
    left.legend(frameon=False, fontsize=9)
    for axes in (left, right):
        axes.set_xlabel("x")
    saved(figure, file)


def loss(file):
    figure, (left, right) = axes_of(["J(e),  e = ŷ − y", "|∂J/∂x|,  y = 1,  p = σ(x)"])
    e, zeros = np.linspace(-3, 3, 301), tg.Tensor(np.zeros(301))
    for color, name, function in ((BLUE, "e²", F.mse_loss), (ORANGE, "Huber, δ = 1", F.huber_loss)):
        left.plot(e, function(tg.Tensor(e), zeros, reduction="none").numpy(), color=color, label=name)
    x = np.linspace(-6, 6, 301)
    kinds = ((BLUE, "(p − 1)²", lambda x: (tg.sigmoid(x) - 1) ** 2),
             (GREEN, "−ln p", lambda x: -tg.log(tg.sigmoid(x))))  # fmt: skip
    for color, name, function in kinds:
        right.plot(x, abs(with_slope(function, x)[1]), color=color, label=name)
    right.set_xlabel("x")
    left.set_xlabel("e")
    for axes in (left, right):
        axes.legend(frameon=False, fontsize=9)
    saved(figure, file)


def optimizer(file):
    figure, (left, right) = axes_of(["SGD, μ:  v,  g = 1", "Adam, g = 1000:  |Δw| / lr"])
    steps = np.arange(1, 41)
    for color, momentum in zip(COLORS, (0.0, 0.5, 0.9), strict=False):
        moved = -np.diff([0.0, *walk(tg.optim.SGD, 1.0, len(steps), momentum=momentum)])
        left.plot(steps, moved, ".-", color=color, label=f"μ = {momentum:g}")
    beta = 0.9, 0.999
    bare = (1 - beta[0] ** steps) / np.sqrt(1 - beta[1] ** steps)
    right.plot(steps, bare, ".-", color=ORANGE, label="m / √v")
    moved = -np.diff([0.0, *walk(tg.optim.Adam, 1000.0, len(steps))])
    right.plot(steps, moved, ".-", color=BLUE, label="m̂ / √v̂")
    for axes in (left, right):
        axes.set_xlabel("t")
        axes.set_ylim(0)
        axes.legend(frameon=False, fontsize=9)
    saved(figure, file)


def walk(kind, gradient, count, **options):
    """Where a weight is after each step with lr = 1 and always the same gradient."""
    weight = tg.nn.Parameter(np.zeros(1))
    descent = kind([weight], lr=1.0, **options)
    found = []
    for _ in range(count):
        weight.grad = tg.Tensor(np.array([gradient]))
        descent.step()
        found.append(weight.item())
    return found


def linear(file):
    """Three inputs, two neurons: each y sees every x, through its own row of W."""
    figure, axes = canvas(6.4, 3.2)
    inputs, outputs = [(1.2, 2.7 - k) for k in range(3)], [(4.6, 2.2 - k) for k in range(2)]
    for o, (right, high) in enumerate(outputs):
        color = (BLUE, ORANGE)[o]
        for i, (left, low) in enumerate(inputs):
            arrow(axes, (left + 0.25, low), (right - 0.27, high), color, 1.3)
            at = 0.28 + 0.2 * o
            x, y = left + at * (right - left), low + at * (high - low)
            axes.text(x, y + 0.06, f"$w_{{{o}{i}}}$", fontsize=11, color=color, ha="center")
        axes.text(right + 0.4, high - 0.05, f"$y_{o} = \\sum_i w_{{{o}i}} x_i + b_{o}$", fontsize=11)
    for k, (x, y) in enumerate([*inputs, *outputs]):
        axes.add_patch(Circle((x, y), 0.25, fc="white", ec="#404040", zorder=3))
        name = f"$x_{k}$" if k < 3 else f"$y_{k - 3}$"
        axes.text(x, y, name, ha="center", va="center", fontsize=12, zorder=4)
    saved(figure, file)


def convolution(file):
    """A 3×3 kernel on 5×5 pixels with stride 2: two windows, which share a column, and their outputs."""
    figure = Figure(figsize=(7.2, 3.1))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 14.4), ylim=(-0.6, 5.6))
    axes.axis("off")
    cells(axes, 0.6, 0, 5, "x")
    cells(axes, 7.0, 1, 3, "w")
    cells(axes, 11.6, 1.5, 2, "y")
    for left, top, color, out in ((0.6, 5, BLUE, 11.6), (2.6, 5, ORANGE, 12.6)):
        axes.add_patch(Rectangle((left, top - 3), 3, 3, fc=color, ec=color, alpha=0.2, lw=2))
        axes.add_patch(Rectangle((left, top - 3), 3, 3, fc="none", ec=color, lw=2))
        axes.add_patch(Rectangle((out, 2.5), 1, 1, fc=color, ec=color, alpha=0.35, lw=2))
    axes.text(6.3, 2.5, "⋆", fontsize=20, ha="center", va="center")
    axes.text(10.8, 2.5, "=", fontsize=20, ha="center", va="center")
    saved(figure, file)


def cells(axes, left, bottom, count, name):
    """count × count squares with a name below."""
    for i in range(count):
        for j in range(count):
            axes.add_patch(Rectangle((left + i, bottom + j), 1, 1, fc="none", ec="#7a7a7a", lw=0.8))
    axes.text(left + count / 2, bottom - 0.35, f"${name}$", fontsize=13, ha="center", va="center")


def resnet(file):
    """A residual block: x goes through F and around it."""
    figure, axes = canvas(8.0, 2.2)
    middle, names = 0.75, ("conv", "BN", "ReLU", "conv", "BN")
    axes.add_patch(FancyBboxPatch((1.45, 0.3), 4.3, 0.9, "round,pad=0.05", fc="#f5f7fb", ec="#b8c2d6"))
    arrow(axes, (0.2, middle), (6.13, middle), GRAY)
    arrow(axes, (6.47, middle), (7.8, middle), GRAY)
    for k, name in enumerate(names):
        box(axes, 1.9 + 0.85 * k, middle, name, {"conv": BLUE, "BN": GREEN, "ReLU": ORANGE}[name])
    axes.plot([0.9, 0.9, 6.3], [middle, 1.8, 1.8], color=PURPLE, lw=2.5)
    arrow(axes, (6.3, 1.82), (6.3, middle + 0.17), PURPLE, 2.5)
    axes.add_patch(Circle((6.3, middle), 0.17, fc="white", ec="#404040", zorder=3))
    axes.text(6.3, middle, "+", ha="center", va="center", fontsize=13, zorder=4)
    box(axes, 7.05, middle, "ReLU", ORANGE)
    for x, y, text in ((0.25, 0.9, "$x$"), (3.4, 1.3, "$F(x)$"), (3.6, 1.9, "$x$"), (7.6, 0.9, "$y$")):
        axes.text(x, y, text, fontsize=13)
    saved(figure, file)


def lstm(file):
    """The cell: the line of c on top, the four sums below, h at the right."""
    figure, axes = canvas(8.4, 3.9)
    axes.add_patch(FancyBboxPatch((1.1, 0.75), 6.1, 2.75, "round,pad=0.1", fc="#f5f7fb", ec="#b8c2d6"))
    top, row, low = 3.0, 1.5, 0.4
    arrow(axes, (0.1, top), (8.3, top), BLUE, 2.5)
    arrow(axes, (0.1, low), (6.0, low), GRAY)
    for x, name in {1.9: "f", 3.2: "i", 4.3: "g", 6.0: "o"}.items():
        kind, color = ("tanh", GREEN) if name == "g" else ("σ", ORANGE)
        arrow(axes, (x, low), (x, row - 0.25), GRAY)
        box(axes, x, row, kind, color)
        axes.text(x - 0.32, row + 0.34, f"${name}_t$", fontsize=12, color=color)
    arrow(axes, (1.9, row + 0.25), (1.9, top - 0.17), ORANGE)
    arrow(axes, (3.2, row + 0.25), (3.63, 2.2), ORANGE)
    arrow(axes, (4.3, row + 0.25), (3.87, 2.2), GREEN)
    arrow(axes, (3.75, 2.45), (3.75, top - 0.17), GREEN)
    arrow(axes, (6.8, top), (6.8, 2.45), BLUE)
    box(axes, 6.8, 2.25, "tanh", GREEN)
    arrow(axes, (6.8, 2.0), (6.8, row + 0.17), GREEN)
    arrow(axes, (6.35, row), (6.8 - 0.17, row), ORANGE)
    arrow(axes, (6.97, row), (8.3, row), BLUE, 2.5)
    for x, y, sign in ((1.9, top, "×"), (3.75, top, "+"), (3.75, 2.3, "×"), (6.8, row, "×")):
        axes.add_patch(Circle((x, y), 0.17, fc="white", ec="#404040", zorder=3))
        axes.text(x, y, sign, ha="center", va="center", fontsize=13, zorder=4)
    words = {(0.15, top + 0.12): "$c_{t-1}$", (7.7, top + 0.12): "$c_t$", (7.7, row + 0.12): "$h_t$",
             (0.15, low + 0.1): "$h_{t-1},\\ x_t$"}  # fmt: skip
    for (x, y), text in words.items():
        axes.text(x, y, text, fontsize=13)
    saved(figure, file)


def arrow(axes, start, end, color, width=1.6):
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=12, color=color, lw=width,
                                   shrinkA=0, shrinkB=0, zorder=2))  # fmt: skip


def box(axes, x, y, text, color):
    shape = FancyBboxPatch(
        (x - 0.3, y - 0.2), 0.6, 0.4, "round,pad=0.05", fc="white", ec=color, lw=1.6, zorder=3
    )
    axes.add_patch(shape)
    axes.text(x, y, text, ha="center", va="center", fontsize=12, zorder=4)


def jacobian(entry, file):
    """∂y/∂x of the first output of a rule in each of its inputs, at a random point: rows y, columns x."""
    derivation = entry.build()
    tensors, _ = _forward_double(derivation, points_of(derivation)[1])
    given = dict(zip(derivation.ship.inputs, tensors, strict=False))
    names, y = [name for name, x in given.items() if x is not None], tensors[len(given)]
    inputs = [given[name] for name in names]
    rows = [tg.grad(part, inputs, retain_graph=True) for part in y.reshape(-1)]
    figure, found = axes_of([f"∂y/∂{name}" for name in names], 10 / max(3, len(names)), 2.8)
    for axes, column in zip(found, zip(*rows, strict=True), strict=True):
        matrix = np.array([np.ravel(g.numpy()) for g in column])
        largest = abs(matrix).max() or 1
        axes.imshow(matrix, cmap="RdBu", vmin=-largest, vmax=largest, aspect="auto")
        axes.grid(False)
        axes.set_xticks([])
        axes.set_yticks([])
    saved(figure, file)
