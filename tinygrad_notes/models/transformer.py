"""The Transformer that translates, Vaswani et al. 2017: an encoder, and a decoder that attends to its output.

One vocabulary for both languages, and one table: it embeds source and target (times √d, to which sinusoidal
positions are added) and, transposed, gives the logits. The norms come after each sum, as in the paper, and
there is none at the end; with `norm_first` they come before each part, and one ends each stack, as in the
authors' later code (tensor2tensor). Base size: 44,138,496 parameters without the table, 63,082,496 with
37,000 ids.
"""

from __future__ import annotations

import math
from typing import Any

from .. import nn
from ..autograd import Tensor
from ..nn import functional as F
from ..ops.arguments import as_tensor
from .decoding import State


class Transformer(nn.Module):
    """logits (N, T, V) of each next id of the target; see the top of the file.

    model(source (N, S), target (N, T)); no source id that equals `padding` is attended to, and the decoder
    reads the ids of `target`, which begin with a start sign, without looking ahead: padding behind them has
    no influence. Matrices are Xavier uniform, the table N(0, 1/d). Dropout falls on the sum of embedding and
    position, on attention weights, inside the feed-forward part and on what each part adds.

    Raises ValueError for a source or target of more than `max_len` ids.
    """

    def __init__(
        self, vocabulary: int, width: int = 512, heads: int = 8, layers: int = 6, feed_forward: int = 2048,
        dropout: float = 0.1, max_len: int = 512, norm_first: bool = False, padding: int = 0,
    ) -> None:  # fmt: skip
        self.embedding = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.padding, self.scale = padding, math.sqrt(width)
        self.positions = nn.PositionalEncoding(width, dropout, max_len, batch_first=True)
        options = (width, heads, feed_forward, dropout)
        kinds = dict(batch_first=True, norm_first=norm_first)
        norms = [nn.LayerNorm(width) if norm_first else None for _ in range(2)]
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(*options, **kinds), layers, norms[0])
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(*options, **kinds), layers, norms[1])
        for part in (self.encoder, self.decoder):
            for parameter in part.parameters():
                if parameter.ndim > 1:
                    nn.init.xavier_uniform_(parameter)

    def forward(self, source: Any, target: Any) -> Tensor:
        return self.step(target, self.start(source))[0]

    def start(self, source: Any) -> State:
        """The decoder's first state: (memory, what of it is padding, keys and values: none yet)."""
        source = as_tensor(source)
        if source.ndim != 2 or source.shape[1] == 0:
            raise ValueError(
                f"Transformer: source must be (N, S) with at least one place, got {source.shape}"
            )
        hidden = source == self.padding
        return self.encoder(self._embedded(source, 0), src_key_padding_mask=hidden), hidden, ()

    def step(self, ids: Any, state: State) -> tuple[Tensor, State]:
        """(logits (N, T, V), state) of the ids (N, T) that the decoder reads: a step of `decoding`.

        From the first call on the state holds keys and values of the memory instead of it.
        """
        memory, hidden, cache = state
        past = cache[0][0][0].shape[2] if cache else 0
        y, cache = self.decoder(
            self._embedded(ids, past), memory, tgt_is_causal=True, memory_key_padding_mask=hidden, cache=cache
        )
        return F.linear(y, self.embedding.weight), (None, hidden, cache)

    def _embedded(self, ids: Any, past: int) -> Tensor:
        return self.positions(self.embedding(ids) * self.scale, start=past)
