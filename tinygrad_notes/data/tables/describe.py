"""A look at a table before anything is learned from it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from .cleaning import beyond, bounds
from .table import Table, is_missing, kind_of, trouble_with

MOST_SHOWN = 20  # words of a column


def describe(table: Table, target: str | None = None) -> dict[str, Any]:
    """Counts, missing values, ranges, words, correlations, and of the target its classes: all as JSON.

    Numbers have minimum, quartiles, maximum, mean, deviation, and how many are outliers (Tukey 1977). The
    "trouble" of a column is why nothing can be learned from it. Raises DataError for an unknown target.
    """
    names, matrix = correlations(table)
    found: dict[str, Any] = {
        "rows": len(table),
        "duplicates": int(table.duplicates().sum()),
        "missing": int(sum(is_missing(values).sum() for values in table.columns.values())),
        "columns": [_column(name, values) for name, values in table.columns.items()],
        "correlations": {"columns": names, "matrix": matrix},
    }
    if target is not None:
        found["target"] = target
        values = table[target]
        if kind_of(values) == "words":
            found["classes"] = dict(Counter(values[~is_missing(values)].tolist()).most_common())
    return found


def correlations(table: Table) -> tuple[list[str], list[list[float | None]]]:
    """(columns of numbers, r): r_ij = cov(i, j) / (σᵢ σⱼ) over rows with both, None without spread."""
    names = [name for name, values in table.columns.items() if values.dtype.kind == "f"]
    return names, [[_correlation(table[a], table[b]) for b in names] for a in names]


def _correlation(x: np.ndarray, y: np.ndarray) -> float | None:
    both = np.isfinite(x) & np.isfinite(y)
    if not both.any():
        return None
    x, y = _scaled(x[both]), _scaled(y[both])
    x, y = _scaled(x - x.mean()), _scaled(y - y.mean())
    spread = np.sqrt((x * x).sum() * (y * y).sum())
    return float((x * y).sum() / spread) if spread > 0 else None


def _scaled(x: np.ndarray) -> np.ndarray:
    """To a largest magnitude of 1, so that neither a sum nor a square overflows."""
    return x / largest if (largest := np.abs(x).max()) > 0 else x


def _column(name: str, values: np.ndarray) -> dict[str, Any]:
    missing, kind = is_missing(values), kind_of(values)
    known = values[~missing]
    counts = Counter(known.tolist())
    found: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "missing": int(missing.sum()),
        "distinct": len(counts),
    }
    if trouble := trouble_with(name, values):
        found["trouble"] = trouble
    if kind != "numbers":
        return found | {"words": dict(counts.most_common(MOST_SHOWN))}
    known = known[np.isfinite(known)]
    if len(known) == 0:
        return found
    with np.errstate(over="ignore", invalid="ignore"):  # of huge numbers: "trouble" names one
        low, first, median, third, high = np.quantile(known, (0, 0.25, 0.5, 0.75, 1)).tolist()
        figures = {"min": low, "quartile_1": first, "median": median, "quartile_3": third, "max": high,
                   "mean": float(known.mean()), "std": float(known.std())}  # fmt: skip
        outliers = int(beyond(known, bounds(known, "iqr")).sum())
    return (
        found | {name: x if np.isfinite(x) else None for name, x in figures.items()} | {"outliers": outliers}
    )
