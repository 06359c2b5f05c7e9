"""Tensor: an array, and the edge to the node that made it.

Arithmetic, methods and indexing are the functions of the tape (tape.py): a Tensor's ``+`` is ``tg.add``
itself. What changes a Tensor in place is in in_place.py, what copies one in copies.py.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import backend
from ..backend.capture import renew, running
from . import guard
from .fitting import check_fits
from .node import Leaf
from .tape import tape

_new_tensor = object.__new__


class Tensor:
    """An n-dimensional array that can record how it was made.

    Args:
        data: numbers, nested lists or an array; it is copied. Python floats become float32,
            arrays keep their dtype.
        requires_grad: record operations on it and collect its gradient in ``.grad``.
        dtype: convert to this dtype.

    Raises:
        TypeError: data that is not numeric, or ``requires_grad`` for integers.
    """

    __slots__ = ("__weakref__", "_data", "_edge", "_frozen")
    __array_priority__ = 1000
    __hash__ = object.__hash__

    _data: Any
    _edge: tuple[Any, int] | None  # (the node or leaf that this Tensor comes from, which output)
    _frozen: Leaf  # the leaf of a Tensor while it does not require gradients, if it ever did

    def __init__(self, data: Any, requires_grad: bool = False, dtype: Any = None) -> None:
        if isinstance(data, Tensor):
            data = data._data
        self._data = backend.asarray(data, dtype, copy=True)
        self._edge = None
        if requires_grad:
            self.requires_grad = True

    @staticmethod
    def _wrap(array: Any, edge: tuple[Any, int] | None = None) -> Tensor:
        """A Tensor on `array` itself, without a copy: for results of operations."""
        tensor = _new_tensor(Tensor)
        tensor._data = array
        tensor._edge = edge
        return tensor

    # ---- what it holds -------------------------------------------------------------------------

    @property
    def data(self) -> Any:
        """The array itself. Writing into it while a backward needs it is noticed and raises."""
        guard.lend(self._data)
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        if value is self._data:  # the second half of ``t.data += 1``
            guard.touched(value)
            return
        renew(self, self._replacement("Tensor.data", value))

    def _replacement(self, name: str, value: Any) -> Any:
        """A copy of `value` that fits in place of the data; raises before anything has changed."""
        if isinstance(value, Tensor) and value._edge is None:
            value = value._data
        check_fits(name, value, self._data.dtype)
        array = backend.asarray(value, self._data.dtype, copy=True)
        if array.shape != self._data.shape:
            raise ValueError(
                f"{name}: shape {array.shape} cannot replace {self._data.shape}; make a new Tensor for "
                "another shape"
            )
        return array

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of every axis."""
        return self._data.shape  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._data.ndim  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._data.size  # type: ignore[no-any-return]

    @property
    def dtype(self) -> Any:
        """The kind of the numbers, as NumPy's dtype."""
        return self._data.dtype

    if TYPE_CHECKING:  # operators and methods come with the operations: see fill_tape

        def __getattr__(self, name: str) -> Any: ...
        def __getitem__(self, index: Any) -> Tensor: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...
        def __add__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len() of a 0-d Tensor")
        return self.shape[0]

    def __repr__(self) -> str:
        body = np.array2string(backend.to_numpy(self._data), separator=", ", prefix="Tensor(")
        dtype = "" if self.dtype in (np.float32, np.int64, np.bool_) else f", dtype={self.dtype}"
        grad = ""
        if self._leaf is not None:
            grad = ", requires_grad=True"
        elif self._edge is not None:
            grad = f", made by {self._edge[0].operation.name}"
        return f"Tensor({body}{dtype}{grad})"

    def numpy(self) -> np.ndarray:
        """The values as a NumPy array; on the CPU it shares memory with the Tensor."""
        guard.lend(self._data)
        return backend.to_numpy(self._data)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self._edge is not None:
            raise TypeError(
                "a Tensor that requires grad cannot turn into a NumPy array by itself, the graph "
                "would be lost silently; call .detach().numpy(), or use the functions of "
                "tinygrad_notes instead of NumPy's"
            )
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """NumPy's function on the values, e.g. np.sum(t): an array. One that requires grad raises."""
        return function(*_values(args), **{key: _values(value) for key, value in kwargs.items()})

    __array_ufunc__ = None  # ndarray + Tensor asks the Tensor: its __radd__ records the addition

    def item(self) -> float | int | bool:
        """The one value of a Tensor of size 1, as a Python number."""
        if self.size != 1:
            raise ValueError(f"item: only a Tensor of size 1 is one number, this one is {self.shape}")
        return self._data.item()  # type: ignore[no-any-return]

    def __format__(self, spec: str) -> str:
        """One number in its own format, as in f"{loss:.3f}"."""
        if self.ndim == 0 or (spec and self.size == 1):
            return format(self.item(), spec)
        if spec:
            raise TypeError(
                f"format: {spec!r} is for one number, this Tensor is {self.shape}; format .item()s"
            )
        return str(self)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        return bool(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise TypeError(f"only an integer Tensor can be an index, this one is {self.dtype}")
        return int(self.item())

    # ---- the graph -----------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this Tensor are recorded."""
        return self._edge is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if not self.is_leaf:
            raise RuntimeError(
                "requires_grad: this Tensor is the result of an operation; call .detach() first"
            )
        leaf = self._leaf
        if not value:
            if leaf is not None:
                self._frozen, self._edge = leaf, None
        elif leaf is None:
            if self.dtype.kind != "f":
                raise TypeError(
                    f"requires_grad: only real numbers have gradients, this Tensor is {self.dtype}; "
                    "convert it with .astype('float32')"
                )
            # The leaf it had, if it has been frozen: there may be graphs that end there.
            self._edge = (self._collector or Leaf((self.shape, self.dtype)), 0)

    @property
    def is_leaf(self) -> bool:
        """Whether no operation made this Tensor."""
        return self._edge is None or self._leaf is not None

    @property
    def _leaf(self) -> Leaf | None:
        edge = self._edge
        return edge[0] if edge is not None and type(edge[0]) is Leaf else None

    @property
    def _collector(self) -> Leaf | None:
        """The leaf that holds the gradient, also while this Tensor is frozen."""
        return self._leaf or getattr(self, "_frozen", None)

    @property
    def grad(self) -> Tensor | None:
        """The gradient collected by ``backward()``, for Tensors made with ``requires_grad=True``."""
        leaf = self._collector
        return None if leaf is None else leaf.grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        leaf = self._collector
        if leaf is None:
            if value is None:
                return
            raise RuntimeError("grad: only a Tensor made with requires_grad=True collects a gradient")
        if value is not None and (not isinstance(value, Tensor) or (value.shape, value.dtype) != leaf.meta):
            raise ValueError(
                f"grad: must be a Tensor of shape {self.shape} and dtype {self.dtype}, got "
                f"{type(value).__name__} {getattr(value, 'shape', value)!r} {getattr(value, 'dtype', '')}"
            )
        if running:
            running[-1].undo.append(functools.partial(setattr, leaf, "grad", leaf.grad))
        leaf.grad = value

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.grad = None

    def backward(
        self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False
    ) -> None:
        """Add d(self)/d(leaf) to ``leaf.grad`` for every leaf that this Tensor was made from.

        Args:
            gradient: the gradient of the final loss with respect to this Tensor, of its shape;
                may be left out for one number.
            retain_graph: keep the graph for another backward; default `create_graph`.
            create_graph: record the backward itself, so that gradients can be differentiated.
        """
        tape.backward((self,), (gradient,), retain_graph, create_graph)

    def detach(self) -> Tensor:
        """The same data, outside the graph."""
        return Tensor._wrap(self._data)

    # ---- NumPy's methods -----------------------------------------------------------------------

    @property
    def T(self) -> Tensor:
        return tape.transpose(self)  # type: ignore[no-any-return]

    @property
    def mT(self) -> Tensor:
        """The last two axes exchanged."""
        return tape.swapaxes(self, -1, -2)  # type: ignore[no-any-return]

    def reshape(self, *shape: Any) -> Tensor:
        return tape.reshape(self, shape[0] if len(shape) == 1 else shape)  # type: ignore[no-any-return]

    def transpose(self, *axes: Any) -> Tensor:
        one = len(axes) == 1 and not isinstance(axes[0], int | np.integer)
        return tape.transpose(self, axes[0] if one else axes or None)  # type: ignore[no-any-return]

    def __pos__(self) -> Tensor:
        return self

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))


def _values(value: Any) -> Any:
    """`value` with arrays in place of the Tensors in it."""
    if isinstance(value, tuple | list):
        return (tuple if isinstance(value, tuple) else list)(map(_values, value))
    return np.asarray(value) if isinstance(value, Tensor) else value
