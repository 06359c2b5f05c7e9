"""More drawings of the pages, as in pictures.py: vectors of words, and the networks of ImageNet."""

from itertools import pairwise

import numpy as np
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle
from pictures import BLUE, GRAY, GREEN, ORANGE, PURPLE, arrow, canvas, saved

import tinygrad_notes as tg

COUNTS = 40, 20, 10, 5, 5


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


def imagenet(file):
    """Left what three 3×3 see, one row of pixels; right an inception module."""
    figure, axes = canvas(9.6, 3.4)
    for layer in range(4):
        count, y = 7 - 2 * layer, 0.4 + 0.8 * layer
        for k in range(count):
            x = 0.4 + 0.42 * (k + layer)
            axes.add_patch(Rectangle((x, y), 0.36, 0.3, fc="white", ec=GREEN if layer else BLUE, lw=1.6))
            for below in range(3) if layer else ():
                axes.plot([x + 0.18, x + 0.18 + 0.42 * (below - 1)], [y, y - 0.5], color=GRAY, lw=0.8)
        axes.text(0.4 + 0.42 * (7 - layer) + 0.1, y + 0.15, f"{count}", fontsize=11, va="center", color=GRAY)
    inception(axes, 4.2)
    saved(figure, file)


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
