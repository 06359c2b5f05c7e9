"""Cleaning: each step is learned from the training part, kept as plain numbers, and applied to every part.

A step that looked at the test part would tell the network something of it: the figures would be too good.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..dataset import DataError
from .normalization import NORMALIZATIONS, center_and_scale
from .table import Table, as_words, is_missing, trouble_with

MISSING = {
    "drop": "leave out the row",
    "mean": "",
    "median": "",
    "most-frequent": "of words always this one, but for drop",
}
OUTLIERS = {"report": "", "clip": "to the bounds", "drop": "leave out the row, of the training part only"}
RULES = {"iqr": "1.5 times the box beyond its quartiles", "z-score": "3 deviations beyond the mean"}
MOST_WORDS = 100  # of one column that become inputs


@dataclass(frozen=True)
class Cleaning:
    """What is done to the columns that a network sees; see the words above."""

    missing: str = "median"
    was_missing: bool = False  # a further input: 1 where the value was missing
    keep_constant: bool = False
    outliers: str = "report"
    outlier_rule: str = "iqr"
    normalization: str = "standard"

    def __post_init__(self) -> None:
        for name, known in (("missing", MISSING), ("outliers", OUTLIERS), ("outlier_rule", RULES),
                            ("normalization", NORMALIZATIONS)):  # fmt: skip
            if getattr(self, name) not in known:
                raise ValueError(
                    f"Cleaning: {name} must be one of {', '.join(known)}, got {getattr(self, name)!r}"
                )


@dataclass(frozen=True)
class Numbers:
    """A column of numbers, as it is prepared: x ← (clip(x or fill) − center) / scale.

    `low` and `high` are the bounds beyond which a value is an outlier; None: there are none.
    """

    name: str
    fill: float | None
    was_missing: bool
    low: float | None
    high: float | None
    center: float
    scale: float

    @property
    def inputs(self) -> list[str]:
        return [self.name] + [f"{self.name} was missing"] * self.was_missing


@dataclass(frozen=True)
class Words:
    """A column of words, as it is prepared: one input for each word, 1 where it stands; see `Numbers`.

    A word that the training part has not is 0 everywhere, as is a missing one without `fill`.
    """

    name: str
    fill: str | None
    was_missing: bool
    words: tuple[str, ...]

    @property
    def inputs(self) -> list[str]:
        return [f"{self.name}={word}" for word in self.words] + [
            f"{self.name} was missing"
        ] * self.was_missing


Column = Numbers | Words
Limits = tuple[float, float] | tuple[None, None]


def learn_numbers(name: str, values: np.ndarray, limits: Limits, cleaning: Cleaning) -> Numbers:
    """From the values (N,) of the training part, NaN where missing; one at least is there.

    Center and scale are of what the network sees: filled, and clipped to `limits` where that is asked for.
    """
    there = values[~np.isnan(values)]
    fill = None if cleaning.missing == "drop" else _fill(there, cleaning.missing)
    seen = there if fill is None else np.where(np.isnan(values), fill, values)
    low, high = limits
    if cleaning.outliers == "clip" and low is not None:
        seen = np.clip(seen, low, high)
    center, scale = center_and_scale(seen, cleaning.normalization)
    return Numbers(name, fill, _tells(values, cleaning), low, high, center, scale)


def learn_words(name: str, values: np.ndarray, cleaning: Cleaning) -> Words:
    """From the words (N,) of the training part, None where missing; one at least is there.

    Raises DataError for more than `MOST_WORDS` different ones.
    """
    counts = Counter(values[~is_missing(values)].tolist())
    if len(counts) > MOST_WORDS:
        raise DataError(
            f"column {name!r} has {len(counts)} different words, too many for one input each: group them, or "
            f"leave the column out: --leave-out {name}"
        )
    fill = None if cleaning.missing == "drop" else min(counts, key=lambda word: (-counts[word], word))
    return Words(name, fill, _tells(values, cleaning), tuple(sorted(counts)))


def _tells(values: np.ndarray, cleaning: Cleaning) -> bool:
    """Whether a further input tells where a value was missing: only if one was, and is not left out."""
    return cleaning.was_missing and cleaning.missing != "drop" and bool(is_missing(values).any())


def _fill(there: np.ndarray, how: str) -> float:
    if how == "most-frequent":
        values, counts = np.unique(there, return_counts=True)
        return float(values[counts.argmax()])
    return float(there.mean() if how == "mean" else np.median(there))


def bounds(values: np.ndarray, rule: str) -> Limits:
    """[q₁ − 1.5 (q₃ − q₁), q₃ + 1.5 (q₃ − q₁)] of the quartiles (Tukey 1977), or μ ± 3 σ: what lies beyond is
    an outlier. (None, None) where half of the values, or all, are one; NaN counts for nothing."""
    there = values[~np.isnan(values)]
    if rule == "iqr":
        first, third = np.quantile(there, [0.25, 0.75])
        low, high = first - 1.5 * (third - first), third + 1.5 * (third - first)
    else:
        low, high = there.mean() - 3 * there.std(), there.mean() + 3 * there.std()
    return (float(low), float(high)) if high > low else (None, None)


@dataclass(frozen=True)
class Prepared:
    """What a network sees: `inputs` (rows, F) float32 of the rows `kept` (N,); and what is to be told."""

    inputs: np.ndarray
    kept: np.ndarray
    told: list[str]


@dataclass(frozen=True)
class Preparation:
    """All steps, as they were learned by `prepare`. `to_dict` is what JSON can hold."""

    cleaning: Cleaning
    columns: tuple[Column, ...]

    @property
    def inputs(self) -> list[str]:
        """The names of the numbers that a network sees, in their order."""
        return [name for column in self.columns for name in column.inputs]

    def to_dict(self) -> dict[str, Any]:
        columns = [{"kind": type(column).__name__.lower(), **asdict(column)} for column in self.columns]
        for column in columns:
            if "words" in column:
                column["words"] = list(column["words"])
        return {"cleaning": asdict(self.cleaning), "columns": columns}

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Preparation:
        columns = list[Column]()
        for entry in found["columns"]:
            rest = {name: value for name, value in entry.items() if name != "kind"}
            if entry["kind"] == "words":
                columns.append(Words(**rest | {"words": tuple(rest["words"])}))
            else:
                columns.append(Numbers(**rest))
        return cls(Cleaning(**found["cleaning"]), tuple(columns))

    def apply(self, table: Table, training: bool = False) -> Prepared:
        """The rows of `table` as a network sees them.

        Left out are rows without a value, where the cleaning says so, and in `training` outliers. Raises
        DataError for a table that lacks a column, or has words where numbers were.
        """
        lacking = [column.name for column in self.columns if column.name not in table.columns]
        if lacking:
            raise DataError(
                f"{table.name}: lacks the column{'s' * (len(lacking) > 1)} {', '.join(lacking)}, which "
                "the model was trained with; where a value is not known, write the column and leave it empty"
            )
        kept, told, blocks = np.ones(len(table), bool), list[str](), list[np.ndarray]()
        for column in self.columns:
            values = _fitting(column, table)
            missing = is_missing(values)
            if self.cleaning.missing == "drop":
                kept &= ~missing
            if isinstance(column, Numbers):
                block = _numbers(column, values, self.cleaning.outliers == "clip")
                if training and self.cleaning.outliers == "drop":
                    kept &= ~beyond(values, (column.low, column.high))
            else:
                block, unseen = _one_hot(column, values)
                if unseen:
                    shown = ", ".join(map(repr, unseen[:3])) + ", ..." * (len(unseen) > 3)
                    told.append(f"{table.name}: {column.name} has words that the training had not: {shown}")
            blocks += [block] + [missing[:, None]] * column.was_missing
        inputs = np.concatenate(blocks, axis=1)[kept] if blocks else np.zeros((len(table), 0))
        if not training and not kept.all():
            told.append(f"{table.name}: {(~kept).sum()} of {len(kept)} rows left out, as they lack a value")
        return Prepared(inputs.astype(np.float32), kept, told)


def _fitting(column: Column, table: Table) -> np.ndarray:
    """The column of `table` in the kind that was learned."""
    values = table[column.name]
    if isinstance(column, Words):
        return as_words(values)
    if values.dtype.kind == "f":
        if np.isinf(values).any():
            raise DataError(f"{table.name}: {trouble_with(column.name, values)}")
        return values
    there = values[~is_missing(values)]
    if len(there):
        raise DataError(
            f"{table.name}: column {column.name!r} was of numbers in the training, and here it has "
            f"{there[0]!r}"
        )
    return np.full(len(values), np.nan)


def _numbers(column: Numbers, values: np.ndarray, clip: bool) -> np.ndarray:
    values = np.where(np.isnan(values), np.nan if column.fill is None else column.fill, values)
    if clip and column.low is not None:
        values = np.clip(values, column.low, column.high)
    return ((values - column.center) / column.scale)[:, None]


def beyond(values: np.ndarray, limits: tuple[float | None, float | None]) -> np.ndarray:
    """(N,) bool: where a value is an outlier."""
    low, high = limits
    if low is None or high is None:
        return np.zeros(len(values), bool)
    return np.asarray((values < low) | (values > high))


def _one_hot(column: Words, values: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """((N, words) of 0 and 1, the words that are none of them)."""
    filled = np.where(is_missing(values), column.fill, values) if column.fill is not None else values
    block = np.stack([np.equal(filled, word).astype(bool) for word in column.words], axis=1)
    there = set(filled[~is_missing(filled)].tolist())
    return block, sorted(there - set(column.words))
