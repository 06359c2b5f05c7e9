"""Byte-pair encoding itself: which pairs a corpus joins, and how a word is split by them.

Training begins with the smallest symbols and joins, again and again, the pair that stands most often side by
side inside words; each joined pair is a new symbol. Encoding splits a word into the smallest symbols and
joins the pair that was learned first, wherever it stands, until none is left that was learned. That is not
the longest match: with l o → lo, lo w → low, e r → er

    l o w e r  →  lo w e r  →  low e r  →  low er
"""

from __future__ import annotations

import heapq
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

Pair = tuple[int, int]
Ranks = Mapping[Pair, tuple[int, int]]  # pair → (its rank, the id of the joined symbol)
NEVER = sys.maxsize  # a rank that no merge has


def learn(
    words: Mapping[Sequence[int], int], join: Callable[[int, int], int], least: int = 2
) -> Iterator[Pair]:
    """The pairs in the order they are joined; `words` are symbols → how often the word stands.

    The next pair is the most frequent one, of equals the one of the smallest ids. `join(a, b)` gives the id
    of the new symbol. Ends where no pair stands `least` times.

    Counts are kept, not taken anew: a merge only changes the pairs of the words it stands in, and a heap has
    every count that a pair ever rose to. One that fell since is put back with what it is now.
    """
    parts = [list(word) for word in words]
    times = list(words.values())
    counts: Counter[Pair] = Counter()
    places: dict[Pair, set[int]] = {}  # words in which a pair stands, or stood
    for i, word in enumerate(parts):
        for pair in pairwise(word):
            counts[pair] += times[i]
            places.setdefault(pair, set()).add(i)
    heap = [(-n, pair) for pair, n in counts.items()]
    heapq.heapify(heap)
    while heap:
        n, pair = heapq.heappop(heap)
        if -n != counts[pair]:
            if counts[pair] > 0:
                heapq.heappush(heap, (-counts[pair], pair))
            continue
        if -n < least:
            return
        new = join(*pair)
        rose: set[Pair] = set()
        for i in places.pop(pair):
            for other, change in _join_in(parts[i], pair, new):
                counts[other] += change * times[i]
                if change > 0:
                    places.setdefault(other, set()).add(i)
                    rose.add(other)
        for other in rose:
            heapq.heappush(heap, (-counts[other], other))
        yield pair


def _join_in(word: list[int], pair: Pair, new: int) -> list[tuple[Pair, int]]:
    """Write `new` for every `pair` in `word`, from the left; returns the pairs that go (−1) and come (+1)."""
    first, second = pair
    changes: list[tuple[Pair, int]] = []
    i = 0
    while i < len(word) - 1:
        if word[i] == first and word[i + 1] == second:
            changes.append((pair, -1))
            if i > 0:
                changes += ((word[i - 1], first), -1), ((word[i - 1], new), 1)
            if i + 2 < len(word):
                changes += ((second, word[i + 2]), -1), ((new, word[i + 2]), 1)
            word[i : i + 2] = [new]
        i += 1
    return changes


def split(word: Iterable[int], ranks: Ranks) -> list[int]:
    """The symbols of `word` after all merges."""
    symbols: list[int] = list(word)
    _merge(symbols, ranks)
    return [symbol for symbol in symbols if symbol >= 0]


def steps(word: Iterable[int], ranks: Ranks) -> list[list[int]]:
    """The symbols of `word` as they are, then after the merges of each rank."""
    symbols: list[int] = list(word)
    seen: list[tuple[int, list[int]]] = [(-1, list(symbols))]

    def note(rank: int) -> None:
        if rank == seen[-1][0]:
            seen.pop()
        seen.append((rank, [symbol for symbol in symbols if symbol >= 0]))

    _merge(symbols, ranks, note)
    return [shown for _, shown in seen]


class Starts(dict[str, list[int]]):
    """Character → the symbols to begin with: one, where its bytes join before anything beside them can.

    That the bytes of 你 join is 2 of the 3 merges that a word needs for each Chinese character, and the same
    every time. A character is one symbol from the start if, at each of its merges,
        rank < the rank of every merge that takes its first symbol to the left, or its last one to the right,
    and if every merge of the whole character comes after them all. So no neighbor can come in between, and
    what is joined is the same; every other character begins as its bytes.
    """

    def __init__(self, smallest: Callable[[str], list[int]], ranks: Ranks) -> None:
        super().__init__()
        self.smallest, self.ranks = smallest, ranks
        self.firsts: dict[int, int] = {}  # symbol → the least rank of a merge in which it is the left one
        self.lasts: dict[int, int] = {}  # and the right one
        for (a, b), (rank, _) in ranks.items():
            self.firsts[a] = min(rank, self.firsts.get(a, rank))
            self.lasts[b] = min(rank, self.lasts.get(b, rank))

    def __missing__(self, character: str) -> list[int]:
        smallest = self.smallest(character)
        self[character] = found = self._whole(list(smallest)) or smallest
        return found

    def _whole(self, symbols: list[int]) -> list[int] | None:
        latest = -1
        while len(symbols) > 1:
            known = [(*self.ranks[p], i) for i, p in enumerate(pairwise(symbols)) if p in self.ranks]
            if not known:
                return None
            rank, new, i = min(known, key=lambda found: (found[0], found[2]))
            if rank >= self._beside(symbols[0], symbols[-1]):
                return None
            symbols[i : i + 2], latest = [new], max(latest, rank)
        (whole,) = symbols
        return symbols if latest < self._beside(whole, whole) else None

    def _beside(self, first: int, last: int) -> int:
        """The least rank of a merge of `first` with what is before it, or of `last` with what follows."""
        return min(self.lasts.get(first, NEVER), self.firsts.get(last, NEVER))


def _merge(symbols: list[int], ranks: Ranks, note: Callable[[int], None] | None = None) -> None:
    """Merge in place, with −1 where a symbol went into the one before it; `note(rank)` after each.

    A heap holds every pair that ever stood side by side, by rank and then place, so that a word of n symbols
    takes n log n steps. What is no pair any more is passed over.
    """
    count = len(symbols)
    heap = [(ranks[p][0], i) for i, p in enumerate(pairwise(symbols)) if p in ranks]
    heapq.heapify(heap)
    after, before = list(range(1, count + 1)), list(range(-1, count - 1))
    while heap:
        rank, i = heapq.heappop(heap)
        j = after[i]
        known = ranks.get((symbols[i], symbols[j])) if j < count else None
        if known is None or known[0] != rank:
            continue
        new = symbols[i] = known[1]
        symbols[j] = -1
        left, right = before[i], after[j]
        after[i] = right
        if right < count:
            before[right] = i
            if known := ranks.get((new, symbols[right])):
                heapq.heappush(heap, (known[0], i))
        if left >= 0 and (known := ranks.get((symbols[left], new))):
            heapq.heappush(heap, (known[0], left))
        if note is not None:
            note(rank)
