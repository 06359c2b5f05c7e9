"""Batches of sequences: nothing is lost, nothing comes twice, and resuming gives the rest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_notes.data.text import Buckets, Ragged, Sequences, Stream, Streams


def samples(lengths):
    """Sample i holds the numbers 100·i + 1, + 2, ..., and its label i."""
    ragged = Ragged([100 * i + 1 + np.arange(n) for i, n in enumerate(lengths)])
    return Sequences(ragged, np.arange(len(lengths)))


def arrays(batch):
    return [t.numpy() for t in batch]


def test_samples_are_padded_to_the_longest_of_a_batch():
    values, lengths, labels = samples([2, 0, 3])[[2, 0]]
    assert values.tolist() == [[201, 202, 203], [1, 2, 0]]
    assert lengths.tolist() == [3, 2] and labels.tolist() == [2, 0]
    series = Sequences(Ragged([np.ones((2, 3)), np.zeros((1, 3))], np.float32), padding=9)
    values, _ = series[[0, 1]]
    assert values.shape == (2, 2, 3) and values.dtype == np.float32 and (values[1, 1] == 9).all()
    assert samples([2, 0, 3]).subset(np.array([2]))[[0]][0].tolist() == [[201, 202, 203]]
    with pytest.raises(ValueError, match="columns differ in length"):
        Sequences(Ragged([[1]]), np.zeros(2))
    for arrays, message in (
        ([[1.7]], r"needs arrays \(T, ...\) of int64, got float64 \(1,\)"),  # ids are never cut off
        ([3], r"got int64 \(\)"),
        ([["a"]], "of int64, got <U1"),
        ([[[1, 2]], [[1]]], r"may differ in their first axis only, got further axes \[\(2,\)\]"),
    ):
        with pytest.raises(ValueError, match=message):
            Ragged(arrays)
    assert Ragged([[], [1]]).lengths.tolist() == [0, 1]


def test_a_digest_tells_values_lengths_and_order():
    digests = {samples(lengths).fingerprint() for lengths in ([1, 2], [2, 1], [3], [1, 2, 0])}
    assert len(digests) == 4 and samples([1, 2]).fingerprint() in digests
    one, other = (Sequences(Ragged(cut), np.zeros(2)) for cut in ([[1], [2, 3]], [[1, 2], [3]]))
    assert one.fingerprint() != other.fingerprint()
    assert Stream([1, 2]).fingerprint() != Stream([2, 1]).fingerprint()
    assert Stream(np.array([1, 2], np.int32)).fingerprint() == Stream([1, 2]).fingerprint()


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=40), st.integers(1, 7),
    st.one_of(st.none(), st.integers(1, 40)), st.booleans(), st.integers(0, 5),
)  # fmt: skip
def test_buckets_hold_every_sample_once(lengths, size, tokens, shuffle, seed):
    loader = Buckets(samples(lengths), size, shuffle, tokens, prefetch=0, seed=seed)
    epochs = [[arrays(batch) for batch in loader] for _ in range(2)]
    for batches in epochs:
        assert len(batches) == len(loader)
        labels = np.concatenate([batch[2] for batch in batches])
        assert sorted(labels) == list(range(len(lengths)))
        for values, count, numbers in batches:
            assert values.shape[1] == count.max() and [lengths[i] for i in numbers] == count.tolist()
            if tokens is None:
                assert len(numbers) <= size
            else:
                assert values.size <= tokens or len(numbers) == 1
    padding = sum(batch[0].size for batch in epochs[0]) - sum(lengths)
    if tokens is None:  # each batch wastes at most the difference of its ends, which lie side by side
        assert padding <= size * (max(lengths) - min(lengths))


def test_buckets_come_in_a_new_order_each_epoch():
    loader = Buckets(samples([3] * 30 + [5] * 30), 4, shuffle=True, seed=0)
    first, second = ([arrays(b)[2].tolist() for b in loader] for _ in range(2))
    assert first != second and sorted(map(sorted, first)) != sorted(map(sorted, second))
    plain = [arrays(b)[2].tolist() for b in Buckets(samples([3, 1, 2]), 2)]
    assert plain == [[1, 2], [0]]
    with pytest.raises(ValueError, match="tokens must be at least 1"):
        Buckets(samples([1]), tokens=0)
    with pytest.raises(ValueError, match="Buckets: batch_size must be at least 1, got 0"):
        Buckets(samples([1]), 0)
    for size, length, name in ((0, 1, "batch_size"), (1, 0, "length")):
        with pytest.raises(ValueError, match=f"Streams: {name} must be at least 1, got 0"):
            Streams(Stream([1, 2, 3]), size, length)


@settings(deadline=None)
@given(st.integers(2, 120), st.integers(1, 5), st.integers(1, 9), st.booleans(), st.integers(0, 9))
def test_streams_go_on_where_they_ended(count, size, length, shuffle, seed):
    stream = Stream(np.arange(count, dtype=np.int32))
    needed = size + 1 + (length - 1 if shuffle else 0)
    if count < needed:
        with pytest.raises(ValueError, match="are too few for"):
            Streams(stream, size, length, shuffle)
        return
    loader = Streams(stream, size, length, shuffle, prefetch=0, seed=seed)
    batches = [arrays(batch) for batch in loader]
    assert len(batches) == len(loader) and [int(b[2]) for b in batches] == [1] + [0] * (len(batches) - 1)
    assert all(b[0].dtype == np.int64 and (b[1] == b[0] + 1).all() for b in batches)
    assert all(b[0].shape == (size, length) for b in batches[:-1])
    rows = np.concatenate([b[0] for b in batches], axis=1)
    assert (np.diff(rows, axis=1) == 1).all()  # a row is one stretch of the text
    assert (np.diff(rows[:, 0]) == rows.shape[1]).all()  # and the rows lie end to end
    left_out = count - 1 - rows.size
    assert left_out < size + (length - 1 if shuffle else 0)


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("make", [
    lambda prefetch: Buckets(samples(list(range(1, 30))), 4, True, prefetch=prefetch, seed=3),
    lambda prefetch: Buckets(samples(list(range(1, 30))), 1, True, 40, prefetch=prefetch, seed=3),
    lambda prefetch: Streams(Stream(np.arange(200)), 3, 7, True, prefetch=prefetch, seed=3),
])  # fmt: skip
def test_resuming_gives_the_rest(make, prefetch):
    whole = make(prefetch)
    expected = [[arrays(b) for b in whole] for _ in range(2)][1]
    for done in range(len(expected) + 1):
        loader = make(prefetch)
        list(loader)
        iterator = iter(loader)
        for _ in range(done):
            next(iterator)
        state = loader.state_dict()
        resumed = make(prefetch)
        resumed.load_state_dict(state)
        rest = [arrays(b) for b in resumed] if done else [arrays(b) for b in resumed][:0]
        for a, b in zip(rest, expected[done:] if done else [], strict=True):
            for x, y in zip(a, b, strict=True):
                np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("shuffle", [False, True])
def test_the_cuts_are_others_in_each_epoch_where_that_is_asked_for(shuffle):
    loader = Streams(Stream(np.arange(200)), 2, 5, shuffle, seed=1)
    firsts = {int(next(iter(loader))[0].numpy()[0, 0]) for _ in range(60)}
    assert firsts == (set(range(5)) if shuffle else {0})
