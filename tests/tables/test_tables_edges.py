"""The edges of what a table is: which cells are numbers or missing, which columns are trouble, and what each
step of cleaning tells, on columns of a few cells."""

import math

import numpy as np
import pytest

from tinygrad_notes.data import DataError
from tinygrad_notes.data.tables import Table
from tinygrad_notes.data.tables.cleaning import (
    MOST_WORDS,
    Cleaning,
    Numbers,
    Preparation,
    Words,
    beyond,
    bounds,
    learn_words,
)
from tinygrad_notes.data.tables.normalization import center_and_scale
from tinygrad_notes.data.tables.prepare import prepare
from tinygrad_notes.data.tables.table import (
    LARGEST,
    as_words,
    column_of,
    is_missing,
    kind_of,
    trouble_with,
    words_of,
)

# ---- cells -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "number"),
    [("3", 3), (" 3 ", 3), ("+3", 3), ("-3", -3), ("3.", 3), (".5", 0.5), ("-.5", -0.5), ("1e3", 1000),
     ("1E-3", 0.001), ("1e+3", 1000), ("inf", math.inf), ("-Infinity", -math.inf), ("007", 7)],
)  # fmt: skip
def test_cells_that_are_numbers(cell, number):
    column = column_of([cell, "1"])
    assert column.dtype == np.float64 and column.tolist() == [number, 1]


@pytest.mark.parametrize(
    "cell", [".", "1.2.3", "1,5", "1e", "e3", "0x10", "1_000", "--1", "1 000", "٣.x", "infin"]
)
def test_cells_that_are_words(cell):
    assert column_of([f" {cell} ", "1"]).tolist() == [cell, "1"]


@pytest.mark.parametrize(
    "cell",
    ["", " ", "NA", " NA ", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "<NA>", "#N/A", "?", None],
)
def test_cells_that_are_missing(cell):
    assert is_missing(column_of([cell, "1"])).tolist() == [True, False]
    assert is_missing(column_of([cell, "a"])).tolist() == [True, False]
    assert np.isnan(column_of([cell])).all()  # of nothing: numbers


@pytest.mark.parametrize("cell", ["na", "none", "-", "Null", "missing", "0"])
def test_cells_that_are_there(cell):
    assert not is_missing(column_of([cell, "a"])).any()


def test_numbers_as_words():
    column = np.array([3.0, -2.0, 0.5, np.nan, 2.0**70])
    assert as_words(column).tolist() == ["3", "-2", "0.5", None, str(2**70)]
    words = words_of(["a", None])
    assert as_words(words) is words


# ---- tables ------------------------------------------------------------------------------------

SMALL = Table({"x": np.array([1.0, 2.0, np.nan]), "w": words_of(["a", None, "b"])}, "t.csv")


def test_rows_and_columns_are_taken():
    assert len(SMALL) == 3 and len(Table({})) == 0
    picked = SMALL.rows([2, 0])
    assert picked.name == "t.csv" and picked["w"].tolist() == ["b", "a"] and picked["x"][1] == 1
    assert SMALL.rows(np.array([False, True, False]))["x"].tolist() == [2]
    left = SMALL.without(["x"])
    assert (list(left.columns), left.name, list(SMALL.columns)) == (["w"], "t.csv", ["x", "w"])
    assert list(SMALL.without([]).columns) == ["x", "w"]


def test_a_fingerprint_is_of_names_order_and_values():
    others = [
        Table({"y": SMALL["x"], "w": SMALL["w"]}), Table({"w": SMALL["w"], "x": SMALL["x"]}),
        Table({"x": np.array([1.0, 3.0, np.nan]), "w": SMALL["w"]}),
        Table({"x": SMALL["x"], "w": words_of(["a", "", "b"])}), SMALL.without(["w"]),
    ]  # fmt: skip
    prints = [table.fingerprint() for table in (SMALL, *others)]
    assert len(set(prints)) == len(prints) and all(len(p) == 32 for p in prints)
    assert Table(dict(SMALL.columns), "another name").fingerprint() == prints[0]


# ---- trouble -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["2007-1-2"], "dates"), (["2007-01-02T10:11"], "dates"), (["2007-01-02 10:11"], "dates"),
        (["2007/1/2"], "dates"), (["1/2/2007"], "dates"), (["1.2.07"], "dates"), (["1/2/2007 3:04"], "dates"),
        (["2007-01"], "words"), (["1-2-2007"], "words"), (["1/2/207"], "words"), (["2007-01-02x"], "words"),
        ([*(f"2007-01-{day:02d}" for day in range(1, 20)), "x"], "dates"),  # 19 of 20 different ones
        ([*(f"2007-01-{day:02d}" for day in range(1, 10)), "x"], "words"),  # 9 of 10
        (["1", "2"], "numbers"), ([None], "numbers"),
    ],
)  # fmt: skip
def test_kinds_of_columns(cells, kind):
    assert kind_of(column_of(cells)) == kind


@pytest.mark.parametrize(
    ("cells", "trouble"),
    [
        (["1,5", "2,5", "x"], "'1,5' has a comma where a number has a point; pass --decimal-comma if all"),
        (["1,5", "x"], ""),  # one of two words
        (["1,5", "2,5", "x", "1"], "'1,5' has a comma"),
        (["1,5", "2,5,1", "1", "2", "3"], "most of it are numbers, but not '1,5', '2,5,1'; write NA"),
        (["1 m", "2 m"], ""),  # two words
        (["1 m", "2 m", "3 m"], "'m' follows each of its numbers, as in '1 m'; write the unit into the name"),
        (["1 m", "2 m", "3 km"], ""), (["1 m", "2 m", "3 m", "4"], ""),
        (["1", "2", "x", "y"], ""), (["1", "2", "3", "x", "y"], "most of it are numbers, but not 'x', 'y'; "),
        (["1", "2", "3", "4", "x", "y", "z"], "but not 'x', 'y', 'z'; "),
        (["1", "2", "3", "4", "5", "w", "x", "y", "z"], "but not 'w', 'x', 'y', ...; "),
    ],
)  # fmt: skip
def test_words_that_are_trouble(cells, trouble):
    found = trouble_with("c", column_of(cells))
    assert (trouble in found) if trouble else found == ""
    assert found == "" or found.startswith("column 'c' is text by accident: ")


@pytest.mark.parametrize(
    ("values", "trouble"),
    [
        ([1, LARGEST], ""), ([-LARGEST, np.nan], ""),
        ([1, -2 * LARGEST, math.inf], "column 'c' has -2e+30 in row 2, more than 1e+30: measure it"),
        ([-math.inf, 1e300], "column 'c' is infinite in row 1: write NA where nothing was measured"),
    ],
)  # fmt: skip
def test_numbers_that_are_trouble(values, trouble):
    found = trouble_with("c", np.array(values))
    assert found.startswith(trouble) if trouble else found == ""


# ---- cleaning ----------------------------------------------------------------------------------


def test_bounds_by_hand():
    values = np.array([0.0, 1, 2, 3, 4, np.nan])
    assert bounds(values, "iqr") == (1 - 3, 3 + 3)
    deviation = math.sqrt(2)
    assert bounds(values, "z-score") == pytest.approx((2 - 3 * deviation, 2 + 3 * deviation))
    for rule in ("iqr", "z-score"):
        assert bounds(np.ones(3), rule) == (None, None)
    assert bounds(np.array([1.0, 1, 1, 1, 9]), "iqr") == (None, None)
    assert beyond(np.array([-2.1, -2, 6, 6.1, np.nan]), (-2.0, 6.0)).tolist() == [
        True,
        False,
        False,
        True,
        False,
    ]
    assert beyond(np.array([1e9]), (None, None)).tolist() == [False]


def test_robust_scale_is_of_the_quartiles():
    assert center_and_scale(np.array([0.0, 1, 2, 4, 100]), "robust") == (2, 3)
    assert center_and_scale(np.array([1.0, 3]), "min-max") == (1, 2)
    assert center_and_scale(np.array([1.0, 3]), "standard") == (2, 1)
    assert center_and_scale(np.array([1.0, 3]), "none") == (0, 1)


@pytest.mark.parametrize("option", ["missing", "outliers", "outlier_rule", "normalization"])
def test_unknown_steps_of_cleaning_are_refused(option):
    with pytest.raises(ValueError, match=rf"Cleaning: {option} must be one of .*, got 'other'"):
        Cleaning(**{option: "other"})


def test_cleaning_has_its_defaults():
    assert vars(Cleaning()) == {
        "missing": "median", "was_missing": False, "keep_constant": False, "outliers": "report",
        "outlier_rule": "iqr", "normalization": "standard"}  # fmt: skip


def test_a_hundred_words_are_inputs_and_the_most_frequent_fills():
    many = words_of([f"w{i:03d}" for i in range(MOST_WORDS)])
    assert learn_words("w", many, Cleaning()).words == tuple(many)
    few = words_of(["b", "b", "a", None])
    assert learn_words("w", few, Cleaning()) == Words("w", "b", False, ("a", "b"))
    assert learn_words("w", few, Cleaning(was_missing=True)) == Words("w", "b", True, ("a", "b"))
    assert learn_words("w", few, Cleaning("drop", was_missing=True)) == Words("w", None, False, ("a", "b"))
    assert learn_words("w", few[:3], Cleaning(was_missing=True)).was_missing is False  # none was


X, W = np.array([1.0, 3, np.nan, 101]), words_of(["a", None, "b", "a"])


def test_what_is_learned_is_plain_and_comes_back():
    cleaning = Cleaning("mean", True, normalization="none")
    preparation, told = prepare(Table({"x": X, "w": W}, "t.csv"), cleaning)
    assert preparation.columns == (
        Numbers("x", 35.0, True, *bounds(X, "iqr"), 0.0, 1.0), Words("w", "a", True, ("a", "b")))  # fmt: skip
    assert told == [
        "x: 1 missing value becomes 35, and a further input tells where",
        "w: 1 missing value becomes a, and a further input tells where",
        "w: 2 words, each an input",
    ]
    found = preparation.to_dict()
    assert found["cleaning"] == vars(cleaning)
    assert [column["kind"] for column in found["columns"]] == ["numbers", "words"]
    assert found["columns"][1] == {
        "kind": "words", "name": "w", "fill": "a", "was_missing": True, "words": ["a", "b"]}  # fmt: skip
    assert Preparation.from_dict(found) == preparation
    assert preparation.apply(Table({"x": X, "w": W})).inputs.tolist() == [
        [1, 0, 1, 0, 0], [3, 0, 1, 0, 1], [35, 1, 0, 1, 0], [101, 0, 1, 0, 0]]  # fmt: skip


def test_every_step_tells_what_it_found():
    values = np.array([*np.arange(8.0), np.nan, np.nan, 100, 200])
    table = Table({"x": values, "y": np.arange(12.0)}, "t.csv")
    low, high = bounds(values, "iqr")
    filled = "x: 2 missing values become 4.5"
    outside = f"x: 2 outside of {low:g} to {high:g}, "
    normal = "normalization: standard, of 2 columns of numbers"
    assert prepare(table)[1] == [outside + "kept", filled, normal]
    assert prepare(table, Cleaning(outliers="clip"))[1] == [outside + "clipped", filled, normal]
    assert prepare(table, Cleaning(outliers="drop", normalization="none"))[1] == [
        outside + "left out", "x: 2 missing values become 3.5"]  # fmt: skip
    assert prepare(table, Cleaning(missing="drop"))[1] == [
        "missing values: 2 of 12 rows left out",
        outside + "kept",
        normal,
    ]
    assert prepare(table.rows(slice(8)))[1] == [normal]
    assert prepare(Table({"w": W}))[1] == ["w: 1 missing value becomes a", "w: 2 words, each an input"]


def test_a_training_part_of_which_no_row_is_left_is_told():
    columns = {f"x{k}": np.where(np.arange(5) == k, 100.0, np.arange(5)) for k in range(5)}
    table, cleaning = Table(columns, "t"), Cleaning(outliers="drop")
    with pytest.raises(DataError, match="t: each of the 5 rows of the training part has an outlier, so that"):
        prepare(table, cleaning)
    preparation, _ = prepare(table.without(["x4"]), cleaning)  # the last row is left
    assert [column.center for column in preparation.columns] == [4, 4, 4, 4]
    with pytest.raises(DataError, match=r"t: no column is left to learn from \(there is none\)"):
        prepare(Table({}, "t"))


def test_words_that_the_training_had_not_are_told_up_to_three():
    preparation, _ = prepare(Table({"w": words_of(["a", "b", "c"])}))
    for words, shown in ((["y", "x"], "'x', 'y'"), (["z", "y", "x"], "'x', 'y', 'z'"),
                         (["v", "z", "y", "x", "a"], "'v', 'x', 'y', ...")):  # fmt: skip
        found = preparation.apply(Table({"w": words_of(words)}, "n.csv"))
        assert found.told == [f"n.csv: w has words that the training had not: {shown}"]
        assert found.inputs.sum() == ("a" in words)
    assert preparation.apply(Table({"w": words_of(["a", None])})).told == []


@pytest.mark.parametrize(
    ("lacking", "sentence"),
    [(["x"], "lacks the column x, which"), (["x", "y"], "lacks the columns x, y, which")],
)
def test_columns_that_a_table_lacks_are_named(lacking, sentence):
    table = Table({"x": np.arange(3.0), "y": np.arange(3.0), "z": np.arange(3.0)}, "t.csv")
    preparation, _ = prepare(table)
    with pytest.raises(DataError, match=rf"t\.csv: {sentence}"):
        preparation.apply(table.without(lacking))


def test_the_test_part_keeps_its_outliers_and_tells_rows_that_are_left_out():
    table = Table({"x": np.array([0.0, 1, 2, 3, 4, 100, np.nan])}, "t.csv")
    preparation, _ = prepare(table, Cleaning("drop", outliers="drop"))
    trained, tested = preparation.apply(table, training=True), preparation.apply(table)
    assert trained.kept.tolist() == [True] * 5 + [False] * 2 and trained.told == []
    assert tested.kept.tolist() == [True] * 6 + [False]
    assert tested.told == ["t.csv: 1 of 7 rows left out, as they lack a value"]
