"""What an entry of the catalogue is, and the words in which entries are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ... import backend
from ...autograd import Function
from ...autograd.gradcheck import Report, gradcheck

Draw = Callable[[np.random.Generator], tuple[Any, ...]]


@dataclass(frozen=True)
class Wrong:
    """`wrong` is `right` with a mistake; both are called on what `draw` gives, with `attributes`."""

    name: str
    right: type[Function]
    wrong: type[Function]
    draw: Draw
    attributes: dict[str, Any] = field(default_factory=dict)


def check(operation: type[Function], entry: Wrong, seed: int = 0) -> Report:
    """`gradcheck` of the right or the wrong operation of an entry, to order 2."""
    attributes = {
        k: backend.asarray(v) if isinstance(v, np.ndarray) else v for k, v in entry.attributes.items()
    }
    inputs = entry.draw(np.random.default_rng(seed))
    return gradcheck(lambda *xs: operation.apply(*xs, **attributes), inputs, raise_exception=False, seed=seed)


def spoil(right: type[Function], **rules: Any) -> type[Function]:
    """`right` with some rules, or the attribute `broadcasts`, replaced."""
    kept = {k: v.__func__ for k, v in vars(right).items() if isinstance(v, staticmethod)}
    kept |= {"saves": right.saves, "broadcasts": right.broadcasts, "__module__": __name__}
    return type(f"Wrong{right.__name__}", (Function,), {**kept, **rules})


def normal(*shapes: tuple[int, ...], least: float | None = None) -> Draw:
    """Standard normal inputs, or inputs above `least`."""

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        drawn = [np.asarray(rng.standard_normal(s)) for s in shapes]
        return tuple(drawn if least is None else [least + np.abs(x) for x in drawn])

    return draw


def entry(name: str, right: type[Function], draw: Draw, rules: dict[str, Any], **attributes: Any) -> Wrong:
    """`right` with `rules` replaced."""
    return Wrong(name, right, spoil(right, **rules), draw, attributes)
