"""What sequence models show of themselves, as PNG files: attention, positions, the learning rate."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..train.plots import TRAIN, new_figure, tidy
from .lettering import Lettering, label

MAP = "Blues"
Path = str | os.PathLike[str]


def attention_map(weights: np.ndarray, rows: Sequence[str], columns: Sequence[str], path: Path) -> None:
    """weights (T, S): how much each of the words `rows` attends to each of `columns`."""
    lettering = Lettering([*rows, *columns])
    figure = new_figure(2.2 + 0.26 * len(columns), 1.6 + 0.26 * len(rows))
    axes = figure.subplots()
    image = _draw(axes, weights)
    label(axes, "x", columns, lettering)
    label(axes, "y", rows, lettering)
    axes.set_xlabel("read")
    axes.set_ylabel("written")
    figure.colorbar(image, ax=axes, label="attention", shrink=0.8)
    lettering.save(figure, path)


def attention_maps(
    maps: Mapping[str, np.ndarray], rows: Sequence[str], columns: Sequence[str], path: Path
) -> None:
    """Every head (a column of the picture) of every layer (a row): {title of the layer: (heads, T, S)}."""
    lettering = Lettering([*rows, *columns])
    heads = len(next(iter(maps.values())))
    width, height = 0.6 + 0.17 * len(columns), 0.6 + 0.17 * len(rows)
    figure = new_figure(max(1.8, width) * heads + 1, max(1.8, height) * len(maps) + 0.6)
    grid = figure.subplots(len(maps), heads, squeeze=False)
    for line, (title, layer) in zip(grid, maps.items(), strict=True):
        for head, (axes, weights) in enumerate(zip(line, layer, strict=True)):
            image = _draw(axes, weights)
            axes.set_title(f"{title}, head {head + 1}", fontsize=8)
            label(axes, "x", columns, lettering, 6)
            label(axes, "y", rows if head == 0 else [], lettering, 6)
    figure.colorbar(image, ax=grid, label="attention", shrink=0.5, aspect=30)
    lettering.save(figure, path)


def _draw(axes: Any, weights: np.ndarray) -> Any:
    axes.tick_params(length=0)
    return axes.imshow(weights, cmap=MAP, vmin=0, vmax=1, aspect="equal", interpolation="nearest")


def positions(table: np.ndarray, path: Path) -> None:
    """table (places, d): the vectors of places, and their products, which are large between neighbors."""
    figure = new_figure(9, 3.6)
    left, right = figure.subplots(1, 2, width_ratios=(1.6, 1))
    bound = float(abs(table).max()) or 1.0
    image = left.imshow(table.T, cmap="RdBu", vmin=-bound, vmax=bound, aspect="auto", interpolation="nearest")
    left.set_title("the vector of each place", loc="left")
    left.set_xlabel("place")
    left.set_ylabel("number of the vector")
    figure.colorbar(image, ax=left)
    products = table @ table.T
    image = right.imshow(products, cmap=MAP, interpolation="nearest")
    right.set_title("products of two places", loc="left")
    right.set_xlabel("place")
    right.set_ylabel("place")
    figure.colorbar(image, ax=right)
    figure.savefig(path, dpi=144)


def learning_rates(rates: Sequence[float], path: Path) -> None:
    """The learning rate of each step, from the first on."""
    figure = new_figure(5.5, 3.2)
    axes = figure.subplots()
    steps = range(1, len(rates) + 1)
    axes.plot(steps, rates, color=TRAIN, linewidth=1.6)
    most = int(np.argmax(rates))
    axes.annotate(f"{rates[most]:.2e} at step {most + 1}", (most + 1, rates[most]), xytext=(8, 0),
                  textcoords="offset points", va="center", fontsize=9)  # fmt: skip
    axes.set_xlabel("step")
    axes.set_title("learning rate", loc="left")
    axes.margins(x=0.02, y=0.1)
    tidy(axes)
    figure.savefig(path, dpi=144)
