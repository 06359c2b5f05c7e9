"""files.csv of a run folder: the image files that a training used, and why some were left out.

A training that goes on with other images than it began with is another one, so it is refused.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from ...data import ArrayDataset
from ...data.sources import holds_images
from ...train.options import RunError
from .parts import listed
from .settings import ImageSettings

NAME = "files.csv"
COLUMNS = ("part", "file", "bytes", "left out", "blake2b")
Files = dict[str, tuple[str, int]]  # name below the data's folder: (part, bytes)


def list_files(settings: ImageSettings) -> Files | None:
    """The files that a run with `settings` decodes, in their order; None for data of another kind."""
    if not holds_images(settings.data):
        return None
    return {
        _name(path, settings): (part, path.stat().st_size if path.is_file() else 0)
        for part, (paths, _) in listed(settings)[0].items()
        for path in paths
    }


def _name(path: Path, settings: ImageSettings) -> str:
    """The name below the folder of the data, where it is there."""
    root = Path(settings.data)
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def as_csv(files: Files, settings: ImageSettings, parts: Iterable[ArrayDataset]) -> str:
    """The text of files.csv; `parts` are what was decoded."""
    skipped: list[tuple[Path, str]] = [pair for part in parts for pair in getattr(part, "skipped", ())]
    reasons = {_name(path, settings): reason for path, reason in skipped}
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)  # a name may hold "\r"
    rows.writerow(COLUMNS)
    digests = _digests(settings, parts)
    rows.writerows(
        (part, name, size, reasons.get(name, ""), digests.get(name, ""))
        for name, (part, size) in files.items()
    )
    return text.getvalue()


def _digests(settings: ImageSettings, parts: Iterable[ArrayDataset]) -> dict[str, str]:
    """{name: digest of the file's content} of all that were decoded."""
    return {
        _name(path, settings): digest
        for part in parts
        for path, digest in zip(getattr(part, "files", ()), getattr(part, "digests", ()), strict=True)
    }


def changed_contents(folder: Path, settings: ImageSettings, parts: Iterable[ArrayDataset]) -> list[str]:
    """The files whose contents are not those that files.csv of the run `folder` notes, where it notes any."""
    path = folder / NAME
    if not path.is_file():
        return []
    now = _digests(settings, parts)
    return [row["file"] for row in _rows(path) if row.get("blake2b") not in (None, now.get(row["file"], ""))]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))


def check_files(folder: Path, settings: ImageSettings) -> None:
    """Raises RunError if the images are not those that files.csv of the run `folder` lists."""
    path = folder / NAME
    if not path.is_file():
        return
    try:
        then = {row["file"]: (row["part"], int(row["bytes"])) for row in _rows(path)}
    except (csv.Error, KeyError, ValueError, TypeError) as error:
        raise RunError(f"{path}: damaged ({error})") from error
    now = list_files(settings)
    if now is None:
        raise RunError(f"{folder}: {settings.data} is no folder of images any more")
    both = [name for name in now if name in then]
    changes = {
        "added": [name for name in now if name not in then],
        "removed": [name for name in then if name not in now],
        "of another size": [name for name in both if now[name][1] != then[name][1]],
        "moved between the parts": [name for name in both if now[name][0] != then[name][0]],
    }
    told = [
        f"{len(names)} {what} ({', '.join(names[:3])}{', ...' * (len(names) > 3)})"
        for what, names in changes.items()
        if names
    ]
    if told:
        raise RunError(
            f"{folder}: the images in {settings.data} are not those that the run began with: "
            f"{', '.join(told)}; put them back, or train anew"
        )
