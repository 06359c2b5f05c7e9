"""Which wheel of CuPy fits which driver and which card, as NVIDIA and CuPy state it; neither is needed here.

A driver serves its own CUDA version and all older ones. A wheel serves any CUDA of its first number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Wheel(NamedTuple):
    """A wheel, the oldest driver (of Linux) that can serve it, and the cards that its CUDA knows."""

    extra: str  # of this package
    package: str
    driver: tuple[int, ...]
    oldest: float  # compute capability of the oldest card
    newest: float


WHEELS = {  # by the first number of CUDA
    11: Wheel("gpu", "cupy-cuda11x", (450, 80, 2), 3.5, 9.0),
    12: Wheel("cuda12", "cupy-cuda12x", (525, 60, 13), 5.0, 12.1),
    13: Wheel("cuda13", "cupy-cuda13x", (580,), 7.5, 12.1),
}


def installed() -> dict[str, str]:
    """The installed wheels of CuPy: {name: version}. Two of them overwrite each other's files."""
    import importlib.metadata  # it takes a while to load, and is seldom asked

    found = {}
    for distribution in importlib.metadata.distributions():
        name = (distribution.metadata["Name"] or "").lower().replace("_", "-")
        if name == "cupy" or name.startswith(("cupy-cuda", "cupy-rocm")):
            found[name] = distribution.version
    return dict(sorted(found.items()))


def not_loaded(error: ImportError) -> str:
    """Why ``import cupy`` failed, and what to do."""
    if isinstance(error, ModuleNotFoundError) and error.name == "cupy":
        return (
            "CuPy is not installed; install the extra that matches the driver's CUDA version, e.g. "
            f"{install(12)}"
        )
    names = list(installed())
    if len(names) > 1:
        return misfits(names, None, ())[0]
    text = " ".join(str(error).split())  # CuPy frames what it says, and puts the cause at the end
    reason = text.rpartition("Original error:")[2].strip("= ")
    return f"CuPy does not load ({reason}); see what tinygrad-notes doctor says"


def major_of(names: Iterable[str]) -> int | None:
    """The CUDA that the one wheel among `names` is made for; None for none, for several and for others."""
    names = list(names)
    majors = [major for major, wheel in WHEELS.items() if names == [wheel.package]]
    return majors[0] if majors else None


def served(driver: str) -> int | None:
    """The first number of the newest CUDA that the driver of this version ("535.104.05") serves."""
    parts = tuple(int(part) for part in driver.split(".") if part.isdigit())
    return max((major for major, wheel in WHEELS.items() if parts >= wheel.driver), default=None)


def best(serves: int | None, cards: Sequence[float]) -> int | None:
    """The newest CUDA for a driver that serves `serves` (None: unknown) and for all `cards`."""
    majors = [major for major in WHEELS if serves is None or major <= serves]
    fitting = [major for major in majors if all(_reason(major, card) is None for card in cards)]
    return max(fitting or majors, default=None)


def install(major: int | None, remove: Iterable[str] = ()) -> str:
    """The command that brings the wheel for CUDA `major`, after those to `remove` are gone."""
    remove = list(remove)
    line = f"pip install 'tinygrad-notes[{WHEELS[max(WHEELS) if major is None else major].extra}]'"
    return f"pip uninstall {' '.join(remove)}, then {line}" if remove else line


def version(parts: Sequence[int]) -> str:
    """(525, 60, 13) as "525.60.13", the last parts with two digits as drivers have them."""
    return ".".join([str(parts[0]), *(f"{part:02d}" for part in parts[1:])])


def _reason(major: int, card: float) -> str | None:
    wheel = WHEELS[major]
    if card < wheel.oldest:
        return f"too old for CUDA {major}, which begins with {wheel.oldest}"
    newest = max(other.newest for other in WHEELS.values())
    if card > wheel.newest < newest:  # what is newer than all that is known here may be known to a new CUDA
        return f"too new for CUDA {major}, which ends with {wheel.newest}"
    return None


def misfits(names: Iterable[str], serves: float | None, cards: Sequence[float]) -> list[str]:
    """What does not fit, each in one sentence with the command that mends it.

    Args:
        names: the installed wheels.
        serves: the newest CUDA of the driver, such as 12.4; None where there is none.
        cards: the compute capability of each.
    """
    names = list(names)
    known = None if serves is None else int(serves)
    right = best(known, cards)
    if len(names) > 1:
        return [f"{' and '.join(names)} overwrite each other's files: {install(right, names)}"]
    major = major_of(names)
    if major is None:
        return []
    told = []
    if known is not None and known < major:
        told.append(too_old(major, serves, names))
    for card in sorted(set(cards)):
        if reason := _reason(major, card):
            told.append(f"the card's compute capability {card} is {reason}: {install(right, names)}")
    return told


def too_old(major: int, serves: float | None, names: Iterable[str] = ()) -> str:
    """That the driver, which serves CUDA up to `serves`, cannot serve the wheel for CUDA `major`."""
    wheel = WHEELS[major]
    older = best(None if serves is None else int(serves), ())
    other = "" if older is None or serves is None else f"; or {install(older, names)}"
    return (
        f"the driver serves CUDA up to {serves}, and {wheel.package} needs {major}: "
        f"update the driver to {version(wheel.driver)} or newer{other}"
    )
