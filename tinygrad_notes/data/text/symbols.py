"""The smallest symbols of byte pairs: characters that stand for bytes, and a sign for a word's end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

END = "</w>"  # joined to the last character of a word (Sennrich et al. 2016)


def _printable() -> list[str]:
    """GPT-2's character for each byte: itself where it shows, else one from 256 on."""
    shown = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    spare = iter(range(256, 512))
    return [chr(byte if byte in shown else next(spare)) for byte in range(256)]


CHARACTERS = _printable()
BYTES = {character: byte for byte, character in enumerate(CHARACTERS)}


def smallest_symbols(word: str, kind: str) -> list[str]:
    """The smallest symbols: a character for each byte, or the characters, of which the last has the sign."""
    if kind == "bytes":
        return [CHARACTERS[byte] for byte in word.encode("utf-8")]
    return [*word[:-1], word[-1] + END] if word else []


def check_tokens(
    kind: str, tokens: Sequence[str], pairs: Sequence[tuple[str, ...]], specials: Sequence[str]
) -> None:
    """Raise ValueError where ids would be wrong: tokens that two things have, or that are missing."""
    if wrong := [token for token in (*tokens, *specials) if not isinstance(token, str) or not token]:
        raise ValueError(f"BytePairs: a token must be a string of at least one character, got {wrong[0]!r}")
    for token in specials:
        check_unicode(token)
    known = set(tokens)
    if len(known) < len(tokens):
        twice = next(token for token, n in Counter(tokens).items() if n > 1)
        raise ValueError(f"BytePairs: the token {twice!r} has two ids")
    used = {s for pair in pairs for s in (*pair, "".join(pair))}
    if missing := sorted((used | {*specials}) - known):
        raise ValueError(f"BytePairs: {missing[0]!r} is no token, but a merge or a special token needs it")
    used |= {*CHARACTERS} if kind == "bytes" else set()
    if bare := sorted(used - known):
        raise ValueError(f"BytePairs: the byte {BYTES[bare[0]]} has no token ({bare[0]!r})")
    if both := [token for token in specials if token in used]:
        raise ValueError(
            f"BytePairs: the special token {both[0]!r} is also what a byte or a merge makes of other text; "
            "name it otherwise, such as '<|end|>'"
        )


def check_unicode(text: str) -> None:
    if not isinstance(text, str):
        raise TypeError(f"BytePairs: a text must be a str, got {type(text).__name__}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"BytePairs: character {error.start} of the text, {text[error.start]!r}, is half of a surrogate "
            "pair and no character; decode the bytes of the text anew"
        ) from None
