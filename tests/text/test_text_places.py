"""Places in datasets of texts, and numbers that a dtype holds: as in NumPy's arrays, or refused."""

import numpy as np
import pytest

from tinygrad_notes.data.text import Buckets, BytePairs, Ragged, Sequences, Vocabulary

TEXTS = [[1, 2], [3, 4], [5, 6, 7]]


@pytest.fixture
def texts():
    return Sequences(Ragged(TEXTS), [0, 1, 2])


@pytest.mark.parametrize(
    ("index", "chosen"),
    [([0, 2], [0, 2]), ([-1], [2]), ([-2, -3], [1, 0]), (np.array([False, False, True]), [2]), ([], []),
     (np.array([2, 1], np.uint8), [2, 1])],
)  # fmt: skip
def test_places_are_those_of_an_array(texts, index, chosen):
    for found in (texts[index], texts.subset(index)[np.arange(len(chosen))]):
        padded, lengths, labels = found
        assert labels.tolist() == chosen and lengths.tolist() == [len(TEXTS[i]) for i in chosen]
        assert [row[:n].tolist() for row, n in zip(padded, lengths, strict=True)] == [
            TEXTS[i] for i in chosen
        ]
    assert texts.columns[0].padded(index, 0)[1].tolist() == [len(TEXTS[i]) for i in chosen]


@pytest.mark.parametrize("index", [[0.9, 2.9], [3], [-4], np.array([True, False])])
def test_places_that_there_are_not_are_refused(texts, index):
    for use in (texts.__getitem__, texts.subset):
        with pytest.raises(IndexError):
            use(index)


@pytest.mark.parametrize(
    ("values", "dtype", "outside"),
    [([300], np.int8, "300"), ([2**40], np.int32, r"1099511627776"), ([-1], np.uint8, "-1"),
     (np.array([1, 2**63], np.uint64), np.int64, r"9223372036854775808")],
)  # fmt: skip
def test_numbers_that_a_dtype_does_not_hold_are_refused(values, dtype, outside):
    with pytest.raises(ValueError, match=f"Ragged: {outside} lies outside of {np.dtype(dtype)}"):
        Ragged([[1], values], dtype)
    assert Ragged([np.array([200], np.int64)], np.uint8).flat.tolist() == [200]


@pytest.mark.parametrize("how", [{"tokens": 5}, {"batch_size": 2}])
def test_nothing_has_no_batches(how):
    with pytest.raises(ValueError, match="0 samples"):
        list(Buckets(Sequences(Ragged([])), **how))


def test_nothing_is_split_into_nothing():
    pairs = BytePairs.train(["low lower"], size=20, kind="words")
    assert pairs.steps("") == [[]] and pairs.encode("") == []


def test_numbers_of_a_vocabulary_are_whole():
    with pytest.raises(ValueError, match="most must be 0 or more, got -1"):
        Vocabulary.build("aabbc", most=-1)
    assert len(Vocabulary.build("aabbc", most=0)) == 0
    with pytest.raises(TypeError):
        Vocabulary("ab").decode([1.7])
    assert Vocabulary("ab").decode(np.array([1, 0])) == ["b", "a"]
