"""cuBLAS by its C interface, as a program finds it that loads the library by its name.

A small library of the same name is compiled and loaded; its functions call the ones here. They compute on the
CPU what cuBLAS would, and refuse what it refuses: a leading dimension below the matrix's height, memory that
is not an array's, a stream that is not the current one. While a stream captures, cuBLAS must have been given
a workspace, since it would otherwise allocate one.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from . import _capture, _device, _raw

NAME = "libcublas.so.12"
TEXT = """
typedef long long step;
typedef int (*Set)(void*, void*, unsigned long);
typedef int (*Gemm)(void*, int, int, int, int, int, const void*, const void*, int, int, step,
                    const void*, int, int, step, const void*, void*, int, int, step, int, int, int);
static Set set_stream, set_workspace;
static Gemm gemm;
extern "C" {
void standin_connect(Set stream, Set workspace, Gemm product)
{ set_stream = stream; set_workspace = workspace; gemm = product; }
int cublasSetStream_v2(void* handle, void* stream) { return set_stream(handle, stream, 0); }
int cublasSetWorkspace_v2(void* handle, void* memory, unsigned long size)
{ return set_workspace(handle, memory, size); }
int cublasGemmEx(void* handle, int ta, int tb, int m, int n, int k, const void* alpha,
                 const void* a, int at, int lda, const void* b, int bt, int ldb, const void* beta,
                 void* c, int ct, int ldc, int computed, int algorithm)
{ return gemm(handle, ta, tb, m, n, k, alpha, a, at, lda, 0, b, bt, ldb, 0, beta, c, ct, ldc, 0, 1, computed,
              algorithm); }
int cublasGemmStridedBatchedEx(void* handle, int ta, int tb, int m, int n, int k, const void* alpha,
                               const void* a, int at, int lda, step sa, const void* b, int bt, int ldb,
                               step sb, const void* beta, void* c, int ct, int ldc, step sc, int batch,
                               int computed, int algorithm)
{ return gemm(handle, ta, tb, m, n, k, alpha, a, at, lda, sa, b, bt, ldb, sb, beta, c, ct, ldc, sc, batch,
              computed, algorithm); }
}
"""
INVALID, FAILED = 7, 13
DTYPES = {0: np.dtype(np.float32), 1: np.dtype(np.float64), 2: np.dtype(np.float16)}
COMPUTED_IN = {0: (68, 77, 74), 1: (70,), 2: (68,)}
_p, _i, _s, _u = ctypes.c_void_p, ctypes.c_int, ctypes.c_longlong, ctypes.c_ulong
Set = ctypes.CFUNCTYPE(_i, _p, _p, _u)
Gemm = ctypes.CFUNCTYPE(
    _i, *(_p, _i, _i, _i, _i, _i, _p), *(_p, _i, _i, _s), *(_p, _i, _i, _s), _p, *(_p, _i, _i, _s), _i, _i, _i
)
_stream, _workspace = [0], [0]


class Invalid(Exception):
    """What cuBLAS answers with CUBLAS_STATUS_INVALID_VALUE."""


def handle() -> int:
    """cuBLAS, loaded, which calls this module's functions; the handle of the one device.

    A process has one such library, however often it has imported the stand-in.
    """
    _library().standin_connect(*_functions)
    return 0xB1A5


@functools.cache
def _library() -> ctypes.CDLL:
    key = hashlib.sha256(TEXT.encode()).hexdigest()[:32]
    folder = Path(tempfile.gettempdir()) / f"cupy-stand-in-{os.getuid()}"
    path = folder / f"{key}.so"
    if not path.exists():
        folder.mkdir(mode=0o700, exist_ok=True)
        _raw._compile(TEXT, [f"-Wl,-soname,{NAME}"], path)
    return ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


def _answered(function: Callable[..., None]) -> Callable[..., int]:
    def call(*args: Any) -> int:
        try:
            function(*args)
        except Invalid:
            return INVALID
        except Exception:
            traceback.print_exc()  # C knows no exceptions
            return FAILED
        return 0

    return call


@_answered
def _set_stream(_: Any, stream: Any, size: int) -> None:
    _stream[0], _workspace[0] = stream or 0, 0


@_answered
def _set_workspace(_: Any, memory: Any, size: int) -> None:
    if memory is None or memory not in _device.ADDRESSES or _device.ADDRESSES[memory].nbytes < size:
        raise Invalid
    _workspace[0] = size


@_answered
def _gemm(
    _: Any, ta: int, tb: int, m: int, n: int, k: int, alpha: Any, a: Any, at: int, lda: int, sa: int, b: Any,
    bt: int, ldb: int, sb: int, beta: Any, c: Any, ct: int, ldc: int, sc: int, batch: int, computed: int,
    algorithm: int,
) -> None:  # fmt: skip
    """C = A B column by column, so Cᵀ = Bᵀ Aᵀ row by row."""
    current = getattr(_capture.local, "stream", None)
    if _stream[0] != (0 if current is None else current.ptr) or algorithm != -1 or {ta, tb} - {0, 1}:
        raise Invalid
    if at != ct or bt != ct or computed not in COMPUTED_IN.get(ct, ()) or min(m, n, k, batch) < 1:
        raise Invalid
    if _capture.captures(current) and not _workspace[0]:
        raise Invalid
    number = ctypes.c_double if ct == 1 else ctypes.c_float
    if (number.from_address(alpha).value, number.from_address(beta).value) != (1, 0):
        raise Invalid
    left = _rows(a, ct, (m, k), ta, lda, sa, batch)
    right = _rows(b, ct, (k, n), tb, ldb, sb, batch)
    out = _rows(c, ct, (m, n), 0, ldc, sc, batch)
    if batch > 1 and sc < n * m:
        raise Invalid
    _device.launch(functools.partial(_product, left, right, out, computed), [out])


def _rows(address: Any, kind: int, shape: Any, turned: int, ld: int, step: int, batch: int) -> np.ndarray:
    """The transpose of a column-major matrix of this shape after `turned`: (batch, columns, rows)."""
    rows, columns = shape[::-1] if turned else shape
    buffer = _device.ADDRESSES.get(address or 0)
    if buffer is None or buffer.dtype != DTYPES[kind] or ld < rows or step < 0:
        raise Invalid
    item, root = buffer.itemsize, _capture.root_of(buffer)
    end = address + ((batch - 1) * step + (columns - 1) * ld + rows) * item
    if end > root.ctypes.data + root.nbytes:
        raise Invalid
    strides = (step * item, ld * item, item)
    found = np.lib.stride_tricks.as_strided(buffer, (batch, columns, rows), strides)
    return found.swapaxes(1, 2) if turned else found


def _product(left: np.ndarray, right: np.ndarray, out: np.ndarray, computed: int) -> None:
    if out.dtype == np.float16:
        out[...] = np.matmul(right.astype(np.float32), left.astype(np.float32))
    elif computed == 74:  # float16 has a smaller range as well
        x, y = (factor.astype(np.float16).astype(np.float32) for factor in (right, left))
        np.matmul(x, y, out=out)
    elif computed == 77:
        np.matmul(_to_tf32(right), _to_tf32(left), out=out)
    else:
        np.matmul(right, left, out=out)


def _to_tf32(x: np.ndarray) -> np.ndarray:
    """x rounded to 10 bits behind the point; ties away from zero."""
    bits = np.ascontiguousarray(x).view(np.uint32)
    rounded = ((bits + np.uint32(1 << 12)) & np.uint32(0xFFFFE000)).view(np.float32)
    return np.where(np.isfinite(x), rounded, x)


_functions = Set(_set_stream), Set(_set_workspace), Gemm(_gemm)  # kept: C has their addresses
