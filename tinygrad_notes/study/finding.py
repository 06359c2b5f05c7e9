"""What a study gives: a table, panels to draw, and one sentence."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..train.plots import new_figure

COLORS = "#4269d0", "#c2410c", "#3a9d5d", "#8e5bb5", "#7a7a7a"
Line = tuple[Sequence[float], Sequence[float]]


@dataclass(frozen=True)
class Panel:
    """Curves {label: (x, y)} in one pair of axes. Below them `dots` {label: (x, y)} and the `contour`
    (xs, ys, heights) are drawn; `marks` {label: x} are dashed lines upright."""

    title: str
    x: str
    y: str
    lines: Mapping[str, Line]
    log_x: bool = False
    log_y: bool = False
    points: bool = False
    dots: Mapping[str, Line] = field(default_factory=dict)
    contour: tuple[Any, Any, Any] | None = None
    marks: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """`rows` under `columns`, the first of them words; `sentence` says what was seen in the numbers."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    sentence: str
    panels: Sequence[Panel]

    def draw(self, path: str | os.PathLike[str]) -> None:
        """The panels side by side, as PNG. Raises ImportError without Matplotlib."""
        figure = new_figure(4.8 * len(self.panels), 3.8)
        for axes, panel in zip(
            figure.subplots(1, len(self.panels), squeeze=False)[0], self.panels, strict=True
        ):
            _draw(axes, panel)
        figure.savefig(path, dpi=144)


def _draw(axes: Any, panel: Panel) -> None:
    if panel.contour is not None:
        axes.contour(*panel.contour, levels=12, colors="#d5d5d5", linewidths=0.8)
    for label, (x, y) in panel.dots.items():
        axes.plot(x, y, ".", color="#9a9a9a", markersize=4, label=label)
    marker = "o" if panel.points else None
    for color, (label, (x, y)) in zip(COLORS * 3, panel.lines.items(), strict=False):
        axes.plot(x, y, color=color, label=label, marker=marker, markersize=3.5, linewidth=1.5)
    for label, x in panel.marks.items():
        axes.axvline(x, color="#404040", linestyle="--", linewidth=1, label=label)
    if panel.log_x:
        axes.set_xscale("log")
    if panel.log_y:
        axes.set_yscale("log")
    axes.set_title(panel.title, loc="left", fontsize=11)
    axes.set_xlabel(panel.x)
    axes.set_ylabel(panel.y)
    axes.grid(color="#ececec", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
