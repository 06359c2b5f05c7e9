"""Pictures of sequence models: every letter is drawn or written as a code point, every map has its place."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.image import imread

from tinygrad_notes.cli import main
from tinygrad_notes.data import WordVectors
from tinygrad_notes.tasks import lettering, sequence_pictures
from tinygrad_notes.tasks.classification import confusion_plot
from tinygrad_notes.tasks.lettering import Lettering
from tinygrad_notes.tasks.tables.task import predictions_plot
from tinygrad_notes.tasks.words.pictures import words_in_a_plane


def weights(*shape):
    return np.random.default_rng(0).dirichlet(np.ones(shape[-1]), shape[:-1])


# Which letters the fonts of a system have, those of Matplotlib's own aside; files are called as fonts.
FONTS = {
    "A Sans": "月日",
    "Noto Sans CJK SC": "月日中",
    "Serif of All": "月日中文",
    "Noto Sans CJK TC": "月日中",
    "Broken": "",
}


@pytest.fixture
def fonts(monkeypatch):
    """A system with fonts of your choice among `FONTS`."""
    own = lettering._charmap(lettering._path_of(lettering.DEFAULT))

    def install(*names):
        monkeypatch.setattr(lettering, "_installed", lambda: {name: name for name in names})
        there = {name: frozenset(map(ord, FONTS[name])) for name in names}
        monkeypatch.setattr(lettering, "_charmap", lambda path: there.get(path, own))

    return install


def test_letters_without_a_font_are_written_as_code_points(fonts):
    fonts()
    with pytest.warns(lettering.NoFont, match=r"no installed font has all letters .* U\+4E2D"):
        written = Lettering(["5月 3", "a\n$", "\x00"])
    assert [written.of(word) for word in ("5月 3", "a\n$", "\x00", "")] == ["5U+6708␣3", r"a↵\$", "·", "∅"]
    assert written.family == ["DejaVu Sans"]
    assert Lettering(["plain"]).of("plain") == "plain"  # and no warning


def test_letters_of_another_font_stay_as_they_are(fonts):
    fonts("A Sans", "Broken")
    written = Lettering(["月"])
    assert (written.of("月"), written.family, written.missing) == ("月", ["DejaVu Sans", "A Sans"], set())


def test_a_font_is_chosen_by_the_letters_that_it_has(fonts):
    fonts(*FONTS)
    chosen = [Lettering([word]).family[-1] for word in ("ab", "月", "中", "中文")]
    assert chosen == ["DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK SC", "Serif of All"]
    fonts("A Sans", "Serif of All")
    assert Lettering(["日"]).family[-1] == "A Sans"
    fonts("A Sans", "Noto Sans CJK TC", "Noto Sans CJK SC", "Broken")
    with pytest.warns(lettering.NoFont):  # each has one of the two, and the last none
        assert Lettering(["月文"]).family[-1] == "Noto Sans CJK SC"


def test_letters_that_the_best_font_lacks_are_written_as_code_points(fonts):
    fonts("A Sans", "Noto Sans CJK SC")
    with pytest.warns(lettering.NoFont):
        written = Lettering(["中文月"])
    assert (written.of("中文月"), written.family[-1]) == ("中U+6587月", "Noto Sans CJK SC")


def test_names_keep_their_spaces(fonts):
    fonts()
    assert Lettering(["a b"], signs=False).of("a b") == "a b"


def test_fonts_of_the_system_are_read():
    installed = lettering._installed()
    assert lettering.DEFAULT in installed and lettering._letters(installed[lettering.DEFAULT], {"a"}) == {"a"}
    assert not any(name.startswith("Last Resort") for name in installed)
    assert lettering._charmap(__file__) == lettering._charmap("gone.ttf") == frozenset()


def test_a_font_installed_later_is_found(monkeypatch):
    """Matplotlib's list of fonts is older than a file among them."""
    from matplotlib import font_manager

    manager = font_manager.fontManager
    mono = next(font for font in manager.ttflist if font.name == "DejaVu Sans Mono")
    monkeypatch.setattr(manager, "ttflist", [f for f in manager.ttflist if f.name != mono.name])
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [mono.fname, __file__])
    assert lettering._installed.__wrapped__()[mono.name] == mono.fname


def test_pictures_are_written_without_a_font_for_their_letters(fonts, tmp_path):
    """Nothing but the one warning, of any picture with names; the others have plain letters."""
    fonts()
    rows, columns, names = list("2023-05-12"), list("5月 12 $"), ["中文", "a b", "$"]
    layers = {f"layer {i}": weights(3, 10, 7) for i in (1, 2)}
    vectors = WordVectors(
        ["中", "文", "a", "b"], np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    )
    drawn = {
        "one": lambda path: sequence_pictures.attention_map(weights(10, 7), rows, columns, path),
        "all": lambda path: sequence_pictures.attention_maps(layers, rows, columns, path),
        "words": lambda path: words_in_a_plane(vectors, path),
        "confusion": lambda path: confusion_plot(np.eye(3, dtype=int), names, path),
        "numbers": lambda path: predictions_plot(np.arange(3.0), np.arange(3.0), "中", path),
    }
    for name, draw in drawn.items():
        with pytest.warns(lettering.NoFont) as caught:
            draw(tmp_path / f"{name}.png")
        assert len(caught) == 1, name
        picture = imread(tmp_path / f"{name}.png")
        assert min(picture.shape[:2]) > 200 and picture[..., :3].std() > 0.02
    one, every = (imread(tmp_path / f"{name}.png") for name in ("one", "all"))
    assert every.shape[0] > one.shape[0] and every.shape[1] > one.shape[1]


def test_other_pictures_are_written(tmp_path):
    sequence_pictures.positions(weights(20, 8), tmp_path / "positions.png")
    sequence_pictures.learning_rates([0.1, 0.2, 0.15], tmp_path / "rates.png")
    for name in ("positions", "rates"):
        picture = imread(tmp_path / f"{name}.png")
        assert min(picture.shape[:2]) > 200 and picture[..., :3].std() > 0.02


def test_a_training_says_once_that_no_font_has_its_letters(fonts, tmp_path, capsys):
    fonts()
    file = tmp_path / "pairs.tsv"
    file.write_text("".join(f"n {i}\t第{i * i}\n" for i in range(100)))
    options = ["--epochs", "1", "--width", "8", "--out", str(tmp_path / "run")]
    assert main(["train", "seq2seq", "--data", str(file), *options]) == 0
    said = capsys.readouterr().err
    assert said.count("no installed font has all letters") == 1 and "no plots" not in said
    assert (tmp_path / "run" / "attention.png").exists()
