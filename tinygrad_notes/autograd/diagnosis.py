"""Explains a failed gradient check: tries the mistakes that people make, one after another.

`numeric` below is the gradient element by element, by differences; `found` is what the rules gave.
"""

from __future__ import annotations

import itertools
import re

import numpy as np

from .differences import EPS, Derivative, is_kink
from .problem import FINE, ROUNDING, SHARP, Problem

LIMIT = 512  # elements of one input that are differenced one by one
MOST = 10**6  # the largest whole factor that is named
CLOSE = 1e-4  # how well an explanation must fit, relative to the largest element


def of_values(problem: Problem) -> list[str]:
    """Mistakes that show in the forward alone."""
    again = problem.evaluate(problem.points)
    for k, (first, second) in enumerate(zip(problem.values, again, strict=True)):
        if not np.all(np.isfinite(first)):
            return [f"output {k} is NaN or infinite at this point: nothing to check here"]
        if first.shape != second.shape or not np.allclose(first, second, rtol=1e-12, atol=1e-300):
            return [
                f"non-deterministic: output {k} differs between two calls at the same point; draw random "
                "numbers (a dropout mask) outside the function and pass them in"
            ]
        if first.dtype != np.float64:
            return [f"float32 precision: output {k} is {first.dtype} for float64 inputs"]
    return []


def of_exception(error: Exception) -> list[str]:
    """The backward raised: name it, and read two shapes as the missing sum that they often are."""
    reasons = [f"the backward raised {type(error).__name__}: {error}"]
    shapes = [tuple(map(int, re.findall(r"\d+", s))) for s in re.findall(r"\(([\d, ]*)\)", str(error))]
    if len(shapes) >= 2 and shapes[0] != shapes[1] and _broadcasts(shapes[1], shapes[0]):
        reasons.append(
            f"missing broadcast sum: {shapes[0]} is {shapes[1]} broadcast; sum over the stretched axes, or "
            "declare `broadcasts = True`"
        )
    return reasons


def of_gradients(
    problem: Problem, found: list[np.ndarray], tolerance: float, doubtful: list[int]
) -> list[str]:
    """The worst element of every input that is wrong, and what would explain it.

    Nothing if the `doubtful` inputs are right in every element; only else are the others looked at.
    """
    reasons: list[str] = []
    right, settled = [], True
    for k in [*doubtful, *(k for k in range(len(found)) if k not in doubtful)]:
        if k not in doubtful and not reasons:
            break
        g = found[k]
        name = problem.names[problem.checked[k]]
        numeric, excess = _against_differences(problem, k, g, max(tolerance, 1e-9))
        settled &= not np.isnan(numeric).any()
        wrong = excess > 1
        if not wrong.any():
            right.append(name)
            continue
        at = tuple(map(int, np.unravel_index(int(np.argmax(excess)), g.shape)))
        reasons.append(
            f"{name}{list(at) if at else ''} is worst: backward {g[at]:.9g}, differences {numeric[at]:.9g} "
            f"({int(wrong.sum())} of {g.size} elements are wrong)"
        )
        reasons += [f"{name}: {cause}" for cause in _causes(problem, k, g, numeric, at, wrong)]
    if reasons and right:
        reasons.append(f"right: {', '.join(right)}")
    if reasons or settled:
        return reasons
    return ["no single element is wrong by itself: the function is too rough for differences "
            "at this point (a kink close by, or float32 inside)"]  # fmt: skip


def _against_differences(
    problem: Problem, which: int, g: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """The gradient by differences, and the error of `g` as a multiple of what is allowed (0: unknown)."""
    numeric, spread, noise = by_elements(problem, which, g)
    size = np.fmax(np.abs(g), np.abs(numeric))
    limit = FINE * np.max(size, initial=0.0, where=np.isfinite(size))
    allowed = tolerance * size + noise + 4 * np.minimum(spread, limit)
    with np.errstate(invalid="ignore"):  # an infinite g
        excess = np.abs(g - numeric) / np.maximum(allowed, 1e-300)
    return numeric, np.where(np.isnan(numeric), 0.0, np.where(np.isfinite(g), excess, np.inf))


def by_elements(
    problem: Problem, which: int, g: np.ndarray, cotangents: list[np.ndarray] | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradient of one input by differences, element by element, NaN beyond the first `LIMIT`; how far
    neighboring estimates differ; and what rounding may have added."""
    found = np.full((3, *g.shape), np.nan)
    scales = problem.scales(which)
    for at in itertools.islice(np.ndindex(*g.shape), LIMIT):
        best = _of_element(problem, which, at, scales[0], g, cotangents)
        agrees = abs(best.value - g[at]) <= 1e-9 * abs(g[at]) + best.rounding
        if not (agrees and best.rounding <= SHARP * abs(g[at])) and len(scales) > 1:
            best = _better(best, _of_element(problem, which, at, scales[1], g, cotangents))
        found[(slice(None), *at)] = best
    return found[0], found[1], found[2]


def _of_element(
    problem: Problem, which: int, at: tuple[int, ...], scale: np.ndarray, g: np.ndarray,
    cotangents: list[np.ndarray] | None,
) -> Derivative:  # fmt: skip
    """The derivative in one element, moved by parts of its `scale`; its rounding is what is forgiven."""
    direction = problem.exact(which, _unit(g.shape, at) * scale)
    step = float(direction[at])
    good = FINE * abs(float(g[at]) * step) if np.isfinite(g[at]) else 0.0
    found = problem.derivative(which, direction, good, cotangents)
    rounding = ROUNDING * max(found.rounding, EPS * problem.size())
    return Derivative(found.value / step, found.spread / step, rounding / step)


def _better(wide: Derivative, narrow: Derivative) -> Derivative:
    """The surer of two estimates; where they contradict each other the one closer to the point."""
    if np.isnan(wide.value) or np.isnan(narrow.value):
        return narrow if np.isnan(wide.value) else wide
    if wide.spread > 0.5 * abs(wide.value) > 5 * wide.rounding:  # no estimate at all: a jump within its steps
        return narrow
    doubts = [max(d.spread, d.rounding) for d in (wide, narrow)]
    if abs(wide.value - narrow.value) > 10 * sum(doubts) or doubts[1] < doubts[0]:
        return narrow
    return wide


def _causes(
    problem: Problem, which: int, g: np.ndarray, numeric: np.ndarray, at: tuple[int, ...], wrong: np.ndarray
) -> list[str]:
    if not np.isfinite(g).all():
        return ["the gradient is NaN or infinite"]
    step = problem.scales(which)[-1][at]
    scale = float(np.nanmax(np.abs(numeric))) or 1.0
    kind = is_kink(problem.along(which, _unit(g.shape, at) * step), problem.cotangents, scale * step)
    if kind is not None:
        return [f"{kind}: the derivatives from the left and from the right differ here, so there is no "
                "gradient to compare with; move the input away"]  # fmt: skip
    if np.isnan(numeric).any():
        return [f"only the first {LIMIT} elements were differenced"]
    for cause in (
        _float32(problem, which, g, numeric, at), _factor(g, numeric),
        _rearranged(g, numeric), _one_slice(problem, which, g), _missing_term(g, numeric, wrong),
    ):  # fmt: skip
        if cause is not None:
            return [cause]
    return []


def _float32(
    problem: Problem, which: int, g: np.ndarray, numeric: np.ndarray, at: tuple[int, ...]
) -> str | None:
    """Rounding to float32: the numbers are such, or they are off by a few of its roundings."""
    error = np.max(np.abs(g - numeric)) / np.max(np.abs(numeric), initial=1e-300)
    with np.errstate(over="ignore"):
        single = g.astype(np.float32)
    rounded = np.all(g == single) and not np.all(g == np.round(g * 1024) / 1024)
    if error < 1e-4 and rounded:
        return "float32 precision: every element of the gradient is a float32 number"
    shift = problem.along(which, _unit(g.shape, at) * problem.scales(which)[0] * 1e-10)(1.0)
    if error < 1e-2 and all(np.array_equal(a, b) for a, b in zip(shift, problem.values, strict=True)):
        return "float32 precision: the forward does not feel a change of 1e-10"
    return None


def _factor(g: np.ndarray, numeric: np.ndarray) -> str | None:
    """g = k · numeric with one k for all elements."""
    if not g.any():
        return "the gradient is zero: no path from the output leads here"
    k = float(np.sum(g * numeric) / max(float(np.sum(numeric * numeric)), 1e-300))
    if k == 0 or not _close(g, k * numeric):
        return None
    if abs(k + 1) < CLOSE:
        return "sign: the gradient has the wrong sign"
    for ratio, text in ((k, "factor {}: the gradient is {} times too large"),
                        (1 / k, "factor 1/{}: the gradient lacks a factor {}")):  # fmt: skip
        n = round(ratio)
        if 2 <= abs(n) <= MOST and abs(ratio / n - 1) < CLOSE:
            return text.format(n, n)
    return f"factor {k:.9g} on every element"


def _rearranged(g: np.ndarray, numeric: np.ndarray) -> str | None:
    """The right numbers in the wrong places."""
    for axes in itertools.permutations(range(g.ndim)) if g.ndim <= 4 else ():
        if list(axes) == sorted(axes):
            continue
        moved = numeric.transpose(axes)
        if moved.size == g.size and _close(g, moved.reshape(g.shape)):
            return f"transposed: the gradient is right with its axes in the order {axes}"
    for n in range(1, g.ndim + 1):
        for axis in itertools.combinations(range(g.ndim), n):
            if _close(g, np.flip(numeric, axis)):
                return f"flipped: the gradient is right with axes {axis} reversed"
    return None


def _one_slice(problem: Problem, which: int, g: np.ndarray) -> str | None:
    """The gradient of one slice of the output only: somebody assigned or indexed instead of summing."""
    for k, c in enumerate(problem.cotangents):
        for axis, length in enumerate(c.shape):
            for place in {0, length - 1} if length > 1 else ():
                only = [np.zeros_like(d) for d in problem.cotangents]
                cut = (slice(None),) * axis + (place,)
                only[k][cut] = c[cut]
                numeric, *_ = by_elements(problem, which, g, only)
                if numeric.any() and _close(g, numeric):
                    return (f"missing broadcast sum: only the slice {place} along axis {axis} of output {k} "
                            "is counted; sum over that axis")  # fmt: skip
    return None


def _missing_term(g: np.ndarray, numeric: np.ndarray, wrong: np.ndarray) -> str | None:
    """g − numeric is the same along an axis: a term made by a sum over that axis is missing."""
    d = g - numeric
    if wrong.sum() == 1 and g.size > 1:
        return "a single element is wrong: look at an index, a border or a mask"
    for axis, length in enumerate(g.shape):
        if length > 2 and _close(d, np.broadcast_to(d.mean(axis, keepdims=True), d.shape)):
            return f"missing term: the difference is constant along axis {axis}, as of a sum or mean over it"
    return None


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    size = max(float(np.max(np.abs(a), initial=0.0)), float(np.max(np.abs(b), initial=0.0)))
    return bool(np.all(np.abs(a - b) <= CLOSE * size))


def _unit(shape: tuple[int, ...], at: tuple[int, ...]) -> np.ndarray:
    e = np.zeros(shape)
    e[at] = 1.0
    return e


def _broadcasts(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(small, large) == large
    except ValueError:
        return False
