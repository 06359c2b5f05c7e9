"""A recurrence over time: the kernel that leaves out samples without a step equals the plain definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_notes.backend.kernels import plain
from tinygrad_notes.backend.kernels.scan import scan


def step(x, y, h, c, w):
    """Two sequences, two states, three results: one of another width, one that is the state before."""
    c = c + x * h
    new = np.tanh(h @ w + y)
    return new, c, c * y, new[:, :1], h


@st.composite
def recurrences(draw):
    steps, samples, width = draw(st.integers(1, 5)), draw(st.integers(0, 4)), draw(st.integers(1, 3))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from([np.float32, np.float64]))

    def normal(*shape):
        return random.standard_normal(shape).astype(dtype)

    sequences = [normal(steps, samples, width) for _ in range(2)]
    if draw(st.booleans()):
        sequences[0] = normal(width, samples, steps).T
    masks = [None, np.ones((steps, samples), bool), random.random((steps, samples)) < 0.5]
    lengths = random.integers(1, steps + 1, samples)
    masks.append(np.arange(steps)[:, None] < lengths)
    states = [normal(samples, width) for _ in range(2)]
    return sequences, states, [normal(width, width).T], draw(st.sampled_from(masks)), draw(st.booleans())


@settings(max_examples=60)
@given(recurrences())
def test_tuned_is_plain(arguments):
    given_arrays = [a for group in arguments[:3] for a in group]
    kept = [a.copy() for a in given_arrays]
    ours, expected = scan(step, *arguments), plain.scan(np, step, *arguments)
    assert len(ours) == len(expected) == 5
    for a, e in zip(ours, expected, strict=True):
        assert (a.shape, a.dtype) == (e.shape, e.dtype)
        np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-6)
    for a, k in zip(given_arrays, kept, strict=True):
        np.testing.assert_array_equal(a, k)


@pytest.mark.parametrize("run", [scan, lambda *a: plain.scan(np, *a)], ids=["tuned", "plain"])
def test_order_of_time_and_what_stays(run):
    x = np.arange(1.0, 7.0).reshape(3, 2, 1)
    mask = np.array([[1, 1], [1, 0], [1, 0]], bool)
    digits = lambda x, h: (10 * h + x, 10 * h + x)  # noqa: E731
    last, y = run(digits, (x,), (np.zeros((2, 1)),), (), None, False)
    assert y[:, :, 0].tolist() == [[1, 2], [13, 24], [135, 246]] and last[:, 0].tolist() == [135, 246]
    last, y = run(digits, (x,), (np.zeros((2, 1)),), (), None, True)
    assert y[:, :, 0].tolist() == [[531, 642], [53, 64], [5, 6]] and last[:, 0].tolist() == [531, 642]
    last, y = run(digits, (x,), (np.full((2, 1), 7.0),), (), mask, True)
    assert y[:, :, 0].tolist() == [[7531, 72], [753, 0], [75, 0]] and last[:, 0].tolist() == [7531, 72]


@pytest.mark.parametrize("run", [scan, lambda *a: plain.scan(np, *a)], ids=["tuned", "plain"])
def test_what_padding_holds_does_not_matter(run):
    x = np.array([[[1.0], [2.0]], [[3.0], [np.nan]]])
    mask = np.array([[True, True], [True, False]])
    last, y = run(lambda x, h: (h + x, h + x), (x,), (np.zeros((2, 1)),), (), mask, False)
    assert y[:, :, 0].tolist() == [[1, 2], [4, 0]] and last[:, 0].tolist() == [4, 2]


@pytest.mark.parametrize("run", [scan, lambda *a: plain.scan(np, *a)], ids=["tuned", "plain"])
@pytest.mark.parametrize("lengths", [(0, 0), (2, 3)])
def test_sequences_of_no_or_of_two_lengths_are_refused(run, lengths):
    with pytest.raises(ValueError, match=r"scan: sequences must be of one length, and at least 1 long"):
        run(
            lambda x, y, h: (h, h),
            [np.zeros((n, 1, 1)) for n in lengths],
            (np.zeros((1, 1)),),
            (),
            None,
            False,
        )


def test_a_state_may_be_a_part_of_a_sequence():
    """Then the rows of samples with a step must not be written into it."""
    x = np.arange(8.0).reshape(4, 2, 1)
    mask = np.array([[1, 1], [1, 0], [1, 0], [1, 0]], bool)
    kept = x.copy()
    last, _ = scan(lambda x, h: (x, h), (x,), (np.zeros((2, 1)),), (), mask, False)
    assert last[:, 0].tolist() == [6, 1]
    np.testing.assert_array_equal(x, kept)
