"""The options of a training on images."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ...data.sources import NAMES
from ...train.options import RunError, option
from ...train.settings import Settings
from .recipes import RECIPES

ON_ERROR = ("raise", "skip")


@dataclass(frozen=True)
class ImageSettings(Settings):
    """Images are scaled to the side `resize` and cropped at random to `size`, the network's input (None: as
    the recipe says)."""

    data: str = option("digits", metavar="D", help=f"{', '.join(NAMES)}, or a folder: CLASS/*, or "
                       "train/CLASS/* and test/CLASS/*")  # fmt: skip
    variant: str | None = option(None, metavar="V", help="a published form of the network; diff lists them")
    shift: int = option(0, least=0, metavar="P", help="move training images by up to P pixels")
    flip: bool = option(False, help="mirror training images at random")
    lighting: float = option(0.0, least=0, help="shift colors along their principal components by so much")
    resize: int | None = option(None, least=1, metavar="R", help="scale images to this side before the crop")
    size: int | None = option(
        None, least=1, metavar="S", help="side of the network's input, where it is free"
    )
    on_error: str = option(
        "raise", choices=ON_ERROR, metavar="WHAT",
        help="of a damaged image: end, or leave it out and list it in files.csv")  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model not in RECIPES:
            raise RunError(f"unknown model {self.model!r}; choose from {', '.join(RECIPES)}")
        variants = RECIPES[self.model].variants
        if self.variant is not None and self.variant not in variants:
            raise RunError(
                f"unknown variant {self.variant!r} of {self.model}; choose from {', '.join(variants)}"
            )

    def check_given(self, given: Collection[str]) -> None:
        super().check_given(given)
        if "on_error" in given:
            refuse_without_files(self.data)


@dataclass(frozen=True)
class ImageTesting:
    """What `eval` can be asked besides."""

    ten_crop: bool = option(False, help="mean of the softmax of ten views: corners, middle, mirrored")
    on_error: str | None = option(
        None, choices=ON_ERROR, metavar="WHAT", help="of a damaged image: as in train"
    )


def refuse_without_files(data: str) -> None:
    if data in NAMES:
        raise RunError(f"--on-error is for images in files; {data} has none: leave it out")
