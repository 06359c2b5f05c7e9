"""CIFAR-10 in its binary version (Krizhevsky 2009)."""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .dataset import ArrayDataset, DataError

ARCHIVE, UNPACKED = "cifar-10-binary.tar.gz", "cifar-10-batches-bin"
META, TEST_FILE = "batches.meta.txt", "test_batch.bin"
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
RECORD = 1 + 3 * 32 * 32  # the label, then the red, green and blue planes
RECORDS = 10_000  # of each file as published
LARGEST = RECORDS * RECORD  # bytes of a file
CHUNK = 1 << 20


def load_cifar10(
    folder: str | os.PathLike[str], records: int | None = None
) -> tuple[ArrayDataset, ArrayDataset]:
    """(train, test) with images (N, 3, 32, 32) uint8.

    `folder` holds the files data_batch_1.bin to data_batch_5.bin, test_batch.bin and
    batches.meta.txt, or the archive they come in, cifar-10-binary.tar.gz. The archive is read in
    place: nothing in it can be written anywhere. `records` is how many images each file must hold.
    Raises FileNotFoundError when one is missing, DataError when one is damaged.
    """
    folder = Path(folder)
    archive = folder / ARCHIVE
    if not (folder / META).is_file() and archive.is_file():
        contents = _read_archive(archive)
        return _parts(lambda name: contents[name], archive, records)
    return _parts(lambda name: (folder / name).read_bytes(), folder, records)


def holds_cifar10(folder: Path) -> bool:
    return (folder / META).is_file() or (folder / ARCHIVE).is_file()


def _parts(read: Callable[[str], bytes], where: Path, count: int | None) -> tuple[ArrayDataset, ArrayDataset]:
    classes = read(META).decode("ascii", errors="replace").split()
    if len(classes) != 10:
        raise DataError(f"{where / META}: names {len(classes)} classes, expected 10")
    parts = [_records(read(name), where / name, count) for name in TRAIN_FILES]
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    test = _records(read(TEST_FILE), where / TEST_FILE, count)
    return ArrayDataset(images, labels, classes), ArrayDataset(*test, classes)


def _read_archive(path: Path) -> dict[str, bytes]:
    """The expected plain files of the archive, by name; anything else in it is passed over."""
    expected = {f"{UNPACKED}/{name}": name for name in (META, TEST_FILE, *TRAIN_FILES)}
    contents: dict[str, bytes] = {}
    try:
        # by gzip, since tarfile decompresses "r|gz" without looking at the checksum
        with gzip.open(path) as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as archive:
            for member in archive:
                if member.name not in expected:
                    continue
                file = archive.extractfile(member) if member.isreg() else None
                if file is None or member.size > LARGEST:
                    raise DataError(f"{path}: {member.name} is not the plain file that belongs there")
                contents[expected[member.name]] = file.read()
            while unpacked.read(CHUNK):  # the checksum comes at the end
                pass
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: damaged archive ({error})") from error
    missing = sorted(set(expected.values()) - set(contents))
    if missing:
        raise DataError(f"{path}: lacks {', '.join(missing)}")
    return contents


def _records(content: bytes, path: Path, count: int | None) -> tuple[np.ndarray, np.ndarray]:
    values = np.frombuffer(content, np.uint8)
    if len(values) == 0 or len(values) % RECORD:
        raise DataError(f"{path}: {len(values)} bytes are not a number of {RECORD}-byte records")
    records = values.reshape(-1, RECORD)
    if count is not None and len(records) != count:
        raise DataError(f"{path}: holds {len(records)} images, expected {count}")
    labels = records[:, 0]
    if labels.max() > 9:
        place = int(np.argmax(labels > 9))
        raise DataError(f"{path}: image {place} has label {labels[place]}, expected 0 to 9")
    return records[:, 1:].reshape(-1, 3, 32, 32), labels
