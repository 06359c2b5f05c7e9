"""What is held out: the share that was asked for, of each class alike, the same for the same seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_notes.data import held_out, load_digits
from tinygrad_notes.data.split import in_turns


@given(
    counts=st.lists(st.integers(0, 60), min_size=1, max_size=5),
    share=st.floats(0, 0.95),
    seed=st.integers(0, 99),
)
def test_every_class_gives_its_share(counts, share, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    held = held_out(labels, share, seed)
    assert held.sum() == round(share * len(labels))
    for label, count in enumerate(counts):
        assert abs(held[labels == label].sum() - share * count) <= 1.5
    np.testing.assert_array_equal(held, held_out(labels, share, seed))


def test_the_share_is_drawn_by_the_seed():
    train, _ = load_digits()
    held = [held_out(train.labels, 0.1, seed) for seed in (0, 1)]
    assert held[0].sum() == held[1].sum() == 800
    assert 40 < (held[0] & held[1]).sum() < 130  # 80 by chance
    counts = np.bincount(train.labels[held[0]])
    assert abs(counts - np.bincount(train.labels) / 10).max() <= 1
    assert abs(np.flatnonzero(held[0]).mean() - 4000) < 300


@pytest.mark.parametrize("share", [-0.1, 1, 2, float("nan")])
def test_shares_out_of_range_are_refused(share):
    with pytest.raises(ValueError, match="held_out: share must be at least 0 and below 1"):
        held_out(np.zeros(4), share, 0)


def test_a_limit_draws_from_the_whole_of_each_class():
    labels = np.repeat([0, 1, 2], [600, 300, 100])  # sorted, as lists of names and folders are
    chosen = in_turns(labels, 100)
    np.testing.assert_array_equal(np.bincount(labels[chosen]), [60, 30, 10])
    assert len(set(chosen)) == 100
    for label, start, count in ((0, 0, 600), (1, 600, 300), (2, 900, 100)):
        places = (chosen[labels[chosen] == label] - start) / count
        assert places.min() < 0.25 and places.max() > 0.75
    np.testing.assert_array_equal(chosen, in_turns(labels, 100))
    assert len(in_turns(labels, 5000)) == 1000


def test_without_a_limit_the_order_of_a_class_stays():
    labels = np.array([1, 1, 0, 1, 0, 1])
    for label in (0, 1):
        order = in_turns(labels)
        assert list(order[labels[order] == label]) == list(np.flatnonzero(labels == label))
