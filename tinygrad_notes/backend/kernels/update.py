"""Optimizer updates in place, without temporaries of a parameter's size.

A parameter is walked in blocks, so that the elementary operations of one update read and write cached memory;
NumPy alone would stream a whole array for each. The functions `*_block` are the definitions, on any array
library; cpu.py runs them block by block on every core, gpu/updates.py says the same in CUDA C. Both take all
parameters of a step at once, as a list of (arrays, numbers): one hand-over to the other cores, or one launch,
instead of one for each.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from . import blas
from .blocking import BLOCK
from .threads import parallel

Calls = Sequence[tuple[Sequence[Any], dict[str, Any]]]

PIECE = 2 * BLOCK  # elements of a parameter updated at once: 7 short operations, on 5 arrays


def sgd_block(
    np: Any, axpby: Callable[..., None], scratch: Any, p: Any, g: Any, velocity: Any, *, lr: float,
    momentum: float, dampening: float, weight_decay: float, nesterov: bool, first: bool,
) -> None:  # fmt: skip
    """v ← μ v + (1 − dampening) g,  p ← p − lr v;  first step v = g; Nesterov steps g + μ v."""
    if weight_decay:
        g = np.add(np.multiply(p, weight_decay, out=scratch), g, out=scratch)
    if momentum:
        if first:
            velocity[...] = g
        else:
            axpby(1 - dampening, g, momentum, velocity, scratch)
        g = np.add(np.multiply(velocity, momentum), g, out=scratch) if nesterov else velocity
    axpby(-lr, g, 1, p, scratch)


def adam_block(
    np: Any, axpby: Callable[..., None], scratch: Any, p: Any, g: Any, m: Any, v: Any, v_max: Any, *,
    lr: float, beta1: float, beta2: float, eps: float, l2: float, decay: float, step: int,
) -> None:  # fmt: skip
    """m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,  p ← (1 − decay) p − lr m̂ / (√v̂ + ε).

    m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ); with `v_max` v̂ uses the largest v so far (AMSGrad, as torch:
    the maximum is taken before the correction). `l2` is added to g, `decay` shrinks p (AdamW).
    """
    if decay:
        np.multiply(p, 1 - decay, out=p)
    if l2:
        g = g + l2 * p
    axpby(1 - beta1, g, beta1, m, scratch)
    square = np.multiply(g, g, out=scratch)
    axpby(1 - beta2, square, beta2, v, square)
    if v_max is not None:
        np.maximum(v_max, v, out=v_max)
    # lr m̂ / (√v̂ + ε) = (lr/c₁) √c₂ m / (√v + ε√c₂): the corrections leave the arrays alone
    root2 = math.sqrt(1 - beta2**step)
    np.sqrt(v if v_max is None else v_max, out=scratch)
    np.add(scratch, eps * root2, out=scratch)
    np.divide(m, scratch, out=scratch)
    axpby(-lr * root2 / (1 - beta1**step), scratch, 1, p, scratch)


def blockwise(block: Callable[..., None]) -> Callable[[Calls], None]:
    """The updates `calls` by `block`, cut into cached pieces and shared among the cores."""

    def update(calls: Calls) -> None:
        flat: list[tuple[list[Any], dict[str, Any]]] = []
        for arrays, numbers in calls:
            if all(a is None or a.flags.c_contiguous for a in arrays):
                flat.append(([None if a is None else a.reshape(-1) for a in arrays], numbers))
            else:  # a layout without a flat view
                block(numpy, functools.partial(blas.plain_axpby, numpy), numpy.empty_like(arrays[0]),
                      *arrays, **numbers)  # fmt: skip
        ends = list(itertools.accumulate((arrays[0].size for arrays, _ in flat), initial=0))

        def run(_: int, start: int, stop: int) -> None:
            for (arrays, numbers), first, last in zip(flat, ends, ends[1:], strict=False):
                begin, end = max(start, first) - first, min(stop, last) - first
                scratch = numpy.empty(max(0, min(PIECE, end - begin)), arrays[0].dtype)
                for i in range(begin, end, PIECE):
                    j = min(i + PIECE, end)
                    pieces = [None if a is None else a[i:j] for a in arrays]
                    block(numpy, blas.axpby, scratch[: j - i], *pieces, **numbers)

        if ends[-1] >= BLOCK:
            parallel(run, ends[-1])
        else:
            run(0, 0, ends[-1])

    update.__name__ = block.__name__.replace("block", "update")
    update.__doc__ = block.__doc__
    return update


sgd_update = blockwise(sgd_block)
adam_update = blockwise(adam_block)
