"""The letters of an einsum: written out in full, and checked against the shapes of its operands."""

from __future__ import annotations

import functools
import string

Parts = tuple[str, ...]


@functools.lru_cache(maxsize=256)
def read(subscripts: str, axes: tuple[int, ...]) -> tuple[Parts, str]:
    """A letter for every axis of each operand, and the letters of the result.

    "..." becomes letters that are not in use, counted from the right. Without "->" the result has them
    first, then what stands once, in the order of the alphabet: capitals come first.
    """
    operands, arrow, out = subscripts.replace(" ", "").partition("->")
    parts = operands.split(",")
    if len(parts) != len(axes) or not all(map(_is_part, (*parts, out))):
        raise ValueError(
            f"einsum: {subscripts!r} for {len(axes)} operands; it must be of the form 'ij,jk->ik', with a "
            "part before the arrow for each operand, of letters and at most one '...'"
        )
    free = [c for c in string.ascii_letters if c not in subscripts]
    rest = [n - len(part.replace("...", "")) for part, n in zip(parts, axes, strict=True)]
    if any(n < 0 or (n and "..." not in part) for n, part in zip(rest, parts, strict=True)):
        raise ValueError(f"einsum: {subscripts!r} for operands of {axes} axes; each needs a letter or '...'")
    dots = "".join(free[: max(rest)])
    full = tuple(p.replace("...", dots[len(dots) - n :]) for p, n in zip(parts, rest, strict=True))
    if not arrow:
        named = operands.replace("...", "").replace(",", "")
        out = "..." + "".join(sorted(c for c in named if named.count(c) == 1))
    out = out.replace("...", dots)
    if len(set(out)) != len(out) or not set(out) <= set("".join(full)):
        raise ValueError(f"einsum: {subscripts!r} repeats a letter of the result, or invents one")
    return full, out


def _is_part(part: str) -> bool:
    letters = part.replace("...", "", 1)
    return letters == "" or (letters.isascii() and letters.isalpha())


def lengths(subscripts: str, parts: Parts, shapes: tuple[tuple[int, ...], ...]) -> dict[str, int]:
    """The length that each letter stands for; axes of length 1 stretch to it."""
    found: dict[str, int] = {}
    for part, shape in zip(parts, shapes, strict=True):
        for letter, n in zip(part, shape, strict=True):
            if found.setdefault(letter, n) == 1:
                found[letter] = n
            if n not in (1, found[letter]):
                raise ValueError(
                    f"einsum: letter {letter!r} is {found[letter]} in one place and {n} in another, "
                    f"{subscripts!r} for {' and '.join(map(str, shapes))}"
                )
    return found
