"""``gradcheck`` and ``verify``: the gradients of every operation, against numbers and on symbols."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from typing import Any

from ..verify import report
from . import DONE, FAILED
from .operations import all_operations, suggestion
from .output import console, print_json


def gradcheck_command(arguments: argparse.Namespace) -> int:
    _check_names(arguments.operations)
    rows = report.gradcheck_rows(arguments.operations)
    return _tell(arguments, {"operations": (rows, "relative error of gradients, by differences")})


def verify_command(arguments: argparse.Namespace) -> int:
    """Without names also the catalogue of wrong backwards, all of which must be caught."""
    _check_names(arguments.operations)
    rows = report.verify_rows(arguments.operations)
    wrong = [] if arguments.operations else report.wrong_rows()
    return _tell(arguments, {"operations": (rows, "relative error of gradients"),
                             "wrong": (wrong, "deliberately wrong backwards")})  # fmt: skip


def _tell(arguments: argparse.Namespace, tables: dict[str, tuple[list[Any], str]]) -> int:
    """Print the rows of each table, under its title. The exit code says whether all passed, also where the
    reader has left."""
    passed = report.passed([row for rows, _ in tables.values() for row in rows])
    with contextlib.suppress(BrokenPipeError):
        if arguments.json:
            print_json({"passed": passed, **{name: rows for name, (rows, _) in tables.items()}})
        else:
            _show([table for table in tables.values() if table[0]])
    return DONE if passed else FAILED


def _show(tables: list[tuple[list[Any], str]]) -> None:
    """As wide as the terminal; in a pipe wide enough for every table."""
    shown = console(width=None if sys.stdout.isatty() else 110)
    for rows, title in tables:
        report.show(rows, title, shown)


def _check_names(names: Sequence[str]) -> None:
    """Raises ValueError for a name that fits no row, with the operations that come close."""
    for name in names:
        try:
            report.select([name])
        except ValueError:
            known = [operation.__name__ for operation in all_operations().values()]
            raise ValueError(f"unknown operation {name!r}; {suggestion(name, known)}") from None
