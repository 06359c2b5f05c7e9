"""Shape and selection: linear maps that move numbers, each beside its adjoint.

If yᵢ = x_s(i), each y is a copy of one x, the one at s(i), then ∂yᵢ/∂xⱼ = [s(i) = j] and

    ∂L/∂xⱼ = Σᵢ gyᵢ [s(i) = j]        the sum over all places to which xⱼ was copied

A permutation copies each x once: the gradient goes back by the inverse permutation. What was not copied gets
0, what was copied twice the sum of both gradients (`ScatterAdd`); a constant border leads to no x.
"""

from __future__ import annotations

import itertools
import math
import operator

import numpy as np

from .. import backend
from ..autograd import Function, Tensor
from .arguments import as_shape, as_tensor, check_held, normalize_axis, number, one_axis


class Reshape(Function):
    """The same numbers in another shape; the adjoint is the reshape back."""

    def forward(xp, x, *, shape):
        return xp.reshape(x, shape)

    def backward(xp, gy, x_shape):
        return xp.reshape(gy, x_shape)


class Transpose(Function):
    """Axes permuted; the adjoint is the inverse permutation."""

    def forward(xp, x, *, axes):
        return xp.transpose(x, axes)

    def backward(xp, gy, *, axes):
        return xp.transpose(gy, tuple(sorted(range(len(axes)), key=axes.__getitem__)))


class Flip(Function):
    """The order along `axis` reversed; its own adjoint."""

    def forward(xp, x, *, axis):
        return xp.flip(x, axis=axis)

    def backward(xp, gy, *, axis):
        return xp.flip(gy, axis=axis)


class GetItem(Function):
    """y = x[index]; the adjoint adds gy back at the index, repeats included."""

    def forward(xp, x, *, index):
        return x[index]

    def backward(xp, gy, x_shape, *, index):
        return xp.scatter_add(gy, index, x_shape)


class ScatterAdd(Function):
    """Zeros of `shape` with x added at [index]; the adjoint of x[index]."""

    def forward(xp, x, *, index, shape):
        return xp.scatter_add(x, index, shape)

    def backward(xp, gy, *, index):
        return gy[index]


class Concatenate(Function):
    """Arrays one after another along `axis`; the adjoint cuts at the same places."""

    def forward(xp, *xs, axis):
        return xp.concatenate(xs, axis=axis)

    def backward(xp, gy, *, axis, sizes):
        return _cut(gy, axis, sizes)


class Split(Function):
    """x cut along `axis` into parts of `sizes`; the adjoint of concatenation."""

    def forward(xp, x, *, axis, sizes):
        return _cut(x, axis, sizes)

    def backward(xp, gy, *, axis):
        return xp.concatenate(gy, axis=axis)


class Pad(Function):
    """A constant border of widths ((before, after), ...) per axis; the adjoint crops it off."""

    def forward(xp, x, *, widths, value):
        return xp.pad(x, widths, constant_values=value)

    def backward(xp, gy, x_shape, *, widths):
        return gy[tuple(slice(b, b + n) for (b, _), n in zip(widths, x_shape, strict=True))]


def _cut(x, axis: int, sizes) -> tuple:
    """x[..., start:stop, ...] along `axis` for consecutive pieces of `sizes`."""
    ends = tuple(itertools.accumulate(sizes))
    before = (slice(None),) * axis
    return tuple(x[(*before, slice(end - n, end))] for n, end in zip(sizes, ends, strict=True))


# ---- functions with NumPy's names -------------------------------------------------------------


def reshape(x, shape) -> Tensor:
    """The same numbers in `shape`; one length may be −1."""
    x = as_tensor(x)
    shape = as_shape(shape)
    free = [i for i, n in enumerate(shape) if n == -1]
    known = math.prod(n for n in shape if n != -1)
    bad = len(free) > 1 or (known == 0 if free else known != x.size)
    if bad or (free and x.size % known) or any(n < -1 for n in shape):
        raise ValueError(f"reshape: {x.size} numbers of shape {x.shape} do not fit into {shape}")
    if free:
        shape = tuple(x.size // known if n == -1 else n for n in shape)
    return Reshape.apply(x, shape=shape)


def flatten(input, start_axis: int = 0, end_axis: int = -1) -> Tensor:
    """Axes start_axis..end_axis joined into one."""
    x = as_tensor(input)
    if x.ndim == 0:
        return reshape(x, (1,))
    start, end = (one_axis(a, x.shape, "flatten") for a in (start_axis, end_axis))
    if start > end:
        raise ValueError(f"flatten: start_axis {start_axis} comes after end_axis {end_axis}")
    return reshape(x, (*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]))


def transpose(x, axes=None) -> Tensor:
    """Axes in the order `axes`, reversed by default."""
    x = as_tensor(x)
    axes = tuple(range(x.ndim))[::-1] if axes is None else normalize_axis(tuple(axes), x.shape, "transpose")
    if len(axes) != x.ndim:
        raise ValueError(f"transpose: {len(axes)} axes {axes} for an array of shape {x.shape}")
    return Transpose.apply(x, axes=axes)


def swapaxes(x, axis1: int, axis2: int) -> Tensor:
    """Two axes exchanged."""
    x = as_tensor(x)
    a, b = (one_axis(a, x.shape, "swapaxes") for a in (axis1, axis2))
    order = list(range(x.ndim))
    order[a], order[b] = b, a
    return Transpose.apply(x, axes=tuple(order))


def moveaxis(x, source, destination) -> Tensor:
    """Axes `source` moved to the places `destination`; the others keep their order."""
    x = as_tensor(x)
    src, dst = (normalize_axis(a, x.shape, "moveaxis") for a in (source, destination))
    if len(src) != len(dst):
        raise ValueError(f"moveaxis: {len(src)} axes to {len(dst)} places")
    order = [i for i in range(x.ndim) if i not in src]
    for place, axis in sorted(zip(dst, src, strict=True)):
        order.insert(place, axis)
    return Transpose.apply(x, axes=tuple(order))


def squeeze(x, axis=None) -> Tensor:
    """Axes of length 1 removed: all of them, or those named."""
    x = as_tensor(x)
    axes = (
        tuple(i for i, n in enumerate(x.shape) if n == 1)
        if axis is None
        else normalize_axis(axis, x.shape, "squeeze")
    )
    if any(x.shape[a] != 1 for a in axes):
        raise ValueError(f"squeeze: axis {axis} of shape {x.shape} is not of length 1")
    return Reshape.apply(x, shape=tuple(n for i, n in enumerate(x.shape) if i not in axes))


def expand_dims(x, axis) -> Tensor:
    """New axes of length 1 at the places `axis` of the result."""
    x = as_tensor(x)
    axis = tuple(axis) if isinstance(axis, tuple | list) else (axis,)
    count = len(axis)
    places = normalize_axis(axis, x.ndim + count, "expand_dims")
    rest = iter(x.shape)
    shape = tuple(1 if i in places else next(rest) for i in range(x.ndim + count))
    return Reshape.apply(x, shape=shape)


def flip(x, axis=None) -> Tensor:
    """The order reversed along `axis` (all axes by default)."""
    x = as_tensor(x)
    return Flip.apply(x, axis=normalize_axis(axis, x.shape, "flip"))


def getitem(x, index) -> Tensor:
    """x[index] as in NumPy: integers, slices, None, Ellipsis, integer or boolean arrays."""
    return GetItem.apply(x, index=_raw_index(index))


def scatter_add(g, index, shape) -> Tensor:
    """Zeros of `shape` with g added at [index]; repeated places add up."""
    return ScatterAdd.apply(g, index=_raw_index(index), shape=as_shape(shape))


def _raw_index(index):
    return tuple(map(_raw_part, index)) if isinstance(index, tuple) else _raw_part(index)


def _raw_part(part):
    """One part of an index; arrays are copied, so that changing them later cannot move a gradient."""
    if isinstance(part, list | tuple):
        part = np.asarray(part, dtype=None if len(part) else np.int64)
    if isinstance(part, Tensor) or backend.is_array(part):
        part = backend.asarray(part._data if isinstance(part, Tensor) else part, copy=True)
        if part.dtype.kind not in "iub":
            raise IndexError(f"getitem: an index must be integer or boolean, got {part.dtype}")
    return part


def concat(xs, axis: int = 0) -> Tensor:
    """Tensors one after another along `axis`; their other lengths must agree."""
    xs = [as_tensor(x) for x in xs]
    if not xs:
        raise ValueError("concat: needs at least one Tensor")
    if xs[0].ndim == 0:
        raise ValueError("concat: Tensors of shape () have no axis to join along; use stack")
    axis = one_axis(axis, xs[0].shape, "concat")
    rest = {(*x.shape[:axis], *x.shape[axis + 1 :]) for x in xs}
    if len(rest) > 1 or any(x.ndim != xs[0].ndim for x in xs):
        raise ValueError(f"concat: shapes {[x.shape for x in xs]} differ outside axis {axis}")
    return Concatenate.apply(*xs, axis=axis, sizes=tuple(x.shape[axis] for x in xs))


def concatenate(xs, axis: int = 0) -> Tensor:
    """NumPy's name for `concat`."""
    return concat(xs, axis)


def stack(xs, axis: int = 0) -> Tensor:
    """Tensors of one shape along a new axis."""
    xs = [as_tensor(x) for x in xs]
    if len({x.shape for x in xs}) != 1:
        raise ValueError(f"stack: needs Tensors of one shape, got {[x.shape for x in xs]}")
    return concat([expand_dims(x, axis) for x in xs], axis)


def split(x, indices_or_sections, axis: int = 0) -> tuple[Tensor, ...]:
    """x cut along `axis` into equal parts (an integer), or before each of the given positions."""
    x = as_tensor(x)
    axis = one_axis(axis, x.shape, "split")
    length = x.shape[axis]
    if isinstance(indices_or_sections, int | np.integer):
        n = indices_or_sections
        if n < 1 or length % n:
            raise ValueError(f"split: axis {axis} of shape {x.shape} does not divide into {n} parts")
        sizes = (length // n,) * n
    else:
        bounds = [0, *indices_or_sections, length]
        sizes = tuple(b - a for a, b in itertools.pairwise(bounds))
        if any(n < 0 for n in sizes):
            raise ValueError(f"split: positions {bounds[1:-1]} must rise within 0..{length}")
    return Split.apply(x, axis=axis, sizes=sizes)


def pad(x, pad_width, constant_values: float = 0) -> Tensor:
    """A border of `constant_values`: a width for every side, or (before, after) per axis."""
    x = as_tensor(x)
    if x.ndim == 0:
        return x  # no axis, no border
    try:
        whole = np.asarray(pad_width)
        if whole.dtype.kind not in "iu":
            raise TypeError(f"pad: widths must be integers, got {pad_width}")
        widths = np.broadcast_to(whole, (x.ndim, 2)).tolist()
    except ValueError:
        raise ValueError(
            f"pad: widths {pad_width} do not fit shape {x.shape}; give one width, (before, after), or "
            "such a pair per axis"
        ) from None
    if any(w < 0 for pair in widths for w in pair):
        raise ValueError(f"pad: widths must not be negative, got {pad_width}; slice to crop")
    value = number("pad", "constant_values", constant_values)
    check_held("pad", value, x.dtype)
    return Pad.apply(x, widths=tuple(map(tuple, widths)), value=value)


def repeat(x, repeats: int, axis: int) -> Tensor:
    """Every slice along `axis` `repeats` times in a row."""
    x = as_tensor(x)
    repeats = operator.index(repeats)
    axis = one_axis(axis, x.shape, "repeat")
    index = backend.xp.asarray(np.repeat(np.arange(x.shape[axis]), repeats))
    return getitem(x, (slice(None),) * axis + (index,))
