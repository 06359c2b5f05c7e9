"""cupy.cuda.runtime: what the CUDA runtime says of the machine. Tests replace functions."""

from __future__ import annotations

from typing import Any

from .._errors import CUDARuntimeError as CUDARuntimeError

streamCaptureModeGlobal, streamCaptureModeThreadLocal, streamCaptureModeRelaxed = range(3)
_TOTAL = 16 * 2**30


def getDeviceCount() -> int:
    """How many devices there are."""
    return 1


def getDevice() -> int:
    """The current device."""
    from .device import Device

    return Device().id


def driverGetVersion() -> int:
    """The newest CUDA that the driver serves, 12090 for 12.9."""
    return 12090


def runtimeGetVersion() -> int:
    """The CUDA that CuPy was made for."""
    return 12090


def memGetInfo() -> tuple[int, int]:
    """Free and whole memory of the current device in bytes."""
    return _TOTAL, _TOTAL


def getDeviceProperties(device: int) -> dict[str, Any]:
    """A device's properties, names as bytes."""
    if not 0 <= device < getDeviceCount():
        raise CUDARuntimeError(101)
    return {
        "name": b"CPU stand-in", "totalGlobalMem": _TOTAL, "major": 9, "minor": 0, "multiProcessorCount": 1,
        "warpSize": 32, "maxThreadsPerBlock": 1024, "maxThreadsDim": (1024, 1024, 64),
        "maxGridSize": (2**31 - 1, 65535, 65535), "sharedMemPerBlock": 49152,
        "sharedMemPerBlockOptin": 232448, "l2CacheSize": 2**20,
    }  # fmt: skip


def deviceSynchronize() -> None:
    """Wait for the device."""
    from .device import Device

    Device().synchronize()
