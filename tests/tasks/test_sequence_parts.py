"""Texts, pairs, words and labeled sequences: parts, ids and facts of files of a few lines."""

import re

import numpy as np
import pytest

from tinygrad_notes.data import DataError
from tinygrad_notes.data.text import BytePairs, Stream, Vocabulary
from tinygrad_notes.tasks import find_task
from tinygrad_notes.tasks.labels import samples
from tinygrad_notes.tasks.labels.samples import Samples
from tinygrad_notes.tasks.language.texts import Units
from tinygrad_notes.tasks.pairs import texts
from tinygrad_notes.tasks.pairs.task import of_length, rows
from tinygrad_notes.tasks.words import corpus
from tinygrad_notes.tasks.words.corpus import END
from tinygrad_notes.train.options import RunError

LANGUAGE, LABELS, SEQ2SEQ, WORDS = (find_task(name) for name in ("language", "labels", "seq2seq", "words"))


def sizes(parts):
    return {name: len(part) for name, part in parts.named().items()}


# ---- labels --------------------------------------------------------------------------------------


@pytest.fixture
def labeled(tmp_path):
    """`labeled(options)`: the parts of 40 texts of two classes, of 1 to 5 letters."""
    (tmp_path / "t.tsv").write_text(
        "".join(f"{'ab'[i % 2] * (1 + i % 5)}\t{'xy'[i % 2]}\n" for i in range(40))
    )
    (tmp_path / "own.tsv").write_text("".join(f"b\t{'yx'[i % 2]}\n" for i in range(10)))

    def load(facts=None, **options):
        if options.get("validation") == "own":
            options["validation"] = str(tmp_path / "own.tsv")
        return LABELS.load(LABELS.settings("classify", data=str(tmp_path / "t.tsv"), **options), facts)

    return load


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"validation": 0.25}, {"training": 24, "validation": 8, "test": 8}),
        ({"validation": None}, {"training": 32, "test": 8}),
        ({"validation": 0}, {"training": 32, "test": 8}),
        ({"validation": 0.25, "limit": 6}, {"training": 6, "validation": 6, "test": 6}),
        ({"validation": "own"}, {"training": 32, "validation": 10, "test": 8}),
        ({"validation": "own", "limit": 4}, {"training": 4, "validation": 4, "test": 4}),
    ],
)
def test_parts_of_labeled_texts(labeled, options, expected):
    found = labeled(**options)
    assert sizes(found) == expected and found.facts["classes"] == ["x", "y"]
    for part in found.named().values():  # in turns, so that the first ones hold every class
        assert np.bincount(part.columns[1]).tolist() == [len(part) // 2] * 2
        assert set(part.columns[1][:2].tolist()) == {0, 1}
    if "limit" not in options and options["validation"] != "own":
        texts_ = [row for part in found.named().values() for row in rows(part.columns[0])]
        assert sum(map(len, texts_)) == 120  # each text is in one part


def test_what_decides_the_parts_of_labeled_texts(labeled):
    first = labeled(validation=0.25)
    other = labeled(first.facts, validation=0.25, seed=1)
    assert first.test.fingerprint() == other.test.fingerprint()
    assert first.validation.fingerprint() != other.validation.fingerprint()
    assert set(first.facts) == {"classes", "characters"}
    assert first.facts["characters"]["tokens"] == ["a", "b"]
    assert first.facts["characters"]["special tokens"] == ["<pad>", "<unk>"]
    again = labeled(facts := first.facts, validation=0.25)
    assert again.facts is facts and again.train.fingerprint() == first.train.fingerprint()


@pytest.mark.parametrize(("cell", "places", "fine"), [("transformer", 5, True), ("transformer", 4, False),
                                                     ("gru", 4, True)])  # fmt: skip
def test_places_of_a_transformer(labeled, cell, places, fine):
    if fine:
        assert sizes(labeled(cell=cell, places=places))["test"] == 8
        return
    with pytest.raises(
        RunError, match=r"longest sequence has 5 steps, more than the 4 places .* --places 5$"
    ):
        labeled(cell=cell, places=places)


SERIES = [np.array([[1.0, 2], [3, 4]]), np.array([[5.0, 6]])]
TEXTS = {"classes": ["x"], "characters": Vocabulary(["a"], specials=("<pad>", "<unk>")).to_dict()}
NUMBERS = {"classes": ["x"], "mean": [1.0, 2.0], "std": [2.0, 4.0]}


def test_labeled_samples_become_numbers():
    assert rows(samples.encoded(["aa", "ab"], TEXTS, "it")) == [[2, 2], [2, 1]]
    found = samples.encoded(SERIES, NUMBERS, "it")
    assert found.flat.tolist() == [[0, 0], [1, 0.5], [2, 1]] and found.flat.dtype == np.float32
    kinds = ("texts", "series of numbers")
    for values, facts, (learned, given) in ((SERIES, TEXTS, kinds), (["a"], NUMBERS, kinds[::-1])):
        with pytest.raises(DataError, match=f"it: the model was trained on {learned}, and these are {given}"):
            samples.encoded(values, facts, "it")
    with pytest.raises(DataError, match="it: a step has 2 numbers, and in the training part 1"):
        samples.encoded(SERIES, {"mean": [1.0], "std": [1.0]}, "it")
    assert samples.prepared(Samples(["a"], ["x"]), TEXTS, "it").columns[1].tolist() == [0]
    with pytest.raises(DataError, match="it: the label 'z' is none of the 1 of the training part"):
        samples.prepared(Samples(["a", "a"], ["x", "z"]), TEXTS, "it")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("s,l,v\n1,a,2\n2,b,3\n1,a,4\n", [([[2], [4]], "a"), ([[3]], "b")]),  # of one name, though apart
        ("s,l,v,w\n\n1,a,2,-3\n\n", [([[2, -3]], "a")]),
        ("s,l,v\n1,a,1e30\n", [([[1e30]], "a")]),
        ("s,l\n1,a\n", r"needs the columns series, label and one or more of numbers, got \['s', 'l'\]"),
        ("", "got nothing"),
        ("s,l,v\n1,a,1.1e30\n", r"line 2: 1.1e30 is more than 1e\+30"),
        ("s,l,v\n1,a,1\n1,a,2,3\n", "line 3 has 4 columns, and the header 3"),
        ("s,l,v\n1,a,\n", "line 2: '' is no finite number"),
        ("s,l,v\n1,a,-inf\n", "line 2: '-inf' is no finite number"),
        ("s,l,v\n", "holds no sample"),
    ],
)
def test_series_of_rows(tmp_path, content, found):
    (tmp_path / "x.csv").write_text(content)
    if isinstance(found, str):
        with pytest.raises(DataError, match=found):
            samples.read(str(tmp_path / "x.csv"))
        return
    read = samples.read(str(tmp_path / "x.csv"))
    assert [(v.tolist(), label) for v, label in zip(read.values, read.labels, strict=True)] == found
    assert not read.are_texts


@pytest.mark.parametrize(
    ("arrays", "found"),
    [
        (([1, 2, 3], [1, 2], ["a", "b"]), [([[1]], "a"), ([[2], [3]], "b")]),
        (([[1.5, 2], [3, 4]], [2], [7]), [([[1.5, 2], [3, 4]], "7")]),
        (([1e30, -1e30], [2], ["a"]), [([[1e30], [-1e30]], "a")]),
        (([1, -2e30], [2], ["a"]), r"values are more than 1e\+30"),
        (([[[1.0]]], [1], ["a"]), r"must be finite numbers \(steps, C\), got float64 \(1, 1, 1\)"),
        ((["1", "2"], [2], ["a"]), "must be finite numbers"),
        (([True, False], [2], ["a"]), "must be finite numbers"),
        (([1, 2], [1.0, 1.0], ["a", "b"]), "lengths .* must be positive whole numbers"),
        (([1, 2], [1, 1], ["a"]), r"labels \(N,\) one for each, got \(2,\) and \(1,\)"),
        (([1, 2], [[1, 1]], [["a", "b"]]), r"got \(1, 2\) and \(1, 2\)"),
        (([1, 2], [3, -1], ["a", "b"]), "positive whole numbers"),
        (([1, 2], [3], ["a"]), "add up to the 2 steps"),
    ],
)
def test_series_of_arrays(tmp_path, arrays, found):
    np.savez(
        tmp_path / "x.npz", **dict(zip(("values", "lengths", "labels"), map(np.array, arrays), strict=True))
    )
    if isinstance(found, str):
        with pytest.raises(DataError, match=found):
            samples.read(str(tmp_path / "x.npz"))
        return
    read = samples.read(str(tmp_path / "x.npz"))
    assert [(v.tolist(), label) for v, label in zip(read.values, read.labels, strict=True)] == found


@pytest.mark.parametrize("name", ["t.tsv", "t.txt", "T.TSV", "t.pdf", "none.tsv"])
def test_files_by_the_end_of_their_name(tmp_path, name):
    (tmp_path / name).write_text("one two\tx\tmore\n\nthree\ty\n")
    if name == "none.tsv":
        (tmp_path / name).unlink()
        said = "there is no such file, nor data of this name; choose surnames or a file"
    else:
        said = r"must be .tsv \(texts and labels\), .csv or .npz \(series\), not '.pdf'"
    if name in ("t.pdf", "none.tsv"):
        with pytest.raises(DataError, match=said):
            samples.read(str(tmp_path / name))
        return
    read = samples.read(str(tmp_path / name))
    assert (read.values, read.labels, read.are_texts) == (["one two", "three"], ["x", "y"], True)


# ---- language ------------------------------------------------------------------------------------

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"validation": 0.25}, {"training": "abcdefghijklmnopq", "validation": "rstuvw", "test": "xyz"}),
        ({"validation": None}, {"training": ALPHABET[:23], "test": "xyz"}),
        ({"validation": 0}, {"training": ALPHABET[:23], "test": "xyz"}),
        ({"validation": 0.25, "limit": 2}, {"training": "ab", "validation": "rs", "test": "xy"}),
        ({"validation": "own"}, {"training": ALPHABET[:23], "validation": "Öab", "test": "xyz"}),
        ({"validation": "own", "limit": 2}, {"training": "ab", "validation": "Öa", "test": "xy"}),
    ],
)
def test_parts_of_a_text(tmp_path, options, expected):
    (tmp_path / "t").write_text(ALPHABET)
    (tmp_path / "own").write_text("Öab", encoding="utf-8")
    if options["validation"] == "own":
        options = options | {"validation": str(tmp_path / "own")}
    settings = LANGUAGE.settings("charlm", data=str(tmp_path / "t"), **options)
    found = LANGUAGE.load(settings)
    units = Units.from_facts(found.facts)
    assert {name: units.decode(part.ids) for name, part in found.named().items()} == expected
    assert set(found.facts) == {"characters"} and len(units) == 26 + ("Ö" in "".join(expected.values()))
    assert LANGUAGE.load(settings, found.facts).facts is found.facts


@pytest.mark.parametrize(("text", "test"), [("ab" * 2, 1), ("ab" * 7, 1), ("ab" * 8, 2), ("ab" * 100, 20)])
def test_a_tenth_of_a_text_is_the_test(tmp_path, text, test):
    (tmp_path / "t").write_text(text)
    settings = LANGUAGE.settings("charlm", data=str(tmp_path / "t"), validation=None)
    if test == 1:
        with pytest.raises(DataError, match="the test part has 1 ids, and needs at least 2"):
            LANGUAGE.load(settings)
        return
    assert sizes(LANGUAGE.load(settings)) == {"training": len(text) - test, "test": test}


def test_byte_pairs_are_those_of_the_training_part(tmp_path):
    letters = " ".join("abcdefghijklmpqrstuvwxzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    (tmp_path / "t").write_text(f"no no no no {letters} " + "ye" * 6)  # the last tenth of it is the test
    found = LANGUAGE.load(LANGUAGE.settings("tokenlm", data=str(tmp_path / "t"), tokens=257, validation=None))
    assert set(found.facts) == {"byte pairs"}
    units = Units.from_facts(found.facts)
    assert len(units) == 257 and "no" in units.table.tokens and "ye" not in units.table.tokens
    assert len(units.encode("no", "it")) == 1 and units.decode(units.encode("no yés", "it")) == "no yés"
    assert Units.from_facts(units.facts()).table.tokens == units.table.tokens


@pytest.mark.parametrize(("count", "shown"), [(26, ALPHABET), (60, None), (61, "...")])
def test_characters_that_are_known_are_shown(count, shown):
    letters = [chr(ord("a") + i) if i < 26 else chr(0x4E00 + i) for i in range(count)]
    units = Units(Vocabulary([" ", "\n", *letters]))
    with pytest.raises(RunError) as caught:
        units.encode("ab\nÄa", "text 3")
    known = "".join(sorted(letters))
    assert str(caught.value) == (
        f"text 3: character 4 is 'Ä' (U+00C4), which is not among the {count + 2} that the model was trained "
        f"on ({known[:60]}{'...' * (count > 60)}); leave it out, or train a tokenlm, which reads any text"
    )


@pytest.mark.parametrize(
    ("length", "batch_size", "places", "shape", "free"),
    [(100, 4, 8, (4, 8), True), (100, 4, 40, (2, 40), True), (100, 4, 99, (1, 99), True),
     (100, 4, 100, (1, 99), False), (17, 4, 8, (2, 8), True), (16, 4, 8, (1, 8), True)],
)  # fmt: skip
def test_rows_of_a_text_side_by_side(length, batch_size, places, shape, free):
    """As many as the part has places for; training begins each epoch elsewhere, where that leaves some."""
    part = Stream(np.arange(length) % 2)
    facts = {"characters": Vocabulary(["a", "b"]).to_dict()}
    settings = LANGUAGE.settings("charlm", batch_size=batch_size, places=places)
    for training in (True, False):
        batches = LANGUAGE.batches(settings, facts, part, training)
        ids, following, characters, size = next(iter(batches))
        assert ids.shape[0] == shape[0] and size == ids.size and characters.numpy().tolist() == [1, 1]
        assert ids.shape == shape or training
        assert batches.batches.shuffle == (training and free)
        assert (ids.numpy()[:, 1:] == following.numpy()[:, :-1]).all()


# ---- pairs ---------------------------------------------------------------------------------------


@pytest.fixture
def paired(tmp_path):
    """`paired(options)`: the parts of 40 pairs, a number from 0 in words of one letter, and its double."""
    (tmp_path / "t.tsv").write_text("".join(f"{'ab'[i % 2] * (1 + i)}\t{2 * i}\n" for i in range(40)))
    (tmp_path / "own.tsv").write_text("".join(f"{'ab' * (i + 1)}\t{i}\n" for i in range(5)))

    def load(facts=None, **options):
        if options.get("validation") == "own":
            options["validation"] = str(tmp_path / "own.tsv")
        return SEQ2SEQ.load(SEQ2SEQ.settings("seq2seq", data=str(tmp_path / "t.tsv"), **options), facts)

    return load


@pytest.mark.parametrize(
    ("options", "expected", "left_out"),
    [
        ({"validation": 0.25}, {"training": 27, "validation": 9, "test": 4}, 0),
        ({"validation": None}, {"training": 36, "test": 4}, 0),
        ({"validation": 0}, {"training": 36, "test": 4}, 0),
        ({"validation": "own"}, {"training": 36, "validation": 5, "test": 4}, 0),
        ({"validation": "own", "limit": 3}, {"training": 3, "validation": 3, "test": 3}, 0),
        ({"validation": None, "longest": 41}, {"training": 36, "test": 4}, 0),  # 40 letters and the end sign
        ({"validation": None, "longest": 40}, None, 1),
        ({"validation": None, "longest": 41, "reverse": True}, {"training": 36, "test": 4}, 0),
        ({"validation": None, "longest": 40, "reverse": True}, None, 1),
        ({"validation": "own", "longest": 40}, None, 1),
    ],
)
def test_parts_of_pairs(paired, options, expected, left_out):
    found = paired(**options)
    assert found.facts["left out"] == left_out
    assert expected is None or sizes(found) == expected
    assert (
        sum(sizes(found).values()) == 40 + 5 * (options["validation"] == "own") - left_out
        or "limit" in options
    )
    again = paired(found.facts, **options)
    assert again.facts is found.facts and again.train.fingerprint() == found.train.fingerprint()


def test_what_decides_the_parts_of_pairs(paired):
    first, other = paired(seed=0), paired(seed=1)
    assert first.test.fingerprint() != other.test.fingerprint()
    assert set(first.facts) == {"source", "target", "left out"}
    source, target = texts.both(first.facts)
    assert sorted(source.table.tokens[3:]) == ["a", "b"]
    assert sorted(target.table.tokens[3:]) == list("012345678")


def test_a_side_reads_and_writes():
    letters = texts.Side(Vocabulary(["a", "b"], specials=texts.SPECIALS))
    assert letters.encode("abba", "it") == [3, 4, 4, 3, texts.END] and len(letters) == 5
    assert letters.decode([texts.START, 3, texts.PAD, 4, texts.END]) == "ab"
    assert letters.words([1, 3, 4, 2, 0]) == ["<s>", "a", "b", "</s>", "<pad>"]
    with pytest.raises(RunError) as caught:
        letters.encode("abc", "it")
    said = "it: character 3 is 'c' (U+0063), which is not among the 2 that the model was trained on"
    assert str(caught.value) == said
    pairs = texts.Side(BytePairs.train(["no no no"] * 3, 262, specials=texts.SPECIALS))
    assert pairs.encode("<s>", "it")[0] != texts.START and pairs.encode("no", "it")[-1] == texts.END
    assert pairs.decode(pairs.encode("né <s>", "it")) == "né <s>"
    for side in (letters, pairs):
        again = texts.Side.from_dict(side.table.to_dict())
        assert type(again.table) is type(side.table) and again.table.tokens == side.table.tokens


def test_one_target_letter_is_nothing_to_learn():
    options = SEQ2SEQ.settings("seq2seq", data="t.tsv")
    for targets, fine in ((["x", "xx"], False), (["x", "xy"], True)):
        parts = {"train": [("a", targets[0])], "test": [("b", targets[1])]}
        if fine:
            assert [len(side) for side in texts.characters(options, parts)] == [5, 5]
            continue
        with pytest.raises(
            DataError, match=r"t\.tsv: all targets are made of 'x': there is nothing to learn"
        ):
            texts.characters(options, parts)


def test_pairs_that_share_a_text_are_of_one_group():
    pairs = [("a", "1"), ("b", "2"), ("a", "3"), ("c", "3"), ("2", "b"), ("d", "2"), ("e", "9")]
    assert texts._groups(pairs) == [0, 1, 0, 0, 2, 1, 3]


def test_the_sample_of_a_picture_is_the_first_that_is_near():
    samples_ = [[1], [1, 2, 3, 4], [1, 2], [5, 6, 7, 8]]
    assert [of_length(samples_, n) for n in (0, 2, 3, 9)] == [[1], [1, 2], [1, 2, 3, 4], [1, 2, 3, 4]]


# ---- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("place", "found"), [(0, 4), (3, 4), (4, 4), (5, 7), (7, 7), (8, 8)])
def test_parts_of_words_begin_behind_a_sentence(place, found):
    assert corpus._sentence(np.array([0, 1, 2, END, 3, 4, END, 5, 6]), place) == found


def test_a_sentence_that_is_too_long_is_cut():
    ids = np.zeros(3000, int)
    ids[1500] = END
    assert [corpus._sentence(ids, place) for place in (500, 501, 502)] == [500, 1501, 1501]


@pytest.mark.parametrize(
    ("validation", "cuts"),
    [(0.0, {"training": (0, 90), "test": (90, 100)}),
     (0.2, {"training": (0, 72), "test": (90, 100), "validation": (72, 90)})],
)  # fmt: skip
def test_a_tenth_of_the_words_is_the_test(validation, cuts):
    assert corpus._cuts(np.zeros(100, int), validation) == cuts


@pytest.mark.parametrize(("least", "tokens", "counts"), [
    (1, ["b", "a", "c", "d"], [4, 3, 3, 1]), (2, ["b", "a", "c"], [4, 3, 3]), (3, ["b", "a", "c"], [4, 3, 3]),
    (4, None, 1), (5, None, 0),
])  # fmt: skip
def test_frequent_words_come_first(least, tokens, counts):
    words = {"d": 0, "c": 1, "b": 2, "a": 3}
    ids = np.array([0, 1, 1, END, 1, 2, 2, 2, 2, END, 3, 3, 3, END])
    settings = WORDS.settings("word2vec", data="t", min_count=least)
    if tokens is None:
        with pytest.raises(
            RunError, match=f"t: {counts} words stand {least} times or more in the training part"
        ):
            corpus._vocabulary(settings, words, ids)
        return
    found = corpus._vocabulary(settings, words, ids)
    assert (found.tokens, found.counts) == (tokens, counts)


@pytest.mark.parametrize(
    ("ids", "pairs"), [([0, END, 1, END], False), ([0, 1], True), ([END, 0, 1], True), ([0, END, END], False)]
)
@pytest.mark.parametrize("piece", [1, 2, 100])
def test_two_words_beside_each_other_are_a_pair(monkeypatch, ids, pairs, piece):
    monkeypatch.setattr(corpus, "PIECE", piece)
    assert corpus._has_pairs(np.array(ids)) == pairs


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"validation": None}, (183, None, 19)), ({"validation": 0.1, "limit": 9}, (9, 9, 9)),
     ({"validation": "own"}, (183, 4, 19)), ({"validation": "own", "limit": 3}, (3, 3, 3))],
)  # fmt: skip
def test_parts_of_words(tmp_path, options, expected):
    (tmp_path / "t").write_text("a b. " * 67)
    (tmp_path / "own").write_text("b a b")
    if options["validation"] == "own":
        options = options | {"validation": str(tmp_path / "own")}
    found = WORDS.load(WORDS.settings("word2vec", data=str(tmp_path / "t"), min_count=1, **options))
    parts = (found.train, found.validation, found.test)
    assert tuple(None if part is None else len(part) for part in parts) == expected
    assert re.fullmatch("[0-9a-f]{32}", found.train.fingerprint())
    assert (found.train.fingerprint() == found.test.fingerprint()) == ("limit" in options)  # all alike
