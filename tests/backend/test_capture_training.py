"""The training loop repeats its step on a device where it can: the run is bit for bit the same."""

import sys

import numpy as np
import pytest

import tinygrad_notes as tg
from tests.bits import same, state_of
from tinygrad_notes import backend, nn, optim
from tinygrad_notes.data import ArrayDataset, DataLoader
from tinygrad_notes.tasks.images import TASK as IMAGES
from tinygrad_notes.train.interrupt import Interrupted
from tinygrad_notes.train.loop import Trainer

EPOCHS = 2


def data(count=44):
    """Five batches of 8 and one of 4."""
    rng = np.random.default_rng(0)
    return ArrayDataset(rng.integers(0, 256, (count, 1, 6, 6)).astype(np.uint8), rng.integers(2, size=count))


def make(captures=True, task=IMAGES):
    tg.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3),
                          nn.Linear(48, 2))  # fmt: skip
    update = optim.Adam(model.parameters(), lr=1e-2)
    trainer = Trainer(
        task, model, update, DataLoader(data(), 8, shuffle=True), DataLoader(data(20), 8),
        schedule=optim.lr_scheduler.CosineAnnealingLR(update, 12), max_norm=1.0,
    )  # fmt: skip
    if not captures:
        trainer._repeated.forms = None
    return trainer


def trained(trainer, epochs=EPOCHS, **options):
    trainer.fit(epochs, **options)
    return state_of(trainer)


def recordings(trainer):
    """Those of its captured steps."""
    forms = trainer._repeated.forms
    return None if forms is None else [one._recording for one in forms.values() if one.recorded]


def test_a_captured_training_is_the_plain_one(gpu):
    trainer = make()
    found = trained(trainer)
    assert len(recordings(trainer)) == 1
    assert same(found, trained(make(captures=False)))


@pytest.mark.parametrize("stop_at", [2, 4, 6, 9])
def test_it_goes_on_where_it_was_stopped(gpu, stop_at):
    whole = trained(make(captures=False))
    trainer, steps, kept = make(), iter(range(1, 100)), []
    with pytest.raises(Interrupted):
        trainer.fit(
            EPOCHS, should_stop=lambda: next(steps) == stop_at, save=lambda t: kept.append(t.state_dict())
        )
    tg.manual_seed(99)
    other = make()
    other.load_state_dict(kept[-1])
    assert same(trained(other), whole)
    trainer.load_state_dict(kept[-1])  # the one that was stopped has a captured step: it must heed the state
    assert same(trained(trainer), whole)


def test_steps_are_repeated_and_other_batches_are_not(gpu, monkeypatch):
    trainer, plain = make(), []
    learn = trainer._learn
    monkeypatch.setattr(trainer, "_learn", lambda batch: plain.append(len(batch[0])) or learn(batch))
    trainer._repeated.step = trainer._learn
    trained(trainer)
    assert plain == [8, 8, 8, 4, 4]  # two as they are, one recorded; the last of each epoch


def test_what_cannot_be_captured_is_learned_plainly(gpu):
    class Reading(type(IMAGES)):
        def score(self, model, batch, training):
            found = super().score(model, batch, training)
            assert np.isfinite(found.loss.item())
            return found

    trainer = make(task=Reading())
    found = trained(trainer)
    assert recordings(trainer) is None
    assert same(found, trained(make(captures=False)))


def test_anomalies_and_hooks_are_looked_for_in_plain_steps(gpu):
    trainer = make()
    trained(trainer, 1)
    calls = []
    with trainer.model[0].register_forward_hook(lambda *call: calls.append(1)), tg.detect_anomaly():
        trainer.fit(2)
    assert len(calls) == 6 + 3  # training and validation


def test_on_numpy_nothing_is_captured():
    with backend.use_backend("numpy"):
        trainer = make()
        found = trained(trainer)
        assert recordings(trainer) == []
        assert same(found, trained(make(captures=False)))


def test_a_repeated_step_has_the_batch_and_its_numbers_cross_and_nothing_else(gpu):
    standin = getattr(sys.modules["cupy"], "_standin", None)
    if standin is None:
        pytest.skip("a real GPU counts nothing")
    trainer = make()
    for batch in list(trainer.train)[:5]:
        standin.reset()
        trainer._step(batch)
    assert standin.syncs.total() == 0
    assert standin.transfers.total() == 1
    assert standin.launches.total() == 2 + 1 + 2  # copies in, the graph, loss and hits out
