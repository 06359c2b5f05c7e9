"""Sequence to sequence: equal to torch's parts put together, padding without influence, steps with states."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tests.twins import copy_weights, seq2seq
from tinygrad_notes.models import Seq2Seq
from tinygrad_notes.models.decoding import beam_search, generate
from tinygrad_notes.nn import functional as F

V, W = 9, 11
FORMS = [
    (a, f) for a in ("none", "dot", "general", "additive") for f in (False, True) if a != "none" or not f
]
SOURCE = np.random.default_rng(0).integers(0, V, (4, 6))
TARGET = np.random.default_rng(1).integers(0, W, (4, 5))
LENGTHS = np.array([6, 2, 4, 1])


def small(attention="additive", cell="gru", layers=1, feeding=False, **options):
    model = Seq2Seq(V, W, cell, attention, 8, 6, layers, input_feeding=feeding, **options)
    for parameter in model.parameters():
        tg.nn.init.normal_(parameter, std=0.5)
    return model.astype("float64").eval()


@pytest.mark.parametrize("cell, layers", [("gru", 1), ("lstm", 2)])
@pytest.mark.parametrize("attention, feeding", FORMS)
def test_logits_and_gradients_equal_torchs(attention, feeding, cell, layers):
    torch = pytest.importorskip("torch")
    ours = small(attention, cell, layers, feeding)
    theirs = seq2seq(ours, V, W, cell, attention, 8, 6, layers, feeding).double()
    copy_weights(ours, theirs)
    y = ours(SOURCE, TARGET, LENGTHS)
    F.cross_entropy(y.reshape(-1, W), tg.Tensor(TARGET.ravel())).backward()
    z = theirs(torch.from_numpy(SOURCE), torch.from_numpy(TARGET), torch.from_numpy(LENGTHS))
    torch.nn.functional.cross_entropy(z.reshape(-1, W), torch.from_numpy(TARGET.ravel())).backward()
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=0, atol=1e-12)
    expected = {name: p.grad.numpy() for name, p in theirs.named_parameters()}
    for name, p in ours.named_parameters():
        np.testing.assert_allclose(p.grad.numpy(), expected[name], rtol=0, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("attention, feeding", FORMS)
def test_padding_has_no_influence(attention, feeding):
    model = small(attention, "lstm", 1, feeding)
    padded, other = SOURCE.copy(), SOURCE.copy()
    behind = np.arange(6) >= LENGTHS[:, None]
    padded[behind], other[behind] = 0, 7
    a, b = (model(s, TARGET, LENGTHS).numpy() for s in (padded, other))
    np.testing.assert_array_equal(a, b)
    for row, length in enumerate(LENGTHS):
        alone = model(SOURCE[row : row + 1, :length], TARGET[row : row + 1])
        np.testing.assert_allclose(alone.numpy()[0], a[row], rtol=0, atol=1e-12)


@pytest.mark.parametrize("attention, feeding", FORMS)
@pytest.mark.parametrize("cell, layers", [("gru", 2), ("lstm", 1)])
def test_steps_with_states_equal_the_whole_and_beams_find_what_greedy_finds(attention, feeding, cell, layers):
    model = small(attention, cell, layers, feeding)
    whole = model(SOURCE, TARGET, LENGTHS).numpy()
    state, steps = model.start(SOURCE, LENGTHS), []
    for t in range(TARGET.shape[1]):
        logits, state = model.step(TARGET[:, t : t + 1], state)
        steps.append(logits.numpy())
    np.testing.assert_allclose(np.concatenate(steps, axis=1), whole, rtol=0, atol=1e-12)

    ids = np.full((4, 1), 1)
    made = generate(model.step, ids, 5, state=model.start(SOURCE, LENGTHS))
    read = ids
    for _ in range(5):  # from the start each time
        best = model(SOURCE, read, LENGTHS).numpy()[:, -1].argmax(axis=1)
        read = np.concatenate([read, best[:, None]], axis=1)
    assert made == read[:, 1:].tolist()
    beams = beam_search(
        model.step, ids, 5, stop=2, beams=1, length_penalty=0, state=model.start(SOURCE, LENGTHS)
    )
    assert [h[0].ids for h in beams] == generate(
        model.step, ids, 5, state=model.start(SOURCE, LENGTHS), stop=2
    )


def test_attention_is_a_distribution_over_what_is_there():
    for attention, feeding in FORMS[1:]:
        model = small(attention, "gru", 1, feeding)
        _, _, alpha = model.attended(TARGET, model.start(SOURCE, LENGTHS))
        assert alpha.shape == (4, 5, 6)
        np.testing.assert_allclose(alpha.numpy().sum(axis=2), 1, atol=1e-12)
        assert (
            alpha.numpy()[np.broadcast_to((np.arange(6) >= LENGTHS[:, None])[:, None], (4, 5, 6))] == 0
        ).all()


def test_without_forcing_the_decoder_reads_its_own_ids():
    model = small()
    forced = model(SOURCE, TARGET, LENGTHS)
    free = model(SOURCE, TARGET, LENGTHS, forcing=0.0).numpy()
    own = np.concatenate([TARGET[:, :1], free.argmax(axis=2)[:, :-1]], axis=1)
    np.testing.assert_allclose(free, model(SOURCE, own, LENGTHS).numpy(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(free[:, 0], forced.numpy()[:, 0], rtol=0, atol=1e-12)
    tg.manual_seed(3)
    half = model(SOURCE, TARGET, LENGTHS, forcing=0.5).numpy()
    tg.manual_seed(3)
    np.testing.assert_array_equal(half, model(SOURCE, TARGET, LENGTHS, forcing=0.5).numpy())
    assert not np.allclose(half, free) and not np.allclose(half, forced.numpy())


@pytest.mark.parametrize(
    "options, message",
    [({"cell": "rnn"}, "cell must be one of"), ({"attention": "location"}, "attention one of"),
     ({"width": 7}, "width must be even"),
     ({"attention": "none", "input_feeding": True}, "needs an attention")],
)  # fmt: skip
def test_wrong_forms_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Seq2Seq(V, W, **options)


def test_an_empty_source_is_refused():
    with pytest.raises(ValueError, match="at least one place"):
        small()(np.zeros((2, 0), np.int64), TARGET[:2])


@pytest.mark.parametrize("forcing", [0.2, 0.7])
def test_forcing_is_the_chance_of_the_targets_id(forcing):
    """The first id is always the target's; each later one where the draw is below it, else the likeliest."""
    model = small()
    tg.manual_seed(3)
    forced = tg.backend.rng().random(TARGET.shape) < forcing
    assert 0 < forced[:, 1:].sum() < forced[:, 1:].size and not forced[:, 0].all()
    read = TARGET[:, :1]
    for t in range(1, TARGET.shape[1]):
        own = model(SOURCE, read, LENGTHS).numpy()[:, -1].argmax(axis=1)
        read = np.concatenate([read, np.where(forced[:, t], TARGET[:, t], own)[:, None]], axis=1)
    tg.manual_seed(3)
    got = model(SOURCE, TARGET, LENGTHS, forcing=forcing).numpy()
    np.testing.assert_allclose(got, model(SOURCE, read, LENGTHS).numpy(), rtol=0, atol=1e-12)


def test_without_lengths_every_place_of_the_source_counts():
    model = small("general", "lstm")
    np.testing.assert_array_equal(model(SOURCE, TARGET).numpy(), model(SOURCE, TARGET, np.full(4, 6)).numpy())


@pytest.mark.parametrize("attention, feeding", FORMS)
def test_what_the_state_holds(attention, feeding):
    """(s, h̃, keys, mask): h̃ is 0 at first, and kept where it is fed."""
    model = small(attention, "lstm", 2, feeding)
    s, h, keys, mask = model.start(SOURCE, LENGTHS)
    assert [part.shape for part in s] == [(4, 2, 8)] * 2 and keys.shape == (4, 6, 8) and mask.shape == (4, 6)
    assert (h is None) == (not feeding) and (h is None or not h.numpy().any())
    y, (_, h, *_), alpha = model.attended(TARGET, (s, h, keys, mask))
    assert y.shape == (4, 5, 8) and (alpha is None) == (attention == "none")
    if feeding:
        np.testing.assert_array_equal(h.numpy(), y.numpy()[:, -1])
    else:
        assert h is None
