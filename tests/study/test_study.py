"""Studies: every topic runs, is seeded, and says what its numbers say."""

import json
import re

import numpy as np
import pytest

from tinygrad_notes import study
from tinygrad_notes.cli import main
from tinygrad_notes.nn import Linear, ReLU, Sequential
from tinygrad_notes.study.activation import dead_units
from tinygrad_notes.study.fitting import smooth
from tinygrad_notes.study.initialization import KINDS, variances
from tinygrad_notes.study.optimizer import valley


@pytest.mark.parametrize("topic", study.TOPICS)
def test_a_short_version_of_every_topic(topic, tmp_path):
    """A few of the steps: rows fit their columns, the sentence is one, the picture is drawn."""
    found = study.run(topic, seed=1, share=0.005)
    assert len(found.rows) >= 3 and all(len(row) == len(found.columns) for row in found.rows)
    assert len(set(found.columns)) == len(found.columns)
    assert found.sentence.endswith(".") and not re.search(r"\. [A-Z]", found.sentence)
    assert sum(bool(panel.lines) for panel in found.panels) == len(found.panels)
    pytest.importorskip("matplotlib", reason="plots need Matplotlib")
    found.draw(tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 10_000


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
