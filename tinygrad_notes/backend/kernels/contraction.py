"""einsum of two operands as a batch of matrix products.

A letter stands for rows where only a has it and the result, for columns where only b has it, for the batch
where all three have it, and is summed over where the result lacks it:

    y_nij = Σ_k a_nik b_nkj      n: batch    i: rows    j: columns    k: summed
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


def einsum(
    np: Any, matmul: Callable[..., Any], sum: Callable[..., Any], subscripts: str, a: Any, b: Any
) -> Any:
    """`np.einsum`, whose letters stand once in each operand and in the other or the result.

    `matmul` and `sum` are the namespace's. Where no letter is free, Σ of the products, which is more exact.
    """
    operands, out = subscripts.split("->")
    left, right = operands.split(",")
    summed = [c for c in left if c in right and c not in out]
    if a.dtype.kind != "f" or a.dtype != b.dtype:
        return np.einsum(subscripts, a, b)
    batch = [c for c in left if c in right and c in out]
    mine, yours = [c for c in left if c not in right], [c for c in right if c not in left]
    a = a.transpose([left.index(c) for c in (*batch, *mine, *summed)])
    b = b.transpose([right.index(c) for c in (*batch, *summed, *yours)])
    rows, columns = len(batch) + len(mine), len(batch) + len(summed)
    if not summed:
        b_shape = (*b.shape[: len(batch)], *(1,) * len(mine), *b.shape[len(batch) :])
        y = a.reshape((*a.shape, *(1,) * len(yours))) * b.reshape(b_shape)
    elif mine or yours:
        y = matmul(_matrices(a, len(batch), len(mine)), _matrices(b, len(batch), len(summed)))
        y = y.reshape((*a.shape[:rows], *b.shape[columns:]))
    else:
        y = np.asarray(sum(a * b, axis=tuple(range(len(batch), a.ndim))))
    letters = [*batch, *mine, *yours]
    return y.transpose([letters.index(c) for c in out])


def _matrices(x: Any, batch: int, rows: int) -> Any:
    """x with its `batch` first axes as one, the next `rows` as one, and the rest as one."""
    shape = [math.prod(x.shape[batch : batch + rows]), math.prod(x.shape[batch + rows :])]
    return x.reshape([math.prod(x.shape[:batch]), *shape] if batch else shape)
