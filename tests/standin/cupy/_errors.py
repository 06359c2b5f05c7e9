"""Errors of CUDA, with CUDA's names and texts."""

from __future__ import annotations

from typing import Any

TEXTS = {
    1: "cudaErrorInvalidValue: invalid argument",
    2: "cudaErrorMemoryAllocation: out of memory",
    101: "cudaErrorInvalidDevice: invalid device ordinal",
    400: "cudaErrorInvalidResourceHandle: invalid resource handle",
    401: "cudaErrorIllegalState: the operation cannot be performed in the present state",
    600: "cudaErrorNotReady: device not ready",
    900: "cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing",
    901: "cudaErrorStreamCaptureInvalidated: operation failed due to a previous error during capture",
    906: "cudaErrorStreamCaptureImplicit: operation would make the legacy stream depend on a capturing "
    "blocking stream",
    907: "cudaErrorCapturedEvent: operation not permitted on an event last recorded in a capturing stream",
}


class CUDARuntimeError(RuntimeError):
    """What the CUDA runtime reports, by its number, or in words."""

    def __init__(self, status: Any) -> None:
        self.status = status
        super().__init__(TEXTS.get(status, str(status)))


class CUDADriverError(RuntimeError):
    """What the CUDA driver reports, in words."""

    def __init__(self, status: Any) -> None:
        super().__init__(status)


PARAMETER_BYTES = 4096  # of all arguments of one kernel


def check_parameters(name: str, size: int) -> None:
    """Refuse more arguments than a kernel can have."""
    if size > PARAMETER_BYTES:
        raise CUDADriverError(
            f"CUDA_ERROR_INVALID_PTX: {name}: formal parameter space overflowed ({size} bytes required, "
            f"max {PARAMETER_BYTES} bytes allowed)"
        )


def explained(status: int, why: str) -> CUDARuntimeError:
    """An error of CUDA with more than CUDA says."""
    error = CUDARuntimeError(status)
    error.args = (f"{error} ({why})",)
    return error


class OutOfMemoryError(MemoryError):
    """A pool got no memory: bytes asked for, bytes that it holds, and its limit."""

    def __init__(self, size: int, total: int, limit: int = 0) -> None:
        self._size, self._total, self._limit = size, total, limit
        more = f", limit set to: {limit:,} bytes" if limit else ""
        super().__init__(
            f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes{more})."
        )

    def __reduce__(self) -> Any:
        return type(self), (self._size, self._total, self._limit)


CUDARuntimeError.__module__ = "cupy_backends.cuda.api.runtime"
CUDADriverError.__module__ = "cupy_backends.cuda.api.driver"
OutOfMemoryError.__module__ = "cupy.cuda.memory"
