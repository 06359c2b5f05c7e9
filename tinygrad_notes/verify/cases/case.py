"""One row of the table, and the vocabulary in which rows are written."""

from __future__ import annotations

import importlib
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ...autograd import Function

Arrays = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Case:
    """One operation with one choice of attributes.

    `run` takes Tensors, `plain` float64 arrays, `torch` torch's tensors: three independent ways to
    one value. `inputs` and `symbolic` draw arguments inside the domain and away from kinks: float64
    arrays, and object arrays of small fractions for the proof (None: no proof for this row).
    `differentiable` has one entry per input.
    """

    name: str
    operations: tuple[type[Function], ...]
    run: Callable[..., Any]
    inputs: Callable[[np.random.Generator], Arrays]
    plain: Callable[..., Any]
    torch: Callable[..., Any] | None
    symbolic: Callable[[np.random.Generator], Arrays] | None
    differentiable: tuple[bool, ...]


@dataclass(frozen=True)
class Domain:
    """Inputs of given shapes between `low` and `high`; no two numbers agree and none is near 0.

    So one draw meets both sides of every |x|, max(x, 0) or max(a, b), and never their kinks.
    """

    shapes: tuple[tuple[int, ...], ...]
    low: float = -2.0
    high: float = 2.0

    def floats(self, rng: np.random.Generator) -> Arrays:
        """One number from the middle half of each cell of a grid, in random order."""
        count = sum(math.prod(s) for s in self.shapes)
        cells = 4 * math.ceil(count / 4)  # 0 and ±high/2 lie between two cells
        places = rng.permutation(cells)[:count] + rng.uniform(0.25, 0.75, count)
        return self._cut(self.low + (self.high - self.low) * places / cells)

    def fractions(self, rng: np.random.Generator) -> Arrays:
        """Different fractions n/d with small n and d."""
        pool = {Fraction(n, d) for d in range(1, 12) for n in range(-3 * d, 3 * d + 1) if n}
        inside = sorted(f for f in pool if self.low < f < self.high)
        count = sum(math.prod(s) for s in self.shapes)
        chosen = np.empty(count, object)
        chosen[:] = [inside[i] for i in rng.permutation(len(inside))[:count]]
        return self._cut(chosen)

    def _cut(self, numbers: np.ndarray) -> Arrays:
        ends = itertools.accumulate(math.prod(s) for s in self.shapes)
        return tuple(
            numbers[end - math.prod(s) : end].reshape(s) for s, end in zip(self.shapes, ends, strict=True)
        )


def real(*shapes: tuple[int, ...]) -> Domain:
    """Numbers of both signs, |x| < 2."""
    return Domain(shapes)


def positive(*shapes: tuple[int, ...]) -> Domain:
    """Numbers in (0.3, 2.7)."""
    return Domain(shapes, 0.3, 2.7)


def unit(*shapes: tuple[int, ...]) -> Domain:
    """Numbers in (0.02, 0.98)."""
    return Domain(shapes, 0.02, 0.98)


def distributions(domain: Domain, position: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """`domain` with input `position` (positive) divided by its sum over axis 1: floats, fractions."""

    def normalized(draw: Callable[[np.random.Generator], Arrays]) -> Callable[..., Arrays]:
        def inputs(rng: np.random.Generator) -> Arrays:
            arrays = list(draw(rng))
            q = abs(arrays[position])
            arrays[position] = q / q.sum(axis=1, keepdims=True)
            return tuple(arrays)

        return inputs

    return normalized(domain.floats), normalized(domain.fractions)


def case(
    name: str,
    operations: type[Function] | tuple[type[Function], ...],
    run: Callable[..., Any],
    domain: Domain,
    plain: Callable[..., Any],
    torch: Callable[..., Any] | None = None,
    proof: bool = True,
    differentiable: tuple[bool, ...] | None = None,
) -> Case:
    """A row whose floats and fractions come from one domain."""
    return Case(
        name,
        operations if isinstance(operations, tuple) else (operations,),
        run,
        domain.floats,
        plain,
        torch,
        domain.fractions if proof else None,
        (True,) * len(domain.shapes) if differentiable is None else differentiable,
    )


class Lazy:
    """A module that is imported when one of its names is first used."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self._module), name)

    def later(self, name: str, **keywords: Any) -> Callable[..., Any]:
        """The module's function `name` with `keywords` bound, looked up when it is called."""
        return lambda *args, **more: getattr(self, name)(*args, **keywords, **more)


T = Lazy("torch")
F = Lazy("torch.nn.functional")


# ---- words of the plain definitions ------------------------------------------------------------


def each(function: Callable[..., float], *arrays: Any) -> np.ndarray:
    """`function` of every element, one at a time, with broadcasting."""
    arrays = np.broadcast_arrays(*arrays)
    y = np.empty(arrays[0].shape)
    for i in np.ndindex(y.shape):
        y[i] = function(*(float(a[i]) for a in arrays))
    return y


def build(shape: Sequence[int], element: Callable[..., float]) -> np.ndarray:
    """The array of `shape` with element(i, j, ...) at [i, j, ...]."""
    y = np.empty(tuple(shape))
    for i in np.ndindex(y.shape):
        y[i] = element(*i)
    return y


def fold(
    function: Callable[[list[float]], float], x: np.ndarray, axis: Any = None, keepdims: bool = False
) -> np.ndarray:
    """`function` of the list of numbers that each result is made from."""
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    axes = [a % x.ndim for a in axes]
    groups: dict[tuple[int, ...], list[float]] = {}
    for i in np.ndindex(x.shape):
        place = tuple(0 if a in axes else n for a, n in enumerate(i))
        groups.setdefault(place, []).append(float(x[i]))
    kept = [1 if a in axes else n for a, n in enumerate(x.shape)]
    y = build(kept, lambda *i: function(groups[i]))
    return y if keepdims else y.reshape([n for a, n in enumerate(x.shape) if a not in axes])


def total(numbers: list[float]) -> float:
    """The sum, rounded once."""
    return math.fsum(numbers)


def softmax_of(numbers: Any) -> list[float]:
    """eˣⁱ / Σ eˣʲ."""
    powers = [math.exp(v) for v in numbers]
    return [e / math.fsum(powers) for e in powers]
