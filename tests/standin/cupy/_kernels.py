"""cupy.ElementwiseKernel and cupy.ReductionKernel: CUDA C of a restricted kind, computed by NumPy.

Parameters are named by NumPy's types (``float32 x``), the text by C's (``float v = x;``), as in CuPy.
Stricter than CuPy, refused are ``raw`` parameters, type placeholders (``T x``), ``float x`` (which CuPy
reads as float64), preambles, arrays that overlap but are not the same, and outputs that no text sets.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from . import _device, _errors, _expression
from ._expression import Refused


class Parameter(NamedTuple):
    """``float32 x``: its name and type."""

    name: str
    dtype: np.dtype


def parameters(text: str) -> tuple[Parameter, ...]:
    """The parameters of a list like ``float32 x, bool mask``."""
    found = []
    for part in text.split(",") if text.strip() else ():
        words = part.split()
        if len(words) != 2:
            raise Refused(
                f"kernel parameter {part.strip()!r}: write one NumPy type and one name; raw is refused"
            )
        kind, name = words
        dtype = _device.check_dtype(kind) if len(kind) > 1 else None
        if dtype is None or dtype.name != kind:
            read = f", which CuPy reads as {dtype}" if dtype else ""
            raise Refused(
                f"kernel parameter {part.strip()!r}: {kind!r} is no NumPy type by its full name{read}"
            )
        if name == "i":
            raise ValueError("Can not use 'i' as a parameter name")
        if not re.fullmatch(r"[A-Za-z]\w*", name):
            raise Refused(f"kernel parameter {part.strip()!r}: {name!r} is no name")
        found.append(Parameter(name, dtype))
    if len({parameter.name for parameter in found}) < len(found):
        raise Refused(f"kernel parameters {text!r}: a name occurs twice")
    return tuple(found)


class _Kernel:
    """What both kinds of kernel share: parameters, and the arrays that a call gives for them."""

    def __init__(self, in_params: str, out_params: str, name: str, preamble: str) -> None:
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise ValueError(f'Invalid kernel name: "{name}"')
        if preamble:
            raise NotImplementedError("cupy stand-in: kernels have no preamble")
        self.name = self.__name__ = name
        self.in_params, self.out_params = parameters(in_params), parameters(out_params)
        self.nin, self.nout = len(self.in_params), len(self.out_params)
        self.nargs = self.nin + self.nout
        parameters(f"{in_params}, {out_params}" if in_params.strip() else out_params)

    def _values(self, args: tuple[Any, ...]) -> list[Any]:
        """Buffers and scalars, in the types of the parameters; another type is refused."""
        if len(args) not in (self.nin, self.nargs):
            raise TypeError(
                f"Wrong number of arguments for {self.name!r}. It must be either {self.nin} or {self.nargs} "
                f"(with outputs), but given {len(args)}."
            )
        values = []
        for parameter, arg in zip(self.in_params + self.out_params, args, strict=False):
            value = _device.operand(arg, self.name)
            if _device.is_device(arg):
                if value.dtype != parameter.dtype:
                    raise TypeError(f"Type is mismatched. {parameter.name} {value.dtype} {parameter.dtype}")
            elif len(values) >= self.nin:
                raise TypeError("Output arguments type must be cupy.ndarray")
            else:
                value = _expression.convert(value, parameter.dtype)
            values.append(value)
        return values

    def _outputs(self, args: tuple[Any, ...], shape: tuple[int, ...]) -> list[Any]:
        """The output arrays: those given, or new ones."""
        given = list(args[self.nin :])
        for out in given:
            if out.shape != shape:
                raise ValueError(f"Out shape is mismatched: {out.shape}, computed {shape}")
        types = [parameter.dtype for parameter in self.out_params]
        return given or [_device.computed(np.empty, shape, dtype, free=True) for dtype in types]

    def _check(self, inputs: list[Any], outs: list[np.ndarray], ndim: int) -> None:
        """Refuse arguments that overlap, or are too many: an array takes its shape and strides with it."""
        arrays = sum(isinstance(value, np.ndarray) and value.ndim > 0 for value in inputs) + len(outs)
        size = arrays * (16 + 16 * ndim) + 8 * (len(inputs) + len(outs) - arrays) + 16 + 16 * ndim
        _errors.check_parameters(self.name, size)
        for i, out in enumerate(outs):
            others = [value for value in inputs if isinstance(value, np.ndarray) and not _same(value, out)]
            others += outs[:i]
            if any(np.may_share_memory(out, other) and np.shares_memory(out, other) for other in others):
                raise Refused(f"{self.name}: an output overlaps another argument that is not the same array")


def _same(left: np.ndarray, right: np.ndarray) -> bool:
    alike = left.shape == right.shape and left.strides == right.strides
    return alike and left.ctypes.data == right.ctypes.data


class ElementwiseKernel(_Kernel):
    """One thread for each element of the broadcast arguments; the text sees the element's values."""

    def __init__(
        self,
        in_params: str,
        out_params: str,
        operation: str,
        name: str = "kernel",
        reduce_dims: bool = True,
        preamble: str = "",
        no_return: bool = False,
        return_tuple: bool = False,
        *,
        options: tuple[str, ...] = (),
    ) -> None:
        super().__init__(in_params, out_params, name, preamble)
        self.operation, self.no_return, self.return_tuple = operation, no_return, return_tuple

    def __call__(self, *args: Any, size: int = -1, block_size: int = 128) -> Any:
        if block_size <= 0:
            raise ValueError("block_size must be greater than zero")
        values = self._values(args)
        shape = self._shape(args, values, size)
        outs = self._outputs(args, shape)
        buffers = [out._data for out in outs]
        if 0 not in shape:
            self._check(values[: self.nin], buffers, len(shape))
            work = functools.partial(self._compute, values[: self.nin], buffers, shape, len(args) > self.nin)
            _device.launch(work, buffers)
        if self.no_return:
            return None
        return outs[0] if self.nout == 1 and not self.return_tuple else tuple(outs)

    def _shape(self, args: tuple[Any, ...], values: list[Any], size: int) -> tuple[int, ...]:
        arrays = [value for arg, value in zip(args, values, strict=True) if _device.is_device(arg)]
        if size != -1:
            if arrays:
                raise ValueError("Specified 'size' can be used only if all of the ndarray are 'raw'.")
            return (size,)
        if not arrays:
            raise ValueError("Loop size is undecided.")
        return np.broadcast_shapes(*(array.shape for array in arrays))

    def _compute(self, inputs: list[Any], outs: list[Any], shape: tuple[int, ...], given: bool) -> None:
        names: dict[str, Any] = {"i": np.arange(int(np.prod(shape))).reshape(shape)}
        names |= {p.name: value.copy() for p, value in zip(self.in_params, inputs, strict=True)}
        names |= {p.name: out.copy() for p, out in zip(self.out_params, outs, strict=True) if given}
        places = {p.name: out for p, out in zip(self.out_params, outs, strict=True)}
        aliases = {  # an input is a reference: it changes with an output that is the same array
            name: [p.name for p, value in zip(self.in_params, inputs, strict=True) if _same(value, out)]
            for name, out in places.items()
        }
        unset = set(places)
        for declared, name, node in _expression.statements(self.operation):
            value = _expression.evaluate(node, names)
            if declared is not None:
                if name in names or name in places:
                    raise Refused(f"{self.name}: {name!r} is declared twice")
                names[name] = _expression.convert(value, declared)
            elif name not in places:
                raise Refused(f"{self.name}: {name!r} cannot be assigned; outputs are {sorted(places)}")
            else:
                out = places[name]
                out[...] = _expression.convert(value, out.dtype)
                names |= dict.fromkeys([name, *aliases[name]], out.copy())
                unset.discard(name)
        if unset and not given:
            raise Refused(f"{self.name}: the text sets no {sorted(unset)}")


class ReductionKernel(_Kernel):
    """map_expr of every element, reduce_expr of two such values a and b, post_map_expr of the last one, a.

    As on a device the reduction starts with `identity` in every thread, and without one at zero.
    """

    def __init__(
        self,
        in_params: str,
        out_params: str,
        map_expr: str,
        reduce_expr: str,
        post_map_expr: str,
        identity: Any,
        name: str = "reduce_kernel",
        reduce_type: str | None = None,
        reduce_dims: bool = True,
        preamble: str = "",
        options: tuple[str, ...] = (),
    ) -> None:
        super().__init__(in_params, out_params, name, preamble)
        self.map_expr, self.reduce_expr, self.post_map_expr = map_expr, reduce_expr, post_map_expr
        self.identity = "" if identity is None else str(identity)
        self.reduce_type = reduce_type
        self._parts = 3 if reduce_type == "double3" else 1
        if self._parts > 1:
            if (reduce_expr, self.identity) != ("make_double3(a.x + b.x, a.y + b.y, a.z + b.z)",
                                                "make_double3(0, 0, 0)"):  # fmt: skip
                raise Refused(f"{name}: of double3 only sums of the parts are computed here")
            reduce_type = "double"
            self.reduce_expr, self.identity = "a + b", "0"
        if reduce_type is not None and reduce_type not in _expression.TYPES:
            raise Refused(f"{name}: reduce_type {reduce_type!r} is no C type")
        self._type = np.dtype(_expression.TYPES[reduce_type]) if reduce_type else self.out_params[0].dtype

    def __call__(
        self, *args: Any, out: Any = None, axis: Any = None, keepdims: bool = False, stream: Any = None
    ) -> Any:
        if stream is not None:
            raise NotImplementedError("cupy stand-in: kernels run on the current stream")
        if self.nout > 1 and len(args) == self.nin:
            raise Refused(f"{self.name}: CuPy returns the first of several results; give the arrays")
        if out is not None:
            if self.nout != 1 or len(args) > self.nin:
                raise ValueError("cannot specify 'out' as both a positional and keyword argument")
            args = (*args, out)
        values = self._values(args)
        arrays = [
            value for arg, value in zip(args[: self.nin], values, strict=False) if _device.is_device(arg)
        ]
        if not arrays:
            raise ValueError("Loop size is undecided.")
        whole = np.broadcast_shapes(*(array.shape for array in arrays))
        axes = self._axes(axis, len(whole))
        kept = tuple(1 if i in axes else size for i, size in enumerate(whole))
        shape = kept if keepdims else tuple(size for i, size in enumerate(whole) if i not in axes)
        outs = self._outputs(args, shape)
        if 0 in shape:
            return outs[0] if self.nout == 1 else tuple(outs)
        if 0 in whole and not self.identity:
            raise ValueError(f"zero-size array to reduction operation {self.name} which has no identity")
        buffers = [array._data for array in outs]
        inputs = values[: self.nin]
        self._check(inputs, buffers, len(whole))
        scalars = {p.name: v for p, v, arg in zip(self.in_params, inputs, args, strict=False)
                   if not _device.is_device(arg)}  # fmt: skip
        _device.launch(lambda: self._compute(inputs, scalars, buffers, whole, axes), buffers)
        return outs[0] if self.nout == 1 else tuple(outs)

    def _axes(self, axis: Any, ndim: int) -> tuple[int, ...]:
        _device.host_argument(axis, self.name)
        if axis is None:
            return tuple(range(ndim))
        return tuple(np.lib.array_utils.normalize_axis_tuple(axis, ndim))

    def _compute(
        self, inputs: list[Any], scalars: dict[str, Any], outs: list[Any], whole: Any, axes: Any
    ) -> None:
        names = dict(zip((p.name for p in self.in_params), inputs, strict=True))
        mapped = _expression.expression(self.map_expr)
        call = (mapped.kind, mapped.text, len(mapped.parts))
        if self._parts > 1 and call != ("call", "make_double3", self._parts):
            raise Refused(f"{self.name}: map_expr must be make_double3(x, y, z)")
        known = dict(scalars)
        for name, part in zip(("a",) if self._parts == 1 else ("a.x", "a.y", "a.z"),
                              (mapped,) if self._parts == 1 else mapped.parts, strict=True):  # fmt: skip
            value = _expression.convert(_expression.evaluate(part, names), self._type)
            total = self._reduced(np.broadcast_to(value, whole), axes, scalars)
            known[name] = total.reshape(outs[0].shape)
        places = dict(zip((p.name for p in self.out_params), outs, strict=True))
        for declared, name, node in _expression.statements(self.post_map_expr, ","):
            if declared is not None or name not in places:
                raise Refused(f"{self.name}: post_map_expr sets {name!r}, outputs are {sorted(places)}")
            out = places.pop(name)
            out[...] = _expression.convert(_expression.evaluate(node, known), out.dtype)
        if places:
            raise Refused(f"{self.name}: post_map_expr sets no {sorted(places)}")

    def _reduced(self, mapped: np.ndarray, axes: tuple[int, ...], scalars: dict[str, Any]) -> np.ndarray:
        start = np.zeros((), self._type)
        if self.identity:
            start = _expression.evaluate(_expression.expression(self.identity), scalars)
            start = np.asarray(_expression.convert(start, self._type))
        if self.reduce_expr.replace(" ", "") == "a+b" and start == 0:
            return np.asarray(np.sum(mapped, axis=axes, dtype=self._type))
        others = [i for i in range(mapped.ndim) if i not in axes]
        rows = mapped.transpose(*others, *axes).reshape(*(mapped.shape[i] for i in others), -1)
        ends = np.broadcast_to(start, (*rows.shape[:-1], 1))
        return self._tree(np.concatenate([ends, rows, ends], axis=-1), scalars)

    def _tree(self, rows: np.ndarray, scalars: dict[str, Any]) -> np.ndarray:
        node = _expression.expression(self.reduce_expr)
        combine: Callable[[Any, Any], Any] = lambda a, b: _expression.convert(  # noqa: E731
            _expression.evaluate(node, scalars | {"a": a, "b": b}), self._type
        )
        while rows.shape[-1] > 1:
            half = rows.shape[-1] // 2
            joined = combine(rows[..., :half], rows[..., half : 2 * half])
            rows = np.concatenate([joined, rows[..., 2 * half :]], axis=-1)
        return rows[..., 0]
