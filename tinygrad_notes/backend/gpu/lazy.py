"""Arrays that wait: a rule called with them becomes a few kernels instead of one for each line.

A `Lazy` is an array of CuPy's, or a step of a chain (`kernels.steps`) on Lazies and numbers, or what another
library function will give (`Later` and `Joined`). Values are computed when a rule ends, or when something
that is not element by element needs them; all chains of one shape that then wait become one kernel. A Lazy is
a value: ``y *= a`` gives the name y to another one.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import cupy
import numpy as np

from ..kernels.steps import Step, cast, step
from . import lazy_kernels
from .lazy_chains import RESHAPED, WRITTEN, Node, Reduction, Reshaped, operand
from .lazy_kernels import Pair

WAITING = (Step, Reduction, Reshaped)
LONGEST = 64  # steps of one chain: more are computed in parts

Operand = Any  # a Lazy or a number


class Lazy(Node):
    """An array that may not be computed yet; see the module's text."""

    __slots__ = ()

    __array_priority__ = 1000  # CuPy's operators give way to those here
    __array_ufunc__ = None  # and NumPy's, which then refuse: a host array must not slip in
    __hash__ = None  # type: ignore[assignment]

    @property
    def array(self) -> Any:
        """The array of CuPy's, computed now if it was not."""
        if self._array is None:
            lazy_kernels.evaluate([(self, None)])
        return self._array

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def T(self) -> Any:
        return wrap(self.array.T)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of an array of shape ()")
        return int(self.shape[0])

    def __iter__(self) -> Any:
        return (self.part(i) for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.array)

    def __float__(self) -> float:
        return float(self.array)

    def __int__(self) -> int:
        return int(self.array)

    def __getattr__(self, name: str) -> Any:
        """Whatever else CuPy's arrays have."""
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(self.array, name)
        return opaque(found) if callable(found) else wrap(found)

    def part(self, index: Any) -> Any:
        """self[index]."""
        parts = index if type(index) is tuple else (index,)
        basic = all(part is None or part is ... or type(part) in (int, slice) for part in parts)
        if basic and type(self.step) is Step:
            return moved(self, lambda array: array[index])
        return wrap(self.array[bare(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        self.array[bare(index)] = bare(value)
        self.size_of_chain = WRITTEN

    def astype(self, dtype: Any, copy: bool = True) -> Lazy:
        dtype = np.dtype(dtype)
        if dtype == self.dtype and (not copy or self._array is None):
            return self
        return Lazy(None, self.shape, dtype, cast(self.dtype, dtype), (self,))

    def reshape(self, *shape: Any) -> Any:
        if type(self.step) in WAITING and not in_one_piece(self, self.shape):
            return wrap(self.array.reshape(*shape))
        return viewed(self, lambda array: array.reshape(*shape))

    def copy(self) -> Any:
        return wrap(self.array.copy())


def wrap(value: Any) -> Any:
    """`value` with a Lazy for each array in it."""
    kind = type(value)
    if kind is cupy.ndarray:
        return Lazy(value, value.shape, value.dtype)
    if kind is tuple or kind is list:
        return kind(map(wrap, value))
    return value


def bare(value: Any) -> Any:
    """`value` with an array for each Lazy in it."""
    kind = type(value)
    if kind is Lazy:
        return value.array
    if kind is tuple or kind is list:
        return kind(map(bare, value))
    return value


def opaque(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of arrays as one of Lazies: its arguments are computed first."""

    @functools.wraps(function, updated=())
    def call(*args: Any, **options: Any) -> Any:
        return wrap(function(*map(bare, args), **{name: bare(value) for name, value in options.items()}))

    return call


def elementwise(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
    """The element-wise function `name`; `plain` is CuPy's, for the types that have no text here."""

    def call(*args: Operand) -> Any:
        operands: list[Operand] = []
        kinds: list[Any] = []
        shape, length, lone = None, 1, None
        for arg in args:
            if type(arg) is not Lazy:
                arg = _operand(arg, name)
            operands.append(arg)
            if type(arg) is not Lazy:
                kinds.append(type(arg) if type(arg) in WEAK else arg.dtype)
                continue
            kinds.append(arg.dtype)
            if arg.size_of_chain == WRITTEN:  # what reads it from now on reads the new values
                operands[-1] = arg = wrap(arg.array)
            length += arg.size_of_chain
            if shape is None:
                shape, lone = arg.shape, arg
            else:
                lone = None
                if shape != arg.shape:
                    shape = _broadcast(shape, arg.shape)
        found = step(name, *kinds)
        if shape is None or found is None or (found.whole and not _fit(operands, found)):
            return wrap(plain(*map(bare, operands)))
        if lone is not None and type(lone.step) is Reduction and lone.step.kind != "max":
            return _followed(lone, found, operands)
        result = Lazy(None, shape, found.dtype, found, tuple(operands))
        result.size_of_chain = length
        if length > LONGEST:
            lazy_kernels.evaluate([(arg, None) for arg in operands if type(arg) is Lazy])
            result.size_of_chain = 1 + len(operands)
        return result

    call.__name__ = name
    return call


def _followed(reduced: Lazy, found: Step, operands: list[Operand]) -> Lazy:
    """The step `found` of a reduction and numbers: the kernel of the reduction does it at its end."""
    described, numbers = list[Any](), reduced.step.numbers
    for value, dtype in zip(operands, found.loop, strict=True):
        if value is reduced:
            described.append(None)
            continue
        text, number = operand(value, dtype)
        described.append(text)
        numbers += number
    old = reduced.step
    step = Reduction(
        old.kind, old.dtype, old.axes, old.keepdims, numbers, (*old.then, (found, tuple(described)))
    )
    return Lazy(None, reduced.shape, found.dtype, step, reduced.args)


WEAK = (int, float, bool)
_broadcast = functools.lru_cache(4096)(np.broadcast_shapes)


def _operand(value: Any, name: str) -> Any:
    if type(value) in WEAK or isinstance(value, np.generic):
        return value
    if type(value) is cupy.ndarray:
        return wrap(value)
    if isinstance(value, WEAK):  # a subclass, such as an enumeration
        return next(kind(value) for kind in (bool, int, float) if isinstance(value, kind))
    raise TypeError(
        f"{name}: unsupported type {type(value).__module__}.{type(value).__name__} in a rule on the device"
    )


def _fit(operands: list[Operand], found: Step) -> bool:
    """Whether the Python integers among the operands fit the types that they are computed in."""
    for value, dtype in zip(operands, found.loop, strict=True):
        if type(value) is int and dtype.kind in "iu":
            limits = np.iinfo(dtype)
            if not limits.min <= value <= limits.max:
                return False
    return True


def rebuilt(chain: Lazy, leaf: Callable[[Lazy], Lazy]) -> Lazy:
    """The same steps on `leaf(x)` for each x that the chain begins with."""
    known: dict[int, Lazy] = {}

    def follow(node: Lazy) -> Lazy:
        found = known.get(id(node))
        if found is not None:
            return found
        if type(node.step) is Step and any(type(arg) is Lazy for arg in node.args):
            args = tuple(follow(arg) if type(arg) is Lazy else arg for arg in node.args)
            shape = functools.reduce(_broadcast, (arg.shape for arg in args if type(arg) is Lazy))
            new = Lazy(None, shape, node.dtype, node.step, args)
            new.size_of_chain = 1 + sum(arg.size_of_chain for arg in args if type(arg) is Lazy)
        else:
            new = leaf(node)
        known[id(node)] = new
        return new

    return follow(chain)


def moved(chain: Lazy, view: Callable[[Any], Any], reshaped: bool = False) -> Lazy:
    """`view`, which takes some of the elements or moves them, of every array of a chain.

    `reshaped`: it leaves the order of what lies in one piece, so that reductions can wait.
    """

    def leaf(node: Lazy) -> Lazy:
        if node.shape == () != chain.shape:
            return node
        if reshaped and type(node.step) in (Reduction, Reshaped) and node.shape == chain.shape:
            base = node if type(node.step) is Reduction else node.args[0]
            return Lazy(None, view(np.empty(node.shape, bool)).shape, node.dtype, RESHAPED, (base,))
        array = node.array
        moved_array = view(array if array.shape == chain.shape else cupy.broadcast_to(array, chain.shape))
        return Lazy(moved_array, moved_array.shape, moved_array.dtype)

    return rebuilt(chain, leaf)


def viewed(x: Lazy, view: Callable[[Any], Any]) -> Lazy:
    """x in another shape, by a `view` that leaves the elements in their order."""
    return moved(x, view, reshaped=True) if type(x.step) in WAITING else wrap(view(x.array))


def in_one_piece(node: Node, shape: tuple[int, ...]) -> bool:
    """Whether each array of the chain is one number, or has this shape and lies in one piece."""
    if type(node.step) is Step:
        return all(in_one_piece(arg, shape) for arg in node.args if type(arg) is Lazy)
    if type(node.step) in (Reduction, Reshaped):
        return node.shape in ((), shape)
    return (node.shape == () != shape) or (node.shape == shape and bool(node.array.flags.c_contiguous))


def unwrap(result: Any) -> Any:
    """What a rule returned, as arrays of CuPy's: what waits is computed, in one kernel for each shape."""
    waiting: list[Pair] = []
    _collect(result, waiting)
    if waiting:
        lazy_kernels.evaluate(waiting)
    return bare(result)


def _collect(result: Any, waiting: list[Pair]) -> None:
    if type(result) is Lazy:
        if result._array is None:
            waiting.append((result, None))
    elif type(result) is tuple or type(result) is list:
        for part in result:
            _collect(part, waiting)
