"""Files of vectors, both ways with gensim; neighbors, analogies, and the two evaluations beside gensim's."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_notes.data import (
    DataError,
    WordVectors,
    analogies,
    evaluate_vectors,
    load_vectors,
    similarities,
)
from tinygrad_notes.data.vectors import FORMS

RNG = np.random.default_rng(0)
WORDS = ["the", "naïve", "猫", "a_b", "12", "1.5", "don't", "🙂"]
VECTORS = WordVectors(WORDS, RNG.standard_normal((8, 5)) * 10.0 ** RNG.integers(-30, 30, (8, 1)))
every_form = pytest.mark.parametrize("form", FORMS)
needs_gensim = pytest.mark.skipif(
    not importlib.util.find_spec("gensim"), reason="the comparison needs gensim"
)


# ---- files -------------------------------------------------------------------------------------


@every_form
@pytest.mark.parametrize("told", [True, False])
def test_what_is_saved_comes_back_bit_for_bit(tmp_path, form, told):
    VECTORS.save(tmp_path / "v", form)
    back = load_vectors(tmp_path / "v", form if told else None)
    assert back.words == WORDS
    np.testing.assert_array_equal(back.vectors, VECTORS.vectors)
    assert back.vectors.dtype == np.float32
    few = load_vectors(tmp_path / "v", limit=3)
    assert few.words == WORDS[:3] and len(load_vectors(tmp_path / "v", limit=99)) == 8


LETTERS = st.characters(exclude_categories=["Z", "C"])


@given(words=st.lists(st.text(LETTERS, min_size=1), min_size=1, unique=True),
       dim=st.integers(1, 4), form=st.sampled_from(FORMS), data=st.data())  # fmt: skip
def test_any_words_come_back(tmp_path_factory, words, dim, form, data):
    numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
    row = st.lists(numbers, min_size=dim, max_size=dim)
    rows = data.draw(st.lists(row, min_size=len(words), max_size=len(words)))
    file = tmp_path_factory.mktemp("v") / "v"
    with np.errstate(over="ignore", invalid="ignore"):
        vectors = WordVectors(words, np.array(rows, np.float32))
        vectors.save(file, form)
        back = load_vectors(file, form)
    assert back.words == words
    np.testing.assert_array_equal(back.vectors, vectors.vectors)


@needs_gensim
@pytest.mark.parametrize("binary", [False, True])
def test_gensim_reads_ours_and_we_read_gensims(tmp_path, binary):
    from gensim.models import KeyedVectors

    VECTORS.save(tmp_path / "ours", "word2vec-binary" if binary else "word2vec")
    theirs = KeyedVectors.load_word2vec_format(str(tmp_path / "ours"), binary=binary)
    assert theirs.index_to_key == WORDS
    np.testing.assert_array_equal(theirs.vectors, VECTORS.vectors)
    theirs.save_word2vec_format(str(tmp_path / "theirs"), binary=binary)
    back = load_vectors(tmp_path / "theirs")
    assert back.words == WORDS
    np.testing.assert_array_equal(back.vectors, VECTORS.vectors)


@needs_gensim
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # gensim leaves it open
def test_gensim_reads_our_glove_file(tmp_path):
    from gensim.models import KeyedVectors

    VECTORS.save(tmp_path / "glove", "glove")
    theirs = KeyedVectors.load_word2vec_format(str(tmp_path / "glove"), binary=False, no_header=True)
    np.testing.assert_array_equal(theirs.vectors, VECTORS.vectors)


def test_files_as_others_write_them(tmp_path):
    file = tmp_path / "v"
    file.write_bytes(
        b"the 0.5 -1e-3\n. . . 1 2\nthe 7 7\n\n"
    )  # GloVe's has words with blanks, and some twice
    back = load_vectors(file)
    assert back.words == ["the", ". . ."] and back.vectors.tolist() == [[0.5, np.float32(-1e-3)], [1, 2]]
    file.write_bytes(b"2 3\r\na 1 2 3 \r\nb 4 5 6 \r\n")  # word2vec.c writes a blank behind each number
    assert load_vectors(file).vectors.tolist() == [[1, 2, 3], [4, 5, 6]]
    file.write_bytes(b"2 1\na 1\nb 2\n")
    assert load_vectors(file).vectors.tolist() == [[1], [2]]
    assert load_vectors(file, "glove").words == ["2", "a", "b"]


@pytest.mark.parametrize(("content", "form", "message"), [
    (b"", None, "no vectors"),
    (b"0 5\n", None, "no vectors"),
    (b"3 2\na 1 2\nb 3 4\n", None, "the file ends after 2 of 3 vectors"),
    (b"2 2\na " + bytes(8) + b"\nb " + bytes(5), "word2vec-binary", "the file ends after 1 of 2 vectors"),
    (b"a 1 2\nb 3\n", None, "v, line 2: a word and 2 numbers should be here: b'b 3'"),
    (b"2 2\na 1 2\nb 3 x\n", None, "v, line 3: a word and 2 numbers"),
    (b"word\n", None, "line 1: a word and 0 numbers"),
    (b"a 1 2\n", "word2vec", "begins with the numbers of words and of dimensions, not b'a 1 2"),
    (b"2 0\n", "word2vec", "begins with the numbers"),
    (b"1 2\n\xff\xfe 1 2\n", None,
     r"word 1, b'\\xff\\xfe', is no UTF-8 .*invalid start byte.*; errors='replace' goes on"),
])  # fmt: skip
def test_broken_files_say_where(tmp_path, content, form, message):
    (tmp_path / "v").write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_vectors(tmp_path / "v", form)


def test_broken_words_can_be_read_all_the_same(tmp_path):
    (tmp_path / "v").write_bytes(b"1 2\n\xffa 1 2\n")
    assert load_vectors(tmp_path / "v", errors="replace").words == ["�a"]


@every_form
@pytest.mark.parametrize("word", ["", "two words", "line\nend", "tab\t", "\u3000"])
def test_words_that_no_file_can_hold_are_refused(tmp_path, form, word):
    with pytest.raises(ValueError, match="has white space or no letter"):
        WordVectors([word], np.ones((1, 2))).save(tmp_path / "v", form)
    assert not (tmp_path / "v").exists()


@pytest.mark.parametrize(("message", "call"), [
    ("2 words need as many vectors", lambda: WordVectors(["a", "b"], np.ones((3, 2)))),
    ("'a' is there twice", lambda: WordVectors(["a", "b", "a"], np.ones((3, 2)))),
    ("form must be one of", lambda: VECTORS.save("v", "text")),
    ("form must be one of", lambda: load_vectors("v", "text")),
    ("limit must be at least 1", lambda: load_vectors("v", limit=0)),
    ("count must be at least 1", lambda: VECTORS.neighbors("the", 0)),
])  # fmt: skip
def test_wrong_arguments(message, call):
    with pytest.raises(ValueError, match=message):
        call()


# ---- neighbors and analogies -------------------------------------------------------------------

CORNERS = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 1.1], [1, 1, 1], [-1, 0, 0], [0, 0, 0]])
PLANE = WordVectors(["man", "woman", "king", "queen", "far", "none"], CORNERS)


def test_neighbors_are_by_angle_and_never_the_word_itself():
    found = PLANE.neighbors("man", 99)
    assert [w for w, _ in found] == ["woman", "king", "queen", "none", "far"]
    assert found[0][1] == pytest.approx(0.5**0.5) and found[-1][1] == -1 and found[-2][1] == 0
    assert PLANE.similarity("man", "queen") == pytest.approx(3**-0.5)
    assert PLANE.neighbors("man", 1) == found[:1]
    scaled = WordVectors(PLANE.words, PLANE.vectors * np.arange(1, 7)[:, None])
    assert [w for w, _ in scaled.neighbors("man", 99)] == [w for w, _ in found]


def test_an_analogy_leaves_out_what_it_was_given():
    assert PLANE.analogy("man", "woman", "king", 1)[0][0] == "queen"
    assert {w for w, _ in PLANE.analogy("man", "woman", "king", 99)} == {"queen", "far", "none"}
    assert PLANE.analogy("man", "man", "man", 1)[0][0] == "woman"


def test_an_analogy_goes_from_the_first_to_the_second_and_on_from_the_third():
    """b − a + c of five places on a line that is bent into an arc: 10° → 20°, 50° → 60°."""
    angles = np.radians([10, 20, 50, 60, 40, -20, 80])
    arc = WordVectors([*"abcdefg"], np.stack([np.cos(angles), np.sin(angles)], axis=1))
    for (a, b, c), found in {"abc": "d", "bac": "e", "cda": "b", "acb": "d", "cab": "f"}.items():
        unit = {w: arc.vectors[i] / np.linalg.norm(arc.vectors[i]) for w, i in arc.index.items()}
        way = unit[b] - unit[a] + unit[c]
        cosines = {w: u @ way / np.linalg.norm(way) for w, u in unit.items() if w not in (a, b, c)}
        best, cosine = arc.analogy(a, b, c, 1)[0]
        assert best == max(cosines, key=cosines.get) and cosine == pytest.approx(cosines[best], rel=1e-5)
        assert best == found


def test_unknown_words_are_named():
    assert "man" in PLANE and "men" not in PLANE and len(PLANE) == 6 and PLANE["man"].tolist() == [1, 0, 0]
    for call in (
        lambda: PLANE["men"],
        lambda: PLANE.neighbors("men"),
        lambda: PLANE.analogy("man", "woman", "men"),
    ):
        with pytest.raises(KeyError, match="'men' is not among the 6 words"):
            call()


# ---- evaluation --------------------------------------------------------------------------------


def test_the_files_of_questions_are_told_apart(tmp_path):
    file = tmp_path / "q"
    file.write_text(
        ": royal pairs\nMan Woman king queen\nman king woman queen\nman woman boy girl\n"
        ": far\nman far king woman\n"
    )
    found = evaluate_vectors(PLANE, file)
    assert found["questions"] == 3 and found["skipped"] == 1 and found["accuracy"] == pytest.approx(2 / 3)
    assert found["sections"]["royal pairs"] == {"accuracy": 1.0, "questions": 2}
    file.write_text(
        "# words and a score\nWord 1,Word 2,Human\nman,WOMAN,9\nwoman,man,8\nman,far,1\nman,boy,5\n"
    )
    found = evaluate_vectors(PLANE, file)
    assert (found["pairs"], found["skipped"]) == (3, 1)
    assert found["spearman"] == pytest.approx(3**0.5 / 2)  # ranks 2½, 2½, 1 and 3, 2, 1
    assert similarities(PLANE, file, among={"man", "far"})["pairs"] == 1


@pytest.mark.parametrize(("text", "message"), [
    ("", "no questions"),
    (": section\na b c\n", "line 2: four words make an analogy, got 3"),
    ("man\twoman\t1\nman\twoman\n", "line 2: two words and a number"),
    ("man woman\n", "line 1: two words and a number"),
])  # fmt: skip
def test_broken_questions_say_where(tmp_path, text, message):
    (tmp_path / "q").write_text(text)
    with pytest.raises(DataError, match=message):
        evaluate_vectors(PLANE, tmp_path / "q")


def test_questions_of_which_no_word_is_known_have_no_figure(tmp_path):
    (tmp_path / "q").write_text(": s\nx y z w\n")
    assert evaluate_vectors(PLANE, tmp_path / "q")["accuracy"] is None
    (tmp_path / "q").write_text("x y 1\nman king 2\n")
    assert evaluate_vectors(PLANE, tmp_path / "q")["spearman"] is None
    (tmp_path / "q").write_bytes(b"man king 1\n\xff y 1\n")
    with pytest.raises(DataError, match="no UTF-8"):
        evaluate_vectors(PLANE, tmp_path / "q")


@needs_gensim
def test_the_figures_are_gensims(tmp_path):
    """On random vectors for the words of gensim's own copies of both files, those of a third of the words."""
    from gensim.models import KeyedVectors
    from gensim.test.utils import datapath

    files = datapath("wordsim353.tsv"), datapath("questions-words.txt")
    lines = [line for f in files for line in Path(f).read_text().splitlines() if line[0] not in "#:"]
    words = sorted({w.lower() for line in lines for w in line.split() if not w[0].isdigit()})[::3]
    vectors = np.random.default_rng(0).standard_normal((len(words), 4)).astype(np.float32)
    theirs = KeyedVectors(4)
    theirs.add_vectors(words, vectors)
    ours = WordVectors(words, vectors)
    pearson, spearman, unknown = theirs.evaluate_word_pairs(files[0])
    found = similarities(ours, files[0])
    assert found["pearson"] == pytest.approx(pearson[0], abs=1e-6)
    assert found["spearman"] == pytest.approx(spearman[0], abs=1e-6)
    assert 100 * found["skipped"] / (found["pairs"] + found["skipped"]) == pytest.approx(unknown)
    accuracy, _ = theirs.evaluate_word_analogies(files[1])
    solved = analogies(ours, files[1])
    assert solved["questions"] > 100
    assert solved["accuracy"] == pytest.approx(accuracy, abs=1e-9)


@pytest.mark.parametrize("angles", [(10, 12, 50, 60), (10, 10.5, 9, 5), (10, 8, 11, 17)])
def test_no_word_of_a_question_is_its_answer(angles, tmp_path):
    """The word nearest to b − a + c is c, a or b; the next one is right."""
    radians = np.radians([*angles, -80, 120])
    arc = WordVectors([*"abcdef"], np.stack([np.cos(radians), np.sin(radians)], axis=1))
    (tmp_path / "questions").write_text(": arc\na b c d\na b c e\n")
    found = analogies(arc, tmp_path / "questions")
    assert (found["accuracy"], found["questions"]) == (0.5, 2)
    assert arc.analogy("a", "b", "c", 1)[0][0] == "d"
