"""Every option of a model reaches what `build` makes, with the defaults that the help tells."""

import dataclasses

import numpy as np
import pytest

from tinygrad_notes import nn
from tinygrad_notes.data.tables import Cleaning
from tinygrad_notes.data.text import Vocabulary
from tinygrad_notes.tasks import MODELS, find_task, task_of
from tinygrad_notes.tasks.pairs.texts import SPECIALS

LETTERS = Vocabulary.build("abcab").to_dict()
SIDE = Vocabulary.build("abcab", specials=SPECIALS).to_dict()
TEXTS = {"classes": ["x", "y", "z"], "characters": LETTERS}
PAIRS = {"source": SIDE, "target": Vocabulary.build("de", specials=SPECIALS).to_dict()}


def build(name, facts, **options):
    task = find_task(name)
    (model,) = task.models
    return task.build(task.settings(model, **options), facts)


def dropouts(model):
    return {m.p for m in model.modules() if isinstance(m, nn.Dropout)}


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_recurrent_classifier(cell):
    model = build("labels", TEXTS, cell=cell, width=12, layers=3, bidirectional=True, dropout=0.3)
    rnn = model.rnn
    assert type(rnn).__name__ == cell.upper() and (rnn.input_size, rnn.hidden_size) == (12, 12)
    assert (rnn.num_layers, rnn.bidirectional, rnn.dropout) == (3, True, 0.3) and dropouts(model) == {0.3}
    assert model.input.weight.shape == (3, 12) and model.head.weight.shape == (3, 24)
    assert not build("labels", TEXTS, cell=cell).rnn.bidirectional


def test_a_transformer_that_classifies():
    options = dict(cell="transformer", width=12, layers=3, heads=2, places=17, dropout=0.3)
    model = build("labels", {"classes": ["x", "y"], "mean": [0.0, 1.0], "std": [1.0, 1.0]}, **options)
    assert model.positions.max_len == 17 and len(model.encoder.layers) == 3 and dropouts(model) == {0.3}
    assert {m.num_heads for m in model.modules() if isinstance(m, nn.MultiheadAttention)} == {2}
    assert model.input.weight.shape == (12, 2) and model.head.weight.shape == (2, 12)


@pytest.mark.parametrize("model", ["charlm", "tokenlm"])
def test_a_recurrent_language_model(model):
    task = find_task("language")
    facts = {"characters": LETTERS}
    plain = task.build(task.settings(model), facts)
    assert isinstance(plain.rnn, nn.LSTM) and (plain.rnn.num_layers, plain.rnn.hidden_size) == (2, 256)
    assert plain.head.weight is not plain.embedding.weight
    made = task.build(task.settings(model, cell="gru", width=6, layers=3, dropout=0.4, tied=True), facts)
    assert isinstance(made.rnn, nn.GRU) and (made.rnn.num_layers, made.rnn.hidden_size) == (3, 6)
    assert made.head.weight is made.embedding.weight and made.embedding.weight.shape == (3, 6)
    assert made.rnn.dropout == 0.4 and dropouts(made) == {0.4}


def test_a_transformer_that_writes():
    task = find_task("language")
    facts = {"characters": LETTERS}
    options = dict(cell="transformer", width=12, heads=2, places=17, dropout=0.3)
    model = task.build(task.settings("charlm", **options), facts)
    assert model.head.weight is model.embedding.weight  # by default
    assert len(model.transformer.layers) == 4 and model.context == 17 and dropouts(model) == {0.3}
    assert {m.num_heads for m in model.modules() if isinstance(m, nn.MultiheadAttention)} == {2}
    loose = task.build(task.settings("charlm", **options, tied=False, layers=1), facts)
    assert loose.head.weight is not loose.embedding.weight and len(loose.transformer.layers) == 1


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_an_encoder_and_a_decoder(cell):
    options = dict(
        cell=cell, attention="dot", width=8, embedding=5, layers=2, dropout=0.3, input_feeding=True
    )
    model = build("seq2seq", PAIRS, **options)
    assert type(model.encoder).__name__ == type(model.decoder).__name__ == cell.upper()
    assert (model.attends, model.input_feeding, model.width) == ("dot", True, 8) and dropouts(model) == {0.3}
    assert (model.encoder.input_size, model.encoder.hidden_size, model.encoder.num_layers) == (5, 4, 2)
    assert (model.decoder.input_size, model.decoder.hidden_size, model.decoder.num_layers) == (13, 8, 2)
    assert model.source_embedding.weight.shape == (6, 5) and model.target_embedding.weight.shape == (5, 5)
    assert not build("seq2seq", PAIRS).input_feeding


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_translator(norm_first):
    options = dict(
        width=12, heads=2, layers=3, feed_forward=20, dropout=0.3, longest=17, norm_first=norm_first
    )
    model = build("translation", {"source": SIDE, "target": None}, **options)
    assert model.embedding.weight.shape == (6, 12) and model.positions.max_len == 18  # with the start sign
    assert len(model.encoder.layers) == len(model.decoder.layers) == 3 and dropouts(model) == {0.3}
    assert {m.num_heads for m in model.modules() if isinstance(m, nn.MultiheadAttention)} == {2}
    assert model.encoder.layers[0].linear1.weight.shape == (20, 12) and model.padding == 0
    assert (model.encoder.norm is not None) == norm_first == model.decoder.layers[0].norm_first


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_the_optimizer_of_the_paper(optimizer):
    task = find_task("translation")
    options = dict(width=16, heads=2, warmup=100, schedule="noam", optimizer=optimizer, weight_decay=0.01)
    settings = task.settings("translate", lr=0.25, momentum=0.7, **options)
    (group,) = settings.make_optimizer(nn.Linear(1, 1)).param_groups
    assert group["lr"] == pytest.approx(0.25 * 40) and group["weight_decay"] == 0.01
    if optimizer == "sgd":
        assert group["momentum"] == 0.7
    else:
        assert (group["betas"], group["eps"]) == ((0.9, 0.98), 1e-9)
    plain = task.settings("translate", lr=0.25, **options | {"schedule": "constant"})
    assert plain.make_optimizer(nn.Linear(1, 1)).param_groups[0]["lr"] == 0.25


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_the_optimizer_of_the_others(optimizer):
    task = find_task("labels")
    settings = task.settings("classify", optimizer=optimizer, lr=0.25, weight_decay=0.01, momentum=0.7)
    made = settings.make_optimizer(nn.Linear(1, 1))
    (group,) = made.param_groups
    assert (type(made).__name__.lower(), group["lr"], group["weight_decay"]) == (optimizer, 0.25, 0.01)
    assert group.get("momentum", 0.7) == 0.7


def test_vectors_of_words():
    facts = {"vocabulary": Vocabulary(list("abcde"), [5, 4, 3, 2, 1]).to_dict()}
    options = dict(dim=7, architecture="cbow", context_gradient="exact", lr=0.5, clip_norm=3.0)
    task = find_task("words")
    settings = task.settings("word2vec", **options)
    model = task.build(settings, facts)
    assert model.syn0.shape == model.syn1.shape == (5, 7)
    assert (model.architecture, model.context_gradient) == ("cbow", "exact")
    optimizer = settings.make_optimizer(model)
    assert (optimizer.param_groups[0]["lr"], optimizer.max_norm) == (
        0.5,
        3.0,
    ) and model.pick == optimizer.pick


class Text:
    ids = np.array([0, 1, -1, 2, 0, 1, 3, 4, 0, -1] * 20)


def test_windows_of_words():
    facts = {"vocabulary": Vocabulary(list("abcde"), [500, 4, 3, 2, 1]).to_dict()}
    options = dict(window=3, negative=2, power=0.5, sample=1e-2, formula="paper", batch_size=13, seed=5)
    task = find_task("words")
    settings = task.settings("word2vec", **options)
    train, held = (task.batches(settings, facts, Text, training) for training in (True, False))
    for batches in (train, held):
        assert (batches.window, batches.questions.negative, batches.batch_size) == (3, 2, 13)
        share = np.sqrt([500, 4, 3, 2, 1])
        np.testing.assert_allclose(batches.questions.probability, share / share.sum())
    assert (train.seed, train.fixed) == (5, False) and (held.seed, held.fixed) == (0, True)
    assert train.keep[0] == pytest.approx((1e-2 * 510 / 500) ** 0.5) and (held.keep == 1).all()


TABLE = {"missing": "mean", "was_missing": True, "keep_constant": True, "outliers": "clip",
         "outlier_rule": "z-score", "normalization": "robust"}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_the_cleaning_of_a_table(name):
    settings = find_task("tables").settings("mlp", **{name: TABLE[name]})
    assert settings.cleaning == Cleaning(**{name: TABLE[name]}) != Cleaning()


def test_of_models_with_one_name_the_first_is_taken_where_the_data_tell_nothing(tmp_path):
    (tmp_path / "pictures").mkdir()
    found = {data: task_of("mlp", data).name for data in (None, "penguins", "t.csv", "digits", "nowhere")}
    assert found == {None: "images", "penguins": "tables", "t.csv": "tables", "digits": "images",
                     "nowhere": "images"}  # fmt: skip
    assert task_of("mlp", str(tmp_path / "pictures")).name == "images"


def test_another_name_for_the_data_is_its_name_until_other_data_is_chosen():
    """An evaluation on other data replaces `data` alone."""
    names = {}
    for task in map(find_task, MODELS):
        if task.Settings.also is None:
            continue
        name, _ = task.Settings.also
        model = next(iter(task.models))
        chosen = task.settings(model, **{name: "a.txt"})
        assert (chosen.data, getattr(chosen, name)) == ("a.txt", None)
        other = dataclasses.replace(chosen, data="b.txt")
        assert (other.data, getattr(other, name)) == ("b.txt", None)
        names[task.name] = name
    assert names == {"language": "text", "words": "text", "labels": "labels", "seq2seq": "pairs",
                     "translation": "pairs"}  # fmt: skip
