"""What crosses between host and device in a step of each task: the batch, and the numbers of the step."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes.data.text import Stream, Streams
from tinygrad_notes.tasks import find_task
from tinygrad_notes.tasks.language.carried import Carried
from tinygrad_notes.train import loop
from tinygrad_notes.train.loop import READ_EVERY, Trainer

CASES = {  # task, model, options, keys of masks that are drawn in a plain step
    "images": ("images", "lenet5", dict(data="digits", limit=300, batch_size=8), 0),
    "tables": ("tables", "mlp", dict(target="species", batch_size=16), 0),
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
    trainer._step(next(batches))
    batch, transfers = next(batches), []  # of a language model with a state
    for _ in range(4):
        standin.reset()
        trainer._step(batch)
        assert standin.syncs == {}, standin.syncs
        transfers.append(standin.transfers.total())
    assert transfers[0] == masks and transfers[2:] == [1, 1]  # recorded and repeated: all numbers at once
    assert any(one.recorded for one in trainer._repeated.forms.values())


@pytest.mark.parametrize("name", ["images", "words", "language"])
def test_losses_are_fetched_many_at_once(standin, name, monkeypatch):
    trainer, _, _ = made(name)
    if name == "language":
        trainer.train = Carried(Streams(Stream(np.arange(1200) % 7), 4, 16), np.ones(99, np.float32))
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
