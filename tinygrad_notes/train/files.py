"""files.csv of a run folder: the image files that a training used, and why some were left out.

A training that goes on with other images than it began with is another one, so it is refused.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from ..data import ArrayDataset
from ..data.folder import list_parts
from ..data.sources import holds_images
from .config import Config, RunError

NAME = "files.csv"
COLUMNS = ("part", "file", "bytes", "left out", "blake2b")
Files = dict[str, tuple[str, int]]  # name below the data's folder: (part, bytes)


def list_files(config: Config) -> Files | None:
    """The files that a run of `config` decodes, in their order; None for data of another kind."""
    if not holds_images(config.data):
        return None
    root = Path(config.data)
    (train, _), (test, _) = list_parts(root, config.limit)[0]
    return {
        path.relative_to(root).as_posix(): (part, path.stat().st_size if path.is_file() else 0)
        for part, paths in (("train", train), ("test", test))
        for path in paths
    }


def as_csv(files: Files, config: Config, parts: Iterable[ArrayDataset]) -> str:
    """The text of files.csv; `parts` are what was decoded."""
    skipped: list[tuple[Path, str]] = [pair for part in parts for pair in getattr(part, "skipped", ())]
    reasons = {path.relative_to(config.data).as_posix(): reason for path, reason in skipped}
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)  # a name may hold "\r"
    rows.writerow(COLUMNS)
    digests = _digests(config, parts)
    rows.writerows(
        (part, name, size, reasons.get(name, ""), digests.get(name, ""))
        for name, (part, size) in files.items()
    )
    return text.getvalue()


def _digests(config: Config, parts: Iterable[ArrayDataset]) -> dict[str, str]:
    """{name: digest of the file's content} of all that were decoded."""
    return {
        path.relative_to(config.data).as_posix(): digest
        for part in parts
        for path, digest in zip(getattr(part, "files", ()), getattr(part, "digests", ()), strict=True)
    }


def changed_contents(folder: Path, config: Config, parts: Iterable[ArrayDataset]) -> list[str]:
    """The files whose contents are not those that files.csv of the run `folder` notes, where it notes any."""
    path = folder / NAME
    if not path.is_file():
        return []
    now = _digests(config, parts)
    return [row["file"] for row in _rows(path) if row.get("blake2b") not in (None, now.get(row["file"], ""))]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))


def check_files(folder: Path, config: Config) -> None:
    """Raises RunError if the images are not those that files.csv of the run `folder` lists."""
    path = folder / NAME
    if not path.is_file():
        return
    try:
        then = {row["file"]: (row["part"], int(row["bytes"])) for row in _rows(path)}
    except (csv.Error, KeyError, ValueError, TypeError) as error:
        raise RunError(f"{path}: damaged ({error})") from error
    now = list_files(config)
    if now is None:
        raise RunError(f"{folder}: {config.data} is no folder of images any more")
    both = [name for name in now if name in then]
    changes = {
        "added": [name for name in now if name not in then],
        "removed": [name for name in then if name not in now],
        "of another size": [name for name in both if now[name][1] != then[name][1]],
        "moved between training and test": [name for name in both if now[name][0] != then[name][0]],
    }
    told = [
        f"{len(names)} {what} ({', '.join(names[:3])}{', ...' * (len(names) > 3)})"
        for what, names in changes.items()
        if names
    ]
    if told:
        raise RunError(
            f"{folder}: the images in {config.data} are not those that the run began with: "
            f"{', '.join(told)}; put them back, or train anew"
        )
