"""The embedded digits and datasets in memory."""

import hashlib
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_notes.data import ArrayDataset, load, load_digits


@pytest.fixture(scope="module")
def digits():
    return load_digits()


def test_digits_are_the_documented_ones():
    packed = resources.files("tinygrad_notes.data").joinpath("digits.npz").read_bytes()
    notes = resources.files("tinygrad_notes.data").joinpath("DIGITS.md").read_text("utf-8")
    assert len(packed) <= 2_000_000
    assert hashlib.sha256(packed).hexdigest() in notes


def test_digits_shapes(digits):
    train, test = digits
    assert train.images.shape == (8000, 1, 28, 28) and test.images.shape == (2000, 1, 28, 28)
    assert train.images.dtype == np.uint8 and train.labels.dtype == np.int64
    assert train.classes == test.classes == tuple("0123456789")


def test_digits_split_is_stratified_within_one_image(digits):
    train, test = digits
    count = np.bincount(train.labels) + np.bincount(test.labels)
    assert (abs(np.bincount(test.labels) - count / 5) < 1).all()


def test_digits_split_follows_its_rule(digits):
    """Ranked by digest, disjoint, and in every class the highest ranks are the test images."""
    ranks = [[hashlib.sha256(image.tobytes()).digest() for image in d.images] for d in digits]
    assert len(set(ranks[0]) | set(ranks[1])) == 10_000
    assert all(r == sorted(r) for r in ranks)
    train, test = (np.array(r, object) for r in ranks)
    for label in range(10):
        assert train[digits[0].labels == label].max() < test[digits[1].labels == label].min()


def test_digits_are_mixed(digits):
    """The source is grouped by class; any 500 neighbors must show every class."""
    for start in range(0, 7500, 500):
        assert len(set(digits[0].labels[start : start + 500])) == 10


def test_load_by_name(digits):
    train, test = load("digits")
    np.testing.assert_array_equal(train.images, digits[0].images)
    np.testing.assert_array_equal(test.labels, digits[1].labels)


@given(st.lists(st.integers(-7, 6), max_size=9))
def test_array_dataset_index_array_equals_single_items(index):
    data = ArrayDataset(np.arange(7 * 12).reshape(7, 3, 2, 2).astype(np.uint8), np.arange(7))
    images, labels = data[index]
    assert images.dtype == np.uint8 and images.shape == (len(index), 3, 2, 2)
    for place, i in enumerate(index):
        image, label = data[i]
        assert isinstance(label, int) and label == labels[place] == i % 7
        np.testing.assert_array_equal(image, images[place])


def test_array_dataset_slice_mask_and_subset():
    data = ArrayDataset(np.zeros((6, 1, 2, 2)), [0, 1, 2, 0, 1, 2], ["a", "b", "c"])
    assert data[1:3][1].tolist() == [1, 2]
    assert data[data.labels == 2][0].shape == (2, 1, 2, 2)
    assert len(data.subset(slice(2))) == 2 and data.subset(slice(2)).classes == ("a", "b", "c")
    with pytest.raises(IndexError):
        data[6]


@pytest.mark.parametrize(
    ("images", "labels", "classes", "error", "words"),
    [
        (np.zeros((3, 1, 2, 2)), [0, 1], None, ValueError, "do not fit"),
        (np.zeros(3), [0, 1, 2], None, ValueError, "do not fit"),
        (np.zeros((2, 1)), [0.0, 1.0], None, TypeError, "whole numbers"),
        (np.zeros((2, 1)), [0, 2], ["a", "b"], ValueError, "run from 0 to 2"),
        (np.zeros((2, 1)), [-1, 0], None, ValueError, "run from -1"),
    ],
)
def test_array_dataset_refuses(images, labels, classes, error, words):
    with pytest.raises(error, match=words):
        ArrayDataset(images, labels, classes)
