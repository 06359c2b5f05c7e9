"""Mistakes in embeddings, and in label smoothing with a padding class."""

from __future__ import annotations

import numpy as np

from ...ops import embedding, loss
from .entry import Wrong, entry, normal

V, D, PAD = 4, 2, 1
IDS = np.array([2, 1, 2, 3, 1, 2])
LAST = np.array([0, 0, 0, 1, 1, 1])[:, None]  # 1 where no later id is the same
COUNT = np.array([3, 2, 3, 1, 2, 3])[:, None]
PLAIN = {"ids": IDS, "padding_idx": None, "row": None}
PADDED = {"ids": IDS, "padding_idx": PAD, "row": None}

EPSILON = 0.25
SPREAD = EPSILON / (V - 2) * (np.arange(V) != PAD)[None]
OWN = np.array([0.0, 1.0, 1.0]) * (1 - EPSILON - EPSILON / (V - 2))  # the first row is padding
SMOOTHED = {"labels": np.array([0, 3, 2]), "own": OWN, "share": np.array([0.0, 1.0, 1.0]), "spread": SPREAD}


def _assigned(xp, gy, weight_shape, *, ids, padding_idx):
    return xp.add_rows(gy * LAST, ids, weight_shape[0], padding_idx)


def _by_frequency(xp, gy, weight_shape, *, ids, padding_idx):
    return xp.add_rows(gy / COUNT, ids, weight_shape[0], padding_idx)


def _padding_learns(xp, gy, weight_shape, *, ids, padding_idx):
    return xp.add_rows(gy, ids, weight_shape[0], None)


def _last_id_lost(xp, gy, weight_shape, *, ids, padding_idx):
    return xp.add_rows(gy[:-1], ids[:-1], weight_shape[0], padding_idx)


def _padding_picked(xp, gy, *, ids, padding_idx):
    return xp.take_rows(gy, ids, None, None)


def _everywhere(xp, gy, x, *, labels, own, share, spread):
    """The spread goes to the padding class too."""
    return loss._class_gradients(xp, x, labels, gy * own, gy * share, spread * 0 + EPSILON / (V - 2))


def _padding_counts(xp, gy, x, *, labels, own, share, spread):
    """Rows of padding are spread over as well."""
    return loss._class_gradients(xp, x, labels, gy * own, gy * (share * 0 + 1), spread)


def entries() -> list[Wrong]:
    """The mistakes, in the order of the operations."""
    table, rows, logits = normal((V, D)), normal((len(IDS), D)), normal((3, V))
    e, classes = embedding.Embedding, loss.CrossEntropyOfClasses
    return [
        entry("embedding: rows assigned, not added: the last of equal ids wins", e, table,
              {"backward": _assigned}, **PLAIN),
        entry("embedding: the mean over equal ids, not the sum", e, table,
              {"backward": _by_frequency}, **PLAIN),
        entry("embedding: the last id's row is lost", e, table, {"backward": _last_id_lost}, **PLAIN),
        entry("embedding: the padding's row learns", e, table, {"backward": _padding_learns}, **PADDED),
        entry("add_rows: what padding left out comes back", embedding.AddRows, rows,
              {"backward": _padding_picked}, ids=IDS, rows=V, padding_idx=PAD),
        entry("label smoothing: the padding class gets a share", classes, logits,
              {"backward": _everywhere}, **SMOOTHED),
        entry("label smoothing: rows of padding learn", classes, logits,
              {"backward": _padding_counts}, **SMOOTHED),
    ]  # fmt: skip
