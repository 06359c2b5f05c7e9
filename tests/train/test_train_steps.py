"""What one step, one epoch and one run do with what they are told: norms, the best epoch, patience, order."""

import math
import signal
import threading
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from tests.train.lines import LINES, Rows
from tinygrad_notes import nn, optim
from tinygrad_notes.data import DataLoader
from tinygrad_notes.optim.lr_scheduler import CosineAnnealingLR
from tinygrad_notes.tasks.lettering import NoFont, missing_fonts_told
from tinygrad_notes.train import loop
from tinygrad_notes.train.interrupt import SIGNALS, Interrupted, stop_on_signal
from tinygrad_notes.train.loop import Diverged, Sums, Trainer, evaluate
from tinygrad_notes.train.progress import Silent
from tinygrad_notes.train.run import Run


def make(rows=16, lr=0.1, validation=None, **options):
    model = nn.Linear(1, 1)
    model.weight.data, model.bias.data = np.zeros((1, 1), np.float32), np.zeros(1, np.float32)
    optimizer = optim.SGD(model.parameters(), lr=lr)
    return Trainer(LINES, model, optimizer, DataLoader(Rows(rows), 8), validation, **options)


def weights(trainer):
    return np.concatenate([p.numpy().ravel() for p in trainer.model.parameters()])


# ---- a step --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("max_norm", "length"), [(None, None), (0.5, 0.5), (1e9, None)])
def test_the_norm_of_the_gradients_is_limited(max_norm, length):
    trainer, plain = make(8, lr=1.0, max_norm=max_norm), make(8, lr=1.0)
    trainer.fit(1)
    plain.fit(1)
    moved = np.linalg.norm(weights(trainer))
    if length is None:
        np.testing.assert_array_equal(weights(trainer), weights(plain))
        return
    assert moved == pytest.approx(length, rel=1e-5)
    np.testing.assert_allclose(
        weights(trainer) / moved, weights(plain) / np.linalg.norm(weights(plain)), rtol=1e-5
    )


def test_each_step_is_of_the_gradient_of_its_own_batch():
    """By hand: the weighted mean of 2 (w x + b − y) · (x, 1), from where the step before ended."""
    trainer, rows, w = make(24, lr=0.1), Rows(24), np.zeros(2)
    trainer.fit(1)
    for at in range(0, 24, 8):
        x, y, trust = (values.astype(float).ravel() for values in rows[np.arange(at, at + 8)][:3])
        error = 2 * trust * (w[0] * x + w[1] - y) / trust.sum()
        w -= 0.1 * np.array([error @ x, error.sum()])
    np.testing.assert_allclose(weights(trainer), w, rtol=1e-5)


def test_a_run_trains_with_what_its_settings_say(tmp_path):
    options = dict(clip_norm=0.25, patience=3, lr=0.5, momentum=0.3, weight_decay=0.01, seed=7, epochs=5)
    run = Run.start(LINES, LINES.settings("line", **options, schedule="cosine"), tmp_path / "r")
    trainer, (group,) = run.trainer, run.trainer.optimizer.param_groups
    assert (trainer.max_norm, trainer.patience, type(trainer.optimizer)) == (0.25, 3, optim.SGD)
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.5, 0.3, 0.01)
    assert isinstance(trainer.schedule, CosineAnnealingLR) and trainer.schedule.T_max == 5 * len(
        trainer.train
    )
    assert len(trainer.train) == 5 and (len(trainer.validation), trainer.task) == (1, LINES)
    other = Run.start(LINES, LINES.settings("line", validation=None, schedule="constant"), tmp_path / "s")
    assert other.trainer.validation is None and other.trainer.schedule is None
    assert (other.trainer.max_norm, other.trainer.patience) == (None, None)


def test_a_run_draws_by_its_seed(tmp_path):
    biases = [Run.start(LINES, LINES.settings("line", seed=seed), tmp_path / str(i)).model.bias.numpy()[0]
              for i, seed in enumerate((0, 0, 1))]  # fmt: skip
    assert biases[0] == biases[1] != biases[2]


# ---- the best epoch ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "judge", "best"),
    [
        ([], max, None),
        ([3.0], max, 1),
        ([1.0, 3, 2], max, 2),
        ([3.0, 1, 3], max, 1),  # of equal ones the first
        ([3.0, 1, 2], min, 2),
        ([1.0, 3, 1], min, 1),
        ([None], max, None),
        ([1.0, None], max, None),
    ],
)
def test_the_best_epoch(values, judge, best, monkeypatch):
    monkeypatch.setattr(LINES, "judge", ("r2", judge), raising=False)
    trainer = make()
    for value in values:
        trainer.history.append({"train_r2": -9.0} | ({} if value is None else {"validation_r2": value}))
    assert trainer.best() == best


@pytest.mark.parametrize(
    ("values", "patience", "out"),
    [
        ([2.0], 1, False), ([2.0, 1], 1, True), ([2.0, 1], 2, False), ([2.0, 1, 1], 2, True),
        ([2.0, 1, 3], 1, False), ([2.0, 2], 1, True), ([2.0, 1, 1, 1], None, False), ([], 1, False),
    ],
)  # fmt: skip
def test_patience_is_the_epochs_since_the_best(values, patience, out):
    trainer = make(patience=patience)
    trainer.history = [{"validation_r2": value} for value in values]
    assert trainer.out_of_patience() == out
    trainer.history = [{"train_r2": value} for value in values]
    assert not trainer.out_of_patience()  # nothing judges


# ---- an epoch ------------------------------------------------------------------------------------


class Told(Silent):
    """Everything that a training tells, in its order."""

    def __init__(self):
        self.calls = []

    def begin(self, *what):
        self.calls.append(("begin", *what))

    def update(self, batch, samples, loss):
        self.calls.append(("update", batch))

    def end(self, line):
        self.calls.append(("end", line["epoch"]))

    def message(self, text):
        self.calls.append(("message", text))


def test_an_epoch_is_saved_before_it_is_told():
    trainer, told = make(), Told()

    def save(trainer):
        told.calls.append(("save", len(trainer.history), trainer.batch))

    history = trainer.fit(2, progress=told, save=save, between=lambda: ["a", "b"])
    assert told.calls == [
        call for epoch in (1, 2) for call in
        [("begin", epoch, 2, 2, 0), ("update", 1), ("update", 2), ("save", epoch, 0), ("end", epoch),
         ("message", "a"), ("message", "b")]
    ]  # fmt: skip
    assert [line["epoch"] for line in history] == [1, 2] and history is trainer.history
    assert trainer.fit(2, progress=told) is history and len(told.calls) == 14  # nothing is left to do


def test_a_cut_epoch_goes_on_where_it_was():
    trainer, told, saved = make(), Told(), []
    with pytest.raises(Interrupted, match=r"^epoch 1, batch 1$"):
        trainer.fit(1, progress=told, save=lambda t: saved.append(t.batch), should_stop=lambda: True)
    assert saved == [1] and trainer.history == []
    trainer.fit(1, progress=told)
    assert told.calls == [
        ("begin", 1, 1, 2, 0),
        ("update", 1),
        ("begin", 1, 1, 2, 1),
        ("update", 2),
        ("end", 1),
    ]


@pytest.mark.parametrize("validated", [False, True])
def test_a_line_of_metrics_has_its_figures_in_their_order(validated):
    trainer = make(validation=DataLoader(Rows(10), 4) if validated else None)
    (line,) = trainer.fit(1)
    figures = ["loss", "r2", "weight"]
    parts = ["train", "validation"] if validated else ["train"]
    assert list(line) == ["epoch", *(f"{part}_{name}" for part in parts for name in figures), "lr", "seconds"]
    assert (line["epoch"], line["lr"]) == (1, 0.1) and line["seconds"] == round(line["seconds"], 3)
    assert trainer.model.training


def test_sums_are_of_all_batches():
    sums = Sums()
    sums.add(2.0, 3, {"squares": 1.0, "around": 4.0})
    sums.add(5.0, 1, {"squares": 2.0, "around": 8.0})
    assert (sums.loss, sums.weight, sums.others) == (11.0, 4, {"squares": 3.0, "around": 12.0})
    assert sums.figures(LINES, "train") == {"train_loss": 2.75, "train_r2": 0.75, "train_weight": 4}


@pytest.mark.parametrize("loss", [math.nan, math.inf, 1e30])
def test_a_validation_that_is_lost_ends_the_training(monkeypatch, loss):
    trainer = make(validation=DataLoader(Rows(10), 4))
    monkeypatch.setattr(loop, "evaluate", lambda *_: SimpleNamespace(figures={"loss": loss}))
    if math.isfinite(loss):
        assert trainer.fit(1)[0]["validation_loss"] == loss
        return
    with pytest.raises(
        Diverged, match=f"epoch 1, batch 2: the validation loss is {loss}; lower the learning"
    ):
        trainer.fit(1)


@pytest.mark.parametrize("stop", [0, 1, 2, 3])
def test_an_evaluation_is_left_before_a_batch(stop):
    asked, model = [], make().model

    def should_stop():
        asked.append(True)
        return len(asked) > stop

    batches = DataLoader(Rows(10), 4)
    if stop < len(batches):
        with pytest.raises(Interrupted, match=r"^evaluation$"):
            evaluate(LINES, model, batches, should_stop)
    else:
        assert evaluate(LINES, model, batches, should_stop).figures["weight"] == Rows(10).trust.sum()
    assert len(asked) == min(stop + 1, len(batches)) and model.training


# ---- signals and fonts ---------------------------------------------------------------------------


def test_signals_are_left_to_the_main_thread():
    found = []

    def work():
        before = [signal.getsignal(number) for number in SIGNALS]
        with stop_on_signal() as should_stop:
            found.append(should_stop())
        found.append([signal.getsignal(number) for number in SIGNALS] == before)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False, True]
    assert {"SIGINT", "SIGTERM"} <= {number.name for number in SIGNALS}


def test_handlers_come_back_whatever_ends_the_block():
    before = [signal.signal(number, signal.SIG_DFL) for number in SIGNALS]
    try:
        with pytest.raises(ZeroDivisionError), stop_on_signal():
            assert all(callable(signal.getsignal(number)) for number in SIGNALS)
            1 / 0  # noqa: B018
        assert [signal.getsignal(number) for number in SIGNALS] == [signal.SIG_DFL] * len(SIGNALS)
    finally:
        for number, handler in zip(SIGNALS, before, strict=True):
            signal.signal(number, handler)


def test_missing_fonts_are_told_once():
    told = []
    with missing_fonts_told(told.append):
        for _ in range(3):
            warnings.warn(NoFont(), stacklevel=1)
        assert told == []
    assert told == [str(NoFont())]
    with missing_fonts_told(told.append):
        pass
    assert len(told) == 1
