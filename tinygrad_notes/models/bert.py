"""BERT, Devlin et al. 2018: a Transformer's encoder that sees both sides of each word.

Its input is the sum of three embeddings: of the word piece, of its place, and of the sentence it stands in.
It was trained to fill in hidden words and to tell whether the second sentence follows the first; both heads
are here. Sizes: base 109,482,240 parameters with the pooler, 110,106,428 with both heads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import nn
from ..autograd import Tensor
from ..nn import functional as F
from ..ops.activation import tanh
from ..ops.arguments import as_tensor
from ..ops.comparison import invert
from .checkpoints import host, layers_of, renamed
from .count import undrawn

LAYER = r"encoder\.layer\.(\d+)\."
NEW = r"encoder.layers.\1."
# BERT's names, without "bert." in front, and those here. Queries, keys and values become one weight.
NAMES = {
    r"embeddings\.position_ids": "",
    r"embeddings\.word_embeddings\.weight": "embedding.weight",
    r"embeddings\.position_embeddings\.weight": "positions.weight",
    r"embeddings\.token_type_embeddings\.weight": "segments.weight",
    r"embeddings\.LayerNorm\.(\w+)": r"norm.\1",
    LAYER + r"attention\.self\.(query|key|value)\.(\w+)": NEW + r"self_attn.\2.\3",
    LAYER + r"attention\.output\.dense\.(\w+)": NEW + r"self_attn.out_proj.\2",
    LAYER + r"attention\.output\.LayerNorm\.(\w+)": NEW + r"norm1.\2",
    LAYER + r"intermediate\.dense\.(\w+)": NEW + r"linear1.\2",
    LAYER + r"output\.dense\.(\w+)": NEW + r"linear2.\2",
    LAYER + r"output\.LayerNorm\.(\w+)": NEW + r"norm2.\2",
    r"pooler\.dense\.(\w+)": r"pooler.\1",
    r"cls\.predictions\.transform\.dense\.(\w+)": r"transform.\1",
    r"cls\.predictions\.transform\.LayerNorm\.(\w+)": r"transform_norm.\1",
    r"cls\.predictions\.bias": "word_bias",
    r"cls\.predictions\.decoder\.(weight|bias)": "",  # the embedding and cls.predictions.bias once more
    r"cls\.seq_relationship\.(\w+)": r"next_sentence.\1",
}
HEAD = 64  # numbers of each head in all published sizes


class BERT(nn.Module):
    """ids (N, T) → hidden states (N, T, width); then `word_logits(h)` and `next_sentence_logits(h)`.

    model(ids, segments=None, mask=None): `segments` (N, T) 0 or 1 for the first and the second sentence,
    `mask` (N, T) True or 1 where there is a token, else padding. The parts that are not asked for
    (`pooler`, `words`, `next_sentence`, which needs the pooler) are not made. Weights N(0, 0.02²), biases 0.

    `load_state_dict` takes the names of BERT's files, with "bert." before them or not, as well as its own.
    """

    def __init__(
        self, vocabulary: int = 30_522, width: int = 768, layers: int = 12, heads: int = 12,
        feed_forward: int = 3072, context: int = 512, dropout: float = 0.1, *, pooler: bool = True,
        words: bool = True, next_sentence: bool = True,
    ) -> None:  # fmt: skip
        if next_sentence and not pooler:
            raise ValueError("BERT: next_sentence needs the pooler")
        norm = dict(eps=1e-12)
        self.embedding = nn.Embedding(vocabulary, width)
        self.positions = nn.LearnedPositions(width, 0.0, context, batch_first=True)
        self.segments = nn.Embedding(2, width)
        self.norm, self.dropout = nn.LayerNorm(width, **norm), nn.Dropout(dropout)
        layer = nn.TransformerEncoderLayer(
            width, heads, feed_forward, dropout, "gelu", layer_norm_eps=1e-12, batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, layers)
        self.pooler = nn.Linear(width, width) if pooler else None
        self.transform = nn.Linear(width, width) if words else None
        self.transform_norm = nn.LayerNorm(width, **norm) if words else None
        self.word_bias = nn.Parameter(np.zeros(vocabulary, np.float32)) if words else None
        self.next_sentence = nn.Linear(width, 2) if next_sentence else None
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, ids: Any, segments: Any = None, mask: Any = None) -> Tensor:
        ids = as_tensor(ids)
        if ids.ndim != 2 or ids.shape[1] == 0:
            raise ValueError(f"BERT: ids must be (N, T) with at least one place, got {ids.shape}")
        segments = Tensor(np.zeros(ids.shape, np.int64)) if segments is None else segments
        x = self.positions(self.embedding(ids) + self.segments(segments))
        hidden = None if mask is None else invert(as_tensor(mask).astype(bool))
        return self.encoder(self.dropout(self.norm(x)), src_key_padding_mask=hidden)

    def word_logits(self, h: Any) -> Tensor:
        """(N, T, V): which word stands at each place, of the hidden states (N, T, width)."""
        if self.transform is None:
            raise ValueError("BERT.word_logits: it was made with words=False")
        h = self.transform_norm(F.gelu(self.transform(h)))
        return F.linear(h, self.embedding.weight, self.word_bias)

    def pooled(self, h: Any) -> Tensor:
        """(N, width): tanh(W h₀ + b) of the first place, a summary of the whole."""
        if self.pooler is None:
            raise ValueError("BERT.pooled: it was made with pooler=False")
        return tanh(self.pooler(h[:, 0]))

    def next_sentence_logits(self, h: Any) -> Tensor:
        """(N, 2): that the second sentence follows the first, and that it does not."""
        if self.next_sentence is None:
            raise ValueError("BERT.next_sentence_logits: it was made with next_sentence=False")
        return self.next_sentence(self.pooled(h))

    @classmethod
    def from_state(cls, state: Mapping[str, Any], heads: int | None = None, dropout: float = 0.1) -> BERT:
        """The model of a checkpoint, e.g. of ``tg.load("model.safetensors")``, with the parts that it has.

        Sizes follow from its shapes; `heads` None: the published models' width / 64.
        """
        own = translated(state)
        if "embedding.weight" not in own or "positions.weight" not in own:
            raise KeyError("BERT.from_state: no checkpoint of BERT: embeddings.word_embeddings.weight or "
                           f"position_embeddings.weight is missing in {sorted(state)[:5]} ...")  # fmt: skip
        vocabulary, width = own["embedding.weight"].shape
        first = own.get("encoder.layers.0.linear1.bias")
        with undrawn():
            model = cls(
                vocabulary, width, layers_of(own, "encoder.layers."), heads or width // HEAD,
                4 * width if first is None else len(first), len(own["positions.weight"]), dropout,
                pooler="pooler.weight" in own, words="word_bias" in own,
                next_sentence="next_sentence.weight" in own,
            )  # fmt: skip
        model.load_state_dict(own)
        return model

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> tuple[list[str], list[str]]:
        """As `Module.load_state_dict`, of BERT's names too."""
        return super().load_state_dict(translated(state), strict)


def translated(state: Mapping[str, Any]) -> dict[str, Any]:
    """BERT's names and weights as those of `BERT`; own ones stay. Old files say gamma and beta."""
    if "embedding.weight" in state:
        return dict(state)
    arrays = {}
    for name, value in state.items():
        name = name.removeprefix("bert.").replace("Norm.gamma", "Norm.weight")
        arrays[name.replace("Norm.beta", "Norm.bias")] = host(value)
    own = renamed(arrays, NAMES)
    for name in [name for name in own if ".self_attn.query." in name]:
        parts = [name.replace(".query.", f".{part}.") for part in ("query", "key", "value")]
        if all(part in own for part in parts):
            packed = name.replace(".query.", ".in_proj_")
            own[packed] = np.concatenate([own.pop(part) for part in parts])
    return own
