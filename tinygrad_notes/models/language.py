"""Language models: what comes next, p(idₜ₊₁ | id₀, ..., idₜ), read from left to right.

    model(ids, state=()) → (logits, state)

ids (N, T) are characters or tokens, logits (N, T, V) are those of each next one. The state is what the model
keeps of all it has read: h, or h and c, of a recurrent network, the keys and values of a Transformer. With it
the next call continues the text, which may be read in pieces or one id at a time, with the same logits. The
caller holds the state; all its Tensors have the samples first (see `decoding.select`).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from .. import nn
from ..autograd import Tensor
from ..nn import functional as F
from ..ops.arguments import as_tensor
from .decoding import State, mapped

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class _Language(nn.Module):
    """What both kinds share: an embedding at the start, and a head that gives logits.

    `tied`: the head's weight is the embedding's (Press & Wolf 2017).
    """

    def _make_ends(self, vocabulary: int, width: int, tied: bool, head_bias: bool) -> None:
        self.embedding = nn.Embedding(vocabulary, width)
        self.head = nn.Linear(width, vocabulary, head_bias)
        if tied:
            self.head.weight = self.embedding.weight

    def _embedded(self, ids: Any) -> Tensor:
        ids = as_tensor(ids)
        if ids.ndim != 2 or ids.shape[1] == 0:
            raise ValueError(
                f"{type(self).__name__}: ids must be (N, T) with at least one place, got {ids.shape}"
            )
        return self.embedding(ids)

    def carried(self, state: State) -> State:
        """The state with which training goes on to the next piece of a text: without its graph."""
        raise NotImplementedError


class RecurrentLM(_Language):
    """Embedding → dropout → `layers` of rnn | lstm | gru → dropout → Linear; see the top of the file.

    Truncated backpropagation through time: the next piece of the text starts from `carried(state)`.
    """

    def __init__(
        self, vocabulary: int, cell: str = "lstm", width: int = 256, layers: int = 2, dropout: float = 0.0,
        tied: bool = False,
    ) -> None:  # fmt: skip
        if cell not in CELLS:
            raise ValueError(f"RecurrentLM: cell must be one of {[*CELLS]}, got {cell!r}")
        self._make_ends(vocabulary, width, tied, head_bias=True)
        self.dropout = nn.Dropout(dropout)
        between = dropout if layers > 1 else 0.0
        self.rnn = CELLS[cell](width, width, layers, batch_first=True, dropout=between)

    def forward(self, ids: Any, state: State = ()) -> tuple[Tensor, State]:
        """(logits (N, T, V), state); the state is (h,) or (h, c), each (N, layers, width)."""
        x = self.dropout(self._embedded(ids))
        y, last = self.rnn(x, to_layers(state))
        return self.head(self.dropout(y)), from_layers(last)

    def carried(self, state: State) -> State:
        return mapped(Tensor.detach, state)


def to_layers(state: State) -> Any:
    """(h,) or (h, c) with the samples first as nn's recurrent layers take it: h or (h, c), layers first."""
    turned = tuple(x.swapaxes(0, 1) for x in state)
    return turned if len(turned) > 1 else turned[0] if turned else None


def from_layers(state: Any) -> State:
    """What nn's recurrent layers return with the samples first, (h,) or (h, c)."""
    return tuple(x.swapaxes(0, 1) for x in (state if isinstance(state, tuple) else (state,)))


class TransformerLM(_Language):
    """The decoder-only Transformer, Radford et al. 2018 and 2019; see the top of the file.

    Embedding + learned positions → dropout → `layers` of causal self-attention and a feed-forward part of
    `feed_forward` (4 · width), norms first → LayerNorm → head without bias. At most `context` places.
    Weights N(0, 0.02²), biases 0, and as in GPT-2 those that add to the sum of the layers / √(2 · layers).

    Raises ValueError for a text longer than `context`.
    """

    def __init__(
        self, vocabulary: int, width: int = 256, layers: int = 4, heads: int = 4, context: int = 256,
        dropout: float = 0.0, tied: bool = True, feed_forward: int | None = None,
    ) -> None:  # fmt: skip
        self._make_ends(vocabulary, width, tied, head_bias=False)
        self.positions = nn.LearnedPositions(width, dropout, context, batch_first=True)
        self.context = self.positions.max_len
        layer = nn.TransformerEncoderLayer(
            width, heads, feed_forward or 4 * width, dropout, partial(F.gelu, approximate="tanh"),
            batch_first=True, norm_first=True,
        )  # fmt: skip
        self.transformer = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width))
        added = ("self_attn.out_proj.weight", "linear2.weight")
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=0.02 / (2 * layers) ** 0.5 if name.endswith(added) else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, ids: Any, state: State = ()) -> tuple[Tensor, State]:
        """(logits (N, T, V), state); the state is keys and values (N, heads, places, d) of each layer."""
        past = state[0][0].shape[2] if state else 0
        x = self.positions(self._embedded(ids), start=past)
        y, state = self.transformer(x, is_causal=True, cache=state)
        return self.head(y), state

    def carried(self, state: State) -> State:
        """() : each piece of a text is read by itself, as its positions start from 0."""
        return ()
