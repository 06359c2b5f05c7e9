"""A look at tables and images before training."""

import importlib.util
import json

import numpy as np
import pytest

from tinygrad_notes.cli import main
from tinygrad_notes.data import ArrayDataset, images_description
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


# ---- every line ----------------------------------------------------------------------------------

COLUMNS = """\
n,big,w,t
1,1234567,red,a
2,1234567,red,a
3,1234567,blue,b
4,1234567,green,
100,1234567,gray,b
,1234567,pink,a
1,1234567,red,a
"""


def test_every_cell_of_a_table(tmp_path, capsys):
    file = tmp_path / "t.csv"
    file.write_text(COLUMNS)
    code, out, _ = look(capsys, file, "--target", "t")
    assert code == 0
    printed = out.splitlines()
    assert printed[0] == f"{file}: 7 rows, 4 columns, 2 values missing, 1 duplicate rows"
    deviation = np.std([1, 2, 3, 4, 100, 1])
    assert [line.split() for line in printed[2:5]] == [
        [
            "numbers",
            "missing",
            "distinct",
            "min",
            "quartile_1",
            "median",
            "quartile_3",
            "max",
            "mean",
            "std",
            "outliers",
        ],
        ["n", "1", "5", "1", "1.25", "2.5", "3.75", "100", "18.5", f"{deviation:.5g}", "1"],
        ["big", "0", "1", *6 * ["1.2346e+06"], "0", "0"],
    ]
    assert [" ".join(line.split()) for line in printed[6:9]] == [
        "words most frequent missing distinct",
        "w red 3, blue 1, green 1, gray 1, ... 0 5",
        "t a 4, b 2 1 2",
    ]
    assert [line.split() for line in printed[10:14]] == [
        ["t:", "2", "classes"], ["class", "rows", "share"],
        ["a", "4", "66.7", "%"], ["b", "2", "33.3", "%"],
    ]  # fmt: skip
    assert [line.split() for line in printed[14:]] == [
        [], ["correlations"], ["n", "big"], ["n", "1.00", "-"], ["big", "-", "-"]]  # fmt: skip
    _, out, _ = look(capsys, file, "--target", "t", "--json")
    found = json.loads(out)
    assert list(found) == [
        "data", "rows", "duplicates", "missing", "columns", "correlations", "target", "classes"]  # fmt: skip
    assert (found["data"], found["target"], found["classes"]) == (str(file), "t", {"a": 4, "b": 2})
    assert found["columns"][0] == {
        "name": "n", "kind": "numbers", "missing": 1, "distinct": 5, "min": 1, "quartile_1": 1.25,
        "median": 2.5, "quartile_3": 3.75, "max": 100, "mean": 18.5, "std": pytest.approx(deviation),
        "outliers": 1}  # fmt: skip
    assert found["columns"][3] == {
        "name": "t", "kind": "words", "missing": 1, "distinct": 2, "words": {"a": 4, "b": 2}}  # fmt: skip
    assert found["correlations"]["columns"] == ["n", "big"]


def test_a_column_without_numbers_has_dashes_and_one_alone_no_correlations(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("n,d\n,2020-01-02\nNA,2020-01-03\n")
    code, out, _ = look(capsys, tmp_path / "t.csv", "--target", "n")
    printed = out.splitlines()
    assert code == 0 and printed[3].split() == ["n", "2", "0", *8 * "-"]
    assert printed[6].split() == ["d", "2020-01-02", "1,", "2020-01-03", "1", "0", "2"]
    assert "column 'd' holds dates" in printed[8] and "correlations" not in out and "classes" not in out


def test_the_first_twenty_classes_and_words_are_shown_and_shares_are_of_all(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("n,c\n" + "".join(f"{i},w{i // 2:02d}\n" for i in range(42)))
    _, out, _ = look(capsys, tmp_path / "t.csv", "--target", "c")
    shown = out.split("\nc: 21 classes\n")[1].splitlines()
    assert len(shown) == 21 and shown[-1].split() == ["w19", "2", "4.8", "%"]
    _, out, _ = look(capsys, tmp_path / "t.csv", "--target", "c", "--json")
    found = json.loads(out)
    assert len(found["classes"]) == 21 and len(found["columns"][1]["words"]) == 20


def test_a_decimal_comma_is_passed_on(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("n;m\n1,5;1\n2,5;3\n")
    for option, kind in (([], "words"), (["--decimal-comma"], "numbers")):
        _, out, _ = look(capsys, tmp_path / "t.csv", *option, "--json")
        assert json.loads(out)["columns"][0]["kind"] == kind


LEVELS = {"cat": (10, 1), "dog": (5, 3)}  # images of the training and of the test
LOOKED = {
    "images": 1234,
    "classes": {name: {"train": train, "test": test} for name, (train, test) in LEVELS.items()},
    "mean": [33.35, 1.0],
    "std": [2.04, 70.0],
}
DAMAGED = [{"file": f"{i}.png", "reason": f"why {i}"} for i in range(6)]


@pytest.mark.parametrize(
    ("more", "head", "told"),
    [
        ({"sizes": ["28×28", "3×4"], "damaged": []}, "0 damaged", ["sizes: 28×28, 3×4"]),
        (
            {"files": {"PNG RGB": 1230, "JPEG L": 4}, "damaged": DAMAGED,
             "width": {"min": 2, "median": 2.5, "max": 9}, "height": {"min": 3, "median": 4.0, "max": 8}},
            "6 damaged",
            [*(f"  {i}.png: why {i}" for i in range(5)), "width: 2 to 9, median 2.5",
             "height: 3 to 8, median 4", "files: 1,230 PNG RGB, 4 JPEG L"],
        ),
    ],
)  # fmt: skip
def test_every_line_of_images(more, head, told, monkeypatch, capsys):
    pixels = np.zeros((2, 256), np.int64)
    monkeypatch.setattr("tinygrad_notes.cli.data.describe_images", lambda *_: (LOOKED | more, pixels))
    code, out, _ = look(capsys, "digits")
    assert code == 0
    assert out.splitlines() == [
        f"digits: 1,234 images of 2 classes, {head}", *told,
        "mean and deviation of pixels, 0 to 255: 33.4 ± 2.0, 1.0 ± 70.0", "",
        "class  train  test  of train  of test",
        "cat       10     1    66.7 %   25.0 %",
        "dog        5     3    33.3 %   75.0 %",
    ]  # fmt: skip
    _, out, _ = look(capsys, "digits", "--json")
    assert json.loads(out) == {"data": "digits", **LOOKED, **more}


def test_parts_without_an_image_have_shares_of_0(monkeypatch, capsys):
    found = LOOKED | {"classes": {"cat": {"train": 2, "test": 0}}, "sizes": ["1×1"], "damaged": []}
    monkeypatch.setattr("tinygrad_notes.cli.data.describe_images", lambda *_: (found, None))
    _, out, _ = look(capsys, "digits")
    assert out.splitlines()[-1].split() == ["cat", "2", "0", "100.0", "%", "0.0", "%"]


@pytest.mark.parametrize(
    ("option", "named"), [(["--target", "x"], "target"), (["--decimal-comma"], "decimal-comma")]
)
def test_what_is_of_tables_is_refused_for_images(option, named, capsys, tmp_path):
    (tmp_path / "cat").mkdir()
    for source in ("digits", tmp_path):
        code, _, err = look(capsys, source, *option)
        assert (code, err) == (
            2,
            f"tinygrad-notes: {source} holds images, and --{named} is of tables: leave it out\n",
        )


def test_a_look_at_images_of_two_sizes_counts_every_pixel(monkeypatch):
    def part(images, labels):
        return ArrayDataset(np.array(images, np.uint8), np.array(labels), ["a", "b"])

    train = part([[[[0, 1, 2]], [[10, 10, 10]]], [[[3, 4, 255]], [[20, 20, 20]]]], [0, 1])
    test = part([[[[7], [8]], [[9], [9]]]], [1])
    monkeypatch.setattr(images_description, "load", lambda source, progress: (train, test))
    found, pixels = images_description.describe_images("digits")
    assert found["sizes"] == ["3×1", "1×2"] or found["sizes"] == ["1×2", "3×1"]
    assert (found["images"], found["damaged"]) == (3, [])
    assert found["classes"] == {"a": {"train": 1, "test": 0}, "b": {"train": 1, "test": 1}}
    values = [0, 1, 2, 3, 4, 255, 7, 8], [10, 10, 10, 20, 20, 20, 9, 9]
    assert found["mean"] == pytest.approx([np.mean(v) for v in values])
    assert found["std"] == pytest.approx([np.std(v) for v in values])
    assert pixels.shape == (2, 256)
    for counts, of in zip(pixels, values, strict=True):
        np.testing.assert_array_equal(counts, np.bincount(of, minlength=256))
