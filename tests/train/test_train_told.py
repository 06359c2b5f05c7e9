"""What a training tells of itself: the time of each epoch, and the rate of the batch that it fails at."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_notes as tg
from tests.train.lines import LINES
from tinygrad_notes import backend, nn, optim
from tinygrad_notes.data import ArrayDataset, DataLoader
from tinygrad_notes.optim.lr_scheduler import StepLR
from tinygrad_notes.tasks.images.task import TASK as IMAGES
from tinygrad_notes.train import loop
from tinygrad_notes.train.config import read_config
from tinygrad_notes.train.interrupt import Interrupted
from tinygrad_notes.train.loop import Diverged, Trainer
from tinygrad_notes.train.run import Run, load_trained, trained_model


def make(images, lr, **options):
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    data = ArrayDataset(images, np.arange(len(images)) % 2)
    return Trainer(IMAGES, model, optim.SGD(model.parameters(), lr=lr), DataLoader(data, 4), **options)


@pytest.fixture
def seconds(monkeypatch):
    """Each look of the loop at the clock is a second after the one before; an epoch looks twice."""
    times = itertools.count(0.0)
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: next(times)))


@pytest.mark.parametrize("saved", [False, True], ids=["the same trainer", "another one"])
@pytest.mark.parametrize("cuts", [1, 2])
def test_an_epoch_that_was_cut_has_the_seconds_of_all_its_pieces(seconds, saved, cuts):
    images = np.random.default_rng(0).normal(size=(20, 1, 4, 4)).astype(np.float32)
    trainer = make(images, 0.1)
    for cut in range(1, cuts + 1):
        with pytest.raises(Interrupted, match=f"epoch 1, batch {cut}"):
            trainer.fit(2, should_stop=lambda: True)
        state = trainer.state_dict()
        assert state["resume"]["sums"]["seconds"] == cut
        if saved:
            trainer = make(images, 0.1)
            trainer.load_state_dict(state)
    assert [line["seconds"] for line in trainer.fit(2)] == [cuts + 1, 1]


@pytest.mark.parametrize("bad_batch", [1, 3, loop.READ_EVERY, loop.READ_EVERY + 2])
def test_a_loss_that_is_lost_is_told_with_the_rate_of_its_own_batch(bad_batch):
    """Later batches, at lower rates, are done before the losses are looked at."""
    images = np.random.default_rng(0).normal(size=(80, 1, 4, 4)).astype(np.float32)
    images[(bad_batch - 1) * 4] = np.inf
    trainer = make(images, 0.5)
    trainer.schedule = StepLR(trainer.optimizer, 1, 0.5)
    place = rf"epoch 1, batch {bad_batch}: the loss is nan at lr {0.5**bad_batch:.4g};"
    with pytest.raises(Diverged, match=place):
        trainer.fit(1)


def test_a_trained_model_is_made_without_a_draw_of_the_packages_generator(tmp_path):
    run = Run.start(LINES, LINES.settings("line", epochs=1), tmp_path / "r")
    run.fit()
    tg.manual_seed(5)
    before = backend.rng_state()
    config, state = load_trained(LINES, tmp_path / "r")
    model = trained_model(tmp_path / "r", config, state)
    nn.Linear(3, 3)  # what does draw
    assert backend.rng_state() != before
    tg.manual_seed(5)
    for name, values in trained_model(tmp_path / "r", config, state).state_dict().items():
        np.testing.assert_array_equal(values, model.state_dict()[name])
    assert backend.rng_state() == before


def test_a_run_that_goes_on_with_more_writes_down_what_it_goes_on_with(tmp_path):
    Run.start(LINES, LINES.settings("line", epochs=1), tmp_path / "r").fit()
    for given, found in (
        ({}, (1, None)),
        ({"epochs": 3}, (3, None)),
        ({"patience": 2}, (3, 2)),
        ({}, (3, 2)),
    ):
        Run.resume(LINES, tmp_path / "r", **given)
        settings = read_config(LINES, tmp_path / "r").settings
        assert (settings.epochs, settings.patience) == found
