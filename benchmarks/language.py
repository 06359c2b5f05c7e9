"""``python -m benchmarks.language [lstm] [transformer] --text FILE``: language models here and in PyTorch.

A 2-layer LSTM of 256 and a 4-layer Transformer of 256 learn the characters of FILE. Both sides start from the
same weights and get the same batches and learning rates, so what differs is the framework alone. It prints
the loss on the last tenth of the text, per character in nats, and exits with 1 if the two differ by more than
2 %. With ``--record`` the figures are appended to `benchmarks/history.jsonl`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_notes as tg
from tests import twins
from tinygrad_notes.models import RecurrentLM, TransformerLM
from tinygrad_notes.models.decoding import mapped

from . import harness

WIDTH, ROWS, PLACES = 256, 32, 64
LAYERS = {"lstm": 2, "transformer": 4}
LR = {"lstm": 2e-3, "transformer": 1e-3}
GOAL = 0.02


def streams(ids: np.ndarray) -> np.ndarray:
    """(ROWS, length): the text cut into rows, each read from left to right."""
    length = len(ids) // ROWS
    return ids[: ROWS * length].reshape(ROWS, length)


def pieces(rows: np.ndarray, steps: int) -> Iterator[tuple[np.ndarray, np.ndarray, bool]]:
    """(ids, what follows each, whether the rows begin again): `steps` of them."""
    done = 0
    while True:
        for start in range(0, rows.shape[1] - PLACES, PLACES):
            if done == steps:
                return
            yield rows[:, start : start + PLACES], rows[:, start + 1 : start + PLACES + 1], start == 0
            done += 1


def ours(cell: str, vocabulary: int) -> Any:
    if cell == "transformer":
        return TransformerLM(vocabulary, WIDTH, LAYERS[cell], 4, PLACES)
    return RecurrentLM(vocabulary, cell, WIDTH, LAYERS[cell])


def learn(library: Any, model: Any, cell: str, train: np.ndarray, held_out: np.ndarray, steps: int) -> float:
    """The loss on the held-out text after so many steps of Adam, the same text in `library`."""
    here = library is tg
    tensor = tg.Tensor if here else lambda a: library.from_numpy(np.ascontiguousarray(a))
    F, clip = library.nn.functional, (tg.optim if here else library.nn.utils).clip_grad_norm_
    optimizer = library.optim.Adam(model.parameters(), lr=LR[cell])

    def loss_of(ids: Any, following: Any, state: Any) -> tuple[Any, Any]:
        logits, state = model(tensor(ids), state)
        flat = logits.reshape(-1, logits.shape[-1])
        return F.cross_entropy(flat, tensor(following.reshape(-1))), state

    def carried(state: Any) -> Any:
        if cell == "transformer":
            return () if here else None
        return mapped(tg.Tensor.detach, state) if here else tuple(s.detach() for s in state)

    first = () if here else None
    state = first
    for ids, following, begins in pieces(streams(train), steps):
        loss, state = loss_of(ids, following, first if begins else state)
        state = carried(state)
        optimizer.zero_grad()
        loss.backward()
        clip(model.parameters(), 1.0)
        optimizer.step()
    model.eval()
    state, losses = first, []
    rows = streams(held_out)
    with library.no_grad():
        for ids, following, _ in pieces(rows, (rows.shape[1] - 1) // PLACES):
            loss, state = loss_of(ids, following, state)
            state = carried(state)
            losses.append(loss.item())
    return float(np.mean(losses))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.language", description=__doc__)
    parser.add_argument("names", nargs="*", default=list(LAYERS), help="default: " + " ".join(LAYERS))
    parser.add_argument("--text", type=Path, required=True, help="a text file in UTF-8")
    parser.add_argument("--steps", type=int, default=300, help="default 300")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="default 0")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/history.jsonl")
    options = parser.parse_args()
    unknown = set(options.names) - set(LAYERS)
    if unknown:
        parser.error(f"unknown {', '.join(sorted(unknown))}; choose from {', '.join(LAYERS)}")
    text = options.text.read_text(encoding="utf-8")
    letters = sorted(set(text))
    place = {letter: i for i, letter in enumerate(letters)}
    ids = np.array([place[letter] for letter in text])
    train, held_out = np.split(ids, [9 * len(ids) // 10])
    torch: Any = importlib.import_module("torch")
    rows, missed = [], False
    for cell in options.names:
        for seed in options.seeds:
            tg.manual_seed(seed)
            model = ours(cell, len(letters))
            twin = twins.language(cell, len(letters), WIDTH, LAYERS[cell], heads=4, context=PLACES)
            twins.copy_weights(model, twin)
            found = {}
            for name, library, net in (("ours", tg, model), ("torch", torch, twin)):
                start = time.perf_counter()
                found[name] = learn(library, net, cell, train, held_out, options.steps)
                found[f"{name}_seconds"] = round(time.perf_counter() - start, 1)
            apart = abs(found["ours"] / found["torch"] - 1)
            missed |= apart > GOAL
            print(f"{cell} seed {seed}, {options.steps} steps: {found['ours']:.4f} ours, "
                  f"{found['torch']:.4f} PyTorch's, {100 * apart:.2f} % apart; {found['ours_seconds']} and "
                  f"{found['torch_seconds']} s", flush=True)  # fmt: skip
            rows.append({"name": f"language {cell}", "seed": seed, "steps": options.steps, **found})
    if options.record:
        harness.record(rows)
    sys.exit(int(missed))


if __name__ == "__main__":
    main()
