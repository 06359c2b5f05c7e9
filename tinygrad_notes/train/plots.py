"""Learning curves as PNG files, by Matplotlib (an extra), and the figure that every plot begins with."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

TRAIN, VALIDATION = "#4269d0", "#c2410c"


def learning_curves(
    history: Sequence[Mapping[str, Any]], path: str | os.PathLike[str], percent: Sequence[str] = ()
) -> None:
    """Every figure of the lines of metrics.jsonl over the epochs; those in `percent` are shares.

    Raises ImportError without Matplotlib, ValueError without an epoch.
    """
    if not history:
        raise ValueError("learning_curves: no epoch has been finished yet")
    names = [name.removeprefix("train_") for name in history[0] if name.startswith("train_")]
    figure = new_figure(4.5 * max(len(names), 2), 3.6)
    epochs = [line["epoch"] for line in history]
    marker = "o" if len(epochs) <= 40 else None
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        factor = 100 if name in percent else 1
        for part, color in (("train", TRAIN), ("validation", VALIDATION)):
            values = [line.get(f"{part}_{name}") for line in history]
            if None not in values:
                axes.plot(epochs, [factor * v for v in values], color=color, label=part,
                          marker=marker, markersize=3.5, linewidth=1.6)  # fmt: skip
        axes.set_xlabel("epoch")
        axes.set_title(f"{name} (%)" if name in percent else name, loc="left")
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        tidy(axes)
        axes.legend(frameon=False)
        if name in percent and values[-1] is not None:
            last = factor * values[-1]
            up = 7 if last < sum(axes.get_ylim()) / 2 else -14  # towards the middle: inside the axes
            axes.annotate(f"{last:.2f}", (epochs[-1], last), xytext=(0, up), color=VALIDATION,
                          textcoords="offset points", ha="center", fontsize=9)  # fmt: skip
    figure.savefig(path, dpi=144)


def tidy(axes: Any) -> None:
    """The look of every plot of curves: a pale grid below them, and no frame above and on the right."""
    axes.grid(color="#e5e5e5", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def new_figure(width: float, height: float) -> Any:
    """A figure (inches) on its own canvas: no window, no global state, any thread."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots need Matplotlib: pip install 'tinygrad-notes[plot]'") from error
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
