"""IDX files: round trips, and every damaged file refused, never half-used."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_notes.data import DataError, load, load_cifar10, load_idx, read_idx

CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx_bytes(array):
    code = CODES[array.dtype.str[1:]]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write_idx(path, array):
    data = idx_bytes(array)
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("idx")


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 1, 3), (0, 4)])
@pytest.mark.parametrize("name", ["plain", "packed.gz"])
def test_round_trip(place, code, shape, name):
    array = (np.arange(np.prod(shape)).reshape(shape) * 3 - 2).astype(code)
    write_idx(place / name, array)
    got = read_idx(place / name)
    assert got.dtype == array.dtype and got.dtype.isnative
    np.testing.assert_array_equal(got, array)


IMAGES = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
LABELS = np.array([1, 0, 2, 1], np.uint8)


def read_or_refuse(folder, file, data):
    """The images of a folder after `file` was replaced, or None where they were refused."""
    write_idx(folder / "t10k-images-idx3-ubyte", IMAGES)
    write_idx(folder / "t10k-labels-idx1-ubyte", LABELS)
    (folder / file).write_bytes(data)
    try:
        dataset = load_idx(folder, "test")
    except DataError as error:
        assert file in str(error)
        return None
    return dataset


@given(st.data(), st.sampled_from([("images-idx3", IMAGES), ("labels-idx1", LABELS)]))
def test_truncated_or_lengthened_files_are_refused(place, data, target):
    name, array = target
    whole = idx_bytes(array)
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert read_or_refuse(place, f"t10k-{name}-ubyte", whole[:cut]) is None
    tail = data.draw(st.binary(min_size=1, max_size=20))
    assert read_or_refuse(place, f"t10k-{name}-ubyte", whole + tail) is None


@given(st.data(), st.sampled_from([("images-idx3", IMAGES), ("labels-idx1", LABELS)]))
def test_any_other_header_byte_is_refused(place, data, target):
    name, array = target
    whole = bytearray(idx_bytes(array))
    position = data.draw(st.integers(0, 4 + 4 * array.ndim - 1))
    whole[position] ^= data.draw(st.integers(1, 255))
    assert read_or_refuse(place, f"t10k-{name}-ubyte", bytes(whole)) is None


@pytest.mark.parametrize("code", sorted(CODES.values())[1:])
@pytest.mark.parametrize("file", ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_other_types_than_bytes_are_refused(place, file, code):
    array = (IMAGES if "images" in file else LABELS).astype(next(c for c in CODES if CODES[c] == code))
    assert read_or_refuse(place, file, idx_bytes(array)) is None


@given(st.data())
def test_damaged_gzip_is_refused_or_equal(place, data):
    """Bytes of the gzip header that nothing depends on (its time stamp) may differ."""
    whole = bytearray(gzip.compress(idx_bytes(IMAGES), mtime=0))
    if data.draw(st.booleans()):
        whole = whole[: data.draw(st.integers(0, len(whole) - 1))]
        assert read_or_refuse(place, "t10k-images-idx3-ubyte", bytes(whole)) is None
        return
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    dataset = read_or_refuse(place, "t10k-images-idx3-ubyte", bytes(whole))
    if dataset is not None:
        np.testing.assert_array_equal(dataset.images[:, 0], IMAGES)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("shape", [(2**32 - 1,) * 3, (2_000_000, 28, 28), (10, 28, 28)])
def test_lying_header_allocates_nothing(place, shape, packed):
    data = struct.pack(">BBBB3I", 0, 0, 8, 3, *shape) + bytes(100)
    (place / "liar").write_bytes(gzip.compress(data) if packed else data)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"liar: cut short: shape \(\d+, \d+, \d+\) needs \d+"):
            read_idx(place / "liar")
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not an IDX file: it starts with nothing"),
        (b"\x89PNG\r\n", "not an IDX file"),
        (b"\0\0\x0a\x01\0\0\0\x01x", "not an IDX file"),
        (b"\0\0\x08\0", "not an IDX file"),
        (b"\0\0\x08\x02\0\0\0\x01", "ends before them"),
        (b"\0\0\x08\xc8" + b"\0\0\0\x01" * 200 + b"x", "unusable shape"),
    ],
)
def test_other_files_are_refused_with_a_reason(place, data, words):
    (place / "odd").write_bytes(data)
    with pytest.raises(DataError, match=words):
        read_idx(place / "odd")


@pytest.mark.parametrize("mark", ["-", "."])
@pytest.mark.parametrize("packed", ["", ".gz"])
def test_folder_of_idx_files(tmp_path, mark, packed):
    for prefix, labels in (("train", LABELS), ("t10k", np.zeros(4, np.uint8))):
        write_idx(tmp_path / f"{prefix}-images{mark}idx3-ubyte{packed}", IMAGES)
        write_idx(tmp_path / f"{prefix}-labels{mark}idx1-ubyte{packed}", labels)
    train, test = load(tmp_path)
    np.testing.assert_array_equal(train.images, IMAGES[:, None])
    assert train.labels.tolist() == [1, 0, 2, 1] and test.labels.tolist() == [0] * 4
    assert train.classes == test.classes == ("0", "1", "2")


def test_folder_problems_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="train-images-idx3-ubyte"):
        load_idx(tmp_path, "train")
    with pytest.raises(ValueError, match="split"):
        load_idx(tmp_path, "valid")
    write_idx(tmp_path / "train-images-idx3-ubyte", IMAGES)
    write_idx(tmp_path / "train-labels-idx1-ubyte", LABELS[:3])
    with pytest.raises(DataError, match="4 images, but 3"):
        load_idx(tmp_path, "train")
    with pytest.raises(ValueError, match="neither a folder nor one of digits, mnist"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize("shape", [(0, 2, 3), (4, 0, 3), (4, 2, 0)])
def test_images_without_pixels_are_refused(tmp_path, shape):
    write_idx(tmp_path / "train-images-idx3-ubyte", np.zeros(shape, np.uint8))
    write_idx(tmp_path / "train-labels-idx1-ubyte", LABELS[: shape[0]])
    with pytest.raises(DataError, match=rf"images-idx3-ubyte: holds nothing: its shape is \({shape[0]}, "):
        load_idx(tmp_path, "train")


# --- CIFAR-10 ----------------------------------------------------------------------------------


@pytest.fixture
def cifar(tmp_path):
    rng = np.random.default_rng(0)
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    parts = {}
    for name in names:
        records = rng.integers(0, 256, (4, 3073), dtype=np.uint8)
        records[:, 0] %= 10
        (tmp_path / name).write_bytes(records.tobytes())
        parts[name] = records
    (tmp_path / "batches.meta.txt").write_text("\n".join(f"thing{i}" for i in range(10)) + "\n\n")
    return tmp_path, parts


def test_cifar10(cifar):
    folder, parts = cifar
    train, test = load(folder)
    assert train.images.shape == (20, 3, 32, 32) and test.images.shape == (4, 3, 32, 32)
    record = parts["data_batch_2.bin"][1]
    assert train.labels[5] == record[0] and train.classes[3] == "thing3"
    assert train.images[5, 1, 4, 6] == record[1 + 1024 + 4 * 32 + 6]  # row-major planes R, G, B


def test_cifar10_damage_is_refused(cifar):
    folder, parts = cifar
    (folder / "data_batch_3.bin").write_bytes(parts["data_batch_3.bin"].tobytes()[:-1])
    with pytest.raises(DataError, match=r"data_batch_3\.bin: 12291 bytes"):
        load_cifar10(folder)
    parts["data_batch_3.bin"][2, 0] = 10
    (folder / "data_batch_3.bin").write_bytes(parts["data_batch_3.bin"].tobytes())
    with pytest.raises(DataError, match="image 2 has label 10"):
        load_cifar10(folder)
    (folder / "data_batch_3.bin").unlink()
    with pytest.raises(FileNotFoundError, match="data_batch_3"):
        load_cifar10(folder)
    (folder / "batches.meta.txt").write_text("cat\ndog\n")
    with pytest.raises(DataError, match="names 2 classes"):
        load_cifar10(folder)
