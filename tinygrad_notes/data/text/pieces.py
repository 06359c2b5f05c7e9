"""Pieces of text that byte pairs never reach across: the pre-tokenization of GPT-2 (Radford et al. 2019).

    's|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+

So a word keeps the space before it, digits and punctuation stand apart, and of several spaces the last one
belongs to the word behind them. Joined, the pieces are the text.
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable

SPACES = "\t\n\v\f\r\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"  # Unicode's White_Space


@functools.cache
def gpt2_pattern() -> re.Pattern[str]:
    """The pattern above. `re` knows no \\p{L}, so that the classes are written out, once (0.2 s)."""
    kinds = [unicodedata.category(chr(code))[0] for code in range(sys.maxunicode + 1)]
    letters, numbers = (_class(code for code, kind in enumerate(kinds) if kind == one) for one in "LN")
    return re.compile(
        f"'s|'t|'re|'ve|'m|'ll|'d| ?[{letters}]+| ?[{numbers}]+| ?[^{SPACES}{letters}{numbers}]+"
        f"|[{SPACES}]+(?![^{SPACES}])|[{SPACES}]+"
    )


def gpt2_pieces(text: str) -> list[str]:
    """The pieces of `text`, in order: "It's 10 a.m." → It, 's, ␣10, ␣a, ., m, ."""
    return gpt2_pattern().findall(text)


def words(text: str) -> list[str]:
    """What stands between spaces; the spaces are lost."""
    return text.split()


PIECES: dict[str, Callable[[str], list[str]]] = {"bytes": gpt2_pieces, "words": words}


def _class(codes: Iterable[int]) -> str:
    """The inside of a [...] that matches the characters of these increasing codes."""
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in ranges)
