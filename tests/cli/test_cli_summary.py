"""summary of runs: the model of every task is told by the run folder alone."""

import json
import re

import pytest

from tinygrad_notes.cli import main
from tinygrad_notes.cli.networks import find_network
from tinygrad_notes.models import SequenceClassifier, Transformer
from tinygrad_notes.models.count import parameter_count, undrawn
from tinygrad_notes.nn import Module
from tinygrad_notes.tasks import MODELS, find_task, task_of
from tinygrad_notes.train.run import Run, load_trained

ROWS = "".join(f"the word {'ab' * i}\t{'xy'[i % 2]}\n" for i in range(1, 40))
PAIRS = "".join(f"number {i}\tnumeral {i * i}\n" for i in range(100))
SERIES = "series,label,x,y\n" + "".join(
    f"{i},{'ab'[i % 2]},{i},{step}\n" for i in range(20) for step in range(3)
)
# task: model, options, the input of a sample, a layer, the shape of its output and its parameters
RUNS = {
    "images": ("simplecnn", {"limit": 60}, [1, 28, 28], "features.3", [32, 14, 14], 4640),
    "tables": ("mlp", {"data": "penguins", "target": "species"}, [10], "layers.1", [64], 704),
    "labels": ("classify", {"data": "rows.tsv", "width": 8, "bidirectional": True},
               [20], "rnn", [20, 16], 1152),
    "language": ("charlm", {"data": "pairs.tsv", "cell": "transformer", "width": 8, "places": 12,
                 "layers": 1}, [12], "transformer.layers.0.linear1", [12, 32], 288),
    "words": ("word2vec", {"data": "text.tsv", "dim": 6, "min_count": 1}, [11], "", [], None),
    "seq2seq": ("seq2seq", {"data": "pairs.tsv", "width": 8}, [20, 20], "encoder", [20, 8], 912),
    "translation": ("translate", {"data": "pairs.tsv", "width": 8, "layers": 1, "longest": 15},
                    [15, 15], "decoder.layers.0.linear2", [15, 8], 4104),
}  # fmt: skip


def started(model, folder, **options):
    """The folder of a run that has not trained yet, and the parameters of its model."""
    task = task_of(model, options.get("data"))
    run = Run.start(task, task.settings(model, **options), folder)
    return task, parameter_count(run.model)


@pytest.mark.parametrize("name", MODELS)
def test_summary_of_a_run(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.tsv").write_text(ROWS)
    (tmp_path / "pairs.tsv").write_text(PAIRS)
    (tmp_path / "text.tsv").write_text(30 * "the whole is the sum of its parts.\n")
    model, options, shape, layer, output, parameters = RUNS[name]
    task, total = started(model, tmp_path / "run", **options)
    assert task is find_task(name)
    for file in tmp_path.glob("*.tsv"):  # the folder is enough
        file.unlink()
    assert main(["summary", "run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["model"], found["run"], found["input_shape"]) == (model, "run", shape)
    assert found["parameters"] == sum(row["parameters"] for row in found["layers"]) == total
    assert all(row["shape"] is not None for row in found["layers"])
    (row,) = (row for row in found["layers"] if row["name"] == layer)
    assert row["shape"] == output and parameters in (None, row["parameters"])
    assert ("macs" in found) == (name in ("images", "tables"))
    assert main(["summary", "./run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{model} of run, input ") and lines[-1].split()[1] == f"{total:,}"


def test_summary_of_a_run_on_series(tmp_path, capsys):
    (tmp_path / "series.csv").write_text(SERIES)
    started("classify", tmp_path / "run", data=str(tmp_path / "series.csv"), width=8)
    assert main(["summary", str(tmp_path / "run"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["input_shape"] == [20, 2]


@pytest.mark.parametrize("model", ("charlm", "tokenlm", "word2vec", "classify", "seq2seq", "translate"))
def test_summary_and_graph_know_the_models_of_sequences(model, capsys):
    for command in ("summary", "graph"):
        assert main([command, model, "--json"]) == 0
    assert '"parameters"' in capsys.readouterr().out


def test_every_model_of_train_has_a_name_here():
    for model in (name for names in MODELS.values() for name in names):
        assert find_network(model)


def test_named_models_are_what_train_makes(capsys):
    """Of its default data classify knows 119 characters and 19 languages, translate 2,000 byte pairs."""
    with undrawn():
        expected = {"classify": SequenceClassifier(19, 119), "translate": Transformer(2000, 128, 4, 3, 512)}
    for name, model in expected.items():
        assert main(["summary", name, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["parameters"] == parameter_count(model)


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (["nowhere"], "unknown network 'nowhere'; known are AlexNet, "),
        (["nowhere"], "; nor is there a folder of that name"),
        (["runs/nowhere"], "runs/nowhere is not a folder"),
        (["empty"], "empty is not a run folder: it has no config.json"),
        (["./lenet5"], "lenet5 is not a run folder"),
        (
            ["empty", "--variant", "paper"],
            "--variant is of a network by its name, and empty is a run: leave it out",
        ),
    ],
)
def test_wrong_folders(arguments, reason, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "lenet5"):
        (tmp_path / name).mkdir()
    assert main(["summary", *arguments]) == 2
    said = capsys.readouterr().err
    assert reason in said and said.count("\n") == 1


def test_a_folder_called_like_a_network_is_the_network(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lenet5").mkdir()
    assert main(["summary", "lenet5"]) == 0
    assert "LeNet5, input 1×32×32" in capsys.readouterr().out


def test_a_configuration_of_another_model_is_refused(tmp_path, capsys):
    task, _ = started("simplecnn", tmp_path / "run", limit=60)
    load_trained(task, tmp_path / "run")
    config = tmp_path / "run" / "config.json"
    config.write_text(config.read_text().replace('"simplecnn"', '"mlp"'))
    assert main(["summary", str(tmp_path / "run")]) == 2
    assert "config.json" in capsys.readouterr().err


def test_a_summary_has_its_columns_in_their_order(capsys):
    assert main(["summary", "lenet5"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[2] == ["layer", "kind", "weight", "output", "parameters", "multiply-adds"]
    assert lines[3] == ["features.0", "Conv2d", "6×1×5×5", "6×28×28", "156", "117,600"]
    assert lines[-2] == ["classifier.5", "Linear", "10×84", "10", "850", "840"]
    assert lines[-1] == ["total", "61,706", "416,520"]


def test_edges_of_a_graph_go_where_the_values_go(capsys):
    said = {}
    for form in ("--json", "--dot"):
        assert main(["graph", "mlp", form]) == 0
        said[form] = capsys.readouterr().out
    nodes = json.loads(said["--json"])["nodes"]
    edges = {(i, node["number"]) for node in nodes for i in node["inputs"] if i is not None}
    assert {tuple(map(int, edge)) for edge in re.findall(r"n(\d+) -> n(\d+);", said["--dot"])} == edges
    boxes = {int(n) for n in re.findall(r"n(\d+) \[.*shape=box", said["--dot"])}
    assert boxes == {node["number"] for node in nodes if not node["operation"]}
    assert all(n not in boxes for _, n in edges) and len(edges) == len(nodes) - 1  # no value is used twice


@pytest.mark.parametrize(
    ("model", "seen", "unseen"),
    [("resnet20", "BatchNormFixed", "BatchNorm"), ("translate", "LayerNorm", "Dropout")],
)
def test_a_graph_is_of_the_network_as_it_is_used_after_training(model, seen, unseen, monkeypatch, capsys):
    found = []
    for how in (None, lambda module: module):  # once more as in training, which is another graph
        if how is not None:
            monkeypatch.setattr(Module, "eval", how)
        assert main(["graph", model, "--json"]) == 0
        found.append({node["operation"] for node in json.loads(capsys.readouterr().out)["nodes"]})
    assert seen in found[0] and unseen not in found[0] and unseen in found[1]


def test_a_graph_as_text_has_its_columns_in_their_order(capsys):
    assert main(["graph"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1:9] == [
        ["%0", "w", "3×2"], ["%1", "b", "2"], ["%2", "MatMul", "4×2", "·", "%0", "a"],
        ["%3", "Add", "4×2", "%2", "%1"], ["%4", "Sigmoid", "4×2", "%3", "y"],
        ["%5", "Subtract", "4×2", "%4", "·"], ["%6", "Power", "4×2", "%5", "x"],
        ["%7", "Mean", "scalar", "%6"],
    ]  # fmt: skip
    assert " ".join(lines[-1]) == "8 nodes; the graph holds 224 bytes of arrays (· is a constant)"
