"""cupy.cuda: one device that is always there and never busy."""

from types import SimpleNamespace
from typing import Any

from .. import _standin
from . import driver as driver


class CUDARuntimeError(RuntimeError):
    """What the CUDA runtime reports."""


class Device:
    """Device 0."""

    def __init__(self, device: Any = None) -> None:
        self.id = 0 if device is None else int(device)
        if self.id != 0:
            raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")

    def __enter__(self) -> "Device":
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device)

    def __hash__(self) -> int:
        return self.id

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"

    def use(self) -> "Device":
        """Make this the current device."""
        return self

    def synchronize(self) -> None:
        """Wait for the device."""
        _standin.synced()


class Stream:
    """The null stream."""

    null: "Stream"

    def synchronize(self) -> None:
        """Wait for the stream."""
        _standin.synced()


class MemoryPool:
    """Nothing is pooled here."""

    def used_bytes(self) -> int:
        """Bytes in use."""
        return 0

    def total_bytes(self) -> int:
        """Bytes held."""
        return 0

    def free_all_blocks(self) -> None:
        """Give unused memory back."""


Stream.null = Stream()
runtime = SimpleNamespace(CUDARuntimeError=CUDARuntimeError, getDeviceCount=lambda: 1)


def is_available() -> bool:
    """Whether a device can be used."""
    return True


def get_current_stream() -> Stream:
    """The null stream."""
    return Stream.null
