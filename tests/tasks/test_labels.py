"""The classifier of sequences: as PyTorch's, blind to padding, from files to predictions."""

import json

import numpy as np
import pytest

import tinygrad_notes as tg
from tests import twins
from tinygrad_notes.cli import main
from tinygrad_notes.data import DataError
from tinygrad_notes.models import SequenceClassifier
from tinygrad_notes.tasks.labels import TASK, samples
from tinygrad_notes.tasks.labels.settings import Settings
from tinygrad_notes.train.options import RunError
from tinygrad_notes.train.run import Run

CELLS = [("rnn", False), ("lstm", True), ("gru", True), ("gru", False), ("transformer", False)]


@pytest.mark.parametrize("kind", ["ids", "numbers"])
@pytest.mark.parametrize(("cell", "both"), CELLS)
def test_padding_has_no_influence(cell, both, kind):
    """Other padding, and more of it: the same logits and the same gradients."""
    rng = np.random.default_rng(0)
    lengths, steps = np.array([3, 1, 4]), 4
    if kind == "ids":
        x, junk = rng.integers(1, 9, (3, steps)), rng.integers(1, 9, (3, steps + 2))
    else:
        x, junk = rng.standard_normal((3, steps, 2)), rng.standard_normal((3, steps + 2, 2))
    tg.manual_seed(0)
    model = SequenceClassifier(3, 9 if kind == "ids" else None, 2, cell, 8, 2, both, heads=2).astype(
        "float64"
    )
    real = np.arange(steps) < lengths[:, None]
    other = junk.copy()
    other[:, :steps][real] = x[real]
    found = []
    for sequences in (np.where(real if kind == "ids" else real[..., None], x, 0), other):
        logits = model(tg.Tensor(sequences), lengths)
        model.zero_grad()
        tg.nn.functional.cross_entropy(logits, tg.Tensor([0, 1, 2])).backward()
        found.append([logits.detach().numpy(), *(p.grad.numpy() for p in model.parameters())])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    alone = model(tg.Tensor(x[1:2, :1]), [1]).detach().numpy()
    np.testing.assert_allclose(alone[0], found[0][0][1], rtol=1e-9)


@pytest.mark.parametrize("kind", ["ids", "numbers"])
@pytest.mark.parametrize(("cell", "both"), [*CELLS, ("rnn", True), ("lstm", False)])
def test_logits_and_gradients_as_torch(cell, both, kind):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    tg.manual_seed(0)
    vocabulary = 11 if kind == "ids" else None
    ours = SequenceClassifier(4, vocabulary, 3, cell, 6, 2, both, heads=2).astype("float64")
    net = twins.classifier(ours, cell, both, dropout=0.0, heads=2).double()
    twins.copy_weights(ours, net)
    rng, lengths = np.random.default_rng(1), np.array([5, 2, 3])
    x = rng.integers(0, 11, (3, 5)) if vocabulary else rng.standard_normal((3, 5, 3))
    logits, theirs = ours(tg.Tensor(x), lengths), net(torch.tensor(x), torch.tensor(lengths))
    np.testing.assert_allclose(logits.detach().numpy(), theirs.detach().numpy(), rtol=1e-9)
    tg.nn.functional.cross_entropy(logits, tg.Tensor([0, 3, 1])).backward()
    torch.nn.functional.cross_entropy(theirs, torch.tensor([0, 3, 1])).backward()
    gradients = dict(net.named_parameters())
    for name, parameter in ours.named_parameters():
        np.testing.assert_allclose(parameter.grad.numpy(), gradients[name].grad.numpy(), atol=1e-12)


def test_what_the_model_refuses():
    with pytest.raises(ValueError, match="cell must be one of"):
        SequenceClassifier(2, 5, cell="elman")
    with pytest.raises(ValueError, match="leave out bidirectional"):
        SequenceClassifier(2, 5, cell="transformer", bidirectional=True)
    with pytest.raises(ValueError, match=r"must be ids \(N, T\)"):
        SequenceClassifier(2, 5)(tg.ones((1, 2, 3)), [2])


# ---- files ------------------------------------------------------------------------------------------


def write_series(path, count=40):
    """Rising series are of the class up, falling ones of down; 3 to 8 steps of 2 numbers."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 9, count)
    labels = np.where(np.arange(count) % 2, "up", "down")
    values = [np.outer(np.arange(n) * (1 if label == "up" else -1), [1, 0.5]) + rng.normal(size=2)
              for n, label in zip(lengths, labels, strict=True)]  # fmt: skip
    if path.suffix == ".npz":
        np.savez(path, values=np.concatenate(values), lengths=lengths, labels=labels)
    else:
        rows = [f"s{i},{label},{a:.6f},{b:.6f}" for i, (series, label) in
                enumerate(zip(values, labels, strict=True)) for a, b in series]  # fmt: skip
        path.write_text("series,label,a,b\n" + "\n".join(rows) + "\n")
    return path


def test_the_two_forms_of_series_are_the_same(tmp_path):
    arrays, rows = (samples.read(str(write_series(tmp_path / f"x.{kind}"))) for kind in ("npz", "csv"))
    assert list(arrays.labels) == list(rows.labels) and len(rows.values) == 40
    for a, b in zip(arrays.values, rows.values, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.tsv", "", "holds no sample"),
        ("x.tsv", "Li\tChinese\nAbe\t\n", "line 2 must have 2 columns"),
        ("x.tsv", "a\tb\n" * 9, "all labels are 'b'"),
        ("x.tsv", "a\tb\nc\td\n", "leave none for the"),
        ("x.csv", "", "needs the columns series, label"),
        ("x.csv", "s,l,v\n1,a,2\n1,b,3\n", "line 3: series '1' has the labels 'a' and 'b'"),
        ("x.csv", 's,l,v\n1,a,"2,5"\n', "line 2: '2,5' is no finite number"),
        ("x.csv", "s,l,v\n1,a,nan\n", "'nan' is no finite number"),
        ("x.csv", "s,l,v\n1,a,-1e300\n", r"line 2: -1e300 is more than 1e\+30: measure it in a larger unit"),
        ("x.csv", "s,l,v\n1,a\n", "line 2 has 2 columns, and the header 3"),
        ("x.npz", "no", "not an .npz of plain arrays"),
        ("x.pdf", "no", "must be .tsv"),
    ],
)
def test_files_that_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        samples.load(Settings("classify", data=str(tmp_path / name)), None)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"values": [1.0]}, "needs the arrays values, lengths and labels"),
        ({"values": [1.0, np.inf], "lengths": [2], "labels": ["a"]}, "must be finite numbers"),
        ({"values": [1.0, 1e300], "lengths": [2], "labels": ["a"]}, "measure them in a larger unit"),
        ({"values": [1.0, 2.0], "lengths": [1], "labels": ["a"]}, "add up to the 2 steps"),
        ({"values": [1.0, 2.0], "lengths": [2, 0], "labels": ["a", "b"]}, "positive whole numbers"),
    ],
)
def test_arrays_that_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(DataError, match=message):
        samples.read(str(tmp_path / "x.npz"))


def test_the_split_is_stratified_and_keeps_every_sample_once():
    parts = samples.load(Settings("classify"), None)
    sizes = [len(part) for part in (parts.train, parts.validation, parts.test)]
    assert sum(sizes) == 10_881 and sizes[2] == round(0.2 * 10_881)
    shares = [np.bincount(part.columns[1], minlength=19) / len(part) for part in (parts.train, parts.test)]
    assert np.abs(shares[0] - shares[1]).max() < 0.003
    again = samples.load(Settings("classify"), parts.facts)
    assert again.test.fingerprint() == parts.test.fingerprint()
    other = samples.load(Settings("classify", seed=1), parts.facts)
    assert other.test.fingerprint() == parts.test.fingerprint()  # the same for every seed


# ---- from the command line ------------------------------------------------------------------------------


def test_surnames_are_learned_resumed_and_predicted(tmp_path, capsys):
    run = str(tmp_path / "run")
    options = ["--limit", "400", "--width", "24", "--cell", "gru", "--bidirectional"]
    options += ["--schedule", "constant"]
    assert main(["train", "classify", *options, "--epochs", "4", "--out", run]) == 0
    part = str(tmp_path / "part")
    assert main(["train", "classify", *options, "--epochs", "2", "--out", part]) == 0
    assert main(["train", "--resume", part, "--epochs", "4"]) == 0
    texts = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("run", "part")]
    lines = [[{**json.loads(line), "seconds": 0} for line in text.splitlines()] for text in texts]
    assert lines[0] == lines[1]
    assert lines[0][3]["train_loss"] < 0.9 * lines[0][0]["train_loss"]
    assert (tmp_path / "run" / "confusion_matrix.png").stat().st_size > 1000
    capsys.readouterr()
    assert main(["eval", run, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["samples"] == 400
    assert main(["predict", run, "Garcia", "Müller", "李", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)["predictions"]
    assert [row["input"] for row in said] == ["Garcia", "Müller", "李"]
    assert all(0 < row["probability"] <= 1 for row in said)
    assert main(["predict", run, "李"]) == 0
    assert "unknown characters, read as <unk>: '李'" in capsys.readouterr().out
    assert main(["predict", run, ""]) == 2
    assert "must not be empty" in capsys.readouterr().err
    with pytest.raises(RunError, match="a text is empty"):
        TASK.predict(None, {"characters": {}}, None, ["Garcia", ""], None)


def test_series_are_learned(tmp_path, capsys):
    run, file = str(tmp_path / "run"), str(write_series(tmp_path / "x.csv", 80))
    options = ["--labels", file, "--width", "8", "--cell", "rnn", "--epochs", "12", "--batch-size", "8"]
    assert main(["train", "classify", *options, "--lr", "0.01", "--out", run]) == 0
    capsys.readouterr()
    assert main(["eval", run, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] > 0.9
    assert main(["predict", run, file, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)["predictions"]
    assert len(said) == 80 and said[0]["input"].endswith("x.csv, series 1")
    assert np.mean([row["class"] == ("up" if i % 2 else "down") for i, row in enumerate(said)]) > 0.9


def test_options_that_contradict_each_other():
    for options, message in (
        ({"cell": "transformer", "bidirectional": True}, "looks both ways"),
        ({"cell": "transformer", "width": 30}, "heads = 4 must divide width = 30"),
        ({"cell": "elman"}, "cell"),
    ):
        with pytest.raises(RunError, match=message):
            Settings("classify", **options)
    with pytest.raises(RunError, match=r"longest sequence has .* --places"):
        samples.load(Settings("classify", cell="transformer", places=5), None)
    with pytest.raises(RunError, match="--heads is of a transformer"):
        Settings("classify", heads=2).check_given({"heads"})


def test_the_longest_sequence_may_be_in_any_part(tmp_path):
    parts = set()
    for longest in range(20):
        lines = [f"{'ab'[i % 2] * (9 if i == longest else 3)}\t{i % 2}\n" for i in range(20)]
        (tmp_path / "x.tsv").write_text("".join(lines))
        options = dict(data=str(tmp_path / "x.tsv"), cell="transformer", validation=0.3)
        found = samples.load(Settings("classify", places=9, **options), None).named()
        parts |= {name for name, part in found.items() if part.lengths.max() == 9}
        with pytest.raises(RunError, match="the longest sequence has 9 steps, more than the 8 places"):
            samples.load(Settings("classify", places=8, **options), None)
    assert parts == {"training", "validation", "test"}


def test_a_run_that_has_ended_may_be_resumed_while_it_is_there(tmp_path):
    run = Run.start(TASK, Settings("classify", epochs=1, limit=30, width=4), tmp_path / "run")
    run.fit()
    Run.resume(TASK, run.folder).claim.release()


def test_predictions_are_made_without_dropout(tmp_path, capsys):
    file = tmp_path / "rows.tsv"
    file.write_text("".join(f"{'ab'[i % 2] * (1 + i // 2)}\t{'xy'[i % 2]}\n" for i in range(30)))
    run = Run.start(TASK, TASK.settings("classify", data=str(file), width=8, dropout=0.9), tmp_path / "r")
    assert main(["predict", str(run.folder), *["abba"] * 4, "--json"]) == 0
    first, *others = json.loads(capsys.readouterr().out)["predictions"]
    assert len(others) == 3 and all(row == first for row in others)


def test_each_column_of_a_series_has_its_own_mean_and_deviation(tmp_path):
    file = tmp_path / "series.csv"
    file.write_text("series,label,x,y,z\n" + "".join(
        f"{i},{'ab'[i % 2]},{i % 7},{100 + 5 * (step % 3)},4\n" for i in range(40) for step in range(3)
    ))  # fmt: skip
    parts = TASK.load(TASK.settings("classify", data=str(file)))
    (column, _), (mean, std) = parts.train.columns, (parts.facts["mean"], parts.facts["std"])
    assert (
        0 < mean[0] < 6
        and mean[1:] == pytest.approx([105, 4])
        and std[1:] == pytest.approx([50**0.5 / 3**0.5, 1])
    )
    padded, lengths = column.padded(np.arange(len(column)), 0)
    steps = np.concatenate([series[:length] for series, length in zip(padded, lengths, strict=True)])
    np.testing.assert_allclose(steps.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(steps.std(axis=0), [1, 1, 0], atol=1e-5)
