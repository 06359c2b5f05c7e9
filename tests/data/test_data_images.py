"""Real images for networks: folders that are split, sizes, channels, colored light, ten crops, CIFAR-10."""

import errno
import io
import os
import tarfile
import tempfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinygrad_notes.data import (
    ArrayDataset,
    DataError,
    DataLoader,
    ImageFolder,
    Lighting,
    Resize,
    TenCrop,
    folder,
    load,
    load_cifar10,
    load_image_folder,
    normalization,
    principal_colors,
    with_channels,
)
from tinygrad_notes.data.cifar import ARCHIVE, META, RECORDS, TEST_FILE, TRAIN_FILES, UNPACKED


def random_images(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write_classes(root, counts, first=0):
    """root/<class>/<number>.png, the color telling the number."""
    Image = pytest.importorskip("PIL.Image")
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for i in range(first, first + count):
            Image.new("RGB", (9, 7), (i, len(name), 0)).save(root / name / f"{i:03}.png")


# ---- folders -------------------------------------------------------------------------------------


def test_two_levels_are_taken_as_they_are(tmp_path):
    write_classes(tmp_path / "train", {"a": 3, "bb": 2, "ccc": 1})
    write_classes(tmp_path / "val", {"a": 1, "ccc": 2}, first=50)
    train, test = load(tmp_path, size=4)
    assert train.classes == test.classes == ("a", "bb", "ccc")
    assert sorted(train.labels) == [0, 0, 0, 1, 1, 2]
    assert sorted(test.labels) == [0, 2, 2]
    for part in (train, test):  # the color tells the class, whatever the order
        assert [len(part.classes[label]) for label in part.labels] == part.images[:, 1, 0, 0].tolist()
    assert test.images[:, 0, 0, 0].min() == 50


def test_one_level_is_split_by_class_and_seed(tmp_path):
    write_classes(tmp_path, {"a": 10, "bb": 5, "ccc": 2})
    train, test = load(tmp_path, size=4)
    assert np.bincount(test.labels).tolist() == [2, 1, 1]
    assert np.bincount(train.labels).tolist() == [8, 4, 1]
    assert sorted(train.files + test.files) == sorted(tmp_path.glob("*/*"))
    assert load(tmp_path, size=4)[1].files == test.files
    others = [load_image_folder(tmp_path, 4, seed=seed)[1].files for seed in range(1, 5)]
    assert any(files != test.files for files in others)


def test_every_beginning_holds_the_classes_in_their_proportions(tmp_path):
    write_classes(tmp_path / "train", {"a": 8, "bb": 4, "ccc": 4})
    write_classes(tmp_path / "test", {"a": 1})
    train, _ = load(tmp_path, size=4)
    for count in (4, 8, 12):
        assert np.bincount(train.labels[:count]).tolist() == [count // 2, count // 4, count // 4]
    limited, _ = load(tmp_path, size=4, limit=8)
    assert np.bincount(limited.labels).tolist() == [4, 2, 2]
    colors = [(int(red), int(green)) for red, green, _ in limited.images[:, :, 0, 0]]  # (number, letters)
    assert len(set(colors)) == 8
    assert set(colors) <= {(int(red), int(green)) for red, green, _ in train.images[:, :, 0, 0]}
    assert [green - 1 for _, green in colors] == limited.labels.tolist()
    assert limited.classes == train.classes


@pytest.mark.parametrize(
    ("train", "test", "reason"),
    [
        ({"a": 2}, {"b": 1}, r"test: has a folder 'b', but the training images have no such class"),
        ({"a": 2}, {}, r"test: has no folder"),
    ],
)
def test_parts_that_do_not_fit_are_refused(tmp_path, train, test, reason):
    write_classes(tmp_path / "train", train)
    (tmp_path / "test").mkdir()
    write_classes(tmp_path / "test", test)
    with pytest.raises(DataError, match=reason):
        load(tmp_path, size=4)


def test_training_images_without_a_test_are_told_so(tmp_path):
    write_classes(tmp_path / "train", {"a": 3, "b": 2})
    with pytest.raises(DataError, match="has train, a folder of classes, but none of test, val, valid, vali"):
        load(tmp_path, size=4)
    assert [len(part) for part in load(tmp_path / "train", size=4)] == [3, 2]


def test_a_class_may_be_called_train(tmp_path):
    write_classes(tmp_path, {"bus": 2, "train": 2})
    assert load(tmp_path, size=4)[0].classes == ("bus", "train")


def test_a_class_of_one_image_cannot_be_split(tmp_path):
    write_classes(tmp_path, {"a": 2, "b": 1})
    with pytest.raises(DataError, match="b: one image cannot be split"):
        load(tmp_path, size=4)


def test_size_is_asked_for(tmp_path):
    write_classes(tmp_path, {"a": 2})
    with pytest.raises(ValueError, match="say at which size"):
        load(tmp_path)


def test_damaged_image_is_refused_or_left_out(tmp_path):
    write_classes(tmp_path / "train", {"a": 2, "bb": 2})
    write_classes(tmp_path / "test", {"a": 1, "bb": 1})
    (tmp_path / "train" / "bb" / "000.png").write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"000\.png: not a usable image"):
        load(tmp_path, size=4)
    with pytest.warns(UserWarning, match=r"left out 1 of 4 files in .*train"):
        train, test = load(tmp_path, size=4, on_error="skip")
    assert (len(train), len(test)) == (3, 2)


def test_large_sets_lie_in_a_file(tmp_path, monkeypatch):
    write_classes(tmp_path, {"a": 5})
    expected = ImageFolder(tmp_path, 6).images
    monkeypatch.setattr(folder, "IN_MEMORY", 100)
    images = ImageFolder(tmp_path, 6).images
    assert isinstance(images, np.memmap) or isinstance(images.base, np.memmap)
    np.testing.assert_array_equal(images, expected)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot reserve room in a file")
def test_a_disk_without_room_for_them_is_told_before(tmp_path, monkeypatch):
    def full(file, start, size):
        raise OSError(code, os.strerror(code))

    write_classes(tmp_path, {"a": 5})
    monkeypatch.setattr(folder, "IN_MEMORY", 100)
    monkeypatch.setattr(os, "posix_fallocate", full)
    code = errno.ENOSPC
    with pytest.raises(DataError, match=r"need 540 bytes in .*No space left.* set TMPDIR") as caught:
        ImageFolder(tmp_path, 6)
    assert tempfile.gettempdir() in str(caught.value)
    code = errno.EOPNOTSUPP
    assert len(ImageFolder(tmp_path, 6)) == 5


# ---- sizes and channels --------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(64, 64), (10, 17), (8, 33), (31, 40), (5, 5)])
def test_resize_is_the_bilinear_filter_of_pillow(size):
    Image = pytest.importorskip("PIL.Image")
    images = random_images(2, 3, 32, 40)
    scaled = Resize(size)(images)
    assert scaled.dtype == np.uint8 and scaled.shape == (2, 3, *size)
    for ours, image in zip(scaled, images, strict=True):
        theirs = Image.fromarray(image.transpose(1, 2, 0)).resize(size[::-1], Image.Resampling.BILINEAR)
        difference = ours.transpose(1, 2, 0).astype(int) - np.asarray(theirs)
        assert np.abs(difference).max() <= 1 and abs(difference.mean()) < 0.2  # ties apart, both round


def test_resize_keeps_what_it_must():
    images = random_images(2, 1, 6, 6)
    assert Resize(6)(images) is images
    constant = np.full((1, 2, 5, 7), 0.3, np.float32)
    np.testing.assert_allclose(Resize(11)(constant), 0.3, rtol=1e-6)
    halved = Resize((3, 3))(images.astype(np.float32))
    assert halved.dtype == np.float32
    # away from the border a half is the mean with weights 1 3 3 1
    kernel = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64
    np.testing.assert_allclose(halved[0, 0, 1, 1], (images[0, 0, 1:5, 1:5] * kernel).sum(), rtol=1e-5)


def test_channels():
    gray = ArrayDataset(random_images(3, 1, 4, 4), [0, 1, 1], "ab")
    color = with_channels(gray, 3)
    assert color.images.shape == (3, 3, 4, 4) and color.classes == ("a", "b")
    assert np.shares_memory(color.images, gray.images) and (color.images == gray.images).all()
    assert with_channels(gray, 1) is gray
    np.testing.assert_array_equal(with_channels(color, 1).images, gray.images)
    pure = np.zeros((1, 3, 1, 3), np.uint8)
    pure[0, [0, 1, 2], 0, [0, 1, 2]] = 255  # red, green, blue
    assert with_channels(ArrayDataset(pure, [0]), 1).images.ravel().tolist() == [76, 150, 29]
    with pytest.raises(ValueError, match="cannot make 3 channels of 2"):
        with_channels(ArrayDataset(random_images(1, 2, 2, 2), [0]), 3)


# ---- colored light -------------------------------------------------------------------------------


def test_principal_colors_are_those_of_the_covariance():
    mixed = random_images(50, 3, 6, 6) @ np.ones((6, 6)) / 40  # pixels of a row alike
    data = ArrayDataset(np.clip(mixed + [[[0]], [[9]], [[40]]], 0, 255).astype(np.uint8), np.zeros(50, int))
    values, vectors = principal_colors(data)
    pixels = data.images.transpose(1, 0, 2, 3).reshape(3, -1) / 255
    covariance = np.cov(pixels, bias=True)
    np.testing.assert_allclose(vectors @ np.diag(values) @ vectors.T, covariance, atol=1e-12)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(3), atol=1e-12)
    assert (np.diff(values) <= 0).all()
    assert values.sum() == pytest.approx((normalization(data)[1] ** 2).sum(), rel=1e-12)
    for seed in range(8):  # the largest entry of each column is positive
        other = np.random.default_rng(seed).integers(0, 256, (20, 3, 4, 4)).astype(np.uint8)
        _, vectors = principal_colors(ArrayDataset(other, np.zeros(20, int)))
        assert (vectors[np.abs(vectors).argmax(0), [0, 1, 2]] > 0).all()


def test_lighting_is_its_definition():
    """x + P (α ∘ λ), one α for an image, its deviation 0.1."""
    images = random_images(6, 3, 4, 5)
    rng = np.random.default_rng(1)
    values, vectors = rng.random(3), np.linalg.qr(rng.normal(size=(3, 3)))[0]
    lit = Lighting(values, vectors)(images, np.random.default_rng(7))
    alpha = np.random.default_rng(7).standard_normal((6, 3)) * 0.1
    for n in range(6):
        shift = sum(alpha[n, k] * values[k] * vectors[:, k] for k in range(3))
        np.testing.assert_allclose(lit[n], images[n] / 255 + shift[:, None, None], rtol=0, atol=1e-6)
    assert lit.dtype == np.float32
    quiet = Lighting(values, vectors).deterministic()(images)
    np.testing.assert_array_equal(quiet, (images / np.float32(255)).astype(np.float32))


def test_lighting_has_the_deviation_asked_for():
    lit = Lighting([2.0, 0.0, 0.0], np.eye(3), std=0.1)(np.zeros((4000, 3, 1, 1)), np.random.default_rng(0))
    assert lit[:, 0].std() == pytest.approx(0.2, rel=0.05) and (lit[:, 1:] == 0).all()


@pytest.mark.parametrize(
    "arguments", [([1, 2], np.eye(3)), ([[1]], [[1]]), ([1.0], [[1.0]], -1.0), ([1.0], [[1.0]], np.nan)]
)
def test_lighting_refuses(arguments):
    with pytest.raises(ValueError, match="Lighting"):
        Lighting(*arguments)


def test_lighting_refuses_other_channels():
    with pytest.raises(ValueError, match="do not have 3 channels"):
        Lighting([1, 1, 1], np.eye(3))(np.zeros((2, 1, 4, 4)), np.random.default_rng(0))


# ---- ten crops -----------------------------------------------------------------------------------


def test_ten_crops_are_the_corners_the_middle_and_their_mirror_images():
    images = random_images(2, 3, 7, 9)
    views = TenCrop((4, 5))(images).reshape(2, 10, 3, 4, 5)
    for image, ten in zip(images, views, strict=True):
        five = [
            image[:, :4, :5],
            image[:, :4, -5:],
            image[:, -4:, :5],
            image[:, -4:, -5:],
            image[:, 1:5, 2:7],
        ]
        for k, crop in enumerate(five):
            np.testing.assert_array_equal(ten[k], crop)
            np.testing.assert_array_equal(ten[5 + k], crop[:, :, ::-1])
    with pytest.raises(ValueError, match="does not fit"):
        TenCrop(8)(images)


# ---- CIFAR-10 ------------------------------------------------------------------------------------


def records(count, seed):
    labels = np.arange(count, dtype=np.uint8)[:, None] % 10
    return np.concatenate([labels, random_images(count, 3072, seed=seed)], axis=1).tobytes()


def cifar_files():
    files = {name: records(4, seed) for seed, name in enumerate(TRAIN_FILES)}
    return files | {TEST_FILE: records(3, 9), META: "\n".join("abcdefghij").encode()}


def write_archive(path, files, level=9, **kinds):
    with tarfile.open(path, "w:gz", compresslevel=level) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{UNPACKED}/{name}")
            member.size = len(content)
            if name in kinds:
                member.type, member.linkname, member.size = tarfile.SYMTYPE, kinds[name], 0
            archive.addfile(member, io.BytesIO(content))


def test_cifar10_archive_equals_its_files(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYGRAD_NOTES_DATA", str(tmp_path / "cache"))
    (tmp_path / "cache" / "cifar10").mkdir(parents=True)
    monkeypatch.setattr("tinygrad_notes.data.sources.RECORDS", 4)
    files = cifar_files() | {TEST_FILE: records(4, 9)}
    write_archive(tmp_path / "cache" / "cifar10" / ARCHIVE, files | {"../../escaped.txt": b"x"})
    (tmp_path / "plain").mkdir()
    for name, content in files.items():
        (tmp_path / "plain" / name).write_bytes(content)
    for ours, plain in zip(load("cifar10"), load(tmp_path / "plain"), strict=True):
        np.testing.assert_array_equal(ours.images, plain.images)
        assert ours.labels.tolist() == plain.labels.tolist()
        assert ours.classes == tuple("abcdefghij")
    assert ours.images.shape == (4, 3, 32, 32) and len(next(iter(DataLoader(ours, 3)))[1]) == 3
    assert not list(tmp_path.rglob("escaped*")) and len(list(tmp_path.rglob("*"))) == 11


def test_named_cifar10_cut_between_images_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYGRAD_NOTES_DATA", str(tmp_path))
    monkeypatch.setattr("tinygrad_notes.data.sources.RECORDS", 4)
    (tmp_path / "cifar10").mkdir()
    for name, content in cifar_files().items():  # 4 images in each file, 3 in the last
        (tmp_path / "cifar10" / name).write_bytes(content)
    with pytest.raises(DataError, match=r"test_batch\.bin: holds 3 images, expected 4"):
        load("cifar10")
    assert len(load(tmp_path / "cifar10")[1]) == 3
    assert RECORDS == 10_000


def test_cifar10_archive_damaged(tmp_path):
    path, files = tmp_path / ARCHIVE, cifar_files()
    write_archive(path, {name: files[name] for name in (META, TEST_FILE)})
    with pytest.raises(DataError, match=r"lacks data_batch_1\.bin, .*data_batch_5\.bin"):
        load_cifar10(tmp_path)
    write_archive(path, files, **{TEST_FILE: "/etc/passwd"})
    with pytest.raises(DataError, match=r"test_batch\.bin is not the plain file"):
        load_cifar10(tmp_path)
    write_archive(path, files | {TEST_FILE: b"short"})
    with pytest.raises(DataError, match=r"test_batch\.bin: 5 bytes are not a number of 3073-byte"):
        load_cifar10(tmp_path)
    write_archive(path, files)
    for content in (path.read_bytes()[:-200], b"not an archive"):
        path.write_bytes(content)
        with pytest.raises(DataError, match="damaged archive"):
            load_cifar10(tmp_path)


def test_cifar10_archive_with_another_pixel_is_refused(tmp_path):
    path, files = tmp_path / ARCHIVE, cifar_files()
    write_archive(path, files, level=0)
    content, last = bytearray(path.read_bytes()), files[TRAIN_FILES[-1]][-64:]
    content[content.index(last)] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged archive \(CRC check failed"):
        load_cifar10(tmp_path)


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_spoilt_archives_and_images_raise_dataerror_only(data, tmp_path):
    Image = pytest.importorskip("PIL.Image")
    (tmp_path / "a").mkdir(exist_ok=True)
    kind = data.draw(st.sampled_from([ARCHIVE, "a/x.png", "a/x.jpg", "a/x.gif"]))
    path = tmp_path / kind
    if kind == ARCHIVE:
        write_archive(path, cifar_files())
    else:
        Image.fromarray(random_images(12, 12, 3)).save(path)
    content = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        load_cifar10(tmp_path) if kind == ARCHIVE else ImageFolder(tmp_path, 8)
    except DataError as error:
        assert path.name in str(error)
    path.unlink()


def test_missing_cifar10_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYGRAD_NOTES_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"cifar10 is not in .*put cifar-10-binary\.tar\.gz into .*cifar10"):
        load("cifar10")
