"""Word2Vec: vectors of words, learned by telling words from others by what stands around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import backend
from ..autograd import Tensor
from ..data.windows import Around
from ..nn import Module, Parameter, init
from ..nn import functional as F
from ..nn.layers import _size
from ..nn.parameter import unset
from ..ops.words import logistic_pairs

ARCHITECTURES = "skip-gram", "cbow"
GRADIENTS = "code", "exact"


class Word2Vec(Module):
    """Two tables of num_words · dim: `syn0` of the words, which is what is wanted, `syn1` of the questions.

    Skip-gram asks each word of a window alone for the word in the middle, CBOW asks their mean. `syn0` starts
    from U(±0.5/dim), `syn1` from 0. Whether the questions are noise or the turns of a tree, the batch knows
    (`data.Windows`).  Mikolov et al. 2013a, b.

    `pick` reads the rows of a table: `F.embedding`, whose gradient is a whole table, or that of
    `optim.RowSGD`, with which only the rows that were read are differentiated.

    In CBOW each of n words of a window has 1/n of the gradient of their mean; `context_gradient="code"` steps
    by all of it, as word2vec.c and gensim do.
    """

    def __init__(
        self, num_words: int, dim: int = 100, architecture: str = "skip-gram", context_gradient: str = "code"
    ) -> None:
        for name, value, known in (("architecture", architecture, ARCHITECTURES),
                                   ("context_gradient", context_gradient, GRADIENTS)):  # fmt: skip
            if value not in known:
                raise ValueError(f"Word2Vec: {name} must be one of {known}, got {value!r}")
        num_words, dim = _size("Word2Vec", "num_words", num_words), _size("Word2Vec", "dim", dim)
        self.architecture, self.context_gradient = architecture, context_gradient
        self.syn0 = unset(num_words, dim)
        self.syn1 = Parameter(np.zeros((num_words, dim), np.float32))
        self.pick: Callable[[Any, Tensor], Tensor] = F.embedding
        init.uniform_(self.syn0, -0.5 / dim, 0.5 / dim)

    def forward(self, around: Sequence[Tensor]) -> Tensor:
        """The sum of the losses of all pairs of a batch of `data.Windows` (CBOW: of all words with a window).

        word2vec.c steps after every pair, so the sum is what its learning rate belongs to.
        """
        around = Around(*around)
        words = self.pick(around.words, self.syn0)  # (B, P, D)
        questions = self.pick(around.ids, self.syn1)  # (B, M, D)
        xp = backend.xp
        seen, yes, no = (n._data.astype(words.dtype) for n in (around.seen, around.yes, around.no))
        if self.architecture == "cbow":
            count = seen.sum(axis=1)  # (B, L)
            asked = (count > 0).astype(words.dtype)[..., None]
            return logistic_pairs(self._mean(words, seen, count), questions, yes * asked, no * asked).sum()
        return logistic_pairs(words, questions, xp.matmul(seen, yes), xp.matmul(seen, no)).sum()

    def _mean(self, words: Tensor, seen: Any, count: Any) -> Tensor:
        """The mean over what each middle word sees, (B, L, D); with the gradient of the sum for "code"."""
        share = Tensor._wrap(1 / backend.xp.maximum(count, 1)[..., None])
        total = Tensor._wrap(seen.swapaxes(1, 2)) @ words
        if self.context_gradient == "exact":
            return total * share
        fixed = total.detach()
        return total + (fixed * share - fixed)  # the value of the mean, the gradient of the sum

    def count(self, around: Sequence[Tensor]) -> int:
        """How many losses `forward` adds up."""
        return losses(Around(*around).seen._data, self.architecture)


def losses(seen: Any, architecture: str) -> int:
    """How many losses belong to `seen` (B, P, L) of a batch of `data.Windows`."""
    return int(seen.any(axis=1).sum() if architecture == "cbow" else seen.sum())
