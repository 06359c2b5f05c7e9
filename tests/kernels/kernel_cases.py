"""What the kernel tests draw: arrays of any strides, windows that fit them."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided

SEED = st.integers(0, 2**32 - 1)


class Case(NamedTuple):
    """A convolution with its numbers; y, gy have the shape of its output."""

    x: np.ndarray
    w: np.ndarray
    b: np.ndarray | None
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    @property
    def rest(self) -> tuple:
        return self[3:]


def laid_out(array: np.ndarray, order: str) -> np.ndarray:
    """The same numbers in another memory order."""
    if order == "channels_last":
        return np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    if order == "batch_last":
        return np.ascontiguousarray(array.transpose(2, 3, 1, 0)).transpose(3, 2, 0, 1)
    if order == "reversed":
        return np.ascontiguousarray(array[:, ::-1, ::-1])[:, ::-1, ::-1]
    if order == "strided":
        return np.repeat(np.repeat(array, 2, axis=0), 2, axis=3)[::2, :, :, ::2]
    return np.ascontiguousarray(array)


def odd(array: np.ndarray, stride: int) -> np.ndarray:
    """`array` with `stride` (in elements) on every axis of length 1, where NumPy leaves whatever it likes."""
    strides = [
        stride * array.itemsize if n == 1 else s for n, s in zip(array.shape, array.strides, strict=True)
    ]
    return as_strided(array, array.shape, strides)


ODD = st.sampled_from([1, 0, -1, 3, -7, 1000, 10**9])  # strides of an axis of length 1, in elements


@st.composite
def views(draw, array: np.ndarray, stretch: bool = True):
    """`array` in any memory: its axes in any order, some reversed, with gaps (which hold NaN), and any stride
    on axes of length 1, as NumPy leaves it. Some axes are stretched, which changes their numbers."""
    axes = range(array.ndim)
    common = [
        tuple(axes),
        tuple(axes)[::-1],
        (*axes[:1], *axes[2:], *axes[1:2]),
    ]  # plain, batch last, channels last
    order = draw(st.sampled_from(common) | st.permutations(tuple(axes)))
    steps = [draw(st.sampled_from([1, 1, 1, 1, 1, -1, 2])) for _ in axes]
    size = [array.shape[axis] * abs(steps[axis]) for axis in order]
    memory = np.full(size, np.nan if array.dtype.kind == "f" else 99, array.dtype).transpose(
        np.argsort(order)
    )
    view = memory[tuple(slice(None, None, step) for step in steps)]
    view[...] = array
    strides = list(view.strides)
    for axis in axes:
        if array.shape[axis] == 1:
            strides[axis] = draw(ODD) * array.itemsize
        elif stretch and draw(st.integers(0, 11)) == 11:
            strides[axis] = 0
    return as_strided(view, view.shape, strides)


def pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    """(height, width), each between low and high."""
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def convolutions(draw, dtypes=(np.float32, np.float64), images=(1, 2, 3, 33), channels=(1, 2, 3, 9)):
    """Small convolutions of every kind that the tuned kernels treat differently."""
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    c, o = (groups * draw(st.sampled_from(channels)) for _ in range(2))
    if draw(st.booleans()):  # the special cases, which independent draws would seldom meet
        kernel, stride, dilation = draw(st.sampled_from([(1, 1), (3, 3), (5, 5)])), (1, 1), (1, 1)
    else:
        kernel, stride, dilation = draw(pairs(1, 4)), draw(pairs(1, 3)), draw(pairs(1, 2))
    padding = draw(pairs(0, 3))
    least = [max(1, d * (k - 1) + 1 - 2 * p) for k, p, d in zip(kernel, padding, dilation, strict=True)]
    size = [draw(st.just(n) | st.integers(n, 9)) for n in least]  # one output, often
    dtype = draw(st.sampled_from(dtypes))
    random = np.random.default_rng(draw(SEED))
    x = random.standard_normal((draw(st.sampled_from(images)), c, *size)).astype(dtype)
    w = random.standard_normal((o, c // groups, *kernel)).astype(dtype)
    b = random.standard_normal(o).astype(dtype) if draw(st.booleans()) else None
    return Case(draw(views(x)), draw(views(w)), b, stride, padding, dilation, groups)


class Pool(NamedTuple):
    """A pooling and its input."""

    x: np.ndarray
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    ceil_mode: bool

    @property
    def window(self) -> tuple:
        return self[1:5]


@st.composite
def poolings(draw, dilated: bool = True):
    """Poolings of inputs with many ties and some infinities, kernels tiling the input or overlapping."""
    kernel = draw(pairs(1, 4))
    stride = kernel if draw(st.booleans()) else draw(pairs(1, 4))
    dilation = draw(pairs(1, 2)) if dilated and draw(st.booleans()) else (1, 1)
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    padding = tuple(draw(st.integers(0, span // 2)) for span in spans)
    ceil_mode = draw(st.booleans())
    beyond = [s - 1 if ceil_mode else 0 for s in stride]  # by how much a kernel may exceed the padded input
    least = [max(1, span - 2 * p - over) for span, p, over in zip(spans, padding, beyond, strict=True)]
    size = [draw(st.just(n) | st.integers(n, 10)) for n in least]
    random = np.random.default_rng(draw(SEED))
    x = random.integers(-2, 3, (draw(st.integers(1, 3)), draw(st.integers(1, 3)), *size))
    x = x.astype(draw(st.sampled_from([np.float32, np.float64])))
    x[random.random(x.shape) < draw(st.sampled_from([0, 0.5]))] = -np.inf
    return Pool(draw(views(x)), kernel, stride, padding, dilation, ceil_mode)
