"""Tokenizers of byte pairs: text ↔ ids. How pairs are learned and joined is in merges.py."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..dataset import DataError
from . import merges
from .merges import Starts
from .pieces import PIECES
from .symbols import BYTES, CHARACTERS, END, check_tokens, check_unicode, smallest_symbols

UNKNOWN = "<unk>"
KNOWN_WORDS, LONGEST = 1 << 16, 64  # how many words' ids are kept, and of up to how many characters
GPT2, VERSION = ("vocab.json", "merges.txt"), "#version: 0.2"


class BytePairs:
    """encode(text) → ids, decode(ids) → text, by merges that `train` learns from a corpus.

    kind "bytes": of GPT-2's pieces, split into bytes. Any text comes back from its ids as it was.
    kind "words": of what stands between spaces, split into characters with an end-of-word sign. Spaces come
    back as single ones; a character that the corpus has not has the id of <unk>.

    `tokens` are the symbols by id: the special ones first, then the smallest, then one for each pair of
    `merges`, in the order of their ranks. Bytes are written as GPT-2 writes them (a space is Ġ). In a text
    special tokens stand for themselves; they are never split, and nothing is joined with them.
    """

    def __init__(
        self, kind: str, tokens: Sequence[str], merges: Sequence[tuple[str, str]],
        specials: Sequence[str] = (),
    ) -> None:  # fmt: skip
        if kind not in PIECES:
            raise ValueError(f"BytePairs: kind must be one of {[*PIECES]}, got {kind!r}")
        self.kind, self.tokens, self.merges = kind, list(tokens), [tuple(pair) for pair in merges]
        self.specials = list(specials)
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        check_tokens(kind, self.tokens, self.merges, self.specials)
        self._ranks = {
            (self.ids[a], self.ids[b]): (rank, self.ids[a + b])
            for rank, (a, b) in reversed([*enumerate(self.merges)])
        }
        self._starts = Starts(self._smallest, self._ranks)
        longest_first = sorted(self.specials, key=len, reverse=True)
        self._special = re.compile(f"({'|'.join(map(re.escape, longest_first))})") if specials else None
        self._known: dict[str, list[int]] = {}

    def __len__(self) -> int:
        return len(self.tokens)

    # ---- training ------------------------------------------------------------------------------

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        size: int,
        kind: str = "bytes",
        specials: Sequence[str] = (),
        least: int = 2,
    ) -> BytePairs:
        """At most `size` tokens from `texts` (pieces of a corpus; no word reaches from one into the next).

        A pair is joined if it stands at least `least` times. Of pairs that stand equally often the one with
        the smallest ids comes first, so that the same corpus gives the same tokens.
        """
        words: Counter[str] = Counter()
        for text in [texts] if isinstance(texts, str) else texts:
            check_unicode(text)
            words.update(PIECES[kind](text))
        if kind == "words" and (like := next((word for word in words if END in word), None)):
            raise ValueError(f"BytePairs.train: {like!r} has {END} in it, the sign of a word's end")
        specials = [*specials, *([UNKNOWN] if kind == "words" and UNKNOWN not in specials else [])]
        if kind == "bytes":
            alphabet = sorted(CHARACTERS)
        else:
            alphabet = sorted({c for word in words for c in word[:-1]} | {word[-1] + END for word in words})
        tokens = [*specials, *alphabet]
        if size < len(tokens):
            raise ValueError(
                f"BytePairs.train: {len(tokens)} special tokens and smallest symbols do not fit a size of "
                f"{size}"
            )
        if not words:
            raise ValueError("BytePairs.train: the corpus has no word")
        check_tokens(kind, tokens, [], specials)
        ids = {token: i for i, token in enumerate(tokens)}

        def join(a: int, b: int) -> int:
            token = tokens[a] + tokens[b]
            if token not in ids:
                ids[token] = len(tokens)
                tokens.append(token)
            return ids[token]

        found = []
        symbols = {tuple(ids[s] for s in smallest_symbols(word, kind)): n for word, n in words.items()}
        learned = merges.learn(symbols, join, least)
        while len(tokens) < size and (pair := next(learned, None)):
            found.append((tokens[pair[0]], tokens[pair[1]]))
        return cls(kind, tokens, found, specials)

    # ---- text and ids --------------------------------------------------------------------------

    def encode(self, text: str, specials: bool = True) -> list[int]:
        """The ids of `text`; `specials=False` reads special tokens as ordinary text.

        Raises ValueError for half of a surrogate pair, which is no character, naming its place.
        """
        check_unicode(text)
        parts = self._special.split(text) if self._special and specials else [text]
        ids: list[int] = []
        for place, part in enumerate(parts):
            if place % 2:
                ids.append(self.ids[part])
                continue
            for word in PIECES[self.kind](part):
                known = self._known.get(word)
                ids += self._learned(word) if known is None else known
        return ids

    def decode(self, ids: Iterable[int], specials: bool = True) -> str:
        """The text of `ids`; bytes that are no UTF-8 become U+FFFD. `specials=False` leaves them out."""
        tokens = [self.tokens[self._checked(i)] for i in ids]
        if self.kind == "words":
            kept = [token for token in tokens if specials or token not in self.specials]
            ends = [f"{t} " if t in self.specials else t.replace(END, " ") for t in kept]
            return "".join(ends).removesuffix(" ")
        text, run = [], bytearray()
        for token in tokens:
            if token in self.specials:
                text += [run.decode("utf-8", "replace"), token if specials else ""]
                run.clear()
            else:
                run += bytes(BYTES[character] for character in token)
        return "".join([*text, run.decode("utf-8", "replace")])

    def pieces(self, text: str) -> list[str]:
        """The words of `text` that no token reaches across."""
        return PIECES[self.kind](text)

    def steps(self, word: str) -> list[list[str]]:
        """The symbols of one word, then after each merge: how it comes to its tokens."""
        check_unicode(word)
        return [
            [self.tokens[i] for i in symbols] for symbols in merges.steps(self._smallest(word), self._ranks)
        ]

    def _learned(self, word: str) -> list[int]:
        starts = self._starts
        begun = [i for c in word for i in starts[c]] if self.kind == "bytes" else self._smallest(word)
        ids = merges.split(begun, self._ranks)
        if len(self._known) >= KNOWN_WORDS:
            self._known.clear()
        if len(word) <= LONGEST:
            self._known[word] = ids
        return ids

    def _smallest(self, word: str) -> list[int]:
        symbols = smallest_symbols(word, self.kind)
        unknown = self.ids.get(UNKNOWN)
        if unknown is None and (new := next((s for s in symbols if s not in self.ids), None)):
            raise ValueError(
                f"BytePairs: {new!r} (in {word!r}) is no token, and there is no {UNKNOWN} to stand for it"
            )
        return [self.ids.get(symbol, unknown) for symbol in symbols]

    def _checked(self, i: int) -> int:
        if not 0 <= i < len(self.tokens):
            raise ValueError(f"BytePairs.decode: there is no id {i}; the ids are 0 to {len(self.tokens) - 1}")
        return i

    # ---- files ---------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        pairs = [" ".join(pair) for pair in self.merges]
        return {
            "kind": self.kind, "special tokens": self.specials, "tokens": self.tokens, "merges": pairs
        }  # fmt: skip

    @classmethod
    def from_dict(cls, content: Any, name: Any = "byte pairs") -> BytePairs:
        """What `to_dict` gave. Raises DataError, naming `name`, for what is something else."""
        keys = {"kind", "special tokens", "tokens", "merges"}
        if not isinstance(content, dict) or set(content) != keys:
            raise DataError(f"{name}: no byte pairs; they have the keys {', '.join(sorted(keys))}")
        try:
            pairs = [_pair(line) for line in content["merges"]]
            return cls(content["kind"], content["tokens"], pairs, content["special tokens"])
        except (ValueError, TypeError, AttributeError) as error:
            raise DataError(f"{name}: {error}") from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """One JSON file, a token and a merge to a line."""
        text = json.dumps(self.to_dict(), ensure_ascii=False, indent=0)
        Path(path).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> BytePairs:
        """What `save` wrote, or a folder with GPT-2's vocab.json and merges.txt.

        Raises DataError for a file that is something else.
        """
        path = Path(path)
        if not path.is_dir():
            return cls.from_dict(_json(path), path)
        ids, lines = _json(path / GPT2[0]), _read(path / GPT2[1]).splitlines()
        if not isinstance(ids, dict) or sorted(ids.values(), key=str) != sorted(range(len(ids)), key=str):
            raise DataError(f"{path / GPT2[0]}: must map each token to its id, 0 to their number less 1")
        tokens = sorted(ids, key=ids.__getitem__)
        headed = bool(lines) and lines[0].startswith(VERSION[:9])  # some add who wrote it
        made = [line for line in lines[headed:] if line]
        plain = {*CHARACTERS, *(line.replace(" ", "", 1) for line in made)}
        specials = [token for token in tokens if token not in plain]  # such as <|endoftext|>
        return cls.from_dict(
            {"kind": "bytes", "special tokens": specials, "tokens": tokens, "merges": made}, path
        )

    def save_gpt2(self, folder: str | os.PathLike[str]) -> None:
        """vocab.json and merges.txt, as GPT-2's tokenizers read them. Raises ValueError for kind "words"."""
        if self.kind != "bytes":
            raise ValueError("BytePairs.save_gpt2: GPT-2's files hold pairs of bytes, not of words")
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / GPT2[0]).write_text(json.dumps(self.ids, ensure_ascii=False), encoding="utf-8")
        lines = [VERSION, *(" ".join(pair) for pair in self.merges)]
        (folder / GPT2[1]).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _pair(line: str) -> tuple[str, str]:
    a, space, b = line.partition(" ")
    if not (a and space and b) or " " in b:
        raise ValueError(f"the merge {line!r} must be two tokens with a space between them")
    return a, b


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is no UTF-8") from error


def _json(path: Path) -> Any:
    try:
        return json.loads(_read(path))
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error})") from error
