"""cupy.cuda: a device that is always there and never busy, its streams, graphs and memory."""

# ruff: noqa: F401

from . import device, driver, graph, memory, nvrtc, pinned_memory, runtime, stream
from .device import Device, get_device_id
from .graph import Graph
from .memory import MemoryPointer, MemoryPool, get_allocator, set_allocator
from .memory import _using_allocator as using_allocator
from .pinned_memory import PinnedMemoryPointer, PinnedMemoryPool, alloc_pinned_memory
from .stream import Event, Stream, get_current_stream, get_elapsed_time


def is_available() -> bool:
    """Whether a device can be used."""
    return runtime.getDeviceCount() > 0
