"""Keep freed memory in the process: a fresh large array costs more in page faults than in arithmetic.

glibc hands every block above 128 KiB (a threshold that adapts up to 32 MiB) back to the kernel when it is
freed, and the next array of that size faults every page in again: 4 KiB at a time, zeroed by the kernel.
Training allocates and frees the same sizes in every step, so two settings keep the blocks in the heap.
The price: memory once used is not returned to the system before the process ends.
"""

from __future__ import annotations

import ctypes
import os
import sys

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
LIMIT = (1 << 31) - 1 - (1 << 12)


def keep_freed_memory() -> bool:
    """Tell glibc's malloc to reuse freed blocks of any size below 2 GiB; True if it took effect.

    Silent and without effect where malloc is not glibc's; TINYGRAD_NOTES_MALLOC=0 switches it off.
    """
    if os.environ.get("TINYGRAD_NOTES_MALLOC", "1") == "0" or sys.platform != "linux":
        return False
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018  (present only in glibc: musl's mallopt is absent)
        mallopt = libc.mallopt
    except (OSError, AttributeError):
        return False
    mallopt.argtypes, mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    return bool(mallopt(M_MMAP_THRESHOLD, LIMIT)) and bool(mallopt(M_TRIM_THRESHOLD, LIMIT))
