"""A class for each sequence: read by a recurrent network, one or both ways, or by a Transformer's encoder.

    recurrent      h = [h of the last step read; of the way back]   (Schuster & Paliwal 1997: each way ends at
                   a sample's own end)                               logits = W dropout(h) + b
    transformer    h = mean over the steps of the encoder's output

Samples are padded to one length; padding reaches neither h nor a gradient.
"""

from __future__ import annotations

from typing import Any

from .. import nn
from ..autograd import Tensor
from ..nn import functional as F
from ..ops.arguments import as_tensor
from ..ops.sequence import length_mask, masked_mean
from ..ops.shape import concat
from .language import CELLS


class SequenceClassifier(nn.Module):
    """logits (N, classes) of model(sequences, lengths (N,)); without lengths every step counts.

    With `vocabulary` sequences are ids (N, T), else (N, T, `features`) numbers. `cell`: rnn, lstm, gru or
    transformer. Raises ValueError for another one, or a transformer that should go both ways (it does).
    """

    def __init__(
        self, classes: int, vocabulary: int | None = None, features: int = 1, cell: str = "lstm",
        width: int = 128, layers: int = 1, bidirectional: bool = False, dropout: float = 0.0, heads: int = 4,
        places: int = 512,
    ) -> None:  # fmt: skip
        if cell not in (*CELLS, "transformer") or (bidirectional and cell == "transformer"):
            raise ValueError(
                f"SequenceClassifier: cell must be one of {[*CELLS, 'transformer']}, got {cell!r}; "
                "a transformer looks both ways anyway: leave out bidirectional"
            )
        self.vocabulary = vocabulary
        self.input = nn.Embedding(vocabulary, width) if vocabulary else nn.Linear(features, width)
        self.dropout = nn.Dropout(dropout)
        self.ways = 2 if bidirectional else 1
        if cell == "transformer":
            self.positions = nn.PositionalEncoding(width, dropout, places, batch_first=True)
            layer = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout, F.gelu, batch_first=True)
            self.encoder = nn.TransformerEncoder(layer, layers)
            self.rnn = None
        else:
            between = dropout if layers > 1 else 0.0
            self.rnn = CELLS[cell](
                width, width, layers, batch_first=True, dropout=between, bidirectional=bidirectional
            )
        self.head = nn.Linear(self.ways * width, classes)

    def forward(self, sequences: Any, lengths: Any = None) -> Tensor:
        x = as_tensor(sequences)
        if x.ndim != (2 if self.vocabulary else 3) or x.shape[1] == 0:
            wanted = "ids (N, T)" if self.vocabulary else "numbers (N, T, features)"
            raise ValueError(f"SequenceClassifier: sequences must be {wanted} with a step, got {x.shape}")
        lengths = [x.shape[1]] * x.shape[0] if lengths is None else lengths
        x = self.input(x)
        h = self._by_steps(x, lengths) if self.rnn else self._by_attention(x, lengths)
        return self.head(self.dropout(h))

    def _by_steps(self, x: Tensor, lengths: Any) -> Tensor:
        """The last layer's states behind each sample's own end, (N, ways · width)."""
        _, state = self.rnn(self.dropout(x), lengths=lengths)
        last = (state[0] if isinstance(state, tuple) else state)[-self.ways :]
        return concat(list(last), axis=1)

    def _by_attention(self, x: Tensor, lengths: Any) -> Tensor:
        hidden = ~length_mask(lengths, x.shape[1], batch_first=True)
        y = self.encoder(self.positions(x), src_key_padding_mask=hidden)
        return masked_mean(y, lengths=lengths, batch_first=True)
