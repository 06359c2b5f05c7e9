"""What plots and tables say, on cases small enough to know every number."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from tinygrad_notes.data import ArrayDataset, WordVectors
from tinygrad_notes.tasks import classification, sequence_pictures
from tinygrad_notes.tasks.images import pictures
from tinygrad_notes.tasks.tables import task as tables
from tinygrad_notes.tasks.words import pictures as words
from tinygrad_notes.train import plots

LABELS = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 1, 0, 1, 1, 1])
COUNTS = np.array([[2, 1, 0], [0, 2, 0], [0, 1, 0]])  # a row for each true class
CLASSES = ["a", "b", "c"]


@pytest.fixture
def figures(monkeypatch):
    """The figures that are made, in their order; none of them is drawn."""
    made, new_figure = [], plots.new_figure

    def kept(*size):
        made.append(new_figure(*size))
        return made[-1]

    for module in (plots, pictures, classification, sequence_pictures, tables, words):
        monkeypatch.setattr(module, "new_figure", kept)
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, path, dpi: None)
    return made


def curves(axes):
    """{label: (color, x, y)} of the lines."""
    return {
        line.get_label(): (line.get_color(), list(line.get_xdata()), list(line.get_ydata()))
        for line in axes.lines
    }


# ---- classes -----------------------------------------------------------------------------------


def test_a_confusion_matrix_has_true_classes_in_rows(figures, tmp_path):
    classification.confusion_plot(COUNTS, CLASSES, tmp_path / "c.png")
    axes, bar = figures[0].axes
    share = np.array([[2 / 3, 1 / 3, 0], [0, 1, 0], [0, 1, 0]])
    np.testing.assert_allclose(axes.images[0].get_array(), np.sqrt(share))
    told = {tuple(map(int, text.get_position())): text.get_text() for text in axes.texts}  # (x, y)
    assert told == {(0, 0): "2", (1, 0): "1", (1, 1): "2", (1, 2): "1"}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    assert axes.get_title("left") == "6 samples, 66.67 % right"
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == CLASSES
    assert bar.get_ylabel() == "share of the true class"
    assert [label.get_text() for label in bar.get_yticklabels()] == [
        "0 %",
        "1 %",
        "5 %",
        "20 %",
        "50 %",
        "100 %",
    ]
    np.testing.assert_allclose(bar.get_yticks() ** 2, [0, 0.01, 0.05, 0.2, 0.5, 1])


def test_the_table_of_an_evaluation():
    found = classification.outcome({"loss": 0.25, "accuracy": 4 / 6}, PREDICTED, LABELS, CLASSES, "images")
    assert found.columns == ["true \\ predicted", "a", "b", "c", "precision", "recall"]
    assert found.rows == [
        ["a", 2, 1, ".", "100.0 %", "66.7 %"],
        ["b", ".", 2, ".", "50.0 %", "100.0 %"],
        ["c", ".", 1, ".", "-", "0.0 %"],
    ]
    assert found.text == "66.67 % of 6 images right, loss 0.2500"
    assert found.details["confusion_matrix"] == COUNTS.tolist()
    assert (found.details["precision"], found.details["recall"]) == ([1, 0.5, None], [2 / 3, 1, 0])
    assert found.each["predicted"] is PREDICTED and found.each["labels"] is LABELS


def test_mistakes_say_what_was_said_and_below_it_what_it_is(figures, tmp_path):
    images = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1) * np.full((2, 2), 40, np.uint8)
    pictures.mistakes(ArrayDataset(images, LABELS, ["ant", "bee", "cat"]), PREDICTED, tmp_path / "m.png")
    shown = {axes.get_title(): axes.images[0].get_array()[0, 0, 0] for axes in figures[0].axes if axes.images}
    assert shown == {"bee?\nant": 40 / 255, "bee?\ncat": 200 / 255}
    said = "2 of 6 taken for another class (what was said, what it is)"
    assert figures[0].get_suptitle() == said


# ---- curves ------------------------------------------------------------------------------------


def test_learning_curves_show_each_part_under_its_name(figures, tmp_path):
    history = [
        {"epoch": epoch, "train_loss": a, "train_accuracy": b, "validation_loss": c, "validation_accuracy": d}
        for epoch, a, b, c, d in [(1, 3.0, 0.1, 4.0, 0.2), (2, 1.0, 0.8, 2.0, 0.5)]
    ]
    plots.learning_curves(history, tmp_path / "l.png", ("accuracy",))
    loss, accuracy = figures[0].axes
    assert curves(loss) == {
        "train": (plots.TRAIN, [1, 2], [3, 1]),
        "validation": (plots.VALIDATION, [1, 2], [4, 2]),
    }
    assert curves(accuracy) == {
        "train": (plots.TRAIN, [1, 2], [10, 80]), "validation": (plots.VALIDATION, [1, 2], [20, 50])
    }  # fmt: skip
    assert [axes.get_title("left") for axes in (loss, accuracy)] == ["loss", "accuracy (%)"]
    assert [text.get_text() for text in accuracy.texts] == ["50.00"] and not loss.texts
    for axes in (loss, accuracy):
        assert [text.get_text() for text in axes.get_legend().get_texts()] == ["train", "validation"]
        assert axes.get_xlabel() == "epoch"


def test_learning_rates_count_their_steps_from_1(figures, tmp_path):
    sequence_pictures.learning_rates([0.1, 0.3, 0.2], tmp_path / "r.png")
    (axes,) = figures[0].axes
    ((_, x, y),) = curves(axes).values()
    assert (x, y) == ([1, 2, 3], [0.1, 0.3, 0.2])
    (most,) = axes.texts
    assert (most.get_text(), most.xy) == ("3.00e-01 at step 2", (2, 0.3))


# ---- sequences ---------------------------------------------------------------------------------


def test_attention_has_a_row_for_each_word_that_is_written(figures, tmp_path):
    weights = np.array([[0.7, 0.2, 0.1], [0.0, 0.5, 0.5]])
    sequence_pictures.attention_map(weights, ["un", "deux"], ["one", "or", "two"], tmp_path / "a.png")
    axes = figures[0].axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), weights)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["un", "deux"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["one", "or", "two"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("read", "written")


def test_attention_has_a_row_for_each_layer_and_a_column_for_each_head(figures, tmp_path):
    maps = {f"layer {i}": np.random.default_rng(i).dirichlet(np.ones(3), (2, 2)) for i in (1, 2)}
    sequence_pictures.attention_maps(maps, ["x", "y"], ["p", "q", "r"], tmp_path / "a.png")
    shown = figures[0].axes[:4]
    titles = [f"layer {i}, head {head}" for i in (1, 2) for head in (1, 2)]
    assert [axes.get_title() for axes in shown] == titles
    for axes, (layer, head) in zip(shown, ((1, 0), (1, 1), (2, 0), (2, 1)), strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), maps[f"layer {layer}"][head])
        spec = axes.get_subplotspec()
        assert (spec.rowspan.start, spec.colspan.start) == (layer - 1, head)


def test_positions_have_a_column_for_each_place(figures, tmp_path):
    table = np.arange(6.0).reshape(3, 2)
    sequence_pictures.positions(table, tmp_path / "p.png")
    left, right = figures[0].axes[:2]
    np.testing.assert_array_equal(left.images[0].get_array(), table.T)
    np.testing.assert_array_equal(right.images[0].get_array(), table @ table.T)
    assert (left.get_xlabel(), left.get_ylabel()) == ("place", "number of the vector")


def test_words_stand_at_their_places(figures, tmp_path):
    vectors = WordVectors(["far", "near", "up"], np.array([[-3, 0], [3, 0.0], [2.5, 2]], np.float32))
    places, shares = words.principal_plane(vectors.unit)
    words.words_in_a_plane(vectors, tmp_path / "w.png")
    (axes,) = figures[0].axes
    np.testing.assert_allclose(axes.collections[0].get_offsets(), places)
    assert [text.get_text() for text in axes.texts] == ["far", "near", "up"]
    np.testing.assert_allclose([text.xy for text in axes.texts], places)
    assert axes.get_xlabel() == f"first direction ({shares[0]:.0%} of the variance)"
    assert axes.get_ylabel() == f"second direction ({shares[1]:.0%})"
    assert shares[0] > shares[1] > 0


# ---- numbers -----------------------------------------------------------------------------------

TRUE, SAID = np.array([1.0, 2.0, 6.0]), np.array([2.0, 2.0, 4.0])


def test_predicted_numbers_stand_above_the_true_ones(figures, tmp_path):
    tables.predictions_plot(SAID, TRUE, "mass", tmp_path / "n.png")
    (axes,) = figures[0].axes
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), np.stack([TRUE, SAID], axis=1))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("mass, true", "mass, predicted")
    assert axes.get_title("left") == "3 rows, missed by 1.291"
    ((_, x, y),) = curves(axes).values()
    assert list(x) == list(y) == [1, 6]


def test_what_an_evaluation_says_of_numbers():
    task = tables.TASK
    figures = task.figures(0.5, 3, {"squared": 5.0, "absolute": 3.0})
    assert figures == {"loss": 0.5, "rmse": pytest.approx((5 / 3) ** 0.5), "mae": 1.0}
    found = tables._regression(figures, SAID, TRUE, "mass")
    assert found.text == "mass of 3 rows missed by 1.291 (root mean square), 1 (mean), R² 0.643, loss 0.5000"
    assert found.details == {"samples": 3, "r2": pytest.approx(9 / 14)}
    assert tables._regression(figures, SAID, np.ones(3), "mass").details["r2"] is None
