"""summary, diff and graph of models of sequences."""

import json

import pytest

from tinygrad_notes.cli import main
from tinygrad_notes.models import Seq2Seq
from tinygrad_notes.models.count import parameter_count, undrawn


@pytest.mark.parametrize(
    "name, parameters, inputs, layer",
    [("charlm", 65 * 256 + 2 * 4 * (2 * 256**2 + 2 * 256) + 257 * 65, [64], ("rnn", [64, 256], 1_052_672)),
     ("Transformer-LM", 65 * 256 + 256 * 256 + 4 * (12 * 256**2 + 13 * 256) + 512, [64],
      ("transformer.layers.3.linear1", [64, 1024], 263_168)),
     ("seq2seq", 246_030, [20, 11], ("encoder", [20, 128], 49_920))],
)  # fmt: skip
def test_summary_has_shapes_and_counts(name, parameters, inputs, layer, capsys):
    assert main(["summary", name, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["parameters"], found["input_shape"]) == (parameters, inputs)
    assert sum(row["parameters"] for row in found["layers"]) == parameters
    (row,) = (row for row in found["layers"] if row["name"] == layer[0])
    assert (row["shape"], row["parameters"]) == layer[1:]
    assert main(["summary", name]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["total", f"{parameters:,}"]


def test_diff_of_attentions(capsys):
    assert main(["diff", "seq2seq", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    sizes = {row["variant"]: row["parameters"] for row in found["variants"]}
    with undrawn():
        forms = ("none", "dot", "general", "additive")
        built = {name: parameter_count(Seq2Seq(64, 64, attention=name)) for name in forms}
    assert {name: sizes[name] for name in built} == built
    assert sizes["general"] - sizes["dot"] == 128 * 128 and sizes["dot"] - sizes["none"] == 256 * 128
    assert {row["layer"]: row["additive"] for row in found["layers"]}["attention.v"] == "(128,)"
    assert main(["diff", "seq2seq"]) == 0
    assert "Bahdanau et al. 2014" in capsys.readouterr().out


def test_graph_of_a_language_model(capsys):
    assert main(["graph", "charlm", "--json"]) == 0
    nodes = json.loads(capsys.readouterr().out)["nodes"]
    assert {"Embedding", "LSTM"} <= {node["operation"] for node in nodes}
    assert [(node["operation"], node["shape"]) for node in nodes[-4:]] == [
        ("Linear", [1, 64, 65]), ("Reshape", [64, 65]), ("CrossEntropyOfClasses", [64]), ("Sum", []),
    ]  # fmt: skip
