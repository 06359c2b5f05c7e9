"""Studies: every topic runs, is seeded, and says what its numbers say."""

import functools
import json
import re

import numpy as np
import pytest

from tinygrad_notes import Tensor, optim, study
from tinygrad_notes.cli import main, studies
from tinygrad_notes.data import held_out
from tinygrad_notes.data.tables import Table, is_missing, load_penguins
from tinygrad_notes.nn import BatchNorm1d, Dropout, Linear, ReLU, Sequential
from tinygrad_notes.study import cleaning, fitting, learning_rate, normalization, optimizer, overfitting
from tinygrad_notes.study.activation import dead_units
from tinygrad_notes.study.finding import Finding, Panel, _draw
from tinygrad_notes.study.fitting import measured, smooth
from tinygrad_notes.study.initialization import KINDS, variances
from tinygrad_notes.study.optimizer import valley


@functools.cache
def short(topic):
    """A few of the steps."""
    return study.run(topic, seed=1, share=0.005)


@pytest.mark.parametrize("topic", study.TOPICS)
def test_a_short_version_of_every_topic(topic, tmp_path):
    """Rows fit their columns, the sentence is one, the picture is drawn."""
    found = short(topic)
    assert len(found.rows) >= 3 and all(len(row) == len(found.columns) for row in found.rows)
    assert len(set(found.columns)) == len(found.columns)
    assert found.sentence.endswith(".") and not re.search(r"\. [A-Z]", found.sentence)
    assert sum(bool(panel.lines) for panel in found.panels) == len(found.panels)
    pytest.importorskip("matplotlib", reason="plots need Matplotlib")
    found.draw(tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 10_000


def test_a_measurement_in_the_midst_of_training_changes_nothing():
    model = Sequential(Linear(3, 4), BatchNorm1d(4), Dropout(0.5), Linear(4, 2))
    x, y = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32), np.arange(6) % 2
    before = model.state_dict()
    model.eval()
    right = 100 * (model(Tensor(x)).numpy().argmax(axis=1) == y).mean()
    model.train()
    first, again = measured(model, x, y), measured(model, x, y)
    assert first == again and first[1] == right
    assert all(module.training for module in model.modules())
    assert all((model.state_dict()[key] == value).all() for key, value in before.items())


def test_the_same_seed_gives_the_same_rows():
    first, again, other = (study.run("loss", seed, 0.02).rows for seed in (3, 3, 4))
    assert first == again != other


def test_the_real_loss_study_from_the_command_line(tmp_path, capsys):
    """A tenth of outliers pulls a squared error far from the slope 2, and Huber's loss hardly."""
    path = tmp_path / "loss.png"
    assert main(["study", "loss", "--json", "--out", str(path)]) == 0
    found = json.loads(capsys.readouterr().out)
    slopes = [float(row["slope"]) for row in found["rows"][:2]]
    assert abs(slopes[0] - 2) > 1 and abs(slopes[1] - 2) < 0.2
    assert f"{slopes[1]:.2f}" in found["sentence"] and path.is_file() and found["picture"] == str(path)
    right = [float(row["test right"].rstrip(" %")) for row in found["rows"][2:]]
    assert right[1] > right[0] + 20  # cross-entropy after the same steps


def test_topics_are_listed_and_unknown_ones_refused(capsys):
    assert main(["study"]) == 0
    listed = capsys.readouterr().out
    assert all(topic in listed for topic in study.TOPICS)
    assert main(["study", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["topics"] == study.TOPICS
    assert main(["study", "zodiac"]) == 2
    assert "unknown topic 'zodiac'; choose from learning-rate, batch-size" in capsys.readouterr().err


def test_the_command_passes_the_seed_on(monkeypatch, capsys):
    asked = []
    found = Finding(("a", "b"), [["x", 1]], "So it is.", [])
    monkeypatch.setattr(studies.study, "run", lambda *arguments: (asked.append(arguments), found)[1])
    assert main(["study", "loss", "--seed", "4", "--json", "--no-plot"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "topic": "loss", "rows": [{"a": "x", "b": 1}], "sentence": "So it is.", "picture": None
    }  # fmt: skip
    assert main(["study", "loss", "--no-plot"]) == 0 and asked == [("loss", 4), ("loss", 0)]


# ---- rows, panels and sentence say the same -------------------------------------------------------------


def test_ratios_are_of_the_curves_that_are_drawn():
    activation, start = short("activation"), short("initialization")
    for name, ratio, *_ in activation.rows:
        _, norms = activation.panels[0].lines[name]
        assert len(norms) == 11 and ratio == f"{norms[0] / norms[-1]:.1e}"
    weakest = min(activation.rows, key=lambda row: float(row[1]))
    assert f"of the last one's with {weakest[0]} and" in activation.sentence
    signals, gradients = (panel.lines for panel in start.panels)
    for name, ratio, gradient, *_ in start.rows[1:]:
        _, signal = signals[name]
        assert len(signal) == 9 and ratio == f"{signal[-1] / signal[0]:.1e}"
        assert gradient == f"{gradients[name][1][0]:.1e}"
    assert start.rows[0][:2] == ["zeros", "0.0e+00"] and "zeros" not in signals


def test_small_batches_take_more_steps_of_the_same_epochs():
    found = short("batch-size")
    for size, count, *_ in found.rows:
        epochs, losses = found.panels[0].lines[size]
        assert len(losses) == int(count) == max(2, round(4 * 4000 / int(size) * 0.005))
        assert epochs == pytest.approx(np.arange(1, int(count) + 1) * int(size) / 4000)


def test_an_early_stop_is_where_the_unseen_loss_is_least(monkeypatch):
    """Of three epochs: the training loss falls, the unseen one is least after the second."""
    pairs = [(0.9, 2.0), (0.5, 1.0), (0.1, 3.0)]
    numbers = iter([(loss, 55.0 - loss) for _ in overfitting.KINDS for pair in pairs for loss in pair])
    monkeypatch.setattr(overfitting, "fit", lambda *_: None)
    monkeypatch.setattr(overfitting, "measured", lambda *_: next(numbers))
    found = study.run("overfitting", share=0.1)
    assert found.rows[:2] == [
        ["nothing", "0.1000", "3.000", "54.9 %", "52.0 %"],
        ["early stopping, epoch 2", "0.5000", "1.000", "54.5 %", "54.0 %"],
    ]
    assert "least after epoch 2 (1.00) and 3.00 after 3" in found.sentence
    lines = found.panels[0].lines
    assert [list(lines[f"nothing, {part}"][1]) for part in ("training", "unseen")] == [
        [train for train, _ in pairs], [unseen for _, unseen in pairs]
    ]  # fmt: skip


def test_the_winner_among_optimizers_has_the_most_right(monkeypatch):
    right = dict(zip(optimizer.KINDS, (9.5, 20.0, 40.0, 30.0), strict=True))
    numbers = iter(right.values())
    monkeypatch.setattr(optimizer, "fit", lambda *_, **options: [1.0])
    monkeypatch.setattr(optimizer, "measured", lambda *_: (1.0, next(numbers)))
    found = study.run("optimizer", share=0.01)
    assert {row[0]: row[5] for row in found.rows} == {name: f"{r:.1f} %" for name, r in right.items()}
    heights = {row[0]: row[2] for row in found.rows}
    for name, (xs, ys) in found.panels[0].lines.items():
        assert (xs[0], ys[0]) == (-4.0, 1.5) and heights[
            name
        ] == f"{(xs[-1] ** 2 + 25 * ys[-1] ** 2) / 2:.1e}"
    lowest = min(heights, key=lambda name: float(heights[name]))
    assert f"in the valley {lowest} is lowest" in found.sentence
    assert "Nesterov has the most right (40.0 %; SGD 9.5 %)" in found.sentence


def test_the_range_test_goes_through_all_rates_and_suggests_a_quarter_of_the_best(monkeypatch):
    tried = []

    def fit(model, optimizer, data, count, seed, after=None):
        for step in range(count):
            tried.append(optimizer.param_groups[0]["lr"])
            if after is not None:
                after(step, 1.0)
        return [abs(step - 6) + 1.0 for step in range(count)]

    monkeypatch.setattr(learning_rate, "fit", fit)
    monkeypatch.setattr(learning_rate, "smooth", lambda values, weight=0.95: values)
    monkeypatch.setattr(learning_rate, "measured", lambda *_: (1.0, 50.0))
    found = study.run("learning-rate", share=0.05)
    rates = np.geomspace(1e-4, 30, 10)
    assert tried[:10] == pytest.approx(rates) and len(tried) == 10 + 3 * 15
    suggested = rates[6] / 4
    assert found.panels[0].marks == {"suggested": suggested} and found.panels[0].log_x
    assert [row[:2] for row in found.rows] == [
        [name, f"{suggested * factor:.3g}"]
        for name, factor in (("a thirtieth", 1 / 30), ("suggested", 1), ("thirtyfold", 30))
    ]
    assert [tried[10 + 15 * i] for i in range(3)] == pytest.approx(
        [suggested / 30, suggested, 30 * suggested]
    )


def test_inputs_are_compared_at_the_best_rate_of_each(monkeypatch):
    right = {0.3: 0.0, 0.1: 20.0, 0.03: 60.0, 0.01: 50.0}
    seen = []

    def trained(data, batch_norm, rate, count, seed):
        seen.append((round(float(data.x.std()), 1), batch_norm, rate))
        return rate, [rate] * count, right[rate] + 10 * batch_norm

    monkeypatch.setattr(normalization, "_trained", trained)
    found = study.run("normalization", share=0.05)
    assert [row[1:] for row in found.rows] == [["0.03", "0.030", "60.0 %"]] * 2 + [
        ["0.03", "0.030", "70.0 %"]
    ] * 2
    assert [norm for _, norm, _ in seen] == [False] * 8 + [True] * 8
    spread = [seen[i][0] for i in range(0, 16, 4)]  # as they are, standardized, and both once more
    assert spread[0] == spread[2] > 2 and spread[1] == spread[3] <= 1
    assert "60.0 % of the test digits right" in found.sentence and "and 70.0 % on the first" in found.sentence


@pytest.mark.parametrize("kind", cleaning.KINDS)
def test_only_the_wrong_cleaning_looks_at_the_test_part(kind):
    """Where the test rows weigh a thousand times as much, nothing of the training part changes; but then."""
    table = load_penguins()
    labels = np.unique(table["species"].astype(str), return_inverse=True)[1]
    train = ~held_out(labels, 0.8, 0)
    heavy = Table({name: np.where(train, values, values * 1000) if values.dtype.kind == "f" else values
                   for name, values in table.columns.items()})  # fmt: skip
    data, other = (cleaning._prepared(t, labels, train, kind) for t in (table, heavy))
    assert np.array_equal(data.x, other.x) == (kind != cleaning.KINDS[2])
    assert np.array_equal(data.y, other.y) and len(data.x) == len(data.y) <= train.sum()
    raw = kind == cleaning.KINDS[0]
    complete = ~np.any([is_missing(table[name]) for name in table.without(["species"]).columns], axis=0)
    for values, classes, part in ((data.x, data.y, train), (data.test_x, data.test_y, ~train)):
        assert (part & ~complete).any()
        assert np.array_equal(classes, labels[part & complete if raw else part])
        assert np.isfinite(values).all() and len(values) == len(classes)
    assert (len(data.x) + len(data.test_x) < len(table)) == raw and (data.x.max() > 1000) == raw


def test_a_panel_is_drawn_as_it_says():
    plots = pytest.importorskip("tinygrad_notes.train.plots")
    axes = plots.new_figure(4, 4).subplots()
    _draw(axes, Panel("title", "across", "up", {"a": ([1, 10], [2, 3]), "b": ([1, 5], [4, 4])}, log_x=True,
                      points=True, dots={"d": ([2], [3])}, marks={"here": 4.0}))  # fmt: skip
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    assert (axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()) == ("title", "across", "up")
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines) == ["d", "a", "b", "here"] and lines["a"].get_color() != lines["b"].get_color()
    assert [list(lines["a"].get_xdata()), list(lines["a"].get_ydata())] == [[1, 10], [2, 3]]
    assert lines["a"].get_marker() == "o" and set(lines["here"].get_xdata()) == {4.0}
    other = plots.new_figure(4, 4).subplots()
    _draw(
        other,
        Panel("t", "x", "y", {"a": ([1, 2], [1, 2])}, log_y=True, contour=([0, 1], [0, 1], [[1, 2], [3, 4]])),
    )
    assert (other.get_xscale(), other.get_yscale()) == ("linear", "log") and other.collections
    assert other.lines[0].get_marker() == "None"
    many = plots.new_figure(4, 4).subplots()
    _draw(many, Panel("t", "x", "y", {str(i): ([1, 2], [i, i]) for i in range(12)}))
    assert [line.get_label() for line in many.lines] == [str(i) for i in range(12)]


# ---- what the numbers are made of -----------------------------------------------------------------------


def test_a_running_mean_is_corrected_at_its_start():
    assert smooth([3.0] * 5) == pytest.approx([3.0] * 5)
    assert smooth([1.0, 3.0], 0.5) == pytest.approx([1.0, (0.25 * 1 + 0.5 * 3) / 0.75])


def test_dead_units_are_counted():
    model = Sequential(Linear(1, 4), ReLU(), Linear(4, 2))
    model[0].weight.data = np.array([[1.0], [-1.0], [0.0], [1.0]], np.float32)
    model[0].bias.data = np.array([0.0, 0.0, -1.0, -9.0], np.float32)
    assert dead_units(model, np.array([[1.0], [2.0]], np.float32)) == 3 / 4


def test_sgd_in_the_valley_is_its_formula():
    """x ← (1 − lr) x and y ← (1 − 25 lr) y."""
    from tinygrad_notes import optim

    path = valley(optim.SGD, 0.03, 5)
    np.testing.assert_allclose(path[:, 0], -4.0 * 0.97 ** np.arange(6), rtol=1e-12)
    np.testing.assert_allclose(path[:, 1], 1.5 * 0.25 ** np.arange(6), rtol=1e-12)


def test_variances_of_he_stay_and_those_of_small_weights_shrink():
    from tinygrad_notes.nn import init
    from tinygrad_notes.study.fitting import digits, network, seeded

    for name, low, high in (("He", 0.1, 10), ("too small, N(0, 0.01²)", 0, 1e-3)):
        seeded(0)
        model = network((784, 256, 256, 256, 10), ReLU)
        for layer in model:
            if isinstance(layer, Linear):
                KINDS[name](layer.weight)
                init.zeros_(layer.bias)
        signal, gradient = variances(model, digits(500))
        assert len(signal) == len(gradient) == 3 and low < signal[2] / signal[0] < high


def test_a_fit_that_is_lost_has_a_loss_for_each_step():
    data = fitting.digits(64, 10)
    model = fitting.network((784, 10), ReLU)
    losses = fitting.fit(model, optim.SGD(model.parameters(), 1e38), data, 12)
    assert len(losses) == 12 and np.isfinite(losses[0]) and np.isnan(losses[-1])
