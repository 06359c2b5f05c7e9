"""Which files of a folder are images of which class, and for which part of the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from .dataset import DataError
from .loader import shuffled
from .split import in_turns

TEST_FOLDERS = ("test", "val", "valid", "validation")


def list_parts(
    root: Path, limit: int | None = None, share: float = 0.2, seed: int = 0
) -> tuple[list[tuple[list[Path], list[int]]], list[str]]:
    """([(files, labels) of the training, of the test], classes): what `load_image_folder` decodes."""
    train, test = part_folder(root, ("train",)), part_folder(root, TEST_FOLDERS)
    if test is None and train is not None and any(path.is_dir() for path in _visible(train)):  # is no class
        raise DataError(
            f"{root}: has train, a folder of classes, but none of {', '.join(TEST_FOLDERS)} beside it; "
            "add one, or name train itself to have it split"
        )
    if train is not None and test is not None:
        files, labels, classes = list_images(train)
        parts = [(files, labels), list_as(classes, test)]
    else:
        files, labels, classes = list_images(root)
        parts = _split(files, labels, share, seed)
    chosen = []
    for files, labels in parts:
        order = in_turns(labels, limit)
        chosen.append(([files[i] for i in order], [labels[i] for i in order]))
    return chosen, classes


def part_folder(root: Path, names: Sequence[str]) -> Path | None:
    """The folder in `root` that has the first of `names` that is there, in capitals or not."""
    folders = {path.name.lower(): path for path in _visible(root) if path.is_dir()}
    return next((folders[name] for name in names if name in folders), None)


def list_images(root: Path) -> tuple[list[Path], list[int], list[str]]:
    """(files, labels, classes) of root/<class>/<file>, both in alphabetical order."""
    folders = [path for path in _visible(root) if path.is_dir()]
    if not folders:
        raise DataError(f"{root}: has no folder, expected one for each class")
    files: list[Path] = []
    labels: list[int] = []
    for label, folder in enumerate(folders):
        found = list(_visible(folder))
        if not found:
            raise DataError(f"{folder}: holds no usable image")
        files += found
        labels += [label] * len(found)
    return files, labels, [folder.name for folder in folders]


def list_as(classes: list[str], root: Path) -> tuple[list[Path], list[int]]:
    """The files below `root`, labeled by their place in `classes`."""
    files, labels, own = list_images(root)
    unknown = sorted(set(own) - set(classes))
    if unknown:
        raise DataError(f"{root}: has a folder {unknown[0]!r}, but the training images have no such class")
    return files, [classes.index(own[label]) for label in labels]


def _split(
    files: list[Path], labels: list[int], share: float, seed: int
) -> list[tuple[list[Path], list[int]]]:
    if not 0 < share < 1:
        raise ValueError(f"load_image_folder: share must be between 0 and 1, not {share!r}")
    values = np.array(labels)
    test = np.zeros(len(files), bool)
    for label in range(max(labels) + 1):
        places = np.flatnonzero(values == label)
        if len(places) < 2:
            folder = files[places[0]].parent
            raise DataError(f"{folder}: one image cannot be split into train and test; add some")
        count = min(max(1, round(share * len(places))), len(places) - 1)
        test[places[shuffled(len(places), seed)[:count]]] = True
    return [([files[i] for i in np.flatnonzero(part)], values[part].tolist()) for part in (~test, test)]


def _visible(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if not path.name.startswith("."))
