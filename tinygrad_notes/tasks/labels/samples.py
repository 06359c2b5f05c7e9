"""Labeled sequences from files: texts, or series of numbers, of different lengths."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...data import DataError, held_out
from ...data.split import in_turns
from ...data.tables.table import LARGEST
from ...data.text import Ragged, Sequences, Vocabulary, read_rows, read_text, surnames
from ...train.options import RunError
from ...train.task import Parts
from .settings import SURNAMES, TRANSFORMER, Settings

TEST = 0.2  # share of the samples, of every class
SPECIALS = ("<pad>", "<unk>")


@dataclass(frozen=True)
class Samples:
    """Texts, or arrays (T, C), and the label of each."""

    values: Sequence[Any]
    labels: Sequence[str]

    @property
    def are_texts(self) -> bool:
        return isinstance(self.values[0], str)

    def at(self, index: np.ndarray) -> Samples:
        """The samples at `index`, in its order."""
        return Samples([self.values[i] for i in index], [self.labels[i] for i in index])


def load(settings: Settings, facts: dict[str, Any] | None) -> Parts:
    """The parts: a fifth of each class is the test, and of the rest a share is the validation.

    All take turns through the classes, so that the first samples, those up to the limit, hold every class.
    """
    samples = read(settings.data, settings.errors)
    test = held_out(_numbers(samples.labels), TEST, seed=0)
    found = {"train": samples.at(np.flatnonzero(~test)), "test": samples.at(np.flatnonzero(test))}
    if isinstance(settings.validation, str):
        found["validation"] = read(settings.validation, settings.errors)
    elif settings.validation:
        held = held_out(_numbers(found["train"].labels), settings.validation, settings.seed)
        rest, chosen = (found["train"].at(np.flatnonzero(part)) for part in (~held, held))
        found["train"], found["validation"] = rest, chosen
    for name, part in found.items():
        if not part.labels:
            raise DataError(f"{settings.data}: {len(samples.labels)} samples leave none for the {name} part")
    found = {name: part.at(in_turns(_numbers(part.labels), settings.limit)) for name, part in found.items()}
    if facts is None:
        facts = _facts(settings, found["train"])
    ready = {name: prepared(part, facts, f"{settings.data} ({name} part)") for name, part in found.items()}
    if settings.cell == TRANSFORMER:
        longest = max(int(part.lengths.max()) for part in ready.values())
        if longest > settings.places:
            raise RunError(
                f"{settings.data}: the longest sequence has {longest} steps, more than the {settings.places} "
                f"places of the transformer; pass --places {longest}"
            )
    return Parts(ready["train"], ready.get("validation"), ready["test"], facts)


def _facts(settings: Settings, train: Samples) -> dict[str, Any]:
    classes = sorted(set(train.labels))
    if len(classes) < 2:
        raise DataError(f"{settings.data}: all labels are {classes[0]!r}, so there is nothing to tell apart")
    if train.are_texts:
        found = Vocabulary.build((c for text in train.values for c in text), specials=SPECIALS)
        return {"classes": classes, "characters": found.to_dict()}
    steps = np.concatenate(train.values).astype(np.float64)
    std = steps.std(axis=0)
    return {"classes": classes, "mean": steps.mean(axis=0).tolist(),
            "std": np.where(std > 0, std, 1.0).tolist()}  # fmt: skip


def prepared(samples: Samples, facts: dict[str, Any], what: str) -> Sequences:
    """Ids or normalized numbers, and the number of each class. Raises DataError for what does not fit."""
    classes = {name: i for i, name in enumerate(facts["classes"])}
    unknown = next((label for label in samples.labels if label not in classes), None)
    if unknown is not None:
        raise DataError(f"{what}: the label {unknown!r} is none of the {len(classes)} of the training part")
    labels = np.array([classes[label] for label in samples.labels], np.int64)
    return Sequences(encoded(samples.values, facts, what), labels)


def encoded(values: Sequence[Any], facts: dict[str, Any], what: str) -> Ragged:
    """Texts as ids, unknown characters as <unk>; series less their mean, by their deviation."""
    if ("characters" in facts) != isinstance(values[0], str):
        kinds = ("texts", "series of numbers")
        learned, given = kinds if "characters" in facts else kinds[::-1]
        raise DataError(f"{what}: the model was trained on {learned}, and these are {given}")
    if "characters" in facts:
        vocabulary = Vocabulary.from_dict(facts["characters"])
        return Ragged([vocabulary.encode(text) for text in values])
    mean, std = np.array(facts["mean"]), np.array(facts["std"])
    width = values[0].shape[1]
    if width != len(mean):
        raise DataError(f"{what}: a step has {width} numbers, and in the training part {len(mean)}")
    return Ragged([(series - mean) / std for series in values], np.float32)


# ---- files ------------------------------------------------------------------------------------------


def read(data: str, errors: str = "raise") -> Samples:
    """The samples called `data`. Raises DataError for files that hold none, or something else."""
    if data == SURNAMES:
        names = surnames()
        return Samples([name for name, _ in names], [language for _, language in names])
    path = Path(data)
    if not path.is_file():
        raise DataError(f"{data}: there is no such file, nor data of this name; choose {SURNAMES} or a file")
    kind = path.suffix.lower()
    readers = {
        ".tsv": _texts,
        ".txt": _texts,
        ".gz": _texts,
        ".csv": _series_of_rows,
        ".npz": _series_of_arrays,
    }
    if kind not in readers:
        raise DataError(f"{data}: must be .tsv (texts and labels), .csv or .npz (series), not {kind!r}")
    samples = readers[kind](path, errors)
    if not samples.labels:
        raise DataError(f"{data}: holds no sample")
    return samples


def _texts(path: Path, errors: str) -> Samples:
    rows = list(read_rows(path, 2, errors))
    return Samples([text for text, _ in rows], [label for _, label in rows])


def _series_of_rows(path: Path, errors: str) -> Samples:
    """A step to a row: the name of the series, its label, then numbers; a header above them."""
    rows = csv.reader(io.StringIO("".join(read_text(path, errors))))
    header = next(rows, [])
    if len(header) < 3:
        raise DataError(
            f"{path}: needs the columns series, label and one or more of numbers, got {header or 'nothing'}"
        )
    steps: dict[str, list[list[float]]] = {}
    labels: dict[str, str] = {}
    for number, row in enumerate(rows, 2):
        if not row:
            continue
        if len(row) != len(header):
            raise DataError(f"{path}: line {number} has {len(row)} columns, and the header {len(header)}")
        name, label, *cells = row
        if labels.setdefault(name, label) != label:
            raise DataError(
                f"{path}: line {number}: series {name!r} has the labels {labels[name]!r} and {label!r}"
            )
        steps.setdefault(name, []).append([_number(cell, path, number) for cell in cells])
    return Samples([np.array(series) for series in steps.values()], list(labels.values()))


def _number(cell: str, path: Path, line: int) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise DataError(f"{path}: line {line}: {cell!r} is no finite number")
    if abs(value) > LARGEST:
        raise DataError(f"{path}: line {line}: {cell} is more than {LARGEST:g}: measure it in a larger unit")
    return value


def _series_of_arrays(path: Path, errors: str) -> Samples:
    """`values` (steps of all series, C) or (steps,), `lengths` (N,) of each series, `labels` (N,)."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            values, lengths, labels = (arrays[name] for name in ("values", "lengths", "labels"))
    except KeyError as error:
        raise DataError(f"{path}: needs the arrays values, lengths and labels; {error}") from error
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path}: not an .npz of plain arrays ({error})") from error
    values = values[:, None] if values.ndim == 1 else values
    if values.dtype.kind not in "iuf" or values.ndim != 2 or not np.isfinite(values).all():
        raise DataError(
            f"{path}: values must be finite numbers (steps, C), got {values.dtype} {values.shape}"
        )
    if np.abs(values).max(initial=0) > LARGEST:
        raise DataError(f"{path}: values are more than {LARGEST:g}: measure them in a larger unit")
    fit = lengths.ndim == labels.ndim == 1 and len(lengths) == len(labels) and lengths.dtype.kind in "iu"
    if not fit or (lengths < 1).any() or lengths.sum() != len(values):
        raise DataError(
            f"{path}: lengths (N,) must be positive whole numbers that add up to the {len(values)} steps of "
            f"values, and labels (N,) one for each, got {lengths.shape} and {labels.shape}"
        )
    return Samples(np.split(values, np.cumsum(lengths)[:-1]), [str(label) for label in labels])


def _numbers(labels: Sequence[str]) -> np.ndarray:
    return np.unique(np.array(labels, object).astype(str), return_inverse=True)[1]
