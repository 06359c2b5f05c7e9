"""``gradcheck`` and ``verify``: the gradients of every operation, against numbers and on symbols."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from ..verify import report
from . import DONE, FAILED
from .operations import all_operations, suggestion
from .output import print_json


def gradcheck_command(arguments: argparse.Namespace) -> int:
    _check_names(arguments.operations)
    rows = report.gradcheck_rows(arguments.operations)
    if arguments.json:
        print_json({"passed": report.passed(rows), "operations": rows})
    else:
        report.show(rows, "relative error of gradients, by differences", _console())
    return DONE if report.passed(rows) else FAILED


def verify_command(arguments: argparse.Namespace) -> int:
    """Without names also the catalogue of wrong backwards, all of which must be caught."""
    _check_names(arguments.operations)
    rows = report.verify_rows(arguments.operations)
    wrong = [] if arguments.operations else report.wrong_rows()
    if arguments.json:
        print_json({"passed": report.passed(rows + wrong), "operations": rows, "wrong": wrong})
        return DONE if report.passed(rows + wrong) else FAILED
    report.show(rows, "relative error of gradients", _console())
    if wrong:
        report.show(wrong, "deliberately wrong backwards", _console())
    return DONE if report.passed(rows + wrong) else FAILED


def _check_names(names: Sequence[str]) -> None:
    """Raises ValueError for a name that fits no row, with the operations that come close."""
    for name in names:
        try:
            report.select([name])
        except ValueError:
            known = [operation.__name__ for operation in all_operations().values()]
            raise ValueError(f"unknown operation {name!r}; {suggestion(name, known)}") from None


def _console() -> Console:
    """As wide as the terminal; in a pipe wide enough for every table."""
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else 110)
