"""The options that every training has; a task adds its own (see `options`)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar

from .. import optim
from ..nn import Module
from ..optim import Optimizer
from .options import RunError, check_options, option
from .schedules import SCHEDULES, make_schedule

OPTIMIZERS = {"sgd": optim.SGD, "adam": optim.Adam, "adamw": optim.AdamW}


@dataclass(frozen=True)
class Settings:
    """All that decides the outcome of a training, besides the code and the data.

    A task's class derives from this one. `epochs` and `patience` may be changed when a run goes on.
    `also` is an option of the class that is another name for `data`, and what it names: where it is given it
    takes its place.
    """

    also: ClassVar[tuple[str, str] | None] = None

    model: str
    data: str = option("none", metavar="D", help="a data set by its name, or a path")
    validation: float | str | None = option(
        0.1, least=0, below=1, metavar="V",
        help="share of the training data that chooses the best epoch, a path to data for it, or none",
    )  # fmt: skip
    epochs: int = option(10, least=1, help="passes over the training data")
    patience: int | None = option(None, least=1, help="stop after N epochs without a better one")
    batch_size: int = option(128, least=1, metavar="B", help="samples per step")
    optimizer: str = option("adam", choices=tuple(OPTIMIZERS), help="how weights are moved")
    lr: float = option(1e-3, above=0, help="learning rate at the start")
    momentum: float = option(0.9, least=0, help="of sgd; adam and adamw have none")
    weight_decay: float = option(0.0, least=0, help="pull of the weights towards 0")
    schedule: str = option("cosine", choices=SCHEDULES, help="the learning rate over all epochs")
    clip_norm: float | None = option(None, above=0, help="limit of the gradient's norm")
    seed: int = option(0, least=0, metavar="S", help="of every random draw")
    limit: int | None = option(None, least=1, help="use at most N samples of each part")

    def __post_init__(self) -> None:
        if not isinstance(self.model, str):
            raise RunError(f"model must be a word, got {self.model!r}")
        if self.also is not None and getattr(self, self.also[0]) is not None:
            object.__setattr__(self, "data", getattr(self, self.also[0]))
            object.__setattr__(self, self.also[0], None)
        check_options(self)

    def check_given(self, given: Collection[str]) -> None:
        """Raises RunError where an option that a user gave, one of the names `given`, has no effect."""
        if self.also is not None and {self.also[0], "data"} <= set(given):
            raise RunError(f"--{self.also[0]} and --data both name the {self.also[1]}: leave one out")
        if "momentum" in given and self.optimizer != "sgd":
            raise RunError(
                f"--momentum is of sgd, and {self.model} is trained with {self.optimizer}: "
                "add --optimizer sgd, or leave out --momentum"
            )
        if "patience" in given and not self.validation:
            raise RunError(
                "--patience needs a validation part to judge by: leave it out, or add --validation 0.1"
            )

    def make_schedule(self, optimizer: Optimizer, batches: int) -> Any:
        """What steps after each batch, of which an epoch has `batches`; None: nothing."""
        return make_schedule(self.schedule, optimizer, self.epochs, batches)

    def make_optimizer(self, model: Module) -> Optimizer:
        options: dict[str, Any] = {"momentum": self.momentum} if self.optimizer == "sgd" else {}
        return OPTIMIZERS[self.optimizer](
            model.parameters(), lr=self.lr, weight_decay=self.weight_decay, **options
        )
