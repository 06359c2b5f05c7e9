"""From a table to its three parts: rows with a target, split, cleaned by what the training part says."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...data import DataError, held_out
from ...data.split import in_turns
from ...data.tables import Preparation, Table, is_missing, prepare, read_table
from ...data.tables.table import as_words, trouble_with
from ...train.options import RunError
from ...train.task import Parts
from .settings import Settings

Facts = dict[str, Any]
FEW = 10  # different whole numbers: they may be classes


@dataclass(frozen=True)
class Rows:
    """Inputs (N, F) float32 and targets: classes (N,) int64, or (N, 1) float32; and what is to be told."""

    inputs: np.ndarray
    targets: np.ndarray
    told: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: Any) -> tuple[np.ndarray, np.ndarray]:
        return self.inputs[index], self.targets[index]

    def fingerprint(self) -> str:
        digest = hashlib.blake2b(str(self.inputs.shape).encode(), digest_size=16)
        for values in (self.inputs, self.targets):
            digest.update(np.ascontiguousarray(values))
        return digest.hexdigest()


def load(settings: Settings, facts: Facts | None) -> Parts:
    """The parts. With the facts of a run, another table than its own is a test part as a whole."""
    told = list[str]()
    whole = read_table(settings.data, settings.decimal_comma)
    table = learnable(whole, settings, facts, told)
    if facts is not None and facts["table"] != table.fingerprint():
        rows = rows_of(table, facts)
        return Parts(rows, None, rows, facts)
    labels = _labels(table, settings)
    parts = _split(table, labels, settings)
    if facts is None:
        facts = _learn(table.fingerprint(), parts["train"], labels, settings, told)
    if isinstance(settings.validation, str):
        own = learnable(read_table(settings.validation, settings.decimal_comma), settings, facts, [])
        if settings.limit is not None:
            own = own.rows(in_turns(_strata(own, labels is None, settings), settings.limit))
        parts["validation"] = own
    ready = {name: rows_of(part, facts, name == "train") for name, part in parts.items()}
    for name, part in ready.items():
        if len(part) == 0:
            hint = "" if name == "train" else f"; do without it by --{name} none"
            raise DataError(f"{settings.data}: {len(table)} rows leave none for the {name} part{hint}")
    return Parts(ready["train"], ready.get("validation"), ready.get("test"), facts)


def learnable(table: Table, settings: Settings, facts: Facts | None, told: list[str]) -> Table:
    """The columns that are used, and the rows that have a target, each once where duplicates are dropped."""
    target, others = settings.target, ", ".join(table.columns)
    if target is None:
        raise RunError(f"--target must say which column is to be predicted; {table.name} has {others}")
    if target not in table.columns:
        raise DataError(f"{table.name}: there is no column {target!r} to predict; there are {others}")
    if target in settings.left_out:
        raise RunError(f"--leave-out names {target}, which is the target; leave it out there")
    if facts is None:
        table = table.without(settings.left_out)
        for name, values in table.columns.items():
            if trouble := trouble_with(name, values):
                raise DataError(f"{table.name}: {trouble}")
    there = ~is_missing(table[target])
    if not there.any():
        raise DataError(f"{table.name}: the target {target!r} has no value in any of the {len(there)} rows")
    if not there.all():
        told.append(f"{target}: {(~there).sum()} of {len(there)} rows left out, which have no target")
        table = table.rows(there)
    if (not settings.keep_duplicates and facts is None) or (facts and not facts["keep_duplicates"]):
        again = table.duplicates()
        if again.any():
            told.append(f"duplicates: {again.sum()} of {len(again)} rows left out")
            table = table.rows(~again)
    return table


def _labels(table: Table, settings: Settings) -> np.ndarray | None:
    """The target as words, where it is to be classes; None for a number. Raises DataError for neither."""
    target, values = str(settings.target), table[str(settings.target)]
    different = len(set(values.tolist()))
    if different == 1:
        raise DataError(
            f"{table.name}: the target {target!r} is {as_words(values)[0]!r} in all {len(values)} rows, so "
            "there is nothing to tell apart"
        )
    numbers = values.dtype.kind == "f"
    if settings.goal == "number" and not numbers:
        raise DataError(f"{table.name}: the target {target!r} is words, such as {values[0]!r}, and no number")
    if settings.goal == "number" or (settings.goal is None and numbers):
        return None
    if len(values) > FEW and 2 * different > len(values):
        raise DataError(
            f"{table.name}: the target {target!r} has {different} different values in {len(values)} rows: "
            f"too many to be classes{'; --goal number takes it as a quantity' * numbers}"
        )
    return as_words(values)


def _split(table: Table, labels: np.ndarray | None, settings: Settings) -> dict[str, Table]:
    """Each part holds every class, or every tenth of a number, as often as the whole does.

    So do the first rows of a part (--limit).
    """
    strata = _strata(table, labels is None, settings)
    test = held_out(strata, settings.test or 0, settings.seed)
    rest = np.flatnonzero(~test)
    share = 0 if isinstance(settings.validation, str) else settings.validation or 0
    held = held_out(strata[rest], share, settings.seed)
    places = {"train": rest[~held], "validation": rest[held], "test": np.flatnonzero(test)}
    found = dict[str, Table]()
    for name, chosen in places.items():
        wanted = {"train": 1, "validation": share, "test": settings.test}[name]
        if len(chosen) or wanted:
            rows = table.rows(chosen[in_turns(strata[chosen], settings.limit)])
            found[name] = replace(rows, name=f"{table.name} ({name} part)")
    return found


def _strata(table: Table, numbers: bool, settings: Settings) -> np.ndarray:
    """(N,) the class of each row, or in which tenth its number lies."""
    values = table[str(settings.target)]
    return _tenths(values) if numbers else np.unique(as_words(values).astype(str), return_inverse=True)[1]


def _tenths(values: np.ndarray) -> np.ndarray:
    """(N,) 0 to 9: in which tenth of all numbers each lies, so that every part has small and large ones."""
    return np.argsort(np.argsort(values, kind="stable"), kind="stable") * 10 // max(len(values), 1)


def _learn(
    fingerprint: str, train: Table, labels: np.ndarray | None, settings: Settings, told: list[str]
) -> Facts:
    """What follows from the training part: cleaning, and classes, or mean and deviation of a number."""
    target = str(settings.target)
    if len(train) == 0:
        raise DataError(f"{settings.data}: no row is left for the training part")
    preparation, steps = prepare(train.without([target]), settings.cleaning)
    facts: Facts = {"table": fingerprint, "target": target, "keep_duplicates": settings.keep_duplicates,
                    "preparation": preparation.to_dict(), "inputs": preparation.inputs}  # fmt: skip
    values = train[target]
    if labels is None:
        scale = float(values.std())
        facts |= {
            "mean": float(values.mean()),
            "std": scale if scale > 0 else 1.0,
            "loss": settings.loss or "mse",
        }
        whole = {value for value in values.tolist() if value.is_integer()}
        if settings.goal is None and len(whole) == len(set(values.tolist())) <= FEW:
            told.append(
                f"{target}: {len(whole)} different whole numbers; --goal classes tells them apart instead"
            )
    else:
        if settings.loss is not None:
            raise RunError(f"--loss is of numbers, and {target} is classes: leave it out (or: --goal number)")
        order: Callable[[str], Any] = float if values.dtype.kind == "f" else str
        facts["classes"] = sorted(set(labels.tolist()), key=order)
    return facts | {"report": told + steps}


def rows_of(table: Table, facts: Facts, training: bool = False) -> Rows:
    """The rows of `table`, cleaned, with their targets. Raises DataError for a target that does not fit."""
    found = Preparation.from_dict(facts["preparation"]).apply(table, training)
    values = table[facts["target"]][found.kept]
    if "classes" in facts:
        numbers = {name: i for i, name in enumerate(facts["classes"])}
        words = as_words(values).tolist()
        unknown = next((word for word in words if word not in numbers), None)
        if unknown is not None:
            known = ", ".join(facts["classes"][:5]) + ", ..." * (len(numbers) > 5)
            raise DataError(
                f"{table.name}: the target {facts['target']} has {unknown!r}, which is none of the "
                f"{len(numbers)} classes of the training part ({known})"
            )
        return Rows(found.inputs, np.array([numbers[word] for word in words], np.int64), found.told)
    if values.dtype.kind != "f" or not all(map(math.isfinite, values.tolist())):
        raise DataError(f"{table.name}: the target {facts['target']} must be finite numbers")
    scaled = (values - facts["mean"]) / facts["std"]
    return Rows(found.inputs, scaled.astype(np.float32)[:, None], found.told)
