"""Tables of what was checked: plain dictionaries for a program, and their print for a reader.

The columns: relative error of gradients of order 1 and 2 by differences, of the raw backward against the
backward on Tensors (tape), of the proof, of values and gradients against PyTorch. None (-) where a check
did not run: no inputs for a proof, no PyTorch. A check that raises fails its row and no other.
"""

from __future__ import annotations

import difflib
import importlib.util
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..autograd import Tensor, grad
from ..autograd.differences import largest
from ..autograd.gradcheck import gradcheck
from .cases import CASES, Case

Row = dict[str, Any]

TORCH_TOLERANCE = 1e-10  # float64 against float64, relative to the largest element
HEADINGS = {
    "name": "operation",
    "order1": "order 1",
    "order2": "order 2",
    "tape": "tape",
    "residual": "proof",
    "torch_value": "torch y",
    "torch_gradient": "torch g",
    "gradcheck": "by differences",
    "proof": "by proof",
}


def select(names: Sequence[str]) -> list[Case]:
    """The rows of the table that `names` ask for, by row or by operation, all if there are none.

    Raises ValueError for a name that fits no row, with the names that come close.
    """
    chosen: list[Case] = []
    for name in names:
        found = [c for c in CASES if _key(name) in _keys(c)]
        if not found:
            known = sorted({k for c in CASES for k in _keys(c)})
            close = difflib.get_close_matches(_key(name), known) or known
            raise ValueError(f"no operation is called {name!r}; did you mean {', '.join(close)}?")
        chosen += [c for c in found if c not in chosen]
    return chosen if names else [c for c in CASES if any(c.differentiable)]


def gradcheck_rows(names: Sequence[str] = (), seed: int = 0) -> list[Row]:
    """One row per case: relative errors of order 1 and 2, and raw backward against tape backward."""
    return [_gradcheck_row(case, seed) for case in select(names)]


def verify_rows(names: Sequence[str] = (), seed: int = 0) -> list[Row]:
    """The rows of `gradcheck_rows` with the residual of the proof and the differences to PyTorch.

    Raises ImportError where SymPy is missing, saying how to install it.
    """
    from .proof import prove

    def proof_of(case: Case, row: Row) -> None:
        if case.symbolic is not None:
            proof = prove(case, seed=seed)
            row |= {"residual": _number(proof.residual), "rounded": proof.rounded}
            _fail_unless(row, bool(proof), proof.text)

    def torch_of(case: Case, row: Row) -> None:
        found = dict(zip(("torch_value", "torch_gradient"), _torch_differences(case, seed), strict=True))
        row |= found
        worst = largest(v or 0.0 for v in found.values())
        _fail_unless(row, worst <= TORCH_TOLERANCE, f"{case.name}: PyTorch differs by {worst:.1e}")

    rows = []
    for case in select(names):
        row = _gradcheck_row(case, seed)
        row |= {"residual": None, "rounded": False, "torch_value": None, "torch_gradient": None}
        for part in (proof_of, torch_of):
            _guarded(part, case, row)
        rows.append(row)
    return rows


def wrong_rows(seed: int = 0) -> list[Row]:
    """One row per deliberately wrong backward: passed if gradcheck and proof let the right one pass and
    both catch the wrong one."""
    from .proof import prove_operation
    from .wrong import CATALOGUE, check

    rows = []
    for entry in CATALOGUE:
        by_differences = [bool(check(f, entry, seed)) for f in (entry.right, entry.wrong)]
        by_proof = [
            bool(prove_operation(f, entry.draw, points=1, seed=seed, **entry.attributes))
            for f in (entry.right, entry.wrong)
        ]
        row = {"name": entry.name, "passed": True, "text": "",
               "gradcheck": _verdict(by_differences), "proof": _verdict(by_proof)}  # fmt: skip
        _fail_unless(row, by_differences == by_proof == [True, False], f"{entry.name}: not caught")
        rows.append(row)
    return rows


def passed(rows: Iterable[Row]) -> bool:
    """Whether every row passed."""
    return all(row["passed"] for row in rows)


def show(rows: Sequence[Row], title: str, console: Console | None = None) -> bool:
    """Print rows as a table, and what failed below it; returns `passed`."""
    console = console or Console()
    columns = [k for k in HEADINGS if rows and k in rows[0]]
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for key in columns:
        name = key == "name"
        table.add_column(HEADINGS[key], justify="left" if name else "right", no_wrap=not name)
    for row in rows:
        table.add_row(*(Text(_cell(row[key])) for key in columns), style=None if row["passed"] else "red")
    console.print(table)
    failed = [row for row in rows if not row["passed"]]
    for row in failed:
        console.print(row["text"], style="red", markup=False)
    console.print(f"{len(rows) - len(failed)} of {len(rows)} passed")
    return not failed


def _gradcheck_row(case: Case, seed: int) -> Row:
    def gradients_of(case: Case, row: Row) -> None:
        report = gradcheck(case.run, _inputs(case, seed), raise_exception=False, seed=seed)
        row |= {"order1": _number(report.error1), "order2": _number(report.error2),
                "tape": _number(report.tape_error)}  # fmt: skip
        _fail_unless(row, bool(report), f"{case.name}: {report.text}")

    row: Row = {"name": case.name, "operations": [f.name for f in case.operations], "passed": True,
                "text": "", "order1": None, "order2": None, "tape": None}  # fmt: skip
    _guarded(gradients_of, case, row)
    return row


def _guarded(part: Callable[[Case, Row], None], case: Case, row: Row) -> None:
    try:
        part(case, row)
    except Exception as error:
        _fail_unless(row, False, f"{case.name}: raised {type(error).__name__}: {error}")


def _inputs(case: Case, seed: int) -> list[Tensor]:
    arrays = case.inputs(np.random.default_rng(seed))
    return [Tensor(x, requires_grad=d) for x, d in zip(arrays, case.differentiable, strict=True)]


def _torch_differences(case: Case, seed: int) -> tuple[float | None, float | None]:
    """The largest relative differences to PyTorch of value and gradient."""
    if case.torch is None or importlib.util.find_spec("torch") is None:
        return None, None
    import torch

    ours = _inputs(case, seed)
    wanted = [i for i, d in enumerate(case.differentiable) if d]
    theirs = [torch.tensor(x.numpy(), requires_grad=d)
              for x, d in zip(ours, case.differentiable, strict=True)]  # fmt: skip
    y, t = _several(case.run(*ours)), _several(case.torch(*theirs))
    value = largest(_difference(a, b) for a, b in zip(y, t, strict=True))
    rng = np.random.default_rng(seed)
    c = [rng.standard_normal(a.shape) for a in y]
    paths = [k for k, a in enumerate(y) if a.requires_grad]
    if not paths or not wanted:
        return value, None
    g = grad([y[k] for k in paths], [ours[i] for i in wanted], [Tensor(c[k]) for k in paths],
             allow_unused=True)  # fmt: skip
    h = torch.autograd.grad([t[k] for k in paths], [theirs[i] for i in wanted],
                            [torch.tensor(c[k]) for k in paths], allow_unused=True)  # fmt: skip
    pairs = [(a, b) for a, b in zip(g, h, strict=True) if a is not None and b is not None]
    return value, largest(_difference(a, b) for a, b in pairs)


def _difference(ours: Tensor, theirs: Any) -> float:
    a, b = ours.numpy(), theirs.detach().numpy()
    if a.shape != b.shape:
        return math.inf
    return float(np.max(np.abs(a - b), initial=0.0) / (np.max(np.abs(b), initial=0.0) or 1.0))


def _several(y: Any) -> Sequence[Any]:
    return y if isinstance(y, tuple | list) else (y,)


def _number(x: float) -> float | None:
    """A number that JSON can hold."""
    return x if math.isfinite(x) else None


def _verdict(right_and_wrong: list[bool]) -> str:
    return {(True, False): "caught", (True, True): "missed"}.get(
        tuple(right_and_wrong), "refuses the right one"
    )


def _fail_unless(row: Row, ok: bool, text: str) -> None:
    if not ok:
        row["passed"] = False
    if not ok and text not in row["text"]:  # one exception in three checks is told once
        row["text"] = "\n".join(filter(None, (row["text"], text)))


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.0e}" if isinstance(value, float) else str(value)


def _key(name: str) -> str:
    return name.lower().replace("_", "").replace(" ", "")


def _keys(case: Case) -> set[str]:
    return {_key(case.name), _key(case.name.partition(":")[0]), *(_key(f.name) for f in case.operations)}
