"""Edges of texts: every form of a date, rows, pieces and vocabularies, batches of sequences."""

import datetime
import gzip
import io

import numpy as np
import pytest

from tinygrad_notes.data import DataError
from tinygrad_notes.data.text import corpus
from tinygrad_notes.data.text.batches import Buckets, Ragged, Sequences, Stream, Streams, _cuts
from tinygrad_notes.data.text.dates import FORMS, MOST, date_pairs
from tinygrad_notes.data.text.vocabulary import Vocabulary

# ---- dates -------------------------------------------------------------------------------------

WRITTEN = {
    datetime.date(2024, 3, 5): [
        "March 5, 2024", "March 5th, 2024", "Mar 5, 2024", "5 March 2024", "5 Mar 2024",
        "the 5th of March, 2024", "Tuesday, March 5, 2024", "Tue 5 Mar 2024", "3/5/2024", "03/05/2024",
        "2024/3/5", "2024.03.05", "2024年3月5日", "2024年03月05日", "2024年3月5号", "2024年3月5日 星期二",
        "二〇二四年三月五日",
    ],
    datetime.date(1900, 12, 31): [
        "December 31, 1900", "December 31st, 1900", "Dec 31, 1900", "31 December 1900", "31 Dec 1900",
        "the 31st of December, 1900", "Monday, December 31, 1900", "Mon 31 Dec 1900", "12/31/1900",
        "12/31/1900", "1900/12/31", "1900.12.31", "1900年12月31日", "1900年12月31日", "1900年12月31号",
        "1900年12月31日 星期一", "一九〇〇年十二月三十一日",
    ],
}  # fmt: skip


@pytest.mark.parametrize("day", WRITTEN)
def test_every_form_of_a_date(day):
    assert [form(day) for form in FORMS] == WRITTEN[day]


@pytest.mark.parametrize(
    ("day", "chinese", "ordinal"),
    [(1, "一", "1st"), (2, "二", "2nd"), (3, "三", "3rd"), (4, "四", "4th"), (9, "九", "9th"),
     (10, "十", "10th"), (11, "十一", "11th"), (12, "十二", "12th"), (13, "十三", "13th"),
     (19, "十九", "19th"), (20, "二十", "20th"), (21, "二十一", "21st"), (22, "二十二", "22nd"),
     (23, "二十三", "23rd"), (30, "三十", "30th"), (31, "三十一", "31st")],
)  # fmt: skip
def test_days_as_they_are_said(day, chinese, ordinal):
    date = datetime.date(2000, 1, day)
    assert (
        FORMS[16](date) == f"二〇〇〇年一月{chinese}日"
        and FORMS[5](date) == f"the {ordinal} of January, 2000"
    )


def test_as_many_dates_as_are_asked_for():
    assert date_pairs(0) == [] and len(date_pairs(1)) == 1 and date_pairs(5)[:3] == date_pairs(3)
    assert len(dict(date_pairs(4000))) == 4000
    days = [datetime.date.fromisoformat(iso) for _, iso in date_pairs(2000)]
    assert min(days).year <= 1901 and max(days).year >= 2098
    for count in (-1, MOST + 1):
        with pytest.raises(ValueError, match=f"date_pairs: count must be 0 to 500,000, got {count}"):
            date_pairs(count)


# ---- corpora -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "most", "cut"),
    [
        ("a b\nc d", 99, 4),
        ("a b c", 99, 4),
        ("\n", 99, 1),
        ("abc", 4, 0),
        ("abc", 3, 3),
        ("", 1, 0),
        (" a", 9, 1),
    ],
)
def test_where_a_piece_ends(text, most, cut):
    assert corpus._cut(text, most) == cut


def test_the_mark_at_the_start_is_no_letter_and_one_inside_is():
    mark = "\ufeff"
    for piece in (1, 2, 3, 100):
        found = "".join(corpus.read_stream(io.BytesIO(f"{mark}a{mark}b".encode()), "x", piece=piece))
        assert found == f"a{mark}b"
    assert list(corpus.read_stream(io.BytesIO(b""), "x")) == []
    assert list(corpus.read_stream(io.BytesIO(b"a b c"), "x", piece=2)) == ["a ", "b ", "c"]


@pytest.mark.parametrize("piece", [1, 3, 100])
def test_a_broken_byte_has_its_place_and_its_number(piece):
    with pytest.raises(DataError, match=r"^f: byte 1,203 \(0xff\) is no UTF-8; convert the file, or pass"):
        list(corpus.read_stream(io.BytesIO("é".encode() * 600 + b"abc\xffd"), "f", piece=piece))
    found = corpus.read_stream(io.BytesIO(b"a\xffb\xc3"), "f", "replace", piece)
    assert "".join(found) == "a\ufffdb\ufffd"
    with pytest.raises(
        ValueError, match=r"read_text: on_error must be one of \('raise', 'replace'\), got 'x'"
    ):
        list(corpus.read_stream(io.BytesIO(b""), "f", "x"))


def test_rows_have_their_columns(tmp_path):
    file = tmp_path / "r.tsv.gz"
    file.write_bytes(gzip.compress(b"a\tb\tmore\r\n\n  \n c \t d\n"))
    assert list(corpus.read_rows(file, 2)) == [("a", "b"), ("c", "d")]
    assert list(corpus.read_rows(file, 1)) == [("a",), ("c",)]
    with pytest.raises(
        DataError, match=r"line 4 must have 3 columns with a tab between them.* got ' c \\t d'"
    ):
        list(corpus.read_rows(file, 3))[1:]
    plain = tmp_path / "p.tsv"
    plain.write_text("a\t\n")
    with pytest.raises(DataError, match=r"line 1 must have 2 columns .* none of them empty, got 'a\\t'"):
        list(corpus.read_rows(plain, 2))


# ---- vocabularies ------------------------------------------------------------------------------


def test_a_vocabulary_is_built_of_what_is_frequent():
    tokens = ["b", "a", "b", "c", "c", "<s>", "d"]
    whole = Vocabulary.build(tokens, specials=["<unk>", "<s>"])
    assert whole.tokens == ["<unk>", "<s>", "b", "c", "a", "d"] and whole.counts == [0, 0, 2, 2, 1, 1]
    assert Vocabulary.build(tokens, least=2).tokens == ["b", "c"]
    assert Vocabulary.build(tokens, most=3).tokens == ["b", "c", "<s>"]
    assert Vocabulary.build(tokens, most=0).tokens == []
    assert len(whole) == 6 and "a" in whole and "z" not in whole and 1 not in whole
    assert whole.encode(["z", "<s>", "d"]) == [0, 1, 5] and whole.encode("ab") == [4, 2]
    assert whole.decode(iter([5, 0])) == ["d", "<unk>"] and whole.decode([]) == []
    assert Vocabulary(["a"]).counts == [0]


def test_what_a_vocabulary_refuses():
    words = Vocabulary(["a", "b"])
    with pytest.raises(ValueError, match=r"Vocabulary: 'z' \(number 1\) is not among the 2 known tokens"):
        words.encode("az")
    for wrong in (2, -1):
        with pytest.raises(ValueError, match=f"Vocabulary: there is no id {wrong}; the ids are 0 to 1"):
            words.decode([0, wrong])
    for tokens, counts, specials in (
        (["a", "a"], None, []),
        (["a"], [1, 2], []),
        (["a"], [], []),
        (["a"], None, ["a"]),
    ):
        with pytest.raises(
            ValueError, match="each token needs one id and one count; some token stands twice"
        ):
            Vocabulary(tokens, counts, specials)


def test_a_vocabulary_comes_back_from_json():
    words = Vocabulary(["a", "b"], [3, 1], ["<s>"])
    content = words.to_dict()
    assert content == {"special tokens": ["<s>"], "tokens": ["a", "b"], "counts": [3, 1]}
    again = Vocabulary.from_dict(content)
    assert (again.tokens, again.counts, again.specials) == (words.tokens, words.counts, words.specials)
    for wrong in (None, {}, {**content, "tokens": [1, "b"]}, {**content, "counts": ["x", 1]},
                  {**content, "special tokens": [None]}, {**content, "counts": [1]}):  # fmt: skip
        with pytest.raises(DataError, match=r"^file: not a vocabulary "):
            Vocabulary.from_dict(wrong, "file")


# ---- batches -----------------------------------------------------------------------------------


def test_ragged_arrays_end_to_end():
    ragged = Ragged([[1, 2], [], [3]])
    assert (len(ragged), ragged.flat.tolist(), ragged.starts.tolist()) == (3, [1, 2, 3], [0, 2, 2, 3])
    values, lengths = ragged.padded(np.array([2, 0, 1]), 9)
    assert values.tolist() == [[3, 9], [1, 2], [9, 9]] and lengths.tolist() == [1, 2, 0]
    values, lengths = ragged.padded(np.array([], int), 9)
    assert values.shape == (0, 0) and lengths.tolist() == []
    assert len(Ragged([])) == 0 and Ragged([[0.5]], np.float32).flat.dtype == np.float32
    with pytest.raises(ValueError, match=r"first axis only, got further axes \[\(2,\)\]"):
        Ragged([np.zeros((1, 1)), np.zeros((1, 2))], float)
    for wrong in (3, [0.5]):
        with pytest.raises(ValueError, match=r"Ragged: needs arrays \(T, ...\) of int64, got"):
            Ragged([wrong])


def test_columns_of_sequences():
    data = Sequences(Ragged([[1], [2, 3]]), np.array([7, 8]), Ragged([[4, 5, 6], []]), padding=-1)
    first, lengths, numbers, third, others = data[[1, 0]]
    assert first.tolist() == [[2, 3], [1, -1]] and lengths.tolist() == [2, 1] and numbers.tolist() == [8, 7]
    assert third.tolist() == [[-1, -1, -1], [4, 5, 6]] and others.tolist() == [0, 3]
    assert data.lengths.tolist() == [3, 2] and len(data) == 2
    part = data.subset(np.array([1]))
    assert part[[0]][0].tolist() == [[2, 3]] and part.padding == -1 and part[[0]][2].tolist() == [8]
    with pytest.raises(ValueError, match=r"Sequences: the columns differ in length: \[2, 1\]"):
        Sequences(np.zeros(2), np.zeros(1))


@pytest.mark.parametrize(
    ("lengths", "size", "tokens", "cuts"),
    [([1, 2, 3], 2, None, [0, 2, 3]), ([1, 2], 2, None, [0, 2]), ([1, 1, 2, 2], 1, 4, [0, 2, 4]),
     ([1, 1, 2], 1, 6, [0, 3]), ([1, 1, 2], 1, 5, [0, 2, 3]), ([9, 9], 1, 5, [0, 1, 2]), ([3], 1, 3, [0, 1])],
)  # fmt: skip
def test_where_batches_begin(lengths, size, tokens, cuts):
    assert _cuts(np.array(lengths), size, tokens) == cuts


def test_sizes_of_batches_of_sequences():
    data = Sequences(Ragged([[1], [2]]))
    for name, options in (("batch_size", {"batch_size": 0}), ("tokens", {"tokens": 0})):
        with pytest.raises(ValueError, match=f"Buckets: {name} must be at least 1, got 0"):
            Buckets(data, **options)
    assert len(Buckets(data, 1)) == 2 and len(Buckets(data, tokens=1)) == 2 and len(Buckets(data, 2)) == 1
    for name, options in (("batch_size", (0, 1)), ("length", (1, 0))):
        with pytest.raises(ValueError, match=f"Streams: {name} must be at least 1, got 0"):
            Streams(Stream(range(9)), *options)


def test_a_stream_is_read_side_by_side():
    found = [[np.asarray(part.numpy()).tolist() for part in batch]
             for batch in Streams(Stream(np.arange(10, 19)), 2, 3, prefetch=0)]  # fmt: skip
    assert found == [
        [[[10, 11, 12], [14, 15, 16]], [[11, 12, 13], [15, 16, 17]], 1],
        [[[13], [17]], [[14], [18]], 0],
    ]  # fmt: skip
    assert (
        len(Streams(Stream(range(3)), 2, 1)) == 1 and len(Streams(Stream(range(5)), 2, 3, shuffle=True)) == 1
    )
    with pytest.raises(
        ValueError, match=r"Streams: 2 ids are too few for 2 parts .* make the batch smaller$"
    ):
        Streams(Stream(range(2)), 2, 1)
    with pytest.raises(ValueError, match=r"4 ids are too few for 2 parts .* smaller, or the length$"):
        Streams(Stream(range(4)), 2, 3, shuffle=True)
