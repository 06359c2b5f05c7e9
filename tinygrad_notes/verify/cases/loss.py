"""Rows of ops/loss.py."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from ...ops import arithmetic
from ...ops import loss as ops
from .case import Case, F, T, build, case, distributions, each, real, softmax_of, unit

S = (3, 2)
LABELS = np.array([2, 0, 2])
IGNORING = np.array([2, -100, 1])
PIXELS = np.array([[1, 0], [2, 2]])  # labels of x (2, 3, 2)
WEIGHT = np.array([0.5, 2.0, 1.25])
REDUCTIONS = ("mean", "sum", "none")


def _reduced(losses: np.ndarray, reduction: str, count: float | None = None) -> np.ndarray:
    if reduction == "none":
        return losses
    total = math.fsum(losses.flat)
    return np.asarray(total / (losses.size if count is None else count) if reduction == "mean" else total)


def _row_losses(x: np.ndarray, target: np.ndarray, ignore: int, log_p: Any) -> Any:
    """For each place (n, ...) of x (N, C, ...): the list of −ln p and the label, None if ignored."""
    places = [(n, *rest) for n in range(x.shape[0]) for rest in np.ndindex(*x.shape[2:])]
    for place in places:
        logits = [float(x[(place[0], c, *place[1:])]) for c in range(x.shape[1])]
        label = int(target[place])
        yield place, [-v for v in log_p(logits)], None if label == ignore else label


def _log_softmax(v: list[float]) -> list[float]:
    return [math.log(p) for p in softmax_of(v)]


def _class_index_loss(
    x: np.ndarray, target: np.ndarray, weight: Any = None, ignore: int = -100, reduction: str = "mean",
    smoothing: float = 0.0, log_p: Any = _log_softmax,
) -> np.ndarray:  # fmt: skip
    """The sentence of the definition, one row at a time."""
    losses, divisor = np.zeros(target.shape), 0.0
    w = [1.0] * x.shape[1] if weight is None else weight
    for place, costs, label in _row_losses(x, target, ignore, log_p):
        if label is None:
            continue
        divisor += w[label]
        spread = math.fsum(a * b for a, b in zip(w, costs, strict=True)) / len(costs)
        losses[place] = (1 - smoothing) * w[label] * costs[label] + smoothing * spread
    return _reduced(losses, reduction, divisor)


def _cross_entropy(name: str, shape: tuple[int, ...], target: np.ndarray, **keywords: Any) -> Case:
    plain = dict(keywords)
    for ours, short in (("ignore_index", "ignore"), ("label_smoothing", "smoothing")):
        if ours in plain:
            plain[short] = plain.pop(ours)
    weight = keywords.get("weight")
    for_torch = keywords if weight is None else keywords | {"weight": T}
    return case(
        f"cross_entropy: {name}", ops.CrossEntropyOfClasses,
        lambda x: ops.cross_entropy(x, target, **keywords), real(shape),
        lambda x: _class_index_loss(x, target, **plain),
        lambda x: F.cross_entropy(x, T.tensor(target), **(
            for_torch if weight is None else for_torch | {"weight": T.tensor(weight, dtype=x.dtype)})),
        differentiable=(True,),
    )  # fmt: skip


def _probability_loss(x: np.ndarray, q: np.ndarray, reduction: str = "mean", smoothing: float = 0.0,
                      weight: Any = None) -> np.ndarray:  # fmt: skip
    classes = x.shape[1]
    w = [1.0] * classes if weight is None else weight

    def at(n: int, *rest: int) -> float:
        log_p = _log_softmax([x[(n, c, *rest)] for c in range(classes)])
        smooth = [(1 - smoothing) * q[(n, c, *rest)] + smoothing / classes for c in range(classes)]
        return -math.fsum(w[c] * smooth[c] * log_p[c] for c in range(classes))

    return _reduced(build((x.shape[0], *x.shape[2:]), at), reduction)


def _probabilities(name: str, shape: tuple[int, ...], **keywords: Any) -> Case:
    """Targets that are distributions over the classes; they are differentiable too."""
    plain = {("smoothing" if k == "label_smoothing" else k): v for k, v in keywords.items()}
    weight = keywords.get("weight")
    row = case(
        f"cross_entropy of probabilities: {name}", ops.CrossEntropy,
        lambda x, q: ops.cross_entropy(x, q, **keywords), real(shape, shape),
        lambda x, q: _probability_loss(x, q, **plain),
        lambda x, q: F.cross_entropy(x, q, **(
            keywords if weight is None else keywords | {"weight": T.tensor(weight, dtype=x.dtype)})),
    )  # fmt: skip
    floats, fractions = distributions(real(shape, shape), 1)
    return dataclasses.replace(row, inputs=floats, symbolic=fractions)


def _pairwise(
    name: str, operations: Any, run: Any, of: Any, twin: Any, domain: Any, reductions: Any = REDUCTIONS
) -> tuple[Case, ...]:
    """One row per reduction for a loss of (input, target) element by element."""
    return tuple(
        case(f"{name}: {r}", operations, lambda a, b, r=r: run(a, b, reduction=r), domain,
             lambda a, b, r=r: _reduced(each(of, a, b), r), lambda a, b, r=r: twin(a, b, reduction=r))
        for r in reductions
    )  # fmt: skip


def _bce(x: float, t: float, p: float = 1.0) -> float:
    s = 1 / (1 + math.exp(-x))
    return -p * t * math.log(s) - (1 - t) * math.log(1 - s)


def _huber(delta: float) -> Any:
    return lambda a, b: 0.5 * (a - b) ** 2 if abs(a - b) <= delta else delta * (abs(a - b) - 0.5 * delta)


def _nll(name: str, target: np.ndarray, **keywords: Any) -> Case:
    plain = {("ignore" if k == "ignore_index" else k): v for k, v in keywords.items()}
    weight = keywords.get("weight")
    return case(
        f"nll_loss: {name}", (), lambda x: ops.nll_loss(x, target, **keywords), real((3, 3)),
        lambda x: _class_index_loss(x, target, log_p=lambda v: v, **plain),
        lambda x: F.nll_loss(x, T.tensor(target), **(
            keywords if weight is None else keywords | {"weight": T.tensor(weight, dtype=x.dtype)})),
    )  # fmt: skip


SMALL = 3, 3
BCE = ops.binary_cross_entropy_with_logits
POS_WEIGHT = np.array([2.0, 0.5])

CASES = (
    *(_cross_entropy(r, SMALL, LABELS, reduction=r) for r in REDUCTIONS),
    *(_cross_entropy(f"ignore_index, {r}", SMALL, IGNORING, reduction=r) for r in REDUCTIONS),
    _cross_entropy("ignore_index 2", SMALL, LABELS, ignore_index=2),
    *(_cross_entropy(f"weight, {r}", SMALL, LABELS, weight=WEIGHT, reduction=r) for r in REDUCTIONS),
    *(_cross_entropy(f"label_smoothing, {r}", SMALL, LABELS, label_smoothing=0.25, reduction=r)
      for r in REDUCTIONS),
    *(_cross_entropy(f"everything, {r}", SMALL, IGNORING, weight=WEIGHT, label_smoothing=0.25,
                     reduction=r) for r in REDUCTIONS),
    *(_cross_entropy(f"pixels, {r}", (2, 3, 2), PIXELS, reduction=r) for r in REDUCTIONS),
    *(_probabilities(r, S, reduction=r) for r in REDUCTIONS),
    _probabilities("label_smoothing", (2, 3), label_smoothing=0.25),
    _probabilities("weight", (2, 3), weight=WEIGHT),
    _probabilities("pixels", (2, 3, 2)),
    _nll("mean", LABELS), _nll("sum", LABELS, reduction="sum"), _nll("none", LABELS, reduction="none"),
    _nll("ignore_index and weight", IGNORING, weight=WEIGHT),
    *_pairwise("mse_loss", ops.SquaredError, ops.mse_loss, lambda a, b: (a - b) ** 2,
               F.later("mse_loss"), real(S, S), ("mean", "sum")),
    *_pairwise("mse_loss", arithmetic.Power, ops.mse_loss, lambda a, b: (a - b) ** 2,
               F.later("mse_loss"), real(S, S), ("none",)),
    *(case(f"mse_loss of the notes: {r}", arithmetic.Power if r == "none" else ops.SquaredError,
           lambda a, b, r=r: ops.mse_loss(a, b, reduction=r, convention="notes"), real(S, S),
           lambda a, b, r=r: _reduced(each(lambda u, v: (u - v) ** 2 / 2, a, b), r),
           lambda a, b, r=r: F.mse_loss(a, b, reduction=r) / 2) for r in REDUCTIONS),
    *_pairwise("l1_loss", (), ops.l1_loss, lambda a, b: abs(a - b), F.later("l1_loss"), real(S, S)),
    *_pairwise("huber_loss", ops.Huber, ops.huber_loss, _huber(1.0), F.later("huber_loss"), real(S, S)),
    case("huber_loss: delta 3/4", ops.Huber, lambda a, b: ops.huber_loss(a, b, delta=0.75), real(S, S),
         lambda a, b: _reduced(each(_huber(0.75), a, b), "mean"), F.later("huber_loss", delta=0.75)),
    *_pairwise("binary_cross_entropy_with_logits", ops.BinaryCrossEntropy, BCE, _bce,
               F.later("binary_cross_entropy_with_logits"), unit(S, S)),
    case("binary_cross_entropy_with_logits: pos_weight", (),
         lambda x, t: BCE(x, t, pos_weight=POS_WEIGHT), unit((3, 2), (3, 2)),
         lambda x, t: _reduced(each(_bce, x, t, POS_WEIGHT), "mean"),
         lambda x, t: F.binary_cross_entropy_with_logits(
             x, t, pos_weight=T.tensor(POS_WEIGHT, dtype=x.dtype))),
    case("binary_cross_entropy_with_logits: weight", ops.BinaryCrossEntropy,
         lambda x, t: BCE(x, t, weight=POS_WEIGHT), real((3, 2), (3, 2)),
         lambda x, t: _reduced(each(lambda u, v, w: w * _bce(u, v), x, t, POS_WEIGHT), "mean"),
         lambda x, t: F.binary_cross_entropy_with_logits(
             x, t, weight=T.tensor(POS_WEIGHT, dtype=x.dtype))),
)  # fmt: skip
