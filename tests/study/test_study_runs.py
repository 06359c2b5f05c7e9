"""What each study trains, with which options, and what it says of it: `fit` and `measured` are stand-ins."""

import importlib
from types import SimpleNamespace

import numpy as np
import pytest

from tinygrad_notes import backend, optim, study
from tinygrad_notes.data.tables import load_penguins
from tinygrad_notes.nn import Linear
from tinygrad_notes.ops.loss import cross_entropy
from tinygrad_notes.study import batch_size, cleaning, normalization, overfitting
from tinygrad_notes.study.activation import KINDS as ACTIVATIONS
from tinygrad_notes.study.fitting import smooth
from tinygrad_notes.study.initialization import KINDS as WEIGHTS
from tinygrad_notes.study.loss import _squared
from tinygrad_notes.study.optimizer import valley

SEED, SHARE = 3, 0.5
OPTIONS = "lr", "momentum", "nesterov", "weight_decay"


class Traced:
    """A study that trains nothing: loss k of step i of fit number k is on a line from k + 2 to k + 1.

    Of the test rows 1.5 % are right at first, and 1.5 % more each time; of others 50 %.
    """

    def __init__(self, topic, patch, share=SHARE):
        self.fits, self.seeds, self.tests, self.others = [], [], 0, []
        module = importlib.import_module(f"tinygrad_notes.study.{topic.replace('-', '_')}")
        patch.setattr(module, "fit", self.fit)
        patch.setattr(module, "measured", self.measured)
        patch.setattr(module, "seeded", self.seeded)
        if topic == "activation":
            patch.setattr(module, "dead_units", lambda model, x: len(x) / 8000)
        self.found = study.run(topic, SEED, share)

    def seeded(self, seed):
        self.seeds.append(seed)
        backend.manual_seed(seed)

    def fit(self, model, optimizer, data, count, batch=64, seed=0, loss_of=cross_entropy, after=None):
        k = len(self.fits)
        layers = [m for m in model if isinstance(m, Linear)]
        self.fits.append(SimpleNamespace(
            kinds=[type(m).__name__ for m in model], data=data, loss_of=loss_of, count=count, batch=batch,
            seed=seed, optimizer=type(optimizer).__name__,
            clean=all(p.grad is None for p in model.parameters()),
            sizes=[layers[0].weight.shape[1], *(m.weight.shape[0] for m in layers)],
            options={name: optimizer.param_groups[0].get(name, 0) for name in OPTIONS},
            weights=[m.weight.numpy().copy() for m in layers], biases=[m.bias.numpy().copy() for m in layers],
            all_of_it=sum(p.size for p in optimizer.param_groups[0]["params"])
            == sum(p.size for p in model.parameters()),
        ))  # fmt: skip
        losses = np.linspace(k + 2, k + 1, count).tolist()
        for step, loss in enumerate(losses if after is not None else ()):
            after(step, loss)
        return losses

    def measured(self, model, x, y):
        assert len(x) == len(y)
        if x is not self.fits[-1].data.test_x:
            self.others.append(len(x))
            return 2.0, 50.0
        assert y is self.fits[-1].data.test_y
        self.tests += 1
        return 1.0 / self.tests, 1.5 * self.tests


def sgd(rate, momentum=0, nesterov=False):
    return "SGD", dict(lr=rate, momentum=momentum, nesterov=nesterov, weight_decay=0)


def adamw(decay):
    return "AdamW", dict(lr=1e-3, momentum=0, nesterov=0, weight_decay=decay)


SMALL, TEN, WIDE = [784, 64, 10], [784, *[64] * 10, 10], [784, *[256] * 9, 10]
# topic: for each training its sizes, rows, steps, batch, seed, and optimizer with options. Half of the steps.
TRAININGS = {
    "learning-rate": [(SMALL, 2000, 100, 64, 3, sgd(1e-4))]  # where the range test begins
    + [(SMALL, 2000, 150, 64, 3, sgd(rate)) for rate in (0.25, 7.5, 225.0)],
    "batch-size": [(SMALL, 4000, count, size, 3, sgd(0.1))
                   for size, count in ((8, 1000), (32, 250), (128, 62), (512, 16))],
    "overfitting": [([784, 512, 512, 10], 500, 10, 50, 3 + epoch, adamw(decay))
                    for decay in (0.0, 0.0, 1.0) for epoch in range(15)],
    "activation": [(TEN, 2000, 150, 64, 3, sgd(0.05, 0.9))] * 4,
    "loss": [(SMALL, 2000, 150, 64, 3, sgd(0.1))] * 2,
    "initialization": [(WIDE, 2000, 60, 64, 3, sgd(0.02, 0.9))] * 5,
    "normalization": [([784, 64, 64, 10], 2000, 100, 64, 3, sgd(rate, 0.9))
                      for _ in range(4) for rate in (0.3, 0.1, 0.03, 0.01)],
    "optimizer": [(SMALL, 2000, 150, 64, 3, kind) for kind in (
        sgd(0.1), sgd(0.03, 0.9), sgd(0.03, 0.9, True),
        ("Adam", dict(lr=2e-3, momentum=0, nesterov=0, weight_decay=0)))],
}  # fmt: skip
# topic: columns, and for each panel title, x, y, log x, log y, points, labels of lines, dots, marks
TOLD = {
    "learning-rate": (
        ("rate", "lr", "last loss", "test right"),
        ("range test: the rate rises", "learning rate", "loss, smoothed", True, False, False, ["loss"], [],
         ["suggested"]),
        ("training at three rates", "step", "loss, smoothed", False, True, False,
         ["a thirtieth, 0.25", "suggested, 7.5", "thirtyfold, 2.2e+02"], [], []),
    ),
    "batch-size": (
        ("batch", "steps", "last loss", "test right", "time"),
        ("the same epochs at lr 0.1", "epoch", "loss, smoothed", False, True, False,
         ["8", "32", "128", "512"], [], []),
    ),
    "overfitting": (
        ("against over-fitting", "training loss", "unseen loss", "training right", "unseen right"),
        ("500 digits, 670,000 weights", "epoch", "loss", False, True, False,
         ["nothing, unseen", "nothing, training", "dropout 0.5, unseen", "weight decay 1, unseen"], [], []),
    ),
    "activation": (
        ("activation", "first / last gradient", "last loss", "test right", "dead units"),
        ("gradients before training", "layer", "norm of ∂L/∂W", False, True, True, [*ACTIVATIONS], [], []),
        ("training, SGD with momentum", "step", "loss, smoothed", False, False, False, [*ACTIVATIONS], [],
         []),
    ),
    "loss": (
        ("task and loss", "slope", "offset", "test right"),
        ("a line with outliers", "x", "y", False, False, False, ["squared error", "Huber"], ["data"], []),
        ("classes: the same steps", "step", "training digits right (%)", False, False, False,
         ["squared error", "cross-entropy"], [], []),
    ),
    "initialization": (
        ("weights", "last / first variance", "first ∂L/∂W variance", "last loss", "test right"),
        ("signal before training", "layer", "variance of activations", False, True, True, [*WEIGHTS][1:], [],
         []),
        ("gradient before training", "layer", "variance of ∂L/∂W", False, True, True, [*WEIGHTS][1:], [],
         []),
    ),
    "normalization": (
        ("inputs", "best lr", "last loss", "test right"),
        ("each at its best rate", "step", "loss, smoothed", False, True, False,
         ["as they are", "standardized", "as they are, with batch norm", "standardized, with batch norm"],
         [], []),
    ),
    "optimizer": (
        ("optimizer", "lr, valley", "height after 60 steps", "lr, digits", "last loss", "test right"),
        ("½(x² + 25 y²)", "x", "y", False, False, True, ["SGD", "momentum", "Nesterov", "Adam"], [], []),
        ("digits", "step", "loss, smoothed", False, True, False, ["SGD", "momentum", "Nesterov", "Adam"],
         [], []),
    ),
    "cleaning": (
        ("penguins", "training rows", "unseen right", "± over splits"),
        ("training on the first split", "step", "loss, smoothed", False, True, False, [*cleaning.KINDS], [],
         []),
        ("unseen penguins", "split", "right, %", False, False, True, [*cleaning.KINDS], [], []),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def traced():
    """Each study once, by its topic."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_size, "time", SimpleNamespace(perf_counter=iter(range(0, 99, 2)).__next__))
        yield {topic: Traced(topic, patch) for topic in study.TOPICS}


@pytest.mark.parametrize("topic", TRAININGS)
def test_what_is_trained_and_how(topic, traced):
    fits = traced[topic].fits
    assert [(f.sizes, len(f.data.x), f.count, f.batch, f.seed) for f in fits] == [
        row[:5] for row in TRAININGS[topic]
    ]
    assert [f.optimizer for f in fits] == [row[5][0] for row in TRAININGS[topic]]
    for f, (*_, (_, options)) in zip(fits, TRAININGS[topic], strict=True):
        assert f.options == pytest.approx(options) and len(f.data.test_x) == 1000
        assert f.clean and f.all_of_it


@pytest.mark.parametrize("topic", TOLD)
def test_columns_and_panels(topic, traced):
    found = traced[topic].found
    columns, *panels = TOLD[topic]
    assert tuple(found.columns) == columns
    assert [
        (p.title, p.x, p.y, p.log_x, p.log_y, p.points, [*p.lines], [*p.dots], [*p.marks])
        for p in found.panels
    ] == panels
    assert [p.contour is not None for p in found.panels] == [topic == "optimizer"] + [False] * (
        len(panels) - 1
    )


@pytest.mark.parametrize("topic", study.TOPICS)
def test_every_model_is_drawn_from_the_seed(topic, traced):
    """Two of the same sizes start from the same weights."""
    run = traced[topic]
    assert set(run.seeds) == {SEED}
    if topic in ("learning-rate", "batch-size", "loss", "optimizer"):
        first, *others = run.fits
        assert all(np.array_equal(f.weights[0], first.weights[0]) for f in others)


SENTENCES = {
    "learning-rate": "The range test suggests lr = 7.5: with it 3.0 % of the test digits are right after "
    "150 steps, with a thirtieth of it 1.5 %, with thirty times as much 4.5 %.",
    "batch-size": "After the same 4 epochs at the same rate, batches of 8 have 1.5 % of the test digits "
    "right in 1,000 steps, and batches of 512 6.0 % in 16.",
    "normalization": "At its best rate the network has 6.0 % of the test digits right after 100 steps on "
    "inputs of different scales, 12.0 % on standardized ones, and 18.0 % on the first with batch "
    "normalization.",
    "overfitting": "Without anything the loss on unseen digits is least after epoch 15 (0.07) and 0.07 after "
    "15, while that on the training digits falls to 2.0000; with weight decay 1 it is 0.02 after 15.",
    "cleaning": "Over 10 splits 23.2 % of the unseen penguins are right after cleaning by the training part "
    "and 21.8 % without; cleaning by all rows says 24.8 %, a figure that new penguins need not keep, because "
    "their own rows helped to make it.",
}


@pytest.mark.parametrize("topic", SENTENCES)
def test_the_whole_sentence(topic, traced):
    assert traced[topic].found.sentence == SENTENCES[topic]


@pytest.mark.parametrize("topic, place, first", [
    ("batch-size", 0, 0), ("activation", 1, 0), ("optimizer", 1, 0), ("learning-rate", 1, 1),
])  # fmt: skip
def test_curves_are_the_smoothed_losses_and_rows_have_the_last_one(topic, place, first, traced):
    run = traced[topic]
    curves = run.found.panels[place].lines
    for k, (label, row, fit) in enumerate(zip(curves, run.found.rows, run.fits[first:], strict=True), first):
        xs, ys = curves[label]
        losses = np.linspace(k + 2, k + 1, fit.count)
        assert list(ys) == pytest.approx(smooth(losses)) and len(xs) == fit.count
        if topic != "batch-size":
            assert list(xs) == [*range(1, fit.count + 1)]
        last = losses[-1] if topic == "learning-rate" else ys[-1]
        assert f"{last:.3f}" in row and f"{1.5 * (k - first + 1):.1f} %" in row


def test_the_range_test_shows_its_smoothed_losses(traced):
    rates, losses = traced["learning-rate"].found.panels[0].lines["loss"]
    assert list(rates) == pytest.approx(np.geomspace(1e-4, 30, 100))
    assert list(losses) == pytest.approx(smooth(np.linspace(2, 1, 100), 0.9))


def test_the_time_of_a_batch_size_is_that_of_its_training(traced):
    assert [row[4] for row in traced["batch-size"].found.rows] == ["2.0 s"] * 4
    assert [row[:2] for row in traced["batch-size"].found.rows] == [
        ["8", "1,000"], ["32", "250"], ["128", "62"], ["512", "16"]
    ]  # fmt: skip


def test_activations_start_with_the_weights_made_for_them(traced):
    run = traced["activation"]
    kinds = ["Sigmoid", "Tanh", "ReLU", "LeakyReLU"]
    assert [f.kinds for f in run.fits] == [["Linear", kind] * 10 + ["Linear"] for kind in kinds]
    for f, variance in zip(run.fits, (1 / 64, 1 / 64, 2 / 64, 2 / 64), strict=True):
        assert np.var(f.weights[1:-1]) == pytest.approx(variance, rel=0.03) and not any(
            b.any() for b in f.biases
        )
    assert [row[4] for row in run.found.rows] == ["-", "-", "25 %", "25 %"]
    norms = {name: ys[0] / ys[-1] for name, (_, ys) in run.found.panels[0].lines.items()}
    weak, strong = min(norms, key=norms.get), max(norms, key=norms.get)
    right = {row[0]: row[3] for row in run.found.rows}
    assert run.found.sentence == (
        f"Before training the gradient of the first of 11 layers is {norms[weak]:.0e} of the last one's with "
        f"{weak} and {norms[strong]:.0e} with {strong}; after 150 steps {right[weak]} and {right[strong]} of "
        "the test digits are right."
    )


def test_weights_start_as_their_row_says(traced):
    run = traced["initialization"]
    for f, deviation in zip(run.fits, (0, 0.01, 0.2, 1 / 16, 2**0.5 / 16), strict=True):
        assert np.std(f.weights[1:-1]) == pytest.approx(deviation, rel=0.01)
        assert f.kinds == ["Linear", "ReLU"] * 9 + ["Linear"] and not any(b.any() for b in f.biases)
    farthest = [np.abs(f.weights[1:-1]).max() for f in run.fits]
    assert farthest[3] > 4 / 16 and farthest[4] > 4 * 2**0.5 / 16  # normal, and not uniform
    rows = {row[0]: row for row in run.found.rows}
    assert [*rows] == [*WEIGHTS] and [row[4] for row in rows.values()] == [
        "1.5 %",
        "3.0 %",
        "4.5 %",
        "6.0 %",
        "7.5 %",
    ]
    signal = {name: ys[-1] / ys[0] for name, (_, ys) in run.found.panels[0].lines.items()}
    he, xavier, small = (signal[name] for name in ("He", "Xavier", "too small, N(0, 0.01²)"))
    assert run.found.sentence == (
        "From the first to the last hidden layer the variance of a signal changes by "
        f"{he:.1g} with He's weights, {xavier:.1g} with Xavier's and {small:.1g} with small ones; after 60 "
        "steps 7.5 %, 6.0 % and 3.0 % of the test digits are right, and 1.5 % from zeros."
    )


def test_classes_are_learned_with_both_losses_and_watched_on_500_training_digits(traced):
    run = traced["loss"]
    assert [f.loss_of for f in run.fits] == [_squared, cross_entropy]
    assert run.others == [500] * 300
    for xs, ys in run.found.panels[1].lines.values():
        assert list(xs) == [*range(1, 151)] and list(ys) == pytest.approx([50.0] * 150)
    slopes = [row[1] for row in run.found.rows]
    assert [row[0] for row in run.found.rows] == [
        "a line, squared error", "a line, Huber", "classes, squared error", "classes, cross-entropy"
    ]  # fmt: skip
    assert [row[3] for row in run.found.rows] == ["-", "-", "1.5 %", "3.0 %"] and slopes[2:] == ["-", "-"]
    assert run.found.sentence == (
        f"With 10 % of outliers squared errors find a slope of {slopes[0]} and Huber's loss one of "
        f"{slopes[1]} where it is 2; for classes cross-entropy has 3.0 % right after 150 steps, squared "
        "errors of the softmax 1.5 %."
    )
    panel = run.found.panels[0]
    x, y = (np.array(a) for a in panel.dots["data"])
    assert (np.diff(x) > 0).all() and x.min() >= -1 and x.max() <= 1 and len(x) == len(y) == 100
    assert np.abs(y - 2 * x - 1 + 8 * (np.arange(100) >= 90)).max() < 0.5  # the last tenth lies 8 too low
    errors = [y - np.array(ys) for _, ys in panel.lines.values()]
    for e in (errors[0], np.clip(errors[1], -0.2, 0.2)):  # the slopes of both losses are 0 there
        assert abs(e.mean()) < 0.02 and abs((x * e).mean()) < 0.02
    for row, (xs, ys) in zip(run.found.rows, panel.lines.values(), strict=False):
        assert list(xs) == list(x) and np.abs(float(row[1]) * x + float(row[2]) - ys).max() < 0.011


def test_the_network_on_normalized_inputs(traced):
    fits = traced["normalization"].fits
    plain = ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
    normed = ["BatchNorm1d", "Linear", "BatchNorm1d", "ReLU", "Linear", "BatchNorm1d", "ReLU", "Linear"]
    assert [f.kinds for f in fits] == [plain] * 8 + [normed] * 8
    raw, standard = fits[0].data, fits[4].data
    mean, std = raw.x.mean(axis=0), raw.x.std(axis=0)
    std[std == 0] = 1
    np.testing.assert_allclose(standard.x, (raw.x - mean) / std, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(standard.test_x, (raw.test_x - mean) / std, rtol=1e-5, atol=1e-5)
    assert {a.dtype for d in (raw, standard) for a in (d.x, d.test_x)} == {np.dtype("float32")}


def test_a_rate_at_which_the_loss_is_lost_has_nothing_right(monkeypatch):
    monkeypatch.setattr(normalization, "fit", lambda *_, **__: [1.0, float("nan")])
    data = normalization.digits(10, 10)
    rate, losses, right = normalization._trained(data, False, 0.1, 2, 0)
    assert (rate, len(losses), right) == (0.1, 2, 0.0)


def test_the_valley_of_every_optimizer(traced):
    found = traced["optimizer"].found
    makers = {
        "SGD": (lambda p, lr: optim.SGD(p, lr), 0.03),
        "momentum": (lambda p, lr: optim.SGD(p, lr, momentum=0.9), 0.03),
        "Nesterov": (lambda p, lr: optim.SGD(p, lr, momentum=0.9, nesterov=True), 0.03),
        "Adam": (lambda p, lr: optim.Adam(p, lr), 0.3),
    }
    for row, (name, (make, rate)) in zip(found.rows, makers.items(), strict=True):
        path = valley(make, rate, 60)
        assert np.array_equal(np.stack(found.panels[0].lines[name], axis=1), path) and path.shape == (61, 2)
        assert row[:3] == [name, f"{rate:g}", f"{(path[-1, 0] ** 2 + 25 * path[-1, 1] ** 2) / 2:.1e}"]
    xs, ys, heights = found.panels[0].contour
    assert (xs[0], xs[-1], len(xs)) == (-5, 3, 81) and (ys[0], ys[-1], len(ys)) == (-2, 2, 61)
    np.testing.assert_allclose(heights[5, 7], np.log(1 + (xs[7] ** 2 + 25 * ys[5] ** 2) / 2))
    assert heights.shape == (61, 81)


@pytest.mark.parametrize("unseen, winner", [
    ((0.5, 0.9, 0.8), "weight decay 1 it is 0.80"), ((0.5, 0.6, 0.8), "dropout 0.5 it is 0.60"),
])  # fmt: skip
def test_the_best_remedy_is_one_of_the_remedies(unseen, winner, monkeypatch):
    """Though nothing at all did better."""
    numbers = iter([(loss, 50.0) for last in unseen for loss in (9.0, 9.0, 0.25, last)])
    seen = []
    monkeypatch.setattr(overfitting, "fit", lambda model, *_: seen.append([type(m).__name__ for m in model]))
    monkeypatch.setattr(overfitting, "measured", lambda *_: next(numbers))
    found = study.run("overfitting", share=2 / 30)
    assert found.sentence.endswith(f"falls to 0.2500; with {winner} after 2.")
    dropped = ["Linear", "Dropout", "ReLU"] * 2 + ["Linear"]
    plain = [kind for kind in dropped if kind != "Dropout"]
    assert seen == [plain] * 2 + [dropped] * 2 + [plain] * 2


def test_penguins_are_split_ten_times_and_trained_alike(traced, monkeypatch):
    run = traced["cleaning"]
    assert len(run.fits) == 30 and {(f.count, f.batch, f.seed) for f in run.fits} == {(75, 16, SEED)}
    assert {f.optimizer for f in run.fits} == {"SGD"} and {f.options["lr"] for f in run.fits} == {0.1}
    assert {tuple(f.sizes[1:]) for f in run.fits} == {(16, 3)}
    assert all(len(f.data.x) == 40 for i, f in enumerate(run.fits) if i % 3)
    assert len({f.data.test_x.tobytes() for f in run.fits}) == 30  # each split is another one
    rights = 1.5 * np.arange(1, 31).reshape(10, 3)
    for i, row in enumerate(run.found.rows):
        assert row == [cleaning.KINDS[i], len(run.fits[27 + i].data.x), f"{rights[:, i].mean():.1f} %",
                       f"{rights[:, i].std():.1f}"]  # fmt: skip
        xs, ys = run.found.panels[1].lines[cleaning.KINDS[i]]
        assert (list(xs), list(ys)) == ([*range(1, 11)], pytest.approx(rights[:, i]))
        xs, ys = run.found.panels[0].lines[cleaning.KINDS[i]]
        assert list(xs) == [*range(1, 76)] and list(ys) == pytest.approx(
            smooth(np.linspace(i + 2, i + 1, 75))
        )
    asked = []
    monkeypatch.setattr(cleaning, "fit", lambda *_: [1.0])
    monkeypatch.setattr(cleaning, "measured", lambda *_: (1.0, 50.0))
    real = cleaning.held_out
    monkeypatch.setattr(cleaning, "held_out", lambda *a: (asked.append((len(a[0]), *a[1:])), real(*a))[1])
    study.run("cleaning", 4, 0.01)
    count = sum(species != "" for species in load_penguins()["species"].astype(str))
    assert asked == [(count, 1 - 40 / count, 4 + split) for split in range(10)]


def test_a_study_is_the_whole_one_of_seed_0_if_nothing_is_said(monkeypatch):
    asked = []
    monkeypatch.setattr(batch_size, "run", lambda *arguments: asked.append(arguments))
    study.run("batch-size")
    study.run("batch-size", 2, 0.1)
    assert asked == [(0, 1.0), (2, 0.1)]
