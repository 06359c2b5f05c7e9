"""Arrays that wait, computed: one kernel for all chains of a shape, one for all sums over the same axes.

The description of chains (`lazy_chains`) is the key under which their kernel is kept.
"""

from __future__ import annotations

import math
from typing import Any

import cupy
import numpy as np

from ..kernels.steps import Step
from .lazy_chains import WRITTEN, Description, Joined, Later, Node, Reduction, Reshaped
from .lazy_texts import SUMS, elementwise_kernel, reduction_kernel

MOST_ARGUMENTS = 36  # arrays of one kernel: CUDA passes 4096 bytes of arguments

Pair = tuple["Node", Any]  # what to compute, and the array to write it to, or None for a new one
Plan = tuple[list[Pair], Description, tuple[int, ...]]  # what to compute, and the places of its values


def evaluate(pairs: list[Pair]) -> None:
    """Compute what waits in `pairs`; results of one shape share a kernel, the smallest first."""
    groups: dict[tuple[int, ...], list[Pair]] = {}
    later: list[Pair] = []
    joined: list[Pair] = []
    reductions: list[Node] = []
    queue = list(pairs)
    for node, out in queue:
        if node._array is not None and out is None:
            continue
        kind = type(node.step)
        if kind is Joined:
            if out is None:
                out = cupy.empty(node.shape, node.dtype)
            joined.append((node, out))
            queue += [(part, out[place]) for part, place in node.step.parts]
        elif kind in (Reduction, Reshaped) and out is None:
            reductions.append(node)
        elif isinstance(node.step, Later):
            later.append((node, out))
        else:
            groups.setdefault(node.shape, []).append((node, out))
    plans = _planned(groups)
    for _, described, _ in plans:
        if described.unsettled:
            reductions += described.waiting()
    if reductions:
        _reduce(reductions)
    for plan in plans:
        _compute(*plan)
    if later:
        _finish([pair for pair in later if pair[1] is not None])  # the parts of what is joined
    for node, out in joined:
        if node._array is None:
            node.settle(out)
    if later:
        _finish([pair for pair in later if pair[1] is None])


def _finish(pairs: list[Pair]) -> None:
    """Compute what other library functions give."""
    for node, out in pairs:
        if node._array is None:
            node.settle(node.step.work(out))
        elif out is not None:
            out[...] = node._array


def _planned(groups: dict[tuple[int, ...], list[Pair]]) -> list[Plan]:
    """A kernel for the chains of each shape; larger ones read what smaller ones give."""
    plans: list[Plan] = []
    given: set[int] = set()
    for shape in sorted(groups, key=math.prod) if len(groups) > 1 else groups:
        pairs = groups[shape] if len(groups[shape]) == 1 else _wanted(groups[shape])
        if pairs and not (len(pairs) == 1 and _directly(*pairs[0])):
            described = Description(given)
            plans.append((pairs, described, tuple(described.place(node) for node, _ in pairs)))
            if len(groups) > 1:
                given = given | {id(node) for node, _ in pairs}
    return plans


def _wanted(pairs: list[Pair]) -> list[Pair]:
    """Each node once for each place that it is written to; without one only if nothing else computes it."""
    written = {id(node) for node, out in pairs if out is not None}
    wanted = {
        (id(node), id(out)): (node, out)
        for node, out in pairs
        if out is not None or (node._array is None and id(node) not in written)
    }
    return list(wanted.values())


def _compute(pairs: list[Pair], described: Description, targets: tuple[int, ...]) -> None:
    """Chains of one shape by one kernel; by several if they have too many arguments."""
    if len(described.arrays) + len(pairs) > MOST_ARGUMENTS and len(pairs) > 1:
        for half in (pairs[: len(pairs) // 2], pairs[len(pairs) // 2 :]):
            evaluate(half)
        return
    inputs = described.inputs()
    outs: list[Any] = []
    if any(out is not None for _, out in pairs) or not described.reaches(pairs[0][0].shape):
        outs = [cupy.empty(node.shape, node.dtype) if out is None else out for node, out in pairs]
    results = elementwise_kernel(tuple(described.values), targets)(*inputs, *outs)
    for (node, _), result in zip(pairs, results, strict=True):
        if node._array is None:
            node.settle(result)


def _directly(node: Node, out: Any) -> bool:
    """A copy, or a single operation that CuPy has compiled already."""
    if node._array is not None:
        out[...] = node._array
        return True
    if out is not None or type(node.step) is not Step or node.step.name not in SINGLE:
        return False
    name = node.step.name
    args: list[Any] = [
        arg if not isinstance(arg, Node) else None if arg.size_of_chain == WRITTEN else arg._array
        for arg in node.args
    ]
    if any(arg is None or isinstance(arg, np.generic) for arg in args):
        return False
    if name == "full":
        array = cupy.full(node.shape, *args, node.dtype)
    else:
        array = args[0].astype(node.dtype) if name == "astype" else getattr(cupy, name)(*args)
    node.settle(array if array.dtype == node.dtype else array.astype(node.dtype))  # CuPy 13 looks at values
    return True


SINGLE = frozenset(
    """abs add astype bitwise_and bitwise_or bitwise_xor ceil cos divide equal exp expm1 floor full greater
    greater_equal invert isfinite isnan less less_equal log log1p logical_and logical_not logical_or
    logical_xor maximum minimum multiply negative not_equal rint sin sqrt subtract tanh""".split()  # noqa: SIM905 (a table)
)


def _reduce(nodes: list[Node]) -> None:
    """Compute reductions: sums of real numbers over the same axes share kernels."""
    groups: dict[Any, dict[int, Node]] = {}
    for node in nodes:
        base = node.args[0] if type(node.step) is Reshaped else node
        if base._array is None:
            step, source = base.step, base.args[0]
            alone = None if step.kind != "max" and source.dtype.kind == "f" else id(base)
            groups.setdefault((source.shape, step.axes, step.keepdims, alone), {})[id(base)] = base
    for group in groups.values():
        alike = [base for base in group.values() if base._array is None]
        for part in (alike[i : i + SUMS] for i in range(0, len(alike), SUMS)):
            described, targets = _described(part)
            if waiting := described.waiting():  # of the same rule, perhaps of this part
                _reduce(waiting)
                part = [base for base in part if base._array is None]
                described, targets = _described(part)
            if part:
                _reduce_together(part, described, targets)
    for node in nodes:
        if type(node.step) is Reshaped:
            node.settle(node.args[0].array.reshape(node.shape))


def _described(reductions: list[Node]) -> tuple[Description, tuple[int, ...]]:
    described = Description()
    return described, tuple(described.place(base.args[0]) for base in reductions)


def _reduce_together(part: list[Node], described: Description, targets: tuple[int, ...]) -> None:
    """Reductions of one shape over the same axes by one kernel; one by one if it would be too long."""
    first, kernel = part[0].step, None
    if len(described.arrays) + len(part) <= MOST_ARGUMENTS and described.reaches(part[0].args[0].shape):
        ends = tuple((base.step.kind, base.step.dtype, base.step.then) for base in part)
        kernel = reduction_kernel(tuple(described.values), targets, ends)
    if kernel is None:
        for base in part:
            if len(part) == 1:
                evaluate([(base.args[0], None)])  # the chain itself is too long
            _reduce_together([base], *_described([base]))
        return
    numbers = [number for base in part for number in base.step.numbers]
    outs = [cupy.empty(base.shape, base.dtype) for base in part] if len(part) > 1 else []
    found = kernel(*described.inputs(), *numbers, *outs, axis=first.axes, keepdims=first.keepdims)
    for base, array in zip(part, outs or [found], strict=True):
        base.settle(array)
