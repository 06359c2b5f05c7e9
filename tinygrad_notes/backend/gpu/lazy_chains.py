"""What arrays that wait are made of, and chains of steps described as the keys of kernels.

A chain is described by numbered steps on numbered operands. Python's numbers are arguments of the kernel, not
text of it, so that a changing one compiles nothing anew; only the few that formulas are made of (`LITERALS`)
stand in the text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Set
from typing import Any

import numpy as np

from ..kernels.steps import Step, host_number

LITERALS = {0: "0", 1: "1", -1: "-1", 2: "2", 0.5: "0.5"}
WRITTEN = 0  # instead of the size of a chain: its array was written into


class Node:
    """An array, `_array`, or how it is made, `step`, from `args`, nodes and numbers.

    `step` is a `Step` of a chain, a `Reduction`, `RESHAPED`, a `Joined` or a `Later`.
    """

    __slots__ = ("_array", "args", "dtype", "shape", "size_of_chain", "step")

    def __init__(
        self, array: Any, shape: Any, dtype: Any, step: Any = None, args: tuple[Any, ...] = ()
    ) -> None:
        self._array, self.shape, self.dtype, self.step, self.args = array, shape, dtype, step, args
        self.size_of_chain = 1

    @property
    def array(self) -> Any:
        """The array of CuPy's, computed now if it was not."""
        raise NotImplementedError

    def settle(self, array: Any) -> None:
        """It is computed: forget how."""
        self._array, self.step, self.args, self.size_of_chain = array, None, (), 1


class Later:
    """An array that `work` makes; it may be told where to write it."""

    __slots__ = ("work",)

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self.work = work


class Reduction:
    """The "sum", "mean" or "max" of a chain over `axes`, as `dtype`, and then some steps.

    `then` is [(step, its operands)], None for what was made before; `numbers` are the kernel's arguments.
    """

    __slots__ = ("axes", "dtype", "keepdims", "kind", "numbers", "then")

    def __init__(
        self, kind: str, dtype: Any, axes: tuple[int, ...], keepdims: bool, numbers: tuple[Any, ...] = (),
        then: tuple[Any, ...] = (),
    ) -> None:  # fmt: skip
        self.kind, self.dtype, self.axes, self.keepdims = kind, dtype, axes, keepdims
        self.numbers, self.then = numbers, then


class Reshaped:
    """A reduction in another shape."""

    __slots__ = ()


RESHAPED = Reshaped()


class Joined:
    """An array made of parts that are put next to each other: [(part, its place in the array)]."""

    __slots__ = ("parts",)

    def __init__(self, parts: list[tuple[Node, Any]]) -> None:
        self.parts = parts


class Description:
    """Chains as a list of numbered values, each made of those before it.

    A value is the type of an array, ("number", type), ("literal", type, text) or (step, *places of operands).
    """

    def __init__(self, apart: Set[int] = frozenset()) -> None:
        self.values: list[Any] = []
        self.arrays: list[Any] = []  # or nodes that are arrays by the time of the launch
        self.numbers: list[Any] = []
        self.places: dict[int, int] = {}
        self.placed: list[Node] = []  # lives as long as its id is a key
        self.unsettled: list[Node] = []  # of the arrays those that are nodes
        self.apart = apart  # ids of nodes that are computed before

    def place(self, node: Node) -> int:
        """The number of `node`'s value."""
        places = self.places
        found = places.get(id(node))
        if found is not None:
            return found
        self.placed.append(node)
        step = node.step
        if type(step) is Step and id(node) not in self.apart:
            parts: list[Any] = [step]
            for arg, dtype in zip(node.args, step.loop, strict=True):
                if isinstance(arg, Node):
                    found = places.get(id(arg))
                    parts.append(self.place(arg) if found is None else found)
                else:
                    parts.append(self.number(arg, dtype))
            value: Any = tuple(parts)
        else:
            if node.size_of_chain == WRITTEN:
                raise RuntimeError(
                    f"a rule wrote into an array of shape {node.shape} that an expression made before it had "
                    "yet to read; make the expression from a copy, or use xp.where"
                )
            array = node._array
            if array is None:
                array = node
                self.unsettled.append(node)
            found = places.get(id(array))
            if found is not None:
                return found
            self.arrays.append(array)
            places[id(array)] = len(self.values)
            value = node.dtype
        places[id(node)] = len(self.values)
        self.values.append(value)
        return len(self.values) - 1

    def waiting(self) -> list[Node]:
        """The reductions that it reads."""
        return [node for node in self.unsettled if type(node.step) in (Reduction, Reshaped)]

    def inputs(self) -> list[Any]:
        """What a kernel is called with: arrays, then numbers."""
        if not self.unsettled:
            return self.arrays + self.numbers
        return [a.array if isinstance(a, Node) else a for a in self.arrays] + self.numbers

    def reaches(self, shape: tuple[int, ...]) -> bool:
        """Whether the arrays have this shape together; what is one number for all elements has none."""
        for array in self.arrays:
            if array.shape == shape:
                return True
        return bool(self.arrays) and np.broadcast_shapes(*(a.shape for a in self.arrays)) == shape

    def number(self, value: Any, dtype: np.dtype[Any]) -> int:
        """The number of the value of a Python number that is used as `dtype`."""
        described, number = operand(value, dtype)
        self.values.append(described)
        self.numbers += number
        return len(self.values) - 1


def operand(value: Any, dtype: np.dtype[Any]) -> tuple[Any, tuple[Any, ...]]:
    """How a Python number that is used as `dtype` is described, and the kernel's argument, if it is one."""
    value = host_number(value, dtype)
    if value in LITERALS and (value or math.copysign(1, value) > 0):
        return ("literal", dtype, LITERALS[value]), ()
    return ("number", dtype), (value,)
