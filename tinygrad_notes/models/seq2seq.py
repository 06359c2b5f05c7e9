"""From one sequence to another: a recurrent encoder, and a recurrent decoder that attends to its states.

The encoder reads the source both ways: h₁, ..., h_S, each [forward; backward], and the decoder starts from
its last states. With s the decoder's state, x the embedded id that it reads, c = Σ αᵢ hᵢ, α = softmax(e):

    none      s = cell(x, s₋₁)        h̃ = s                 Sutskever et al. 2014
    dot       s = cell(x, s₋₁)        h̃ = tanh(W [c; s])    e = s · hᵢ,      Luong et al. 2015
    general   s = cell(x, s₋₁)        h̃ = tanh(W [c; s])    e = sᵀ W hᵢ,     Luong et al. 2015
    additive  s = cell([x; c], s₋₁)   h̃ = tanh(W [c; s])    e = vᵀ tanh(W₁ hᵢ + W₂ s₋₁), Bahdanau et al. 2014

So Luong asks with the new state, and Bahdanau with the one before. Input feeding (Luong) gives the cell the
last h̃ as well. The logits are those of h̃.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend, nn
from ..autograd import Tensor
from ..ops.activation import tanh
from ..ops.arguments import as_tensor, probability
from ..ops.creation import zeros
from ..ops.sequence import length_mask
from ..ops.shape import concat, split
from .decoding import State
from .language import from_layers, to_layers

CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}
ATTENTIONS = ("none", "dot", "general", "additive")


class Seq2Seq(nn.Module):
    """logits (N, T, V′) of each next id of the target; see the top of the file.

    model(source (N, S), target (N, T), lengths (N,) of the source, forcing=1.0). The decoder reads the ids of
    `target`, which begin with a start sign; with the chance 1 − `forcing` its own likeliest one instead
    (Bengio et al. 2015). Each direction of the encoder has half of `width`, so that keys and queries have the
    same. Dropout falls on embedded ids and on h̃.

    Raises ValueError for an unknown cell or attention, an odd width, or input feeding without attention.
    """

    def __init__(
        self, source_vocabulary: int, target_vocabulary: int, cell: str = "gru", attention: str = "additive",
        width: int = 128, embedding: int = 64, layers: int = 1, dropout: float = 0.0,
        input_feeding: bool = False,
    ) -> None:  # fmt: skip
        if cell not in CELLS or attention not in ATTENTIONS:
            raise ValueError(
                f"Seq2Seq: cell must be one of {[*CELLS]} and attention one of {[*ATTENTIONS]}, got {cell!r} "
                f"and {attention!r}"
            )
        if width % 2 or (input_feeding and attention == "none"):
            raise ValueError(
                f"Seq2Seq: width must be even, a half for each direction, got {width}; and input feeding "
                "needs an attention"
            )
        self.width, self.attends, self.input_feeding = width, attention, input_feeding
        self.source_embedding = nn.Embedding(source_vocabulary, embedding)
        self.target_embedding = nn.Embedding(target_vocabulary, embedding)
        self.dropout = nn.Dropout(dropout)
        options = dict(batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.encoder = CELLS[cell](embedding, width // 2, layers, bidirectional=True, **options)
        fed = width * input_feeding + width * (attention == "additive")
        self.decoder = CELLS[cell](embedding + fed, width, layers, **options)
        self.attention = _attention(attention, width)
        self.combine = None if attention == "none" else nn.Linear(2 * width, width, bias=False)
        self.head = nn.Linear(width, target_vocabulary)

    def forward(self, source: Any, target: Any, lengths: Any = None, forcing: float = 1.0) -> Tensor:
        state, target = self.start(source, lengths), as_tensor(target)
        if probability("Seq2Seq", "forcing", forcing) == 1:
            return self.step(target, state)[0]
        forced = backend.rng().random(target.shape) < forcing
        forced[:, 0] = True  # the start sign
        ids, logits = target.numpy(), []
        own = ids[:, :1]
        for t in range(ids.shape[1]):
            read = np.where(forced[:, t : t + 1], ids[:, t : t + 1], own)
            y, state = self.step(Tensor(read), state)
            own = y.detach().argmax(axis=2).numpy()
            logits.append(y)
        return concat(logits, axis=1)

    def start(self, source: Any, lengths: Any = None) -> State:
        """The decoder's first state: (s, h̃, keys, mask), s (h,) or (h, c), all with the samples first."""
        source = as_tensor(source)
        if source.ndim != 2 or source.shape[1] == 0:
            raise ValueError(f"Seq2Seq: source must be (N, S) with at least one place, got {source.shape}")
        lengths = np.full(source.shape[0], source.shape[1]) if lengths is None else lengths
        x = self.dropout(self.source_embedding(source))
        keys, last = self.encoder(x, lengths=lengths)
        s = tuple(self._joined(h) for h in from_layers(last))
        h = zeros((source.shape[0], self.width), keys.dtype) if self.input_feeding else None
        return s, h, keys, length_mask(lengths, source.shape[1], batch_first=True)

    def _joined(self, h: Tensor) -> Tensor:
        """(N, 2 · layers, width/2), a layer's directions one after the other → (N, layers, width)."""
        return h.reshape(h.shape[0], -1, self.width)

    def step(self, ids: Any, state: State) -> tuple[Tensor, State]:
        """(logits (N, T, V′), state) of the ids (N, T) that the decoder reads: a step of `decoding`."""
        y, state, _ = self.attended(ids, state)
        return self.head(self.dropout(y)), state

    def attended(self, ids: Any, state: State) -> tuple[Tensor, State, Tensor | None]:
        """(h̃ (N, T, width), state, attention (N, T, S), or None without one)."""
        x = self.dropout(self.target_embedding(ids))
        if self.attends != "additive" and not self.input_feeding:
            return self._read(x, state)
        ys, alphas = [], []
        for one in split(x, x.shape[1], axis=1):
            y, state, alpha = self._read(one, state)
            ys.append(y)
            alphas.append(alpha)
        return concat(ys, axis=1), state, concat(alphas, axis=1)

    def _read(self, x: Tensor, state: State) -> tuple[Tensor, State, Tensor | None]:
        """`attended` of embedded ids (N, T, E); with additive attention or input feeding of one."""
        s, h, keys, mask = state
        if self.input_feeding:
            x = concat([x, h[:, None]], axis=2)
        if self.attends == "additive":  # asked with the state before
            context, alpha = self.attention(s[0][:, -1:], keys, mask=mask)
            x = concat([x, context], axis=2)
        y, last = self.decoder(x, to_layers(s))
        if self.attends == "none":
            return y, (from_layers(last), h, keys, mask), None
        if self.attends != "additive":
            context, alpha = self.attention(y, keys, mask=mask)
        y = tanh(self.combine(concat([context, y], axis=2)))
        h = y[:, -1] if self.input_feeding else None
        return y, (from_layers(last), h, keys, mask), alpha


def _attention(name: str, width: int) -> nn.Module | None:
    if name == "additive":
        return nn.AdditiveAttention(width, width, width)
    if name == "general":
        return nn.GeneralAttention(width, width)
    return nn.DotAttention() if name == "dot" else None
