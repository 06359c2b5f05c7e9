"""The IDX format of MNIST and its relatives, plain or gzip-compressed.

A file is: two zero bytes, a type code, the number of dimensions, each dimension as a big-endian
32-bit number, then the values in row-major order, big-endian, and nothing after them.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from .dataset import ArrayDataset, DataError

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
CHUNK = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"
PREFIX = {"train": "train", "test": "t10k"}


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """The array of an IDX file, in native byte order.

    The file must hold exactly what its header promises; memory is taken only for what is there.

    Raises DataError with the file's name and the reason; FileNotFoundError as usual.
    """
    path = Path(path)
    with path.open("rb") as raw:
        packed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        try:
            if packed:
                with gzip.open(raw) as file:
                    return _read(file)
            return _read(raw)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{path}: damaged gzip file ({error})") from error
        except DataError as error:
            raise DataError(f"{path}: {error}") from None


def _read(file: IO[bytes] | gzip.GzipFile) -> np.ndarray:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES or magic[3] == 0:
        raise DataError(f"not an IDX file: it starts with {magic.hex(' ') or 'nothing'}")
    dtype, ndim = np.dtype(TYPES[magic[2]]), magic[3]
    sizes = file.read(4 * ndim)
    if len(sizes) < 4 * ndim:
        raise DataError(f"cut short: the header names {ndim} dimensions and ends before them")
    shape = struct.unpack(f">{ndim}I", sizes)
    expected = math.prod(shape) * dtype.itemsize
    values = bytearray()  # not np.empty: the header may lie; one more byte shows a surplus
    while chunk := file.read(min(CHUNK, expected + 1 - len(values))):
        values += chunk
    if len(values) != expected:
        state = "cut short" if len(values) < expected else "too long"
        got = len(values) if len(values) < expected else "more"
        raise DataError(f"{state}: shape {shape} needs {expected} bytes after the header, got {got}")
    try:
        array = np.frombuffer(values, dtype).reshape(shape)
    except ValueError as error:  # more dimensions than NumPy has
        raise DataError(f"unusable shape {shape}: {error}") from error
    return array.astype(dtype.newbyteorder("="))


def load_idx(folder: str | os.PathLike[str], split: str) -> ArrayDataset:
    """Images (N, 1, H, W) and labels of `split` ("train" or "test") from MNIST's file names.

    Looks for train-images-idx3-ubyte and train-labels-idx1-ubyte, for "test" t10k-...; the names
    may also be written train-images.idx3-ubyte, and end in .gz, which is preferred.

    Raises FileNotFoundError when a file is missing, DataError when one is damaged or the two do
    not fit together.
    """
    if split not in PREFIX:
        raise ValueError(f"load_idx: split must be 'train' or 'test', not {split!r}")
    image_file = _find(Path(folder), f"{PREFIX[split]}-images", "idx3-ubyte")
    label_file = _find(Path(folder), f"{PREFIX[split]}-labels", "idx1-ubyte")
    images, labels = read_idx(image_file), read_idx(label_file)
    for path, array, ndim in ((image_file, images, 3), (label_file, labels, 1)):
        if array.ndim != ndim or array.dtype != np.uint8:
            raise DataError(f"{path}: holds {array.dtype} {array.shape}; needed are uint8, {ndim} dimensions")
        if array.size == 0:
            raise DataError(f"{path}: holds nothing: its shape is {array.shape}; each number must be over 0")
    if len(images) != len(labels):
        raise DataError(f"{image_file}: {len(images)} images, but {len(labels)} in {label_file.name}")
    return ArrayDataset(images[:, None], labels)


def holds_idx(folder: Path) -> bool:
    """Whether any of MNIST's four files is there."""
    return any(folder.glob("*-idx[13]-ubyte*")) or any(folder.glob("*.idx[13]-ubyte*"))


def _find(folder: Path, stem: str, kind: str) -> Path:
    names = [stem + mark + kind + packed for mark in "-." for packed in (".gz", "")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{folder}: none of {', '.join(names)} is there")
