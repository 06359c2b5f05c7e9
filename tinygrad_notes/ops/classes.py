"""Class indices as rows of 0 and 1, and as factors of a cross-entropy: weights, smoothing, ignored rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend
from ..autograd import Tensor
from .arguments import as_tensor, integer

CONVENTIONS = "torch", "transformer"  # of label smoothing


def class_factors(
    op: str, labels: Any, weight: Any, classes: int, dtype: Any, ignore_index: int, mean: bool,
    smoothing: float, convention: str,
) -> dict[str, Any]:  # fmt: skip
    """The target q_nc = own_n [c = label_n] + share_n spread_c of row n, as labels, own, share and spread.

    share is 1, or 1/Σ weights of the labels for the mean; own = weight of the label · (1 − ε) · share, and
    spread = weight · ε/C. Where a label is ignored it becomes 0, and own and share are 0.
    "transformer": ε/(C − 2) for every class but the label and the padding class; Σ_c q_nc stays 1.

    Raises ValueError for a label out of range; on a GPU its factors are NaN.
    """
    try:
        found = backend.run(
            _factors, labels, weight, classes=classes, dtype=dtype, ignore_index=ignore_index, mean=mean,
            smoothing=smoothing, convention=convention,
        )  # fmt: skip
    except ValueError as error:
        raise ValueError(f"{op}: class {error}; ignore_index is {ignore_index}") from None
    return dict(zip(("labels", "own", "share", "spread"), found, strict=True))


def _factors(xp, labels, weight, *, classes, dtype, ignore_index, mean, smoothing, convention):
    counted = labels != ignore_index
    labels = labels * counted
    weight = xp.ones(classes, dtype) if weight is None else weight
    own = xp.take_rows(weight[:, None], labels, None, None)[:, 0]
    share = counted.astype(dtype)
    if mean:
        total = (share * own).sum()
        share = share / xp.where(total == 0, 1, total)
    own, spread = own * share, None
    if smoothing and convention == "torch":
        own, spread = own * (1 - smoothing), weight[None] * (smoothing / classes)
    elif smoothing:
        part = smoothing / (classes - 2)
        own = own * (1 - smoothing - part)  # `spread` gives the label its part as well
        spread = xp.where(xp.arange(classes) == ignore_index, 0, weight * part)[None]
    return labels, own, share, spread


def class_weights(op: str, weight: Any, classes: int, dtype: Any) -> Tensor:
    """A factor for each class, (classes,), in `dtype`."""
    weight = as_tensor(weight).astype(dtype)
    if weight.shape != (classes,):
        raise ValueError(f"{op}: weight must be ({classes},), one per class, got {weight.shape}")
    return weight


def check_convention(op: str, convention: str, classes: int, ignore_index: int, target: Tensor) -> None:
    """ "transformer" spreads ε over the classes but the label and the padding class: it must know both."""
    if convention not in CONVENTIONS:
        raise ValueError(f"{op}: convention must be one of {CONVENTIONS}, got {convention!r}")
    fits = classes > 2 and 0 <= ignore_index < classes and target.dtype.kind != "f"
    if convention == "transformer" and not fits:
        raise ValueError(
            f"{op}: convention='transformer' needs class indices, at least 3 classes, and the padding class "
            f"as ignore_index; got {target.dtype} targets, {classes} classes, ignore_index {ignore_index}"
        )


def one_hot(tensor: Any, num_classes: int = -1) -> Tensor:
    """1 at the place that each integer of `tensor` names, else 0: (*) → int64 (*, num_classes).

    `num_classes` −1: one more than the largest. The integers are read by the host, so a GPU is waited for.
    Raises ValueError for integers out of range, and where there is none to infer `num_classes` from.
    """
    x = as_tensor(tensor)
    if x.dtype.kind not in "iu":
        raise TypeError(f"one_hot: class indices must be integers, got {x.dtype}; use .astype('int64')")
    labels = backend.to_numpy(x._data).astype(np.int64)
    num_classes = integer("one_hot", "num_classes", num_classes)
    if num_classes == -1:
        if not labels.size:
            raise ValueError(f"one_hot: no class indices in {x.shape} to infer num_classes from; give it")
        num_classes = max(1, int(labels.max()) + 1)
    if num_classes < 1:
        raise ValueError(f"one_hot: num_classes must be positive, or -1, got {num_classes}")
    wrong = labels[(labels < 0) | (labels >= num_classes)]
    if wrong.size:
        raise ValueError(f"one_hot: class index {wrong[0]} is not in 0..{num_classes - 1}")
    return Tensor((labels[..., None] == np.arange(num_classes)).astype(np.int64))
