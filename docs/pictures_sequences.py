"""The drawings of the pages about recurrent networks and attention, as those of `pictures.py`."""

from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle
from pictures import BLUE, GRAY, GREEN, ORANGE, PURPLE, arrow, box, canvas, saved


def sign(axes, x, y, text):
    """+ or × in a circle."""
    axes.add_patch(Circle((x, y), 0.17, fc="white", ec="#404040", zorder=3))
    axes.text(x, y, text, ha="center", va="center", fontsize=13, zorder=4)


def panel(axes, left, low, width, height):
    axes.add_patch(FancyBboxPatch((left, low), width, height, "round,pad=0.1", fc="#f5f7fb", ec="#b8c2d6"))


def rnn(file):
    """The simple network with its loop, and unrolled over three times."""
    figure, axes = canvas(7.4, 3.7)
    _folded(axes, 0.9, 1.9)
    axes.text(1.95, 1.9, "=", fontsize=20, ha="center", va="center")
    _unrolled(axes, 2.6)
    saved(figure, file)


def _folded(axes, x, row):
    """A cell whose state is fed back to it."""
    box(axes, x, row, "tanh", GREEN)
    arrow(axes, (x, 0.75), (x, row - 0.25), GRAY)
    arrow(axes, (x, row + 0.25), (x, 3.05), GRAY)
    axes.plot([x, x - 0.7, x - 0.7], [row + 0.6, row + 0.6, row], color=BLUE, lw=2)
    arrow(axes, (x - 0.7, row), (x - 0.35, row), BLUE, 2)
    axes.text(x - 0.5, row + 0.12, "$W$", ha="center", fontsize=12, color=BLUE)
    axes.text(x, 0.5, "$x_t$", ha="center", fontsize=13)
    axes.text(x, 3.15, "$h_t$", ha="center", fontsize=13)


def _unrolled(axes, left):
    row, xs = 1.9, [left + 1.1 + 1.3 * t for t in range(3)]
    arrow(axes, (left, row), (xs[0] - 0.35, row), BLUE, 2)
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
    axes.text(left - 0.05, row + 0.12, "$h_0$", fontsize=13)


def gru(file):
    """The cell: above the straight way of h, below the two gates and the new value."""
    figure, axes = canvas(5.3, 3.5)
    axes.set(xlim=(4.5, 9.8), ylim=(0, 3.5))
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
    saved(figure, file)


def bidirectional(file):
    """One network reads from the left, another from the right; their outputs stand side by side."""
    figure, axes = canvas(7.0, 4.0)
    xs, first, second = (1.6, 3.4, 5.2), 1.45, 2.35
    arrow(axes, (0.5, first), (xs[0] - 0.35, first), BLUE, 2)
    arrow(axes, (6.5, second), (xs[-1] + 0.75, second), ORANGE, 2)
    for t, x in enumerate(xs, 1):
        high = x + 0.4
        box(axes, x, first, "f", BLUE)
        box(axes, high, second, "b", ORANGE)
        arrow(axes, (x, 0.75), (x, first - 0.25), GRAY)
        axes.plot([x, high], [0.85, 0.85], color=GRAY, lw=1.6)
        axes.plot([high, high], [0.85, first - 0.12], color=GRAY, lw=1.6)
        arrow(axes, (high, first + 0.12), (high, second - 0.25), GRAY)
        arrow(axes, (x, first + 0.25), (x, 3.15), BLUE)
        arrow(axes, (high, second + 0.25), (high, 3.15), ORANGE)
        for left, color in ((x - 0.2, BLUE), (x + 0.2, ORANGE)):
            axes.add_patch(Rectangle((left, 3.17), 0.4, 0.22, fc=color, ec="white", alpha=0.75))
        axes.text(x, 0.5, f"$x_{t}$", ha="center", fontsize=13)
        axes.text(x + 0.2, 3.55, f"$y_{t}$", ha="center", fontsize=13)
        end = xs[t] - 0.35 if t < len(xs) else 6.5
        axes.plot([x + 0.35, x + 0.62], [first, first], color=BLUE, lw=2)
        arrow(axes, (x + 0.62, first), (end, first), BLUE, 2)
        if t > 1:
            arrow(axes, (high - 0.35, second), (xs[t - 2] + 0.75, second), ORANGE, 2)
    saved(figure, file)


def attention(file):
    """A decoder's state looks at the states of an encoder; and scaled dot-product attention, in steps."""
    figure, axes = canvas(9.6, 5.3)
    _looking_back(axes)
    _scaled(axes, 6.1)
    saved(figure, file)


def _looking_back(axes):
    xs, row, top = (0.8, 1.9, 3.0, 4.1), 1.25, 2.85
    weights = (0.1, 0.65, 0.2, 0.05)
    for i, (x, weight) in enumerate(zip(xs, weights, strict=True), 1):
        box(axes, x, row, f"$h_{i}$", BLUE)
        arrow(axes, (x, 0.6), (x, row - 0.25), GRAY)
        axes.text(x, 0.3, f"$x_{i}$", ha="center", fontsize=13)
        arrow(axes, (x, row + 0.25), (2.45 + (x - 2.45) * 0.12, top - 0.22), ORANGE, 0.6 + 5 * weight)
        axes.text(x + (0.12 if x > 2.45 else -0.12), row + 0.5, f"$\\alpha_{i}$", fontsize=12, color=ORANGE,
                  ha="left" if x > 2.45 else "right")  # fmt: skip
        if i < len(xs):
            arrow(axes, (x + 0.35, row), (xs[i] - 0.35, row), BLUE)
    sign(axes, 2.45, top, "+")
    arrow(axes, (2.45, top + 0.17), (2.45, 3.7), ORANGE, 2)
    axes.plot([1.3, 1.3, 2.28], [3.95, top, top], color=GREEN, lw=1.3, ls="--")
    axes.text(2.55, 3.2, "$c$", fontsize=13, color=ORANGE)
    box(axes, 2.45, 3.95, "$s_t$", GREEN)
    arrow(axes, (0.9, 3.95), (2.1, 3.95), GREEN)
    arrow(axes, (2.8, 3.95), (4.2, 3.95), GREEN)
    arrow(axes, (2.45, 4.2), (2.45, 4.85), GRAY)
    axes.text(0.85, 4.05, "$s_{t-1}$", fontsize=13)


def _scaled(axes, left):
    xs = left, left + 1.2, left + 2.4
    for x, name in zip(xs, "QKV", strict=True):
        axes.text(x, 0.3, f"${name}$", fontsize=14, ha="center")
    middle = left + 0.6
    for x in xs[:2]:
        axes.plot([x, x], [0.6, 0.95], color=GRAY, lw=1.6)
        arrow(axes, (x, 0.95), (middle + (x - middle) * 0.4, 1.25), GRAY)
    axes.plot([xs[2], xs[2]], [0.6, 3.45], color=GRAY, lw=1.6)
    arrow(axes, (xs[2], 3.45), (left + 1.65, 4.0), GRAY)
    _steps(axes, middle, (("$S = c\\,QK^\\top$", 1.5, BLUE), ("softmax", 2.75, ORANGE)), 0.7)
    arrow(axes, (middle, 3.0), (left + 1.05, 4.0), ORANGE)
    wide(axes, left + 1.35, 4.25, "$Y = P V$", GREEN, 0.7)
    arrow(axes, (left + 1.35, 4.5), (left + 1.35, 5.1), GREEN)
    axes.text(left + 0.65, 2.1, "$S$", fontsize=12)
    axes.text(left + 0.5, 3.45, "$P$", fontsize=12)


def transformer(file):
    """A layer of the encoder and one of the decoder, what they read, and what is made of their output."""
    figure, axes = canvas(7.4, 6.3)
    low = 1.2
    for x, name in ((1.6, "$x_1, x_2, \\ldots$"), (5.2, "$y_0, y_1, \\ldots$")):
        axes.text(x, 0.03, name, fontsize=13, ha="center")
        wide(axes, x, 0.57, "$E$", PURPLE, 0.3, 0.12)
        arrow(axes, (x, 0.25), (x, 0.4), GRAY)
        arrow(axes, (x, 0.74), (x, 0.88), GRAY)
        sign(axes, x, 1.05, "+")
        axes.text(x - 0.95, 0.98, "$p_t$", fontsize=12)
        arrow(axes, (x - 0.6, 1.05), (x - 0.17, 1.05), GRAY)
    _layer(axes, 1.6, low, ("$QKV$", "$W_2\\max(W_1 x, 0)$"))
    _layer(axes, 5.2, low, ("$QKV_{\\leq t}$", "$QKV$", "$W_2\\max(W_1 x, 0)$"))
    wide(axes, 5.2, 5.72, "$E^\\top$, softmax", ORANGE, 0.85, 0.12)
    arrow(axes, (5.2, low + 4.05), (5.2, 5.55), GRAY)
    axes.text(5.2, 6.02, "$y_1, y_2, \\ldots$", fontsize=13, ha="center")
    end, height = low + 2.58, low + STEP + 0.53
    axes.plot([1.6, 1.6, 3.4, 3.4], [end + 0.18, end + 0.5, end + 0.5, height], color=PURPLE, lw=2)
    arrow(axes, (3.4, height), (4.3, height), PURPLE, 2)
    axes.text(3.5, height + 0.1, "$K, V$", fontsize=10, color=PURPLE)
    for x, high in ((0.3, 1.3), (6.8, 1.9)):
        axes.text(x, low + high, "$6\\times$", fontsize=13, ha="center")
    saved(figure, file)


def _steps(axes, x, parts, half):
    """Wide boxes one above the other, with arrows between them."""
    for k, (text, y, color) in enumerate(parts):
        wide(axes, x, y, text, color, half)
        if k:
            arrow(axes, (x, parts[k - 1][1] + 0.25), (x, y - 0.25), parts[k - 1][2])


def wide(axes, x, y, text, color, half, high=0.2):
    shape = FancyBboxPatch((x - half, y - high), 2 * half, 2 * high, "round,pad=0.05", fc="white", ec=color,
                           lw=1.6, zorder=3)  # fmt: skip
    axes.add_patch(shape)
    axes.text(x, y, text, ha="center", va="center", fontsize=11, zorder=4)


STEP = 1.28  # from one part of a layer to the next


def _layer(axes, x, bottom, parts):
    """Parts with their sums and norms; each part is also passed by."""
    panel(axes, x - 1.0, bottom + 0.12, 2.3, STEP * len(parts) + 0.12)
    for k, text in enumerate(parts):
        y = bottom + 0.53 + STEP * k
        axes.plot([x, x], [y - (0.31 if k else 0.5), y - 0.2], color=GRAY, lw=1.6)
        wide(axes, x, y, text, BLUE if "QKV" in text else ORANGE, 0.85, 0.14)
        axes.plot([x, x + 1.15, x + 1.15], [y - 0.27, y - 0.27, y + 0.42], color=PURPLE, lw=2)
        arrow(axes, (x + 1.15, y + 0.42), (x + 0.17, y + 0.42), PURPLE, 2)
        axes.plot([x, x], [y + 0.19, y + 0.65], color=GRAY, lw=1.6)
        sign(axes, x, y + 0.42, "+")
        wide(axes, x, y + 0.8, "LN", GREEN, 0.4, 0.11)
