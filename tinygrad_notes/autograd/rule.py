"""A rule of an operation and where its arguments come from, found once from the names in its signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple


class Rule(NamedTuple):
    """One rule, with where its arguments come from.

    `plan` indexes the values of a call, ``[*inputs, *intermediates, y]``; ``~i`` asks for the shape
    of value i; `take` picks them. `target` is the input whose gradient a backward rule gives, -1 for
    all of them.
    """

    run: Callable[..., Any]
    plan: tuple[int, ...]
    take: Callable[[Sequence[Any]], Sequence[Any]]
    attributes: tuple[str, ...]
    target: int = -1


def resolve(operation: Any, run: Callable[..., Any], skip: int, target: int = -1) -> Rule:
    """The Rule of `run`: after the first `skip` parameters, the engine's, come names of values of a call."""
    inputs = operation.inputs
    values = {name: i for i, name in enumerate((*inputs, *operation.saves, "y"))}
    shapes = {f"{name}_shape": ~values[name] for name in inputs}
    names = positional(run)[skip:]
    unknown = [n for n in names if n not in values and n not in shapes]
    if unknown:
        raise TypeError(
            f"{operation.__name__}.{run.__name__} asks for {unknown}; it may ask for "
            f"{[*values, *shapes]} by position and for attributes by keyword"
        )
    plan = tuple(values[n] if n in values else shapes[n] for n in names)
    return Rule(run, plan, _taker(plan), _keywords(run), target)


def _taker(plan: tuple[int, ...]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """A function that picks the values of a plan; itemgetter where no shape is asked for."""
    if any(i < 0 for i in plan):
        return lambda values: [values[i] if i >= 0 else getattr(values[~i], "shape", ()) for i in plan]
    if len(plan) < 2:
        return itemgetter(slice(plan[0], plan[0] + 1) if plan else slice(0))
    return itemgetter(*plan)


def positional(rule: Callable[..., Any]) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(rule).parameters.values()
    if any(p.default is not p.empty or p.kind is p.VAR_KEYWORD for p in parameters):
        raise TypeError(f"{rule.__qualname__}: rules take no defaults and no **kwargs")
    return [p.name for p in parameters if p.kind in kinds]


def takes_any_number(rule: Callable[..., Any]) -> bool:
    parameters = inspect.signature(rule).parameters.values()
    return any(p.kind is p.VAR_POSITIONAL for p in parameters)


def _keywords(rule: Callable[..., Any]) -> tuple[str, ...]:
    parameters = inspect.signature(rule).parameters.values()
    return tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
