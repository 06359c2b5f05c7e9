"""Random numbers that follow from a key and their place alone: Philox4x64-10, Salmon et al. 2011.

A key is two numbers of 64 bits, drawn from the package's generator. What follows from it is the same on every
backend, bit for bit: here NumPy computes it, and in gpu/philox.py one thread for each 8 numbers.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from .kernels.blocking import BLOCK
from .kernels.threads import parallel

PIECE = 1 << 14  # numbers that are made at once: they stay in the cache
SCALE = np.float32(2**-24)
_local = threading.local()


def philox_uniform(key: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers uniform in [0, 1), float32, from a `key` of two uint64.

    Those of ``numpy.random.Generator(numpy.random.Philox(key=key)).random(shape, dtype=numpy.float32)``.
    """
    y = np.empty(shape, np.float32)
    flat, size = y.reshape(-1), y.size

    def fill(_: int, start: int, stop: int) -> None:
        bits = _bits(key, start)
        for begin in range(8 * start, min(8 * stop, size), PIECE):
            part = flat[begin : min(begin + PIECE, 8 * stop)]
            # A float32 is the upper 24 bits of 32; of each word the lower half comes first.
            words = bits.random_raw(-(-part.size // 2)).astype("<u8", copy=False).view("<u4")[: part.size]
            np.right_shift(words, 8, out=words)
            np.multiply(words.view(np.int32), SCALE, out=part, dtype=np.float32, casting="unsafe")

    if size < BLOCK:
        fill(0, 0, -(-size // 8))
    else:
        parallel(fill, -(-size // 8))
    return y


def _bits(key: np.ndarray, block: int) -> Any:
    """The stream of `key` from this block of 4 words on; a new generator would ask the system for entropy."""
    bits = getattr(_local, "bits", None)
    if bits is None:
        bits = _local.bits = np.random.Philox(key=0)
    bits.state = {
        "bit_generator": "Philox", "state": {"counter": np.array([block, 0, 0, 0], np.uint64), "key": key},
        "buffer": np.zeros(4, np.uint64), "buffer_pos": 4, "has_uint32": 0, "uinteger": 0,
    }  # fmt: skip
    return bits
