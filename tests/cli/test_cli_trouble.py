"""What goes wrong around a command: empty words, readers that leave, missing homes and memory, Ctrl-C at odd
moments."""

import pytest

from tinygrad_notes.cli import main


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
