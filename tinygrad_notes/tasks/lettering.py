"""Words in a picture, also where the font of Matplotlib lacks their letters."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any

DEFAULT = "DejaVu Sans"
VISIBLE = {" ": "␣", "\n": "↵", "\t": "⇥"}
EMPTY = ("Last Resort",)  # fonts that have every letter, as a box
PREFERRED = (  # by how their names begin: of fonts that have the letters, those made for Chinese texts
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Noto Sans CJK", "Source Han Sans", "PingFang",
    "Hiragino Sans GB", "Microsoft YaHei", "WenQuanYi", "SimHei", "Droid Sans Fallback",
)  # fmt: skip


class NoFont(UserWarning):
    """No font of the system has all letters of a picture."""

    def __init__(self) -> None:
        super().__init__(
            "no installed font has all letters of the pictures, so some are drawn as code points, such as "
            "U+4E2D; for Chinese install Noto Sans CJK"
        )


@contextlib.contextmanager
def missing_fonts_told(say: Callable[[str], None]) -> Iterator[None]:
    """What `NoFont` warns of while pictures are drawn, as one sentence behind them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", NoFont)
        yield
    for text in dict.fromkeys(str(each.message) for each in caught if each.category is NoFont):
        say(text)


class Lettering:
    """How `words` are written: `family` for Matplotlib, and `of(word)`. With `signs` spaces are visible.

    Letters that Matplotlib's own font lacks, as Chinese ones, are taken from another font of the system, the
    one that has most of them. Those that it lacks too are written by their code points, U+4E2D; `save` says
    so below the picture, and a `NoFont` warns.
    """

    def __init__(self, words: Iterable[str], signs: bool = True) -> None:
        self.signs = VISIBLE if signs else {}
        letters = {letter for word in words for letter in self._visible(word)}
        missing = frozenset(letter for letter in letters if ord(letter) not in _charmap(_path_of(DEFAULT)))
        other = _font_with(missing) if missing else None
        self.family = [DEFAULT] if other is None else [DEFAULT, other]
        self.missing = missing if other is None else missing - _letters(_installed()[other], missing)
        if self.missing:
            warnings.warn(NoFont(), stacklevel=2)

    def of(self, word: str) -> str:
        """`word` as it is drawn: $ begins no formula, and what cannot be printed is a dot."""
        shown = (f"U+{ord(c):04X}" if c in self.missing else c for c in self._visible(word))
        return "".join(shown).replace("$", r"\$") or "∅"

    def _visible(self, word: str) -> str:
        return "".join(self.signs.get(c, c if c.isprintable() else "·") for c in word)

    def save(self, figure: Any, path: str | os.PathLike[str]) -> None:
        """The picture as a PNG file."""
        if self.missing:
            note = "U+...: letters that no font of this system has"
            figure.supxlabel(note, fontsize=7, x=0.01, ha="left")
        figure.savefig(path, dpi=144)


@cache
def _path_of(family: str) -> str:
    from matplotlib import font_manager

    return str(font_manager.findfont(family))


@cache
def _charmap(path: str) -> frozenset[int]:
    """The code points that a font has; none of a file that is gone, or damaged."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(path).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()


@cache
def _installed() -> dict[str, str]:
    """{name: file} of the fonts of the system, those among them that Matplotlib's own list has not yet."""
    from matplotlib import font_manager

    manager = font_manager.fontManager
    for path in set(font_manager.findSystemFonts()) - {font.fname for font in manager.ttflist}:
        try:
            manager.addfont(path)
        except (OSError, RuntimeError):  # of a kind that Matplotlib does not draw, such as colored ones
            continue
    return {font.name: font.fname for font in manager.ttflist if not font.name.startswith(EMPTY)}


def _letters(path: str, letters: frozenset[str]) -> frozenset[str]:
    """Those of `letters` that a font has."""
    return frozenset(letter for letter in letters if ord(letter) in _charmap(path))


def _font_with(letters: frozenset[str]) -> str | None:
    """The font that has most of `letters`: of several a preferred one, then one without serifs."""
    best, most = None, 0
    for name in sorted(_installed(), key=_rank):
        count = len(_letters(_installed()[name], letters))
        if count > most:
            best, most = name, count
        if most == len(letters):
            break
    return best


def _rank(name: str) -> tuple[int, bool, str]:
    places = [place for place, begin in enumerate(PREFERRED) if name.startswith(begin)]
    return min(places, default=len(PREFERRED)), "Sans" not in name, name


def label(axes: Any, side: str, words: Sequence[str], lettering: Lettering, size: float = 8) -> None:
    """`words` along the "x" or "y" axis, one at each whole number."""
    axis = getattr(axes, f"{side}axis")
    written = [lettering.of(word) for word in words]
    axis.set_ticks(range(len(words)), written, fontfamily=lettering.family, fontsize=size)
    for tick, text in zip(axis.get_ticklabels(), written, strict=True):
        tick.set_rotation(90 if side == "x" and len(text) > 2 else 0)
