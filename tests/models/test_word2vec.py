"""Word2Vec: its loss is that of all pairs, sparse steps are dense ones, words of one kind come together."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend, optim
from tinygrad_notes.backend import to_numpy
from tinygrad_notes.data import Tree, Windows
from tinygrad_notes.data.questions import NOISE
from tinygrad_notes.data.windows import Around
from tinygrad_notes.models import Word2Vec
from tinygrad_notes.nn import functional as F

RNG = np.random.default_rng(0)
V, D = 30, 6
TEXT = RNG.integers(-1, V, 400)
COUNTS = np.bincount(TEXT[TEXT >= 0], minlength=V)
FORMS = [(a, k) for a in ("skip-gram", "cbow") for k in (NOISE, 0)]
every_form = pytest.mark.parametrize(("architecture", "negative"), FORMS)


def windows(negative=5, **more):
    return Windows(
        TEXT, COUNTS, window=3, negative=negative, sample=0.1, seed=1, **{"words_per_batch": 64} | more
    )


def made(architecture="skip-gram", gradient="exact", seed=0):
    """With numbers in both tables, so that no gradient is 0 for that reason."""
    model = Word2Vec(V, D, architecture, gradient)
    random = np.random.default_rng(seed)
    model.load_state_dict({k: random.normal(size=(V, D)).astype(np.float32) for k in ("syn0", "syn1")})
    return model.astype("float64")


def examples(batch):
    """(middle word, what it sees, its block, its place in it) of a batch, one at a time."""
    words, seen, *_ = (to_numpy(a._data) for a in batch)
    c = (words.shape[1] - seen.shape[2]) // 2
    for b, m in np.ndindex(len(words), seen.shape[2]):
        around = words[b, seen[b, :, m]]
        if around.size:
            yield int(words[b, c + m]), around, b, m


def asked_of(model, x, word, batch, b, negative):
    """The public losses of the vectors x (n, D) for one middle word; its noise is what the block drew."""
    n = x.shape[0]
    if negative:
        noise = to_numpy(batch.ids._data)[b, -NOISE:]
        return F.negative_sampling_loss(x, model.syn1, np.full(n, word), np.tile(noise, (n, 1)), "sum")
    tree = Tree(COUNTS)
    path, code = (np.tile(a[word], (n, 1)).astype(np.int64) for a in (tree.path, tree.code))
    return F.hierarchical_softmax_loss(x, model.syn1, path, code, "sum")


def plain(model, batch, negative):
    """The sum over all examples, each made from the public losses."""
    total = 0
    for word, around, b, _ in examples(batch):
        x = F.embedding(around, model.syn0)
        x = x if model.architecture == "skip-gram" else x.mean(axis=0, keepdims=True)
        total = total + asked_of(model, x, word, batch, b, negative)
    return total


@every_form
def test_a_batch_is_the_sum_of_the_public_losses_of_its_pairs(architecture, negative):
    """Value and gradient, of blocks against one word at a time. K = NOISE: each is asked once."""
    model = made(architecture)
    batch = Around(*next(iter(windows(negative))))
    loss, expected = model(batch), plain(model, batch, negative)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    tables = list(model.parameters())
    for g, e in zip(tg.grad(loss, tables), tg.grad(expected, tables), strict=True):
        np.testing.assert_allclose(g.numpy(), e.numpy(), rtol=1e-9, atol=1e-12)
    found = list(examples(batch))
    pairs = sum(len(around) for _, around, _, _ in found)
    assert model.count(batch) == (len(found) if architecture == "cbow" else pairs)


def test_the_codes_gradient_of_cbow_is_that_of_the_mean_for_every_word_of_the_context():
    """word2vec.c adds neu1e to each of the n words, and not neu1e/n; the output table sees no difference."""
    exact, code = made("cbow", "exact"), made("cbow", "code")
    batch = Around(*next(iter(windows())))
    assert exact(batch).item() == pytest.approx(code(batch).item(), rel=1e-12)
    e, c = (tg.grad(m(batch), [m.syn0, m.syn1]) for m in (exact, code))
    np.testing.assert_allclose(c[1].numpy(), e[1].numpy(), rtol=1e-10, atol=1e-14)
    expected = np.zeros((V, D))
    for word, around, b, m in examples(batch):
        x = tg.Tensor(exact.syn0.detach().numpy()[around].mean(axis=0, keepdims=True), requires_grad=True)
        ids, yes, no = (to_numpy(a._data)[b] for a in (batch.ids, batch.yes, batch.no))
        s = (x @ tg.Tensor(exact.syn1.detach().numpy()[ids]).T)[0]
        loss = (tg.softplus(-s) * tg.Tensor(yes[m]) + tg.softplus(s) * tg.Tensor(no[m])).sum()
        np.add.at(expected, around, tg.grad(loss, x)[0].numpy())
        assert yes[m, m] == 1 and ids[m] == word
    np.testing.assert_allclose(c[0].numpy(), expected, rtol=1e-6, atol=1e-6)


# ---- the sparse path ---------------------------------------------------------------------------


@every_form
@pytest.mark.parametrize("gradient", ["code", "exact"])
def test_sparse_steps_are_the_dense_rule_and_sgd(architecture, negative, gradient):
    dense, sparse = made(architecture, gradient), made(architecture, gradient)
    by_all = optim.SGD(dense.parameters(), lr=0.05)
    by_row = optim.RowSGD(sparse.parameters(), lr=0.05)
    sparse.pick = by_row.pick
    for step, batch in enumerate(windows(negative)):
        for optimizer in (by_all, by_row):
            optimizer.param_groups[0]["lr"] = 0.05 / (1 + step)
        by_all.zero_grad()
        dense(batch).backward()
        by_all.step()
        sparse(batch).backward()
        by_row.step()
        for name, expected in dense.state_dict().items():
            np.testing.assert_allclose(sparse.state_dict()[name], expected, rtol=1e-9, atol=1e-12)
    assert step >= 5


@every_form
def test_rows_that_no_batch_read_stay_bit_for_bit(architecture, negative):
    many = 300
    tg.manual_seed(0)
    model = Word2Vec(many, D, architecture)
    model.syn1._data += 0.1  # at 0 no gradient would reach syn0
    before = {k: v.copy() for k, v in model.state_dict().items()}
    optimizer = optim.RowSGD(model.parameters(), lr=0.1)
    model.pick = optimizer.pick
    loader = Windows(TEXT[:20], np.ones(many), negative=negative, sample=0, words_per_batch=20, seed=0)
    batch = Around(*next(iter(loader)))
    model(batch).backward()
    optimizer.step()
    for name, ids in (("syn0", batch.words), ("syn1", batch.ids)):
        untouched = np.setdiff1d(np.arange(many), to_numpy(ids._data))
        assert 200 < untouched.size < many
        after = model.state_dict()[name]
        np.testing.assert_array_equal(after[untouched], before[name][untouched])
        assert not np.array_equal(after, before[name])


@every_form
def test_an_empty_batch_costs_nothing_and_moves_nothing(architecture, negative):
    model = made(architecture)
    before = model.state_dict()
    optimizer = optim.RowSGD(model.parameters(), lr=0.1)
    model.pick = optimizer.pick
    batch = Around(*next(iter(Windows(np.full(9, -1), COUNTS, negative=negative, seed=0))))
    loss = model(batch)
    loss.backward()
    optimizer.step()
    assert loss.item() == 0 and model.count(batch) == 0
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


# ---- RowSGD ------------------------------------------------------------------------------------


def table(rows=5):
    return tg.nn.Parameter(np.arange(2.0 * rows).reshape(rows, 2))


def test_ids_that_repeat_add_up_also_over_two_picks():
    weight = table()
    optimizer = optim.RowSGD([weight], lr=0.5)
    (optimizer.pick([[1, 3, 1]], weight).sum() + 10 * optimizer.pick([1], weight).sum()).backward()
    optimizer.step()
    moved = weight.detach().numpy() - table().detach().numpy()
    assert moved.tolist() == [[0, 0], [-6, -6], [0, 0], [-0.5, -0.5], [0, 0]]
    optimizer.step()  # what was picked is forgotten
    assert weight.detach().numpy()[3, 0] == 5.5


def test_the_gradient_of_a_row_is_limited_by_its_own_length():
    weight = table()
    optimizer = optim.RowSGD([weight], lr=1.0, max_norm=5.0)
    factors = np.array([[3.0, 4.0], [30.0, 40.0], [0.0, 0.0]])
    (optimizer.pick([0, 1, 2], weight) * tg.Tensor(factors)).sum().backward()
    optimizer.step()
    moved = table().detach().numpy() - weight.detach().numpy()
    np.testing.assert_allclose(moved, [[3, 4], [3, 4], [0, 0], [0, 0], [0, 0]], rtol=1e-14)
    with pytest.raises(ValueError, match="max_norm must be above 0, got 0"):
        optim.RowSGD([weight], lr=1.0, max_norm=0)


def test_picking_gives_the_rows_and_records_nothing_where_nothing_is_recorded():
    weight = table()
    optimizer = optim.RowSGD([weight], lr=0.5)
    ids = tg.Tensor(np.array([[4, 0], [4, 4]]))
    np.testing.assert_array_equal(
        optimizer.pick(ids, weight).detach().numpy(), F.embedding(ids, weight).detach().numpy()
    )
    with tg.no_grad():
        assert not optimizer.pick(ids, weight).requires_grad
    optimizer.pick(ids, weight).sum().backward()
    optimizer.zero_grad()
    optimizer.step()
    np.testing.assert_array_equal(weight.detach().numpy(), table().detach().numpy())
    with pytest.raises(ValueError, match="none of its parameters"):
        optimizer.pick(ids, table())


def test_the_graph_notices_that_rows_were_moved():
    weight = table()
    optimizer = optim.RowSGD([weight], lr=0.5)
    other = (weight * weight).sum()
    optimizer.pick([0], weight).sum().backward()
    optimizer.step()
    with pytest.raises(RuntimeError, match="changed"):
        other.backward()


def test_groups_and_schedules_change_the_rate():
    a, b = table(), table()
    optimizer = optim.RowSGD([{"params": [a]}, {"params": [b], "lr": 0.25}], lr=1.0)
    schedule = optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.5, 1)
    for _ in range(2):
        (optimizer.pick([0], a).sum() + optimizer.pick([0], b).sum()).backward()
        optimizer.step()
        schedule.step()
    assert a.detach().numpy()[0, 0] == -1.5 and b.detach().numpy()[0, 0] == -0.375
    again = optim.RowSGD([{"params": [a]}, {"params": [b]}], lr=1.0)
    again.load_state_dict(optimizer.state_dict())
    assert [g["lr"] for g in again.param_groups] == [0.5, 0.125]


# ---- the model ---------------------------------------------------------------------------------


def test_it_starts_as_word2vec_does_and_counts_2_v_d():
    tg.manual_seed(0)
    model = Word2Vec(500, 40)
    syn0, syn1 = model.state_dict()["syn0"], model.state_dict()["syn1"]
    assert sum(p.size for p in model.parameters()) == 2 * 500 * 40
    assert syn0.dtype == np.float32 and not syn1.any()
    assert abs(syn0).max() <= 0.5 / 40 and syn0.std() == pytest.approx(1 / 40 / 12**0.5, rel=0.02)


@pytest.mark.parametrize(("message", "arguments"), [
    ("architecture must be one of .*got 'sg'", (3, 2, "sg")),
    ("context_gradient must be one of .*got 'mean'", (3, 2, "cbow", "mean")),
    ("num_words must be a positive integer, got 0", (0, 2)),
    ("dim must be a positive integer, got -1", (3, -1)),
])  # fmt: skip
def test_wrong_arguments(message, arguments):
    with pytest.raises(ValueError, match=message):
        Word2Vec(*arguments)


def mean_loss(model, batches):
    with tg.no_grad():
        return sum(model(batch).item() for batch in batches) / sum(map(model.count, batches))


@every_form
def test_words_that_stand_in_the_same_places_come_together(architecture, negative):
    """Two topics of ten words that never meet; the nearest neighbor of every word is of its topic."""
    random = np.random.default_rng(0)
    topics = random.integers(0, 2, 500)
    text = np.concatenate([[*random.integers(10 * t, 10 * t + 10, 8), -1] for t in topics]).astype(np.int32)
    counts = np.bincount(text[text >= 0])
    tg.manual_seed(0)
    model = Word2Vec(20, 10, architecture)
    optimizer = optim.RowSGD(model.parameters(), lr=0.05)
    model.pick = optimizer.pick
    loader = Windows(text, counts, negative=min(negative, 5), sample=0, seed=0, lr=0.05)
    batches = list(loader)
    before = mean_loss(model, batches)
    for _ in range(4):
        for batch in loader:
            model(batch).backward()
            optimizer.step()
    assert mean_loss(model, batches) < 0.9 * before
    vectors = model.state_dict()["syn0"]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similar = vectors @ vectors.T - 2 * np.eye(20)
    assert (similar.argmax(axis=1) // 10 == np.arange(20) // 10).all()
    assert backend.is_array(model.syn0._data)
