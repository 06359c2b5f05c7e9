"""Histograms of a table's columns, and of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.tables import Table, is_missing, kind_of
from ..train.plots import TRAIN, new_figure, shown

ACROSS = 3  # histograms beside each other
MOST_BARS, MOST_CLASSES = 12, 8
COLORS = ("#4269d0", "#c2410c", "#3ca951", "#a463f2", "#efb118", "#6cc5b0", "#ff8ab7", "#9c6b4e")


def table_histograms(table: Table, target: str | None, path: str) -> None:
    """Each column's, in the colors of the classes of `target` where there are few. Raises ImportError without
    Matplotlib."""
    names = list(table.columns)
    figure = new_figure(4 * min(ACROSS, len(names)), 2.7 * -(-len(names) // ACROSS))
    grid = figure.subplots(-(-len(names) // ACROSS), min(ACROSS, len(names)), squeeze=False).ravel()
    groups = _groups(table, target)
    for axes, name in zip(grid, names, strict=False):
        known = ~is_missing(table[name])
        draw = _bins if kind_of(table[name]) == "numbers" else _bars
        draw(axes, [table[name][rows & known] for rows in groups.values()], groups)
        axes.set_title(shown(name), loc="left", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    for axes in grid[len(names) :]:
        axes.set_visible(False)
    if len(groups) > 1:
        grid[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=144)


def image_histograms(found: dict[str, Any], pixels: np.ndarray, path: str) -> None:
    """Images of each class, and how often each value of a pixel is there."""
    figure = new_figure(9, max(3.2, 0.24 * len(found["classes"])))
    left, right = figure.subplots(1, 2)
    start = np.zeros(len(found["classes"]))
    for part, color in zip(next(iter(found["classes"].values())), COLORS, strict=False):
        counts = np.array([of[part] for of in found["classes"].values()])
        left.barh([shown(name) for name in found["classes"]], counts, left=start, color=color, label=part)
        start += counts
    left.invert_yaxis()
    left.legend(frameon=False, fontsize=8, ncols=2, loc="lower right", bbox_to_anchor=(1, 1), borderpad=0)
    left.set_title("images of each class", loc="left", fontsize=10)
    colors = ("#444444",) if len(pixels) == 1 else ("#d1242f", "#1a7f37", "#0969da")
    for counts, color in zip(pixels, colors, strict=False):
        right.step(np.arange(256), counts / counts.sum(), color=color, linewidth=1, where="mid")
    right.set_yscale("log")
    right.set_title("share of pixels with each value", loc="left", fontsize=10)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    figure.savefig(path, dpi=144)


def _groups(table: Table, target: str | None) -> dict[str, np.ndarray]:
    """{class: its rows} where there are few of them, else all rows."""
    if target is not None and kind_of(table[target]) == "words":
        words = sorted(set(table[target][~is_missing(table[target])]))
        if len(words) <= MOST_CLASSES:
            return {word: table[target] == word for word in words}
    return {"": np.ones(len(table), bool)}


def _bins(axes: Any, values: list[np.ndarray], groups: dict[str, np.ndarray]) -> None:
    if any(map(len, values)):
        colors = COLORS[: len(values)] if len(values) > 1 else [TRAIN]
        whole = all((column == np.round(column)).all() for column in values)
        axes.xaxis.get_major_locator().set_params(nbins=6, integer=whole)
        axes.hist(values, bins=20, stacked=True, color=colors, label=list(map(shown, groups)))


def _bars(axes: Any, values: list[np.ndarray], groups: dict[str, np.ndarray]) -> None:
    words, counts = np.unique(np.concatenate(values).astype(str), return_counts=True)
    words = words[np.argsort(-counts, kind="stable")][:MOST_BARS]
    start = np.zeros(len(words))
    for column, name, color in zip(values, groups, COLORS, strict=False):
        heights = np.array([(column == word).sum() for word in words])
        axes.bar(list(map(shown, words)), heights, bottom=start, color=color, label=shown(name))
        start += heights
    if len(words) > 4:
        axes.tick_params(axis="x", rotation=40)
