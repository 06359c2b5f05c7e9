"""Text in pieces, rows, vocabularies, dates, and the texts that come along."""

import datetime
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_notes.data import DataError
from tinygrad_notes.data.text import (
    Vocabulary,
    date_pairs,
    python_topics,
    read_rows,
    read_text,
    sentence_pairs,
    surnames,
)  # fmt: skip
from tinygrad_notes.data.text.dates import FORMS, MONTHS


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200), st.integers(1, 20))
def test_pieces_of_any_size_are_the_text(tmp_path_factory, text, piece):
    path = tmp_path_factory.mktemp("text") / "x.txt"
    path.write_bytes(text.encode())
    assert "".join(read_text(path, piece=piece)) == text.removeprefix("\ufeff")
    for part in list(read_text(path, piece=piece))[:-1]:
        assert part[-1] in "\n " or not ({*part} & {*"\n "} or len(part) < 4 * piece)
        assert len(part) <= 5 * piece  # so that a text without any space fits into memory too


@pytest.mark.parametrize("piece", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("content", "place"),
    [(b"ab\xffcd", 2), (b"\xe4\xbd", 0), (b"\xe4\xbd\xa0\xe4\xbd x", 3), (b"\xef\xbb\xbfa\xc3", 4)],
)
def test_broken_bytes_are_told_with_their_place(tmp_path, content, place, piece):
    path = tmp_path / "x.txt"
    path.write_bytes(content)
    with pytest.raises(
        DataError, match=rf"byte {place} \(0x{content[place]:02x}\) is no UTF-8.*--errors replace"
    ):
        list(read_text(path, piece=piece))
    read = "".join(read_text(path, "replace", piece))
    assert read == content.decode("utf-8", "replace").removeprefix("\ufeff")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        list(read_text(tmp_path / "none.txt"))
    with pytest.raises(DataError, match="directory"):
        list(read_text(tmp_path))
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"text")[:-6])
    with pytest.raises(DataError, match="cannot be read"):
        list(read_text(tmp_path / "x.gz"))
    with pytest.raises(ValueError, match="on_error must be one of"):
        list(read_text(tmp_path / "x.gz", "ignore"))


def test_rows(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_bytes("\ufeffone\t一\twho\r\n\r\ntwo \t 二\n".encode())
    assert list(read_rows(path, 2)) == [("one", "一"), ("two", "二")]
    for line in (b"three", b"three\t", b"\tthree"):
        path.write_bytes(b"one\tuno\n" + line)
        with pytest.raises(DataError, match="line 2 must have 2 columns"):
            list(read_rows(path, 2))


def test_texts_that_come_along():
    topics, names, pairs = python_topics(), surnames(), sentence_pairs()
    assert len(topics) > 400_000 and 'The "if" statement' in topics
    assert len(names) == 10_881 and len({language for _, language in names}) == 19
    assert len({name for name, _ in names}) == len(names)
    assert len(pairs) == 5000 and max(len(english.split()) for english, _ in pairs) <= 5
    assert any("\u4e00" <= character <= "\u9fff" for character in pairs[0][1])


def test_dates():
    pairs = date_pairs(3000, seed=1)
    assert pairs == date_pairs(3000, seed=1) and pairs != date_pairs(3000, seed=2)
    assert len({written for written, _ in pairs}) == 3000
    for written, iso in pairs:
        day = datetime.date.fromisoformat(iso)
        assert written in {form(day) for form in FORMS}
    day = datetime.date(2024, 11, 22)
    assert [form(day) for form in FORMS][::4] == [
        "November 22, 2024", "22 Nov 2024", "11/22/2024", "2024年11月22日", "二〇二四年十一月二十二日",
    ]  # fmt: skip
    assert f"{MONTHS[0]} 1st, 1900" in {form(datetime.date(1900, 1, 1)) for form in FORMS}
    assert "2024年11月22日 星期五" in {form(day) for form in FORMS}
    with pytest.raises(ValueError, match="count must be 0 to"):
        date_pairs(-1)
    with pytest.raises(ValueError, match="count must be 0 to 500,000"):
        date_pairs(1_000_000)  # more than the forms that differ: May has no shorter name


def test_a_vocabulary():
    v = Vocabulary.build(
        ["b", "a", "b", "c", "a", "b", "<pad>"], least=1, most=2, specials=["<pad>", "<unk>"]
    )
    assert v.tokens == ["<pad>", "<unk>", "b", "a"] and v.counts == [0, 0, 3, 2]
    assert v.encode(["a", "z", "b"]) == [3, 1, 2] and v.decode([3, 1]) == ["a", "<unk>"]
    assert Vocabulary.from_dict(v.to_dict()).to_dict() == v.to_dict()
    assert len(v) == 4 and "a" in v and "c" not in v
    own = Vocabulary.build(["<unk>", "a", "<unk>"], specials=["<unk>"])  # a text that contains the special
    assert own.tokens == ["<unk>", "a"] and own.counts == [0, 1] and own.encode(["<unk>", "a"]) == [0, 1]
    letters = Vocabulary.build("hello")
    assert letters.tokens == ["l", "e", "h", "o"] and letters.decode(letters.encode("hole")) == list("hole")
    with pytest.raises(ValueError, match=r"'x' \(number 1\) is not among the 4 known tokens"):
        letters.encode("lx")
    with pytest.raises(ValueError, match="there is no id 4"):
        letters.decode([4])
    with pytest.raises(ValueError, match="stands twice"):
        Vocabulary(["a", "a"])
    for damaged in ({}, {"tokens": [1], "counts": [1], "special tokens": []}, None):
        with pytest.raises(DataError, match="not a vocabulary"):
            Vocabulary.from_dict(damaged)


def test_days_have_the_endings_that_are_said():
    endings = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd", 31: "st"}
    for day in range(1, 32):
        forms = {form(datetime.date(1900, 1, day)) for form in FORMS}
        assert f"{MONTHS[0]} {day}{endings.get(day, 'th')}, 1900" in forms
