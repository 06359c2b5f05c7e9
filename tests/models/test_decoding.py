"""Decoding: greedy, draws and beams against plain definitions that read everything again at each step."""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_notes as tg
from tests import twins
from tinygrad_notes.models.decoding import Sampling, beam_search, generate, greedy, select, stream
from tinygrad_notes.models.language import CELLS, RecurrentLM, TransformerLM
from tinygrad_notes.nn import functional as F

V = 7


def language_model(cell, **options):
    """A small one in float64, whose weights are large enough for its choices to differ."""
    model = TransformerLM(V, 8, 2, 2, **options) if cell == "transformer" else RecurrentLM(V, cell, 8)
    for parameter in model.parameters():
        tg.nn.init.normal_(parameter, std=0.6)
    return model.astype("float64").eval()


EVERY = [*CELLS, "transformer"]
IDS = np.random.default_rng(0).integers(0, V, (3, 4))


def uncached(model, ids, choose, length):
    """Each id from all before it, read from the start."""
    for _ in range(length):
        with tg.no_grad():
            logits, _ = model(ids)
        ids = np.concatenate([ids, choose(logits.numpy()[:, -1])[:, None]], axis=1)
    return ids[:, -length:].tolist()


@pytest.mark.parametrize("cell", EVERY)
def test_a_text_read_in_pieces_gives_the_same_logits(cell):
    model = language_model(cell)
    whole, _ = model(IDS)
    for cuts in ([1, 2, 3], [3], [2]):
        state, pieces = (), []
        for piece in np.split(IDS, cuts, axis=1):
            logits, state = model(piece, state)
            pieces.append(logits.numpy())
        np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole.numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("cell", EVERY)
def test_generation_with_states_equals_generation_without(cell):
    model = language_model(cell)
    assert generate(model, IDS, 6) == uncached(model, IDS, greedy, 6)
    drawn = generate(model, IDS, 6, Sampling(0.8, top_k=5, top_p=0.9, seed=3))
    assert drawn == uncached(model, IDS, Sampling(0.8, top_k=5, top_p=0.9, seed=3), 6)
    assert drawn != generate(model, IDS, 6, Sampling(0.8, top_k=5, top_p=0.9, seed=4))


def test_two_texts_go_on_from_one_state_and_rows_of_a_state_are_selected():
    for model in map(language_model, EVERY):
        _, state = model(IDS)
        before, _ = model([[1], [2], [3]], state)
        model([[4], [4], [4]], state)
        rows = np.array([2, 0, 0])
        after, _ = model([[3], [1], [1]], select(state, rows))
        np.testing.assert_allclose(after.numpy(), before.numpy()[rows], rtol=0, atol=1e-12)


def test_generation_ends_at_the_stop():
    model = language_model("lstm")
    free = generate(model, IDS, 12)
    stop = free[0][3]
    expected = [row[: row.index(stop)] if stop in row else row for row in free]
    assert generate(model, IDS, 12, stop=stop) == expected
    assert generate(model, IDS, 0) == [[], [], []]


def test_a_full_context_is_read_again_from_its_last_half():
    model = language_model("transformer", context=6)
    with pytest.raises(ValueError, match="the table has 6 places, and 6 to 6 are asked for"):
        generate(model, IDS, 5)
    text = IDS.tolist()
    got = generate(model, IDS, 8, context=6)
    start = 0
    for i in range(8):
        if 4 + i - start > 6:
            start = 4 + i - 3
        window = np.array([row[start:] for row in text])
        new = model(window)[0].numpy()[:, -1].argmax(axis=1).tolist()
        assert [row[i] for row in got] == new
        text = [row + [n] for row, n in zip(text, new, strict=True)]
    long = np.tile(IDS, (1, 3))
    assert generate(model, long, 1, context=6) == generate(model, long[:, -6:], 1)


@pytest.mark.parametrize(
    "context, prompt, expected",
    [
        (None, 3, ["012", "3", "4", "5", "6"]),
        (4, 2, ["01", "2", "3", "34", "5", "6", "67"]),  # 4 places hold 4 ids; then the last 2 are read again
        (4, 4, ["0123", "34", "5", "6", "67"]),  # a prompt that just fits
        (4, 6, ["2345", "56", "7", "8"]),
        (5, 5, ["01234", "45", "6", "7", "8", "89"]),
        (1, 3, ["2", "3", "4"]),
    ],
)  # fmt: skip
def test_what_is_read_of_a_text(context, prompt, expected):
    """The ids of each call; a new text begins where the state is the first one."""
    calls = []

    def step(ids, state):
        calls.append(("".join(map(str, ids.numpy()[0].tolist())), state))
        return tg.Tensor(np.eye(12)[ids.numpy() + 1]), (*state, 1)  # the id behind the last

    list(itertools.islice(stream(step, [list(range(prompt))], context=context), len(expected)))
    assert [ids for ids, _ in calls] == expected
    anew = [len(ids) > 1 or context == 1 for ids in expected]
    assert [state == () for _, state in calls] == anew


@pytest.mark.parametrize("cell", EVERY)
def test_logits_and_gradients_equal_torchs(cell):
    torch = pytest.importorskip("torch")
    ours = language_model(cell)
    theirs = twins.language(cell, V, 8, 2, heads=2, context=256).double()
    twins.copy_weights(ours, theirs)
    y, z = ours(IDS)[0], theirs(torch.from_numpy(IDS))[0]
    F.cross_entropy(y.reshape(-1, V), IDS.ravel()).backward()
    torch.nn.functional.cross_entropy(z.reshape(-1, V), torch.from_numpy(IDS.ravel())).backward()
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=0, atol=1e-12)
    expected = {name: p.grad.numpy() for name, p in theirs.named_parameters()}
    for name, p in ours.named_parameters():
        np.testing.assert_allclose(p.grad.numpy(), expected[name], rtol=0, atol=1e-12, err_msg=name)


# ---- draws -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("top_k", [None, 1, 3, 50])
@pytest.mark.parametrize("top_p", [None, 0.01, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_what_is_drawn_from_equals_its_definition(temperature, top_k, top_p):
    logits = np.random.default_rng(1).normal(size=(4, 6)) * 2
    got = Sampling(temperature, top_k, top_p).probabilities(logits)
    for row, p in zip(logits, got, strict=True):
        weights = {i: math.exp(x / temperature) for i, x in enumerate(row)}
        likeliest = sorted(weights, key=lambda i: -weights[i])[:top_k]
        total, kept = 0.0, []
        for i in likeliest:
            kept.append(i)
            total += weights[i] / sum(weights[j] for j in likeliest)
            if top_p is not None and total >= top_p:
                break
        whole = sum(weights[i] for i in kept)
        np.testing.assert_allclose(p, [weights[i] / whole if i in kept else 0 for i in range(6)], atol=1e-14)


def test_equal_logits_are_cut_from_the_back():
    assert Sampling(top_k=2).probabilities(np.zeros((1, 4))).tolist() == [[0.5, 0.5, 0, 0]]
    assert Sampling(top_p=0.25).probabilities(np.zeros((1, 4))).tolist() == [[1, 0, 0, 0]]


def test_draws_follow_the_probabilities_and_the_seed():
    logits = np.tile([0.0, -math.log(2), -np.inf, -math.log(2)], (20_000, 1))
    drawn = Sampling(seed=0)(logits)
    counts = np.bincount(drawn, minlength=4)
    expected = np.array([0.5, 0.25, 0, 0.25]) * 20_000
    assert counts[2] == 0
    assert (abs(counts - expected) < 4 * np.sqrt(expected + 1)).all()
    assert (Sampling(seed=0)(logits) == drawn).all() and not (Sampling(seed=1)(logits) == drawn).all()
    assert Sampling(0)(logits[:2]).tolist() == [0, 0]


@pytest.mark.parametrize(
    "wrong", [{"temperature": -1}, {"temperature": math.nan}, {"top_k": 0}, {"top_p": 0}]
)
def test_wrong_options_are_refused(wrong):
    with pytest.raises(ValueError, match=f"Sampling: {next(iter(wrong))} must be"):
        Sampling(**wrong)


def test_a_stream_is_endless_and_lazy():
    places = stream(language_model("gru"), IDS)
    assert [len(next(places)) for _ in range(30)] == [3] * 30


# ---- beams -------------------------------------------------------------------------------------------


def best_of_all(model, ids, length, stop, penalty):
    """Every sequence of up to `length` ids that ends in `stop`, scored; the best one."""
    others = [i for i in range(V) if i != stop]
    best = (-math.inf, [])
    for count in range(length):
        for sequence in itertools.product(others, repeat=count):
            whole = [*ids, *sequence, stop]
            logits = model(np.array([whole[:-1]]))[0].numpy()[0, len(ids) - 1 :]
            log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
            score = sum(row[i] for row, i in zip(log_p, [*sequence, stop], strict=True))
            best = max(best, (score / ((5 + count + 1) / 6) ** penalty, list(sequence)))
    return best


@pytest.mark.parametrize("cell", ["gru", "transformer"])
@pytest.mark.parametrize("penalty", [0.0, 0.6, 3.0])
def test_enough_beams_find_the_best_of_all_sequences(cell, penalty):
    model = language_model(cell)
    with tg.no_grad():
        found = beam_search(model, IDS, 3, stop=2, beams=V**3, length_penalty=penalty)
        for ids, hypotheses in zip(IDS, found, strict=True):
            score, sequence = best_of_all(model, ids, 3, 2, penalty)
            assert hypotheses[0].ids == sequence
            assert abs(hypotheses[0].score - score) < 1e-6


@pytest.mark.parametrize("cell", EVERY)
def test_one_beam_is_greedy_and_samples_do_not_see_each_other(cell):
    model = language_model(cell)
    for stop in range(V):
        one = beam_search(model, IDS, 5, stop, beams=1, length_penalty=0)
        assert [h[0].ids for h in one] == generate(model, IDS, 5, stop=stop)
        together = beam_search(model, IDS, 5, stop, beams=3)
        for ids, hypotheses in zip(IDS, together, strict=True):
            (alone,) = beam_search(model, ids[None], 5, stop, beams=3)
            assert [h.ids for h in alone] == [h.ids for h in hypotheses]
            np.testing.assert_allclose([h.score for h in alone], [h.score for h in hypotheses], rtol=1e-9)
            assert [h.score for h in alone] == sorted([h.score for h in alone], reverse=True)


def test_beams_that_never_end_are_given_as_they_are():
    def never(ids, state):
        logits = np.array([0.0, 1.0, -np.inf])
        return tg.Tensor(np.tile(logits, (len(ids), ids.shape[1], 1))), state

    (hypotheses,) = beam_search(never, [[0]], 3, stop=2, beams=2, length_penalty=0)
    assert hypotheses[0].ids == [1, 1, 1] and len(hypotheses) == 2
    assert beam_search(never, np.zeros((0, 1), np.int64), 3, stop=2) == []


def test_beams_go_on_while_a_longer_hypothesis_may_be_better():
    never = -np.inf
    table = np.array([[never, np.log(0.45), np.log(0.55), never], [never, never, never, 0],
                      [never, never, 0, never], [never, never, 0, never]])  # fmt: skip

    def chain(ids, state):  # from 0 to its end, 2, or by 1 and 3
        return tg.Tensor(table[ids.numpy()]), state

    (found,) = beam_search(chain, [[0]], 6, stop=2, beams=2, length_penalty=2)
    assert found[0].ids[:2] == [1, 3]  # ln 0.45 of three ids is better than ln 0.55 of one
    (found,) = beam_search(chain, [[0]], 6, stop=2, beams=2, length_penalty=0)
    assert found[0].ids[:1] != [1]


@pytest.mark.parametrize("wrong", [{"beams": 0}, {"length": 0}, {"length_penalty": -1.0}])
def test_wrong_beams_are_refused(wrong):
    with pytest.raises(ValueError, match="must be at least 1 and length_penalty 0 or more"):
        beam_search(language_model("rnn"), IDS, **{"length": 3, "stop": 0} | wrong)


def test_a_tiny_temperature_draws_the_likeliest():
    got = Sampling(temperature=1e-320).probabilities(np.array([[0.0, 5.0, 1.0]]))
    assert got.tolist() == [[0, 1, 0]]


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"temperature": math.inf}, "temperature must be 0 or more, got inf"),
        ({"temperature": -0.5}, "temperature must be 0 or more, got -0.5"),
        ({"top_k": -3}, "top_k must be at least 1, got -3"),
        ({"top_p": 1.5}, "top_p must be above 0 and at most 1, got 1.5"),
        ({"top_p": math.nan}, "top_p must be above 0 and at most 1, got nan"),
    ],
)
def test_wrong_options_are_told_with_their_value(wrong, message):
    with pytest.raises(ValueError, match=f"Sampling: {message}"):
        Sampling(**wrong)


def test_an_id_without_probability_is_not_drawn_even_by_the_least_draw():
    sampling = Sampling()
    sampling.rng = SimpleNamespace(random=np.zeros)
    assert sampling(np.array([[-np.inf, 0.0, 0.0], [0.0, -np.inf, 0.0]])).tolist() == [1, 0]
    sampling.rng = SimpleNamespace(random=lambda shape: np.full(shape, 1 - 2**-53))
    assert sampling(np.array([[0.0, 0.0, -np.inf], [0.0] * 3], np.float32)).tolist() == [1, 2]


def test_a_state_is_selected_through_all_its_tuples():
    state = (tg.Tensor([[1.0], [2.0], [3.0]]), (None, (tg.Tensor([10, 20, 30]),)), ())
    first, (none, (second,)), empty = select(state, np.array([2, 0]))
    assert (first.numpy().tolist(), none, second.numpy().tolist(), empty) == ([[3], [1]], None, [30, 10], ())


class Chain:
    """From each id the next one, seldom the one after it; counts the samples of each call."""

    def __init__(self, ids=6):
        self.calls, self.ids = [], ids

    def __call__(self, ids, state):
        self.calls.append(len(ids))
        assert not tg.is_grad_enabled()
        likely, seldom = (np.eye(self.ids)[(ids.numpy() + n) % self.ids] for n in (1, 2))
        return tg.Tensor(np.log(0.75 * likely + 0.25 * seldom + 1e-9)), state


def test_nothing_more_is_computed_when_all_samples_have_stopped():
    step = Chain()
    assert generate(step, [[3], [1]], 9, stop=4) == [[], [2, 3]]
    assert len(step.calls) == 3
    step = Chain()
    assert generate(step, [[3]], 2) == [[4, 5]] and len(step.calls) == 2


def test_samples_that_are_done_leave_the_beams():
    step = Chain()
    found = beam_search(step, [[3], [0]], 6, stop=4, beams=1, length_penalty=0)
    assert [h[0].ids for h in found] == [[], [1, 2, 3]]
    assert step.calls == [2, 1, 1, 1]
    assert [h[0].score for h in found] == pytest.approx([math.log(0.75), 4 * math.log(0.75)])


@pytest.mark.parametrize("penalty", [0.6, 2.0])
def test_beams_that_have_not_ended_are_divided_by_the_penalty_of_their_length(penalty):
    (found,) = beam_search(Chain(), [[0]], 3, stop=5, beams=2, length_penalty=penalty)
    assert [h.ids for h in found] == [[1, 2, 3], [1, 2, 4]]
    likely, seldom = math.log(0.75), math.log(0.25)
    scores = [total / (8 / 6) ** penalty for total in (3 * likely, 2 * likely + seldom)]
    assert [h.score for h in found] == pytest.approx(scores, rel=1e-6)


def test_large_logits_have_the_same_beams():
    """In float32 their exponentials would be infinite."""
    model = language_model("gru").astype("float32")
    plain, large = (
        beam_search(lambda ids, s, up=up: (lambda y, t: (y + up, t))(*model(ids, s)), IDS, 4, 2, beams=2)
        for up in (0.0, 1024.0)
    )
    for a, b in zip(plain, large, strict=True):
        assert [h.ids for h in a] == [h.ids for h in b]
        assert [h.score for h in a] == pytest.approx([h.score for h in b], abs=1e-3)


def test_beams_of_this_many_are_told():
    with pytest.raises(ValueError, match=r"got 0, 3 and 0\.6"):
        beam_search(Chain(), [[0]], 3, 5, beams=0)


@pytest.mark.parametrize(
    "logits", [[np.nan, 1.0, 2.0], [1.0, np.inf, 2.0], [-np.inf] * 3, [1.0, 2.0, np.nan]]
)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_nothing_is_drawn_from_what_is_no_distribution(logits, temperature):
    with pytest.raises(ValueError, match="the model has lost its numbers"):
        Sampling(temperature)(np.array([[0.0, 1.0, 2.0], logits]))


def test_temperature_0_is_certain():
    logits = np.array([[1.0, 2.0, 2.0], [3.0, -np.inf, 1.0]])
    assert Sampling(0.0).probabilities(logits).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert Sampling(0.0)(logits).tolist() == [1, 0]
