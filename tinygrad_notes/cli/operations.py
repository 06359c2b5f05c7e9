"""Operations, and the rows of the table of operations, by the name that a user types."""

from __future__ import annotations

import difflib
import inspect

from .. import ops
from ..autograd import Function


def all_operations() -> dict[str, type[Function]]:
    """Every operation by its plain name: CrossEntropy is "crossentropy"."""
    found = {}
    for file in ops.FILES:
        for value in vars(file).values():
            if inspect.isclass(value) and issubclass(value, Function) and value is not Function:
                found[plain(value.__name__)] = value
    return found


def suggestion(name: str, known: list[str]) -> str:
    """The half sentence behind an unknown name."""
    by_plain = {plain(k): k for k in known}
    close = difflib.get_close_matches(plain(name), by_plain, 3)
    if close:
        return f"did you mean {' or '.join(by_plain[k] for k in close)}?"
    return f"known are {', '.join(sorted(by_plain.values()))}"


def plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
