"""Trainings of every task whose steps a device repeats are bit for bit those of plain steps."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

import tinygrad_notes as tg
from tests.bits import same, state_of
from tests.cut_trainings import done
from tinygrad_notes import backend, nn, optim
from tinygrad_notes.tasks import find_task
from tinygrad_notes.train.interrupt import Interrupted
from tinygrad_notes.train.repeated import MOST, Repeated
from tinygrad_notes.train.run import Run
from tinygrad_notes.train.task import Score

TEXT = dict(epochs=4, width=4, places=4, batch_size=3, sample=0, layers=1)
PAIRED = dict(epochs=4, width=4, validation=0.1, limit=24)
LABELS = dict(epochs=4, width=4, batch_size=6)
CASES = {  # task, model, options, the share of the steps that is repeated at least
    "lstm": ("language", "charlm", dict(TEXT, layers=2, dropout=0.2), 0.7),
    "gru, tied": ("language", "charlm", dict(TEXT, cell="gru", tied=True, schedule="constant"), 0.7),
    "attention": ("language", "charlm", dict(TEXT, cell="transformer", heads=2), 0.7),
    "skip-gram": ("words", "word2vec", dict(epochs=4, dim=6, min_count=1, batch_size=24), 0.4),
    "cbow and a tree": ("words", "word2vec", dict(epochs=4, dim=6, min_count=1, batch_size=24, negative=0,
                                                  architecture="cbow"), 0.4),
    "seq2seq": ("seq2seq", "seq2seq", dict(PAIRED, embedding=3, batch_size=6, dropout=0.1,
                                           attention="dot", label_smoothing=0.1), 0.4),
    "translation": ("translation", "translate", dict(PAIRED, heads=2, layers=1, feed_forward=8, tokens=260,
                                                     batch_tokens=40), 0.3),
    "labels": ("labels", "classify", dict(LABELS, bidirectional=True), 0.4),
    "labels, attention": ("labels", "classify", dict(LABELS, heads=2, cell="transformer"), 0.4),
    "series": ("labels", "classify", dict(LABELS, cell="gru"), 0.4),
}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """What the tasks learn from: texts of 3 or 4 letters and so on, so that batches differ in length."""
    folder, random = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    words = [f"{a}{b}{'e' * (i % 2)}{'kl'[i % 3 % 2]}" for i, (a, b) in enumerate(product("bcdfgh", "aiouy"))]
    text = "".join(" ".join(random.choice(words[:12], 5)) + ". " for _ in range(40))
    contents = {
        "language.txt": text[:180], "words.txt": text,
        "pairs.tsv": "".join(f"{word}\t{word[::-1]}\n" for word in words),
        "labels.tsv": "".join(f"{word}\t{'xy'[word[0] < 'e']}\n" for word in words),
    }  # fmt: skip
    for name, content in contents.items():
        (folder / name).write_text(content, encoding="utf-8")
    lengths = random.integers(3, 5, 30)
    np.savez(folder / "series.npz", values=random.standard_normal((lengths.sum(), 2)), lengths=lengths,
             labels=np.arange(30) % 2)  # fmt: skip
    return folder


def started(case, files, folder, captures=True, **more):
    name, model, options, _ = CASES[case]
    file = {"language": "language.txt", "words": "words.txt", "labels": "labels.tsv"}.get(name, "pairs.tsv")
    data = str(files / ("series.npz" if case == "series" else file))
    task = find_task(name)
    run = Run.start(task, task.settings(model, data=data, **{"validation": 0.1, **options, **more}), folder)
    if not captures:
        run.trainer._repeated.forms = None
    return run


def counted(run, monkeypatch):
    """The batches that Python learns from, while `run` trains; those of recordings among them."""
    repeated, found = run.trainer._repeated, []
    learn = repeated.step
    monkeypatch.setattr(repeated, "step", lambda batch: found.append(batch) or learn(batch))
    return found


def recorded(run):
    return [one for one in run.trainer._repeated.forms.values() if one.recorded]


@pytest.mark.parametrize("case", CASES)
def test_a_captured_training_is_the_plain_one(gpu, case, files, tmp_path, monkeypatch):
    plain = started(case, files, tmp_path / "plain", captures=False)
    plain.fit()
    expected = state_of(plain.trainer)
    run = started(case, files, tmp_path / "captured")
    in_python = counted(run, monkeypatch)
    run.fit()
    assert same(state_of(run.trainer), expected)
    assert 1 <= len(recorded(run)) <= MOST
    assert 1 - len(in_python) / (run.settings.epochs * len(run.trainer.train)) >= CASES[case][3]


@pytest.mark.parametrize("case", ["lstm", "attention", "skip-gram", "labels"])
def test_it_goes_on_where_it_was_cut(gpu, case, files, tmp_path):
    whole = started(case, files, tmp_path / "whole", captures=False)
    whole.fit()
    expected = state_of(whole.trainer)
    run = started(case, files, tmp_path / "cut")
    batches, kept = len(run.trainer.train), {}
    for at in (batches // 2, 2 * batches + 3, 3 * batches):  # before anything is captured, later, at an end
        with pytest.raises(Interrupted):
            run.fit(should_stop=lambda at=at: done(run, batches) >= at)
        kept = run.trainer.state_dict()
        tg.manual_seed(99)
        run.trainer.load_state_dict(kept)  # what is captured must heed it
    assert recorded(run)
    run.claim.release()
    other = Run.resume(run.task, run.folder)
    for one in (other, run):
        one.trainer.load_state_dict(kept)
        one.trainer.fit(one.settings.epochs)
        assert same(state_of(one.trainer), expected)
        other.claim.release()


class Reading:
    """A task whose steps wait for the device from the third one on: nothing of it can be captured."""

    def __init__(self, task):
        self.task, self.steps = task, 0

    def __getattr__(self, name):
        return getattr(self.task, name)

    def score(self, model, batch, training):
        score = self.task.score(model, batch, training)
        self.steps += training
        if training and self.steps > 2:
            assert np.isfinite(score.loss.item())
        return score


@pytest.mark.parametrize("case", ["gru, tied", "skip-gram", "labels, attention"])
def test_what_cannot_be_captured_is_learned_as_it_is(gpu, case, files, tmp_path):
    plain = started(case, files, tmp_path / "plain", captures=False, epochs=3)
    plain.fit()
    expected = state_of(plain.trainer)
    run = started(case, files, tmp_path / "captured", epochs=3)
    run.trainer.task = Reading(run.task)
    run.trainer.fit(3)
    assert run.trainer._repeated.forms is None
    assert same(state_of(run.trainer), expected)


def test_a_decoder_that_reads_its_own_ids_is_not_captured(gpu, files, tmp_path):
    states = []
    for captures in (False, True):
        run = started("seq2seq", files, tmp_path / str(captures), captures, epochs=2, forcing=0.5)
        run.fit()
        states.append(state_of(run.trainer))
        assert run.trainer._repeated.forms is None
    assert same(*states)


# ---- forms --------------------------------------------------------------------------------------------


class Learner:
    """A step on a weight, and how often Python ran it."""

    def __init__(self):
        self.weight = nn.Parameter(np.array([1.0, -2.0], np.float32))
        self.update, self.calls = optim.SGD([self.weight], lr=0.1), 0

    def __call__(self, batch):
        self.calls += 1
        x, *more = batch
        scale = more[0].lr if more else 1.0
        loss = (scale * x @ self.weight).sum() ** 2
        self.update.zero_grad()
        loss.backward()
        self.update.step()
        return Score(loss.detach(), {"count": tg.Tensor._wrap(backend.xp.ones(()))})


def batch(rows, *more):
    return tg.Tensor(np.random.default_rng(rows).standard_normal((rows, 2)).astype(np.float32)), *more


def both(batches):
    """Losses and the weight at the end of repeated and of plain steps; and the calls of Python."""
    found = []
    for plain in (True, False):
        learner = Learner()
        repeated = Repeated(learner)
        if plain:
            repeated.forms = None
        losses = [repeated(one).loss.item() for one in batches]
        found.append((losses, learner.weight.numpy().copy()))
    assert same(*found)
    return learner.calls, repeated.forms


def test_the_first_forms_that_come_three_times_are_repeated(gpu):
    rows = range(1, MOST + 4)
    batches = [batch(n) for _ in range(5) for n in rows]
    calls, forms = both(batches)
    assert [one.recorded for one in forms.values()] == [True] * MOST  # the others are forgotten
    assert calls == len(batches) - 2 * MOST


def test_settings_are_of_the_form_and_other_things_are_not_captured(gpu):
    task = find_task("tables")
    one, other = (task.settings("mlp", lr=lr) for lr in (0.25, 0.5))
    batches = [batch(3, which) for _ in range(5) for which in (one, other, replace(one))]
    calls, forms = both(batches)
    assert len(forms) == 2 and calls == 6
    calls, forms = both([(*batch(3), Numbers(0.5)) for _ in range(5)])
    assert (calls, forms) == (5, {})


class Numbers:
    """What is neither a Tensor nor settings."""

    def __init__(self, lr):
        self.lr = lr


def test_a_form_that_is_refused_for_a_while_is_repeated_again(gpu):
    learner = Learner()
    repeated = Repeated(learner)
    for _ in range(4):
        repeated(batch(2))
    with tg.detect_anomaly():
        repeated(batch(2))
    assert learner.calls == 4
    repeated(batch(2))
    assert learner.calls == 4


def test_other_lengths_in_the_same_shape_are_heeded(gpu, files, tmp_path):
    """Padding, targets and lengths are what the batch says, not what it said when it was recorded."""
    ids = np.random.default_rng(0).integers(1, 6, (4, 5))
    found = []
    for captures in (False, True):
        run = started("labels", files, tmp_path / str(captures), captures)
        run.model.train()
        losses = []
        for lengths in ([5, 4, 5, 5], [5, 5, 5, 5], [5, 3, 2, 5], [1, 5, 1, 2], [5, 5, 5, 4]):
            told = tg.Tensor(ids), tg.Tensor(np.array(lengths)), tg.Tensor([0, 1, 1, 0])
            losses.append(run.trainer._repeated(told).loss.item())
        found.append((losses, run.model.state_dict()))
        run.claim.release()
    assert len(recorded(run)) == 1 and same(*found)
