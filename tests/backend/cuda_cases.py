"""What the tests of kernels in CUDA C share: a reason to leave them out, and arrays on the device."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tinygrad_notes import backend

_STANDIN = backend.BACKEND == "numpy" or "tests" in Path(sys.modules["cupy"].__file__ or "").parts
_COMPILER = any(shutil.which(name) for name in ("g++", "c++", "clang++"))

needs_compiler = pytest.mark.skipif(
    _STANDIN and not _COMPILER, reason="kernels run on the CPU only where there is a C++ compiler"
)
_SANITIZED = "STANDIN_FLAGS" in os.environ  # slower by far: one dtype, fewer draws
# The fixture is one for all draws: each draw only computes.
drawn = settings(
    max_examples=20 if _SANITIZED else 60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def on_device(gpu: Any, array: np.ndarray, turned: bool = False) -> Any:
    """The array on the device; `turned` in a memory order of its own."""
    axes = tuple(range(array.ndim))[::-1]
    if turned and array.ndim > 1:
        return gpu.transpose(gpu.from_host(np.ascontiguousarray(array.transpose(axes))), axes)
    return gpu.from_host(np.array(array, order="C"))


def assert_close(device: Any, expected: np.ndarray, parts: int = 4) -> None:
    """Equal shape and dtype, and equal up to `parts` roundings of the largest entry."""
    actual = device.get()
    assert actual.shape == expected.shape and actual.dtype == expected.dtype
    wide = np.abs(expected.astype(np.float64))
    tolerance = (
        parts * float(np.finfo(expected.dtype).eps) * float(wide.max(initial=1, where=np.isfinite(wide)))
    )
    np.testing.assert_allclose(actual.astype(np.float64), expected.astype(np.float64), rtol=0, atol=tolerance)


def pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    """(height, width), each between low and high."""
    return st.tuples(st.integers(low, high), st.integers(low, high))


class Window(NamedTuple):
    """A window and the shape of an input that it fits."""

    x: tuple[int, int, int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]


@st.composite
def windows(draw: Any, half_padded: bool = False, over: bool = False) -> Window:
    """Small windows; `half_padded` limits the padding as poolings do, `over` lets one hang over the edge."""
    kernel, stride, dilation = draw(pairs(1, 4)), draw(pairs(1, 3)), draw(pairs(1, 2))
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    padding = tuple(draw(st.integers(0, span // 2 if half_padded else 3)) for span in spans)
    beyond = [s - 1 if over else 0 for s in stride]
    least = [max(1, span - 2 * p - more) for span, p, more in zip(spans, padding, beyond, strict=True)]
    size = [draw(st.just(n) | st.integers(n, 9)) for n in least]
    n, c = draw(pairs(1, 3))
    return Window((n, c, *size), kernel, stride, padding, dilation)


DTYPES = st.sampled_from(["float32"] if _SANITIZED else ["float16", "float32", "float64"])
SEEDS = st.integers(0, 2**32 - 1)
