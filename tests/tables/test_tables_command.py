"""Tables from the command line: trained, gone on with, tested, predicted from, and refused in a sentence."""

import importlib.util
import json

import numpy as np
import pytest

from tinygrad_notes.cli import main
from tinygrad_notes.data import held_out
from tinygrad_notes.data.tables import load_penguins
from tinygrad_notes.tasks.tables import TASK
from tinygrad_notes.train.run import Run

QUICK = ["--epochs", "3", "--json"]
TYPED = (
    "species=Gentoo,island=Biscoe,bill_length_mm=46,bill_depth_mm=14,flipper_length_mm=217,body_mass_g=,"
    "sex=female,year=2008"
)


@pytest.fixture
def unplotted(monkeypatch):
    """Plots take longer than what is tested here."""
    monkeypatch.setattr(Run, "plot", lambda run, outcome: None)


def run(capsys, *words):
    """(exit code, what was printed, what was said beside it)."""
    code = main(list(map(str, words)))
    said = capsys.readouterr()
    return code, said.out, said.err


def weights(folder):
    from tinygrad_notes.checkpoint import load

    return {k: v for k, v in load(folder / "checkpoint.safetensors").items() if k != "resume"}


@pytest.mark.parametrize(("target", "figure"), [("species", "accuracy"), ("body_mass_g", "rmse")])
def test_penguins_are_learned_tested_and_predicted(tmp_path, capsys, target, figure):
    folder = tmp_path / "run"
    train = ["train", "mlp", "--data", "penguins", "--target", target, "--out", folder]
    code, out, err = run(capsys, *train, "--epochs", 12, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["test_accuracy"] > 0.9 if figure == "accuracy" else found["test_rmse"] < 450
    assert "missing" in err  # the report of the cleaning stands before the first epoch
    assert err.index("missing") < err.index("epoch")
    code, out, _ = run(capsys, "eval", folder, "--json")
    assert code == 0
    picture = {"accuracy": "confusion_matrix.png", "rmse": "predictions.png"}[figure]
    assert (folder / picture).is_file() or importlib.util.find_spec("matplotlib") is None
    assert json.loads(out)[figure] == pytest.approx(found[f"test_{figure}"])
    code, out, _ = run(capsys, "predict", folder, TYPED, "--json")
    assert code == 0
    (row,) = json.loads(out)["predictions"]
    if figure == "accuracy":
        assert "Gentoo" in row.values()
        assert 0.5 < row["probability"] <= 1
    else:
        assert 4000 < row["body_mass_g"] < 6000  # in grams


def test_a_run_that_was_cut_goes_on_bit_for_bit(tmp_path, capsys, unplotted):
    words = ["mlp", "--data", "penguins", "--target", "sex", "--schedule", "constant", "--json"]
    assert run(capsys, "train", *words, "--epochs", 4, "--out", tmp_path / "whole")[0] == 0
    assert run(capsys, "train", *words, "--epochs", 2, "--out", tmp_path / "cut")[0] == 0
    assert run(capsys, "train", "--resume", tmp_path / "cut", "--epochs", 4)[0] == 0
    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(np.array_equal(whole[name], cut[name]) for name in whole)


def test_a_file_and_its_predictions(tmp_path, capsys, unplotted):
    """Predicted row by row as all at once; unseen words are told; the run needs its table no more."""
    pytest.importorskip("pandas", reason="files of tables need pandas")
    rng = np.random.default_rng(0)
    lines = [f"{x:.3f},{w},{2 * x + 3 * (w == 'b'):.3f}" for x in rng.normal(size=120) for w in "ab"]
    path = tmp_path / "t.csv"
    path.write_text("x,w,y\n" + "\n".join(lines))
    folder = tmp_path / "run"
    train = ["train", "mlp", "--data", path, "--target", "y", "--out", folder, "--epochs", 40, "--json"]
    code, out, err = run(capsys, *train)
    assert code == 0, err
    assert json.loads(out)["test_rmse"] < 0.3
    path.unlink()
    (tmp_path / "new.csv").write_text("w,x,more\nb,1,7\na,-1,8\nc,0,9\n")
    code, out, _ = run(capsys, "predict", folder, tmp_path / "new.csv", "--json")
    whole = [row["y"] for row in json.loads(out)["predictions"]]
    assert whole[:2] == pytest.approx([5, -2], abs=0.5)
    alone = []
    for typed in ("w=b,x=1", "w=a,x=-1", "w=c,x=0"):
        alone += [
            row["y"] for row in json.loads(run(capsys, "predict", folder, typed, "--json")[1])["predictions"]
        ]
    assert alone == pytest.approx(whole, abs=1e-5)
    assert "'c'" in run(capsys, "predict", folder, tmp_path / "new.csv")[1]
    code, _, err = run(capsys, "predict", folder, "w=b")
    assert code == 2
    assert "lacks the column x" in err
    assert len(err.splitlines()) == 1


def test_another_table_is_tested_as_a_whole(tmp_path, capsys, unplotted):
    pytest.importorskip("pandas", reason="files of tables need pandas")
    folder = tmp_path / "run"
    assert (
        run(capsys, "train", "mlp", "--data", "penguins", "--target", "species", "--out", folder, *QUICK)[0]
        == 0
    )
    header = ",".join(load_penguins().columns) + "\n"
    rows = "Adelie,Dream,39,18,181,3750,male,2007\nGentoo,Mars,46,14,217,5000,female,2008\n"
    (tmp_path / "o.csv").write_text(header + rows)
    code, out, err = run(capsys, "eval", folder, "--data", tmp_path / "o.csv", "--json")
    assert code == 0, err
    assert json.loads(out)["samples"] == 2
    assert "'Mars'" in run(capsys, "eval", folder, "--data", tmp_path / "o.csv")[1]
    (tmp_path / "o.csv").write_text(header + rows.replace("Gentoo", "Emperor"))
    code, _, err = run(capsys, "eval", folder, "--data", tmp_path / "o.csv")
    assert code == 2
    assert "'Emperor'" in err


def rows(form, count=24):
    """A header, and rows in which {i} counts and {w} is x, then y."""
    return "a,b,t\n" + "".join(form.format(i=i, w="xy"[i % 2]) + "\n" for i in range(count))


T = ["--target", "t"]
BAD = {
    "unknown target": (rows("{i},2,{w}"), ["--target", "u"], "no column 'u'"),
    "no target": (rows("{i},2,{w}"), [], "--target"),
    "one class": (rows("{i},2,x"), T, "in all"),
    "one number": (rows("{i},2,5"), T, "in all"),
    "no value of the target": (rows("{i},2,NA"), T, "in "),
    "all rows dropped": (rows("{i},,{w}") + rows(",{i},{w}")[6:], [*T, "--missing", "drop"], "--missing"),
    "decimal comma": (rows('"{i},5",{i},{w}'), T, "comma"),
    "dates": (rows("2007-11-{i},{i},{w}").replace("-11-0", "-11-30"), T, "holds dates"),
    "two headers": (rows("{i},1,{w}").replace("b", "a", 1), T, "called 'a'"),
    "another delimiter": (rows("{i},1,{w}").replace(",", ":"), T, "column"),
    "no rows": (rows("", 0), T, "no row"),
    "nothing": ("", T, "is empty"),
    "few rows": (rows("{i},2,{w}", 2), T, "rows"),
    "infinite": (rows("{i},inf,{i}"), T, "infinite"),
    "loss of classes": (rows("{i},2,{w}"), [*T, "--loss", "mse"], "--loss"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_clear_sentence(tmp_path, capsys, kind):
    pytest.importorskip("pandas", reason="files of tables need pandas")
    content, words, sentence = BAD[kind]
    (tmp_path / "t.csv").write_text(content)
    out = tmp_path / "run"
    code, _, err = run(capsys, "train", "mlp", "--data", tmp_path / "t.csv", *words, "--out", out, *QUICK)
    assert code == 2, err
    assert sentence in err
    assert len(err.splitlines()) == 1
    assert not out.exists()


def test_a_table_that_changed_is_refused(tmp_path, capsys, unplotted):
    pytest.importorskip("pandas", reason="files of tables need pandas")
    path, folder = tmp_path / "t.csv", tmp_path / "run"
    rows = [f"{i},{'xy'[i % 2]}\n" for i in range(60)]
    path.write_text("a,t\n" + "".join(rows))
    assert run(capsys, "train", "mlp", "--data", path, "--target", "t", "--out", folder, *QUICK)[0] == 0
    path.write_text("a,t\n" + "".join(rows[:-1]))
    code, _, err = run(capsys, "train", "--resume", folder, "--epochs", 4)
    assert code == 2
    assert "not what the run began with" in err


def test_nothing_of_the_test_part_is_learned(tmp_path):
    """Test rows a million times as large change nothing of the cleaning."""
    pytest.importorskip("pandas", reason="files of tables need pandas")
    x = np.random.default_rng(0).normal(size=80)
    test, found = held_out(np.arange(80) % 2, 0.2, seed=0), []
    for values in (x, np.where(test, 1e6 * x, x)):
        lines = (f"{value!r},{'xy'[i % 2]}\n" for i, value in enumerate(values.tolist()))
        (tmp_path / "t.csv").write_text("a,t\n" + "".join(lines))
        parts = TASK.load(TASK.settings("mlp", data=str(tmp_path / "t.csv"), target="t"))
        found.append((parts.facts["preparation"], parts.train.fingerprint(), parts.test.fingerprint()))
    assert found[0][:2] == found[1][:2]
    assert found[0][2] != found[1][2]


def test_classes_that_are_numbers_stand_in_their_order(tmp_path):
    pytest.importorskip("pandas", reason="files of tables need pandas")
    (tmp_path / "t.csv").write_text("a,t\n" + "".join(f"{i},{(2, 10, 1)[i % 3]}\n" for i in range(60)))
    for goal, sort in (("classes", ["1", "2", "10"]), (None, None)):
        parts = TASK.load(TASK.settings("mlp", data=str(tmp_path / "t.csv"), target="t", goal=goal))
        assert parts.facts.get("classes") == sort
    settings = TASK.settings("mlp", data=str(tmp_path / "t.csv"), target="t", goal="classes", validation=None)
    targets = TASK.load(settings).train.targets.tolist()
    assert sorted(targets.count(i) for i in range(3)) == [16, 16, 16]


def test_a_row_that_is_predicted_has_the_number_it_has_in_its_file(tmp_path, capsys, unplotted):
    pytest.importorskip("pandas", reason="files of tables need pandas")
    (tmp_path / "t.csv").write_text(rows("{i},2.{i},{w}", 60))
    folder = tmp_path / "run"
    words = ["train", "mlp", "--data", tmp_path / "t.csv", *T, "--missing", "drop", "--out", folder, *QUICK]
    assert run(capsys, *words)[0] == 0
    (tmp_path / "new.csv").write_text("a,b\n1,2.5\n2,\n3,2.5\n")
    code, out, _ = run(capsys, "predict", folder, tmp_path / "new.csv", "a=1,b=2.5", "--json")
    assert code == 0
    named = [row["input"] for row in json.loads(out)["predictions"]]
    assert named == [f"{tmp_path / 'new.csv'}, row 1", f"{tmp_path / 'new.csv'}, row 3", "a=1,b=2.5"]


def test_outliers_leave_the_training_part_only(tmp_path):
    pytest.importorskip("pandas", reason="files of tables need pandas")
    values = np.random.default_rng(0).uniform(size=100)
    values[::7] = 1e3 + np.arange(15)
    (tmp_path / "t.csv").write_text("a,t\n" + "".join(f"{v},{'xy'[i % 2]}\n" for i, v in enumerate(values)))
    options = dict(data=str(tmp_path / "t.csv"), target="t", normalization="none")
    kept, left = (TASK.load(TASK.settings("mlp", outliers=what, **options)) for what in ("report", "drop"))
    huge = {name: int((part.inputs > 1).sum()) for name, part in kept.named().items()}
    assert min(huge.values()) > 0 and not (left.train.inputs > 1).any()
    assert len(left.train) == len(left.train.targets) == len(kept.train) - huge["training"]
    for name in ("validation", "test"):
        np.testing.assert_array_equal(left.named()[name].inputs, kept.named()[name].inputs)


def test_errors_of_a_number_are_in_its_own_unit(tmp_path):
    chosen = TASK.settings("mlp", data="penguins", target="body_mass_g", epochs=1)
    run = Run.start(TASK, chosen, tmp_path / "r")
    run.fit()
    outcome = run.test()
    predicted, labels = outcome.each["predicted"], outcome.each["labels"]
    assert labels.min() > 2000 and labels.max() < 7000  # grams
    missed = predicted.ravel() - labels.ravel()
    assert outcome.figures["rmse"] == pytest.approx(np.sqrt(np.mean(missed**2)), rel=1e-4)
    assert outcome.figures["mae"] == pytest.approx(np.abs(missed).mean(), rel=1e-4)


@pytest.mark.parametrize("limit", [None, 50])
def test_each_part_of_a_number_holds_every_tenth_of_it(limit, tmp_path):
    """Whatever the order of the rows, and so do the first of them."""
    pytest.importorskip("pandas", reason="files of tables need pandas")
    values = np.random.default_rng(0).permutation(np.linspace(1, 3, 200)) ** 9
    (tmp_path / "t.csv").write_text("a,t\n" + "".join(f"{i},{v!r}\n" for i, v in enumerate(values.tolist())))
    options = dict(data=str(tmp_path / "t.csv"), target="t", test=0.2, validation=0.25, limit=limit)
    parts = TASK.load(TASK.settings("mlp", **options))
    edges, sizes = np.quantile(values, np.arange(1, 10) / 10), []
    for part in parts.named().values():
        targets = part.targets.ravel() * parts.facts["std"] + parts.facts["mean"]
        counts = np.bincount(np.searchsorted(edges, targets), minlength=10)
        assert len(counts) == 10 and np.abs(counts - len(part) / 10).max() <= 1
        sizes.append(len(part))
    assert sizes == ([120, 40, 40] if limit is None else [50, 40, 40])
