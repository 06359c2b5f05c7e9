"""More drawings of the pages, as in pictures.py: vectors of words, and the networks for images."""

from itertools import pairwise

import numpy as np
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle
from pictures import BLUE, GRAY, GREEN, ORANGE, PURPLE, arrow, canvas, saved

import tinygrad_notes as tg
from tinygrad_notes import nn
from tinygrad_notes.models.count import undrawn
from tinygrad_notes.models.summary import summary

COUNTS = 40, 20, 10, 5, 5
MAPS = {"Conv2d": BLUE, "AvgPool2d": GREEN, "Linear": ORANGE}


def words(file):
    """Left skip-gram, in the middle CBOW, right the Huffman tree of five words."""
    figure, axes = canvas(9.6, 3.5)
    for left, title in ((0.3, "skip-gram"), (3.1, "CBOW")):
        axes.text(left, 3.2, title, fontsize=12)
        for place in range(-2, 3):
            around = (left + 1.2 + 0.55 * place, 0.45)
            name = f"$v_{{t{place:+d}}}$" if place else "$v_t$"
            color = BLUE if place else ORANGE
            axes.text(*around, name, ha="center", va="center", fontsize=12, color=color)
            if place and title == "CBOW":
                arrow(axes, (around[0], 0.65), (left + 1.2 + 0.1 * place, 1.33), BLUE)
            elif place:
                arrow(axes, (around[0], 0.65), (left + 1.2 + 0.28 * place, 2.3), BLUE)
        if title == "CBOW":
            axes.add_patch(Circle((left + 1.2, 1.55), 0.25, fc="white", ec=BLUE, lw=1.6, zorder=3))
            axes.text(left + 1.2, 1.55, "$\\bar{x}$", ha="center", va="center", fontsize=13, zorder=4)
            arrow(axes, (left + 1.2, 1.8), (left + 1.2, 2.3), BLUE)
        shape = FancyBboxPatch((left + 0.35, 2.4), 1.7, 0.4, "round,pad=0.05", fc="white", ec=ORANGE, lw=1.6)
        axes.add_patch(shape)
        axes.text(left + 1.2, 2.6, "$v_t$?  $\\sigma(x \\cdot w)$", ha="center", va="center", fontsize=12)
    tree(axes, 6.1, 3.2)
    saved(figure, file)


def tree(axes, left, top):
    """The tree that `huffman` makes: each turn with its number, each leaf with its count."""
    path, code = tg.data.huffman(np.array(COUNTS))
    axes.text(left - 0.35, top, "Huffman", fontsize=12)
    places = {path[0, 0]: (left + 0.9, top - 0.1)}
    for word in np.argsort(-(path >= 0).sum(axis=1), kind="stable"):
        way, turns = path[word][path[word] >= 0], code[word][path[word] >= 0]
        for level, (node, turn) in enumerate(zip(way, turns, strict=True)):
            x, y = places[node]
            inner = level + 1 < len(way)
            end = (x + (0.62 if turn else -0.62), y - 0.7)
            arrow(axes, (x, y), end, ORANGE if turn else BLUE)
            axes.text(x + (0.4 if turn else -0.4), y - 0.28, str(turn), ha="center", fontsize=10)
            if inner:
                places[way[level + 1]] = end
            else:
                axes.text(end[0], end[1] - 0.16, str(COUNTS[word]), ha="center", va="center", fontsize=12)
    for node, (x, y) in places.items():
        axes.add_patch(Circle((x, y), 0.17, fc="white", ec="#404040", zorder=3))
        axes.text(x, y, f"$w_{node}$", ha="center", va="center", fontsize=10, zorder=4)


def lenet(file):
    """The maps of LeNet-5 from the image to the ten classes, as large as its layers say."""
    figure, axes = canvas(9.6, 2.3)
    rows = [row for row in summary(tg.models.LeNet5(), (1, 32, 32)) if row.kind in MAPS]
    left, middle = 0.2, 1.2
    for kind, shape in [("image", (1, 32, 32)), *((row.kind, row.shape) for row in rows)]:
        color = MAPS.get(kind, GRAY)
        if len(shape) == 3:
            side, shift = 1.2 * shape[1] / 32, 0.26 / shape[0] ** 0.65
            width = side + shift * (shape[0] - 1)
            for k in range(shape[0]):
                corner = left + shift * k, middle - side / 2 + 0.3 * shift * (shape[0] / 2 - k)
                axes.add_patch(Rectangle(corner, side, side, fc="white", ec=color, lw=1.1))
        else:
            width, height = 0.22, 1.5 * shape[0] / 120 + 0.1
            corner = left, middle - height / 2
            axes.add_patch(Rectangle(corner, width, height, fc="white", ec=color, lw=1.4))
        name = f"{shape[0]}@{shape[1]}×{shape[2]}" if len(shape) == 3 else f"{shape[0]}"
        axes.text(left + width / 2, 0.12, name, ha="center", fontsize=12.5, color=color)
        left += width + 0.37
    saved(figure, file)


def alexnet(file):
    """Two towers, one per GPU; lines across where a layer sees the other one's channels."""
    figure, axes = canvas(9.6, 2.6)
    with undrawn():
        model = tg.models.AlexNet(variant="paper")
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    shapes = {row.name: row.shape for row in summary(model, model.input_shape)}
    names = [name for name, m in model.named_modules() if m in layers]
    places = [[(0.3, 1.35)] * 2]
    axes.text(0.45, 1.35, "$x$", ha="center", va="center", fontsize=14)
    for number, (name, layer) in enumerate(zip(names, layers, strict=True), 1):
        x, last = 1.6 + 1.05 * (number - 1), number == len(layers)
        rows = [(x, 1.35)] * 2 if last else [(x, 2.0), (x, 0.7)]
        across = number > 1 and getattr(layer, "groups", 1) == 1
        for side, (_, y) in enumerate(rows):
            for other, (before, height) in enumerate(places[-1]):
                if other == side or across:
                    color = GRAY if other == side and not last else PURPLE
                    arrow(axes, (before + 0.36, height), (x - 0.37, y), color, 1.2)
        shape = shapes[name]
        size = f"{shape[1]}×{shape[2]}" if len(shape) == 3 else ""
        for _, y in rows[: 1 if last else 2]:
            color = BLUE if size else ORANGE
            axes.add_patch(FancyBboxPatch((x - 0.31, y - 0.25), 0.62, 0.5, "round,pad=0.05", fc="white",
                                          ec=color, lw=1.4, zorder=3))  # fmt: skip
            count = shape[0] if last else shape[0] // 2
            axes.text(x, y, f"{count}\n{size}".strip(), ha="center", va="center", fontsize=11.5, zorder=4)
        axes.text(x, 0.1, f"{'conv' if size else 'fc'}{number}", ha="center", fontsize=12, color=color)
        places.append(rows)
    saved(figure, file)


def vgg(file):
    """Left what three 3×3 see, one row of pixels; right VGG-16's outputs and weights, layer by layer."""
    figure, axes = canvas(9.6, 3.4)
    for layer in range(4):
        count, y = 7 - 2 * layer, 0.4 + 0.8 * layer
        for k in range(count):
            x = 0.3 + 0.42 * (k + layer)
            axes.add_patch(Rectangle((x, y), 0.36, 0.3, fc="white", ec=GREEN if layer else BLUE, lw=1.6))
            for below in range(3) if layer else ():
                axes.plot([x + 0.18, x + 0.18 + 0.42 * (below - 1)], [y, y - 0.5], color=GRAY, lw=0.8)
        axes.text(0.3 + 0.42 * (7 - layer) + 0.1, y + 0.15, f"{count}", fontsize=11, va="center", color=GRAY)
    with undrawn():
        model = tg.models.VGG16()
    rows = [row for row in summary(model, model.input_shape) if row.kind in ("Conv2d", "Linear")]
    panel = figure.add_axes((0.46, 0.15, 0.52, 0.78))
    places = np.arange(1, len(rows) + 1)
    panel.bar(places - 0.2, [np.prod(row.shape) / 1e6 for row in rows], 0.4, color=BLUE, label="$y$")
    panel.bar(places + 0.2, [row.parameters / 1e6 for row in rows], 0.4, color=ORANGE, label="$w, b$")
    panel.set(yscale="log", ylim=(5e-4, 200), xticks=places)
    panel.tick_params(labelsize=10.5)
    panel.text(0.02, 1.02, "$10^6$", transform=panel.transAxes, fontsize=11)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False, fontsize=11, ncols=2, loc="upper center")
    saved(figure, file)


def googlenet(file):
    """Above the whole network, with its two auxiliary classifiers; below one of its nine modules."""
    figure, axes = canvas(7.2, 6.05)
    modules = ["3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"]
    names = ["7×7", "1×1", "3×3", *modules, "mean", "fc"]
    for k, name in enumerate(names):
        x, y = 0.8 + 0.95 * (k % 7), 5.65 - 1.2 * (k // 7)
        small(axes, x, y, name, {"mean": GREEN, "fc": ORANGE}.get(name, BLUE if k < 3 else PURPLE))
        arrow(axes, (x - 0.62, y), (x - 0.33, y), GRAY)
        if name in ("4a", "4d"):
            arrow(axes, (x, y - 0.25), (x, y - 0.42), GRAY)
            small(axes, x, y - 0.65, "aux", ORANGE)
        if name in ("7×7", "1×1", "3a", "4a", "5a"):
            axes.text(x - 0.48, y + 0.12, "↓2", ha="center", fontsize=11, color=GREEN)
    inception(axes, 1.1)
    saved(figure, file)


def small(axes, x, y, text, color):
    corner = x - 0.26, y - 0.17
    axes.add_patch(FancyBboxPatch(corner, 0.52, 0.34, "round,pad=0.05", fc="white", ec=color, lw=1.4))
    axes.text(x, y, text, ha="center", va="center", fontsize=12.5)


def inception(axes, left):
    """Four branches between x and y."""
    rows = {2.95: ("1×1",), 2.1: ("1×1", "3×3"), 1.25: ("1×1", "5×5"), 0.4: ("max 3×3", "1×1")}
    middle = 1.68
    for y, names in rows.items():
        stops = [left + 0.3, *(left + (1.5, 3.1)[k + (len(names) == 1)] for k in range(len(names)))]
        if len(names) == 1:
            axes.plot([stops[0], left + 1.05], [middle, y], color=GRAY, lw=1.6)
        arrow(axes, (left + 1.05, y) if len(names) == 1 else (stops[0], middle), (stops[1] - 0.45, y), GRAY)
        for before, after in pairwise(stops[1:]):
            arrow(axes, (before + 0.45, y), (after - 0.45, y), GRAY)
        arrow(axes, (stops[-1] + 0.45, y), (left + 4.45, middle), GRAY)
        for x, name in zip(stops[1:], names, strict=True):
            color = {"1×1": PURPLE, "max 3×3": GREEN}.get(name, BLUE)
            shape = FancyBboxPatch((x - 0.4, y - 0.18), 0.8, 0.36, "round,pad=0.05", fc="white", ec=color)
            axes.add_patch(shape)
            axes.text(x, y, name, ha="center", va="center", fontsize=11)
    for x, name in ((left + 0.15, "$x$"), (left + 4.65, "$y$")):
        axes.text(x, middle, name, ha="center", va="center", fontsize=14)
