"""Numbers that take the place of others: in their dtype, and only if they fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend


def check_kind(name: str, dtype: Any, place: Any) -> None:
    """Real numbers are not cut to integers, nor integers to booleans."""
    if dtype != place and not np.can_cast(dtype, place, "same_kind"):
        raise TypeError(
            f"{name}: {dtype} numbers would be cut to {place}; use x = x.astype({str(dtype)!r}) first"
        )


def check_fits(name: str, value: Any, place: Any) -> None:
    """Refuse an array or numbers of Python's that cannot be written into the dtype `place`.

    Raises TypeError where the kind of numbers is lost, OverflowError for an integer outside of `place`.
    """
    single = isinstance(value, bool | int | float)  # looked at on the host
    given = np.asarray(value) if single else backend.asarray(value)
    backend.check_dtype(given.dtype)
    if given.dtype.kind not in "iu" or place.kind not in "iu":
        check_kind(name, given.dtype, place)
    elif given.dtype != place and (lost := backend.outside(given, place)).size:
        raise OverflowError(
            f"{name}: {lost[0]} lies outside of {place}; use x = x.astype('{given.dtype}') first"
        )
