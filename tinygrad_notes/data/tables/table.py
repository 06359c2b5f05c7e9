"""A table: columns of one length, each of numbers or of words."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..dataset import DataError

# How files write what is not there; PyArrow and pandas know the same words.
MISSING = frozenset({"", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "<NA>", "#N/A"})
_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf|infinity)", re.IGNORECASE)
_DATE = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}(?:[T ].*)?|\d{4}/\d{1,2}/\d{1,2}.*|\d{1,2}[./]\d{1,2}[./](?:\d{4}|\d{2})(?: .*)?"
)


@dataclass(frozen=True)
class Table:
    """`columns` by name: float64 with NaN where a number is missing, or words (object) with None.

    `name` is what errors call it, such as the path of its file.
    """

    columns: Mapping[str, np.ndarray]
    name: str = "table"

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __getitem__(self, column: str) -> np.ndarray:
        """The values of one column. Raises DataError for an unknown one."""
        if column not in self.columns:
            raise DataError(f"{self.name}: no column {column!r}; there are {', '.join(self.columns)}")
        return self.columns[column]

    def rows(self, index: Any) -> Table:
        """The rows at `index`, an array of places or of True and False."""
        return Table({name: values[index] for name, values in self.columns.items()}, self.name)

    def without(self, names: Iterable[str]) -> Table:
        """All columns but `names`. Raises DataError for one that is not there."""
        left = dict(self.columns)
        for name in names:
            self[name]
            left.pop(name, None)
        return Table(left, self.name)

    def duplicates(self) -> np.ndarray:
        """(N,) bool: True for each row that stood before, letter by letter. Two missing values are equal."""
        seen, found = set[tuple[Any, ...]](), np.zeros(len(self), bool)
        columns = [column.tolist() for column in self.columns.values()]
        for i, row in enumerate(zip(*columns, strict=True)):
            key = tuple(None if isinstance(cell, float) and math.isnan(cell) else cell for cell in row)
            found[i] = key in seen
            seen.add(key)
        return found

    def fingerprint(self) -> str:
        """A digest (BLAKE2b) of names and values: another one wherever any of them differs."""
        digest = hashlib.blake2b(json.dumps(list(self.columns)).encode(), digest_size=16)
        for values in self.columns.values():
            numbers = values.dtype.kind == "f"
            digest.update(values.tobytes() if numbers else json.dumps(values.tolist()).encode())
        return digest.hexdigest()


def is_missing(values: np.ndarray) -> np.ndarray:
    """(N,) bool: where a column has no value."""
    return np.isnan(values) if values.dtype.kind == "f" else np.array([v is None for v in values], bool)


def column_of(cells: Sequence[str | None]) -> np.ndarray:
    """Cells of a file as a column: numbers, if all that are there read as such, else words."""
    stripped = [None if cell is None or cell.strip() in MISSING else cell.strip() for cell in cells]
    there = {cell for cell in stripped if cell is not None}
    if all(map(_NUMBER.fullmatch, there)):
        return np.array([math.nan if cell is None else float(cell) for cell in stripped], np.float64)
    return words_of(stripped)


def words_of(words: Sequence[str | None]) -> np.ndarray:
    """(N,) object, which NumPy makes of words of one length as well."""
    column = np.empty(len(words), object)
    column[:] = words
    return column


def as_words(values: np.ndarray) -> np.ndarray:
    """A column as words: the number 3 is written "3", a missing one stays missing."""
    if values.dtype.kind != "f":
        return values
    return words_of([None if math.isnan(v) else str(int(v)) if v.is_integer() else repr(v)
                     for v in values.tolist()])  # fmt: skip


def kind_of(values: np.ndarray) -> str:
    """ "numbers", "words" or "dates"."""
    if values.dtype.kind == "f":
        return "numbers"
    there = {word for word in values.tolist() if word is not None}
    return "dates" if sum(map(bool, map(_DATE.fullmatch, there))) > 0.9 * len(there) else "words"


def trouble_with(name: str, values: np.ndarray) -> str:
    """Why a network cannot learn from this column as it is, and what to do; "" where it can.

    Dates; numbers that are text by accident, such as 3,5; and infinite ones.
    """
    if values.dtype.kind == "f":
        infinite = np.flatnonzero(np.isinf(values))
        if len(infinite):
            return (
                f"column {name!r} is infinite in row {infinite[0] + 1}: write NA where nothing was measured"
            )
        return ""
    there = sorted({word for word in values.tolist() if word is not None})
    if kind_of(values) == "dates":
        return (
            f"column {name!r} holds dates, such as {there[0]!r}, which are no quantities: write what matters "
            "of them as numbers (year, month, days since the first), or leave the column out: "
            f"--leave-out {name}"
        )
    numbers = [word for word in there if _NUMBER.fullmatch(word)]
    others = [word for word in there if not _NUMBER.fullmatch(word)]
    commas = [word for word in others if _NUMBER.fullmatch(word.replace(",", ".", 1))]
    if 2 * len(commas) > len(others) and 2 * (len(numbers) + len(commas)) > len(there):
        return (
            f"column {name!r} is text by accident: {commas[0]!r} has a comma where a number has a point; "
            "pass --decimal-comma if all numbers of the file are written so, or mend the file"
        )
    if len(numbers) > len(others):
        shown = ", ".join(map(repr, others[:3])) + ", ..." * (len(others) > 3)
        return (
            f"column {name!r} is text by accident: most of it are numbers, but not {shown}; "
            "write NA for what is missing and numbers without units"
        )
    return ""
