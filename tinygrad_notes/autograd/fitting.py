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


def fitted(name: str, value: Any, place: Any) -> Any:
    """`value`, an array or numbers of Python's, in the dtype `place`; a single number as it is.

    Raises TypeError where the kind of numbers is lost, OverflowError for an integer outside of `place`.
    """
    single = isinstance(value, bool | int | float)  # seen on the host: a GPU writes it without a copy
    given = np.asarray(value) if single else backend.asarray(value)
    backend.check_dtype(given.dtype)
    integers = given.dtype.kind in "iu" and place.kind in "iu"
    if not integers:
        check_kind(name, given.dtype, place)
    if integers and given.dtype != place and (outside := given[given.astype(place) != given]).size:
        raise OverflowError(
            f"{name}: {outside[0]} lies outside of {place}; use x = x.astype('{given.dtype}') first"
        )
    return value if single else backend.asarray(value, place)
