"""Saved states: one safetensors file that is whole at any moment, or not there.

The arrays lie under their keys, so any reader of safetensors can take the weights out. Everything
else (numbers, strings, lists, how the dictionaries nest) is JSON in the file's metadata, where an
array is a reference to its key. A CRC-32 over all of it tells a damaged file from a sound one.
"""

from __future__ import annotations

import json
import os
import secrets
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from . import backend
from .autograd import Tensor

VERSION = "1"
DTYPES = ("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
          "float16", "float32", "float64")  # fmt: skip
TAGS = ("$array", "$tuple", "$items")


class CheckpointError(ValueError):
    """A file that is not a sound checkpoint; the message names it and says why."""


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Where the system refuses without naming a file, as on a full disk, the error names `path`."""
    try:
        yield
    except OSError as error:
        if error.strerror is not None and error.filename is None:
            error.filename = str(path)
        raise


def save(state: Any, path: str | os.PathLike[str]) -> None:
    """Write `state` to `path`, in one step: a kill at any moment leaves the file before it whole.

    `state` nests dicts, lists and tuples of Tensors, arrays, numbers, strings, bools and None. The
    array at state["a"]["b"] gets the key "a/b", the one at state["conv.weight"] "conv.weight".

    Raises TypeError for anything else, ValueError for two arrays with the same key.
    """
    path = Path(path)
    arrays: dict[str, np.ndarray] = {}
    tree = json.dumps(_pack(state, (), arrays), ensure_ascii=False)
    metadata = {"tinygrad_notes": VERSION, "tree": tree, "crc32": _checksum(tree, arrays)}
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with named(path):
        try:
            _write(arrays, metadata, part)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
        _flush_folder(path.parent)


def load(path: str | os.PathLike[str]) -> Any:
    """What `save` wrote, bit for bit; Tensors come back as NumPy arrays.

    A safetensors file of another program gives {key: array}, and so does a state_dict that PyTorch saved
    (.pth, .pt), where torch is installed. NumPy has no bfloat16: such arrays come as float32, exactly.

    Raises OSError where it is missing or may not be read, and CheckpointError for a file that is
    truncated, damaged or of another kind, or that holds an array of a dtype that NumPy has not.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    path.open("rb").close()  # safetensors calls a file missing that may not be read
    if path.suffix in (".pth", ".pt"):
        return _load_torch(path)
    metadata, arrays = _contents(path)
    if not metadata.keys() & {"tinygrad_notes", "tree", "crc32"}:
        return arrays
    if metadata.get("tinygrad_notes", VERSION) != VERSION:
        raise CheckpointError(
            f"{path}: written in format {metadata['tinygrad_notes']!r}, this version reads {VERSION!r}"
        )
    tree = metadata.get("tree", "")
    if metadata.get("crc32") != _checksum(tree, arrays):
        raise CheckpointError(f"{path}: damaged, its checksum does not fit its content")
    try:
        return _unpack(json.loads(tree), arrays)
    except (TypeError, ValueError, KeyError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: its metadata is not what save writes ({type(error).__name__})"
        ) from error


def _contents(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """The metadata and the arrays of a safetensors file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}, {key: _read(path, file, key) for key in file.keys()}  # noqa: SIM118
    except CheckpointError:
        raise
    except (SafetensorError, TypeError, AttributeError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: {_reason(path, error)}") from error


def _load_torch(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a state_dict that PyTorch saved, under their keys."""
    try:
        import torch
    except ImportError as error:
        raise CheckpointError(
            f"{path}: reading PyTorch's files needs torch; install it, or convert the file to safetensors"
        ) from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch names no common class for what a damaged file raises
        raise CheckpointError(f"{path}: not a sound file of PyTorch's ({type(error).__name__})") from error
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise CheckpointError(f"{path}: holds no state_dict; save model.state_dict() and nothing around it")
    arrays = {}
    for key, value in state.items():
        value = value.detach()
        try:
            arrays[key] = (value.float() if value.dtype is torch.bfloat16 else value).numpy()
        except (TypeError, RuntimeError) as error:  # float8, quantized, sparse
            raise CheckpointError(f"{path}: {key} is no array of NumPy's: {value.dtype}") from error
    return arrays


def _read(path: Path, file: Any, key: str) -> np.ndarray:
    """One array of an open safetensors file."""
    dtype = file.get_slice(key).get_dtype()
    if dtype == "BF16":
        return _read_bfloat16(path, key)
    try:
        array: np.ndarray = file.get_tensor(key)
    except (TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: {key} is no array of NumPy's: {dtype}") from error
    return array


def _read_bfloat16(path: Path, key: str) -> np.ndarray:
    """A bfloat16 array as float32, of which it is the upper half. It lies where the header says."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(length))[key]
        begin, end = entry["data_offsets"]
        file.seek(8 + length + begin)
        upper = np.frombuffer(file.read(end - begin), "<u2")
    return (upper.astype(np.uint32) << 16).view(np.float32).reshape(entry["shape"])


def _pack(value: Any, place: tuple[str, ...], arrays: dict[str, np.ndarray]) -> Any:
    """`value` as JSON can hold it; its arrays go into `arrays`."""
    if value is None or (isinstance(value, str | bool | int | float) and not isinstance(value, np.generic)):
        return value
    if isinstance(value, dict):
        packed = [(key, _pack(v, (*place, str(key)), arrays)) for key, v in value.items()]
        if all(isinstance(key, str) and key not in TAGS for key in value):
            return dict(packed)
        if not all(isinstance(key, str | int) for key in value):
            raise TypeError(f"save: the keys of {'/'.join(place) or 'state'} must be strings or ints")
        return {"$items": packed}
    if isinstance(value, list | tuple):
        items = [_pack(v, (*place, str(i)), arrays) for i, v in enumerate(value)]
        return items if isinstance(value, list) else {"$tuple": items}
    key = "/".join(place) or "array"
    if not (isinstance(value, Tensor | np.generic) or backend.is_array(value)):
        raise TypeError(
            f"save: {key} is a {type(value).__name__}; a state holds Tensors, arrays, numbers, "
            "strings, None, and dicts, lists and tuples of them"
        )
    array = np.asarray(backend.to_numpy(value._data if isinstance(value, Tensor) else value), order="C")
    if array.dtype.name not in DTYPES:
        raise TypeError(f"save: {key} has dtype {array.dtype}; it must be one of {', '.join(DTYPES)}")
    if key in arrays or key == "__metadata__":
        raise ValueError(f"save: the key {key!r} is taken; rename one of the two entries")
    arrays[key] = array.astype(array.dtype.newbyteorder("="), copy=False)
    return {"$array": key}


def _unpack(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_unpack(v, arrays) for v in value]
    if not isinstance(value, dict):
        return value
    if "$array" in value:
        return arrays[value["$array"]]
    if "$tuple" in value:
        return tuple(_unpack(value["$tuple"], arrays))
    items = value["$items"] if "$items" in value else value.items()
    return {key: _unpack(v, arrays) for key, v in items}


def _checksum(tree: str, arrays: dict[str, np.ndarray]) -> str:
    total = zlib.crc32(tree.encode())
    for key in sorted(arrays):
        array = arrays[key]
        total = zlib.crc32(f"{key} {array.dtype.name} {array.shape}".encode(), total)
        total = zlib.crc32(array.reshape(-1).view(np.uint8), total)
    return f"{total:08x}"


def _write(arrays: dict[str, np.ndarray], metadata: dict[str, str], path: Path) -> None:
    from safetensors.numpy import save

    data = memoryview(save(arrays, metadata))
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(bytes(data[8:end]))
    header["__metadata__"] = metadata  # in one order: safetensors writes it in another in each process
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("xb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.write(data[end:])
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut, where folders can be flushed."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _reason(path: Path, error: Exception) -> str:
    """Why safetensors could not read the file, in words."""
    size = path.stat().st_size
    with path.open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
        opening = file.read(1)
    if size == 0:
        return "the file is empty"
    if size >= 9 and opening == b"{" and header < 2**28:
        if size < 8 + header or "not fully covered" in str(error):
            return f"truncated, it ends after {size} bytes"
        return f"damaged or not readable as arrays ({error})"
    return "not a safetensors file"
