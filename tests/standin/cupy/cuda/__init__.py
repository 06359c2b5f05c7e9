"""cupy.cuda: a device that is always there and never busy, its streams, graphs and memory."""

# ruff: noqa: F401

from . import device, driver, graph, memory, nvrtc, runtime, stream
from .device import Device, get_device_id
from .graph import Graph
from .memory import (
    MemoryPointer,
    MemoryPool,
    PinnedMemoryPointer,
    PinnedMemoryPool,
    alloc_pinned_memory,
    get_allocator,
    set_allocator,
    using_allocator,
)
from .stream import Event, Stream, get_current_stream, get_elapsed_time


def is_available() -> bool:
    """Whether a device can be used."""
    return runtime.getDeviceCount() > 0
