"""Arrays that wait, computed: one kernel for all chains of a shape, one for the sum over a chain.

A chain is described by numbered steps on numbered operands; the description is the key under which its kernel
is kept. Python's numbers are arguments of the kernel, not text of it, so that a changing one compiles nothing
anew; only the few that formulas are made of (`LITERALS`) stand in the text.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cupy
import numpy as np

from ..kernels.steps import Step, host_number
from .lazy_texts import elementwise_kernel, sum_kernel

LITERALS = {0: "0", 1: "1", -1: "-1", 2: "2", 0.5: "0.5"}
WRITTEN = 0  # instead of the size of a chain: its array was written into
MOST_ARGUMENTS = 36  # arrays of one kernel: CUDA passes 4096 bytes of arguments

Pair = tuple["Node", Any]  # what to compute, and the array to write it to, or None for a new one


class Node:
    """An array, `_array`, or how it is made: a `Step` on `args`, nodes and numbers; a `Joined`; a `Later`."""

    __slots__ = ("_array", "args", "dtype", "shape", "size_of_chain", "step")

    def __init__(
        self, array: Any, shape: Any, dtype: Any, step: Any = None, args: tuple[Any, ...] = ()
    ) -> None:
        self._array, self.shape, self.dtype, self.step, self.args = array, shape, dtype, step, args
        self.size_of_chain = 1

    @property
    def array(self) -> Any:
        """The array of CuPy's, computed now if it was not."""
        if self._array is None:
            evaluate([(self, None)])
        return self._array

    def settle(self, array: Any) -> None:
        """It is computed: forget how."""
        self._array, self.step, self.args, self.size_of_chain = array, None, (), 1


class Later:
    """An array that `work` makes; it may be told where to write it."""

    __slots__ = ("work",)

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self.work = work


class Joined:
    """An array made of parts that are put next to each other: [(part, its place in the array)]."""

    __slots__ = ("parts",)

    def __init__(self, parts: list[tuple[Node, Any]]) -> None:
        self.parts = parts


class Description:
    """Chains as a list of numbered values, each made of those before it.

    A value is the type of an array, ("number", type), ("literal", type, text) or (step, *places of operands).
    """

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.arrays: list[Any] = []
        self.numbers: list[Any] = []
        self.places: dict[int, int] = {}
        self.placed: list[Node] = []  # lives as long as its id is a key

    def place(self, node: Node) -> int:
        """The number of `node`'s value."""
        found = self.places.get(id(node))
        if found is not None:
            return found
        self.placed.append(node)
        step = node.step
        if type(step) is Step:
            parts = [
                self.place(arg) if isinstance(arg, Node) else self.number(arg, dtype)
                for arg, dtype in zip(node.args, step.loop, strict=True)
            ]
            value: Any = (step, *parts)
        else:
            if node.size_of_chain == WRITTEN:
                raise RuntimeError(
                    f"a rule wrote into an array of shape {node.shape} that an expression made before it had "
                    "yet to read; make the expression from a copy, or use xp.where"
                )
            array = node.array
            found = self.places.get(id(array))
            if found is not None:
                return found
            self.arrays.append(array)
            self.places[id(array)] = len(self.values)
            value = node.dtype
        self.places[id(node)] = len(self.values)
        self.values.append(value)
        return len(self.values) - 1

    def reaches(self, shape: tuple[int, ...]) -> bool:
        """Whether the arrays have this shape together; what is one number for all elements has none."""
        shapes = [array.shape for array in self.arrays]
        return shape in shapes or (bool(shapes) and np.broadcast_shapes(*shapes) == shape)

    def number(self, value: Any, dtype: np.dtype[Any]) -> int:
        """The number of the value of a Python number that is used as `dtype`."""
        value = host_number(value, dtype)
        if value in LITERALS and (value or math.copysign(1, value) > 0):
            self.values.append(("literal", dtype, LITERALS[value]))
        else:
            self.values.append(("number", dtype))
            self.numbers.append(value)
        return len(self.values) - 1


def evaluate(pairs: list[Pair]) -> None:
    """Compute what waits in `pairs`; results of one shape share a kernel, the smallest first."""
    groups: dict[tuple[int, ...], list[Pair]] = {}
    later: list[Pair] = []
    joined: list[Pair] = []
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
        elif kind is Step or node._array is not None:
            groups.setdefault(node.shape, []).append((node, out))
        else:
            later.append((node, out))
    for shape in sorted(groups, key=math.prod):
        _compute(groups[shape])
    _finish([pair for pair in later if pair[1] is not None])  # the parts of what is joined
    for node, out in joined:
        if node._array is None:
            node.settle(out)
    _finish([pair for pair in later if pair[1] is None])


def _finish(pairs: list[Pair]) -> None:
    """Compute what other library functions give."""
    for node, out in pairs:
        if node._array is None:
            node.settle(node.step.work(out))
        elif out is not None:
            out[...] = node._array


def _compute(pairs: list[Pair]) -> None:
    """Chains of one shape by one kernel; by several if they have too many arguments."""
    written = {id(node) for node, out in pairs if out is not None}
    wanted = {
        (id(node), id(out)): (node, out)
        for node, out in pairs
        if out is not None or (node._array is None and id(node) not in written)
    }
    pairs = list(wanted.values())
    if not pairs:
        return
    if len(pairs) == 1 and _directly(*pairs[0]):
        return
    described = Description()
    targets = tuple(described.place(node) for node, _ in pairs)
    if len(described.arrays) + len(pairs) > MOST_ARGUMENTS and len(pairs) > 1:
        _compute(pairs[: len(pairs) // 2])
        _compute(pairs[len(pairs) // 2 :])
        return
    kernel = elementwise_kernel(tuple(described.values), targets)
    outs: list[Any] = []
    if any(out is not None for _, out in pairs) or not described.reaches(pairs[0][0].shape):
        outs = [cupy.empty(node.shape, node.dtype) if out is None else out for node, out in pairs]
    results = kernel(*described.arrays, *described.numbers, *outs)
    for (node, _), result in zip(pairs, results, strict=True):
        if node._array is None:
            node.settle(result)


def _directly(node: Node, out: Any) -> bool:
    """A copy, or a single operation that CuPy has compiled already."""
    if node._array is not None:
        out[...] = node._array
        return True
    name = node.step.name
    if out is not None or name not in SINGLE:
        return False
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


def reduce_chain(
    node: Node, axis: Any, keepdims: bool, dtype: np.dtype[Any], count: float | None = None
) -> Any:
    """Σ of a chain over `axis`, divided by `count` if there is one, as an array of `dtype`."""
    described = Description()
    target = described.place(node)
    kernel = None
    if len(described.arrays) < MOST_ARGUMENTS and described.reaches(node.shape):
        kernel = sum_kernel(tuple(described.values), target, dtype, count is not None)
    if kernel is None:
        described = Description()
        described.arrays.append(node.array)
        kernel = sum_kernel((node.dtype,), 0, dtype, count is not None)
    counts = () if count is None else (count,)
    return kernel(*described.arrays, *described.numbers, *counts, axis=axis, keepdims=keepdims)
