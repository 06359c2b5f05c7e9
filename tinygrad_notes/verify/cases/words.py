"""Rows of ops/words.py."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import backend
from ...ops import embedding
from ...ops import words as ops
from .case import Case, F, T, build, case, real

V, D = 4, 2
TARGET = np.array([1, 3, 1])
NOISE = np.array([[1, 2], [0, 0], [2, 3]])  # its target, one word twice, neither
PATH = np.array([[0, 1, 2], [0, 1, -1], [0, -1, -1]])
CODE = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]])
A = np.array([[1.0, 0.0, 0.25], [0.0, 1.5, 0.0]])  # answers of yes
B = np.array([[0.0, 0.5, 1.0], [0.0, 0.25, 2.0]])  # and of no


def _cost(x: Any, row: Any, z: float) -> float:
    s = math.fsum(float(a) * float(b) for a, b in zip(x, row, strict=True))
    return -math.log(1 / (1 + math.exp(-z * s)))


def _reduced(losses: list[float], reduction: str) -> np.ndarray:
    total = math.fsum(losses)
    return np.array(losses if reduction == "none" else total / len(losses) if reduction == "mean" else total)


def _noise(x: Any, w: Any, reduction: str) -> np.ndarray:
    """One product at a time."""
    return _reduced([
        _cost(x[n], w[o], 1) + math.fsum(_cost(x[n], w[k], -1) for k in NOISE[n] if k != o)
        for n, o in enumerate(TARGET)
    ], reduction)  # fmt: skip


def _tree(x: Any, w: Any, reduction: str) -> np.ndarray:
    return _reduced([
        math.fsum(_cost(x[n], w[j], 1 - 2 * d)
                  for j, d in zip(PATH[n], CODE[n], strict=True) if j >= 0)
        for n in range(len(PATH))
    ], reduction)  # fmt: skip


def _torch_noise(x: Any, w: Any, reduction: str) -> Any:
    target, noise = T.tensor(TARGET), T.tensor(NOISE)
    yes = F.logsigmoid((x * w[target]).sum(-1))
    no = F.logsigmoid(-T.einsum("nd,nkd->nk", x, w[noise])) * (noise != target[:, None])
    return _torch_reduced(-yes - no.sum(-1), reduction)


def _torch_tree(x: Any, w: Any, reduction: str) -> Any:
    path, code = T.tensor(PATH), T.tensor(CODE)
    s = T.einsum("nd,nld->nl", x, w[path.clamp(min=0)])
    return _torch_reduced(-(F.logsigmoid((1 - 2 * code) * s) * (path >= 0)).sum(-1), reduction)


def _torch_reduced(losses: Any, reduction: str) -> Any:
    return losses if reduction == "none" else getattr(losses, reduction)()


def _pairs(x: Any, w: Any) -> Any:
    return ops.logistic_pairs(x, w, *(backend.asarray(n).astype(x.dtype) for n in (A, B)))


def _counted(x: Any, w: Any) -> np.ndarray:
    return build((2,), lambda p: math.fsum(
        A[p, m] * _cost(x[p], w[m], 1) + B[p, m] * _cost(x[p], w[m], -1) for m in range(3)))  # fmt: skip


def _torch_counted(x: Any, w: Any) -> Any:
    s = x @ w.mT
    return -(T.tensor(A) * F.logsigmoid(s) + T.tensor(B) * F.logsigmoid(-s)).sum(-1)


PAIR = ops.LogisticPairs, embedding.Embedding

CASES: tuple[Case, ...] = (
    case("logistic_pairs", ops.LogisticPairs, _pairs, real((2, D), (3, D)), _counted, _torch_counted),
    case("logistic_pairs: a batch of blocks", ops.LogisticPairs, _pairs, real((2, 2, D), (2, 3, D)),
         lambda x, w: np.stack([_counted(x[0], w[0]), _counted(x[1], w[1])]), _torch_counted),
    *(case(f"negative_sampling_loss: {r}", PAIR,
           lambda x, w, r=r: ops.negative_sampling_loss(x, w, TARGET, NOISE, r), real((3, D), (V, D)),
           lambda x, w, r=r: _noise(x, w, r), lambda x, w, r=r: _torch_noise(x, w, r))
      for r in ("mean", "sum", "none")),
    *(case(f"hierarchical_softmax_loss: {r}", PAIR,
           lambda x, w, r=r: ops.hierarchical_softmax_loss(x, w, PATH, CODE, r), real((3, D), (V - 1, D)),
           lambda x, w, r=r: _tree(x, w, r), lambda x, w, r=r: _torch_tree(x, w, r))
      for r in ("mean", "sum", "none")),
)  # fmt: skip
