"""``bpe``: byte pairs are learned from files, and split words, merge by merge."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from ..data.text import BytePairs, python_topics, read_stream, read_text
from . import DONE
from .output import print_json, print_table


def bpe_command(arguments: argparse.Namespace) -> int:
    """One of train, encode, decode and show."""
    ACTIONS[arguments.action](arguments)
    return DONE


def _train(arguments: argparse.Namespace) -> None:
    pairs = BytePairs.train(
        _corpus(arguments.files, arguments.errors), arguments.size, arguments.kind, arguments.special or ()
    )
    pairs.save(arguments.out)
    found: dict[str, Any] = {"tokens": len(pairs), "merges": len(pairs.merges), "file": arguments.out}
    if arguments.json:
        print_json(found)
    else:
        print(f"{len(pairs):,} tokens by {len(pairs.merges):,} merges, written to {arguments.out}")


def _encode(arguments: argparse.Namespace) -> None:
    pairs = BytePairs.load(arguments.tokenizer)
    text = arguments.text
    if text is None:
        text = "".join(read_stream(_stdin("TEXT").buffer, "standard input", arguments.errors))
    ids = pairs.encode(text)
    if arguments.json:
        print_json({"ids": ids, "tokens": [pairs.tokens[i] for i in ids]})
    else:
        print(*ids)


def _decode(arguments: argparse.Namespace) -> None:
    words = arguments.ids or _stdin("ID").read().split()
    wrong = next((word for word in words if not word.isdecimal()), None)
    if wrong is not None:
        raise ValueError(f"bpe decode: ids are whole numbers of at least 0, got {wrong!r}")
    text = BytePairs.load(arguments.tokenizer).decode(map(int, words))
    if arguments.json:
        print_json({"text": text})
    else:
        print(text)


def _stdin(left_out: str) -> Any:
    """Where the words stand that were left out. The shell may have closed it."""
    if sys.stdin is None:
        raise ValueError(f"bpe: standard input is closed; pass {left_out}")
    return sys.stdin


def _show(arguments: argparse.Namespace) -> None:
    """Each word of the text, from its smallest symbols to its tokens."""
    pairs = BytePairs.load(arguments.tokenizer)
    shown = {word: pairs.steps(word) for word in pairs.pieces(arguments.text)}
    if arguments.json:
        print_json({"words": [{"word": word, "steps": steps} for word, steps in shown.items()]})
        return
    for steps in shown.values():
        rows = [(str(i), " ".join(symbols)) for i, symbols in enumerate(steps)]
        ids = [str(pairs.ids.get(token, "?")) for token in steps[-1]]
        print_table(("merges", "symbols"), [*rows, ("ids", " ".join(ids))], left=2)


ACTIONS = {"train": _train, "encode": _encode, "decode": _decode, "show": _show}


def _corpus(files: list[str], errors: str) -> Iterator[str]:
    if not files:
        yield python_topics()
    for file in files:
        yield from read_text(file, errors)
