"""The options of a classifier of sequences."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ...models.language import CELLS
from ...train import settings
from ...train.options import RunError, option

SURNAMES = "surnames"
TRANSFORMER = "transformer"
DEFAULTS = {"epochs": 15, "batch_size": 64, "lr": 3e-3, "clip_norm": 1.0}


@dataclass(frozen=True)
class Settings(settings.Settings):
    """See `models.SequenceClassifier`."""

    also = "labels", "file"
    data: str = option(SURNAMES, metavar="D", help="surnames (and their languages), or a file: rows of text "
                       "and label with a tab between them (.tsv), or series of numbers (.csv, .npz); a fifth "
                       "is the test part")  # fmt: skip
    labels: str | None = option(None, metavar="FILE", help="a file of your own, the same as --data FILE")
    errors: str = option("raise", choices=("raise", "replace"), metavar="WHAT",
                         help="of bytes that are no UTF-8: end, or read them as U+FFFD")  # fmt: skip
    cell: str = option("lstm", choices=(*CELLS, TRANSFORMER), metavar="C", help="what reads the sequence")
    bidirectional: bool = option(False, help="read it backwards as well")
    width: int = option(128, least=1, help="numbers of each layer's state, and of an embedding")
    layers: int = option(1, least=1, help="on top of each other")
    heads: int = option(4, least=1, help="of a transformer's attention")
    dropout: float = option(0.2, least=0, below=1, metavar="P", help="chance of a number to be dropped")
    places: int = option(512, least=1, help="steps at most, of a transformer")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cell == TRANSFORMER and self.width % self.heads:
            raise RunError(f"heads = {self.heads} must divide width = {self.width}")
        if self.cell == TRANSFORMER and self.bidirectional:
            raise RunError("bidirectional: a transformer looks both ways anyway; leave it out")

    def check_given(self, given: Collection[str]) -> None:
        super().check_given(given)
        for name in ("heads", "places"):
            if name in given and self.cell != TRANSFORMER:
                raise RunError(f"--{name} is of a transformer, not of {self.cell}: add --cell transformer")
