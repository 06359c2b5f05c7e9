"""Columns of one size: x ← (x − center) / scale, so that no unit decides what a network looks at first."""

from __future__ import annotations

import numpy as np

NORMALIZATIONS = {
    "standard": "mean 0, deviation 1",
    "min-max": "from 0 to 1",
    "robust": "median 0, box of the quartiles 1: outliers move neither",
    "none": "",
}


def center_and_scale(values: np.ndarray, how: str) -> tuple[float, float]:
    """(center, scale) of `values` (N,) with N ≥ 1; a scale of 0, of one value only, counts as 1."""
    if how == "standard":
        center, scale = values.mean(), values.std()
    elif how == "min-max":
        center, scale = values.min(), np.ptp(values)
    elif how == "robust":
        first, center, third = np.quantile(values, [0.25, 0.5, 0.75])
        scale = third - first
    else:
        return 0.0, 1.0
    return float(center), float(scale) if scale > 0 else 1.0
