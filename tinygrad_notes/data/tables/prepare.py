"""From the training part to a `Preparation`, and a report of every step."""

from __future__ import annotations

import numpy as np

from ..dataset import DataError
from .cleaning import (
    Cleaning,
    Column,
    Limits,
    Numbers,
    Preparation,
    beyond,
    bounds,
    learn_numbers,
    learn_words,
)
from .table import Table, is_missing, trouble_with


def prepare(train: Table, cleaning: Cleaning | None = None) -> tuple[Preparation, list[str]]:
    """What is learned from the columns of `train`, and a line of text for each step that found something.

    Raises DataError for a column that nothing can be learned from as it is (dates, numbers that are text by
    accident, ∞), and where no column or no row is left.
    """
    cleaning = Cleaning() if cleaning is None else cleaning
    for name, values in train.columns.items():
        if trouble := trouble_with(name, values):
            raise DataError(f"{train.name}: {trouble}")
    told = list[str]()
    used = _varying(train, cleaning, told)
    if cleaning.missing == "drop":
        train = _complete(train, used, told)
    limits = {name: bounds(train[name], cleaning.outlier_rule) for name in used if _is_number(train, name)}
    train = _without_outliers(train, limits, cleaning.outliers, told)
    columns = list[Column]()
    for name in used:
        try:
            if name in limits:
                columns.append(learn_numbers(name, train[name], limits[name], cleaning))
            else:
                columns.append(learn_words(name, train[name], cleaning))
        except DataError as error:
            raise DataError(f"{train.name}: {error}") from error
    told += [_filled(column, train) for column in columns if is_missing(train[column.name]).any()]
    told += [
        f"{column.name}: {len(column.words)} words become {len(column.words)} inputs"
        for column in columns
        if not isinstance(column, Numbers)
    ]
    if limits and cleaning.normalization != "none":
        told.append(f"normalization: {cleaning.normalization}, of {len(limits)} columns of numbers")
    return Preparation(cleaning, tuple(columns)), told


def _is_number(table: Table, name: str) -> bool:
    return table[name].dtype.kind == "f"


def _varying(train: Table, cleaning: Cleaning, told: list[str]) -> list[str]:
    """The names of the columns that say anything: not those without a value, or with one only."""
    used = list[str]()
    for name, values in train.columns.items():
        there = values[~is_missing(values)]
        if len(there) == 0:
            told.append(f"{name}: left out, as it has no value")
        elif (there == there[0]).all() and not cleaning.keep_constant:
            told.append(f"{name}: left out, as it is {there[0]!s} everywhere")
        else:
            used.append(name)
    if not used:
        raise DataError(
            f"{train.name}: no column is left to learn from ({'; '.join(told) or 'there is none'})"
        )
    return used


def _complete(train: Table, used: list[str], told: list[str]) -> Table:
    """The rows that have every value. Raises DataError if there is none."""
    counts = {name: int(is_missing(train[name]).sum()) for name in used}
    whole = ~np.any([is_missing(train[name]) for name in used], axis=0)
    if not whole.any():
        worst = max(counts, key=lambda name: counts[name])
        raise DataError(
            f"{train.name}: all {len(train)} rows of the training part lack a value, so that none is left "
            f"without them; {worst!r} lacks most, {counts[worst]}: fill them (--missing median), or "
            f"leave that column out: --leave-out {worst}"
        )
    if not whole.all():
        told.append(f"missing values: {(~whole).sum()} of {len(whole)} rows left out")
    return train.rows(whole)


def _filled(column: Column, train: Table) -> str:
    count = int(is_missing(train[column.name]).sum())
    fill = f"{column.fill:g}" if isinstance(column.fill, float) else column.fill
    further = ", and a further input tells where" if column.was_missing else ""
    return (
        f"{column.name}: {count} missing {'value becomes' if count == 1 else 'values become'} {fill}{further}"
    )


def _without_outliers(train: Table, limits: dict[str, Limits], what: str, told: list[str]) -> Table:
    """The rows without one, where `what` is "drop", else all. Raises DataError where none is left."""
    found = {name: beyond(train[name], each) for name, each in limits.items()}
    done = {"report": "kept", "clip": "clipped", "drop": "left out"}[what]
    told += [
        f"{name}: {found[name].sum()} outside of {low:g} to {high:g}, {done}"
        for name, (low, high) in limits.items()
        if found[name].any()
    ]
    if what != "drop" or not found:
        return train
    kept = ~np.any(list(found.values()), axis=0)
    if not kept.any():
        raise DataError(
            f"{train.name}: each of the {len(train)} rows of the training part has an outlier, so that none "
            "is left: --outliers clip or report"
        )
    return train.rows(kept)
