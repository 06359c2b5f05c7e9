"""What crosses between host and device in a step of each task: the batch, and the numbers of the step."""

import sys

import pytest

import tinygrad_notes as tg
from tinygrad_notes.tasks import find_task
from tinygrad_notes.train import loop
from tinygrad_notes.train.loop import READ_EVERY, Trainer

CASES = {  # task, model, options, masks that are drawn in a plain step; None: the step is captured
    "images": ("images", "lenet5", dict(data="digits", limit=300, batch_size=8), None),
    "tables": ("tables", "mlp", dict(target="species", batch_size=16), None),
    "labels": ("labels", "classify", dict(batch_size=16, width=8, dropout=0.1), 2),
    "labels, attention": ("labels", "classify", dict(batch_size=16, width=8, cell="transformer"), 0),
    "language": ("language", "charlm", dict(width=8, batch_size=4, places=16, dropout=0.1), 3),
    "language, attention": ("language", "charlm", dict(width=8, layers=1, heads=2, batch_size=4, places=16,
                                                       cell="transformer", dropout=0.1), 5),
    "pairs": ("seq2seq", "seq2seq", dict(width=8, batch_size=16), 0),
    "translation": ("translation", "translate", dict(width=8, layers=1, heads=2, dropout=0), 0),
    "words": ("words", "word2vec", dict(dim=8), 0),
    "words, cbow and a tree": ("words", "word2vec", dict(dim=8, architecture="cbow", negative=0), 0),
}  # fmt: skip
STEPS = 6


@pytest.fixture
def standin(gpu):
    cupy = sys.modules["cupy"]
    if not hasattr(cupy, "_standin"):
        pytest.skip("a real GPU counts nothing")
    return cupy._standin


def made(name):
    task, model, given, masks = CASES[name]
    task = find_task(task)
    settings = task.settings(model, validation=0, **({"dropout": 0} if model == "classify" else {}) | given)
    parts = task.load(settings)
    tg.manual_seed(0)
    network = task.build(settings, parts.facts)
    batches = task.batches(settings, parts.facts, parts.train, training=True)
    trainer = Trainer(task, network.train(), settings.make_optimizer(network), batches, max_norm=1.0)
    return trainer, iter(batches), masks


@pytest.mark.parametrize("name", CASES)
def test_a_step_waits_for_nothing_and_brings_over_the_batch_alone(standin, name):
    trainer, batches, masks = made(name)
    for _ in range(STEPS):
        batch = next(batches)
        standin.reset()
        trainer._step(batch)
        assert standin.syncs == {}, standin.syncs
    captured = trainer._repeated is not None and trainer._repeated._recording is not None
    assert captured == (masks is None)
    assert standin.transfers.total() == (1 if captured else masks), standin.transfers


@pytest.mark.parametrize("name", ["images", "words"])
def test_losses_are_fetched_many_at_once(standin, name, monkeypatch):
    trainer, _, _ = made(name)
    waits, fetch = [], loop._fetch

    def fetched(scores):
        found = fetch(scores)
        waits.append(standin.syncs.total())
        return found

    monkeypatch.setattr(loop, "_fetch", fetched)
    standin.reset()
    trainer.fit(1)
    reads = -(-len(trainer.train) // READ_EVERY)
    assert waits == list(range(1, reads + 1)), standin.syncs
