"""Tables from files: CSV, TSV and Parquet by pandas (an extra), and the embedded penguins without it."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from ..dataset import DataError
from .table import MISSING, Table, column_of, words_of

PENGUINS = "penguins"
ENDINGS = (".csv", ".tsv", ".parquet")
MOST_CELLS = 50_000_000  # rows × columns: 400 MB of numbers
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "|"}
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def load_penguins() -> Table:
    """The 344 Palmer penguins, with their 19 missing values; see PENGUINS.md. Needs no pandas."""
    with resources.files(__package__).joinpath("penguins.csv").open(encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    columns = zip(header, zip(*rows, strict=True), strict=True)
    return Table({name: column_of(cells) for name, cells in columns}, PENGUINS)


def holds_table(name: str) -> bool:
    """Whether `name` is that of the penguins, or of a file with the ending of a table."""
    return name == PENGUINS or name.lower().endswith(ENDINGS)


def read_table(name: str | os.PathLike[str], decimal_comma: bool = False) -> Table:
    """The table "penguins", or that of a file. Its first line names the columns.

    .csv and .tsv are UTF-8 (or UTF-16 with its mark); of comma, semicolon, tab and | the first line tells
    which parts the columns. With `decimal_comma` 3,5 is a number. Where a cell is empty, NA, NaN or null, the
    value is missing. Raises DataError for a file that is no table or too large, ImportError without pandas.
    """
    if name == PENGUINS:
        return load_penguins()
    path = Path(name)
    if not path.is_file():
        raise DataError(f"{path}: there is no such file, nor a table of this name; there is {PENGUINS}")
    kind = path.suffix.lower()
    if kind not in ENDINGS:
        raise DataError(
            f"{path}: a table is a file in {', '.join(ENDINGS)}, not {kind or 'one without ending'!r}"
        )
    if path.stat().st_size == 0:
        raise DataError(f"{path}: is empty; a table has a first line with the names of its columns")
    table = _read_parquet(path) if kind == ".parquet" else _read_text(path, decimal_comma)
    if len(table) == 0:
        raise DataError(f"{path}: has the names of {len(table.columns)} columns, but no row below them")
    return table


def _pandas() -> Any:
    try:
        import pandas  # type: ignore[import-untyped]
    except ImportError as error:
        raise ImportError("reading tables needs pandas: pip install 'tinygrad-notes[tables]'") from error
    return pandas


def _read_parquet(path: Path) -> Table:
    pandas = _pandas()
    try:
        from pyarrow import parquet  # type: ignore[import-untyped]
    except ImportError as error:
        raise ImportError("reading Parquet needs PyArrow: pip install pyarrow") from error
    try:
        about = parquet.read_metadata(path)
        _check_size(path, about.num_rows, about.num_columns)
        frame = pandas.read_parquet(path)
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: not a Parquet file ({' '.join(str(error).split())})") from error
    _check_header(path, [str(name) for name in frame.columns])
    return Table({str(name): _column(frame[name]) for name in frame.columns}, str(path))


def _read_text(path: Path, decimal_comma: bool) -> Table:
    pandas, encoding = _pandas(), _encoding(path)
    try:
        with path.open(encoding=encoding, newline="") as file:
            first = file.readline()
        delimiter = _delimiter(path, first)
        _check_rows(path, encoding, delimiter)
        frame = pandas.read_csv(
            path, sep=delimiter, encoding=encoding, decimal="," if decimal_comma else ".", low_memory=False,
            na_values=sorted(MISSING), keep_default_na=False, skipinitialspace=True, index_col=False,
        )  # fmt: skip
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: byte {error.start} is no UTF-8; save the file as UTF-8 (in a spreadsheet: CSV UTF-8)"
        ) from error
    except (csv.Error, pandas.errors.ParserError) as error:
        raise DataError(f"{path}: not a table of text ({' '.join(str(error).split())})") from error
    columns = {str(name).strip(): _column(frame[name], decimal_comma) for name in frame.columns}
    return Table(columns, str(path))


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(3)
    return next((name for mark, name in _MARKS.items() if start.startswith(mark)), "utf-8")


def _delimiter(path: Path, first: str) -> str:
    """What parts the names of the first line: the commonest of the usual ones."""
    found = max(DELIMITERS, key=first.count)
    if not first.count(found):
        known = ", ".join(DELIMITERS.values())
        raise DataError(
            f"{path}: the first line, {first.strip()[:40]!r}, names one column only: none of {known} is in "
            "it; a table needs two or more, with one of these between them"
        )
    return found


def _check_rows(path: Path, encoding: str, delimiter: str) -> None:
    """Raises DataError where a row has more or fewer cells than the header, which pandas would fill up."""
    with path.open(encoding=encoding, newline="") as file:
        rows = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
        header = [name.strip() for name in next(rows)]
        _check_header(path, header)
        count = 0
        for row in rows:
            if len(row) != len(header) and row:
                raise DataError(
                    f"{path}: line {rows.line_num} has {len(row)} cells, and the first line names "
                    f"{len(header)} columns, parted by {DELIMITERS[delimiter]}; quote a cell "
                    "that has one in it"
                )
            count += bool(row)
            if count * len(header) > MOST_CELLS:
                _check_size(path, count + sum(map(bool, rows)), len(header))


def _check_size(path: Path, rows: int, columns: int) -> None:
    if rows * columns > MOST_CELLS:
        raise DataError(
            f"{path}: {rows:,} rows of {columns} columns are {rows * columns:,} cells, more than the "
            f"{MOST_CELLS:,} that are held in memory; draw {MOST_CELLS // columns:,} rows of it or fewer"
        )


def _check_header(path: Path, header: Sequence[str]) -> None:
    twice = sorted({name for name in header if header.count(name) > 1})
    if "" in header:
        raise DataError(f"{path}: column {header.index('') + 1} has no name in the first line")
    if twice:
        raise DataError(f"{path}: two columns are called {twice[0]!r}; names must differ")
    if column_of(header).dtype.kind == "f":
        raise DataError(
            f"{path}: the first line, {', '.join(header[:4])}..., holds numbers; it must name the columns"
        )


def _column(series: Any, decimal_comma: bool = False) -> np.ndarray:
    """A column of pandas as ours: numbers, or words; what is neither is read from how it is written."""
    if series.dtype.kind in "iuf":
        return np.asarray(series.to_numpy(np.float64, na_value=np.nan))
    cells = [None if cell is None or cell != cell else str(cell) for cell in series.astype(object)]
    if series.dtype.kind == "b":
        return words_of(cells)
    if decimal_comma:
        swapped = column_of([cell and cell.replace(",", ".") for cell in cells])
        return swapped if swapped.dtype.kind == "f" else column_of(cells)
    return column_of(cells)


def rows_of_words(words: Sequence[str], name: str) -> Table:
    """A table of rows that a user types: "island=Dream,body_mass_g=3750" each; what is left out is missing.

    Raises DataError for one that is not of this form.
    """
    rows = [dict(_pairs(word, name)) for word in words]
    names = dict.fromkeys(key for row in rows for key in row)
    return Table({key: column_of([row.get(key) for row in rows]) for key in names}, name)


def _pairs(word: str, name: str) -> Iterator[tuple[str, str]]:
    for cell in next(csv.reader([word])):
        key, equals, value = cell.partition("=")
        if not (equals and key.strip()):
            raise DataError(
                f"{name}: {cell!r} is neither a table ({', '.join(ENDINGS)}) nor of the form column=value"
            )
        yield key.strip(), value
