"""Downloads, only when asked for: checked, then moved into place in one step.

Where the digests come from. Fashion-MNIST: the SHA-256 values are those of the authors' archives,
computed from the data itself and in agreement with the MD5 values that the authors publish.
MNIST: the SHA-256 values that independent projects publish for the same archives (Nixpkgs,
scripts for both mirrors below); not recomputed here.
CIFAR-10: the SHA-256 value and the size that independent projects (Red Datasets, GoMLX) publish
for the archive whose MD5 on its author's page is c32a1d4ab5d03f1284b67883e8d87530; not recomputed.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .dataset import DataError, Progress

CHUNK = 1 << 16


@dataclass(frozen=True)
class RemoteFile:
    """A file as it must arrive: `size` in bytes, `sha256` in hexadecimal."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Source:
    """A data set: its files, and the web addresses of the folders that hold them."""

    files: tuple[RemoteFile, ...]
    mirrors: tuple[str, ...]


def _idx_files(*sizes_and_digests: tuple[int, str]) -> tuple[RemoteFile, ...]:
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    pairs = zip(names, sizes_and_digests, strict=True)
    return tuple(RemoteFile(f"{name}-ubyte.gz", *checks) for name, checks in pairs)


SOURCES = {
    "mnist": Source(
        _idx_files(
            (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        ),
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
    ),
    "fashion-mnist": Source(
        _idx_files(
            (26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        ),
        (
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
    ),
    "cifar10": Source(
        (
            RemoteFile(
                "cifar-10-binary.tar.gz",
                170_052_171,
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
        ),
        ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/"),
    ),
}


def cache_folder() -> Path:
    """Where data sets are kept: $TINYGRAD_NOTES_DATA, else tinygrad_notes in the user's cache.

    Raises DataError where the user has no home.
    """
    try:
        if chosen := os.environ.get("TINYGRAD_NOTES_DATA"):
            return Path(chosen).expanduser()
        if sys.platform == "win32":
            base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        elif sys.platform == "darwin":
            base = Path.home() / "Library" / "Caches"
        else:
            base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError as error:
        reason = str(error).rstrip(".")
        raise DataError(
            f"no folder to keep data sets in ({reason}): set TINYGRAD_NOTES_DATA to one"
        ) from error
    return Path(base) / "tinygrad_notes"


def fetch(
    name: str,
    root: str | os.PathLike[str] | None = None,
    mirrors: Sequence[str] | None = None,
    progress: Progress = lambda *call: None,
    timeout: float = 30.0,
) -> Path:
    """Download "mnist", "fashion-mnist" or "cifar10" into `root`/name and return that folder.

    Files already there with the right size and digest are kept. The mirrors are tried in order;
    `progress("downloading FILE (1 of 4)", bytes so far, bytes in all, "bytes")` is called as a
    file arrives; `timeout` is in seconds without any data. `root` is `cache_folder()` by default.

    Raises DataError when no mirror delivers the expected bytes: what was wrong at each of them,
    and where to put the files by hand. Nothing partial is left behind.
    """
    if name not in SOURCES:
        raise ValueError(f"fetch: unknown data set {name!r}; known are {', '.join(SOURCES)}")
    source, folder = SOURCES[name], Path(cache_folder() if root is None else root) / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, file in enumerate(source.files, 1):
        if not _present(folder / file.name, file):
            task = f"downloading {file.name} ({number} of {len(source.files)})"

            def arrived(size: int, task: str = task, total: int = file.size) -> None:
                progress(task, size, total, "bytes")

            _fetch_file(file, folder, mirrors or source.mirrors, arrived, timeout)
    return folder


def by_hand(name: str, root: str | os.PathLike[str] | None = None) -> str:
    """The half sentence that says which files to put where without a download."""
    folder = Path(cache_folder() if root is None else root) / name
    return f"put {', '.join(file.name for file in SOURCES[name].files)} into {folder} by hand"


def verify(name: str) -> None:
    """Raises FileNotFoundError or DataError unless `cache_folder()` has the published files of `name`."""
    for file in SOURCES[name].files:
        path = cache_folder() / name / file.name
        if not path.is_file():
            raise FileNotFoundError(path)
        if not _present(path, file):
            raise DataError(
                f"{path}: not the published file of {file.size} bytes with SHA-256 {file.sha256}; "
                f"add --download (from Python: download=True), or {by_hand(name)}"
            )


def _present(path: Path, file: RemoteFile) -> bool:
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256


def _fetch_file(
    file: RemoteFile,
    folder: Path,
    mirrors: Sequence[str],
    arrived: Callable[[int], None],
    timeout: float,
) -> None:
    import http.client

    reasons = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{file.name}"
        part = folder / f".{file.name}.{secrets.token_hex(4)}.part"
        try:
            _download(url, part, file, arrived, timeout)
            os.replace(part, folder / file.name)
            return
        except (OSError, http.client.HTTPException, DataError) as error:
            reasons.append(f"{url}: {error or type(error).__name__}")
        finally:
            part.unlink(missing_ok=True)
    raise DataError(
        f"fetch: no mirror delivered {file.name} ({'; '.join(reasons)}); "
        f"try again later, or {by_hand(folder.name, folder.parent)}"
    )


def _download(url: str, part: Path, file: RemoteFile, arrived: Callable[[int], None], timeout: float) -> None:
    """`url` into the new file `part`; DataError unless size and digest are as expected."""
    import urllib.request  # a twentieth of the time that the package takes to load

    digest, size = hashlib.sha256(), 0
    request = urllib.request.Request(url, headers={"User-Agent": "tinygrad_notes"})
    with urllib.request.urlopen(request, timeout=timeout) as answer, part.open("xb") as stream:
        while size <= file.size and (chunk := answer.read(CHUNK)):
            stream.write(chunk)
            digest.update(chunk)
            size += len(chunk)
            arrived(size)
    if size != file.size:
        got = f"{size}" if size < file.size else "more"
        raise DataError(f"{got} bytes arrived, expected {file.size}")
    if digest.hexdigest() != file.sha256:
        raise DataError(f"SHA-256 is {digest.hexdigest()}, expected {file.sha256}")
