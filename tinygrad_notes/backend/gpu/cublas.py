"""Matrix products by cuBLAS, called here and not through CuPy, which refuses them while a stream captures.

cuBLAS itself can be captured, if its workspace is memory that stays: one block for each device and thread.
Its matrices lie column by column. A row-major array is the transpose of such a matrix, so that
Cᵀ = Bᵀ Aᵀ is computed with the factors in the other order, and nothing is copied:

    C (m, n) row-major  =  gemm(n, m, k,  B as it lies,  A as it lies)
"""

from __future__ import annotations

import ctypes
import functools
import math
import sys
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import cupy
import numpy as np

from ..precision import get_float32_matmul_precision

WORKSPACE = 32 << 20  # bytes: what cuBLAS takes of its own on compute capability 9, and more than before
REAL, HALF, DOUBLE = 0, 2, 1  # cudaDataType: CUDA_R_32F, CUDA_R_16F, CUDA_R_64F
COMPUTED_IN = {"highest": 68, "high": 77, "half": 74}  # CUBLAS_COMPUTE_32F, ..._FAST_TF32, ..._FAST_16F
IN_FLOAT, IN_DOUBLE = 68, 70
ANY_ALGORITHM = -1  # CUBLAS_GEMM_DEFAULT
LONGEST = 2**31 - 1
TYPES = {"e": HALF, "f": REAL, "d": DOUBLE}
STATUS = {
    1: "NOT_INITIALIZED", 3: "ALLOC_FAILED", 7: "INVALID_VALUE", 8: "ARCH_MISMATCH", 11: "MAPPING_ERROR",
    13: "EXECUTION_FAILED", 14: "INTERNAL_ERROR", 15: "NOT_SUPPORTED",
}  # fmt: skip

_kept = threading.local()  # the workspace of each device: a thread has its own, as CuPy's handles


class Factor(NamedTuple):
    """How cuBLAS reads an array (batch, rows, columns): as it lies or transposed, with which steps."""

    transposed: int
    leading: int
    stride: int


@functools.cache
def library() -> Any:
    """The cuBLAS that CuPy has loaded.

    Raises ImportError where it is not found.
    """
    _handle()  # CuPy loads the library
    version = cupy.cuda.runtime.runtimeGetVersion() // 1000
    name = f"cublas64_{version}.dll" if sys.platform == "win32" else f"libcublas.so.{version}"
    try:
        found = ctypes.CDLL(name)
    except OSError as error:
        raise ImportError(f'Failure finding "{name}": {error}') from error
    pointer, number, step = ctypes.c_void_p, ctypes.c_int, ctypes.c_longlong
    sizes: list[Any] = [pointer, *[number] * 5, pointer]  # handle, operations, m, n, k, alpha
    one: list[Any] = [pointer, number, number]
    strided: list[Any] = [*one, step]
    kind = [number, number]  # what it is computed in, by which algorithm
    found.cublasSetStream_v2.argtypes = [pointer, pointer]
    found.cublasSetWorkspace_v2.argtypes = [pointer, pointer, ctypes.c_size_t]
    found.cublasGemmEx.argtypes = [*sizes, *one, *one, pointer, *one, *kind]
    found.cublasGemmStridedBatchedEx.argtypes = [
        *sizes, *strided, *strided, pointer, *strided, number, *kind,
    ]  # fmt: skip
    return found


def multiply(a: Any, b: Any, out: Any = None) -> Any:
    """A B of real arrays of one dtype; a (..., m, k), b (..., k, n), leading axes broadcast → (..., m, n).

    Raises ValueError where an axis is longer than cuBLAS can count.
    """
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    shape = (*lead, a.shape[-2], b.shape[-1])
    if max(*a.shape, *shape, math.prod(lead)) > LONGEST:
        raise ValueError(f"matmul: {a.shape} @ {b.shape}: cuBLAS counts no further than {LONGEST}")
    result = cupy.empty(shape, a.dtype) if out is None else out
    if not result.size:
        return result
    if not a.shape[-1]:
        result.fill(0)
        return result
    left, a = _factor(a, lead)
    right, b = _factor(b, lead)
    target, written = result, layout(result.shape, result.strides, result.itemsize)
    if written is None or written.transposed:
        target, written = cupy.empty(shape, a.dtype), _in_order(shape)
    m, batch = a.shape[-2], math.prod(lead)
    in_turn = (left.stride, written.stride) == (m * left.leading, m * written.leading)
    if in_turn and not (right.stride or left.transposed) and m * batch <= LONGEST:
        m, batch = m * batch, 1  # one B for all: the rows of each A follow those of the one before
    _gemm((b.shape[-1], m, a.shape[-1]), batch, (right, b), (left, a), (written, target))
    if target is not result:
        result[...] = target
    return result


def _factor(array: Any, lead: tuple[int, ...]) -> tuple[Factor, Any]:
    """`array` with the leading axes `lead`, copied only where cuBLAS cannot read it as it lies."""
    if array.shape[:-2] != lead:
        array = cupy.broadcast_to(array, (*lead, *array.shape[-2:]))
    found = layout(array.shape, array.strides, array.itemsize)
    return (_in_order(array.shape), cupy.ascontiguousarray(array)) if found is None else (found, array)


def _in_order(shape: tuple[int, ...]) -> Factor:
    """How cuBLAS reads a C-contiguous array."""
    return Factor(0, shape[-1], shape[-2] * shape[-1])


@functools.lru_cache(4096)
def layout(shape: tuple[int, ...], strides: tuple[int, ...], item: int) -> Factor | None:
    """How cuBLAS reads an array of this shape and these strides (bytes); None if it cannot."""
    *lead, rows, columns = shape
    *steps, down, along = (step // item if step % item == 0 else -1 for step in strides)
    stride = _one_step(lead, steps)
    if stride is None:
        return None
    if (along == 1 or columns == 1) and (down >= columns or rows == 1):
        return Factor(0, max(down, columns) if rows > 1 else columns, stride)
    if (down == 1 or rows == 1) and (along >= rows or columns == 1):
        return Factor(1, max(along, rows) if columns > 1 else rows, stride)
    return None


def _one_step(lengths: Sequence[int], steps: Sequence[int]) -> int | None:
    """The step from one matrix to the next, if it is the same over all leading axes."""
    found, expected = 0, None
    for length, step in zip(reversed(lengths), reversed(steps), strict=True):
        if length == 1:
            continue
        if step < 0 or (expected is not None and step != expected):
            return None
        found = step if expected is None else found
        expected = step * length
    return found


def _gemm(sizes: tuple[int, int, int], batch: int, *arrays: tuple[Factor, Any]) -> None:
    """One call of cuBLAS, in the current stream."""
    (first, a), (second, b), (third, c) = arrays
    kind = TYPES[c.dtype.char]
    number = ctypes.c_double if kind == DOUBLE else ctypes.c_float
    one, zero = ctypes.byref(number(1)), ctypes.byref(number(0))
    computed = IN_DOUBLE if kind == DOUBLE else IN_FLOAT
    if kind == REAL:
        computed = COMPUTED_IN[get_float32_matmul_precision()]
    handle, cublas = _handle(), library()
    _check(cublas.cublasSetStream_v2(handle, cupy.cuda.get_current_stream().ptr))
    _check(cublas.cublasSetWorkspace_v2(handle, _workspace().data.ptr, WORKSPACE))  # the stream's is gone
    start = handle, first.transposed, second.transposed, *sizes, one
    if batch == 1:
        status = cublas.cublasGemmEx(
            *start, a.data.ptr, kind, first.leading, b.data.ptr, kind, second.leading, zero,
            c.data.ptr, kind, third.leading, computed, ANY_ALGORITHM,
        )  # fmt: skip
    else:
        status = cublas.cublasGemmStridedBatchedEx(
            *start, a.data.ptr, kind, first.leading, first.stride, b.data.ptr, kind, second.leading,
            second.stride, zero, c.data.ptr, kind, third.leading, third.stride, batch, computed,
            ANY_ALGORITHM,
        )  # fmt: skip
    _check(status)


def _handle() -> int:
    return cupy.cuda.Device().cublas_handle  # type: ignore[no-any-return]


def _workspace() -> Any:
    """Memory that cuBLAS computes in, kept for good: captured steps have its address."""
    device = cupy.cuda.runtime.getDevice()
    found = _kept.__dict__.get(device)
    if found is None:
        found = _kept.__dict__[device] = cupy.empty(WORKSPACE, np.uint8)
    return found


def _check(status: int) -> None:
    if status:
        raise RuntimeError(f"CUBLAS_STATUS_{STATUS.get(status, status)} in a matrix product")
