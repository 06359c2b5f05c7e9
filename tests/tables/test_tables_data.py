"""Tables: what is read, what is refused and how, and cleaning that learns from the training part only."""

import json
import re
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_notes.data import DataError
from tinygrad_notes.data.tables import (
    Cleaning,
    Preparation,
    Table,
    is_missing,
    kind_of,
    load_penguins,
    prepare,
    read_table,
    rows_of_words,
)
from tinygrad_notes.data.tables import read as reading
from tinygrad_notes.data.tables.cleaning import MOST_WORDS, bounds, learn_numbers
from tinygrad_notes.data.tables.normalization import NORMALIZATIONS, center_and_scale
from tinygrad_notes.data.tables.table import column_of, trouble_with, words_of


@pytest.fixture
def pandas():
    return pytest.importorskip("pandas", reason="files of tables need pandas")


@pytest.fixture
def file(tmp_path, pandas):
    """Writes a file, and gives its path."""

    def write(content, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


# ---- reading -----------------------------------------------------------------------------------


def test_the_penguins_are_as_published():
    table = load_penguins()
    assert len(table) == 344
    assert sum(int(is_missing(values).sum()) for values in table.columns.values()) == 19
    kinds = [kind_of(values) for values in table.columns.values()]
    assert kinds == ["words", "words", *["numbers"] * 4, "words", "numbers"]
    assert sorted(set(table["species"])) == ["Adelie", "Chinstrap", "Gentoo"]
    assert np.nansum(table["body_mass_g"]) == 1437000


def test_penguins_need_no_pandas_and_files_say_what_does(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert len(load_penguins()) == 344
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ImportError, match=re.escape("pip install 'tinygrad-notes[tables]'")):
        read_table(tmp_path / "t.csv")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_file_is_read_as_the_embedded_one(file, delimiter):
    embedded = reading.resources.files(reading.__package__).joinpath("penguins.csv").read_text()
    table = read_table(file(embedded.replace(",", delimiter)))
    assert table.fingerprint() == load_penguins().fingerprint()


def test_parquet_is_read_as_csv(tmp_path, pandas):
    pytest.importorskip("pyarrow", reason="Parquet needs PyArrow")
    frame = pandas.DataFrame(
        {"n": [1, 2, None], "w": ["a", None, "c"], "yes": [True, False, True], "day": pandas.to_datetime(
            ["2020-01-01", "2020-01-02", None])}
    )  # fmt: skip
    frame.to_parquet(tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    np.testing.assert_array_equal(table["n"], [1, 2, np.nan])
    assert table["w"].tolist() == ["a", None, "c"]
    assert table["yes"].tolist() == ["True", "False", "True"]
    assert kind_of(table["day"]) == "dates"
    (tmp_path / "u.parquet").write_bytes(b"no parquet at all")
    with pytest.raises(DataError, match="not a Parquet file"):
        read_table(tmp_path / "u.parquet")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_marks_of_encodings_are_no_letters(file, encoding):
    table = read_table(file("größe,b\n1,ä\n2,\n".encode(encoding)))
    assert list(table.columns) == ["größe", "b"]
    assert table["b"].tolist() == ["ä", None]


def test_cells_are_what_they_look_like(file):
    table = read_table(file('a, b ,c,d\n 1 ,x y,"1,5",NA\n2.5e1,"p, q",2,\n\n-.5, NA ,null,nan\n'))
    assert list(table.columns) == ["a", "b", "c", "d"]
    assert table["a"].tolist() == [1, 25, -0.5]
    assert table["b"].tolist() == ["x y", "p, q", None]
    assert table["c"].tolist() == ["1,5", "2", None]
    assert np.isnan(table["d"]).all()


def test_a_decimal_comma_is_an_option(file):
    path = file("a;b\n3,5;x,y\n1,25;z\n")
    assert "pass --decimal-comma" in trouble_with("a", read_table(path)["a"])
    table = read_table(path, decimal_comma=True)
    assert table["a"].tolist() == [3.5, 1.25]
    assert table["b"].tolist() == ["x,y", "z"]


BAD = {
    "nothing in it": ("", "is empty; a table has a first line with the names"),
    "no row": ("a,b\n", "has the names of 2 columns, but no row below them"),
    "two names": ("a,b,a\n1,2,3\n", "two columns are called 'a'; names must differ"),
    "no name": ("a,,b\n1,2,3\n", "column 2 has no name in the first line"),
    "no header": ("1,2.5\n3,4\n", "the first line, 1, 2.5..., holds numbers; it must name the columns"),
    "one column": ("a:b\n1:2\n", "'a:b', names one column only: none of comma, semicolon, tab"),
    "long row": ("a,b\n1,2\n1,2,3\n", "line 3 has 3 cells, and the first line names 2 columns"),
    "long rows": ("a,b\n1,2,3\n1,2,3\n", "line 2 has 3 cells, and the first line names 2 columns"),
    "short row": ("a,b,c\n1,2,3\n\n1,2\n", "line 4 has 2 cells, and the first line names 3 columns"),
    "Latin-1": ("a,b\n1,é\n".encode("latin-1"), "byte 6 is no UTF-8; save the file as UTF-8"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_refused_in_a_sentence(file, kind):
    content, sentence = BAD[kind]
    path = file(content)
    with pytest.raises(DataError, match=re.escape(sentence)) as error:
        read_table(path)
    assert str(error.value).startswith(f"{path}: ")


def test_what_is_no_table_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no such file, nor a table of this name; there is penguins"):
        read_table("pinguins")
    (tmp_path / "t.xlsx").write_text("x")
    with pytest.raises(DataError, match=re.escape("a table is a file in .csv, .tsv, .parquet, not '.xlsx'")):
        read_table(tmp_path / "t.xlsx")


def test_a_table_too_large_is_refused_with_its_size(file, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MOST_CELLS", 1000)
    path = file("a,b\n" + "1,2\n" * 2000)
    with pytest.raises(
        DataError, match=r"2,000 rows of 2 columns are 4,000 cells, more than the 1,000 .* 500 rows"
    ):
        read_table(path)
    assert len(read_table(file("a,b\n" + "1,2\n" * 500))) == 500


@given(st.binary(max_size=60))
def test_any_bytes_are_a_table_or_a_data_error(tmp_path_factory, content):
    pytest.importorskip("pandas", reason="files of tables need pandas")
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_bytes(b"a,b\n" + content)
    try:
        table = read_table(path)
    except DataError:
        return
    assert len({len(values) for values in table.columns.values()}) == 1


def test_rows_that_are_typed():
    table = rows_of_words(["a=1,b=x", '"b=y, z",a=NA', "b=w"], "predict")
    np.testing.assert_array_equal(table["a"], [1, np.nan, np.nan])
    assert table["b"].tolist() == ["x", "y, z", "w"]
    with pytest.raises(DataError, match=r"'nothing' is neither a table .* nor of the form column=value"):
        rows_of_words(["nothing"], "predict")


# ---- kinds -------------------------------------------------------------------------------------

TROUBLE = {
    "holds dates, such as '2007-11-11'": ["2007-11-11", "2008-01-30", None],
    "holds dates, such as '01.02.2007'": ["01.02.2007", "30.11.2008"],
    "'12,25' has a comma where a number has a point": ["3,5", "4", "12,25", None],
    "most of it are numbers, but not '-', 'about 7'": ["1", "2", "3", "4", "-", "about 7"],
}


@pytest.mark.parametrize("sentence", TROUBLE)
def test_columns_that_are_text_by_accident(sentence):
    column = column_of(TROUBLE[sentence])
    table = Table({"x": column, "y": np.arange(float(len(column)))}, "t.csv")
    with pytest.raises(DataError, match=r"t\.csv: column 'x' " + ".*" + re.escape(sentence)):
        prepare(table)


@pytest.mark.parametrize(
    "words", [["a", "b"], ["1a", "2b"], ["1.2.3", "x"], ["3,5 or 4", "none"], ["a", "1"]]
)
def test_columns_that_are_words(words):
    column = column_of(words)
    assert kind_of(column) == "words"
    assert trouble_with("x", column) == ""


def test_infinite_numbers_are_refused():
    with pytest.raises(DataError, match="column 'x' is infinite in row 2: write NA"):
        prepare(Table({"x": column_of(["1", "inf", "2"])}))


# ---- cleaning ----------------------------------------------------------------------------------

X = np.array([1.0, 2, 2, 3, np.nan, 100])


@pytest.mark.parametrize(("how", "fill"), [("mean", 21.6), ("median", 2.0), ("most-frequent", 2.0)])
def test_missing_values_become(how, fill):
    table = Table({"x": X, "w": words_of(["b", "a", "b", None, "a", "c"])})
    preparation, told = prepare(table, Cleaning(missing=how, normalization="none", was_missing=True))
    found = preparation.apply(table).inputs
    assert preparation.inputs == ["x", "x was missing", "w=a", "w=b", "w=c", "w was missing"]
    np.testing.assert_allclose(found[:, 0], np.where(np.isnan(X), fill, X), rtol=1e-6)
    assert found[:, 1].tolist() == [0, 0, 0, 0, 1, 0]
    assert found[3].tolist() == [3, 0, 1, 0, 0, 1]  # of a and b, which are as frequent, the first
    assert f"x: 1 missing value becomes {fill:g}, and a further input tells where" in told


def test_rows_with_missing_values_are_dropped():
    table = Table({"x": X, "w": words_of(["b", "a", "b", None, "a", "c"])})
    preparation, told = prepare(table, Cleaning(missing="drop", normalization="none", was_missing=True))
    assert preparation.inputs == ["x", "w=a", "w=b", "w=c"]
    found = preparation.apply(table)
    assert found.kept.tolist() == [True, True, True, False, False, True]
    assert found.inputs[:, 0].tolist() == [1, 2, 2, 100]
    assert "missing values: 2 of 6 rows left out" in told
    assert found.told == ["table: 2 of 6 rows left out, as they lack a value"]
    nothing = Table({"x": np.array([1, np.nan, 3]), "y": np.array([np.nan, 2, np.nan])}, "t")
    with pytest.raises(DataError, match=r"all 3 rows .* 'y' lacks most, 2: fill them"):
        prepare(nothing, Cleaning(missing="drop", keep_constant=True))


@pytest.mark.parametrize("rule", ["iqr", "z-score"])
def test_outliers_are_told_clipped_or_dropped(rule):
    values = np.array([*np.linspace(0, 1, 40), 50.0])
    table = Table({"x": values, "y": np.arange(41.0)})
    low, high = bounds(values, rule)
    if rule == "iqr":
        first, third = np.quantile(values, [0.25, 0.75])
        assert (low, high) == (2.5 * first - 1.5 * third, 2.5 * third - 1.5 * first)
    else:
        assert high == pytest.approx(values.mean() + 3 * values.std())
    options = {"outlier_rule": rule, "normalization": "none"}
    for what, word in (("report", "kept"), ("clip", "clipped"), ("drop", "left out")):
        preparation, told = prepare(table, Cleaning(outliers=what, **options))
        assert f"x: 1 outside of {low:g} to {high:g}, {word}" in told
        trained, seen = preparation.apply(table, training=True), preparation.apply(table)
        last = {"report": 50, "clip": high, "drop": 50}[what]
        assert seen.inputs[-1, 0] == pytest.approx(last, rel=1e-6)
        assert len(trained.inputs) == (40 if what == "drop" else 41)
        assert len(seen.inputs) == 41  # only training leaves them out
    preparation, _ = prepare(table, Cleaning(outliers="drop", outlier_rule=rule))
    assert preparation.columns[0].center == pytest.approx(0.5)  # of the rows that are left


def test_constant_columns_are_dropped():
    table = Table({"x": np.array([1.0, 2]), "c": np.array([3.0, 3]), "n": np.array([np.nan] * 2),
                   "w": words_of(["a", "a"])})  # fmt: skip
    preparation, told = prepare(table)
    assert preparation.inputs == ["x"]
    assert told[:3] == ["c: left out, as it is 3.0 everywhere", "n: left out, as it has no value",
                        "w: left out, as it is a everywhere"]  # fmt: skip
    assert prepare(table, Cleaning(keep_constant=True))[0].inputs == ["x", "c", "w=a"]
    assert np.isfinite(prepare(table, Cleaning(keep_constant=True))[0].apply(table).inputs).all()
    with pytest.raises(DataError, match="no column is left to learn from"):
        prepare(table.without(["x"]))


@pytest.mark.parametrize("how", NORMALIZATIONS)
def test_normalization_puts_its_marks_at_0_and_1(how):
    values = np.random.default_rng(0).normal(3, 7, 49)
    center, scale = center_and_scale(values, how)
    x = (values - center) / scale
    first, median, third = np.sort(x)[[12, 24, 36]]
    marks = {"standard": (x.mean(), x.std()), "min-max": (x.min(), x.max()),
             "robust": (median, third - first), "none": (x[0] - values[0], x[-1] / values[-1])}  # fmt: skip
    assert marks[how] == pytest.approx((0, 1), abs=1e-12)
    assert center_and_scale(np.full(3, 2.0), how)[1] == 1


@pytest.mark.parametrize("cleaning", [
    Cleaning(), Cleaning(missing="drop"), Cleaning(missing="mean", was_missing=True, outliers="clip"),
    Cleaning(outliers="drop", outlier_rule="z-score", normalization="min-max"),
    Cleaning(normalization="robust", keep_constant=True), Cleaning(normalization="none"),
])  # fmt: skip
def test_what_is_learned_is_of_the_training_part_and_fits_json(cleaning):
    table = load_penguins()
    rows = np.arange(len(table))
    train, test = table.rows(rows < 200), table.rows(rows >= 200)
    preparation, _ = prepare(train, cleaning)
    again = Preparation.from_dict(json.loads(json.dumps(preparation.to_dict())))
    assert again == preparation
    mean = train.rows(preparation.apply(train, training=True).kept)["bill_length_mm"]
    if cleaning.normalization == "standard" and cleaning.outliers == "report":
        filled = np.where(np.isnan(mean), again.columns[2].fill or 0, mean)
        assert again.columns[2].center == pytest.approx(filled.mean())
    whole = preparation.apply(test).inputs
    alone = np.concatenate([again.apply(test.rows(slice(i, i + 1))).inputs for i in range(len(test))])
    np.testing.assert_array_equal(whole, alone)  # a row does not depend on those beside it
    assert np.isfinite(whole).all()
    assert whole.dtype == np.float32
    assert whole.shape[1] == len(preparation.inputs)


def test_new_rows_that_do_not_fit():
    table = load_penguins()
    preparation, _ = prepare(table)
    with pytest.raises(
        DataError, match="lacks the columns bill_length_mm, sex, which the model was trained with"
    ):
        preparation.apply(table.without(["sex", "bill_length_mm"]))
    row = table.rows(slice(1))
    other = Table({**row.columns, "bill_length_mm": words_of(["long"])}, "new.csv")
    with pytest.raises(
        DataError, match=r"new\.csv: column 'bill_length_mm' was of numbers .* here it has 'long'"
    ):
        preparation.apply(other)
    other = Table({**row.columns, "island": words_of(["Coronation"])}, "new.csv")
    found = preparation.apply(other)
    assert found.told == ["new.csv: island has words that the training had not: 'Coronation'"]
    places = [name.startswith("island=") for name in preparation.inputs]
    assert not found.inputs[0, places].any()
    nothing = Table({**row.columns, "bill_length_mm": words_of([None])})
    length = preparation.columns[2]
    filled = preparation.apply(nothing).inputs[0, preparation.inputs.index("bill_length_mm")]
    assert filled == pytest.approx((length.fill - length.center) / length.scale)


def test_words_that_look_like_numbers_later_are_words():
    preparation, _ = prepare(Table({"w": column_of(["1", "x", "y"])}))
    assert preparation.apply(Table({"w": column_of(["2", "1"])})).inputs.tolist() == [[0, 0, 0], [1, 0, 0]]


def test_too_many_words_are_refused():
    table = Table({"name": words_of([f"w{i}" for i in range(MOST_WORDS + 1)])})
    with pytest.raises(DataError, match=r"'name' has 101 different words, .* --leave-out name"):
        prepare(table)


def test_duplicates_and_columns():
    table = Table({"x": np.array([1, 1, np.nan, np.nan, 1]), "w": words_of(["a", "a", "b", "b", None])}, "t")
    assert table.duplicates().tolist() == [False, True, False, True, False]
    with pytest.raises(DataError, match="t: no column 'y'; there are x, w"):
        table.without(["y"])
    assert table.fingerprint() != table.rows([0, 1, 2, 3, 3]).fingerprint()


def test_units_and_sizes_that_are_refused():
    assert "'kg' follows each of its numbers, as in '12 kg'" in trouble_with(
        "x", column_of(["12 kg", "7kg", "9.5 kg"])
    )
    assert trouble_with("x", column_of(["3a", "3b", "4a"])) == ""
    assert "1e+31 in row 2, more than 1e+30" in trouble_with("x", np.array([1.0, 1e31]))
    with pytest.raises(DataError, match="a has two values, '1' and '2'"):
        rows_of_words(["a=1,a=2"], "predict")


@pytest.mark.parametrize("normalization", [name for name in NORMALIZATIONS if name != "none"])
def test_center_and_scale_are_of_what_the_network_sees(normalization):
    """Filled first, then clipped."""
    values = np.array([np.nan, 1.0, 2.0, 4.0, 1000.0, -500.0])
    for outliers, seen in (("clip", [2, 1, 2, 4, 5, 0]), ("report", [2, 1, 2, 4, 1000, -500])):
        found = learn_numbers(
            "x", values, (0.0, 5.0), Cleaning(outliers=outliers, normalization=normalization)
        )
        expected = center_and_scale(np.array(seen, float), normalization)
        assert found.fill == 2 and (found.center, found.scale) == pytest.approx(expected)
