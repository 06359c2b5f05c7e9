"""Random numbers from a key on the device: the bits of backend/philox.py.

NumPy's generator counts before it encrypts, so the first block of four 64-bit words is that of the counter 1.
A float32 is the upper 24 bits of 32; of each word the lower half comes first.
"""

from __future__ import annotations

import math
from typing import Any

import cupy
import numpy as np

from . import launch

SOURCE = r"""
typedef unsigned long long u64;

__device__ float uniform(unsigned int bits) { return (bits >> 8) * (1.0f / 16777216.0f); }

extern "C" __global__ void philox_uniform(long long count, const u64* key, float* y, long long size) {
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    u64 c0 = (u64)i + 1, c1 = 0, c2 = 0, c3 = 0;
    u64 k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        u64 high0 = __umul64hi(0xD2E7470EE14C6C93ULL, c0), low0 = 0xD2E7470EE14C6C93ULL * c0;
        u64 high1 = __umul64hi(0xCA5A826395121157ULL, c2), low1 = 0xCA5A826395121157ULL * c2;
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += 0x9E3779B97F4A7C15ULL;
        k1 += 0xBB67AE8584CAA73BULL;
    }
    u64 words[4] = {c0, c1, c2, c3};
    for (int j = 0; j < 8 && 8 * i + j < size; j++)
        y[8 * i + j] = uniform((unsigned int)(words[j / 2] >> (32 * (j % 2))));
}
"""


def philox_uniform(key: Any, shape: tuple[int, ...]) -> Any:
    """Numbers uniform in [0, 1), float32, from a `key` of two uint64 on the device: one launch."""
    y = cupy.empty(shape, np.float32)
    size = math.prod(shape)
    launch.over(launch.kernel(SOURCE, "philox_uniform"), -(-size // 8), key, y, np.int64(size))
    return y
