"""An operation as a few pure rules, written once and read in four ways.

A subclass of `Function` states rules on a namespace ``xp`` (no ``self``)::

    forward(xp, x, w, *, stride)       the value; inputs by position, everything else by keyword
    save(xp, x, *, eps)                optional: the tuple of intermediates named in ``saves``
    backward(xp, gy, y, w)             the gradient of every input, or
    backward_x(xp, gy, w)              one rule per input, run only if that gradient is wanted

The rules ask by name for what they use: an input, an intermediate, the output ``y``, the shape of
an input (``x_shape``). A node keeps what its backward rules name and nothing else, so the signature
of a backward is also its memory cost. Names are resolved once, when the class is made.

If a backward names a real-valued intermediate, the inputs of ``save`` are kept as well: a derivative
of a derivative replays ``save`` on Tensors, so a kept intermediate never becomes a constant.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from .. import backend
from . import guard, mode
from .anomaly import check_forward
from .node import Node
from .place import check_gpus, note
from .rule import Rule, positional, resolve, takes_any_number
from .tensor import Tensor

_next_number = itertools.count(1).__next__
recording = mode.recording.get
anomaly = mode.anomaly.get


class Function:
    """An operation; see the module's text. Call it as ``Sigmoid.apply(x)``."""

    saves: ClassVar[tuple[str, ...]] = ()
    broadcasts: ClassVar[bool] = False  # may inputs broadcast (and be Python scalars)?

    forward: ClassVar[Callable[..., Any]]
    backward: ClassVar[Callable[..., Any]]

    name: ClassVar[str]
    inputs: ClassVar[tuple[str, ...]]
    variadic: ClassVar[bool]  # forward(xp, *xs, ...): then backward may only name attributes
    forward_rule: ClassVar[Rule]
    save_rule: ClassVar[Rule | None]
    direct: ClassVar[bool]  # forward takes the inputs and all attributes as they come
    backward_rules: ClassVar[tuple[Rule, ...]]
    keeps: ClassVar[tuple[tuple[int, Callable[[Sequence[Any]], Sequence[Any]]], ...]]
    replays: ClassVar[tuple[int, ...]]  # the intermediates that backward rules name
    replayed: ClassVar[Callable[[Sequence[Any]], Sequence[Any]]]  # picks the inputs of `save`
    unruled: ClassVar[tuple[int, ...]]  # the inputs for which no backward rule gives a gradient

    def __init_subclass__(cls) -> None:
        cls.name = cls.__name__
        for rule in ("save", "forward", "backward"):
            if rule in cls.__dict__:
                setattr(cls, rule, staticmethod(cls.__dict__[rule]))
        save = getattr(cls, "save", None)
        asked = [p for rule in (save, cls.forward) if rule for p in positional(rule)[1:]]
        cls.inputs = tuple(dict.fromkeys(p for p in asked if p not in cls.saves))
        cls.variadic = takes_any_number(cls.forward)
        cls.forward_rule = resolve(cls, cls.forward, 1)
        cls.save_rule = resolve(cls, save, 1) if save else None
        cls.backward_rules = rules = tuple(cls._backward_rules())
        cls.keeps = tuple((rule.target, rule.take) for rule in rules)
        ruled = {rule.target for rule in rules}
        cls.unruled = () if -1 in ruled else tuple(i for i in range(len(cls.inputs)) if i not in ruled)
        named = {attribute for rule in rules for attribute in rule.attributes}
        in_order = cls.forward_rule.plan == tuple(range(len(cls.inputs)))
        cls.direct = not save and in_order and named <= set(cls.forward_rule.attributes)
        middle = range(len(cls.inputs), len(cls.inputs) + len(cls.saves))
        cls.replays = tuple({i for rule in rules for i in rule.plan if i in middle})
        cls.replayed = cls.save_rule.take if cls.save_rule else tuple

    @classmethod
    def _backward_rules(cls) -> Iterator[Rule]:
        """`backward`, and `backward_x` for each input x that has one."""
        if hasattr(cls, "backward"):
            yield resolve(cls, cls.backward, 2)
        for i, name in enumerate(cls.inputs):
            own = getattr(cls, f"backward_{name}", None)
            if own is not None:
                setattr(cls, f"backward_{name}", staticmethod(own))
                yield resolve(cls, own, 2, i)

    @classmethod
    def apply(cls, *inputs: Any, **attributes: Any) -> Any:
        """The forward of Tensors, arrays, None (left out) or numbers, as Tensors; recorded where tracked."""
        xp = backend.xp
        ndarray = xp.ndarray
        values: list[Any] = []
        edges, tracked = [], False
        for x in inputs:
            if isinstance(x, Tensor):
                array, edge = x._data, x._edge
                if edge is not None:
                    tracked = True
            else:
                array, edge = _constant(cls, len(values), x), None
            if type(array) is not ndarray and backend.is_array(array):
                raise _wrong_device(cls, len(values), array)
            values.append(array)
            edges.append(edge)

        if _several:
            check_gpus(cls, values)
        try:
            if xp.read is None and cls.direct:
                y = cls.forward(xp, *values, **attributes)
            else:
                y = _run(cls, xp, values, attributes)
        except Exception as error:
            _explain(cls, values, error)
            raise
        several = type(y) is tuple
        if several:
            y = tuple(a if type(a) is ndarray else xp.asarray(a) for a in y)
        else:
            if type(y) is not ndarray:  # NumPy gives scalars for 0-d results
                y = xp.asarray(y)
            if y.dtype is _FLOAT64 and "dtype" not in attributes:
                y = _settled(y, values[: len(inputs)])
        created = check_forward(cls, xp, values, y if several else (y,)) if anomaly() else None
        if tracked and recording():
            return _record(cls, values, edges, attributes, y, created)
        return tuple(map(_wrap, y)) if several else _wrap(y)


_new_node = object.__new__
_guarded = guard.records
_several = backend.several
_wrap = Tensor._wrap
_FLOAT64 = np.dtype(np.float64)


def _record(
    cls: type[Function], values: list[Any], edges: list[Any], attributes: dict[str, Any], y: Any,
    created: str | None,
) -> Any:  # fmt: skip
    """The output `y` as Tensors on a new node, which keeps what the backward rules name."""
    # A tuple, and so are its parts: the garbage collector passes over tuples of arrays, not over lists.
    known = (*values, y)
    node = _new_node(Node)
    node.operation = cls
    node.edges = edges
    node.attributes = attributes
    node.created = created
    node.kept = kept = []
    for target, take in cls.keeps:
        kept.append(take(known) if target < 0 or edges[target] is not None else None)
    node.save_inputs = node.stamps = node.hooks = None
    if cls.replays and any(known[i] is not None and known[i].dtype.kind == "f" for i in cls.replays):
        node.save_inputs = cls.replayed(known)
    node.sequence = _next_number()
    if _guarded:
        node.stamps = [None if group is None else [guard.stamp(v) for v in group]
                       for group in (*kept, node.save_inputs, guard.arrays(attributes))]  # fmt: skip
    if type(y) is tuple:
        node.several = True
        node.meta = tuple((a.shape, a.dtype) for a in y)
        return tuple(_wrap(a, (node, i) if a.dtype.kind == "f" else None) for i, a in enumerate(y))
    node.several = False
    dtype = y.dtype
    node.meta = (y.shape, dtype)
    result = _new_node(Tensor)  # Tensor._wrap without the call
    result._data = y
    result._edge = (node, 0) if dtype.kind == "f" else None
    return result


def _run(cls: type[Function], xp: Any, values: list[Any], attributes: dict[str, Any]) -> Any:
    """`save`, whose intermediates are appended to `values`, and `forward`."""
    if len(values) != len(cls.inputs) and not cls.variadic:
        raise TypeError(f"{cls.name} takes {', '.join(cls.inputs)}")
    if xp.read is not None:
        *saved, y = xp.read(_both)(xp, cls, tuple(values), **attributes)
        values += saved
        return y
    if cls.save_rule is not None:
        values += _call(cls.save_rule, xp, values, attributes)
    return _call(cls.forward_rule, xp, values, attributes)


def _both(xp: Any, cls: type[Function], values: Sequence[Any], /, **attributes: Any) -> tuple[Any, ...]:
    """The intermediates, and then the value, as one rule."""
    if cls.direct:
        return (cls.forward(xp, *values, **attributes),)
    saved = _call(cls.save_rule, xp, values, attributes) if cls.save_rule is not None else ()
    return *saved, _call(cls.forward_rule, xp, (*values, *saved), attributes)


def _call(rule: Rule, xp: Any, values: Sequence[Any], attributes: dict[str, Any]) -> Any:
    names = rule.attributes
    if len(names) != len(attributes):
        attributes = {k: attributes[k] for k in names}
    return rule.run(xp, *(rule.take(values) if rule.plan else values), **attributes)


def _settled(y: Any, values: list[Any]) -> Any:
    """`y`, which came out as float64, in the precision of the real inputs (float32 if there are none).

    NumPy makes float64 of float32 and an integer array; an integer here never asks for precision.
    """
    kinds = [v.dtype for v in values if hasattr(v, "dtype") and v.dtype.kind == "f"]
    if _FLOAT64 in kinds:
        return y
    return y.astype(max(kinds, key=lambda dtype: dtype.itemsize, default=np.dtype(np.float32)))


def _constant(cls: type[Function], position: int, value: Any) -> Any:
    """An input that is not a Tensor. Scalars stay weak: they never change the dtype of an array."""
    if value is None:
        return value
    if backend.is_array(value):
        backend.check_dtype(value.dtype)
        value = backend.plain(value) if isinstance(value, np.ndarray) else value
        return value.copy()  # the caller may write into it before the backward
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str | bytes | complex):
        raise TypeError(f"{cls.name}: argument {_input_name(cls, position)} cannot be {value!r}")
    if cls.broadcasts and isinstance(value, bool | int | float):
        return value
    return backend.asarray(value)


def _input_name(cls: type[Function], position: int) -> str:
    return repr(cls.inputs[position]) if position < len(cls.inputs) else str(position)


def _wrong_device(cls: type[Function], position: int, array: Any) -> backend.BackendError:
    return backend.BackendError(
        f"{cls.name}: argument {_input_name(cls, position)} is a {type(array).__module__} array but the "
        f"backend is {backend.BACKEND}; move the data or call set_backend"
    )


def _explain(cls: type[Function], values: list[Any], error: Exception) -> None:
    """Add the operation and the shapes of its inputs to an error raised inside a rule."""
    shapes = ", ".join(
        f"{name} {tuple(v.shape)} {v.dtype}" if hasattr(v, "shape") else f"{name} = {v!r}"
        for name, v in zip(cls.inputs, values, strict=False)
    )
    note(error, f"forward of {cls.name}: {shapes}")
