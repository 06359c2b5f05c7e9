"""What goes wrong around a command: empty words, readers that leave, missing homes and memory, Ctrl-C at odd
moments."""

import os
import sys

import pytest

from tinygrad_notes.cli import main
from tinygrad_notes.verify import report


@pytest.mark.parametrize(
    "words",
    [
        ["train", "mlp", "--data"], ["train", "mlp", "--validation"], ["train", "mlp", "--out"],
        ["train", "--resume"], ["train", "charlm", "--text"], ["train", "translate", "--pairs"],
        ["train", "classify", "--labels"], ["train", "mlp", "--data", "penguins", "--leave-out"],
        ["eval"], ["eval", "RUN", "--data"], ["predict"], ["predict", "RUN"], ["generate"], ["neighbors"],
        ["vectors", "FILE", "--out"], ["vectors", "FILE", "--evaluate"], ["study", "activation", "--out"],
        ["bpe", "train", "--out"], ["bpe", "train", "--out", "FILE"], ["bpe", "show"],
    ],
)  # fmt: skip
def test_an_unset_variable_is_not_the_folder_one_is_in(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*words, ""]) == 2
    said = capsys.readouterr().err
    assert "must not be empty; is a variable of the shell unset?" in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_text_may_be_empty(tmp_path, capsys):
    pairs = str(tmp_path / "pairs.json")
    assert main(["bpe", "train", "--size", "300", "--out", pairs]) == 0
    capsys.readouterr()
    assert main(["bpe", "encode", pairs, ""]) == 0
    assert capsys.readouterr().out == "\n"


# ---- readers ---------------------------------------------------------------------------------------


def main_without_reader(words):
    """The exit code where stdout is a pipe that nobody reads, and every line is written at once."""
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.MonkeyPatch.context() as patch, os.fdopen(writer, "w", buffering=1) as stdout:
        patch.setattr(sys, "stdout", stdout)
        return main(words)


@pytest.mark.parametrize(
    "words",
    [
        ["verify", "sigmoid"], ["gradcheck", "sigmoid"], ["verify", "sigmoid", "--json"], ["doctor"],
        ["summary", "lenet5"], ["diff", "lenet5"], ["derive", "sigmoid"], ["graph"], ["graph", "--dot"],
        ["study"], ["study", "--json"], ["--help"], ["train", "--help"], ["bpe", "train", "--help"],
    ],
)  # fmt: skip
def test_a_reader_that_leaves_is_no_failure(words, capfd):
    assert main_without_reader(words) == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("words", [["verify"], ["gradcheck"], ["verify", "--json"]])
def test_a_check_fails_whoever_reads_of_it(words, monkeypatch):
    failed = {"name": "Sigmoid", "passed": False}
    monkeypatch.setattr(report, "gradcheck_rows", lambda names: [failed])
    monkeypatch.setattr(report, "verify_rows", lambda names: [failed])
    assert main_without_reader([*words, "sigmoid"]) == 1
