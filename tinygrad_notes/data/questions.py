"""What is asked about words to tell them from the others: noise drawn at random, or the turns of a tree."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

NOISE = 32  # words of noise that one block of text shares


class Asked(NamedTuple):
    """The questions of B blocks of L words: rows `ids` (B, M) of the output table.

    yes and no (B, L, M) count, for each word of a block, how often each question has that answer.
    """

    ids: np.ndarray
    yes: np.ndarray
    no: np.ndarray


class Noise:
    """The word itself (yes) and `negative` words drawn with probability ∝ count^power (no).

    The words of a block share what is drawn: each asks all NOISE words `negative`/NOISE times, so that one
    product of matrices answers them (Ji et al. 2016). Noise that equals the word is not asked, as in
    word2vec.c.  Mikolov et al. 2013b: power 0.75.
    """

    block = 32  # words whose windows are one product: more would multiply more that no window sees

    def __init__(self, counts: np.ndarray, negative: int = 5, power: float = 0.75) -> None:
        share = _counted("Noise", counts).astype(float) ** power
        self.probability = share / share.sum()
        self.below = np.cumsum(self.probability)
        self.below[-1] = 1.0
        self.negative, self.times = negative, np.float32(negative / NOISE)

    def often(self, words: np.ndarray) -> np.ndarray:
        """How often each row is asked about `words` (V,) of each word."""
        return words + self.negative * words.sum() * self.probability  # type: ignore[no-any-return]

    def ask(self, words: np.ndarray, rng: np.random.Generator) -> Asked:
        """The questions about `words` (B, L)."""
        blocks, length = words.shape
        noise = np.searchsorted(self.below, rng.random((blocks, NOISE)), side="right").astype(words.dtype)
        yes = np.broadcast_to(
            np.eye(length, length + NOISE, dtype=np.float32), (blocks, length, length + NOISE)
        )
        no = np.zeros(yes.shape, np.float32)
        np.multiply(noise[:, None] != words[:, :, None], self.times, out=no[:, :, length:])
        return Asked(np.concatenate([words, noise], axis=1), yes, no)


class Tree:
    """The inner nodes on the way to the word in a Huffman tree: left (yes) or right (no).

    Its V − 1 nodes answer about log₂ V questions a word, fewer for frequent ones. The words of a block share
    the nodes next to the root.  Huffman 1952; Morin & Bengio 2005.
    """

    block = 8  # more would have more questions that only others ask

    def __init__(self, counts: np.ndarray) -> None:
        self.path, self.code = huffman(_counted("Tree", counts))

    def often(self, words: np.ndarray) -> np.ndarray:
        """How often each row is asked about `words` (V,) of each word."""
        way = self.path >= 0
        times = np.broadcast_to(words[:, None], way.shape)[way]
        return np.bincount(self.path[way], times, minlength=1)

    def ask(self, words: np.ndarray, rng: np.random.Generator) -> Asked:
        """The questions about `words` (B, L); nothing is drawn."""
        path, code = self.path[words], self.code[words]  # (B, L, depth)
        block, word, turn = np.nonzero(path >= 0)
        node = path[block, word, turn]
        size = len(self.path)
        keys, place = np.unique(block * size + node, return_inverse=True)  # each node once a block
        first = np.searchsorted(keys, np.arange(len(words) + 1) * size)
        column = place - first[block]
        shape = (*words.shape, int(np.diff(first).max(initial=0)))
        ids = np.zeros((shape[0], shape[2]), words.dtype)
        yes, no = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        ids[block, column] = node
        right = code[block, word, turn]
        yes[block, word, column], no[block, word, column] = 1 - right, right
        return Asked(ids, yes, no)


def huffman(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The tree of least Σ count · depth: the nodes on the way to each word and the turns there, (V, depth).

    Nodes are numbered 0..V−2 in the order in which they are made, so the root, where each way begins, is V−2;
    −1 stands behind a word's last one. The two lightest are joined again and again, the lighter to the left
    (0); among equals words come before nodes, and then what was made first. One word alone has no node.
    """
    words = len(counts)
    weight = [*map(int, counts), *[0] * (words - 1)]
    waiting = np.argsort(counts, kind="stable").tolist()
    parent, turn = np.zeros(2 * words - 1, np.int32), np.zeros(2 * words - 1, np.int8)
    leaf, inner = 0, words  # the lightest of each kind: nodes are made in the order of their weights
    for node in range(words, 2 * words - 1):
        for side in (0, 1):
            is_leaf = leaf < words and (inner == node or weight[waiting[leaf]] <= weight[inner])
            child = waiting[leaf] if is_leaf else inner
            leaf, inner = leaf + is_leaf, inner + (not is_leaf)
            parent[child], turn[child] = node, side
            weight[node] += weight[child]
    return _ways(words, parent, turn)


def _ways(words: int, parent: np.ndarray, turn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The way from the root to every word, read upwards: all words climb one level at a time."""
    root, depth = 2 * words - 2, np.zeros(2 * words - 1, np.int32)
    for node in range(root - 1, -1, -1):
        depth[node] = depth[parent[node]] + 1
    path = np.full((words, int(depth[:words].max())), -1, np.int32)
    code = np.zeros(path.shape, np.int8)
    here, word = np.arange(words), np.arange(words)
    while (climbing := here != root).any():
        here, word = here[climbing], word[climbing]
        level = depth[here] - 1
        path[word, level], code[word, level] = parent[here] - words, turn[here]
        here = parent[here]
    return path, code


def _counted(name: str, counts: np.ndarray) -> np.ndarray:
    counts = np.asarray(counts)
    if counts.ndim != 1 or not counts.size or not (counts > 0).all():
        raise ValueError(f"{name}: counts must be a positive number for each word, got shape {counts.shape}")
    return counts
