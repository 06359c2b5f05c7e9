"""``gradcheck`` and ``verify``: the gradients of every operation, against numbers and on symbols."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from ..autograd import Tensor
from ..autograd.gradcheck import Report, gradcheck
from ..verify.cases import CASES, Case
from . import DONE, FAILED
from .operations import plain, suggestion
from .output import print_json, print_table


def gradcheck_command(arguments: argparse.Namespace) -> int:
    reports = [(case, check(case)) for case in chosen_cases(arguments.operations)]
    failed = [(case, report) for case, report in reports if not report]
    if arguments.json:
        print_json({
            "passed": not failed,
            "cases": [
                {"name": case.name, "passed": report.passed, "error1": _json(report.error1),
                 "error2": _json(report.error2), "text": report.text}
                for case, report in reports
            ],
        })  # fmt: skip
        return FAILED if failed else DONE
    print_table(
        ["operation", "first order", "second order", ""],
        [[case.name, f"{r.error1:.0e}", f"{r.error2:.0e}", "ok" if r else "WRONG"] for case, r in reports],
    )
    for case, report in failed:
        print(f"\n{case.name}: {report.text}")
    print(f"\n{len(reports) - len(failed)} of {len(reports)} agree with finite differences")
    return FAILED if failed else DONE


def check(case: Case) -> Report:
    """One row of the table at one random point, to second order."""
    arrays = case.inputs(np.random.default_rng(0))
    inputs = [Tensor(a, requires_grad=d) for a, d in zip(arrays, case.differentiable, strict=True)]
    try:
        return gradcheck(case.run, inputs, raise_exception=False)
    except Exception as error:  # one broken operation must not hide the others
        return Report(False, np.nan, np.nan, np.nan, f"raised {type(error).__name__}: {error}")


def chosen_cases(names: Sequence[str]) -> list[Case]:
    """The rows of the operations called `names` (rows, functions or classes), all without a name.

    Raises ValueError for a name that no row has.
    """
    chosen = []
    for name in names:
        rows = [case for case in CASES if plain(name) in _names(case)]
        if not rows:
            known = [case.name for case in CASES if ":" not in case.name]
            raise ValueError(f"unknown operation {name!r}; {suggestion(name, known)}")
        chosen += [case for case in rows if case not in chosen]
    return chosen if names else [case for case in CASES if any(case.differentiable)]


def _names(case: Case) -> set[str]:
    classes = {operation.__name__ for operation in case.operations}
    return {plain(name) for name in (case.name, case.name.partition(":")[0], *classes)}


def _json(error: float) -> float | None:
    return None if np.isnan(error) else error
