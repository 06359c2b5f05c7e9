"""Whose memory an array is: a gradient that nobody else holds need not be copied for its leaf."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def alone(array: Any, groups: Iterable[Iterable[Any] | None]) -> bool:
    """Whether `array` is all of its memory, in order, and none of `groups` of values, or tuples, holds it."""
    own = array
    if array.base is not None:
        own = array.base
        whole = type(own) is type(array) and own.base is None and own.size == array.size
        if not (whole and array.flags.c_contiguous):
            return False
    for group in groups:
        for value in group or ():
            for part in value if type(value) is tuple else (value,):
                if part is own or getattr(part, "base", None) is own:
                    return False
    return True
