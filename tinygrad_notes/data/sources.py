"""A data set by its name or its folder."""

from __future__ import annotations

import os
from pathlib import Path

from .cifar import load_cifar10
from .dataset import ArrayDataset, DataError
from .digits import load_digits
from .download import SOURCES, Progress, by_hand, cache_folder, fetch
from .idx import load_idx

NAMES = ("digits", *SOURCES)
CLASSES = {
    "fashion-mnist": (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )
}


def load(
    name_or_path: str | os.PathLike[str],
    download: bool = False,
    progress: Progress | None = None,
) -> tuple[ArrayDataset, ArrayDataset]:
    """(train, test) of "digits" (embedded), "mnist", "fashion-mnist", or of a folder.

    The two others are read from `cache_folder()`, and downloaded into it only with `download`.
    A folder holds MNIST's four IDX files or CIFAR-10's binary files. A folder named like a data
    set is written ./name.

    Raises ValueError for an unknown name, DataError when the data is missing or damaged.
    """
    name = os.fspath(name_or_path)
    if name == "digits":
        return load_digits()
    if name in SOURCES:
        folder = cache_folder() / name
        try:
            return _load_folder(folder, CLASSES.get(name))
        except (FileNotFoundError, DataError) as error:
            if download:
                return _load_folder(fetch(name, progress=progress), CLASSES.get(name))
            if isinstance(error, DataError):
                raise  # there, but damaged: the message says which file
            raise DataError(f"{name} is not in {folder}: allow the download, or {by_hand(name)}") from None
    if Path(name).is_dir():
        return _load_folder(Path(name))
    raise ValueError(f"load: {name!r} is neither a folder nor one of {', '.join(NAMES)}")


def _load_folder(folder: Path, classes: tuple[str, ...] | None = None) -> tuple[ArrayDataset, ArrayDataset]:
    if (folder / "batches.meta.txt").is_file():
        return load_cifar10(folder)
    parts = load_idx(folder, "train"), load_idx(folder, "test")
    classes = classes or max((part.classes for part in parts), key=len)
    train, test = (ArrayDataset(part.images, part.labels, classes) for part in parts)
    return train, test
