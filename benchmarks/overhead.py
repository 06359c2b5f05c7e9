"""The cost of an operation when there is nothing to compute: a chain of products of 4 elements."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_notes as tg

from .harness import torch_device

LENGTH = 1000


def our_chain(length: int = LENGTH) -> Callable[[], Any]:
    """Forward and backward through `length` products."""
    a = tg.Tensor(np.ones(4, np.float32), requires_grad=True)
    b = tg.Tensor(np.ones(4, np.float32))
    seed = tg.Tensor(np.ones(4, np.float32))

    def run() -> None:
        y = a
        for _ in range(length):
            y = y * b
        y.backward(seed)
        a.grad.numpy()  # a GPU has finished then
        a.zero_grad()

    return run


def torch_chain(length: int = LENGTH) -> Callable[[], Any]:
    """The same in PyTorch."""
    import torch

    device = torch_device()
    a = torch.ones(4, requires_grad=True, device=device)
    b, seed = torch.ones(4, device=device), torch.ones(4, device=device)

    def run() -> None:
        y = a
        for _ in range(length):
            y = y * b
        y.backward(seed)
        a.grad.cpu()  # likewise
        a.grad = None

    return run


def alone(side: str) -> dict[str, Callable[[], Any]]:
    """The chain of one side, for a process of its own."""
    return {"step": our_chain() if side == "ours" else torch_chain()}


def long_chain() -> dict[str, float]:
    """`chains` in a process of its own: what others left in memory would be collected again and again."""
    program = "import json; from benchmarks import overhead; print(json.dumps(overhead.chains()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def chains() -> dict[str, float]:
    """Seconds of forward, backward and teardown of chains of 10,000 and 100,000 products."""
    result = {}
    for length in (10_000, 100_000):
        a = tg.Tensor(np.ones(4, np.float32), requires_grad=True)
        start = time.perf_counter()
        y = a
        for _ in range(length):
            y = y * 1.0
        forward = time.perf_counter()
        y.backward(np.ones(4, np.float32), retain_graph=True)
        backward = time.perf_counter()
        del y
        end = time.perf_counter()
        result[f"forward_{length}"] = forward - start
        result[f"backward_{length}"] = backward - forward
        result[f"teardown_{length}"] = end - backward
    return result
