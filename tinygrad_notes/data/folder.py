"""Images in a folder for each class, decoded by Pillow (an extra)."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .dataset import ArrayDataset, DataError


class ImageFolder(ArrayDataset):
    """root/<class>/<file>: RGB images (N, 3, H, W) uint8, classes in alphabetical order.

    Every file is decoded here, once, so that no epoch can fail halfway; that takes N·3·H·W bytes
    (for a moment twice that).
    The shorter side is scaled to fit `size` (an int, or (height, width)) and the middle is kept.
    A file that is not a sound 8-bit image raises DataError, or, with `on_error="skip"`, is left
    out, listed in `skipped` as (path, reason) and reported in one warning. `files` are those
    used. Hidden files do not count.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        size: int | tuple[int, int],
        on_error: str = "raise",
    ) -> None:
        if on_error not in ("raise", "skip"):
            raise ValueError(f"ImageFolder: on_error must be 'raise' or 'skip', not {on_error!r}")
        height, width = (size, size) if isinstance(size, int) else size
        if min(height, width) < 1:
            raise ValueError(f"ImageFolder: size must be at least 1 pixel, not {size!r}")
        classes = [path for path in _visible(Path(root)) if path.is_dir()]
        if not classes:
            raise DataError(f"{root}: has no folder, expected one for each class")
        self.files: list[Path] = []
        self.skipped: list[tuple[Path, str]] = []
        images, labels = [], []
        for label, folder in enumerate(classes):
            for path in _visible(folder):
                try:
                    images.append(_decode(path, height, width))
                except DataError as error:
                    if on_error == "raise":
                        raise
                    self.skipped.append((path, str(error.__cause__ or error)))
                    continue
                self.files.append(path)
                labels.append(label)
            if not labels or labels[-1] != label:
                raise DataError(f"{folder}: holds no usable image")
        if self.skipped:
            (path, reason), count = self.skipped[0], len(self.skipped)
            warnings.warn(
                f"ImageFolder: left out {count} of {count + len(images)} files in {root}, "
                f"the first {path} ({reason})",
                stacklevel=2,
            )
        super().__init__(np.stack(images), labels, [folder.name for folder in classes])


def _visible(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if not path.name.startswith("."))


def _decode(path: Path, height: int, width: int) -> np.ndarray:
    """(3, height, width) uint8."""
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise ImportError(
            "ImageFolder decodes images with Pillow, which is not installed: pip install pillow"
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow warns of absurd sizes and broken metadata
            with Image.open(path) as image:
                if image.mode.startswith(("I", "F")):
                    raise ValueError(f"mode {image.mode} has more than 8 bits a channel")
                upright = ImageOps.exif_transpose(image).convert("RGB")
                fitted = ImageOps.fit(upright, (width, height), Image.Resampling.BILINEAR)
    except Exception as error:  # decoders of damaged files raise nearly anything
        raise DataError(f"{path}: not a usable image ({error})") from error
    return np.asarray(fitted).transpose(2, 0, 1)
