"""A look at images before anything is learned from them."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from .dataset import ArrayDataset, Progress
from .folder import FORMATS, ImageFiles
from .listing import list_parts
from .sources import holds_images, load

SIDE = 32  # pixels of a side, at which files are looked at


def describe_images(
    source: str, progress: Progress = lambda *call: None
) -> tuple[dict[str, Any], np.ndarray]:
    """(what JSON can hold, how many pixels have each value: (C, 256)) of a data set by its name, or a folder.

    Images of each class and part, sizes and kinds of files, damaged ones, mean and deviation of each channel.
    """
    if holds_images(source):
        found, parts = _files(Path(source), progress)
    else:
        parts = dict(zip(("train", "test"), load(source, progress=progress), strict=True))
        shapes = {part.images.shape[1:] for part in parts.values()}
        found = {"sizes": [f"{s[2]}×{s[1]}" for s in sorted(shapes)], "damaged": []}
    classes = list(next(iter(parts.values())).classes)
    counts = {name: np.bincount(part.labels, minlength=len(classes)) for name, part in parts.items()}
    channels = next(iter(parts.values())).images.shape[1]
    pixels = np.zeros((channels, 256), np.int64)
    for part in parts.values():
        for i in range(channels):
            pixels[i] += np.bincount(part.images[:, i].ravel(), minlength=256)
    level = np.arange(256)
    mean = pixels @ level / pixels.sum(axis=1)
    std = np.sqrt(pixels @ level**2 / pixels.sum(axis=1) - mean**2)
    return {
        "images": int(sum(map(len, parts.values()))),
        "classes": {c: {name: int(n[i]) for name, n in counts.items()} for i, c in enumerate(classes)},
        **found, "mean": mean.tolist(), "std": std.tolist(),
    }, pixels  # fmt: skip


def _files(root: Path, progress: Progress) -> tuple[dict[str, Any], dict[str, ArrayDataset]]:
    listed, classes = list_parts(root)
    parts: dict[str, ArrayDataset] = {}
    sizes, modes, damaged = list[tuple[int, int]](), Counter[str](), list[dict[str, str]]()
    for name, (files, labels) in zip(("train", "test"), listed, strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged files, which are told below
            part = ImageFiles(files, labels, classes, SIDE, "skip", progress)
        parts[name] = part
        damaged += [{"file": str(path), "reason": reason} for path, reason in part.skipped]
        from PIL import Image

        for path in part.files:
            with Image.open(path, formats=FORMATS) as image:
                sizes.append(image.size)
                modes[f"{image.format} {image.mode}"] += 1
    found = {
        name: {"min": min(side), "median": float(np.median(side)), "max": max(side)}
        for name, side in zip(("width", "height"), zip(*sizes, strict=True), strict=True)
    }
    return {**found, "files": dict(modes), "damaged": damaged}, parts
