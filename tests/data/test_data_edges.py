"""Edges of data sets: what is told of files and pixels, which folders are parts, figures of words by hand."""

import os

import numpy as np
import pytest

from tinygrad_notes.data import ArrayDataset, DataError, ImageFolder, WordVectors, cifar, sources, wordtests
from tinygrad_notes.data.download import SOURCES, by_hand
from tinygrad_notes.data.listing import TEST_FOLDERS, list_images, list_parts, part_folder
from tinygrad_notes.data.resize import LUMA, Resize, weights, with_channels
from tinygrad_notes.data.text import symbols
from tinygrad_notes.data.windows import Around


@pytest.fixture
def tree(tmp_path):
    """Makes empty files at the paths named."""

    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        return tmp_path

    return make


# ---- folders -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*TEST_FOLDERS, "TEST", "Val"])
def test_every_name_of_a_test_folder(tree, name):
    root = tree("Train/b/1", "Train/a/2", f"{name}/b/3")
    (train, test), classes = list_parts(root)
    assert classes == ["a", "b"] and [p.name for p in train[0]] == ["2", "1"] and train[1] == [0, 1]
    assert [p.name for p in test[0]] == ["3"] and test[1] == [1]


def test_the_first_name_that_is_there_is_taken_and_files_are_no_folders(tree):
    root = tree("val/a/1", "test/a/2", "valid")
    assert part_folder(root, TEST_FOLDERS) == root / "test"
    assert part_folder(root, ("valid",)) is None and part_folder(root, ("val", "test")) == root / "val"


def test_hidden_files_do_not_count_and_an_empty_class_is_told(tree):
    root = tree("b/2", "b/.x", "a/1", "a/0", ".c/1", "file")
    files, labels, classes = list_images(root)
    assert ([f"{p.parent.name}/{p.name}" for p in files], labels, classes) == (
        ["a/0", "a/1", "b/2"], [0, 0, 1], ["a", "b"])  # fmt: skip
    (root / "empty").mkdir()
    with pytest.raises(DataError, match="empty: holds no usable image"):
        list_images(root)


@pytest.mark.parametrize(
    ("share", "counts"), [(0.2, (8, 2)), (0.01, (9, 1)), (0.99, (1, 9)), (0.5, (5, 5)), (0.25, (8, 2))]
)
def test_the_share_of_a_class_is_rounded_and_leaves_one_each(tree, share, counts):
    (train, test), _ = list_parts(tree(*(f"a/{i}" for i in range(10))), share=share)
    assert (len(train[0]), len(test[0])) == counts and not set(train[0]) & set(test[0])


@pytest.mark.parametrize("share", [0, 1, -0.1, 2])
def test_shares_of_a_folder_that_are_refused(tree, share):
    with pytest.raises(ValueError, match="load_image_folder: share must be between 0 and 1, not"):
        list_parts(tree("a/1", "a/2"), share=share)


def test_a_limit_takes_turns_in_each_part_and_the_seed_draws(tree):
    root = tree(*(f"{c}/{i:02d}" for c in "ab" for i in range(20)))
    (train, test), _ = list_parts(root, limit=4)
    assert sorted(train[1]) == sorted(test[1]) == [0, 0, 1, 1]
    one, other = (set(list_parts(root, seed=seed)[0][1][0]) for seed in (0, 1))
    assert one != other and len(one) == len(other) == 8


# ---- images ------------------------------------------------------------------------------------


@pytest.fixture
def pictures(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for name, color in (("a/1.png", 10), ("a/2.png", 20), ("b/1.png", 30)):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        image.new("RGB", (2, 2), (color, 0, 0)).save(tmp_path / "data" / name)
    return tmp_path / "data"


def test_progress_is_told_of_each_file_and_one_pixel_is_a_size(pictures):
    told = []
    data = ImageFolder(pictures, 1, progress=lambda *call: told.append(call))
    assert told == [("decoding data", done, 3, "images") for done in (1, 2, 3)]
    assert data.images[:, 0, 0, 0].tolist() == [10, 20, 30] and data.skipped == []
    for size in (0, (1, 0)):
        with pytest.raises(ValueError, match="ImageFolder: size must be at least 1 pixel, not"):
            ImageFolder(pictures, size)


@pytest.mark.parametrize("count", [1, 3, 4, 5])
def test_the_first_three_damaged_files_are_named(pictures, count):
    for i in range(count):
        (pictures / "b" / f"x{i}.png").write_bytes(b"no image")
    with pytest.warns(UserWarning, match="left out") as caught:
        data = ImageFolder(pictures, 2, on_error="skip")
    (told,) = (str(warning.message) for warning in caught)
    assert told.startswith(f"ImageFolder: left out {count} of {3 + count} files in {pictures}: ")
    assert told.count("no image") == 0 and told.count(f"b{os.sep}x") == min(count, 3)
    assert told.endswith(f" and {count - 3} more") == (count > 3)
    assert [path.name for path, _ in data.skipped] == [f"x{i}.png" for i in range(count)]
    assert [path.name for path in data.files] == ["1.png", "2.png", "1.png"] and len(data.digests) == 3


def test_a_fingerprint_of_files_is_of_what_is_in_them(pictures):
    before = ImageFolder(pictures, 2).fingerprint()
    assert ImageFolder(pictures, 2).fingerprint() == before
    os.replace(pictures / "b" / "1.png", pictures / "b" / "9.png")
    assert ImageFolder(pictures, 2).fingerprint() == before  # the name does not matter
    os.replace(pictures / "a" / "1.png", pictures / "b" / "9.png")
    assert ImageFolder(pictures, 2).fingerprint() != before


def test_luma_of_floats_is_not_rounded():
    color = np.random.default_rng(0).random((2, 3, 2, 2)).astype(np.float32)
    gray = with_channels(ArrayDataset(color, [0, 0]), 1)
    np.testing.assert_allclose(gray.images[:, 0], np.tensordot(LUMA, color, (0, 1)), rtol=1e-6)
    pixels = ArrayDataset(np.array([[[[1]], [[2]], [[4]]]], np.uint8), [0])
    assert with_channels(pixels, 1).images.tolist() == [[[[2]]]]  # 0.299 + 1.174 + 0.456 = 1.929
    assert with_channels(pixels, 3) is pixels and len(pixels.images[0]) == 3


def test_weights_of_a_smaller_and_of_a_larger_image():
    np.testing.assert_allclose(weights(2, 4), [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])
    np.testing.assert_allclose(weights(4, 2), np.array([[3, 3, 1, 0], [0, 1, 3, 3]]) / 7, rtol=1e-6)
    same = np.zeros((1, 1, 3, 2), np.uint8)
    assert Resize((3, 2))(same) is same
    half = Resize((1, 1))(np.array([[[[1, 2]]]], np.uint8))
    assert half.dtype == np.uint8 and half.item() == 2  # 1.5, to even


def test_a_data_set_says_what_it_is():
    data = ArrayDataset(np.zeros((2, 1, 3, 4), np.uint8), [0, 2])
    assert repr(data) == "ArrayDataset((2, 1, 3, 4) uint8, 3 classes)" and data.classes == ("0", "1", "2")
    named = ArrayDataset(data.images, [0, 1], ["x", "y", "z"])
    assert named.subset([1]).classes == ("x", "y", "z") and named.subset(slice(1)).labels.tolist() == [0]
    prints = {d.fingerprint() for d in (data, named, ArrayDataset(data.images, [1, 0], "xyz"),
                                        ArrayDataset(data.images + 1, [0, 1], "xyz"))}  # fmt: skip
    assert len(prints) == 4
    assert ArrayDataset(np.zeros((0, 1)), np.zeros(0, int)).classes == ()
    for labels in ([-1, 0], [0, 3]):
        with pytest.raises(
            ValueError, match=rf"labels run from {min(labels)} to {max(labels)}, but there are classes 0 to 2"
        ):
            ArrayDataset(data.images, labels, "xyz")


# ---- sources -----------------------------------------------------------------------------------


def test_a_name_is_no_folder_and_a_folder_is_known_by_its_files(tree, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tree("digits/a/1.png", "images/a/1.png", "idx/t10k-labels.idx1-ubyte", "idx2/train-images-idx3-ubyte.gz",
         "bin/batches.meta.txt", "tar/cifar-10-binary.tar.gz", "file")  # fmt: skip
    others = ("images", "idx", "idx2", "bin", "tar", "file", "nothing", "./digits")
    found = [name for name in (*sources.NAMES, *others) if sources.holds_images(name)]
    assert found == ["images", "./digits"]
    with pytest.raises(
        ValueError, match=r"load: images holds images to decode; say at which size, e\.g\. size=32"
    ):
        sources.load("images")
    for name in ("nothing", "file"):
        with pytest.raises(
            ValueError,
            match=f"load: '{name}' is neither a folder nor one of digits, mnist, fashion-mnist, cifar10",
        ):
            sources.load(name)


def test_a_limit_of_a_named_set_is_of_each_part():
    train, test = sources.load("digits", limit=3)
    whole = sources.load("digits")
    assert len(train) == len(test) == 3 and (len(whole[0]), len(whole[1])) == (8000, 2000)
    np.testing.assert_array_equal(train.images, whole[0].images[:3])


def test_files_that_are_put_there_by_hand_are_named(tmp_path):
    said = by_hand("mnist", tmp_path)
    assert (
        said == f"put {', '.join(f.name for f in SOURCES['mnist'].files)} into {tmp_path / 'mnist'} by hand"
    )


# ---- vectors -----------------------------------------------------------------------------------

WORDS = WordVectors(["a", "b", "c", "d", "zero"], np.array([[1, 0], [0, 2], [1, 1], [-1, 0], [0, 0]], float))


def test_cosines_by_hand():
    assert WORDS.similarity("a", "b") == 0 and WORDS.similarity("a", "d") == -1
    assert WORDS.similarity("b", "c") == pytest.approx(np.sqrt(0.5)) and WORDS.similarity("a", "zero") == 0
    assert WORDS["b"].tolist() == [0, 2] and "a" in WORDS and "x" not in WORDS and len(WORDS) == 5
    assert [word for word, _ in WORDS.neighbors("a", 99)] == ["c", "b", "zero", "d"]
    assert len(WORDS.analogy("a", "a", "b", 99)) == 3  # but for two words


@pytest.mark.parametrize(
    ("x", "ranks"),
    [([], []), ([5], [1]), ([3, 1, 2], [3, 1, 2]), ([2, 1, 2, 0], [3.5, 2, 3.5, 1]), ([7, 7, 7], [2, 2, 2])],
)
def test_ranks_share_their_mean(x, ranks):
    assert wordtests._ranks(np.array(x)).tolist() == ranks


def test_scores_are_read_with_titles_comments_and_commas(tmp_path):
    file = tmp_path / "s.csv"
    file.write_text("word1,word2,score\n# a note\n\nA,c,9\na,b,5\na,d,1\na,x,3\n")
    found = wordtests.similarities(WORDS, file)
    cosines = [np.sqrt(0.5), 0, -1]
    pearson = np.corrcoef(cosines, [9, 5, 1])[0, 1]
    assert found == {
        "spearman": pytest.approx(1),
        "pearson": pytest.approx(pearson),
        "pairs": 3,
        "skipped": 1,
    }
    among = wordtests.similarities(WORDS, file, {"a", "c"})
    assert among == {"spearman": None, "pearson": None, "pairs": 1, "skipped": 3}
    file.write_text("a\tb\t1\na\tc\t1\n")
    assert wordtests.similarities(WORDS, file)["spearman"] is None  # one side is constant
    assert wordtests.evaluate_vectors(WORDS, file)["pairs"] == 2
    for text, line in (("a,b,1\na,b,x\n", 2), ("a,b\n", 1), ("a,b,1\n\na,b\n", 3)):
        file.write_text(text)
        with pytest.raises(DataError, match=f"line {line}: two words and a number should be here"):
            wordtests.similarities(WORDS, file)


def test_analogies_are_counted_by_section(tmp_path):
    file = tmp_path / "q.txt"
    file.write_text(": one\na b d b\nA b x c\n: two words\na c a c\nb c b d\n")
    found = wordtests.evaluate_vectors(WORDS, file)
    expected = {name: [WORDS.analogy(*question[:3], 1)[0][0] == question[3] for question in asked]
                for name, asked in {"one": ["abdb"], "two words": ["acac", "bcbd"]}.items()}  # fmt: skip
    assert found["sections"] == {name: {"accuracy": sum(right) / len(right), "questions": len(right)}
                                 for name, right in expected.items()}  # fmt: skip
    assert (found["questions"], found["skipped"]) == (3, 1)
    assert found["accuracy"] == sum(map(sum, expected.values())) / 3
    file.write_text("\n# nothing\n")
    with pytest.raises(DataError, match="no questions"):
        wordtests.evaluate_vectors(WORDS, file)


# ---- names and samples ---------------------------------------------------------------------------


def test_names_of_classes_that_are_no_ascii_are_read(tmp_path):
    for name in (*cifar.TRAIN_FILES, cifar.TEST_FILE):
        (tmp_path / name).write_bytes(bytes(cifar.RECORD))
    (tmp_path / cifar.META).write_bytes("a b c d e f g h i \xe9".encode("latin-1"))
    train, test = cifar.load_cifar10(tmp_path)
    assert train.classes == test.classes == (*"abcdefghi", "\ufffd") and (len(train), len(test)) == (5, 1)
    (tmp_path / cifar.META).write_text("a b c")
    with pytest.raises(DataError, match=r"batches\.meta\.txt: names 3 classes, expected 10"):
        cifar.load_cifar10(tmp_path)


@pytest.mark.parametrize(("window", "questions"), [(5, 6), (2, 3)])
def test_a_sample_of_windows_has_the_shapes_of_one_word(window, questions):
    sample = Around.blank(window, questions)
    places = 2 * window + 1
    assert [array.shape for array in sample] == [
        (1, places), (1, places, 1), (1, questions), (1, 1, questions), (1, 1, questions)]  # fmt: skip
    if window == 5:
        assert [array.shape for array in Around.blank()] == [array.shape for array in sample]
    assert not sample.words.any() and sample.seen.all() and not sample.ids.any()


def test_bytes_have_the_characters_of_gpt2():
    assert len(set(symbols.CHARACTERS)) == 256
    shown = {32: "Ġ", 10: "Ċ", 0: "Ā", 127: "ġ", 160: "ł", 173: "Ń", 33: "!", 126: "~", 161: "¡", 255: "ÿ"}
    assert {byte: symbols.CHARACTERS[byte] for byte in shown} == shown
    assert all(symbols.BYTES[character] == byte for byte, character in enumerate(symbols.CHARACTERS))
    assert symbols.smallest_symbols("é a", "bytes") == ["Ã", "©", "Ġ", "a"]
    assert symbols.smallest_symbols("low", "words") == ["l", "o", "w</w>"]
