"""Checks hand-written backwards against differences, in float64, along random directions.

With L = Σ c·y for a random c, the derivative of L along a direction v of an input is ⟨∂L/∂x, v⟩ by the
rules and (L(x + hv) − L(x − hv)) / 2h by differences. No element of v or c is small: a gradient
that is wrong in one element shows in every direction. Order 2 is the same check of the map
(x, c) → ∂L/∂x, so it sees the derivative of every backward in its inputs and in gy.

A large number would hide a small one in such a sum. So outputs of like size are weighed together and the
others apart (`Problem.parts`), and a direction moves elements of like |gᵢ vᵢ|. Steps are relative to the
point: an element moves by a part of max(1, |x|), or of min(1, |x|) where that does not agree, as for log
near 0. What stays undecided is settled element by element.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import backend
from . import diagnosis
from .differences import EPS, largest
from .mode import enable_grad, frozen_statistics, is_grad_enabled
from .problem import FINE, NOTHING, ROUNDING, SHARP, Problem, alike, pull_back, real_outputs, spread_out
from .tensor import Tensor

TOLERANCE = (1e-8, 1e-7)  # of order 1 and of order 2, relative to Σ |gᵢ vᵢ|
FEW = 32  # elements that are looked at one by one as soon as the first steps leave a doubt
TAPE_TOLERANCE = 1e-10  # raw backward against tape backward, relative to each element
SECOND = (
    "order 1 is right: the backward uses as a constant what depends on an input, or calls an operation whose "
    "own backward is wrong"
)


class GradcheckError(AssertionError):
    """A backward that does not agree with differences; the message names the worst element and why."""


@dataclass(frozen=True)
class Report:
    """What was found. `error1`, `error2`: the largest error of each order (NaN: not run), relative to the
    largest element or, if the check failed, to its own; `tape_error`: raw backward against the backward
    on Tensors; `diagnosis`: the explanations."""

    passed: bool
    error1: float
    error2: float
    tape_error: float
    text: str
    diagnosis: tuple[str, ...] = field(default=())

    def __bool__(self) -> bool:
        return self.passed


@frozen_statistics()
def gradcheck(
    function: Callable[..., Any],
    inputs: Any,
    *,
    order: int = 2,
    directions: int = 3,
    seed: int = 0,
    tolerance: float | tuple[float, float] = TOLERANCE,
    raise_exception: bool = True,
) -> Report:
    """Check the gradient of `function` at `inputs`, and the gradient of that gradient.

    Args:
        function: takes Tensors; returns a Tensor or a tuple of them, the same at every call.
        inputs: one input or a sequence. Checked are the Tensors with requires_grad or, if there are
            none, all Tensors and arrays of floats; they must be float64. The rest is passed on.
        order: 1 or 2. With 2 the raw backward must also equal the backward on Tensors.
        tolerance: relative to Σ |gᵢ vᵢ|; a pair gives one for each order.

    Raises:
        GradcheckError: the worst element and a diagnosis; `raise_exception=False` returns them.
        ValueError, TypeError: nothing to check, or inputs that are not float64.
    """
    if order not in (1, 2):
        raise ValueError(f"gradcheck: order must be 1 or 2, got {order}")
    arguments = checked_inputs(inputs)
    tolerances = tolerance if isinstance(tolerance, tuple) else (tolerance, tolerance)
    rng = np.random.default_rng(seed)
    names = [f"input {i}" for i in range(len(arguments))]
    problem = Problem(function, arguments, names, rng)
    errors, tape_error, reasons = _check_orders(problem, order, tolerances, directions, rng)
    report = _report(errors, tape_error, reasons, tolerances)
    if raise_exception and not report:
        raise GradcheckError(report.text)
    return report


@frozen_statistics()
def gradgradcheck(function: Callable[..., Any], inputs: Any, **options: Any) -> Report:
    """`gradcheck` of the gradient of `function`, so its derivatives of order 2 and (order=2) 3."""
    problem = Problem(function, checked_inputs(inputs), [], np.random.default_rng(options.get("seed", 0)))
    return gradcheck(_gradient_function(problem), _with_cotangents(problem), **options)


def checked_inputs(inputs: Any) -> list[Any]:
    """The inputs as a list; those to check require grad."""
    arguments = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    if not any(isinstance(x, Tensor) and x.requires_grad for x in arguments):
        arguments = [
            Tensor(x, requires_grad=True)
            if (isinstance(x, Tensor) or backend.is_array(x)) and x.dtype.kind == "f"
            else x
            for x in arguments
        ]
    checked = {i: x for i, x in enumerate(arguments) if isinstance(x, Tensor) and x.requires_grad}
    for i, x in checked.items():
        if x.dtype != np.float64:
            raise TypeError(
                f"gradcheck: input {i} is {x.dtype}; differences need float64 (float32 has 7 digits, of "
                "which a difference loses at least half): pass it as float64"
            )
    if not checked:
        raise ValueError("gradcheck: no input to check: none is an array of floats")
    return arguments


def _check_orders(
    problem: Problem, order: int, tolerances: tuple[float, float], directions: int, rng: np.random.Generator
) -> tuple[list[float], float, list[str]]:
    """The errors of both orders and of the tape, NaN where not run, and the reasons of the first failure."""
    errors, tape_error = [float("nan"), float("nan")], float("nan")
    reasons = diagnosis.of_values(problem)
    if reasons:
        return errors, tape_error, reasons
    parts = problem.parts()
    for part in parts:
        error, reasons = _check(part, tolerances[0], directions, rng)
        errors[0] = _worse(errors[0], error)
        if reasons:
            return errors, tape_error, reasons
    for part in parts if order == 2 else ():
        tape, reasons = _raw_against_tape(part)
        tape_error = _worse(tape_error, tape)
        if reasons:
            return errors, tape_error, reasons
    for second in (s for part in parts if order == 2 for s in _gradient_problem(part, rng).parts()):
        error, reasons = _check(second, tolerances[1], directions, rng)
        errors[1] = _worse(errors[1], error)
        if reasons:
            return errors, tape_error, [*reasons, SECOND]
    return errors, tape_error, []


def _worse(before: float, error: float) -> float:
    """The larger of two errors, where NaN is "not run" before and a failure now."""
    return before if before > error else error


def _check(
    problem: Problem, tolerance: float, directions: int, rng: np.random.Generator
) -> tuple[float, list[str]]:
    """The largest relative error over inputs and directions, and what explains it if it is too large."""
    try:
        found = problem.gradients(create_graph=False)
    except Exception as raised:
        return float("inf"), diagnosis.of_exception(raised)
    worst, failed, doubtful = 0.0, 0.0, []
    for k, g in enumerate(found):
        error, sharp = _check_input(problem, k, g, tolerance, directions, rng)
        if not error <= tolerance or not (sharp or g.size > diagnosis.LIMIT):  # NaN fails
            doubtful.append(k)
            failed = _worse(failed, error)
        else:
            worst = max(worst, error)
    reasons = diagnosis.of_gradients(problem, found, tolerance, doubtful)
    return (failed if reasons else worst), reasons  # no reasons: every element by itself is right


def _check_input(
    problem: Problem, k: int, g: np.ndarray, tolerance: float, directions: int, rng: np.random.Generator
) -> tuple[float, bool]:
    """The largest error among its elements, and whether rounding could hide none."""
    if not np.all(np.isfinite(g)):
        return float("inf"), True
    left = np.ones(g.shape, bool)  # elements that no step has settled yet
    refused = np.zeros(g.shape)  # their error where it was sharp
    worst, last = 0.0, 0.0
    for scale in problem.scales(k)[: 1 if g.size <= FEW else 2]:
        last = 0.0
        share = np.abs(g * scale)
        top = float(np.max(share, initial=0.0))
        for members in alike(np.where(left, share, -1.0)):
            part = float(np.max(share[members]))
            nothing = part <= NOTHING * top
            along = [_check_along(problem, k, g, members * scale, tolerance, top, rng)
                     for _ in range(directions)]  # fmt: skip
            error = largest(e for e, _ in along)
            sharp = all(sharp for _, sharp in along) or (nothing and not np.any(refused[members]))
            if sharp and error <= tolerance:
                left = left & ~members
                worst = max(worst, error * (part / top if top else 1.0))
            else:
                last = max(last, error)
                refused = np.where(members & sharp, error, refused)
        if not left.any():
            return worst, True
    return max(worst, last, float(np.max(refused[left]))), False


def _check_along(
    problem: Problem, k: int, g: np.ndarray, scale: np.ndarray, tolerance: float, top: float,
    rng: np.random.Generator,
) -> tuple[float, bool]:  # fmt: skip
    """The error along a random direction of elements of this `scale`, and whether rounding left it sharp."""
    d = spread_out(rng, g.shape) * (scale != 0)
    v = problem.exact(k, d / np.sqrt(np.sum(d * d)) * scale)
    size = float(np.sum(np.abs(g * v)))
    numeric = problem.derivative(k, v, tolerance * size / 1000)
    noise = ROUNDING * max(numeric.rounding, EPS * problem.size()) + 4 * min(numeric.spread, FINE * top)
    difference = abs(float(np.sum(g * v)) - numeric.value)
    total = max(size, abs(numeric.value)) + noise / tolerance
    return difference / total if total else difference, noise <= SHARP * size


def _raw_against_tape(problem: Problem) -> tuple[float, list[str]]:
    """The rules on arrays and the same rules on Tensors give the same numbers, up to rounding."""
    raw = problem.gradients(create_graph=False)
    try:
        tape = problem.gradients(create_graph=True)
    except Exception as raised:
        return float("inf"), ["the backward fails on Tensors (create_graph=True)",
                              *diagnosis.of_exception(raised)]  # fmt: skip
    worst, reasons = 0.0, []
    for k, (a, b) in enumerate(zip(raw, tape, strict=True)):
        if not a.size:
            continue
        rounding = ROUNDING * EPS * max(float(np.max(np.abs(a))), problem.size())
        errors = np.abs(a - b) / np.maximum(np.abs(a) + rounding / TAPE_TOLERANCE, 1e-300)
        at = np.unravel_index(int(np.argmax(errors)), a.shape)  # a NaN comes first
        worst = largest([worst, float(errors[at])])
        if not errors[at] <= TAPE_TOLERANCE:
            reasons.append(
                f"{problem.names[problem.checked[k]]}{list(map(int, at))}: the backward on arrays gives "
                f"{a[at]:.9g}, the same backward on Tensors (create_graph=True) {b[at]:.9g}"
            )
    return worst, reasons


def _gradient_function(problem: Problem) -> Callable[..., tuple[Tensor, ...]]:
    """(inputs, c) → ∂L/∂(checked inputs)."""
    n = len(problem.inputs)

    def gradient(*arguments: Any) -> tuple[Tensor, ...]:
        args, cotangents = list(arguments[:n]), list(arguments[n:])
        record = is_grad_enabled()
        if not record:
            for i in problem.checked:
                args[i] = Tensor._wrap(args[i]._data)
                args[i].requires_grad = True
        with enable_grad():
            outputs = real_outputs(problem.function(*args))
            leaves = [args[i] for i in problem.checked]
            return tuple(pull_back(outputs, leaves, cotangents, create_graph=record))

    return gradient


def _with_cotangents(problem: Problem) -> list[Any]:
    leaves = problem.arguments(problem.points, True)
    return [*leaves, *(Tensor(c, requires_grad=True) for c in problem.cotangents)]


def _gradient_problem(problem: Problem, rng: np.random.Generator) -> Problem:
    names = [*problem.names, *(f"gy of output {k}" for k in range(len(problem.cotangents)))]
    second = Problem(_gradient_function(problem), _with_cotangents(problem), names, rng)
    second.floors = [problem.size() / np.maximum(np.abs(x), 1.0) for x in problem.points]
    return second


def _report(
    errors: list[float], tape_error: float, reasons: list[str], tolerances: tuple[float, float]
) -> Report:
    parts = [
        f"order {k + 1}: {e:.1e} (at most {t:.0e})"
        for k, (e, t) in enumerate(zip(errors, tolerances, strict=True))
        if e == e
    ]
    head = f"gradcheck {'failed' if reasons else 'passed'}: " + ", ".join(parts)
    text = "\n  ".join([head, *reasons])
    return Report(not reasons, errors[0], errors[1], tape_error, text, tuple(reasons))
