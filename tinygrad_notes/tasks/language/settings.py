"""The options of a training on a text."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ...models.language import CELLS
from ...train import settings
from ...train.options import RunError, option

TOPICS = "topics"
TRANSFORMER = "transformer"
DEFAULTS = {"epochs": 8, "batch_size": 32, "lr": 2e-3, "clip_norm": 1.0, "validation": 0.05}


@dataclass(frozen=True)
class Settings(settings.Settings):
    """A batch has `batch_size` rows of `places` ids, each row from a place of its own in the text."""

    also = "text", "text"
    data: str = option(TOPICS, metavar="D", help="topics (what Python's help() knows of the language), or a "
                       "text file in UTF-8; its last tenth is the test part")  # fmt: skip
    text: str | None = option(None, metavar="FILE", help="a text of your own, the same as --data FILE")
    errors: str = option("raise", choices=("raise", "replace"), metavar="WHAT",
                         help="of bytes that are no UTF-8: end, or read them as U+FFFD")  # fmt: skip
    cell: str = option("lstm", choices=(*CELLS, TRANSFORMER), metavar="C", help="what reads the text")
    width: int = option(256, least=1, help="numbers of each layer's state, and of an embedding")
    layers: int | None = option(None, least=1, help="default: 2, of a transformer 4")
    heads: int = option(4, least=1, help="of a transformer's attention")
    dropout: float = option(0.1, least=0, below=1, metavar="P", help="chance of a number to be dropped")
    tied: bool | None = option(None, help="one table for input and output; default: of a transformer")
    places: int = option(64, least=1, help="ids of a row in one step, through which the gradient flows; "
                         "of a transformer all that it sees")  # fmt: skip
    tokens: int = option(2000, least=257, help="byte pairs that tokenlm learns from the training part")
    sample: int = option(120, least=0, help="ids to write after each epoch, as a look at what was learned")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cell == TRANSFORMER and self.width % self.heads:
            raise RunError(f"heads = {self.heads} must divide width = {self.width}")

    def check_given(self, given: Collection[str]) -> None:
        super().check_given(given)
        if "heads" in given and self.cell != TRANSFORMER:
            raise RunError(f"--heads is of a transformer, not of {self.cell}: add --cell transformer")
        if "tokens" in given and self.model != "tokenlm":
            raise RunError(f"--tokens is of tokenlm; {self.model} reads characters")
