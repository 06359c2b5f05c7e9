"""The options of a training on a table."""

from __future__ import annotations

from dataclasses import dataclass

from ...data.tables import PENGUINS, Cleaning
from ...data.tables.cleaning import MISSING, OUTLIERS, RULES
from ...data.tables.normalization import NORMALIZATIONS
from ...train import settings
from ...train.options import RunError, option

LOSSES = {"mse": "", "half-mse": "J = 1/(2n) Σ (y − ŷ)² of the notes", "l1": "", "huber": ""}
DEFAULTS = {"epochs": 40, "batch_size": 32, "lr": 5e-3}


@dataclass(frozen=True)
class Settings(settings.Settings):
    """Rows with a target are split; what cleaning and normalization need is of the training part."""

    data: str = option(PENGUINS, metavar="D", help=f"{PENGUINS}, or a file: .csv, .tsv or .parquet")
    target: str | None = option(None, metavar="COLUMN", help="what is to be predicted")
    goal: str | None = option(
        None, choices=("classes", "number"), metavar="WHAT",
        help="how the target is taken: classes (default for words), or a number")  # fmt: skip
    test: float | None = option(
        0.2, above=0, below=1, help="share of the rows that is the test part, or none"
    )
    hidden: str = option("64,64", metavar="N,N", help="units of the hidden layers; none: a linear model")
    loss: str | None = option(None, choices=LOSSES, metavar="L", help="of a number, default mse")
    leave_out: str | None = option(None, metavar="A,B", help="columns that are not to be learned from")
    missing: str = option("median", choices=MISSING, metavar="HOW", help="what a missing value becomes")
    was_missing: bool = option(
        False, help="a further input for each column that tells where a value was missing"
    )
    keep_duplicates: bool = option(False, help="keep rows that stand twice")
    keep_constant: bool = option(False, help="keep columns of one value only")
    outliers: str = option("report", choices=OUTLIERS, metavar="HOW", help="what is done with outliers")
    outlier_rule: str = option("iqr", choices=RULES, metavar="RULE", help="what an outlier is")
    normalization: str = option("standard", choices=NORMALIZATIONS, metavar="HOW", help="of numbers")
    decimal_comma: bool = option(False, help="in files of text 3,5 is a number")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(
            width.isdecimal() and int(width) > 0 for width in self.hidden.split(",") if self.hidden_layers
        ):
            raise RunError(f'hidden must be widths such as "64,64", or none, got {self.hidden!r}')

    @property
    def hidden_layers(self) -> list[str]:
        return [] if self.hidden == "none" else self.hidden.split(",")

    @property
    def widths(self) -> tuple[int, ...]:
        return tuple(map(int, self.hidden_layers))

    @property
    def left_out(self) -> list[str]:
        return [] if self.leave_out is None else [name.strip() for name in self.leave_out.split(",")]

    @property
    def cleaning(self) -> Cleaning:
        return Cleaning(self.missing, self.was_missing, self.keep_constant, self.outliers, self.outlier_rule,
                        self.normalization)  # fmt: skip
