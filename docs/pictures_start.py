"""The drawings of the first chapters, as those of `pictures.py`."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch
from pictures import BLUE, GRAY, GREEN, ORANGE, PURPLE, arrow, canvas, saved
from pictures_sequences import panel, sign, wide

import tinygrad_notes as tg
from tinygrad_notes.nn import functional as F


def environment(file):
    """From the package down to what computes, once for each backend."""
    figure, axes = canvas(6.1, 4.6)
    wide(axes, 2.7, 4.25, "tinygrad_notes", BLUE, 2.5)
    arrow(axes, (2.7, 4.0), (2.7, 3.77), GRAY)
    wide(axes, 2.7, 3.52, "xp", PURPLE, 2.5)
    columns = (
        (1.2, "BACKEND=numpy", ORANGE, ("NumPy", "OpenBLAS", "CPU")),
        (4.2, "BACKEND=cupy", GREEN, ("CuPy", "CUDA", "NVIDIA driver", "GPU")),
    )
    for x, name, color, parts in columns:
        places = np.linspace(2.6, 0.35, len(parts))
        arrow(axes, (x, 3.27), (x, 2.85), color)
        axes.text(x + 0.12, 3.0, name, fontsize=10, family="monospace", color=color)
        for k, (part, y) in enumerate(zip(parts, places, strict=True)):
            wide(axes, x, y, part, color, 0.9)
            if k:
                arrow(axes, (x, places[k - 1] - 0.25), (x, y + 0.25), color)
    for y, text in ((2.6, "pip"), (1.1, "nvidia-smi")):
        axes.text(5.2, y, text, fontsize=10, family="monospace", color=GRAY, va="center")
    saved(figure, file)


def xor_network():
    """OR and AND, and of these: OR, but not AND. Steep sigmoids instead of steps."""
    first, second = tg.nn.Linear(2, 2), tg.nn.Linear(2, 1)
    values = ([[20, 20], [20, 20]], [-10, -30], [[20, -20]], [-10])
    for p, value in zip((*first.parameters(), *second.parameters()), values, strict=True):
        p.data[:] = np.array(value)
    return first, second


def neuron(file):
    """Above a neuron; below XOR in the plane of its inputs, and in that of two hidden neurons."""
    figure = Figure(figsize=(5.6, 5.3))
    above = figure.add_axes((0, 0.49, 1, 0.51))
    above.set(xlim=(-0.84, 4.76), ylim=(0.4, 3.1))
    above.axis("off")
    _one_neuron(above)
    inputs = figure.add_axes((0.1, 0.08, 0.38, 0.4))
    hidden = figure.add_axes((0.6, 0.08, 0.38, 0.4))
    _xor(inputs, hidden)
    saved(figure, file)


def _one_neuron(axes):
    middle = 1.75
    for k, y in enumerate((2.75, 1.75, 0.75), 1):
        axes.add_patch(Circle((0.4, y), 0.24, fc="white", ec="#404040", zorder=3))
        axes.text(0.4, y, f"$x_{k}$", ha="center", va="center", fontsize=12, zorder=4)
        arrow(axes, (0.66, y), (1.66, middle + (y - middle) * 0.14), BLUE)
        low = 0.12 if k < 3 else -0.32
        axes.text(1.0, middle + (y - middle) * 0.72 + low, f"$w_{k}$", fontsize=11, color=BLUE)
    axes.text(1.95, 2.85, "$b$", fontsize=12, ha="center", color=BLUE)
    arrow(axes, (1.95, 2.75), (1.95, middle + 0.28), BLUE)
    axes.add_patch(Circle((1.95, middle), 0.27, fc="white", ec="#404040", zorder=3))
    axes.text(1.95, middle, "Σ", ha="center", va="center", fontsize=13, zorder=4)
    arrow(axes, (2.22, middle), (2.82, middle), GRAY)
    axes.text(2.5, middle + 0.12, "$z$", fontsize=12, ha="center")
    wide(axes, 3.1, middle, "$f$", ORANGE, 0.22)
    arrow(axes, (3.37, middle), (3.88, middle), GRAY)
    axes.text(3.66, middle + 0.12, "$y$", fontsize=12, ha="center")


def _xor(inputs, hidden):
    first, second = xor_network()
    grid = np.linspace(-0.5, 1.5, 201, dtype=np.float32)
    plane = np.stack(np.meshgrid(grid, grid), axis=-1)
    corners = np.float32([[0, 0], [1, 1], [0, 1], [1, 0]])
    with tg.no_grad():
        told = tg.sigmoid(second(tg.sigmoid(first(plane)))).numpy()[..., 0]
        told_hidden = tg.sigmoid(second(plane)).numpy()[..., 0]
        moved = tg.sigmoid(first(corners)).numpy()
    for axes, colors, points, names in (
        (inputs, told, corners, ("$x_1$", "$x_2$")),
        (hidden, told_hidden, moved, ("$h_1$", "$h_2$")),
    ):
        axes.contourf(grid, grid, colors, levels=[0.5, 2], colors=[BLUE], alpha=0.15)
        axes.contour(grid, grid, colors, levels=[0.5], colors=[BLUE], linewidths=1.3)
        axes.plot(*points[:2].T, "o", color="white", mec=ORANGE, mew=2, ms=9)
        axes.plot(*points[2:].T, "o", color=BLUE, ms=9)
        axes.set(xlim=(-0.5, 1.5), ylim=(-0.5, 1.5), xticks=[0, 1], yticks=[0, 1], aspect="equal")
        axes.set_xlabel(names[0], fontsize=12, labelpad=-4)
        axes.set_ylabel(names[1], fontsize=12, rotation=0, labelpad=4)
        axes.spines[["top", "right"]].set_visible(False)


def training(file):
    """The loop of a training, and below it the graph of one of its steps with values and gradients."""
    figure, axes = canvas(4.9, 5.6)
    _loop(axes)
    _graph(axes)
    saved(figure, file)


def _loop(axes):
    top, low, xs = 5.0, 3.55, (0.95, 2.45, 3.95)
    panel(axes, 0.2, 3.15, 4.5, 2.3)
    for x, text, color in zip(xs, ("$x,\\ y$", "model(x)", "loss"), (GRAY, BLUE, BLUE), strict=True):
        wide(axes, x, top, text, color, 0.5)
    for x, text in zip(xs, ("step()", "backward()", "zero_grad()"), strict=True):
        wide(axes, x, low, text, PURPLE if text == "step()" else ORANGE, 0.55)
    for a, b in ((0, 1), (1, 2)):
        arrow(axes, (xs[a] + 0.55, top), (xs[b] - 0.55, top), BLUE)
        arrow(axes, (xs[b] - 0.6, low), (xs[a] + 0.6, low), ORANGE)
    arrow(axes, (xs[2], top - 0.25), (xs[2], low + 0.25), GRAY)
    arrow(axes, (xs[0], low + 0.25), (xs[0], top - 0.25), GRAY)
    arrow(axes, (xs[0] + 0.35, low + 0.25), (xs[1] - 0.2, top - 0.25), PURPLE)
    axes.text(1.95, 4.2, "$w,\\ b$", fontsize=12, color=PURPLE)


def _graph(axes):
    """ŷ = w x + b and J = mean (ŷ − y)² for two samples, by the package."""
    x, y = np.array([1.0, 2.0]), np.array([3.0, 5.0])
    w, b = tg.Tensor(np.array(1.0), requires_grad=True), tg.Tensor(np.array(0.0), requires_grad=True)
    product = w * x
    said = product + b
    loss = F.mse_loss(said, tg.Tensor(y))
    gw, gb, gp, gs, gl = (g.numpy() for g in tg.grad(loss, (w, b, product, said, loss)))
    row, xs = 1.4, (0.55, 1.85, 3.35, 4.6)
    sign(axes, xs[0], row, "×")
    sign(axes, xs[1], row, "+")
    wide(axes, xs[2], row, "MSE", GREEN, 0.35)
    ways = (
        ((xs[0], 2.5), (xs[0], row + 0.18), f"$w$ = {w.item():g}", gw),
        ((xs[1], 2.5), (xs[1], row + 0.18), f"$b$ = {b.item():g}", gb),
        ((xs[0] + 0.18, row), (xs[1] - 0.18, row), told(product), gp),
        ((xs[1] + 0.18, row), (xs[2] - 0.42, row), f"$\\hat{{y}}$ = {told(said)}", gs),
        ((xs[2] + 0.42, row), (xs[3], row), f"$J$ = {loss.item():g}", gl),
    )
    for start, end, text, gradient in ways:
        _there_and_back(axes, start, end, text, told(gradient))
    for at, name, value in ((xs[0], "x", x), (xs[2], "y", y)):
        axes.text(at, 0.15, f"${name}$ = {told(value)}", fontsize=11, ha="center", color=BLUE)
        arrow(axes, (at, 0.4), (at, row - (0.18 if at == xs[0] else 0.27)), BLUE)


def told(values):
    """A number, or numbers with a comma between them."""
    values = values.detach().numpy() if isinstance(values, tg.Tensor) else values
    return ", ".join(f"{v:g}".replace("-", "−") for v in np.ravel(values))


def _there_and_back(axes, start, end, text, gradient):
    """An edge of the graph: its value forward, the gradient dashed on the way back."""
    arrow(axes, start, end, BLUE)
    (x0, y0), (x1, y1) = start, end
    upright = x0 == x1
    shift = np.array([0.1, 0]) if upright else np.array([0, -0.1])
    back = FancyArrowPatch(np.array(end) + shift, np.array(start) + shift, arrowstyle="-|>", color=ORANGE,
                           mutation_scale=10, ls="--", lw=1.3, shrinkA=0, shrinkB=0)  # fmt: skip
    axes.add_patch(back)
    if upright:
        axes.text(x0, y0 + 0.1, text, fontsize=11, ha="center", color=BLUE)
        axes.text(x0 + 0.18, (y0 + y1) / 2, gradient, fontsize=11, color=ORANGE, va="center")
        return
    axes.text((x0 + x1) / 2, y0 + 0.1, text, fontsize=11, ha="center", color=BLUE)
    axes.text((x0 + x1) / 2, y0 - 0.36, gradient, fontsize=11, ha="center", color=ORANGE)
