"""Images in three parts: training, validation and test."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ...data import ArrayDataset, ImageFiles, held_out, load, with_channels
from ...data.dataset import Progress
from ...data.folder import ImageError
from ...data.listing import TEST_FOLDERS, list_as, list_parts, part_folder
from ...data.sources import holds_images
from ...data.split import in_turns
from .pipeline import decoded_side
from .recipes import RECIPES
from .settings import ImageSettings

Listed = tuple[list[Path], list[int]]  # files and their labels


def load_parts(settings: ImageSettings, download: bool, progress: Progress) -> dict[str, ArrayDataset]:
    """{"train": ..., "validation": ..., "test": ...} with the channels that the network takes; the validation
    is there where the settings want it and it has an image."""
    if holds_images(settings.data):
        parts: dict[str, ArrayDataset] = dict(_decoded(settings, *listed(settings), progress))
    else:
        train, test = load(settings.data, download, progress, limit=settings.limit)
        parts = {"train": train, "test": test}
        if isinstance(settings.validation, str):
            files = {"validation": _first(list_as(list(train.classes), Path(settings.validation)), settings)}
            parts |= _decoded(settings, files, list(train.classes), progress)
        else:
            held = held_out(train.labels, settings.validation or 0, settings.seed)
            if held.any():
                parts |= {"train": train.subset(~held), "validation": train.subset(held)}
    return {name: _seen(settings, part) for name, part in parts.items()}


def load_test(
    settings: ImageSettings, classes: list[str], download: bool, progress: Progress
) -> ArrayDataset:
    """The test part alone, of images of `classes`: those of the training are not decoded, and in a folder
    with a test part they need not be there."""
    if not holds_images(settings.data):
        return _seen(settings, load(settings.data, download, progress, limit=settings.limit)[1])
    folder = part_folder(Path(settings.data), TEST_FOLDERS)
    if folder is None:
        (_, test), classes = list_parts(Path(settings.data), settings.limit)
    else:
        test = _first(list_as(classes, folder), settings)
    return _seen(settings, _decoded(settings, {"test": test}, classes, progress)["test"])


def _seen(settings: ImageSettings, part: ArrayDataset) -> ArrayDataset:
    """With the channels that the network takes."""
    channels = RECIPES[settings.model].channels
    return part if channels is None else with_channels(part, channels)


def listed(settings: ImageSettings) -> tuple[dict[str, Listed], list[str]]:
    """({part: its files and labels}, the classes) of a folder of images: which file is used for what."""
    (train, test), classes = list_parts(Path(settings.data), settings.limit)
    parts = {"train": train, "test": test}
    if isinstance(settings.validation, str):
        parts["validation"] = _first(list_as(classes, Path(settings.validation)), settings)
        return parts, classes
    held = held_out(train[1], settings.validation or 0, settings.seed)
    if held.any():
        parts |= {
            "train": _chosen(train, np.flatnonzero(~held)),
            "validation": _chosen(train, np.flatnonzero(held)),
        }
    return parts, classes


def _first(part: Listed, settings: ImageSettings) -> Listed:
    return _chosen(part, in_turns(part[1], settings.limit))


def _chosen(part: Listed, places: np.ndarray) -> Listed:
    files, labels = part
    return [files[i] for i in places], [labels[i] for i in places]


def _decoded(
    settings: ImageSettings, parts: dict[str, Listed], classes: list[str], progress: Progress
) -> dict[str, Any]:
    size = decoded_side(settings)
    _tell_of_missing(settings, parts, classes)
    try:
        return {
            name: ImageFiles(files, labels, classes, size, settings.on_error, progress)
            for name, (files, labels) in parts.items()
        }
    except ImageError as error:
        raise ImageError(f"{error}; --on-error skip leaves such files out") from error


def _tell_of_missing(settings: ImageSettings, parts: dict[str, Listed], classes: list[str]) -> None:
    """Warn of classes that a folder for a part has not; the limit, or a share, may be too small for all."""
    of_folders = ["test"] + ["validation"] * isinstance(settings.validation, str)
    for name, (_, labels) in ((name, parts[name]) for name in of_folders if name in parts):
        missing = [c for label, c in enumerate(classes) if label not in set(labels)]
        if missing and (settings.limit is None or settings.limit >= len(classes)):
            warnings.warn(
                f"{settings.data}: the {name} part has no image of "
                f"{', '.join(missing[:3])}{', ...' * (len(missing) > 3)}, so its figures say nothing of it",
                stacklevel=2,
            )
