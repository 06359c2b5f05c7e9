"""Learning curves and the confusion matrix as PNG files, by Matplotlib (an extra)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

TRAIN, VALIDATION = "#4269d0", "#c2410c"
MOST_NAMES = 50  # of classes beside a confusion matrix: with more of them every second, third ... has one


def learning_curves(history: Sequence[dict[str, Any]], path: str | os.PathLike[str]) -> None:
    """Loss and accuracy over the epochs, from the lines of metrics.jsonl.

    Raises ImportError without Matplotlib, ValueError without an epoch.
    """
    if not history:
        raise ValueError("learning_curves: no epoch has been finished yet")
    figure = new_figure(9, 3.6)
    epochs = [line["epoch"] for line in history]
    marker = "o" if len(epochs) <= 40 else None
    for axes, name, factor in zip(figure.subplots(1, 2), ("loss", "accuracy"), (1, 100), strict=True):
        for part, color in (("train", TRAIN), ("validation", VALIDATION)):
            values = [line.get(f"{part}_{name}") for line in history]
            if None not in values:
                axes.plot(epochs, [factor * v for v in values], color=color, label=part,
                          marker=marker, markersize=3.5, linewidth=1.6)  # fmt: skip
        axes.set_xlabel("epoch")
        axes.set_title("loss" if name == "loss" else "accuracy (%)", loc="left")
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.grid(color="#e5e5e5", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    last = history[-1].get("validation_accuracy")
    if last is not None:  # the second axes is the last of the loop
        up = 7 if 100 * last < sum(axes.get_ylim()) / 2 else -14  # towards the middle: inside the axes
        axes.annotate(f"{100 * last:.2f}", (epochs[-1], 100 * last), xytext=(0, up), color=VALIDATION,
                      textcoords="offset points", ha="center", fontsize=9)  # fmt: skip
    figure.savefig(path, dpi=144)


def confusion_plot(confusion: np.ndarray, classes: Sequence[str], path: str | os.PathLike[str]) -> None:
    """Which class is taken for which: shade is the share of the row, numbers are counts.

    Raises ImportError without Matplotlib.
    """
    count = len(classes)
    size = min(max(4.2, 0.52 * count + 1.6), 14)
    figure = new_figure(size + 0.6, size)
    axes = figure.subplots()
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    # The square root shows the few mistakes of a good model beside its many hits.
    image = axes.imshow(np.sqrt(share), cmap="Blues", vmin=0, vmax=1)
    slanted = max(map(len, classes)) > 3 or count > 25
    look = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    named = range(0, count, -(-count // MOST_NAMES))
    names = [shown(classes[i]) for i in named]
    axes.set_xticks(named, names, **look)
    axes.set_yticks(named, names)
    axes.tick_params(length=0)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    total = confusion.sum()
    right = 100 * np.trace(confusion) / max(total, 1)
    axes.set_title(f"{total:,} samples, {right:.2f} % right", loc="left", fontsize=11)
    if count <= 25:
        for i, j in zip(*np.nonzero(confusion), strict=True):
            axes.text(j, i, confusion[i, j], ha="center", va="center", fontsize=8,
                      color="white" if share[i, j] > 0.36 else "black")  # fmt: skip
    bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03)
    ticks = np.array([0, 0.01, 0.05, 0.2, 0.5, 1])
    bar.set_ticks(np.sqrt(ticks), labels=[f"{100 * t:.0f} %" for t in ticks])
    bar.set_label("share of the true class")
    bar.outline.set_visible(False)
    figure.savefig(path, dpi=144)


def shown(name: str) -> str:
    """The name of a class as Matplotlib draws it letter by letter: $ begins no formula, and bytes that are
    no text are question marks."""
    return name.replace("$", r"\$").encode("utf-8", "replace").decode()


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
