"""Cutting a batch of images into blocks that fit the cache, and lifting one block out with its padding."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any
Block = tuple[int, int, int, int]


def blocks(images: int, rows: int, cols: int, target: int) -> list[Block]:
    """Blocks (n0, n1, r0, r1) of about `target` of the images·rows·cols places of a batch:
    several whole images, or some rows of one."""
    together = max(1, min(images, target // (rows * cols)))
    height = rows if together > 1 else max(1, min(rows, target // cols))
    parts = -(-rows // height)
    cuts = [rows * i // parts for i in range(parts + 1)]
    return [
        (n, min(n + together, images), cuts[i], cuts[i + 1])
        for n in range(0, images, together)
        for i in range(parts)
    ]


def places(block: Block, cols: int) -> int:
    """Number of places in a block of rows of `cols`."""
    n0, n1, r0, r1 = block
    return (n1 - n0) * (r1 - r0) * cols


def take(scratch: Array, *shape: int) -> Array:
    """The head of a flat scratch buffer, shaped."""
    size = 1
    for n in shape:
        size *= n
    return scratch[:size].reshape(shape)


def cut(x: Array, top: int, left: int, height: int, width: int) -> Array:
    """x[:, top : top+height, left : left+width] of x (N, H, W, C), with zeros where that is outside x.

    The result has its channels contiguous; it is a view of x where it can be.
    """
    n, h, w, c = x.shape
    inside = top >= 0 and left >= 0 and top + height <= h and left + width <= w
    if inside and (c == 1 or x.strides[3] == x.itemsize):
        return x[:, top : top + height, left : left + width]
    y0, y1 = max(0, top), min(h, top + height)
    x0, x1 = max(0, left), min(w, left + width)
    part = np.zeros((n, height, width, c), dtype=x.dtype)
    if y0 < y1 and x0 < x1:
        copy_channels(
            part[:, y0 - top : y1 - top, x0 - left : x1 - left], x[:, y0:y1, x0:x1]
        )
    return part


def copy_channels(to: Array, x: Array) -> None:
    """to[...] = x for (N, H, W, C), fast also where only `to` has its channels contiguous:
    with few channels, one long strided loop per channel beats many short ones."""
    if x.shape[3] <= 16 and x.strides[3] > x.strides[2]:
        for c in range(x.shape[3]):
            to[..., c] = x[..., c]
    else:
        to[...] = x
