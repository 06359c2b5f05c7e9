"""Over-fitting: a network that learns 500 digits by heart, and what keeps it from that."""

from __future__ import annotations

from .. import optim
from ..nn import Dropout, ReLU
from .finding import Finding, Panel
from .fitting import digits, fit, measured, network, seeded, steps

EPOCHS, BATCH, TRAIN, SIZES = 30, 50, 500, (784, 512, 512, 10)
KINDS = {  # name: (dropout, weight decay)
    "nothing": (0.0, 0.0), "dropout 0.5": (0.5, 0.0), "weight decay 1": (0.0, 1.0),
}  # fmt: skip


def run(seed: int, share: float) -> Finding:
    data, epochs = digits(TRAIN), steps(EPOCHS, share)
    rows, lines = [], {}
    last = {}
    for name, (dropout, decay) in KINDS.items():
        seeded(seed)
        model = network(SIZES, ReLU, (lambda size, p=dropout: Dropout(p)) if dropout else None)
        optimizer = optim.AdamW(model.parameters(), 1e-3, weight_decay=decay)
        train, test = [], []
        for epoch in range(epochs):
            fit(model, optimizer, data, TRAIN // BATCH, BATCH, seed + epoch)
            train.append(measured(model, data.x, data.y))
            test.append(measured(model, data.test_x, data.test_y))
        best = min(range(epochs), key=lambda i: test[i][0])
        lines[f"{name}, unseen"] = (range(1, epochs + 1), [loss for loss, _ in test])
        if name == "nothing":
            lines["nothing, training"] = (range(1, epochs + 1), [loss for loss, _ in train])
            stopped = [f"early stopping, epoch {best + 1}", *_row(train[best], test[best])]
            early = best + 1, test[best][0], test[-1][0]
        last[name] = test[-1]
        rows.append([name, *_row(train[-1], test[-1])])
    rows.insert(1, stopped)
    winner = min((name for name in last if name != "nothing"), key=lambda name: last[name][0])
    return Finding(
        ("against over-fitting", "training loss", "unseen loss", "training right", "unseen right"), rows,
        f"Without anything the loss on unseen digits is least after epoch {early[0]} ({early[1]:.2f}) and "
        f"{early[2]:.2f} after {epochs}, while that on the training digits falls to {rows[0][1]}; with "
        f"{winner} it is {last[winner][0]:.2f} after {epochs}.",
        [Panel("500 digits, 670,000 weights", "epoch", "loss", lines, log_y=True)],
    )  # fmt: skip


def _row(train: tuple[float, float], test: tuple[float, float]) -> list[str]:
    return [f"{train[0]:.4f}", f"{test[0]:.3f}", f"{train[1]:.1f} %", f"{test[1]:.1f} %"]
