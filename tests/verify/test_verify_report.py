"""The tables of checks: their columns, their verdict, and names that fit nothing."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from tinygrad_notes import Tensor
from tinygrad_notes.cli import main
from tinygrad_notes.ops import activation
from tinygrad_notes.verify import report, wrong
from tinygrad_notes.verify.cases import CASES
from tinygrad_notes.verify.cases.case import Domain

needs_sympy = pytest.mark.skipif(importlib.util.find_spec("sympy") is None, reason="SymPy is not installed")


def printed(rows, title="title"):
    stream = io.StringIO()
    verdict = report.show(rows, title, Console(file=stream, width=120))
    return verdict, stream.getvalue()


def spoiled_row():
    bad = wrong.spoil(activation.Tanh, backward=lambda xp, gy, y: gy * y)
    tanh = next(case for case in CASES if case.name == "tanh")
    return dataclasses.replace(tanh, name="bad tanh", run=lambda x: bad.apply(x), operations=(bad,))


def test_rows_are_chosen_by_row_or_by_operation():
    assert {c.name for c in report.select(["softmax"])} >= {"softmax", "softmax: axis 1 of 3"}
    assert report.select(["LogSoftmax"]) == report.select(["log_softmax"])
    assert len(report.select(["tanh", "tanh"])) == 1
    assert report.select([]) == [c for c in CASES if any(c.differentiable)]


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(ValueError, match="no operation is called 'sigmoit'; did you mean sigmoid"):
        report.select(["sigmoit"])


def test_gradcheck_rows():
    rows = report.gradcheck_rows(["tanh", "multiply"])
    assert report.passed(rows)
    assert all(row["order1"] < 1e-8 and row["order2"] < 1e-7 and row["tape"] < 1e-10 for row in rows)
    json.dumps(rows, allow_nan=False)
    verdict, text = printed(rows)
    assert verdict
    assert f"{len(rows)} of {len(rows)} passed" in text


@needs_sympy
def test_verify_rows():
    (row,) = report.verify_rows(["sigmoid"])
    assert row["passed"]
    assert row["residual"] < 1e-40
    if importlib.util.find_spec("torch") is not None:
        assert row["torch_value"] < 1e-14
        assert row["torch_gradient"] < 1e-14
    json.dumps(row, allow_nan=False)


@needs_sympy
def test_a_wrong_row_fails_the_report(monkeypatch):
    monkeypatch.setattr(report, "CASES", (*report.select(["sigmoid"]), spoiled_row()))
    rows = report.verify_rows()
    assert [row["passed"] for row in rows] == [True, False]
    assert not report.passed(rows)
    assert "SymPy" in rows[1]["text"]
    json.dumps(rows, allow_nan=False)
    verdict, text = printed(rows)
    assert not verdict
    assert "is worst: backward" in text
    assert "1 of 2 passed" in text


@needs_sympy
@pytest.mark.parametrize("place", [0, 1])
def test_a_nan_beside_right_values_fails_the_comparison_with_torch(place, monkeypatch):
    pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    (case,) = report.select(["sigmoid"])

    def spoiled(*inputs):
        y = case.torch(*inputs)
        return [y * float("nan") if i == place else y for i in range(2)]

    twice = dataclasses.replace(case, run=lambda *x: (case.run(*x), case.run(*x)), torch=spoiled)
    monkeypatch.setattr(report, "CASES", (twice,))
    (row,) = report.verify_rows()
    assert not row["passed"] and "PyTorch differs by inf" in row["text"]


def failing(error):
    def fail(*_, **__):
        raise error("planted")

    return fail


@pytest.mark.parametrize("error", [ZeroDivisionError, ValueError, TypeError, RuntimeError, KeyError])
def test_a_row_that_raises_fails_alone(error, monkeypatch):
    broken = dataclasses.replace(CASES[0], name="broken", run=failing(error))
    monkeypatch.setattr(report, "CASES", (broken, CASES[0]))
    rows = report.gradcheck_rows()
    assert [row["passed"] for row in rows] == [False, True]
    assert f"broken: raised {error.__name__}: " in rows[0]["text"] and "planted" in rows[0]["text"]
    assert [rows[0][column] for column in ("order1", "order2", "tape")] == [None] * 3
    assert "-" in printed(rows)[1]


@needs_sympy
@pytest.mark.parametrize("check", ["gradcheck", "proof.prove", "_torch_differences"])
def test_a_check_that_raises_leaves_the_columns_of_the_others(check, monkeypatch):
    (whole,) = report.verify_rows(["tanh"])
    if check == "proof.prove":
        monkeypatch.setattr("tinygrad_notes.verify.proof.prove", failing(RuntimeError))
    else:
        monkeypatch.setattr(report, check, failing(RuntimeError))
    (row,) = report.verify_rows(["tanh"])
    assert not row["passed"] and row["text"].startswith("tanh: raised RuntimeError: planted")
    lost = {"gradcheck": ("order1", "order2", "tape"), "proof.prove": ("residual",)}.get(
        check, ("torch_value", "torch_gradient")
    )
    assert row == whole | {"passed": False, "text": row["text"]} | dict.fromkeys(lost)


def test_every_figure_stands_in_its_column(monkeypatch, capsys):
    monkeypatch.setattr(report, "gradcheck", lambda *_, **__: SimpleNamespace(
        error1=1e-11, error2=2e-11, tape_error=3e-11, text=""))  # fmt: skip
    figures = {"order1": 1e-11, "order2": 2e-11, "tape": 3e-11}
    assert main(["gradcheck", "tanh", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["operations"]
    assert row == {"name": "tanh", "operations": ["Tanh"], "passed": True, "text": "", **figures}
    pytest.importorskip("sympy")
    monkeypatch.setattr("tinygrad_notes.verify.proof.prove", lambda *_, **__: SimpleNamespace(
        residual=4e-11, rounded=True, text=""))  # fmt: skip
    monkeypatch.setattr(report, "_torch_differences", lambda *_: (5e-11, 6e-11))
    figures |= {"residual": 4e-11, "rounded": True, "torch_value": 5e-11, "torch_gradient": 6e-11}
    assert main(["verify", "tanh", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["operations"]
    assert row == {"name": "tanh", "operations": ["Tanh"], "passed": True, "text": "", **figures}
    assert main(["verify", "tanh"]) == 0
    (cells,) = (line.split() for line in capsys.readouterr().out.splitlines() if line.startswith(" tanh"))
    assert cells == ["tanh", "1e-11", "2e-11", "3e-11", "4e-11", "5e-11", "6e-11"]


@pytest.mark.parametrize("column", ["order1", "order2", "tape"])
def test_a_wrong_rule_shows_in_the_column_of_its_check(column, monkeypatch):
    monkeypatch.setattr(report, "CASES", (near_miss(column),))
    (row,) = report.gradcheck_rows()
    assert row[column] > 1e-5
    for other in {"order1": (), "order2": ("order1", "tape"), "tape": ("order1",)}[column]:
        assert row[other] < 1e-8


@needs_sympy
def test_the_catalogue_of_wrong_backwards_as_rows(monkeypatch):
    first = wrong.CATALOGUE[0]
    toothless = dataclasses.replace(first, name="not wrong at all", wrong=first.right)
    monkeypatch.setattr(wrong, "CATALOGUE", (first, toothless))
    rows = report.wrong_rows()
    assert [row["passed"] for row in rows] == [True, False]
    assert [row["proof"] for row in rows] == ["caught", "missed"]
    assert "caught" in printed(rows)[1]


def test_a_difference_to_torch_fails(monkeypatch):
    pytest.importorskip("torch")
    tanh = next(case for case in CASES if case.name == "tanh")
    other = dataclasses.replace(tanh, torch=lambda t: t.tanh() * 1.0001)
    value, gradient = report._torch_differences(other, 0)
    assert value > report.TORCH_TOLERANCE
    assert gradient > report.TORCH_TOLERANCE


# ---- a row that is wrong in one column ---------------------------------------------------------

NEARLY = 1 + 1e-11  # too little for differences and for PyTorch


def near_miss(column):
    """The row of tanh, wrong in one column and right in all others."""
    tanh = next(case for case in CASES if case.name == "tanh")
    rules = {
        "order1": lambda xp, gy, y: 1.001 * gy * (1 - y * y),
        "order2": lambda xp, gy, y: gy * (1 - y * (y.detach() if isinstance(y, Tensor) else y)),
        "tape": lambda xp, gy, y: (1.001 if isinstance(y, Tensor) else 1) * gy * (1 - y * y),
        "residual": lambda xp, gy, y: NEARLY * gy * (1 - y * y),
    }
    others = {
        "torch_value": lambda t: t.tanh() + 1e-9 * t.detach(),
        "torch_gradient": lambda t: t.tanh() + 1e-9 * (t - t.detach()),
    }
    case = dataclasses.replace(tanh, name=f"bad {column}")
    if column in others:
        return dataclasses.replace(case, torch=others[column])
    bad = wrong.spoil(activation.Tanh, backward=rules[column])
    seen = dataclasses.replace(case, run=lambda x: bad.apply(x), operations=(bad,), torch=None)
    return seen if column == "residual" else dataclasses.replace(seen, symbolic=None)


TOLD = {
    "order1": "is worst: backward",
    "order2": "order 1 is right: the backward uses as a constant",
    "tape": "the same backward on Tensors (create_graph=True)",
    "residual": "residual 1.0e-11 over 3 points",
    "torch_value": "bad torch_value: PyTorch differs by",
    "torch_gradient": "bad torch_gradient: PyTorch differs by",
}


@needs_sympy
@pytest.mark.parametrize("column", TOLD)
def test_verify_fails_on_a_row_that_is_wrong_in_one_column(column, monkeypatch, capsys):
    if column.startswith("torch"):
        pytest.importorskip("torch")
    monkeypatch.setattr(report, "CASES", (*report.select(["sigmoid"]), near_miss(column)))
    (right, row) = report.verify_rows()
    assert right["passed"] and not row["passed"] and TOLD[column] in row["text"]
    if column in ("residual", "torch_value", "torch_gradient"):
        limit = 1e-12 if column == "residual" else report.TORCH_TOLERANCE
        wrong_columns = {
            name for name in ("residual", "torch_value", "torch_gradient") if (row[name] or 0) > limit
        }
        assert wrong_columns == {column} and row["order1"] < 1e-8
    assert main(["verify", f"bad {column}"]) == 1
    text = capsys.readouterr().out
    assert "0 of 1 passed" in text and TOLD[column].partition(":")[0] in text
    assert main(["verify", f"bad {column}", "sigmoid", "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert result["passed"] is False
    assert result["operations"] == [row, right] and result["wrong"] == []


def test_gradcheck_fails_on_a_row_that_is_wrong_in_one_column(monkeypatch, capsys):
    for column in ("order1", "order2", "tape"):
        monkeypatch.setattr(report, "CASES", (near_miss(column),))
        assert main(["gradcheck", f"bad {column}", "--json"]) == 1
        result = json.loads(capsys.readouterr().out)
        assert result["passed"] is False and TOLD[column] in result["operations"][0]["text"]


@needs_sympy
def test_verify_fails_on_a_wrong_backward_that_is_not_caught(monkeypatch, capsys):
    first = wrong.CATALOGUE[0]
    toothless = dataclasses.replace(first, name="not wrong at all", wrong=first.right)
    monkeypatch.setattr(report, "CASES", tuple(report.select(["sigmoid"])))
    monkeypatch.setattr(wrong, "CATALOGUE", (first, toothless))
    assert main(["verify", "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert result["passed"] is False and [row["passed"] for row in result["operations"]] == [True]
    assert [(row["gradcheck"], row["proof"]) for row in result["wrong"]] == [
        ("caught", "caught"),
        ("missed", "missed"),
    ]
    monkeypatch.setattr(wrong, "CATALOGUE", (first,))
    assert main(["verify", "--json"]) == 0


@pytest.mark.parametrize("missed_by", ["gradcheck", "proof"])
@needs_sympy
def test_a_wrong_backward_must_be_caught_by_both(missed_by, monkeypatch):
    monkeypatch.setattr(wrong, "CATALOGUE", wrong.CATALOGUE[:1])
    if missed_by == "gradcheck":
        monkeypatch.setattr(wrong, "check", lambda *a: True)
    else:
        monkeypatch.setattr("tinygrad_notes.verify.proof.prove_operation", lambda *a, **k: True)
    (row,) = report.wrong_rows()
    assert not row["passed"] and row[missed_by] == "missed" and "not caught" in row["text"]


def test_every_figure_stands_under_its_heading():
    row = {"name": "tanh", "passed": True, "text": "", "order1": 1e-11, "order2": 2e-12, "tape": 3e-13,
           "residual": 4e-14, "torch_value": 5e-15, "torch_gradient": None}  # fmt: skip
    lines = printed([row])[1].splitlines()
    heading = next(line for line in lines if "operation" in line)
    cells = next(line for line in lines if "tanh" in line)
    for name, cell in (("order 1", "1e-11"), ("order 2", "2e-12"), ("tape", "3e-13"), ("proof", "4e-14"),
                       ("torch y", "5e-15"), ("torch g", "-")):  # fmt: skip
        end = heading.index(name) + len(name)
        assert cells[:end].endswith(f" {cell}"), name


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6, 7, 12])
def test_inputs_of_a_domain_stay_away_from_kinks_and_from_each_other(count):
    for seed in range(20):
        (x,) = Domain(((count,),), -4.0, 4.0).floats(np.random.default_rng(seed))
        gap = 8 / (4 * -(-count // 4)) / 4  # a quarter of a cell
        assert x.shape == (count,) and (np.abs(x) < 4).all()
        for kink in (-2, 0, 2):
            assert np.abs(x - kink).min() >= gap - 1e-9
        assert np.diff(np.sort(x)).min(initial=np.inf) >= 2 * gap - 1e-9


# ---- the small parts ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right_and_wrong", "verdict"),
    [([True, False], "caught"), ([True, True], "missed"), ([False, False], "refuses the right one"),
     ([False, True], "refuses the right one")],
)  # fmt: skip
def test_verdicts_on_a_right_and_a_wrong_backward(right_and_wrong, verdict):
    assert report._verdict(right_and_wrong) == verdict


@pytest.mark.parametrize(
    ("value", "cell"), [(None, "-"), (0.0, "0e+00"), (1.26e-9, "1e-09"), ("caught", "caught"), (3, "3")]
)
def test_cells(value, cell):
    assert report._cell(value) == cell


def test_what_fails_is_told_once_and_a_later_pass_mends_nothing():
    row = {"passed": True, "text": ""}
    for ok, text in ((True, "a"), (False, "b"), (False, "b"), (True, "c"), (False, "d")):
        report._fail_unless(row, ok, text)
    assert row == {"passed": False, "text": "b\nd"}
    assert report.passed([]) and not report.passed([{"passed": True}, row])
    assert [report._number(x) for x in (1.5, 0.0, np.inf, np.nan)] == [1.5, 0.0, None, None]


def test_a_row_without_symbols_or_torch_has_dashes(monkeypatch):
    pytest.importorskip("sympy")
    (tanh,) = report.select(["tanh"])
    monkeypatch.setattr(report, "CASES", (dataclasses.replace(tanh, symbolic=None, torch=None),))
    (row,) = report.verify_rows()
    assert row["passed"] and row["rounded"] is False
    assert [row[name] for name in ("residual", "torch_value", "torch_gradient")] == [None] * 3
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))
    assert report._torch_differences(tanh, 0) == (None, None)


def test_the_seed_draws_the_inputs_of_a_row():
    (tanh,) = report.select(["tanh"])
    first, again, other = (report._inputs(tanh, seed)[0].numpy() for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


class Theirs:
    """An array as another library's Tensor has it."""

    def __init__(self, values):
        self.values = np.array(values)

    def detach(self):
        return self

    def numpy(self):
        return self.values


@pytest.mark.parametrize(
    ("ours", "theirs", "difference"),
    [([1.0, 4.0], [1.0, 5.0], 0.2), ([1.0], [0.0], 1.0), ([-6.0, 1.0], [-8.0, 1.0], 0.25),
     ([1.0], [[1.0]], np.inf), (np.zeros(0), np.zeros(0), 0.0)],
)  # fmt: skip
def test_differences_are_relative_to_the_largest_element_of_theirs(ours, theirs, difference):
    assert report._difference(Tensor(np.array(ours)), Theirs(theirs)) == pytest.approx(difference)


def test_tables_have_their_titles_and_failures_below_them(monkeypatch, capsys):
    right = {"name": "a", "passed": True, "text": "", "gradcheck": "caught", "proof": "caught"}
    rows = [right, right | {"name": "b [c]", "passed": False, "text": "b [c]: why", "gradcheck": "missed"}]
    verdict, text = printed(rows, "deliberately wrong")
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip(" ─━")]
    assert not verdict and lines == [
        "deliberately wrong", "operation by differences by proof", "a caught caught",
        "b [c] missed caught", "b [c]: why", "1 of 2 passed"]  # fmt: skip
    monkeypatch.setattr(report, "verify_rows", lambda names: rows[:1])
    monkeypatch.setattr(report, "wrong_rows", lambda: rows)
    assert main(["verify"]) == 1
    said = capsys.readouterr().out
    assert said.index("relative error of gradients") < said.index("deliberately wrong backwards")
    assert main(["verify", "tanh"]) == 0  # the catalogue is not asked
    assert "deliberately" not in capsys.readouterr().out
    monkeypatch.setattr(report, "gradcheck_rows", lambda names: rows[:1])
    assert main(["gradcheck"]) == 0
    assert "relative error of gradients, by differences" in " ".join(capsys.readouterr().out.split())
