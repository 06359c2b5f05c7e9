"""The drawings of the pages about recurrent networks and attention, as those of `pictures.py`."""

from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from pictures import BLUE, GRAY, GREEN, ORANGE, arrow, box, saved


def canvas(width, height):
    """A figure in inches without axes."""
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    return figure, axes


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
