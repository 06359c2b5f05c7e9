"""The GPUs of this machine: which there are, which one computes, and how much memory they have."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import cupy


class Card(NamedTuple):
    """A GPU as the CUDA runtime describes it; memory in bytes."""

    name: str
    compute_capability: float
    free: int
    total: int


def count() -> int:
    """How many GPUs CUDA sees; CUDA_VISIBLE_DEVICES can hide some."""
    return int(cupy.cuda.runtime.getDeviceCount())


def name(index: int) -> str:
    """The name of a card, such as "NVIDIA H200"."""
    return str(cupy.cuda.runtime.getDeviceProperties(index)["name"].decode())


def listed() -> str:
    """Every GPU with its number."""
    return ", ".join(f"{index} ({name(index)})" for index in range(count()))


def current() -> int:
    """The number of the GPU that computes now."""
    return int(cupy.cuda.Device().id)


def set_device(index: Any) -> None:
    """Compute on GPU `index`; ValueError names those that are there if it is not one of them."""
    try:
        chosen = operator.index(index)
    except TypeError:
        chosen = -1
    if isinstance(index, bool) or not 0 <= chosen < count():
        raise ValueError(f"set_device: there is no GPU {index!r}; choose one of {listed()}")
    cupy.cuda.Device(chosen).use()


def of(array: Any) -> int | None:
    """The number of the GPU that an array lies on; None for what is no array of a GPU."""
    device = getattr(array, "device", None)
    return None if device is None or isinstance(device, str) else int(device.id)


def described(index: int) -> str:
    """GPU and name, for messages."""
    return f"GPU {index} ({name(index)})"


def cards() -> list[Card]:
    """Every GPU, with the memory that is free on it now."""
    found = []
    for index in range(count()):
        properties = cupy.cuda.runtime.getDeviceProperties(index)
        with cupy.cuda.Device(index):
            free, total = cupy.cuda.runtime.memGetInfo()
        capability = float(f"{properties['major']}.{properties['minor']}")
        found.append(Card(str(properties["name"].decode()), capability, int(free), int(total)))
    return found


def versions() -> dict[str, str | None]:
    """Versions of CUDA, None where they cannot be had.

    ``driver``: the newest that the driver serves; ``runtime``: that of CuPy; ``nvrtc``: the compiler's.
    """
    return {
        "driver": _version(lambda: cupy.cuda.runtime.driverGetVersion()),
        "runtime": _version(lambda: cupy.cuda.runtime.runtimeGetVersion()),
        "nvrtc": _version(lambda: cupy.cuda.nvrtc.getVersion()),
    }


def _version(ask: Any) -> str | None:
    """12040 or (12, 4) as "12.4"; 0 is what CUDA says where there is no driver."""
    try:
        answer = ask()
    except Exception:  # a library or a driver that is missing raises nearly anything
        return None
    if isinstance(answer, tuple):
        return ".".join(map(str, answer))
    return f"{answer // 1000}.{answer % 1000 // 10}" if answer else None
