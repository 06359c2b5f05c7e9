"""A data set by its name or its folder."""

from __future__ import annotations

import os
from pathlib import Path

from .cifar import RECORDS, holds_cifar10, load_cifar10
from .dataset import ArrayDataset, DataError, Progress
from .digits import load_digits
from .download import SOURCES, by_hand, cache_folder, fetch, verify
from .folder import load_image_folder
from .idx import holds_idx, load_idx

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
    progress: Progress = lambda *call: None,
    *,
    size: int | tuple[int, int] | None = None,
    on_error: str = "raise",
    limit: int | None = None,
) -> tuple[ArrayDataset, ArrayDataset]:
    """(train, test) of "digits" (embedded), "mnist", "fashion-mnist", "cifar10", or of a folder.

    The named ones are read from `cache_folder()`, and downloaded into it only with `download`. Only
    the published files count there: by their digests, those of CIFAR-10 by their number of images.
    A folder holds MNIST's four IDX files, CIFAR-10's binary files or archive, or a folder of
    images for each class, decoded at `size`; for these see `load_image_folder`, which also tells
    what `on_error` does. `limit` keeps the first images of each part. `progress` hears of downloads
    and of decoding. A folder named like a data set is written ./name.

    Raises ValueError for an unknown name, DataError when the data is missing or damaged.
    """
    name = os.fspath(name_or_path)
    if holds_images(name):
        if size is None:
            raise ValueError(f"load: {name} holds images to decode; say at which size, e.g. size=32")
        return load_image_folder(name, size, on_error, limit, progress=progress)
    train, test = _load_arrays(name, download, progress)
    if limit is None:
        return train, test
    return train.subset(slice(limit)), test.subset(slice(limit))


def holds_images(name: str) -> bool:
    """Whether `load` would decode the images in the folder `name`."""
    folder = Path(name)
    return name not in NAMES and folder.is_dir() and not (holds_cifar10(folder) or holds_idx(folder))


def _load_arrays(name: str, download: bool, progress: Progress) -> tuple[ArrayDataset, ArrayDataset]:
    if name == "digits":
        return load_digits()
    if name in SOURCES:
        folder = cache_folder() / name
        try:
            return _load_named(name)
        except (FileNotFoundError, DataError) as error:
            if download:
                fetch(name, progress=progress)
                return _load_named(name)
            if isinstance(error, DataError):
                raise  # there, but another: the message says which file
            raise DataError(
                f"{name} is not in {folder}: add --download (from Python: download=True), or {by_hand(name)}"
            ) from None
    if Path(name).is_dir():
        return _load_folder(Path(name))
    raise ValueError(f"load: {name!r} is neither a folder nor one of {', '.join(NAMES)}")


def _load_named(name: str) -> tuple[ArrayDataset, ArrayDataset]:
    if name == "cifar10":
        return load_cifar10(cache_folder() / name, records=RECORDS)
    verify(name)  # these are packed: load_idx prefers them to others beside them
    return _load_idx(cache_folder() / name, CLASSES.get(name))


def _load_folder(folder: Path) -> tuple[ArrayDataset, ArrayDataset]:
    return load_cifar10(folder) if holds_cifar10(folder) else _load_idx(folder)


def _load_idx(folder: Path, classes: tuple[str, ...] | None = None) -> tuple[ArrayDataset, ArrayDataset]:
    parts = load_idx(folder, "train"), load_idx(folder, "test")
    classes = classes or max((part.classes for part in parts), key=len)
    train, test = (ArrayDataset(part.images, part.labels, classes) for part in parts)
    return train, test
