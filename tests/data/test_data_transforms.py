"""Batch transforms against loops over images and pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_notes.data import (
    ArrayDataset,
    CenterCrop,
    Compose,
    Normalize,
    Pad,
    RandomCrop,
    RandomHorizontalFlip,
    RandomShift,
    ToFloat,
    load_digits,
    normalization,
)

BATCH = np.random.default_rng(3).integers(1, 256, (6, 3, 5, 7), dtype=np.uint8)
DTYPES = pytest.mark.parametrize("dtype", [np.uint8, np.float32])


def padded_pixel(image, row, column):
    """The pixel of one (C, H, W) image, zero outside."""
    inside = 0 <= row < image.shape[1] and 0 <= column < image.shape[2]
    return image[:, row, column] if inside else np.zeros_like(image[:, 0, 0])


def window(image, top, left, height, width):
    result = np.empty((len(image), height, width), image.dtype)
    for row in range(height):
        for column in range(width):
            result[:, row, column] = padded_pixel(image, top + row, left + column)
    return result


def test_to_float_is_the_true_quotient():
    every = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    got = ToFloat()(every)
    assert got.dtype == np.float32 and got.max() == 1
    np.testing.assert_array_equal(got.ravel(), [np.float32(v / 255) for v in range(256)])
    assert ToFloat()(got.astype(np.float64)).dtype == np.float32


@DTYPES
def test_normalize(dtype):
    mean, std = np.array([0.1, 0.5, 0.9]), np.array([0.2, 1.0, 3.0])
    unit = 255 if dtype == np.uint8 else 1
    got = Normalize(mean, std)(BATCH.astype(dtype))
    assert got.dtype == np.float32
    for n, c, i, j in np.ndindex(BATCH.shape):
        want = (float(BATCH[n, c, i, j]) / unit - mean[c]) / std[c]
        assert got[n, c, i, j] == pytest.approx(want, rel=2e-6, abs=2e-6)


def test_normalize_with_numbers_serves_every_channel():
    got, want = Normalize(0.5, 0.25)(BATCH), Normalize([0.5] * 3, [0.25] * 3)(BATCH)
    np.testing.assert_array_equal(got, want)


@DTYPES
def test_pad(dtype):
    got = Pad((1, 2), value=1)(BATCH.astype(dtype))
    assert got.shape == (6, 3, 7, 11) and got.dtype == dtype
    np.testing.assert_array_equal(got[:, :, 1:-1, 2:-2], BATCH)
    white = 255 if dtype == np.uint8 else 1
    got[:, :, 1:-1, 2:-2] = white
    assert (got == white).all()


@given(st.integers(0, 3), st.integers(0, 4), st.integers(0, 2**32))
def test_random_shift_is_some_shift_of_each_image(down, right, seed):
    """Each result is one of the shifts within the limits, found by trying all of them."""
    rng = np.random.default_rng(seed)
    got = RandomShift((down, right))(BATCH, rng)
    assert got.shape == BATCH.shape and got.dtype == BATCH.dtype
    for image, result in zip(BATCH, got, strict=True):
        assert any(
            np.array_equal(result, window(image, top, left, 5, 7))
            for top in range(-down, down + 1)
            for left in range(-right, right + 1)
        )


@pytest.mark.parametrize("pixels", [(5, 0), (0, 7), 10**9])
def test_random_shift_leaves_something_to_see(pixels):
    with pytest.raises(ValueError, match=r"RandomShift: moves .* leave nothing of images \(6, 3, 5, 7\)"):
        RandomShift(pixels)(BATCH, np.random.default_rng(0))
    assert RandomShift((4, 6))(BATCH, np.random.default_rng(0)).any()


def test_random_shift_draws_all_places_for_each_image_alone():
    image = np.zeros((1, 1, 5, 5), np.uint8)
    image[..., 2, 2] = 1
    got = RandomShift(1)(np.repeat(image, 900, 0), np.random.default_rng(0))
    seen = got.sum((0, 1), dtype=int)
    assert seen.sum() == 900  # the dot never leaves a 5 × 5 image
    assert (abs(seen[1:4, 1:4] - 100) < 5 * np.sqrt(900 / 9 * 8 / 9)).all()


@given(st.integers(1, 7), st.integers(1, 9), st.integers(0, 2), st.integers(0, 2**32))
def test_random_crop_is_some_window(height, width, padding, seed):
    crop = RandomCrop((height, width), padding)
    if height > 5 + 2 * padding or width > 7 + 2 * padding:
        with pytest.raises(ValueError, match="does not fit"):
            crop(BATCH, np.random.default_rng(seed))
        return
    got = crop(BATCH, np.random.default_rng(seed))
    assert got.shape == (6, 3, height, width)
    for image, result in zip(BATCH, got, strict=True):
        assert any(
            np.array_equal(result, window(image, top, left, height, width))
            for top in range(-padding, 5 + padding - height + 1)
            for left in range(-padding, 7 + padding - width + 1)
        )
    assert crop.deterministic()(BATCH).shape == got.shape


def test_center_crop():
    np.testing.assert_array_equal(CenterCrop((3, 3))(BATCH), BATCH[:, :, 1:4, 2:5])
    np.testing.assert_array_equal(CenterCrop((5, 4))(BATCH), BATCH[:, :, :, 1:5])


@DTYPES
def test_random_flip(dtype):
    batch = np.repeat(BATCH.astype(dtype), 100, 0)
    got = RandomHorizontalFlip(0.3)(batch, np.random.default_rng(1))
    assert got.dtype == dtype
    flips = 0
    for image, result in zip(batch, got, strict=True):
        mirrored = np.stack([plane[:, list(range(6, -1, -1))] for plane in image])
        if np.array_equal(result, mirrored):
            flips += 1
        else:
            np.testing.assert_array_equal(result, image)
    assert abs(flips - 180) < 5 * np.sqrt(600 * 0.3 * 0.7)


def test_random_flip_certain():
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(RandomHorizontalFlip(1)(BATCH, rng), BATCH[..., ::-1])
    np.testing.assert_array_equal(RandomHorizontalFlip(0)(BATCH, rng), BATCH)


TRANSFORMS = [
    ToFloat(),
    Normalize(0.1, 0.3),
    Pad(1),
    CenterCrop(4),
    RandomCrop(4, 1),
    RandomShift(2),
    RandomHorizontalFlip(),
    Compose([RandomShift(1), RandomHorizontalFlip(), Normalize(0.1, 0.3)]),
]


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda t: type(t).__name__)
@DTYPES
def test_transforms_are_pure_reproducible_and_honest_about_chance(transform, dtype):
    batch = BATCH.astype(dtype)
    batch.flags.writeable = False
    first = transform(batch, np.random.default_rng(5))
    np.testing.assert_array_equal(first, transform(batch, np.random.default_rng(5)))
    fixed = transform.deterministic()
    assert not fixed.random
    assert fixed(batch).shape == first.shape
    if transform.random:
        assert not np.array_equal(first, transform(batch, np.random.default_rng(6)))
        with pytest.raises(TypeError, match="needs a generator"):
            transform(batch)
    else:
        np.testing.assert_array_equal(transform(batch), first)


def test_deterministic_compose_keeps_the_fixed_part():
    compose = Compose([RandomShift(1), RandomHorizontalFlip(), Normalize(0.1, 0.3)])
    np.testing.assert_array_equal(compose.deterministic()(BATCH), Normalize(0.1, 0.3)(BATCH))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Normalize(0, 0),
        lambda: Normalize([0, 1], [1]),
        lambda: Normalize(np.nan, 1),
        lambda: Pad(-1),
        lambda: Pad(1.5),
        lambda: Pad((1, 2, 3)),
        lambda: Pad(1, value=255),
        lambda: RandomCrop(0),
        lambda: RandomShift(-1),
        lambda: RandomHorizontalFlip(1.1),
        lambda: Normalize([0, 0], [1, 1])(BATCH),
        lambda: Normalize(0, 1)(BATCH[0]),
        lambda: CenterCrop(6)(BATCH),
    ],
)
def test_bad_arguments_are_refused(make):
    with pytest.raises((ValueError, TypeError)):
        make()


def test_compose_takes_transforms_only():
    with pytest.raises(TypeError, match="not a Transform"):
        Compose([np.negative])


@DTYPES
def test_normalization_equals_float64_reference(dtype, monkeypatch):
    monkeypatch.setattr("tinygrad_notes.data.statistics.CHUNK", 4)  # several chunks
    images = BATCH.astype(dtype)
    mean, std = normalization(ArrayDataset(images, np.arange(6)))
    flat = np.moveaxis(images.astype(np.float64), 1, 0).reshape(3, -1)
    flat /= 255 if dtype == np.uint8 else 1
    np.testing.assert_allclose(mean, flat.mean(1), rtol=1e-14)
    np.testing.assert_allclose(std, flat.std(1), rtol=1e-13)


def test_normalization_of_constant_images_is_exactly_zero_std():
    mean, std = normalization(ArrayDataset(np.full((9, 1, 3, 3), 77, np.uint8), np.zeros(9, int)))
    assert (mean, std) == (77 / 255, 0)


def test_normalized_digits_have_mean_zero_and_std_one():
    train, _ = load_digits()
    images = Normalize(*normalization(train))(train.images).astype(np.float64)
    assert abs(images.mean()) < 1e-6 and abs(images.std() - 1) < 1e-6


def test_normalization_refuses_empty_and_flat_data():
    with pytest.raises(ValueError, match="empty"):
        normalization(ArrayDataset(np.zeros((0, 1, 2, 2), np.uint8), np.zeros(0, int)))
    with pytest.raises(ValueError, match="needs images"):
        normalization(ArrayDataset(np.zeros((2, 4)), [0, 1]))
