"""Pictures of sequence models: every letter is drawn or written as a code point, every map has its place."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.image import imread

from tinygrad_notes.tasks import lettering, sequence_pictures
from tinygrad_notes.tasks.lettering import Lettering


def weights(*shape):
    return np.random.default_rng(0).dirichlet(np.ones(shape[-1]), shape[:-1])


def test_letters_without_a_font_are_written_as_code_points(monkeypatch):
    monkeypatch.setattr(lettering, "_font_with", lambda letters: None)
    written = Lettering(["5月 3", "a\n$", "\x00"])
    assert [written.of(word) for word in ("5月 3", "a\n$", "\x00", "")] == ["5U+6708␣3", r"a↵\$", "·", "∅"]
    assert written.family == ["DejaVu Sans"] and "U+" in written.note
    assert Lettering(["plain"]).note == ""


def test_letters_of_another_font_stay_as_they_are(monkeypatch):
    monkeypatch.setattr(lettering, "_font_with", lambda letters: "Some Font" if letters == {"月"} else None)
    written = Lettering(["月"])
    assert (written.of("月"), written.family, written.note) == ("月", ["DejaVu Sans", "Some Font"], "")


def test_a_font_is_found_by_the_letters_that_it_has():
    assert lettering._font_with(frozenset("abc")) is not None
    assert lettering._font_with(frozenset("\U0010fffd")) is None


def test_pictures_are_written_without_warnings(tmp_path):
    rows, columns = list("2023-05-12"), list("5月 12 $")
    sequence_pictures.attention_map(weights(10, 7), rows, columns, tmp_path / "one.png")
    layers = {f"layer {i}": weights(3, 10, 7) for i in (1, 2)}
    sequence_pictures.attention_maps(layers, rows, columns, tmp_path / "all.png")
    sequence_pictures.positions(weights(20, 8), tmp_path / "positions.png")
    sequence_pictures.learning_rates([0.1, 0.2, 0.15], tmp_path / "rates.png")
    for name in ("one", "all", "positions", "rates"):
        picture = imread(tmp_path / f"{name}.png")
        assert min(picture.shape[:2]) > 200 and picture[..., :3].std() > 0.02
    one, every = (imread(tmp_path / f"{name}.png") for name in ("one", "all"))
    assert every.shape[0] > one.shape[0] and every.shape[1] > one.shape[1]
