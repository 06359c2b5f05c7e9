"""Which pictures a run gets, of what; and those of images, pixel by pixel, where they are small."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.train.lines import LINES
from tinygrad_notes import nn
from tinygrad_notes.data import ArrayDataset
from tinygrad_notes.tasks import classification, find_task, lettering, task_of
from tinygrad_notes.tasks.classification import listed
from tinygrad_notes.tasks.images import pictures
from tinygrad_notes.train import plots
from tinygrad_notes.train.options import RunError, option, options_of
from tinygrad_notes.train.run import Run, load_trained
from tinygrad_notes.train.task import Outcome

PREDICTED, LABELS = np.array([1, 0, 1]), np.array([0, 0, 1])
EACH = {"predicted": PREDICTED, "labels": LABELS}

# ---- which pictures ------------------------------------------------------------------------------


@pytest.fixture
def drawn(monkeypatch):
    """What is asked of those who draw: [(name, arguments)]."""
    calls = []

    def told(name):
        return lambda *what: calls.append((name, *what))

    monkeypatch.setattr(classification, "confusion_plot", told("confusion"))
    monkeypatch.setattr("tinygrad_notes.tasks.tables.task.predictions_plot", told("predictions"))
    for name in ("filters", "feature_maps", "mistakes"):
        monkeypatch.setattr(pictures, name, told(name))
    return calls


@pytest.mark.parametrize("task", ["labels", "tables"])
def test_a_classifier_gets_its_confusion_matrix(drawn, tmp_path, task):
    run = SimpleNamespace(facts={"classes": ["x", "y"]}, folder=tmp_path)
    find_task(task).report(run, None)
    assert drawn == []
    find_task(task).report(run, Outcome(each=EACH))
    ((name, counts, classes, path),) = drawn
    assert (name, counts.tolist(), classes) == ("confusion", [[1, 1], [0, 1]], ["x", "y"])
    assert path == tmp_path / "confusion_matrix.png"


def test_a_number_gets_its_predictions(drawn, tmp_path):
    run = SimpleNamespace(facts={"target": "mass"}, folder=tmp_path)
    find_task("tables").report(run, Outcome(each=EACH))
    assert drawn == [("predictions", PREDICTED, LABELS, "mass", tmp_path / "predictions.png")]


@pytest.mark.parametrize("tested", [False, True])
def test_images_get_their_pictures(drawn, tmp_path, tested):
    task, model = find_task("images"), nn.Linear(1, 1)
    part = ArrayDataset(np.arange(48, dtype=np.uint8).reshape(3, 1, 4, 4), LABELS, "xy")
    facts = {"classes": ["x", "y"], "mean": [0.5], "std": [0.25], "shape": [1, 4, 4]}
    run = SimpleNamespace(best_model=lambda: model, parts=SimpleNamespace(test=part), facts=facts,
                          settings=task.settings("mlp", shift=0, flip=False), folder=tmp_path)  # fmt: skip
    task.report(run, Outcome(each=EACH) if tested else None)
    filters, maps, *others = drawn
    assert filters == ("filters", model, (1, 4, 4), tmp_path / "first_layer_filters.png")
    name, of, data, images, path = maps
    assert (name, of, data, path) == ("feature_maps", model, part, tmp_path / "feature_maps.png")
    np.testing.assert_allclose(images.numpy(), (part.images[:1] / 255 - 0.5) / 0.25, rtol=1e-5)
    if not tested:
        assert others == []
        return
    (_, counts, classes, path), (name, data, predicted, last) = others
    assert (counts.tolist(), classes, path.name) == ([[1, 1], [0, 1]], ["x", "y"], "confusion_matrix.png")
    assert (name, data, predicted, last) == ("mistakes", part, PREDICTED, tmp_path / "misclassified.png")


def test_a_decoder_without_attention_has_nothing_to_show():
    task = find_task("seq2seq")
    assert task.report(SimpleNamespace(settings=task.settings("seq2seq", attention="none")), None) is None


def test_words_get_their_plane(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(
        "tinygrad_notes.tasks.words.pictures.words_in_a_plane", lambda *what: calls.append(what)
    )
    table = np.eye(2, dtype=np.float32)
    facts = {"vocabulary": {"tokens": ["a", "b"], "counts": [2, 1], "special tokens": []}}
    run = SimpleNamespace(facts=facts, best_model=lambda: SimpleNamespace(state_dict=lambda: {"syn0": table}),
                          folder=tmp_path)  # fmt: skip
    find_task("words").report(run, None)
    ((vectors, path),) = calls
    assert vectors.words == ["a", "b"] and path == tmp_path / "words.png"


def test_a_run_draws_its_curves_and_what_the_task_shows(monkeypatch, tmp_path):
    run = Run.start(LINES, LINES.settings("line", epochs=1), tmp_path / "r")
    run.fit()
    calls = []
    monkeypatch.setattr(plots, "learning_curves", lambda *what: calls.append(what))
    monkeypatch.setattr(LINES, "report", lambda *what: calls.append(what), raising=False)
    run.plot(outcome := Outcome("x"))
    assert calls == [(run.trainer.history, run.folder / "learning_curves.png", LINES.percent), (run, outcome)]


# ---- what is left of a run -----------------------------------------------------------------------


def test_the_best_weights_are_taken_where_there_are_some(tmp_path):
    run = Run.start(LINES, LINES.settings("line", epochs=1), tmp_path / "r")
    names = {}
    for when in ("before", "after"):
        config, state = load_trained(LINES, run.folder)
        names[when] = "optimizer" in state["resume"]
        assert config == run.config
        run.fit()
    assert names == {"before": True, "after": False}  # the checkpoint, then the best
    for name, whole in (("checkpoint.safetensors", True), ("best.safetensors", False), (None, False)):
        assert ("optimizer" in load_trained(LINES, run.folder, name)[1]["resume"]) == whole
    assert load_trained(LINES, run.folder)[1]["resume"]["epoch"] == 1


def test_a_run_without_a_test_part_is_not_tested(monkeypatch, tmp_path):
    load = LINES.load
    with monkeypatch.context() as patch:

        def without(settings, facts=None, **how):
            parts = load(settings, facts, **how)
            return type(parts)(parts.train, None, None, parts.facts)

        patch.setattr(LINES, "load", without)
        run = Run.start(LINES, LINES.settings("line", epochs=1), tmp_path / "r")
        run.fit()
    assert run.test() is None and run.best_model() is run.model
    assert not (run.folder / "best.safetensors").exists()


def test_models_and_tasks_by_their_names():
    models = ("mlp", "charlm", "tokenlm", "word2vec", "translate", "classify")
    names = ["images", "language", "language", "words", "translation", "labels"]
    assert [task_of(model).name for model in models] == names
    with pytest.raises(RunError, match=r"^unknown model 'vgg'; train knows mlp, simplecnn, .*, classify$"):
        task_of("vgg")
    with pytest.raises(
        RunError, match=r"unknown task 'text'; there are images, language, words, seq2seq, tra"
    ):
        find_task("text")
    assert listed("abc") == "3 classes (a, b, c)" and listed("abcd") == "4 classes (a, b, c, ...)"


# ---- options in words ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "declared", "rule", "help"),
    [
        (int, dict(default=3, least=1), "a whole number of at least 1", "h (default 3)"),
        (
            float,
            dict(default=0.001, above=0, below=0.5),
            "a number above 0 and below 0.5",
            "h (default 0.001)",
        ),
        (float, dict(default=40.0), "a number", "h (default 40)"),
        (int | None, dict(default=None), "a whole number or none", "h"),
        (bool, dict(default=True), "true or false", "h (default yes)"),
        (bool, dict(default=False), "true or false", "h (default no)"),
        (bool | None, dict(default=None), "true or false or none", "h"),
        (str, dict(default="a"), "a word", "h (default a)"),
        (str, dict(default="a", choices=("a", "b")), "one of a, b", "h: a, b (default a)"),
        (str, dict(default="a", choices={"a": "x", "b": ""}), "one of a, b", "h: a (x), b (default a)"),
        (float | str | None, dict(default=0.1), "a number or a word or none", "h (default 0.1)"),
    ],
)
def test_an_option_says_what_it_must_be(kind, declared, rule, help):
    from dataclasses import make_dataclass

    (one,) = options_of(make_dataclass("Some", [("of_it", kind, option(help="h", **declared))])).values()
    assert (one.rule, one.described(one.default), one.flag) == (rule, help, "--of-it")
    assert one.read("NONE") is None if one.optional else not one.allows(None)


# ---- pictures of images --------------------------------------------------------------------------


@pytest.fixture
def figures(figures, monkeypatch):
    """They are drawn and not written."""
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, path, dpi: None)
    return figures


def test_tiles_stand_in_rows_with_lines_between_them():
    tiles = np.array([1.0, 2, 3])[:, None, None, None] * np.ones((1, 1, 24, 24))
    image = pictures._mosaic(tiles, 2, ground=9.0)
    assert image.shape == (98, 98, 1)  # doubled, and a gap of 2
    assert (image[:48, :48] == 1).all() and (image[:48, 50:] == 2).all() and (image[50:, :48] == 3).all()
    assert (image[48:50] == 9).all() and (image[:, 48:50] == 9).all() and (image[50:, 50:] == 9).all()


@pytest.mark.parametrize(("channels", "ground"), [(1, np.nan), (2, np.nan), (3, 1.0)])
def test_filters_are_scaled_by_their_largest_weight(figures, channels, ground):
    layer = nn.Conv2d(channels, 100, 2)
    weight = np.zeros((100, channels, 2, 2), np.float32)
    weight[0, 0], weight[1, 0] = [[4, -2], [0, 1]], [[0, -0.5], [0, 0]]
    layer.weight.data = weight
    pictures.filters(nn.Sequential(layer), (channels, 9, 9), "f.png")
    (axes,) = figures[0].axes
    scale = "gray is 0" if channels == 3 else "red is positive, blue negative"
    assert axes.get_title("left") == f"weights of the first layer: 96 of 100 filters of 2×2, {scale}"
    image = np.asarray(axes.images[0].get_array())
    first, second = image[:48:24, :48:24], image[:48:24, 50:98:24]
    if channels == 3:
        first, second = first[..., 0], second[..., 0]
    assert first.tolist() == [[1, 0.25], [0.5, 0.625]] and second.tolist() == [[0.5, 0], [0.5, 0.5]]


@pytest.mark.parametrize(("shape", "title"), [((1, 2, 3), "3 filters of 2×3"), ((1, 3, 3), None)])
def test_rows_of_a_linear_layer_are_images_where_they_fit(figures, shape, title):
    pictures.filters(nn.Sequential(nn.Flatten(), nn.Linear(6, 3)), shape, "f.png")
    assert len(figures) == (title is not None)
    assert title is None or title in figures[0].axes[0].get_title("left")


def test_feature_maps_are_those_of_four_depths(figures):
    model = nn.Sequential(*(nn.Conv2d(1 if i == 0 else 20, 20, 3, padding=1) for i in range(7)))
    data = ArrayDataset(np.zeros((1, 1, 5, 6), np.uint8), [1], ["a", "b" * 17])
    pictures.feature_maps(model, data, data.images.astype(np.float32), "f.png")
    titles = [axes.get_title("left") for axes in figures[0].axes]
    assert titles == [f"input\n{'b' * 15}…", *(f"{i}\n16 of 20 maps, 5×6" for i in (0, 2, 4, 6))]


@pytest.mark.parametrize(("wrong", "shown"), [(0, []), (4, [0, 1, 2, 3]), (7, [0, 2, 4, 6])])
def test_mistakes_are_shown_evenly(figures, monkeypatch, wrong, shown):
    assert pictures.MOST_MISTAKES == 24
    monkeypatch.setattr(pictures, "MOST_MISTAKES", 4)  # so many pictures take their time
    data = ArrayDataset(np.zeros((50, 1, 2, 2), np.uint8), [0] * 50, [f"c{i}" for i in range(50)])
    predicted = np.zeros(50, int)
    predicted[:wrong] = np.arange(wrong) + 1
    pictures.mistakes(data, predicted, "m.png")
    said = [axes.get_title() for axes in figures[0].axes if axes.images]
    assert said == [f"c{i + 1}?\nc0" for i in shown]
    assert figures[0].get_suptitle().startswith(f"{wrong} of 50 taken for another class")


@pytest.mark.parametrize(
    ("length", "short", "end"),
    [(16, "0123456789abcdef", "0123456789abcdef"), (17, "0123456789abcde…", "…23456789abcdefg")],
)
def test_long_names_lose_their_end_or_their_beginning(length, short, end):
    name = "0123456789abcdefg"[:length]
    assert (pictures._short(name), pictures._end(name)) == (short, end)


def test_an_image_is_shown_in_its_range():
    bytes_ = np.array([[[0, 255]]], np.uint8)
    assert pictures.picture(bytes_).tolist() == [[[0] * 3, [1] * 3]]
    assert pictures.picture(np.array([[[2.0, 4.0]]])).tolist() == [[[0] * 3, [1] * 3]]
    assert pictures.picture(np.full((1, 1, 1), 7.0)).tolist() == [[[0] * 3]]
    color = np.array([0, 51, 102], np.uint8).reshape(3, 1, 1)
    np.testing.assert_allclose(pictures.picture(color), [[[0, 0.2, 0.4]]])


@pytest.mark.parametrize(("count", "numbers", "named"), [(25, 25, 25), (26, 0, 26), (51, 0, 26)])
def test_a_large_confusion_matrix_has_no_numbers(figures, count, numbers, named):
    classification.confusion_plot(np.eye(count, dtype=int), [f"c{i}" for i in range(count)], "c.png")
    axes = figures[0].axes[0]
    assert len(axes.texts) == numbers and len(axes.get_xticks()) == len(axes.get_yticks()) == named


def test_numbers_are_white_on_dark_cells(figures):
    classification.confusion_plot(np.array([[64, 36], [37, 63]]), ["a", "b"], "c.png")
    colors = {text.get_text(): text.get_color() for text in figures[0].axes[0].texts}
    assert colors == {"64": "white", "36": "black", "37": "white", "63": "white"}


@pytest.mark.parametrize(("epochs", "marker"), [(40, "o"), (41, None)])
def test_few_epochs_are_marked(figures, epochs, marker):
    plots.learning_curves([{"epoch": i, "train_loss": 1.0} for i in range(1, epochs + 1)], "l.png")
    (line,) = figures[0].axes[0].lines
    assert line.get_marker() == (marker or "None") and line.get_label() == "train"
    with pytest.raises(ValueError, match="learning_curves: no epoch has been finished yet"):
        plots.learning_curves([], "l.png")


def test_fonts_made_for_chinese_come_first():
    names = ["Zen Serif", "SimHei", "Noto Sans CJK JP", "An Antiqua", "Noto Sans CJK SC", "Other Sans"]
    order = ["Noto Sans CJK SC", "Noto Sans CJK JP", "SimHei", "Other Sans", "An Antiqua", "Zen Serif"]
    assert sorted(names, key=lettering._rank) == order
