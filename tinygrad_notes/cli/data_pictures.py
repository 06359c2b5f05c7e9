"""Histograms of a table's columns, and of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.tables import Table, is_missing, kind_of
from ..data.tables.table import LARGEST
from ..tasks.lettering import Lettering
from ..train.plots import TRAIN, new_figure

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
    bars = {name: _most(table[name]) for name in names if kind_of(table[name]) != "numbers"}
    written = Lettering([*names, *groups, *(word for words in bars.values() for word in words)], signs=False)
    for axes, name in zip(grid, names, strict=False):
        known = ~is_missing(table[name])
        values = [table[name][rows & known] for rows in groups.values()]
        labels = [written.of(group) if group else "" for group in groups]
        if name in bars:
            _bars(axes, values, labels, bars[name], written)
        else:
            _bins(axes, values, labels)
        axes.set_title(written.of(name), loc="left", fontsize=10, fontfamily=written.family)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    for axes in grid[len(names) :]:
        axes.set_visible(False)
    if len(groups) > 1:
        grid[0].legend(frameon=False, prop={"family": written.family, "size": 8})
    written.save(figure, path)


def image_histograms(found: dict[str, Any], pixels: np.ndarray, path: str) -> None:
    """Images of each class, and how often each value of a pixel is there."""
    figure = new_figure(9, max(3.2, 0.24 * len(found["classes"])))
    left, right = figure.subplots(1, 2)
    start = np.zeros(len(found["classes"]))
    for part, color in zip(next(iter(found["classes"].values())), COLORS, strict=False):
        counts = np.array([of[part] for of in found["classes"].values()])
        left.barh(range(len(counts)), counts, left=start, color=color, label=part)
        start += counts
    written = Lettering(found["classes"], signs=False)
    left.set_yticks(range(len(start)), map(written.of, found["classes"]), fontfamily=written.family)
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
    written.save(figure, path)


def _groups(table: Table, target: str | None) -> dict[str, np.ndarray]:
    """{class: its rows} where there are few of them, else all rows."""
    if target is not None and kind_of(table[target]) == "words":
        words = sorted(set(table[target][~is_missing(table[target])]))
        if len(words) <= MOST_CLASSES:
            return {word: table[target] == word for word in words}
    return {"": np.ones(len(table), bool)}


def _most(column: np.ndarray) -> list[str]:
    """The words that have a bar: the most frequent ones."""
    words, counts = np.unique(column[~is_missing(column)].astype(str), return_counts=True)
    return [str(word) for word in words[np.argsort(-counts, kind="stable")][:MOST_BARS]]


def _bins(axes: Any, values: list[np.ndarray], labels: list[str]) -> None:
    """Of what can be learned from: infinite numbers and huge ones are left out."""
    values = [column[np.abs(column) <= LARGEST] for column in values]
    if any(map(len, values)):
        colors = COLORS[: len(values)] if len(values) > 1 else [TRAIN]
        whole = all((column == np.round(column)).all() for column in values)
        axes.xaxis.get_major_locator().set_params(nbins=6, integer=whole)
        axes.hist(values, bins=20, stacked=True, color=colors, label=labels)


def _bars(
    axes: Any, values: list[np.ndarray], labels: list[str], words: list[str], written: Lettering
) -> None:
    places, start = range(len(words)), np.zeros(len(words))
    for column, label, color in zip(values, labels, COLORS, strict=False):
        heights = np.array([(column == word).sum() for word in words])
        axes.bar(places, heights, bottom=start, color=color, label=label)
        start += heights
    turn = 40 if len(words) > 4 else 0
    axes.set_xticks(places, map(written.of, words), fontfamily=written.family, rotation=turn)
