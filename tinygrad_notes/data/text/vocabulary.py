"""Vocabularies: words or characters ↔ ids."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from ..dataset import DataError

UNKNOWN = "<unk>"


class Vocabulary:
    """encode(tokens) → ids, decode(ids) → tokens. The special tokens come first.

    `counts` say how often each token stands in what it was built from, 0 for special ones. With "<unk>" among
    the special tokens, unknown tokens have its id; without it they raise ValueError.
    """

    def __init__(
        self, tokens: Sequence[str], counts: Sequence[int] | None = None, specials: Sequence[str] = ()
    ) -> None:
        self.tokens, self.specials = [*specials, *tokens], list(specials)
        self.counts = [0] * len(specials) + list(counts if counts is not None else [0] * len(tokens))
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        if not len(self.ids) == len(self.tokens) == len(self.counts):
            raise ValueError("Vocabulary: each token needs one id and one count; some token stands twice")

    @classmethod
    def build(
        cls, tokens: Iterable[str], least: int = 1, most: int | None = None, specials: Sequence[str] = ()
    ) -> Vocabulary:
        """The tokens that stand at least `least` times, the `most` frequent ones of them.

        Frequent ones first, and equals in the order of their characters. Raises ValueError for most < 0.
        """
        if most is not None and most < 0:
            raise ValueError(f"Vocabulary.build: most must be 0 or more, got {most}")
        counts = Counter(tokens)
        for special in specials:
            counts.pop(special, None)
        chosen = sorted((item for item in counts.items() if item[1] >= least), key=lambda i: (-i[1], i[0]))
        chosen = chosen[:most]
        return cls([token for token, _ in chosen], [count for _, count in chosen], specials)

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self.ids

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """The ids of `tokens`: a list of words, or a string, whose characters they are."""
        unknown = self.ids.get(UNKNOWN)
        found = []
        for place, token in enumerate(tokens):
            i = self.ids.get(token, unknown)
            if i is None:
                raise ValueError(
                    f"Vocabulary: {token!r} (number {place}) is not among the {len(self)} known tokens"
                )
            found.append(i)
        return found

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The tokens of `ids`. Raises ValueError for an id that there is not."""
        ids = [operator.index(i) for i in ids]
        for i in ids:
            if not 0 <= i < len(self.tokens):
                raise ValueError(f"Vocabulary: there is no id {i}; the ids are 0 to {len(self.tokens) - 1}")
        return [self.tokens[i] for i in ids]

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        own = len(self.specials)
        return {"special tokens": self.specials, "tokens": self.tokens[own:], "counts": self.counts[own:]}

    @classmethod
    def from_dict(cls, content: Any, name: Any = "vocabulary") -> Vocabulary:
        """What `to_dict` gave. Raises DataError, naming `name`, for what is something else."""
        try:
            tokens, counts, specials = content["tokens"], content["counts"], content["special tokens"]
            if not all(isinstance(token, str) for token in [*tokens, *specials]):
                raise ValueError("tokens must be words in quotes")
            return cls(tokens, [int(count) for count in counts], specials)
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"{name}: not a vocabulary ({error})") from error
