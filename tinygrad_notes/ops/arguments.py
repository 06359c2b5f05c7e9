"""How operations read their arguments: arrays, axes and numbers, checked with the operation's name."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import backend
from ..autograd import Tensor, is_grad_enabled

Axis = int | tuple[int, ...] | None


def as_tensor(x: Any) -> Tensor:
    """`x` itself if it is a Tensor, else a Tensor of it."""
    return x if isinstance(x, Tensor) else Tensor(x)


def raw(x: Any) -> Any:
    """The array of a Tensor; numbers as Python's, which never change a dtype; else an array."""
    if isinstance(x, Tensor):
        return x._data
    if isinstance(x, np.generic):
        x = x.item()
    return x if isinstance(x, bool | int | float | backend.xp.ndarray) else backend.asarray(x)


def raw_array(x: Any) -> Any:
    """The array of a Tensor, or anything else as an array."""
    return x._data if isinstance(x, Tensor) else backend.asarray(x)


def constant(op: str, name: str, x: Any) -> Any:
    """The array of an argument to which no gradient flows.

    Raises RuntimeError if it requires grad while operations are recorded: it would silently get none.
    """
    if isinstance(x, Tensor) and x.requires_grad and is_grad_enabled():
        raise RuntimeError(
            f"{op}: {name} requires grad, and no gradient flows to it here; pass {name}.detach()"
        )
    return raw_array(x)


def number(op: str, name: str, value: Any) -> float:
    """`value` as a Python number: a NumPy scalar would pull float32 arrays to its own dtype."""
    if isinstance(value, int | float):
        return value.item() if isinstance(value, np.floating) else value
    if isinstance(value, np.generic) and value.dtype.kind in "iuf":
        return value.item()  # type: ignore[no-any-return]
    raise TypeError(f"{op}: {name} must be a number, got {type(value).__name__}")


def check_held(op: str, value: Any, dtype: np.dtype[Any]) -> None:
    """Refuse a number that `dtype` does not hold: it would be cut, or wrap around.

    Raises TypeError for a real number among integers, OverflowError for an integer outside of their range.
    """
    if isinstance(value, float) and dtype.kind != "f":
        raise TypeError(f"{op}: {dtype} cannot hold {value}; use x.astype('float32')")
    if isinstance(value, int) and dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if not limits.min <= value <= limits.max:
            raise OverflowError(f"{op}: {dtype} cannot hold {value}; use x.astype('int64')")


def in_float32(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, of float16 inputs computed in float32 and then rounded: it counts, squares or adds up.

    float16 ends at 65504, and 1/70000 has three digits left in it. Inputs of several dtypes stay as they are.
    """

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        first = args[0] if args else next(iter(kwargs.values()), None)
        if getattr(first, "dtype", None) != np.float16:
            return function(*args, **kwargs)
        given = [v.dtype for v in (*args, *kwargs.values()) if hasattr(v, "dtype") and v.dtype.kind == "f"]
        if any(dtype != np.float16 for dtype in given):
            return function(*args, **kwargs)
        y = function(*map(_widened, args), **{name: _widened(v) for name, v in kwargs.items()})
        return tuple(a.astype(np.float16) for a in y) if isinstance(y, tuple) else y.astype(np.float16)

    return run


def of_reals(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, whose results are real numbers: integers and booleans become float32 first, as in torch.

    Its first argument, that is; an axis stays an integer. NumPy computes integers of 8 bits in float16, and
    their differences wrap around.
    """
    name = next(iter(inspect.signature(function).parameters))

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        if args:
            return function(_real(args[0]), *args[1:], **kwargs)
        return function(**{key: _real(v) if key == name else v for key, v in kwargs.items()})

    return run


def _real(x: Any) -> Any:
    if x is None or isinstance(x, float):
        return x
    x = x if hasattr(x, "dtype") else as_tensor(x)
    return x if x.dtype.kind == "f" else x.astype(np.float32)


def one_or_many(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`function` of images (N, C, H, W), which takes one image (C, H, W) too: its axis comes and goes."""

    @functools.wraps(function)
    def run(input: Any, *args: Any, **kwargs: Any) -> Tensor:
        x = as_tensor(input)
        if x.ndim != 3:
            return function(x, *args, **kwargs)
        y = function(x.reshape(1, *x.shape), *args, **kwargs)
        return y.reshape(y.shape[1:])

    return run


def _widened(value: Any) -> Any:
    """A float16 Tensor or array as a Tensor of float32; anything else as it is."""
    return as_tensor(value).astype(np.float32) if getattr(value, "dtype", None) == np.float16 else value


def probability(op: str, name: str, value: Any) -> float:
    """`value` as a Python number of 0..1."""
    p = number(op, name, value)
    if not 0 <= p <= 1:
        raise ValueError(f"{op}: {name} is a probability, got {p}")
    return p


def integer(op: str, name: str, value: Any) -> int:
    """`value` as a Python integer."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{op}: {name} must be an integer, got {value!r}") from None


def as_shape(value: Any) -> tuple[int, ...]:
    """The lengths of several axes as a tuple; one integer is the length of one."""
    lengths = (value,) if isinstance(value, int | np.integer) else value
    return tuple(map(operator.index, lengths))


def check_real(op: str, name: str, x: Tensor) -> None:
    """Refuse integers where a fraction is computed in the dtype of `x`, which would round it to 0 or 1."""
    if x.dtype.kind != "f":
        raise TypeError(f"{op}: {name} must be real numbers, got {x.dtype}; use .astype('float32')")


def stretches(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    """Whether an array of shape `small` broadcasts to `large`."""
    try:
        return np.broadcast_shapes(small, large) == large
    except ValueError:
        return False


def mixed_dtypes(op: str, x: Tensor, **parameters: Any) -> TypeError:
    """The error for parameters that have not the dtype of `x`: the layer would compute in the wider one."""
    others = {name: p.dtype for name, p in parameters.items() if p is not None and p.dtype != x.dtype}
    found = " and ".join(f"{name} is {dtype}" for name, dtype in others.items())
    dtype = next(iter(others.values()))
    whole = f", or module.astype({str(x.dtype)!r}) for a whole network" if x.dtype.kind == "f" else ""
    return TypeError(
        f"{op}: input is {x.dtype} but {found}; all must have one dtype: use x.astype({str(dtype)!r}){whole}"
    )


def check_channels(op: str, x: Tensor, **per_channel: Tensor) -> None:
    """Refuse what is not (N, C, ...) of real numbers, and parameters that are not (C,) of its dtype."""
    if x.ndim < 2 or x.dtype.kind != "f":
        raise ValueError(f"{op}: needs real numbers (N, C, ...), got {x.shape} {x.dtype}")
    check_parameters(op, x, (x.shape[1],), **per_channel)


def check_parameters(op: str, x: Tensor, shape: tuple[int, ...], **parameters: Any) -> None:
    """Refuse Tensors among `parameters` that have another shape, or another dtype than `x`."""
    for name, p in parameters.items():
        if isinstance(p, Tensor) and p.shape != shape:
            raise ValueError(f"{op}: {name} is {p.shape}; for input {x.shape} it must be {shape}")
        if isinstance(p, Tensor) and p.dtype != x.dtype:
            raise mixed_dtypes(op, x, **{name: p})


def normalize_axis(axis: Any, shape: tuple[int, ...] | int, op: str = "") -> tuple[int, ...]:
    """The axes as a tuple of numbers in 0..ndim−1. `axis` is None (all), an integer or several."""
    ndim = shape if isinstance(shape, int) else len(shape)
    if axis is None:
        return tuple(range(ndim))
    where = f"{op}: " if op else ""
    of = f"{ndim} dimensions" if isinstance(shape, int) else f"shape {shape}"
    try:
        axes = tuple(map(operator.index, axis if isinstance(axis, tuple | list) else (axis,)))
    except TypeError:
        raise TypeError(f"{where}axis must be integers or None, got {axis!r}") from None
    for a in axes:
        if not -ndim <= a < ndim:
            raise ValueError(f"{where}axis {a} is out of range for an array of {of}")
    axes = tuple(a % ndim for a in axes)
    if len(set(axes)) != len(axes):
        raise ValueError(f"{where}axis {axis} names one axis of an array of {of} twice")
    return axes


def one_axis(axis: Any, shape: tuple[int, ...] | int, op: str = "") -> int:
    """A single axis as a number in 0..ndim−1."""
    axes = normalize_axis(axis, shape, op)
    if axis is None or len(axes) != 1:
        raise ValueError(f"{op}: needs one axis, got {axis!r}")
    return axes[0]


def padding_row(op: str, padding_idx: Any, rows: int) -> int:
    """`padding_idx` as a number in 0..rows−1; negative ones count from the end."""
    index = integer(op, "padding_idx", padding_idx)
    if not -rows <= index < rows:
        raise ValueError(f"{op}: padding_idx {index} names none of {rows} rows")
    return index % rows


def pair(op: str, name: str, value: Any, least: int = 0) -> tuple[int, int]:
    """One number for both directions, or (vertical, horizontal); each at least `least`."""
    try:
        down, across = (value, value) if isinstance(value, int | np.integer) else value
        both = operator.index(down), operator.index(across)
    except (TypeError, ValueError):
        raise ValueError(f"{op}: {name} must be an integer or a pair of them, got {value!r}") from None
    if min(both) < least:
        raise ValueError(f"{op}: {name} must be at least {least}, got {value!r}")
    return both


def conv_padding(op: str, value: Any, stride: tuple[int, int]) -> Any:
    """The padding of a convolution, checked: "same" (for stride 1), "valid", or a pair."""
    if not isinstance(value, str):
        return pair(op, "padding", value)
    if value not in ("same", "valid"):
        raise ValueError(f"{op}: padding must be 'same', 'valid', an integer or a pair, got {value!r}")
    if value == "same" and stride != (1, 1):
        raise ValueError(f"{op}: padding='same' needs stride 1, got {stride}")
    return value
