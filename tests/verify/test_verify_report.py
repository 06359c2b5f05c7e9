"""The tables of checks: their columns, their verdict, and names that fit nothing."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import json

import pytest
from rich.console import Console

from tinygrad_notes.ops import activation
from tinygrad_notes.verify import report, wrong
from tinygrad_notes.verify.cases import CASES

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


def test_a_row_that_raises_fails_alone(monkeypatch):
    broken = dataclasses.replace(CASES[0], name="broken", run=lambda *_: 1 / 0)
    monkeypatch.setattr(report, "CASES", (broken, CASES[0]))
    rows = report.gradcheck_rows()
    assert [row["passed"] for row in rows] == [False, True]
    assert "broken: raised ZeroDivisionError" in rows[0]["text"]
    assert "-" in printed(rows)[1]


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
