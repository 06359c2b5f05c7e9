"""Images in a folder for each class, decoded by Pillow (an extra)."""

from __future__ import annotations

import errno
import hashlib
import io
import math
import os
import tempfile
import warnings
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from .dataset import ArrayDataset, DataError, Progress
from .listing import list_images, list_parts

IN_MEMORY = 1 << 30  # bytes of pixels; more are kept in a temporary file
NAMED = 3  # damaged files in a warning
TOGETHER = 4  # files a thread decodes before it hands over
FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")  # none starts another program
SMALL = 4096  # bytes of a file, on average, below which two threads wait for the GIL more than they decode

T = TypeVar("T")
R = TypeVar("R")


class ImageError(DataError):
    """A file that is not a usable image."""


class ImageFiles(ArrayDataset):
    """RGB images (N, 3, H, W) uint8 from `files`, of the classes at `labels`.

    Every file is decoded here, once, on all cores, so that no epoch can fail halfway; that takes
    N·3·H·W bytes, beyond 1 GiB in a temporary file that ends with the process.
    The shorter side is scaled to fit `size` (an int, or (height, width)) and the middle is kept.
    `progress("decoding FOLDER", images so far, images in all, "images")` is called after each.
    A file that is not a sound 8-bit image raises ImageError, or, with `on_error="skip"`, is left
    out, listed in `skipped` as (path, reason) and reported in one warning. `files` are those used, and
    `digests` tell (as BLAKE2b) what was in them.
    """

    def __init__(
        self,
        files: Sequence[Path],
        labels: Sequence[int],
        classes: Sequence[str],
        size: int | tuple[int, int],
        on_error: str = "raise",
        progress: Progress = lambda *call: None,
    ) -> None:
        if on_error not in ("raise", "skip"):
            raise ValueError(f"ImageFolder: on_error must be 'raise' or 'skip', not {on_error!r}")
        height, width = (size, size) if isinstance(size, int | np.integer) else size
        if min(height, width) < 1:
            raise ValueError(f"ImageFolder: size must be at least 1 pixel, not {size!r}")
        self.files: list[Path] = []
        self.digests: list[str] = []
        self.skipped: list[tuple[Path, str]] = []
        images, used = _room((len(files), 3, height, width)), list[int]()
        task = f"decoding {files[0].parents[1].name}" if files else ""
        with closing(_decoded(files, height, width)) as decoded:
            for done, (path, label, found) in enumerate(zip(files, labels, decoded, strict=True), 1):
                if not isinstance(found, ImageError):
                    images[len(used)], digest = found
                    self.files.append(path)
                    self.digests.append(digest)
                    used.append(label)
                elif on_error == "raise":
                    raise found
                else:
                    self.skipped.append((path, str(found.__cause__ or found)))
                progress(task, done, len(files), "images")
        missing = set(labels) - set(used)
        for path, label in zip(files, labels, strict=True):
            if label in missing:
                raise DataError(f"{path.parent}: holds no usable image")
        if self.skipped:
            self._tell_of_skipped(len(files))
        super().__init__(images[: len(used)], used, classes)

    def _tell_of_skipped(self, total: int) -> None:
        count, root = len(self.skipped), self.skipped[0][0].parents[1]
        named = [f"{path.relative_to(root)} ({reason})" for path, reason in self.skipped[:NAMED]]
        more = f" and {count - NAMED} more" if count > NAMED else ""
        warnings.warn(
            f"ImageFolder: left out {count} of {total} files in {root}: {', '.join(named)}{more}",
            stacklevel=4,
        )

    def fingerprint(self) -> str:
        """A digest of the files as they are stored, of the labels and the classes."""
        return self._digest("files", [np.frombuffer("".join(self.digests).encode(), np.uint8)])


class ImageFolder(ImageFiles):
    """root/<class>/<file>: the images of `ImageFiles`, classes in alphabetical order.

    Hidden files do not count.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        size: int | tuple[int, int],
        on_error: str = "raise",
        progress: Progress = lambda *call: None,
    ) -> None:
        super().__init__(*list_images(Path(root)), size, on_error, progress)


def load_image_folder(
    root: str | os.PathLike[str],
    size: int | tuple[int, int],
    on_error: str = "raise",
    limit: int | None = None,
    share: float = 0.2,
    seed: int = 0,
    progress: Progress = lambda *call: None,
) -> tuple[ImageFiles, ImageFiles]:
    """(train, test) of root/train/<class>/* and root/test/<class>/*, or of root/<class>/*.

    "val", "valid" and "validation" are other names for "test". With one level the files are split:
    of each class `share`, at least one, is for the test, chosen by `seed` from the sorted names.
    Both parts take turns through the classes, so their first images, those up to `limit`, hold
    every class as often as all of them do. Errors and `progress` as for `ImageFiles`.
    """
    parts, classes = list_parts(Path(root), limit, share, seed)
    train, test = (ImageFiles(*part, classes, size, on_error, progress) for part in parts)
    return train, test


def _room(shape: tuple[int, ...]) -> np.ndarray:
    size = math.prod(shape)
    if size <= IN_MEMORY:
        return np.empty(shape, np.uint8)
    with tempfile.TemporaryFile() as file:  # the mapping keeps it open
        if hasattr(os, "posix_fallocate"):
            try:  # a mapped file that finds the disk full ends the process by a signal
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # file systems without it
                    raise DataError(
                        f"ImageFolder: the decoded images need {size:,} bytes in {tempfile.gettempdir()}, "
                        f"which cannot be had ({error.strerror}); free some, choose a smaller size, or set "
                        "TMPDIR to a folder with room"
                    ) from error
        return np.memmap(file, np.uint8, "w+", shape=shape)


Decoded = tuple[np.ndarray, str]  # an image (3, H, W), and the digest of its file


def _decoded(files: Sequence[Path], height: int, width: int) -> Generator[Decoded | ImageError, None, None]:
    """Each image with its digest, or why there is none, in the order of `files`."""

    def decode(path: Path) -> Decoded | ImageError:
        try:
            return _decode(path, height, width)
        except ImageError as error:
            return error

    sizes = [path.stat().st_size for path in files[:100] if path.is_file()]
    small = sum(sizes) < SMALL * len(sizes)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", module=r"PIL\b")  # of absurd sizes and broken metadata
        yield from map(decode, files) if small else _on_all_cores(decode, files)


def _on_all_cores(work: Callable[[T], R], items: Sequence[T]) -> Generator[R, None, None]:
    """map(work, items) by threads: Pillow decodes without the GIL."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def some(start: int) -> list[R]:
        return [work(item) for item in items[start : start + TOGETHER]]

    with ThreadPoolExecutor(cores) as pool:
        jobs = (pool.submit(some, start) for start in range(0, len(items), TOGETHER))
        ahead = deque(islice(jobs, 4 * cores))
        try:
            while ahead:
                yield from ahead.popleft().result()
                ahead.extend(islice(jobs, 1))
        finally:  # Ctrl-C, or a damaged file: what nobody waits for is not begun
            pool.shutdown(cancel_futures=True)


def _decode(path: Path, height: int, width: int) -> Decoded:
    """(3, height, width) uint8 and the digest of the file, which is read once."""
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError as error:
        raise ImportError(
            "ImageFolder decodes images with Pillow, which is not installed: pip install pillow"
        ) from error
    try:
        if path.is_dir():
            raise ValueError("a folder: the files in it are not looked for")
        if path.exists() and not path.is_file():  # opening a pipe would wait for its writer
            raise ValueError("not a file")
        content = path.read_bytes()
        try:
            opened = Image.open(io.BytesIO(content), formats=FORMATS)
        except UnidentifiedImageError:  # its message names the bytes in memory
            raise ValueError(f"of none of the formats {', '.join(FORMATS)}") from None
        with opened as image:
            side = 2 * max(height, width)  # a JPEG need not be decoded to more: the fitted pixels are the
            image.draft(image.mode, (side, side))  # same to 2 of 255
            if image.mode.startswith(("I", "F")):
                raise ValueError(f"mode {image.mode} has more than 8 bits a channel")
            upright = ImageOps.exif_transpose(image)
            if isinstance(upright.info.get("transparency"), bytes):  # a palette with an alpha for each
                upright = upright.convert("RGBA")  # color, which Pillow does not drop without a warning
            fitted = ImageOps.fit(upright.convert("RGB"), (width, height), Image.Resampling.BILINEAR)
    except Exception as error:  # decoders of damaged files raise nearly anything
        raise ImageError(f"{path}: not a usable image ({error})") from error
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    return np.asarray(fitted).transpose(2, 0, 1), digest
