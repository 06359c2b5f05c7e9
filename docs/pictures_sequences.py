"""The drawings of the pages about recurrent networks and attention, as those of `pictures.py`."""

from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from pictures import BLUE, GRAY, GREEN, ORANGE, PURPLE, arrow, box, canvas, saved


def sign(axes, x, y, text):
    """+ or × in a circle."""
    axes.add_patch(Circle((x, y), 0.17, fc="white", ec="#404040", zorder=3))
    axes.text(x, y, text, ha="center", va="center", fontsize=13, zorder=4)


def panel(axes, left, low, width, height):
    axes.add_patch(FancyBboxPatch((left, low), width, height, "round,pad=0.1", fc="#f5f7fb", ec="#b8c2d6"))


def recurrent(file):
    """The simple network unrolled over time, and the cell of the GRU."""
    figure, axes = canvas(9.6, 3.7)
    _unrolled(axes)
    _gru(axes)
    saved(figure, file)


def _unrolled(axes):
    row, xs = 1.9, (1.3, 2.6, 3.9)
    arrow(axes, (0.2, row), (xs[0] - 0.35, row), BLUE, 2)
    for t, x in enumerate(xs, 1):
        box(axes, x, row, "tanh", GREEN)
        arrow(axes, (x, 0.75), (x, row - 0.25), GRAY)
        arrow(axes, (x, row + 0.25), (x, 3.05), GRAY)
        arrow(axes, (x + 0.35, row), (x + 0.95, row), BLUE, 2)
        back = FancyArrowPatch((x - 0.08, row - 0.3), (x - 0.8, row - 0.3), arrowstyle="-|>", color=ORANGE,
                               mutation_scale=11, connectionstyle="arc3,rad=-0.35", ls="--")  # fmt: skip
        axes.add_patch(back)
        axes.text(x - 0.65, row + 0.12, "$W$", ha="center", fontsize=12, color=BLUE)
        axes.text(x - 0.42, row - 0.85, "$W^\\top$", ha="center", fontsize=11, color=ORANGE)
        axes.text(x, 0.5, f"$x_{t}$", ha="center", fontsize=13)
        axes.text(x, 3.15, f"$h_{t}$", ha="center", fontsize=13)
    axes.text(0.15, row + 0.12, "$h_0$", fontsize=13)


def _gru(axes):
    panel(axes, 5.6, 0.75, 3.3, 2.3)
    top, row, low = 2.65, 1.45, 0.35
    arrow(axes, (5.0, top), (9.5, top), BLUE, 2.5)
    arrow(axes, (5.0, low), (8.1, low), GRAY)
    for x, name, kind, color in ((6.0, "r", "σ", ORANGE), (7.1, "n", "tanh", GREEN), (8.1, "z", "σ", ORANGE)):
        arrow(axes, (x, low), (x, row - 0.25), GRAY)
        box(axes, x, row, kind, color)
        axes.text(x + 0.08, row + 0.34, f"${name}_t$", fontsize=12, color=color)
    arrow(axes, (6.35, row), (6.75, row), ORANGE)
    arrow(axes, (7.1, row + 0.25), (7.1, top - 0.17), GREEN)
    axes.plot([8.1, 8.1], [row + 0.25, 2.15], color=ORANGE, lw=1.6)
    arrow(axes, (8.1, 2.15), (7.24, top - 0.12), ORANGE)
    axes.text(6.25, top + 0.12, "$\\circ\\, z_t$", fontsize=12, color=BLUE)
    axes.text(7.02, 2.2, "$\\circ\\, (1 - z_t)$", fontsize=10, color=GREEN, ha="right")
    sign(axes, 7.1, top, "+")
    for x, y, text in ((4.85, top + 0.12, "$h_{t-1}$"), (9.2, top + 0.12, "$h_t$"),
                       (4.7, low + 0.1, "$h_{t-1},\\ x_t$")):  # fmt: skip
        axes.text(x, y, text, fontsize=13)


def attention(file):
    """Scaled dot-product attention as a column of steps, and a layer of the encoder and of the decoder."""
    figure, axes = canvas(10.6, 5.9)
    for x, name in ((0.7, "Q"), (1.9, "K"), (3.1, "V")):
        axes.text(x, 0.3, f"${name}$", fontsize=14, ha="center")
    for x in (0.7, 1.9):
        axes.plot([x, x], [0.6, 0.95], color=GRAY, lw=1.6)
        arrow(axes, (x, 0.95), (1.3 + (x - 1.3) * 0.4, 1.25), GRAY)
    axes.plot([3.1, 3.1], [0.6, 3.45], color=GRAY, lw=1.6)
    arrow(axes, (3.1, 3.45), (2.35, 4.0), GRAY)
    _steps(axes, 1.3, (("$S = c\\,QK^\\top$", 1.5, BLUE), ("softmax", 2.75, ORANGE)), 0.7)
    arrow(axes, (1.3, 3.0), (1.75, 4.0), ORANGE)
    _wide(axes, 2.05, 4.25, "$Y = P V$", GREEN, 0.7)
    arrow(axes, (2.05, 4.5), (2.05, 5.15), GREEN)
    axes.text(1.35, 2.1, "$S$", fontsize=12)
    axes.text(1.3, 3.45, "$P$", fontsize=12)
    _layer(axes, 5.6, ("$QKV$", "$W_2\\max(W_1 x, 0)$"))
    _layer(axes, 8.8, ("$QKV$", "$QKV$", "$W_2\\max(W_1 x, 0)$"))
    arrow(axes, (8.8, 5.45), (8.8, 5.85), GRAY)
    axes.plot([5.6, 5.6, 7.2, 7.2], [3.85, 4.6, 4.6, 2.6], color=PURPLE, lw=2)
    arrow(axes, (7.2, 2.6), (7.88, 2.6), PURPLE, 2)
    axes.text(7.26, 2.7, "$K, V$", fontsize=10, color=PURPLE)
    saved(figure, file)


def _steps(axes, x, parts, half):
    """Wide boxes one above the other, with arrows between them."""
    for k, (text, y, color) in enumerate(parts):
        _wide(axes, x, y, text, color, half)
        if k:
            arrow(axes, (x, parts[k - 1][1] + 0.25), (x, y - 0.25), parts[k - 1][2])


def _wide(axes, x, y, text, color, half):
    axes.add_patch(FancyBboxPatch((x - half, y - 0.2), 2 * half, 0.4, "round,pad=0.05", fc="white", ec=color,
                                  lw=1.6, zorder=3))  # fmt: skip
    axes.text(x, y, text, ha="center", va="center", fontsize=11, zorder=4)


def _layer(axes, x, parts):
    """Parts with their sums and norms; each part is also passed by."""
    step, low = 1.6, 1.0
    panel(axes, x - 1.0, 0.55, 2.25, step * len(parts) - 0.1)
    axes.text(x, 0.05, "$x$", fontsize=14, ha="center")
    for k, text in enumerate(parts):
        y = low + step * k
        arrow(axes, (x, y - (0.3 if k else 0.72)), (x, y - 0.2), GRAY)
        _wide(axes, x, y, text, BLUE if "QKV" in text else ORANGE, 0.85)
        _passed(axes, x, y)
        arrow(axes, (x, y + 0.67), (x, y + 0.78), GRAY)
        _wide(axes, x, y + 0.95, "LN", GREEN, 0.4)
        axes.plot([x, x], [y + 1.2, y + step - 0.25], color=GRAY, lw=1.6)


def _passed(axes, x, y):
    """From below a part to the sum above it."""
    axes.plot([x, x + 1.12, x + 1.12], [y - 0.37, y - 0.37, y + 0.5], color=PURPLE, lw=2)
    arrow(axes, (x + 1.12, y + 0.5), (x + 0.17, y + 0.5), PURPLE, 2)
    axes.plot([x, x], [y + 0.2, y + 0.35], color=GRAY, lw=1.6)
    sign(axes, x, y + 0.5, "+")
