"""The folder of a run: made new, and written to by one training at a time."""

from __future__ import annotations

import importlib
import itertools
import os
import shlex
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .options import RunError

fcntl: Any = importlib.import_module("fcntl") if os.name == "posix" else None


PARTS = ".*.part"  # files that are being written, before they get their names


class Claim:
    """The right to write to the run folder `folder`: a lock on it, which a kill gives back as well.

    Where folders cannot be locked (Windows, some network drives), every training gets it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: weakref.finalize[..., Any] | None = None

    def take(self) -> None:
        """Nothing if it is held already. Raises RunError if another training has it."""
        if fcntl is None or (self._held is not None and self._held.alive):
            return
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise RunError(
                f"{self.folder}: another training is writing there; wait for its end, or take another folder"
            ) from None
        except OSError:  # no locks on this drive
            pass
        self._held = weakref.finalize(self, os.close, handle)

    def release(self) -> None:
        if self._held is not None:
            self._held()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Take it, and give it back only if the block fails."""
        self.take()
        try:
            yield
        except BaseException:
            self.release()
            raise


def clear(folder: Path) -> None:
    """Remove what a kill has left of files that were being written."""
    for part in folder.glob(PARTS):
        part.unlink()


@contextmanager
def new_folder(path: Path, numbered: bool = False) -> Iterator[Claim]:
    """A claim on the new or empty folder `path`; if the block fails and leaves it empty, it is gone.

    `numbered` puts a number behind the name of a folder that exists. Making the folder is what decides
    who has it: two trainings that start at the same time get two.
    """
    made = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = path
    for number in itertools.count(2):
        try:
            folder.mkdir()
            made.insert(0, folder)
            break
        except FileExistsError:
            if not numbered:
                break
            folder = path.with_name(f"{path.name}-{number}")
    claim = Claim(folder)
    try:
        if not folder.is_dir():
            raise RunError(f"{folder} is not a folder; choose another --out")
        with claim.kept():
            if set(folder.iterdir()) - set(folder.glob(PARTS)):
                hint = f"go on with --resume {shlex.quote(str(folder))} or choose another --out"
                raise RunError(f"{folder} is not empty; {hint}")
            clear(folder)
            yield claim
    except BaseException:
        with suppress(OSError):  # somebody else has put something there
            for empty in made:
                empty.rmdir()
        raise
