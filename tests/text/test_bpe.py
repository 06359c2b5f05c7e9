"""Byte pairs: learned, joined, saved, and the same as the tokenizers library's."""

import json
import time
from collections import Counter
from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_notes.data import DataError
from tinygrad_notes.data.text import BytePairs, python_topics, sentence_pairs, surnames
from tinygrad_notes.data.text.merges import Starts, learn, split
from tinygrad_notes.data.text.pieces import gpt2_pieces
from tinygrad_notes.data.text.symbols import CHARACTERS, smallest_symbols

CHINESE = "\n".join(chinese for _, chinese in sentence_pairs()[:1500])
CORPORA = {
    "English": python_topics()[:100_000],
    "Chinese": CHINESE,
    "surnames": "\n".join(name for name, _ in surnames()[::4]),
}
END = "<|endoftext|>"


@pytest.fixture(scope="module")
def english():
    return BytePairs.train([CORPORA["English"]], 1000, specials=[END])


# ---- pieces ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("It's 10 a.m.", ["It", "'s", " 10", " a", ".", "m", "."]),
        ("  two  spaces ", [" ", " two", " ", " spaces", " "]),
        ("we'll don't I'VE", ["we", "'ll", " don", "'t", " I", "'", "VE"]),
        ("x_1=½²Ⅷ", ["x", "_", "1", "=", "½²Ⅷ"]),
        ("它是 3元。", ["它是", " 3", "元", "。"]),
        ("a\n\n b\t", ["a", "\n\n", " b", "\t"]),
        ("nbsp\u00a0x\x1cy", ["nbsp", "\u00a0", "x", "\x1c", "y"]),
        ("", []),
    ],
)
def test_pieces_are_those_of_gpt2(text, pieces):
    assert gpt2_pieces(text) == pieces


@given(st.text())
def test_pieces_lose_nothing(text):
    assert "".join(gpt2_pieces(text)) == text


# ---- learning and joining --------------------------------------------------------------------------


def learned_plainly(words, count):
    """Every count taken anew for every merge."""
    words, merges, size = dict(words), [], 10
    while len(merges) < count:
        counts = {}
        for word, n in words.items():
            for pair in pairwise(word):
                counts[pair] = counts.get(pair, 0) + n
        best = min(counts, key=lambda pair: (-counts[pair], pair), default=None)
        if best is None or counts[best] < 2:
            break
        merges.append(best)
        joined = {}
        for word, n in words.items():
            made = tuple(joined_plainly(list(word), best, size))
            joined[made] = joined.get(made, 0) + n
        words, size = joined, size + 1
    return merges


def joined_plainly(word, pair, new):
    i = 0
    while i < len(word) - 1:
        if (word[i], word[i + 1]) == pair:
            word[i : i + 2] = [new]
        i += 1
    return word


WORDS = st.dictionaries(
    st.lists(st.integers(0, 2), min_size=1, max_size=9).map(tuple), st.integers(1, 5), max_size=8
)


@settings(deadline=None)
@given(WORDS)
def test_counts_that_are_kept_are_those_taken_anew(words):
    size = iter(range(10, 10**6))
    found = []
    for pair in learn(words, lambda a, b: next(size)):
        found.append(pair)
        if len(found) == 12:
            break
    assert found == learned_plainly(words, 12)


SMALLEST = {"甲": [0, 1], "乙": [0, 2], "丙": [0, 1, 2], "丁": [1, 2], "a": [0], "b": [2]}


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=6), st.text([*SMALLEST], max_size=8)
)
def test_characters_that_begin_joined_change_nothing(choices, text):
    pairs = dict.fromkeys((a % (3 + i), b % (3 + i)) for i, (a, b) in enumerate(choices))
    ranks = {pair: (rank, 3 + rank) for rank, pair in enumerate(pairs)}
    starts = Starts(SMALLEST.__getitem__, ranks)
    plain = split([i for c in text for i in SMALLEST[c]], ranks)
    assert split([i for c in text for i in starts[c]], ranks) == plain


@pytest.mark.parametrize(
    ("ranks", "text", "expected"),
    [
        ({(2, 0): (0, 3), (0, 1): (1, 4)}, "b甲", [3, 1]),  # its first symbol goes to the left before
        ({(1, 2): (0, 3), (0, 1): (1, 4)}, "甲b", [0, 3]),  # its last one to the right
        ({(4, 2): (0, 3), (2, 2): (1, 5), (0, 1): (2, 4)}, "甲bb", [4, 5]),  # used before it is made
    ],
)
def test_characters_that_must_not_begin_joined(ranks, text, expected):
    starts = Starts(SMALLEST.__getitem__, ranks)
    assert starts["甲"] == [0, 1]
    assert split([i for c in text for i in starts[c]], ranks) == expected
    assert Starts(SMALLEST.__getitem__, {(0, 1): (0, 4)})["甲"] == [4]


def test_most_chinese_characters_begin_joined():
    pairs = BytePairs.train([CHINESE], 2000)
    pairs.encode(CHINESE)
    joined = sum(CHINESE.count(c) for c, ids in pairs._starts.items() if len(ids) < len(c.encode()))
    assert joined > 0.7 * sum(c > "\x7f" for c in CHINESE)


@settings(deadline=None)
@given(st.lists(st.integers(0, 2), max_size=30), WORDS)
def test_merges_go_by_rank_not_by_length(word, words):
    merges = learned_plainly(words, 12)
    ranks = {pair: (rank, 10 + rank) for rank, pair in enumerate(merges)}
    expected = list(word)
    for rank, pair in enumerate(merges):  # each symbol is made by one merge: by rank is one after another
        expected = joined_plainly(expected, pair, 10 + rank)
    assert split(word, ranks) == expected


def test_the_least_rank_wins_over_the_longest_match():
    pairs = BytePairs("words", ["<unk>", "a", "b", "c</w>", "bc</w>", "ab", "abc</w>"],
                      [("b", "c</w>"), ("a", "b"), ("ab", "c</w>")], ["<unk>"])  # fmt: skip
    assert [pairs.tokens[i] for i in pairs.encode("abc")] == ["a", "bc</w>"]
    assert pairs.steps("abc") == [["a", "b", "c</w>"], ["a", "bc</w>"]]


def test_ties_go_to_the_smallest_ids():
    pairs = BytePairs.train(["ba ba ab ab"], 100, "words")
    assert pairs.merges[0] == ("a", "b</w>")  # as often as b a</w>, and a comes before b


def test_a_long_word_takes_no_square_time(english):
    word = "".join(np.random.default_rng(0).choice(list("ACGT"), 200_000))
    start = time.perf_counter()
    ids = english.encode(word)
    assert time.perf_counter() - start < 20 and english.decode(ids) == word


# ---- text and ids -------------------------------------------------------------------------------------


@given(st.text())
def test_any_text_comes_back(english, text):
    assert english.decode(english.encode(text)) == text
    assert english.decode(english.encode(text, specials=False)) == text


@given(st.lists(st.sampled_from([END, "end", "<|", "|>", " ", "of"]), max_size=8))
def test_special_tokens_are_never_split_or_joined(english, parts):
    text = "".join(parts)
    ids = english.encode(text)
    assert ids.count(english.ids[END]) == text.count(END)
    assert english.decode(ids) == text
    assert english.decode(ids, specials=False) == text.replace(END, "")
    assert english.ids[END] not in english.encode(text, specials=False)


@pytest.mark.parametrize("kind", ["bytes", "words"])
def test_special_tokens_are_left_out_of_a_text_of_either_kind(kind):
    pairs = BytePairs.train(["low lower lowest"] * 3, 300 if kind == "bytes" else 20, kind, specials=["<s>"])
    begin = pairs.ids["<s>"]
    ids = [begin, *pairs.encode("low lower"), begin]
    assert pairs.decode(ids).count("<s>") == 2
    assert pairs.decode(ids, specials=False) == "low lower"


@pytest.mark.parametrize("specials", [["<|a", "<|a|>", "<|a|>b"], ["<|a|>b", "<|a|>", "<|a"]])
def test_of_special_tokens_that_begin_alike_the_longest_is_meant(specials):
    """Whatever their order: as with the tokenizers of others."""
    pairs = BytePairs.train(["an apple a day"], 270, specials=specials)
    ids = pairs.encode("<|a|>b <|a|>c <|a|d<|a")
    shown = [pairs.tokens[i] for i in ids]
    assert [token for token in shown if token in specials] == ["<|a|>b", "<|a|>", "<|a", "<|a"]
    assert pairs.decode(ids) == "<|a|>b <|a|>c <|a|d<|a"


@pytest.mark.parametrize("text", ["ab\ud800", "\udfffx"])
def test_half_a_character_is_refused_with_its_place(english, text):
    place = 2 if text[0] == "a" else 0
    for use in (english.encode, lambda t: BytePairs.train([t], 300)):
        with pytest.raises(ValueError, match=rf"character {place} of the text.*half of a surrogate pair"):
            use(text)


def test_broken_bytes_and_unknown_ids(english):
    half = english.encode("é")[:1] if len(english.encode("é")) > 1 else [english.ids[CHARACTERS[0xC3]]]
    assert english.decode(half) == "\ufffd"
    with pytest.raises(ValueError, match="there is no id 1000; the ids are 0 to 999"):
        english.decode([1000])


def test_words_with_an_end():
    pairs = BytePairs.train(["low lower lowest low"], 40, "words")
    assert pairs.decode(pairs.encode("lowest  low\nlower")) == "lowest low lower"
    assert pairs.tokens[0] == "<unk>" and pairs.encode("lowy") == pairs.encode("lowz")
    assert 0 in pairs.encode("lowy")
    assert pairs.decode(pairs.encode("low <unk> low")) == "low <unk> low"


def test_what_cannot_be_trained():
    with pytest.raises(ValueError, match="257 special tokens and smallest symbols do not fit a size of 256"):
        BytePairs.train(["x"], 256, specials=[END])
    with pytest.raises(ValueError, match="the corpus has no word"):
        BytePairs.train([" \n"], 300, "words")
    with pytest.raises(ValueError, match="kind must be one of"):
        BytePairs("letters", [], [])
    with pytest.raises(ValueError, match="'a</w>b' has </w> in it"):  # it would come back as a space
        BytePairs.train(["low a</w>b"], 300, "words")
    assert BytePairs.train("low low low", 300).merges == BytePairs.train(["low low low"], 300).merges
    assert len(BytePairs.train(["ab ab"], 10_000)) < 265  # ends where no pair stands twice


@pytest.mark.parametrize("kind", ["bytes", "words"])
@pytest.mark.parametrize(
    ("specials", "message"),
    [
        (["a"], "'a' (has two ids|is also what)"),
        (["ab"], "'ab' is also what a byte or a merge makes of other text"),
        ([""], "at least one character, got ''"),
        (["<s>", "<s>"], "'<s>' has two ids"),
        (["\ud800"], "half of a surrogate pair"),
    ],
)
def test_special_tokens_that_could_be_mistaken(specials, message, kind):
    with pytest.raises(ValueError, match=message):
        BytePairs.train(["abc abc abc"], 400, kind, specials)


def test_words_without_a_sign_for_unknown_ones_refuse_them():
    pairs = BytePairs("words", ["a", "b</w>"], [])
    assert pairs.encode("ab") == [0, 1]
    with pytest.raises(ValueError, match=r"'x' \(in 'xb'\) is no token, and there is no <unk>"):
        pairs.encode("xb")


def test_texts_that_are_none(english):
    for use in (english.encode, english.steps):
        with pytest.raises(TypeError, match="a text must be a str, got bytes"):
            use(b"low")
        with pytest.raises(ValueError, match="character 1 of the text"):
            use("a\ud800")


# ---- files ------------------------------------------------------------------------------------------


def test_files_come_back(english, tmp_path):
    english.save(tmp_path / "pairs.json")
    english.save_gpt2(tmp_path / "gpt2")
    words = BytePairs.train([CORPORA["surnames"]], 500, "words")
    words.save(tmp_path / "words.json")
    for made, path in ((english, "pairs.json"), (english, "gpt2"), (words, "words.json")):
        loaded = BytePairs.load(tmp_path / path)
        assert (loaded.tokens, loaded.merges, loaded.specials) == (made.tokens, made.merges, made.specials)
        assert loaded.encode("Hello Müller" + END) == made.encode("Hello Müller" + END)
    assert (tmp_path / "gpt2" / "merges.txt").read_text().splitlines()[0] == "#version: 0.2"
    with pytest.raises(ValueError, match="hold pairs of bytes"):
        words.save_gpt2(tmp_path / "no")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("kind"), "they have the keys"),
        (lambda c: c.update(kind="x"), "kind must be one of"),
        (lambda c: c["merges"].append("a"), "must be two tokens"),
        (lambda c: c["merges"].append("zz zz"), "'zz' is no token"),
        (lambda c: c["tokens"].append(c["tokens"][0]), "has two ids"),
        (lambda c: c["tokens"].remove("Ġ"), "the byte 32 has no token|is no token"),
        (lambda c: c.update(merges=None), "not iterable|NoneType"),
        (lambda c: c.update(kind="words", tokens=[1, 2], merges=[]), "a token must be a string"),
        (lambda c: c.update(kind=[]), "unhashable|kind must be"),
    ],
)
def test_damaged_files_are_refused(english, tmp_path, change, message):
    content = json.loads(json.dumps(english.to_dict()))
    change(content)
    (tmp_path / "x.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=f"x.json.*({message})"):
        BytePairs.load(tmp_path / "x.json")


def test_special_tokens_are_known_again_in_files_of_gpt2(tmp_path):
    """What neither a byte nor a merge makes is special, whatever its name."""
    specials = [END, "<pad>", "低"]
    made = BytePairs.train(["#version #version pad pad"] * 3, 300, specials=specials)
    made.save_gpt2(tmp_path)
    read = BytePairs.load(tmp_path)
    assert (read.specials, read.merges) == (specials, made.merges)
    assert read.encode("a<pad>低") == made.encode("a<pad>低")
    lines = (tmp_path / "merges.txt").read_text(encoding="utf-8").splitlines()
    for head in (["#version: 0.2 - Trained by somebody"], []):
        (tmp_path / "merges.txt").write_text("\n".join([*head, *lines[1:]]), encoding="utf-8")
        assert BytePairs.load(tmp_path).merges == made.merges


def test_files_that_are_none(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        BytePairs.load(tmp_path / "none.json")
    (tmp_path / "x.json").write_bytes(b"\xff")
    with pytest.raises(DataError, match="byte 0 is no UTF-8"):
        BytePairs.load(tmp_path / "x.json")
    (tmp_path / "vocab.json").write_text('{"a": 3}')
    (tmp_path / "merges.txt").write_text("")
    with pytest.raises(DataError, match="must map each token to its id"):
        BytePairs.load(tmp_path)


# ---- an independent implementation --------------------------------------------------------------------


@pytest.mark.parametrize("name", CORPORA)
def test_bytes_as_the_tokenizers_library(name, tmp_path):
    library = pytest.importorskip("tokenizers", reason="the same ids as tokenizers needs tokenizers")
    text = CORPORA[name]
    ours = BytePairs.train(text.splitlines(keepends=True), 700, specials=[END])
    theirs = library.Tokenizer(library.models.BPE())
    theirs.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = library.trainers.BpeTrainer(
        vocab_size=700, min_frequency=2, special_tokens=[END], show_progress=False,
        initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    theirs.train_from_iterator(text.splitlines(keepends=True), trainer)
    made = json.loads(theirs.to_str())["model"]
    assert [tuple(pair) for pair in made["merges"]] == ours.merges
    assert theirs.get_vocab() == ours.ids
    mixed = text[:20_000] + END + CORPORA["Chinese"][:2000] + "  \n\t I've 12²"
    assert theirs.encode(mixed).ids == ours.encode(mixed)
    ours.save_gpt2(tmp_path)
    read = library.Tokenizer(
        library.models.BPE.from_file(*(str(tmp_path / f) for f in ("vocab.json", "merges.txt")))
    )
    read.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    assert read.encode(text[:5000]).ids == ours.encode(text[:5000])


def test_words_as_the_tokenizers_library():
    """It numbers symbols at a word's end in no fixed order; by its numbers ours learns the same merges."""
    library = pytest.importorskip("tokenizers", reason="the same ids as tokenizers needs tokenizers")
    text = CORPORA["English"]
    theirs = library.Tokenizer(library.models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    theirs.pre_tokenizer = library.pre_tokenizers.WhitespaceSplit()
    trainer = library.trainers.BpeTrainer(
        vocab_size=700, min_frequency=2, special_tokens=["<unk>"], end_of_word_suffix="</w>",
        show_progress=False,
    )  # fmt: skip
    theirs.train_from_iterator(text.splitlines(), trainer)
    made = json.loads(theirs.to_str())["model"]
    tokens = sorted(made["vocab"], key=made["vocab"].get)
    ours = BytePairs("words", tokens, [tuple(pair) for pair in made["merges"]], ["<unk>"])
    assert ours.encode(text) == theirs.encode(text).ids
    ids = {token: i for i, token in enumerate(tokens)}
    counts = Counter(text.split())
    symbols = {tuple(ids[s] for s in smallest_symbols(word, "words")): n for word, n in counts.items()}
    learned = learn(symbols, lambda a, b: ids[tokens[a] + tokens[b]])
    found = [(tokens[a], tokens[b]) for a, b in islice(learned, len(ours.merges))]
    assert found == ours.merges


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cn"])))
def test_pieces_as_the_tokenizers_library(text):
    library = pytest.importorskip("tokenizers", reason="the same pieces as tokenizers needs tokenizers")
    theirs = library.pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(text)
    assert ["".join(smallest_symbols(piece, "bytes")) for piece in gpt2_pieces(text)] == [
        p for p, _ in theirs
    ]
