"""Images in three parts: training, validation and test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...data import ArrayDataset, ImageFiles, held_out, load, with_channels
from ...data.dataset import Progress
from ...data.folder import list_as, list_parts
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
    channels = RECIPES[settings.model].channels
    if channels is None:
        return parts
    return {name: with_channels(part, channels) for name, part in parts.items()}


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
    return _chosen(part, in_turns(part[1])[: settings.limit])


def _chosen(part: Listed, places: np.ndarray) -> Listed:
    files, labels = part
    return [files[i] for i in places], [labels[i] for i in places]


def _decoded(
    settings: ImageSettings, parts: dict[str, Listed], classes: list[str], progress: Progress
) -> dict[str, Any]:
    size = decoded_side(settings)
    return {
        name: ImageFiles(files, labels, classes, size, settings.on_error, progress)
        for name, (files, labels) in parts.items()
    }
