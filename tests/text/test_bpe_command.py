"""``tinygrad-notes bpe``: learned from a file, shown, and back again."""

import io
import json
import re

import pytest

from tinygrad_notes.cli import main


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bpe")
    (folder / "text.txt").write_text("low lower lowest 低 " * 50, encoding="utf-8")
    path = folder / "pairs.json"
    learn = ["train", str(folder / "text.txt"), "--size", "270", "--special", "<s>", "--out", str(path)]
    assert main(["bpe", *learn]) == 0
    return str(path)


def said(capsys, *words):
    assert main(["bpe", *words]) == 0
    return capsys.readouterr().out


def test_there_and_back(pairs, capsys, monkeypatch):
    ids = said(capsys, "encode", pairs, "lowest <s>低").split()
    assert said(capsys, "decode", pairs, *ids) == "lowest <s>低\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"lower\nlow")))
    ids = said(capsys, "encode", pairs)
    monkeypatch.setattr("sys.stdin", io.StringIO(ids))
    assert json.loads(said(capsys, "decode", pairs, "--json")) == {"text": "lower\nlow"}
    found = json.loads(said(capsys, "encode", pairs, "low<s>", "--json"))
    assert found["tokens"] == ["low", "<s>"] and found["ids"][1] == 0


def test_a_word_is_shown_merge_by_merge(pairs, capsys):
    (word,) = json.loads(said(capsys, "show", pairs, "lower", "--json"))["words"]
    assert word["steps"][0] == list("lower") and "".join(word["steps"][-1]) == "lower"
    assert len(word["steps"]) == len(word["steps"][0]) - len(word["steps"][-1]) + 1
    table = said(capsys, "show", pairs, "lower")
    assert "l o w e r" in table and table.splitlines()[-1].startswith("ids")


def test_broken_bytes_on_standard_input(pairs, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"low \xff")))
    assert main(["bpe", "encode", pairs]) == 2
    assert re.search(r"standard input: byte 4 \(0xff\) is no UTF-8.*--errors", capsys.readouterr().err)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"low \xff")))
    ids = said(capsys, "encode", pairs, "--errors", "replace").split()
    assert said(capsys, "decode", pairs, *ids) == "low \ufffd\n"


@pytest.mark.parametrize("action", ["encode", "decode"])
def test_a_closed_standard_input_is_told(pairs, action, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    assert main(["bpe", action, pairs]) == 2
    assert "bpe: standard input is closed; pass " in capsys.readouterr().err


def test_wrong_use_is_told(pairs, capsys, tmp_path):
    for words, message in (
        (["decode", pairs, "-1"], "required|unrecognized|whole numbers"),
        (["decode", pairs, "x"], "ids are whole numbers"),
        (["decode", pairs, "999"], "there is no id 999"),
        (["show", str(tmp_path / "no.json"), "x"], "no such file"),
        (["train", str(tmp_path / "no.txt"), "--out", "x"], "cannot be read"),
        ([], "ACTION"),
    ):
        assert main(["bpe", *words]) == 2
        assert re.search(message, capsys.readouterr().err)
