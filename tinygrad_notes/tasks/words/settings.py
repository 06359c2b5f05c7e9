"""The options of a training of word vectors."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ...models import Word2Vec
from ...optim import RowSGD
from ...train import settings
from ...train.options import RunError, option

TOPICS = "topics"
NO_EFFECT = "momentum", "weight_decay"  # they would move every row in every step


@dataclass(frozen=True)
class Settings(settings.Settings):
    """`text` is another name for `data`: where it is given it takes its place."""

    data: str = option(TOPICS, metavar="D", help="topics (what Python's help() knows of the language), or a "
                       "text file in UTF-8, of any size; its last tenth is the test part")  # fmt: skip
    text: str | None = option(None, metavar="FILE", help="a text of your own, the same as --data FILE")
    errors: str = option("raise", choices=("raise", "replace"), metavar="WHAT",
                         help="of bytes that are no UTF-8: end, or read them as U+FFFD")  # fmt: skip
    sentences: str = option("marks", choices={"marks": "up to . ! ? or an empty line", "lines": "each line"},
                            metavar="WHAT", help="what no window looks beyond")  # fmt: skip
    min_count: int = option(5, least=1, help="words that stand fewer times in the training part are left out")
    architecture: str = option("skip-gram", choices={"skip-gram": "each word of a window foresees the middle",
                               "cbow": "their mean does"}, metavar="A", help="who foresees whom")  # fmt: skip
    dim: int = option(100, least=1, help="numbers of a vector")
    window: int = option(5, least=1, help="words to each side at most; each place draws 1 to this")
    negative: int = option(5, least=0, help="words of noise for each; 0: hierarchical softmax instead")
    power: float = option(0.75, least=0, help="of the counts, by which noise is drawn")
    sample: float = option(1e-3, least=0, help="frequency from which words are left out at random; 0: none")
    formula: str = option("code", choices={"code": "word2vec.c", "paper": "Mikolov et al. 2013"}, metavar="F",
                          help="how many of them are left out")  # fmt: skip
    context_gradient: str = option("code", choices={"code": "the mean's", "exact": "1/n of it"}, metavar="G",
                                   help="what cbow gives to each of the n words of a window")  # fmt: skip
    batch_size: int | None = option(  # type: ignore[assignment]
        None, least=1, metavar="B", help="words of the text a step; none: what steps of the rate allow"
    )
    optimizer: str = option("sgd", choices=("sgd",), help="on the rows that a batch has read")
    clip_norm: float | None = option(40.0, above=0, help="limit of the norm of each row's gradient, or none")

    def __post_init__(self) -> None:
        if self.text is not None:
            object.__setattr__(self, "data", self.text)
            object.__setattr__(self, "text", None)
        super().__post_init__()

    def check_given(self, given: Collection[str]) -> None:
        super().check_given(given)
        if "text" in given and "data" in given:
            raise RunError("--text and --data both name the text: leave one out")
        for name in NO_EFFECT:
            if name in given:
                flag = name.replace("_", "-")
                raise RunError(f"--{flag} moves all weights; word2vec moves the rows that a batch has read")
        if "context_gradient" in given and self.architecture != "cbow":
            raise RunError("--context-gradient is of cbow: add --architecture cbow")
        if "power" in given and not self.negative:
            raise RunError("--power is of noise, and --negative 0 draws none")

    def make_optimizer(self, model: Word2Vec) -> RowSGD:  # type: ignore[override]
        """With it the model reads rows, not tables."""
        optimizer = RowSGD(model.parameters(), self.lr, self.clip_norm)
        model.pick = optimizer.pick
        return optimizer
