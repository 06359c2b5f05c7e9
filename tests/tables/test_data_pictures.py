"""The histograms of ``data --out``, on columns and images small enough to know every bar."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from tinygrad_notes.cli import data_pictures
from tinygrad_notes.data.tables import Table
from tinygrad_notes.data.tables.table import words_of
from tinygrad_notes.train import plots


@pytest.fixture
def figures(monkeypatch):
    """The figures that are made, in their order; none of them is written."""
    made = []
    monkeypatch.setattr(
        data_pictures, "new_figure", lambda *size: (made.append(plots.new_figure(*size)), made[-1])[1]
    )
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, path, dpi: None)
    return made


def bars(axes):
    """{label: [(left, bottom, width, height) of each bar that is there]} of one pair of axes."""
    found = {}
    for container in axes.containers:
        label = container.get_label()  # of several histograms at once each bar has it
        found[container[0].get_label() if label.startswith("_") else label] = [
            (round(bar.get_x(), 6), bar.get_y(), round(bar.get_width(), 6), bar.get_height())
            for bar in container
            if bar.get_width() and bar.get_height()
        ]
    return found


TABLE = Table(
    {
        "size": np.array([0.0, 0.0, 10.0, np.nan, 10.0, 20.0, np.inf]),
        "color": words_of(["red", "red", "blue", "blue", "red", None, "green"]),
        "kind": words_of(["a", "a", "a", "b", "b", "b", None]),
    }
)


def test_columns_are_stacked_by_the_classes_of_the_target(figures, tmp_path):
    data_pictures.table_histograms(TABLE, "kind", str(tmp_path / "t.png"))
    size, color, kind = figures[0].axes
    assert [axes.get_title(loc="left") for axes in figures[0].axes] == ["size", "color", "kind"]
    # Twenty bins of width 1, the last of which holds 20. Below b stands a; NaN and infinity are in none.
    assert bars(size) == {"a": [(0, 0, 1, 2), (10, 0, 1, 1)], "b": [(10, 1, 1, 1), (19, 0, 1, 1)]}
    # The most frequent word first; rows without a class are of no color.
    assert [label.get_text() for label in color.get_xticklabels()] == ["red", "blue", "green"]
    assert bars(color) == {
        "a": [(-0.4, 0, 0.8, 2), (0.6, 0, 0.8, 1)],
        "b": [(-0.4, 2, 0.8, 1), (0.6, 1, 0.8, 1)],
    }
    assert bars(kind) == {"a": [(-0.4, 0, 0.8, 3)], "b": [(0.6, 0, 0.8, 3)]}
    first, second = (container[0].get_facecolor() for container in color.containers)
    assert first != second and [c[0].get_facecolor() for c in size.containers] == [first, second]
    assert [text.get_text() for text in size.get_legend().get_texts()] == ["a", "b"]


def test_the_bars_of_each_class_stand_on_those_of_all_before(figures, tmp_path):
    kinds = ["a", "b", "c", "d"] * 2 + ["d"]
    table = Table({"color": words_of(["red"] * 9), "size": np.zeros(9), "kind": words_of(kinds)})
    data_pictures.table_histograms(table, "kind", str(tmp_path / "t.png"))
    for axes in figures[0].axes[:2]:
        stacked = [(bottom, height) for ((_, bottom, _, height),) in bars(axes).values()]
        assert sorted(stacked) == [(0, 3), (3, 2), (5, 2), (7, 2)] or sorted(stacked) == [
            (0, 2), (2, 2), (4, 2), (6, 3)]  # fmt: skip


@pytest.mark.parametrize("target", [None, "size"])
def test_without_classes_all_rows_are_of_one_color(figures, tmp_path, target):
    data_pictures.table_histograms(TABLE, target, str(tmp_path / "t.png"))
    size, color, _ = figures[0].axes
    assert list(bars(size).values()) == [[(0, 0, 1, 2), (10, 0, 1, 2), (19, 0, 1, 1)]]
    assert list(bars(color).values()) == [[(-0.4, 0, 0.8, 3), (0.6, 0, 0.8, 2), (1.6, 0, 0.8, 1)]]
    assert size.get_legend() is None


def test_four_columns_take_two_lines_and_what_is_left_is_empty(figures, tmp_path):
    table = Table({name: np.arange(3.0) for name in "abcd"})
    data_pictures.table_histograms(table, None, str(tmp_path / "t.png"))
    assert [axes.get_visible() for axes in figures[0].axes] == [True] * 4 + [False] * 2


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_counted_by_part_and_pixels_by_value(figures, tmp_path, channels):
    found = {"classes": {"cat": {"train": 5, "test": 2}, "dog": {"train": 3, "test": 4}}}
    pixels = np.zeros((channels, 256), np.int64)
    pixels[:, 7], pixels[:, 9] = 3, 1 + np.arange(channels)
    data_pictures.image_histograms(found, pixels, str(tmp_path / "i.png"))
    left, right = figures[0].axes
    lengths = {c.get_label(): [(b.get_x(), b.get_width()) for b in c] for c in left.containers}
    assert lengths == {"train": [(0, 5), (0, 3)], "test": [(5, 2), (3, 4)]}  # one behind the other
    assert [label.get_text() for label in left.get_yticklabels()] == ["cat", "dog"]
    assert left.yaxis.get_inverted()  # the first class on top
    assert len(right.lines) == channels == len({line.get_color() for line in right.lines})
    for channel, line in enumerate(right.lines):
        assert line.get_xdata().tolist() == list(range(256))
        shares = line.get_ydata()
        assert shares.sum() == pytest.approx(1) and shares[7] == pytest.approx(3 / (4 + channel))
    assert right.get_yscale() == "log"
