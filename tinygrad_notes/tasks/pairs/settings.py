"""The options of every training on pairs of texts."""

from __future__ import annotations

from dataclasses import dataclass

from ...train import settings
from ...train.options import option

DATES, TATOEBA = "dates", "tatoeba"


@dataclass(frozen=True)
class Settings(settings.Settings):
    """What both tasks on pairs of texts are told."""

    also = "pairs", "pairs"
    pairs: str | None = option(None, metavar="FILE", help="pairs of your own, the same as --data FILE")
    reverse: bool = option(False, help="from the second text of each pair to the first")
    errors: str = option("raise", choices=("raise", "replace"), metavar="WHAT",
                         help="of bytes that are no UTF-8: end, or read them as U+FFFD")  # fmt: skip
    longest: int = option(100, least=2, metavar="N", help="ids of a text, its end sign among them; pairs "
                          "with a longer one are left out, and counted")  # fmt: skip
    width: int = option(128, least=2, help="numbers of each layer's state")
    dropout: float = option(0.1, least=0, below=1, metavar="P", help="chance of a number to be dropped")
    label_smoothing: float = option(0.0, least=0, below=1, metavar="E",
                                    help="probability that training gives to all ids alike")  # fmt: skip


@dataclass(frozen=True)
class Decoding:
    """How `eval` and `predict` write."""

    beams: int = option(1, least=1, help="hypotheses kept at each step; 1: always the likeliest id")
    length_penalty: float = option(0.6, least=0, metavar="A", help="with beams: log p / ((5 + ids) / 6)^A")
