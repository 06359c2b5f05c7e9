"""What an error of a device is told as."""

from __future__ import annotations

from typing import NamedTuple


class Trouble(NamedTuple):
    """One sentence without its end: what happened and what helps. `of_memory`: there was too little."""

    text: str
    of_memory: bool
