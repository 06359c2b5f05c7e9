"""``python -m benchmarks.translation --pairs FILE.tsv``: the Transformer translates, here and in PyTorch.

Both sides start from the same weights and get the same batches and learning rates (byte pairs shared by both
languages, Noam's schedule, label smoothing); only the draws of dropout differ. FILE has a source and a target
in each line, with a tab between; ``--reverse`` turns them around. It prints the BLEU (sacrebleu, greedy) of
both on 1,000 pairs that were held out, and exits with 1 if they differ by more than 1. With ``--record`` the
figures are appended to `benchmarks/history.jsonl`.
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
from tinygrad_notes.data.text import BytePairs
from tinygrad_notes.models import Transformer
from tinygrad_notes.models.decoding import generate

from . import harness

PAD, START, END = range(3)
SPECIALS = ("<pad>", "<s>", "</s>")
SIZE = dict(width=128, heads=4, layers=3, feed_forward=512)
VOCABULARY, HELD_OUT, LONGEST, WARMUP = 4000, 1000, 40, 1000
GOAL = 1.0

Pairs = list[tuple[list[int], list[int]]]


def batches(pairs: Pairs, tokens: int, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Source and target ids, of pairs of like length, in a new order; at most about `tokens` places each."""
    noise = rng.random(len(pairs))
    order = sorted(range(len(pairs)), key=lambda i: (len(pairs[i][0]), len(pairs[i][1]), noise[i]))
    found: list[list[int]] = [[]]
    for i in order:
        longest = max(map(len, pairs[i]))
        if found[-1] and longest * (len(found[-1]) + 1) > tokens:
            found.append([])
        found[-1].append(i)
    for k in rng.permutation(len(found)):
        yield padded([pairs[i][0] for i in found[k]]), padded([pairs[i][1] for i in found[k]])


def padded(rows: list[list[int]]) -> np.ndarray:
    ids = np.full((len(rows), max(map(len, rows))), PAD)
    for row, values in zip(ids, rows, strict=True):
        row[: len(values)] = values
    return ids


def learn(library: Any, model: Any, pairs: Pairs, epochs: int, tokens: int, seed: int) -> None:
    """Train `model`, of tg or torch."""
    here = library is tg
    tensor = tg.Tensor if here else library.from_numpy
    optimizer = library.optim.Adam(model.parameters(), lr=1.0, betas=(0.9, 0.98), eps=1e-9)
    schedule = tg.optim.lr_scheduler.NoamLR(tg.optim.SGD([tg.nn.Parameter(np.zeros(1))], lr=1.0),
                                            SIZE["width"], WARMUP)  # fmt: skip
    rng = np.random.default_rng(seed)
    model.train()
    for _ in range(epochs):
        for source, target in batches(pairs, tokens, rng):
            for group in optimizer.param_groups:
                group["lr"] = schedule.get_last_lr()[0]
            logits = model(tensor(source), tensor(target[:, :-1].copy()))
            loss = library.nn.functional.cross_entropy(
                logits.reshape(-1, logits.shape[-1]), tensor(target[:, 1:].reshape(-1).copy()),
                ignore_index=PAD, label_smoothing=0.1,
            )  # fmt: skip
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def held_out_loss(library: Any, model: Any, pairs: Pairs) -> float:
    """Nats per id of the target."""
    tensor = tg.Tensor if library is tg else library.from_numpy
    model.eval()
    total = count = 0.0
    with library.no_grad():
        for source, target in batches(pairs, 4000, np.random.default_rng(0)):
            logits, labels = model(tensor(source), tensor(target[:, :-1].copy())), target[:, 1:].reshape(-1)
            total += library.nn.functional.cross_entropy(
                logits.reshape(-1, logits.shape[-1]), tensor(labels.copy()), ignore_index=PAD, reduction="sum"
            ).item()
            count += (labels != PAD).sum()
    return total / count


def translate_ours(model: Any, sources: list[list[int]]) -> list[list[int]]:
    model.eval()
    made: list[list[int]] = []
    for start in range(0, len(sources), 100):
        part = padded(sources[start : start + 100])
        with tg.no_grad():
            state = model.start(part)
        made += generate(model.step, np.full((len(part), 1), START), LONGEST, state=state, stop=END)
    return made


def translate_theirs(net: Any, sources: list[list[int]]) -> list[list[int]]:
    """Greedy, everything read again at each step."""
    import torch

    net.eval()
    made: list[list[int]] = []
    with torch.no_grad():
        for start in range(0, len(sources), 100):
            source = torch.from_numpy(padded(sources[start : start + 100]))
            state, ids = net.start(source), torch.full((len(source), 1), START)
            for _ in range(LONGEST):
                following = net.step(ids, state)[:, -1].argmax(1, keepdim=True)
                ids = torch.cat([ids, following], 1)
            made += [row[: row.index(END)] if END in row else row for row in ids[:, 1:].tolist()]
    return made


def read(path: Path, reverse: bool) -> list[tuple[str, str]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = [tuple(line.split("\t")[:2]) for line in lines]
    return [(b, a) if reverse else (a, b) for a, b in pairs]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.translation", description=__doc__)
    parser.add_argument("--pairs", type=Path, required=True, help="source TAB target, in UTF-8")
    parser.add_argument("--reverse", action="store_true", help="from the second column to the first")
    parser.add_argument("--tokenize", default=None, help="sacrebleu's, e.g. zh; default: zh, reversed 13a")
    parser.add_argument("--epochs", type=int, default=10, help="default 10")
    parser.add_argument("--tokens", type=int, default=2000, help="places of a batch (default 2000)")
    parser.add_argument("--dropout", type=float, default=0.1, help="default 0.1")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="default 0")
    parser.add_argument("--limit", type=int, default=None, help="use that many pairs only")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/history.jsonl")
    options = parser.parse_args()
    sacrebleu: Any = importlib.import_module("sacrebleu")
    torch: Any = importlib.import_module("torch")
    texts = read(options.pairs, options.reverse)
    order = np.random.default_rng(0).permutation(len(texts))[: options.limit]
    held, train = ([texts[i] for i in part] for part in np.split(order, [HELD_OUT]))
    pieces = BytePairs.train((text for pair in train for text in pair), VOCABULARY, specials=SPECIALS)

    def ids(pair: tuple[str, str]) -> tuple[list[int], list[int]]:
        source, target = (pieces.encode(text, specials=False) for text in pair)
        return [*source, END], [START, *target, END]

    pairs = [pair for pair in map(ids, train) if max(map(len, pair)) <= LONGEST]
    sources, references = [ids(pair)[0] for pair in held], [target for _, target in held]
    rows, missed = [], False
    for seed in options.seeds:
        tg.manual_seed(seed)
        torch.manual_seed(seed)
        model = Transformer(len(pieces), **SIZE, dropout=options.dropout)
        net = twins.transformer(len(pieces), *SIZE.values(), options.dropout)
        twins.copy_weights(model, net)
        found: dict[str, float] = {}
        for name, library, one, translate in (
            ("ours", tg, model, translate_ours), ("torch", torch, net, translate_theirs)
        ):  # fmt: skip
            start = time.perf_counter()
            learn(library, one, pairs, options.epochs, options.tokens, seed)
            made = [pieces.decode(row, specials=False) for row in translate(one, sources)]
            tokenize = options.tokenize or ("13a" if options.reverse else "zh")
            found[name] = sacrebleu.corpus_bleu(made, [references], tokenize=tokenize).score
            found[f"{name}_seconds"] = round(time.perf_counter() - start, 1)
            found[f"{name}_loss"] = held_out_loss(library, one, [ids(pair) for pair in held])
            print(f"{name} seed {seed}: BLEU {found[name]:.2f}, held-out loss {found[f'{name}_loss']:.4f}, "
                  f"{found[f'{name}_seconds']} s; {held[0][0]} → {made[0]}", flush=True)  # fmt: skip
        missed |= abs(found["ours"] - found["torch"]) > GOAL
        rows.append({"name": f"translation of {options.pairs.stem}{' reversed' * options.reverse}",
                     "seed": seed, "epochs": options.epochs, **found})  # fmt: skip
    if options.record:
        harness.record(rows)
    sys.exit(int(missed))


if __name__ == "__main__":
    main()
