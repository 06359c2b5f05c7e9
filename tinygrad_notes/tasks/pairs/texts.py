"""Pairs of texts: where they come from, how they are split, and their ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...data import DataError, held_out
from ...data.text import BytePairs, Ragged, Sequences, Vocabulary, date_pairs, read_rows, sentence_pairs
from ...train.options import RunError
from ...train.task import Parts
from .settings import DATES, TATOEBA, Settings

SPECIALS = ("<pad>", "<s>", "</s>")
PAD, START, END = range(3)
TEST = 0.1  # share of the pairs
COUNT_OF_DATES = 24_000

Pair = tuple[str, str]


class Side:
    """text ↔ ids of the sources, or of the targets: a `Vocabulary` of characters, or `BytePairs`."""

    def __init__(self, table: Vocabulary | BytePairs) -> None:
        self.table = table

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Side:
        return cls((BytePairs if "merges" in content else Vocabulary).from_dict(content))

    def __len__(self) -> int:
        return len(self.table)

    def encode(self, text: str, what: str) -> list[int]:
        """Ids with the end sign. Raises RunError, naming the place in `what`, for an unknown character."""
        if isinstance(self.table, BytePairs):
            return [*self.table.encode(text, specials=False), END]
        for place, character in enumerate(text, 1):
            if character not in self.table:
                raise RunError(
                    f"{what}: character {place} is {character!r} (U+{ord(character):04X}), which is not "
                    f"among the {len(self) - len(SPECIALS)} that the model was trained on"
                )
        return [*self.table.encode(text), END]

    def decode(self, ids: Iterable[int]) -> str:
        ids = [i for i in ids if i >= len(SPECIALS)]
        found = self.table.decode(ids)
        return found if isinstance(found, str) else "".join(found)

    def words(self, ids: Iterable[int]) -> list[str]:
        """Each id as it is shown."""
        return [SPECIALS[i] if i < len(SPECIALS) else self.decode([i]) for i in ids]


def read_pairs(data: str, errors: str = "raise") -> list[Pair]:
    """The pairs called `data`. Raises DataError for a file without any, or with a side that is missing."""
    if data == DATES:
        return date_pairs(COUNT_OF_DATES)
    if data == TATOEBA:
        return sentence_pairs()
    if not Path(data).is_file():
        raise DataError(
            f"{data}: there is no such file; --data takes {DATES}, {TATOEBA} or a file with a source and a "
            "target in each line and a tab between them"
        )
    pairs = [(source, target) for source, target in read_rows(data, 2, errors)]
    if not pairs:
        raise DataError(f"{data}: there is no pair of texts in it")
    return pairs


def split(pairs: Sequence[Pair], share: float, seed: int) -> tuple[list[Pair], list[Pair]]:
    """(the others, about `share` of `pairs`): no text of the one, on either side, stands in the other."""
    group = _groups(pairs)
    held = held_out(np.zeros(max(group) + 1), share, seed)
    return [p for p, g in zip(pairs, group, strict=True) if not held[g]], [
        p for p, g in zip(pairs, group, strict=True) if held[g]
    ]


def _groups(pairs: Sequence[Pair]) -> list[int]:
    """The number of the group of each pair; pairs that have a text in common are of one group."""
    parent = list(range(len(pairs)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    first: dict[tuple[int, str], int] = {}
    for i, pair in enumerate(pairs):
        for key in enumerate(pair):
            a, b = root(i), root(first.setdefault(key, i))
            parent[max(a, b)] = min(a, b)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(i), len(numbers)) for i in range(len(pairs))]


def load(settings: Settings, facts: dict[str, Any] | None, make: Any) -> Parts:
    """Training, validation (unless it is a file of its own) and test; `make(texts)` gives the two `Side`s.

    Facts: both sides, how many pairs were left out, and the longest source and target of training.
    """
    parts = _parts(settings)
    if facts is None:
        sides: tuple[Side, Side] = make(settings, parts)
        facts = {"source": sides[0].table.to_dict()}
        facts["target"] = None if sides[1] is sides[0] else sides[1].table.to_dict()
    source, target = both(facts)
    found, left_out = {}, 0
    for name, pairs in parts.items():
        ids = [
            (
                source.encode(a, f"{settings.data}, {a[:40]!r}"),
                [START, *target.encode(b, f"{settings.data}, {b[:40]!r}")],
            )
            for a, b in pairs
        ]
        kept = [
            pair for pair in ids if len(pair[0]) <= settings.longest and len(pair[1]) <= settings.longest + 1
        ]
        left_out += len(ids) - len(kept)
        kept = kept[: settings.limit]
        if not kept:
            raise DataError(f"{settings.data}: no pair is left for the {name} part; {len(ids)} were too long")
        found[name] = Sequences(Ragged([a for a, _ in kept]), Ragged([b for _, b in kept]), padding=PAD)
    facts.setdefault("left out", left_out)
    return Parts(found["train"], found.get("validation"), found["test"], facts)


def both(facts: dict[str, Any]) -> tuple[Side, Side]:
    """The sides of sources and targets; one for both where they share it."""
    source = Side.from_dict(facts["source"])
    return source, source if facts["target"] is None else Side.from_dict(facts["target"])


def _parts(settings: Settings) -> dict[str, list[Pair]]:
    def turned(pairs: list[Pair]) -> list[Pair]:
        return [(b, a) for a, b in pairs] if settings.reverse else pairs

    pairs = turned(read_pairs(settings.data, settings.errors))
    train, test = split(pairs, TEST, settings.seed)
    parts = {"train": train, "test": test}
    if isinstance(settings.validation, str):
        parts["validation"] = turned(read_pairs(settings.validation, settings.errors))
    elif settings.validation:
        parts["train"], parts["validation"] = split(train, settings.validation, settings.seed + 1)
    empty = [name for name, part in parts.items() if not part]
    if empty:
        raise DataError(
            f"{settings.data}: no pair is left for the {empty[0]} part, whose texts may stand in no other; "
            f"{len(pairs)} pairs are too few, or their texts repeat"
        )
    return parts


def characters(settings: Settings, parts: dict[str, list[Pair]]) -> tuple[Side, Side]:
    """The characters of all sources, and of all targets. Raises DataError where the targets have one only."""
    sides = []
    for side in (0, 1):
        letters = (c for pairs in parts.values() for pair in pairs for c in pair[side])
        sides.append(Side(Vocabulary.build(letters, specials=SPECIALS)))
    _check_choice(settings, sides[1])
    return sides[0], sides[1]


def byte_pairs(settings: Any, parts: dict[str, list[Pair]]) -> tuple[Side, Side]:
    """One table for both languages, from the training part."""
    texts = (text for pair in parts["train"] for text in pair)
    side = Side(BytePairs.train(texts, settings.tokens, specials=SPECIALS))
    return side, side


def _check_choice(settings: Settings, target: Side) -> None:
    if len(target) - len(SPECIALS) < 2:
        raise DataError(
            f"{settings.data}: all targets are made of {target.table.tokens[-1]!r}: there is nothing to learn"
        )
