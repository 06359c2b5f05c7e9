"""Words at the edges of a picture, also where the font of Matplotlib lacks their letters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

DEFAULT = "DejaVu Sans"
VISIBLE = {" ": "␣", "\n": "↵", "\t": "⇥"}
EMPTY = ("Last Resort",)  # fonts that have every letter, as a box


class Lettering:
    """How `words` are written: `family` for Matplotlib, and `of(word)`.

    Letters that Matplotlib's own font lacks, as Chinese ones, are taken from another font of the system that
    has all of them. Where there is none they are written by their code points, U+4E2D, and `note` says so.
    """

    def __init__(self, words: Iterable[str]) -> None:
        letters = {letter for word in words for letter in _visible(word)}
        missing = frozenset(letter for letter in letters if ord(letter) not in _letters_of(DEFAULT))
        other = _font_with(missing) if missing else None
        self.family = [DEFAULT] if other is None else [DEFAULT, other]
        self.missing = frozenset() if other else missing
        self.note = "U+...: letters that no font of this system has" if self.missing else ""

    def of(self, word: str) -> str:
        """`word` as it is drawn: spaces are visible, and $ begins no formula."""
        shown = (f"U+{ord(c):04X}" if c in self.missing else c for c in _visible(word))
        return "".join(shown).replace("$", r"\$") or "∅"


def _visible(word: str) -> str:
    return "".join(VISIBLE.get(c, c) if c.isprintable() or c in VISIBLE else "·" for c in word)


@cache
def _letters_of(family: str) -> frozenset[int]:
    """The code points that a font has."""
    from matplotlib import font_manager

    return _charmap(font_manager.findfont(family))


@cache
def _charmap(path: str) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(path).get_charmap())


@cache
def _font_with(letters: frozenset[str]) -> str | None:
    """A font of the system that has all of `letters`; sans-serif ones first."""
    from matplotlib import font_manager

    fonts = {f.name: f.fname for f in font_manager.fontManager.ttflist if not f.name.startswith(EMPTY)}
    for name in sorted(fonts, key=lambda name: ("Sans" not in name, name)):
        try:
            if {ord(letter) for letter in letters} <= _charmap(fonts[name]):
                return name
        except (OSError, RuntimeError):  # a font file that is gone, or damaged
            continue
    return None


def label(axes: Any, side: str, words: Sequence[str], lettering: Lettering, size: float = 8) -> None:
    """`words` along the "x" or "y" axis, one at each whole number."""
    axis = getattr(axes, f"{side}axis")
    written = [lettering.of(word) for word in words]
    axis.set_ticks(range(len(words)), written, fontfamily=lettering.family, fontsize=size)
    for tick, text in zip(axis.get_ticklabels(), written, strict=True):
        tick.set_rotation(90 if side == "x" and len(text) > 2 else 0)
