"""The page of results: every task has a recorded row, and a new one replaces only its own."""

import re

import pytest

from benchmarks import results
from tinygrad_notes.tasks import MODELS, task_of

SETTING = {"date": "2026-01-02", "cores": 2, "cpu": "a processor"}


def test_a_row_has_the_figures_of_its_task():
    line = results.row("seq2seq", {"loss": 0.5, "accuracy": 0.99, "exact": 0.9875}, 2.46, SETTING)
    assert line == (
        "| seq2seq | `train seq2seq --seed 0` | 98.75 % exact, loss 0.5000 | 2.5 "
        "| 2026-01-02, 2 cores, a processor |\n"
    )


def test_a_new_row_replaces_only_its_own():
    old, kept, new = "| seq2seq | old |\n", "| charlm | kept |\n", "| seq2seq | new |\n"
    page = f"before\n{results.BEGIN}\n| task |\n|---|\n{old}{kept}\n{results.END}after\n"
    once = results.with_row(page, "seq2seq", new)
    assert once == page.replace(old + kept, kept + new)
    assert results.with_row(once, "seq2seq", new) == once
    with pytest.raises(ValueError, match="must have its rows between"):
        results.with_row("no marks", "seq2seq", "")


def test_figures_must_be_those_of_eval(monkeypatch):
    said = {"train": {"test_loss": 1.0}, "eval": {"loss": 1.0}}
    monkeypatch.setattr(results, "_said", lambda words: said[words[0]])
    assert results.run("train charlm")[0] == {"loss": 1.0}
    said["eval"] = {"loss": 2.0}
    with pytest.raises(RuntimeError, match="eval says"):
        results.run("train charlm")


def test_an_unknown_name_is_told(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["results", "charml"])
    with pytest.raises(SystemExit):
        results.main()
    assert "unknown charml; choose from all; digits; mlp" in capsys.readouterr().err


def test_every_task_has_a_training():
    words = [command.split() for command in results.TRAININGS.values()]
    tasks = {task_of(w[1], w[w.index("--data") + 1] if "--data" in w else None).name for w in words}
    assert tasks == set(MODELS)


def test_every_training_has_its_row():
    for name, command in results.TRAININGS.items():
        assert f"| `{command}` |" in recorded(name)


def test_the_readme_says_what_was_recorded():
    text = (results.PAGE.parents[1] / "README.md").read_text(encoding="utf-8")
    figures = {"word2vec": r"loss \d\.\d{4}", "charlm": r"\d\.\d{3} bits", "seq2seq": r"\d+\.\d\d %",
               "translate": r"BLEU \d+\.\d\d"}  # fmt: skip
    for name, pattern in figures.items():
        (line,) = (line for line in text.splitlines() if line.startswith(f"| `{results.TRAININGS[name]}` |"))
        (figure,) = re.findall(pattern, recorded(name))
        assert figure in line


def recorded(name):
    """The row of `name` on the page."""
    rows = results.PAGE.read_text(encoding="utf-8").split(results.BEGIN)[1].split(results.END)[0]
    (row,) = (row for row in rows.splitlines() if row.startswith(f"| {name} | "))
    return row
