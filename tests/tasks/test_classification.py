"""Counts by hand, plots that are images, sizes that are known."""

import itertools

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import nn
from tinygrad_notes.autograd.graph import graph
from tinygrad_notes.data import ArrayDataset
from tinygrad_notes.models.summary import summary
from tinygrad_notes.tasks import classification
from tinygrad_notes.tasks.classification import accuracy, confusion_matrix, precision_recall, report
from tinygrad_notes.tasks.images import pictures
from tinygrad_notes.train import plots

LABELS = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 1, 0, 1, 1, 1])


def test_counts():
    counts = confusion_matrix(PREDICTED, LABELS, 4)
    assert counts.tolist() == [[2, 1, 0, 0], [0, 2, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    assert accuracy(PREDICTED, LABELS) == 4 / 6
    precision, recall = precision_recall(counts)
    np.testing.assert_array_equal(precision, [1, 0.5, np.nan, np.nan])
    np.testing.assert_array_equal(recall, [2 / 3, 1, 0, np.nan])
    text = report(counts, "abcd")
    assert text["accuracy"] == 4 / 6
    assert text["precision"] == [1, 0.5, None, None]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: confusion_matrix([0, 3], [0, 1], 3), "predicted run from 0 to 3"),
        (lambda: confusion_matrix([0, 1], [-1, 1], 3), "labels run from -1"),
        (lambda: accuracy([0, 1], [0]), "must be"),
        (lambda: accuracy([0.5], [0]), "integers"),
        (lambda: accuracy(np.zeros(0, int), np.zeros(0, int)), "no prediction"),
    ],
)
def test_wrong_counts_are_refused(call, error):
    with pytest.raises((ValueError, TypeError), match=error):
        call()


HISTORY = [{"epoch": e, "train_loss": 1 / e, "train_accuracy": 1 - 1 / e, "validation_loss": 1 / e,
            "validation_accuracy": 0.5} for e in (1, 2, 3)]  # fmt: skip


def test_plots_are_images_and_touch_no_global_state(tmp_path):
    pytest.importorskip("matplotlib")
    import matplotlib
    from PIL import Image

    before = dict(matplotlib.rcParams)
    plots.learning_curves(HISTORY, tmp_path / "l.png")
    plots.learning_curves([{"epoch": 1, "train_loss": 1.0, "train_accuracy": 0.5}], tmp_path / "one.png")
    classification.confusion_plot(confusion_matrix(PREDICTED, LABELS, 3), ["cat", "a long name", "dog"],
                         tmp_path / "c.png")  # fmt: skip
    assert dict(matplotlib.rcParams) == before
    for file in tmp_path.iterdir():
        with Image.open(file) as image:
            assert min(image.size) > 400
            assert len(image.convert("L").getcolors()) > 10


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_epochs_are_whole_numbers(tmp_path, figures, epochs):
    plots.learning_curves(HISTORY[:epochs], tmp_path / "l.png")
    for axes in figures[0].axes:
        low, high = axes.get_xlim()
        shown = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert shown == list(range(1, epochs + 1))


@pytest.mark.parametrize("last", [0.0, 0.2, 0.45, 0.5, 1.0])
def test_last_accuracy_stands_inside_the_axes(tmp_path, figures, last):
    history = [dict(HISTORY[0], validation_accuracy=0.5), dict(HISTORY[1], validation_accuracy=last)]
    plots.learning_curves(history, tmp_path / "l.png", ("accuracy",))
    figures[0].canvas.draw()
    axes = figures[0].axes[1]
    (label,) = axes.texts
    box, inside = label.get_window_extent(), axes.get_window_extent()
    assert label.get_text() == f"{100 * last:.2f}" and inside.y0 < box.y0 < box.y1 < inside.y1


@pytest.mark.parametrize(("count", "name"), [(50, "{}"), (120, "a long name {}")])
def test_names_of_classes_do_not_overlap(tmp_path, figures, count, name):
    classes = [name.format(i) for i in range(count)]
    classification.confusion_plot(np.eye(count, dtype=int), classes, tmp_path / "c.png")
    figures[0].canvas.draw()
    axes = figures[0].axes[0]
    for ticks, labels in ((axes.get_xticks(), axes.get_xticklabels()),
                          (axes.get_yticks(), axes.get_yticklabels())):  # fmt: skip
        assert [label.get_text() for label in labels] == [classes[tick] for tick in ticks]
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert all(upper.y0 >= lower.y1 for upper, lower in itertools.pairwise(boxes))
    first, second = (axes.transData.transform((tick, 0))[0] for tick in axes.get_xticks()[:2])
    slant = np.radians(axes.get_xticklabels()[0].get_rotation())
    assert (second - first) * np.sin(slant) > boxes[0].height


def test_titles_of_feature_maps_do_not_overlap(tmp_path, figures):
    from matplotlib.text import Text

    data = ArrayDataset(np.zeros((1, 1, 12, 12), np.uint8), [0], ["W" * 40])
    model = nn.Sequential(*(nn.Conv2d(1, 1, 3) for _ in range(4)))
    pictures.feature_maps(model, data, np.zeros((1, 1, 12, 12), np.float32), tmp_path / "f.png")
    figures[0].canvas.draw()
    titles = [
        next(t for t in axes.findobj(Text) if t.get_text() == axes.get_title("left"))
        for axes in figures[0].axes
    ]
    boxes = [title.get_window_extent() for title in titles]
    assert len(boxes) == 5
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_plots_without_matplotlib_name_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"tinygrad-notes\[plot\]"):
        plots.learning_curves(HISTORY, tmp_path / "l.png")


def test_sizes_of_lenet5():
    layers = summary(tg.models.LeNet5(), (1, 32, 32))
    assert sum(x.parameters for x in layers) == 61_706
    assert sum(x.macs for x in layers) == 416_520
    assert [x.shape for x in layers if x.kind == "Conv2d"] == [(6, 28, 28), (16, 10, 10)]
    assert [x.parameters for x in layers if x.parameters] == [156, 2_416, 48_120, 10_164, 850]


def test_layers_of_1998():
    """The connection table counts what it connects; the network itself, with its bitmaps, is no layer."""
    layers = summary(tg.models.LeNet1998(), (1, 32, 32))
    assert [x.name for x in layers] == ["c1", "s2", "c3", "s4", "c5", "f6"]
    assert [x.macs for x in layers] == [117_600, 0, 150_000, 0, 48_000, 10_080]
    assert sum(x.parameters for x in layers) == 60_000


class Shared(nn.Module):
    """One layer under two names, run three times; one layer that never runs."""

    def __init__(self):
        self.a = nn.Linear(3, 3)
        self.b = self.a
        self.c = nn.Linear(3, 3, bias=False)
        self.c.weight = self.a.weight
        self.unused = nn.Linear(2, 5)

    def forward(self, x):
        return self.c(self.b(self.a(self.a(x))))


def test_shared_parameters_count_once_and_every_call_works():
    model = Shared()
    layers = summary(model, (3,))
    assert [(x.name, x.parameters, x.macs) for x in layers] == [("a", 12, 27), ("c", 0, 9), ("unused", 15, 0)]
    assert layers[-1].shape is None
    assert sum(x.parameters for x in layers) == sum(p.size for p in model.parameters())
    assert "forward" not in vars(model.a)
    assert model.training


@pytest.mark.parametrize("make", [tg.models.LeNet1998, tg.models.SimpleCNN, lambda: tg.models.CifarResNet(8)])
def test_shapes_are_those_of_a_forward_and_need_none(make, monkeypatch):
    model, ran = make().eval(), []
    kinds = nn.Conv2d, nn.Linear

    def compute(forward):
        def run(x):
            y = forward(x)
            ran.append(y.shape[1:])
            return y

        return run

    counted = [m for m in model.modules() if isinstance(m, kinds)]
    for layer in counted:
        monkeypatch.setattr(layer, "forward", compute(layer.forward))
    model(np.zeros((1, *model.input_shape), np.float32))
    monkeypatch.undo()
    for kind in kinds:
        monkeypatch.setattr(kind, "forward", lambda layer, x: 1 / 0)
    layers = summary(model, model.input_shape)
    assert [x.shape for x in layers if x.kind in ("Conv2d", "Linear")] == ran


@pytest.mark.parametrize(
    ("layer", "shape", "reason"),
    [
        (nn.Conv2d(4, 6, 3), (3, 5, 5), "Conv2d: takes 4 numbers at each place, got 3"),
        (nn.Conv2d(4, 6, 3), (4, 2, 5), "Conv2d: an input of .* leaves no output"),
        (nn.Linear(3, 2), (4,), "Linear: takes 3 numbers at each place, got 4"),
    ],
)
def test_a_sample_that_does_not_fit_is_refused(layer, shape, reason):
    with pytest.raises(ValueError, match=reason):
        summary(nn.Sequential(layer), shape)


def test_grouped_convolution():
    (layer,) = summary(nn.Sequential(nn.Conv2d(4, 6, 3, groups=2, bias=False)), (4, 5, 5))
    assert (layer.parameters, layer.macs) == (6 * 2 * 9, 6 * 9 * 2 * 9)


def test_graph_lists_nodes_in_order_with_what_they_keep():
    x, w = tg.Tensor(np.ones((2, 3))), tg.Tensor(np.ones((3, 4)), requires_grad=True)
    entries = graph(tg.sigmoid(x @ w).sum(), {"w": w})
    assert [(e.operation, e.name, e.shape, e.inputs) for e in entries] == [
        ("", "w", (3, 4), []),
        ("MatMul", "", (2, 4), [None, 0]),
        ("Sigmoid", "", (2, 4), [1]),
        ("Sum", "", (), [2]),
    ]
    assert [e.keeps for e in entries] == [[], ["a"], ["y"], []]
    assert [e.kept_bytes for e in entries] == [0, 48, 64, 0]


def test_graph_counts_an_array_that_is_kept_twice_once():
    w = tg.Tensor(np.ones((3, 4)), requires_grad=True)
    y = tg.sigmoid(w * w)
    entries = graph((y * y).sum(), {"w": w})
    assert [e.operation for e in entries] == ["", "Multiply", "Sigmoid", "Multiply", "Sum"]
    assert [sorted(e.keeps) for e in entries] == [[], ["a", "b"], ["y"], ["a", "b"], []]
    assert [e.kept_bytes for e in entries] == [0, 96, 96, 0, 0]  # the second product keeps what y is


def test_graph_lists_what_the_second_order_needs():
    x = tg.Tensor(np.arange(12.0).reshape(3, 4), requires_grad=True)
    *_, entry = graph(tg.var(x), {"x": x})
    assert sorted(entry.keeps) == ["centered", "x"] and entry.kept_bytes == 2 * 96
    first, *_, entry = graph(tg.nn.functional.layer_norm(x, (4,)), {"x": x})
    assert (first.keeps, sorted(entry.keeps)) == ([], ["gamma", "inv_std", "mean", "x"])


def test_graph_of_nothing():
    with pytest.raises(ValueError, match="nothing was recorded"):
        graph(tg.Tensor(1.0), {})


def test_long_names_have_room(tmp_path):
    """The picture grows with them; the matrix does not shrink."""
    imread = pytest.importorskip("matplotlib.image").imread
    for name, classes in (
        ("short", ["a", "b"]),
        ("long", ["a", "a name of forty letters, as some people like"]),
    ):
        classification.confusion_plot(np.eye(2, dtype=int), classes, tmp_path / f"{name}.png")
    short, long = (imread(tmp_path / f"{name}.png")[..., :3] for name in ("short", "long"))
    dark = [int((picture.sum(axis=2) < 1.2).sum()) for picture in (short, long)]  # the two squares of hits
    assert dark[1] > 0.7 * dark[0]
