"""A look at tables and images before training."""

import importlib.util
import json

import numpy as np
import pytest

from tinygrad_notes.cli import main
from tinygrad_notes.data.tables import Table, load_penguins
from tinygrad_notes.data.tables.describe import correlations, describe
from tinygrad_notes.data.tables.table import column_of, words_of
from tinygrad_notes.tasks import lettering

needs_plots = pytest.mark.skipif(not importlib.util.find_spec("matplotlib"), reason="plots need Matplotlib")


def look(capsys, *words):
    code = main(["data", *map(str, words)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_penguins_as_json(capsys):
    code, out, _ = look(capsys, "penguins", "--target", "species", "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["rows"], found["missing"], found["duplicates"]) == (344, 19, 0)
    assert found["classes"] == {"Adelie": 152, "Gentoo": 124, "Chinstrap": 68}
    mass = next(column for column in found["columns"] if column["name"] == "body_mass_g")
    values = load_penguins()["body_mass_g"]
    known = np.sort(values[~np.isnan(values)])
    assert (mass["min"], mass["max"], mass["missing"]) == (known[0], known[-1], 2)
    assert mass["median"] == (known[170] + known[171]) / 2
    assert mass["mean"] == pytest.approx(known.sum() / 342)
    sex = next(column for column in found["columns"] if column["name"] == "sex")
    assert sex["words"] == {"male": 168, "female": 165}


def test_correlations_are_of_the_rows_that_have_both():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 30))
    y = x + y
    x[3], y[5] = np.nan, np.nan
    table = Table(
        {"x": x, "w": words_of(["a"] * 30), "y": y, "c": np.ones(30), "huge": 1e300 * np.arange(30)}
    )
    names, matrix = correlations(table)
    both = ~np.isnan(x) & ~np.isnan(y)
    assert names == ["x", "y", "c", "huge"]
    assert matrix[0][1] == matrix[1][0] == pytest.approx(np.corrcoef(x[both], y[both])[0, 1])
    assert matrix[0][2] is None  # no spread
    assert matrix[3][3] == pytest.approx(1)


def test_what_cannot_be_learned_is_told_and_the_rest_shown():
    table = Table({"day": column_of(["2007-11-11", "2007-11-12"]), "n": column_of(["1", "inf"]),
                   "none": column_of(["", "NA"])}, "t.csv")  # fmt: skip
    day, n, none = describe(table)["columns"]
    assert (day["kind"], day["distinct"]) == ("dates", 2)
    assert "holds dates" in day["trouble"]
    assert "infinite in row 2" in n["trouble"]
    assert (n["min"], n["max"]) == (1, 1)
    assert none["missing"] == 2
    json.dumps(describe(table), allow_nan=False)


@needs_plots
def test_tables_and_images_for_people(tmp_path, capsys):
    code, out, _ = look(capsys, "penguins", "--target", "species", "--out", tmp_path / "p.png")
    assert code == 0
    assert out.startswith("penguins: 344 rows, 8 columns, 19 values missing, 0 duplicate rows\n")
    assert "Chinstrap    68  19.8 %" in out
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    images = pytest.importorskip("PIL.Image", reason="images in files need Pillow")
    for i in range(20):
        name, size = ("cat", (8, 6)) if i % 2 else ("dog", (9, 4))
        (tmp_path / "images" / name).mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(i).integers(0, 255, (*size[::-1], 3), np.uint8)
        images.fromarray(pixels).save(tmp_path / "images" / name / f"{i}.png")
    (tmp_path / "images" / "dog" / "bad.png").write_bytes(b"no image")
    code, out, err = look(capsys, tmp_path / "images", "--out", tmp_path / "i.png", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["images"], found["width"]) == (20, {"min": 8, "median": 8.5, "max": 9})
    assert found["files"] == {"PNG RGB": 20}
    assert [one["file"].rsplit("/", 1)[1] for one in found["damaged"]] == ["bad.png"]
    assert {name: sum(counts.values()) for name, counts in found["classes"].items()} == {"cat": 10, "dog": 10}
    assert (tmp_path / "i.png").is_file()


def test_shares_are_of_the_rows_that_have_a_class(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("n,w\n" + "1,a\n" * 3 + "2,b\n" + "3,NA\n" * 4)
    code, out, _ = look(capsys, tmp_path / "t.csv", "--target", "w")
    assert code == 0 and "\nw: 2 classes\n" in out
    assert out.split("share\n")[1].splitlines()[:2] == ["a         3  75.0 %", "b         1  25.0 %"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["penguins", "--target", "weight"], "no column 'weight'; there are species"),
        (["nothing.csv"], "nothing.csv: there is no such file"),
        (["digits", "--target", "x"], "digits holds images, and --target is of tables: leave it out"),
    ],
)
def test_wrong_use_is_one_sentence(capsys, words, sentence):
    code, _, err = look(capsys, *words)
    assert code == 2
    assert sentence in err
    assert len(err.splitlines()) == 1


@needs_plots
@pytest.mark.parametrize("largest", ["1e308", "inf"])
def test_huge_numbers_are_told_and_the_rest_is_drawn(tmp_path, capsys, largest):
    numbers = [f"-{largest}", largest, "1", "2", largest, f"-{largest}"]
    (tmp_path / "t.csv").write_text("n,w\n" + "".join(f"{number},a$b$\n" for number in numbers))
    code, out, err = look(capsys, tmp_path / "t.csv", "--out", tmp_path / "t.png")
    assert (code, err) == (0, "")
    assert "column 'n'" in out
    code, out, err = look(capsys, tmp_path / "t.csv", "--json")
    assert (code, err) == (0, "") and json.loads(out)["columns"][0]["outliers"] == 0


@needs_plots
def test_a_picture_is_where_it_is_said_to_be(tmp_path, capsys):
    _, out, _ = look(capsys, "penguins", "--out", tmp_path / "v1.2" / "p")
    assert not out  # no such folder
    _, out, _ = look(capsys, "penguins", "--out", tmp_path / "p")
    assert out.endswith(f"histograms: {tmp_path / 'p.png'}\n") and (tmp_path / "p.png").is_file()
    code, _, err = look(capsys, "penguins", "--out", tmp_path / "P.SVG")
    assert (code, err) == (0, "") and b"<svg" in (tmp_path / "P.SVG").read_bytes()


@needs_plots
def test_letters_without_a_font_are_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(lettering, "_installed", dict)
    (tmp_path / "t.csv").write_text("中文,w\n1,\U0010abcd\n2,b\n")
    code, _, err = look(capsys, tmp_path / "t.csv", "--out", tmp_path / "t.png")
    assert code == 0 and (tmp_path / "t.png").is_file()
    assert err.startswith("no installed font has all letters") and err.count("\n") == 1


def test_notes_on_the_test_part_stand_below_the_result(tmp_path, capsys):
    rows = [f"{i},w{i},{'ab'[i % 2]}" for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["n,word,t", *rows]))
    words = ["train", "mlp", "--data", tmp_path / "t.csv", "--target", "t", "--epochs", "1"]
    assert main([*map(str, words), "--out", str(tmp_path / "run")]) == 0
    result, note, folder = capsys.readouterr().out.splitlines()
    assert result.endswith(", epoch 1") and "words that the training had not" in note
    assert folder == f"run folder: {tmp_path / 'run'}"
