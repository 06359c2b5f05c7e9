"""cupy.cuda.device: as many devices as ``runtime.getDeviceCount`` says; every array lies on device 0."""

from __future__ import annotations

from typing import Any

from .. import _blas, _errors, _order, _standin
from . import runtime

_current = [0]


class Device:
    """A device by its number; without one the current device."""

    def __init__(self, device: Any = None) -> None:
        self.id = _current[-1] if device is None else int(device)
        if device is not None and not 0 <= self.id < runtime.getDeviceCount():
            raise _errors.CUDARuntimeError(101)

    def __enter__(self) -> Device:
        _current.append(self.id)
        return self

    def __exit__(self, *error: object) -> None:
        _current.pop()

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.id == self.id

    def __hash__(self) -> int:
        return self.id

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"

    @property
    def compute_capability(self) -> str:
        """Major and minor in one, "90" for 9.0."""
        properties = runtime.getDeviceProperties(self.id)
        return f"{properties['major']}{properties['minor']}"

    @property
    def mem_info(self) -> tuple[int, int]:
        """Free and whole memory in bytes."""
        with self:
            return runtime.memGetInfo()

    @property
    def cublas_handle(self) -> int:
        """The handle of cuBLAS, which is loaded by it."""
        return _blas.handle()

    def use(self) -> Device:
        """Make this the current device."""
        _current[-1] = self.id
        return self

    def synchronize(self) -> None:
        """Wait for the device."""
        _standin.synced()
        _order.finish()


def get_device_id() -> int:
    """The number of the current device."""
    return _current[-1]
