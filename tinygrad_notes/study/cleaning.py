"""Cleaning: penguins as they are, cleaned, and cleaned wrongly, by figures that the test part helped make."""

from __future__ import annotations

import numpy as np

from .. import optim
from ..data import held_out
from ..data.tables import Cleaning, Table, is_missing, load_penguins, prepare
from ..nn import ReLU
from .finding import Finding, Panel
from .fitting import Data, fit, measured, network, seeded, smooth, steps

TRAIN = 40  # so few that the figures of the training part and of all rows differ
KINDS = ("raw: complete rows, as they are", "cleaned by the training part", "cleaned by all rows: wrong")
SPLITS = 10


def run(seed: int, share: float) -> Finding:
    table = load_penguins()
    table = table.rows(~is_missing(table["species"]))
    labels = np.unique(table["species"].astype(str), return_inverse=True)[1]
    count = steps(150, share)
    right: dict[str, list[float]] = {kind: [] for kind in KINDS}
    used: dict[str, int] = {}
    curves: dict[str, tuple[range, list[float]]] = {}
    for split in range(SPLITS):
        train = ~held_out(labels, 1 - TRAIN / len(labels), seed + split)
        for kind in KINDS:
            data = _prepared(table, labels, train, kind)
            used[kind] = len(data.x)
            seeded(seed)
            model = network((data.x.shape[1], 16, 3), ReLU)
            optimizer = optim.SGD(model.parameters(), 0.1)
            losses = fit(model, optimizer, data, count, 16, seed)
            right[kind].append(measured(model, data.test_x, data.test_y)[1])
            curves.setdefault(kind, (range(1, count + 1), smooth(losses)))
    means = {kind: float(np.mean(values)) for kind, values in right.items()}
    rows = [[kind, used[kind], f"{means[kind]:.1f} %", f"{np.std(right[kind]):.1f}"] for kind in KINDS]
    raw, clean, wrong = (means[kind] for kind in KINDS)
    return Finding(
        ("penguins", "training rows", "unseen right", "± over splits"), rows,
        f"Over {SPLITS} splits {clean:.1f} % of the unseen penguins are right after cleaning by the training "
        f"part and {raw:.1f} % without; cleaning by all rows says {wrong:.1f} %, a figure that new penguins "
        "need not keep, because their own rows helped to make it.",
        [
            Panel("training on the first split", "step", "loss, smoothed", curves, log_y=True),
            Panel("unseen penguins", "split", "right, %",
                  {kind: (range(1, SPLITS + 1), values) for kind, values in right.items()}, points=True),
        ],
    )  # fmt: skip


def _prepared(table: Table, labels: np.ndarray, train: np.ndarray, kind: str) -> Data:
    """Inputs and labels of both parts; all that cleaning learns is of `train`, or wrongly of all rows."""
    features = table.without(["species"])
    raw = kind == KINDS[0]
    if raw:  # a network takes no NaN: rows with a missing value cannot be used at all
        whole = ~np.any([is_missing(values) for values in features.columns.values()], axis=0)
        train, test = train & whole, ~train & whole
        cleaning = Cleaning(normalization="none")
    else:
        test, cleaning = ~train, Cleaning()
    source = features if kind == KINDS[2] else features.rows(train)
    preparation, _ = prepare(source, cleaning)
    parts = [preparation.apply(features.rows(part)).inputs for part in (train, test)]
    return Data(parts[0], labels[train], parts[1], labels[test])
