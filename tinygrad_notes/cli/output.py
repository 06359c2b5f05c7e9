"""Results on stdout, errors on stderr: JSON for programs, tables for people."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def print_error(text: str) -> None:
    """On stderr, as far as there is anybody to read it."""
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def print_json(result: Any) -> None:
    """Letters as they are where stdout can write them, else \\uXXXX: JSON loses none of them."""
    text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(result, indent=2, allow_nan=False)
    print(text)


def picture_file(name: str) -> str:
    """Where Matplotlib writes a picture of this name: without an ending it is a PNG.

    Raises RunError before anything is computed if it will not be able to.
    """
    from ..train.options import RunError
    from ..train.plots import new_figure

    path = Path(name if Path(name).suffix else f"{name}.png")
    known = new_figure(1, 1).canvas.get_supported_filetypes()
    if path.suffix[1:].lower() not in known:
        raise RunError(
            f"{path}: {path.suffix} is no format of pictures; those are {', '.join(sorted(known))}"
        )
    if not path.parent.is_dir():
        raise RunError(f"{path}: there is no folder {path.parent}; make it first")
    return str(path)


def console(width: int | None = None) -> Console:
    """Rich's console on stdout. A reader that has left is an error of writing; Rich would exit with 1."""
    from rich.console import Console

    class Told(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Told(file=sys.stdout, width=width)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], left: int = 1) -> None:
    """The first `left` columns are words, the others numbers. Rich on a terminal, else plain text."""
    cells = [[" ".join(str(cell).splitlines()) for cell in row] for row in rows]
    if sys.stdout.isatty():
        from rich import box
        from rich.measure import Measurement
        from rich.table import Table
        from rich.text import Text

        table = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
        for i, column in enumerate(columns):
            table.add_column(Text(column), justify="left" if i < left else "right", no_wrap=True)
        for row in cells:
            table.add_row(*map(Text, row))
        shown = console()
        wide = shown.options.update(max_width=sum(len(cell) + 1 for row in (columns, *cells) for cell in row))
        # Where the terminal is narrower it folds lines; Rich would leave out columns and digits.
        shown.width = max(shown.width, Measurement.get(shown, wide, table).maximum)
        shown.print(table)
        return
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for row in (list(columns), *cells):
        padded = [
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(padded).rstrip())
