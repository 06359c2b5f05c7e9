"""Texts and their ids: characters, or byte pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...data import DataError
from ...data.text import BytePairs, Stream, Vocabulary, python_topics, read_text
from ...train.options import RunError
from ...train.task import Parts
from .settings import TOPICS, Settings

TEST = 0.1  # share of a text, at its end


class Units:
    """What a text is made of: `encode(text)` → ids, `decode(ids)` → text, and how many characters each has.

    Characters are a `Vocabulary`, tokens `BytePairs`; both go into JSON and come back.
    """

    def __init__(self, table: Vocabulary | BytePairs) -> None:
        self.table = table
        self.characters = np.array([_characters(table, token) for token in table.tokens], np.float32)

    @classmethod
    def learned(cls, settings: Settings, texts: dict[str, str]) -> Units:
        """Of charlm the characters of all `texts`, of tokenlm the byte pairs of the training part."""
        if settings.model == "tokenlm":
            return cls(BytePairs.train([texts["train"]], settings.tokens))
        found = cls(Vocabulary.build("".join(texts.values())))
        if len(found) == 1:
            raise DataError(
                f"{settings.data}: its only character is {found.table.tokens[0]!r}, so there is nothing to "
                "predict"
            )
        return found

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Units:
        if "byte pairs" in facts:
            return cls(BytePairs.from_dict(facts["byte pairs"]))
        return cls(Vocabulary.from_dict(facts["characters"]))

    def facts(self) -> dict[str, Any]:
        name = "byte pairs" if isinstance(self.table, BytePairs) else "characters"
        return {name: self.table.to_dict()}

    def __len__(self) -> int:
        return len(self.table)

    def encode(self, text: str, what: str) -> np.ndarray:
        """Raises RunError, naming the place in `what`, for a character that the model does not know."""
        if isinstance(self.table, BytePairs):
            return np.array(self.table.encode(text), np.int64)
        ids = self.table.ids
        try:
            return np.array([ids[character] for character in text], np.int64)
        except KeyError:
            place, unknown = next((i, c) for i, c in enumerate(text) if c not in ids)
        known = "".join(sorted(c for c in ids if c.isprintable() and c != " "))
        raise RunError(
            f"{what}: character {place + 1} is {unknown!r} (U+{ord(unknown):04X}), which is not among the "
            f"{len(ids)} that the model was trained on ({known[:60]}{'...' * (len(known) > 60)}); leave it "
            "out, or train a tokenlm, which reads any text"
        )

    def decode(self, ids: Any) -> str:
        found = self.table.decode(ids)
        return found if isinstance(found, str) else "".join(found)


def _characters(table: Vocabulary | BytePairs, token: str) -> int:
    """How many characters begin in a token: bytes 10xxxxxx of UTF-8 go on with the one before."""
    if isinstance(table, Vocabulary):
        return 1
    from ...data.text.bpe import BYTES

    return sum(BYTES[c] & 0xC0 != 0x80 for c in token if c in BYTES)


def load(settings: Settings, facts: dict[str, Any] | None) -> Parts:
    """The text cut into training, validation (unless it is a file of its own) and test, in this order."""
    texts = _texts(settings)
    units = Units.learned(settings, texts) if facts is None else Units.from_facts(facts)
    ids = {name: units.encode(text, f"{settings.data} ({name} part)") for name, text in texts.items()}
    parts = {name: Stream(values[: settings.limit]) for name, values in ids.items()}
    for name, part in parts.items():
        if len(part) < 2:
            raise DataError(f"{settings.data}: the {name} part has {len(part)} ids, and needs at least 2")
    return Parts(
        parts["train"], parts.get("validation"), parts["test"], units.facts() if facts is None else facts
    )


def _texts(settings: Settings) -> dict[str, str]:
    """{part: text}."""
    whole = read(settings.data, settings.errors)
    end = len(whole) - max(1, round(TEST * len(whole)))
    train, found = whole[:end], {"test": whole[end:]}
    if isinstance(settings.validation, str):
        found["validation"] = read(settings.validation, settings.errors)
    elif settings.validation:
        cut = len(train) - max(1, round(settings.validation * len(train)))
        train, found["validation"] = train[:cut], train[cut:]
    return {"train": train, **found}


def read(data: str, errors: str = "raise") -> str:
    """The text called `data`. Raises DataError for an empty one, or one that is no text."""
    if data == TOPICS:
        return python_topics()
    if not Path(data).is_file():
        raise DataError(f"{data}: no such text file; --data takes {TOPICS} or a text file")
    text = "".join(read_text(data, errors)).replace("\r\n", "\n")
    if not text.strip():
        raise DataError(f"{data}: the text is empty")
    return text
