"""Windows of words: what is left out, who sees whom, which questions are asked, and that it can go on."""

from __future__ import annotations

import heapq
import itertools
from functools import partial

import numpy as np
import pytest

from tinygrad_notes.backend import to_numpy
from tinygrad_notes.data import Noise, Tree, Windows, huffman, keep_probability, read_ids, write_ids
from tinygrad_notes.data.questions import NOISE
from tinygrad_notes.data.windows import LARGEST, PIECE, steady

RNG = np.random.default_rng(0)
V = 40
SENTENCES = [RNG.integers(0, V, n).tolist() for n in RNG.integers(1, 30, 200)]
TEXT = np.array([w for s in SENTENCES for w in [*s, -1]], np.int32)
COUNTS = np.bincount(TEXT[TEXT >= 0], minlength=V)


def arrays(loader):
    return [[to_numpy(a._data) for a in batch] for batch in loader]


def pairs(loader):
    """(word, middle word) of everything seen, in order of the middle words' places."""
    found = []
    for words, seen, *_ in arrays(loader):
        c = (words.shape[1] - seen.shape[2]) // 2
        found += [(int(words[b, p]), int(words[b, c + m])) for b, m, p in np.argwhere(seen.swapaxes(1, 2))]
    return found


# ---- subsampling -------------------------------------------------------------------------------


def test_the_formulas_of_paper_and_code():
    counts = np.array([900, 99, 1])
    f = counts / 1000
    np.testing.assert_allclose(keep_probability(counts, 0.01, "paper"), np.minimum(1, np.sqrt(0.01 / f)))
    code = (np.sqrt(f / 0.01) + 1) * 0.01 / f  # word2vec.c's line
    np.testing.assert_allclose(keep_probability(counts, 0.01, "code"), np.minimum(1, code))
    assert keep_probability(counts, 0.01, "code")[2] == 1  # rare words always stay
    assert keep_probability(counts, 0).tolist() == [1, 1, 1]


@pytest.mark.parametrize("formula", ["paper", "code"])
def test_words_stay_as_often_as_the_formula_says(formula):
    text = np.zeros(200_000, np.int32)
    text[::100] = 1
    counts = np.bincount(text)
    loader = Windows(text, counts, window=1, sample=1e-2, formula=formula, seed=0, words_per_batch=4096)
    kept = np.bincount([w for words, *_ in arrays(loader) for w in words[:, 1:-1].ravel()], minlength=2)
    expected = counts * keep_probability(counts, 1e-2, formula)
    padding = sum(-len(words) % 32 for words, *_ in arrays(loader)) + 32 * 3  # the last blocks of pieces
    assert abs(kept[0] - expected[0]) < 5 * np.sqrt(expected[0]) + padding
    assert abs(kept[1] - expected[1]) < 5 * np.sqrt(counts[1])


def test_frequent_words_are_left_out_before_windows_are_taken():
    """1 and 2 stand on both sides of 0: without it they are neighbors, in a window of 1."""
    text = np.array([1, 0, 2, -1] * 1000, np.int32)
    counts = np.array([10**9, 1000, 1000])
    assert set(pairs(Windows(text, counts, window=1, sample=0, seed=0))) == {(1, 0), (0, 1), (0, 2), (2, 0)}
    assert (1, 2) in pairs(Windows(text, counts, window=1, sample=1e-6, seed=0))


# ---- windows -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 50, 1000, 10**6])
@pytest.mark.parametrize("negative", [0, 5])
def test_a_window_of_one_sees_every_neighbor_of_its_sentence_once(size, negative):
    """Over all borders of blocks and batches; pieces are cut, so the text is one piece here."""
    text = TEXT[: min(len(TEXT), size * PIECE)]
    loader = Windows(text, COUNTS, window=1, sample=0, negative=negative, words_per_batch=size, seed=0)
    joined = [(a, b) for a, b in itertools.pairwise(text) if a >= 0 and b >= 0]
    expected = sorted(joined + [(b, a) for a, b in joined])
    assert sorted(pairs(loader)) == expected


def test_pieces_cut_no_more_than_the_pairs_over_their_borders():
    whole = pairs(Windows(TEXT, COUNTS, window=1, sample=0, words_per_batch=10**6, seed=0))
    loader = Windows(TEXT, COUNTS, window=1, sample=0, words_per_batch=3, seed=0)
    pieces = -(-len(TEXT) // (3 * PIECE))
    assert 0 <= len(whole) - len(pairs(loader)) <= 2 * (pieces - 1)


def test_places_at_distance_d_are_seen_with_probability_1_minus_d_minus_1_over_c():
    text, c = np.arange(1000, dtype=np.int32).repeat(1), 4
    text = np.tile(text, 20)  # neighbors have consecutive numbers
    seen = np.array(pairs(Windows(text, np.ones(1000), window=c, sample=0, seed=1)))
    distance = np.bincount(abs(seen[:, 0] - seen[:, 1]), minlength=c + 1)
    for d in range(1, c + 1):
        expected = 2 * len(text) * (c + 1 - d) / c
        assert abs(distance[d] - expected) < 0.02 * 2 * len(text)
    assert distance[0] == 0 and distance[c + 1 : 900].sum() == 0


def test_a_word_that_stands_twice_sees_itself_only_at_the_other_place():
    assert pairs(Windows(np.array([3, 3, -1]), np.ones(4), window=1, sample=0, seed=0)) == [(3, 3), (3, 3)]
    assert pairs(Windows(np.array([3, -1, 3, -1]), np.ones(4), window=5, sample=0, seed=0)) == []


def test_a_text_of_which_nothing_is_left_gives_empty_batches():
    loader = Windows(np.full(100, -1), np.ones(2), words_per_batch=10, seed=0)
    batches = arrays(loader)
    assert len(batches) == len(loader) == 10
    assert all(words.shape == (0, 42) and no.shape[0] == 0 for words, _, _, _, no in batches)
    tree = arrays(Windows(np.full(100, -1), np.ones(2), negative=0, words_per_batch=10, seed=0))
    assert all(ids.shape == (0, 0) for _, _, ids, _, _ in tree)


# ---- questions ---------------------------------------------------------------------------------


def test_noise_has_the_distribution_of_the_paper():
    counts = np.array([1000, 100, 10, 1])
    ids = Noise(counts).ask(np.zeros((20_000, 1), np.int32), np.random.default_rng(0)).ids[:, 1:]
    share = np.bincount(ids.ravel(), minlength=4) / ids.size
    np.testing.assert_allclose(share, counts**0.75 / (counts**0.75).sum(), atol=2e-3)


def test_noise_that_equals_the_word_is_not_asked_and_the_rest_counts_as_k():
    words = np.array([[0, 1, 2], [1, 1, 0]])
    ids, yes, no = Noise(np.array([5, 3, 2]), negative=7).ask(words, np.random.default_rng(0))
    assert ids.shape == (2, 3 + NOISE) and (ids[:, :3] == words).all()
    assert (yes[:, :, :3] == np.eye(3)).all() and not yes[:, :, 3:].any() and not no[:, :, :3].any()
    same = ids[:, None, 3:] == words[:, :, None]
    np.testing.assert_array_equal(no[:, :, 3:], np.where(same, 0, np.float32(7 / NOISE)))


def test_the_tree_asks_every_word_its_own_way():
    counts = RNG.integers(1, 1000, 50)
    path, code = huffman(counts)
    words = RNG.integers(0, 50, (6, 9))
    ids, yes, no = Tree(counts).ask(words, np.random.default_rng(0))
    for b, w in np.ndindex(words.shape):
        way = {(int(n), int(t)) for n, t in zip(path[words[b, w]], code[words[b, w]], strict=True) if n >= 0}
        asked = {(int(ids[b, m]), int(no[b, w, m])) for m in np.flatnonzero(yes[b, w] + no[b, w])}
        assert asked == way
        assert (yes[b, w] + no[b, w]).sum() == len(way)


@pytest.mark.parametrize("counts", [[1], [1, 1], [5, 1], [1] * 8, [1] * 7, [1, 1, 2, 3, 5, 8, 13, 21],
                                    RNG.integers(1, 10**6, 300)], ids=lambda c: len(c))  # fmt: skip
def test_no_tree_asks_less(counts):
    counts = np.array(counts)
    path, code = huffman(counts)
    depth = (path >= 0).sum(axis=1)
    heap, least = counts.tolist(), 0
    heapq.heapify(heap)
    while len(heap) > 1:  # every join makes all words below it one deeper
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        least += joined
        heapq.heappush(heap, joined)
    assert (counts * depth).sum() == least
    assert sum(0.5 ** depth.astype(float)) == pytest.approx(1)  # every turn leads to a word
    ways = {
        tuple(zip(path[v, : depth[v]].tolist(), code[v, : depth[v]].tolist(), strict=True))
        for v in range(len(counts))
    }
    assert len(ways) == len(counts)
    if len(counts) > 1:
        assert (path[:, 0] == len(counts) - 2).all()
        assert sorted(set(path[path >= 0].tolist())) == list(range(len(counts) - 1))


def test_a_small_tree_by_hand():
    """1 and 1 are joined to node 0 of 2; that and 2 (the word comes first: left) to node 1; then 4 and 4."""
    path, code = huffman(np.array([4, 2, 1, 1]))
    assert path.tolist() == [[2, -1, -1], [2, 1, -1], [2, 1, 0], [2, 1, 0]]
    assert code.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]]


def test_batches_are_as_large_as_steps_of_the_rate_allow():
    """The busier the rows, the fewer words."""
    assert steady(np.array([0.5, 0.5]), 0.025) == int(3 / (0.025 * 0.5))
    assert steady(np.array([0.5, 0.5]), 0.05) == int(3 / (0.05 * 0.5))
    assert steady(np.full(10**4, 1e-4), 0.025) == LARGEST and steady(np.array([1e6]), 1) == 16
    assert steady(np.zeros(0), 1) == steady(np.ones(3), 0) == LARGEST
    noise, tree = Noise(np.array([3, 1]), 5, 1.0), Tree(np.array([2, 1, 1]))
    np.testing.assert_allclose(
        noise.often(np.array([0.5, 0.1])), [0.5 + 5 * 0.6 * 0.75, 0.1 + 5 * 0.6 * 0.25]
    )
    np.testing.assert_allclose(tree.often(np.array([0.5, 0.25, 0.1])), [0.35, 0.85])
    few, many = (Windows(np.arange(v), np.ones(v), sample=0).batch_size for v in (20, 2000))
    assert few < many == LARGEST


# ---- order, resuming, memory -------------------------------------------------------------------


def same(a, b):
    return len(a) == len(b) and all(
        (x == y).all() for p, q in zip(a, b, strict=True) for x, y in zip(p, q, strict=True)
    )


@pytest.mark.parametrize("negative", [0, 5])
@pytest.mark.parametrize("stop", [1, PIECE - 1, PIECE, PIECE + 5])
def test_what_is_left_of_an_epoch_goes_on_bit_for_bit(stop, negative):
    make = partial(Windows, TEXT, COUNTS, negative=negative, words_per_batch=20, seed=3)
    whole, later = arrays(first := make()), arrays(first)
    assert len(whole) == len(first)
    assert not same(whole, later)  # every epoch draws anew
    loader = make(prefetch=0)
    iteration = iter(loader)
    for _ in range(stop):
        next(iteration)
    going_on = make()
    going_on.load_state_dict(loader.state_dict())
    assert same(arrays(going_on), whole[stop:])
    assert same(arrays(going_on), later)


def test_fixed_windows_are_the_same_in_every_epoch_and_for_every_run():
    loader = Windows(TEXT, COUNTS, seed=1, fixed=True)
    assert same(arrays(loader), arrays(loader))
    assert same(arrays(loader), arrays(Windows(TEXT, COUNTS, seed=1, fixed=True)))


def test_a_text_on_disk_is_read_in_pieces(tmp_path):
    text = write_ids(SENTENCES, tmp_path / "text")
    assert isinstance(text, np.memmap)
    np.testing.assert_array_equal(text, TEXT)
    assert same(arrays(Windows(text, COUNTS, seed=0)), arrays(Windows(TEXT, COUNTS, seed=0)))

    class Watched:
        ndim, dtype, shape = 1, text.dtype, text.shape
        largest = 0

        def __len__(self):
            return len(text)

        def __getitem__(self, part):
            self.largest = max(self.largest, len(text[part]))
            return text[part]

    watched = Watched()
    arrays(Windows(watched, COUNTS, seed=0, words_per_batch=10))
    assert watched.largest == 10 * PIECE < len(text)


def test_a_file_can_be_written_again_while_it_is_mapped(tmp_path):
    old = write_ids([[1, 2]], tmp_path / "text")
    new = write_ids([[3]], tmp_path / "text")
    assert old.tolist() == [1, 2, -1] and new.tolist() == [3, -1]
    assert write_ids([], tmp_path / "none").shape == (0,)
    (tmp_path / "odd").write_bytes(b"12345")
    with pytest.raises(ValueError, match="odd has 5 bytes, which are no int32 numbers"):
        read_ids(tmp_path / "odd")


@pytest.mark.parametrize(("message", "call"), [
    ("text must be one line of integers", lambda: Windows(TEXT[:, None], COUNTS)),
    ("text must be one line of integers", lambda: Windows(TEXT * 1.0, COUNTS)),
    ("0 samples give no batch", lambda: Windows(TEXT[:0], COUNTS)),
    ("window must be at least 1", lambda: Windows(TEXT, COUNTS, window=0)),
    ("negative must be at least 0", lambda: Windows(TEXT, COUNTS, negative=-1)),
    ("words_per_batch must be at least 1", lambda: Windows(TEXT, COUNTS, words_per_batch=0)),
    ("formula must be 'paper' or 'code', got 'both'", lambda: Windows(TEXT, COUNTS, formula="both")),
    ("sample must be at least 0", lambda: Windows(TEXT, COUNTS, sample=-1)),
    ("Noise: counts must be a positive number for each word", lambda: Noise(np.array([1, 0]))),
    ("Tree: counts must be a positive number for each word", lambda: Tree(np.zeros((0,)))),
    (r"the text has words -1..39, but counts are of 0..9", lambda: arrays(Windows(TEXT, COUNTS[:10]))),
])  # fmt: skip
def test_wrong_arguments(message, call):
    with pytest.raises(ValueError, match=message):
        call()
