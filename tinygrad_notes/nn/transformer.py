"""The Transformer of Vaswani et al. 2017: layers of attention and feed-forward parts, and stacks of them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..ops.arguments import as_tensor
from . import functional as F
from . import init, masks
from .attention import Cache, MultiheadAttention, check_parts
from .containers import ModuleList
from .layers import Dropout, Linear, _size
from .module import Module
from .normalization import LayerNorm

ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu}


class _Layer(Module):
    """What encoder and decoder layers share: each part f is added to its input, x + dropout(f(x)).

    The norm comes after the sum, as in the paper, or with `norm_first` before f. `activation` is "relu",
    "gelu" or a callable.
    """

    attentions: tuple[str, ...]  # self_attn, and in a decoder multihead_attn; each part has its own norm

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
        activation: str | Callable[[Any], Any] = F.relu, layer_norm_eps: float = 1e-5,
        batch_first: bool = False, norm_first: bool = False, bias: bool = True,
    ) -> None:  # fmt: skip
        if activation not in ACTIVATIONS if isinstance(activation, str) else not callable(activation):
            raise ValueError(
                f"{type(self).__name__}: activation is 'relu', 'gelu' or a callable, got {activation!r}"
            )
        for name in self.attentions:
            setattr(self, name, MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first))
        self.linear1 = Linear(d_model, dim_feedforward, bias)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias)
        self.norm_first = norm_first
        parts = range(1, len(self.attentions) + 2)
        for i in parts:
            setattr(self, f"norm{i}", LayerNorm(d_model, layer_norm_eps, bias=bias))
        for i in parts:
            setattr(self, f"dropout{i}", Dropout(dropout))
        self.activation = ACTIVATIONS[activation] if isinstance(activation, str) else activation

    def _before(self, norm: Module, x: Tensor) -> Tensor:
        return norm(x) if self.norm_first else x

    def _after(self, norm: Module, x: Tensor) -> Tensor:
        return x if self.norm_first else norm(x)

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(_Layer):
    """Self-attention, then W₂ activation(W₁ x) for each token; see `_Layer`.  Vaswani et al. 2017.

    src (T, N, d_model), (N, T, d_model) with `batch_first`, or without N. Masks are `MultiheadAttention`'s:
    bool True may NOT attend. With a causal mask it is a layer of a decoder-only language model (GPT).
    """

    attentions = ("self_attn",)

    def forward(
        self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False,
        cache: Cache | None = None,
    ) -> Any:  # fmt: skip
        """The output; with a `cache`, `()` at first, (output, new cache), see `MultiheadAttention`."""
        x = as_tensor(src)
        h = self._before(self.norm1, x)
        h, _, *kept = self.self_attn(
            h, h, h, key_padding_mask=src_key_padding_mask, need_weights=False, attn_mask=src_mask,
            is_causal=is_causal, cache=cache,
        )  # fmt: skip
        x = self._after(self.norm1, x + self.dropout1(h))
        x = self._after(self.norm2, x + self.dropout2(self._feed_forward(self._before(self.norm2, x))))
        return (x, *kept) if kept else x


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to `memory` (the encoder's output), then the feed-forward part; see `_Layer`.

    tgt (T, N, d_model), memory (S, N, d_model); batch first with `batch_first`, or both without N. Masks are
    `MultiheadAttention`'s: bool True may NOT attend. A causal layer needs `tgt_mask` or `tgt_is_causal`.
    """

    attentions = ("self_attn", "multihead_attn")

    def forward(
        self, tgt: Any, memory: Any, tgt_mask: Any = None, memory_mask: Any = None,
        tgt_key_padding_mask: Any = None, memory_key_padding_mask: Any = None, tgt_is_causal: bool = False,
        memory_is_causal: bool = False, cache: Cache | None = None,
    ) -> Any:  # fmt: skip
        """The output; with a `cache`, `()` at first, (output, new cache).

        The cache holds keys and values of the targets so far, and those of the memory, which is projected in
        the first call only: later calls do not look at `memory`, it may be None.
        """
        x = as_tensor(tgt)
        check_parts(type(self).__name__, cache, 2, "two pairs (keys, values)")
        own, others = cache or (cache, cache)
        memory = None if others else memory
        h = self._before(self.norm1, x)
        h, _, *kept = self.self_attn(
            h, h, h, key_padding_mask=tgt_key_padding_mask, need_weights=False, attn_mask=tgt_mask,
            is_causal=tgt_is_causal, cache=own,
        )  # fmt: skip
        x = self._after(self.norm1, x + self.dropout1(h))
        h, _, *kept_memory = self.multihead_attn(
            self._before(self.norm2, x), memory, memory, key_padding_mask=memory_key_padding_mask,
            need_weights=False, attn_mask=memory_mask, is_causal=memory_is_causal, cache=others,
        )  # fmt: skip
        x = self._after(self.norm2, x + self.dropout2(h))
        x = self._after(self.norm3, x + self.dropout3(self._feed_forward(self._before(self.norm3, x))))
        return x if cache is None else (x, (*kept, *kept_memory))


class _Stack(Module):
    """Copies of one layer, one after another, and a norm at the end if there is one."""

    def __init__(self, layer: Module, num_layers: int, norm: Module | None = None) -> None:
        self.num_layers = _size(type(self).__name__, "num_layers", num_layers)
        self.layers = ModuleList(copy.deepcopy(layer) for _ in range(num_layers))
        self.norm = norm

    def _run(self, x: Any, *memory: Any, cache: Cache | None, **masks: Any) -> Any:
        """Every layer on x, each with its own part of the cache."""
        check_parts(type(self).__name__, cache, self.num_layers, f"{self.num_layers} parts, one a layer")
        kept = []
        for i, layer in enumerate(self.layers):
            if cache is None:
                x = layer(x, *memory, **masks)
            else:
                x, new = layer(x, *memory, cache=cache[i] if cache else (), **masks)
                kept.append(new)
        x = x if self.norm is None else self.norm(x)
        return x if cache is None else (x, tuple(kept))


class TransformerEncoder(_Stack):
    """`num_layers` copies of an encoder layer, all with the same initial values, then `norm`.

    `enable_nested_tensor` and `mask_check` are torch's and have no effect: there are no nested tensors, and
    outputs at padded places are what attention gives there, not 0.
    """

    def __init__(
        self, encoder_layer: Module, num_layers: int, norm: Module | None = None,
        enable_nested_tensor: bool = True, mask_check: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(encoder_layer, num_layers, norm)
        self.enable_nested_tensor, self.mask_check = enable_nested_tensor, mask_check

    def forward(
        self, src: Any, mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool | None = None,
        cache: Cache | None = None,
    ) -> Any:  # fmt: skip
        """The output; with a `cache`, `()` at first, (output, new cache): an entry for each layer.

        `is_causal` None looks whether the mask is the causal one.
        """
        return self._run(
            src, cache=cache, src_mask=mask, src_key_padding_mask=src_key_padding_mask,
            is_causal=_causal(mask, is_causal),
        )  # fmt: skip


class TransformerDecoder(_Stack):
    """`num_layers` copies of a decoder layer, all with the same initial values, then `norm`."""

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(decoder_layer, num_layers, norm)

    def forward(
        self, tgt: Any, memory: Any, tgt_mask: Any = None, memory_mask: Any = None,
        tgt_key_padding_mask: Any = None, memory_key_padding_mask: Any = None,
        tgt_is_causal: bool | None = None, memory_is_causal: bool = False, cache: Cache | None = None,
    ) -> Any:  # fmt: skip
        """The output; with a `cache`, `()` at first, (output, new cache): an entry for each layer.

        `tgt_is_causal` None looks whether the mask is the causal one. After the first call with a cache
        `memory` is not looked at, and may be None.
        """
        return self._run(
            tgt, memory, cache=cache, tgt_mask=tgt_mask, memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask, memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=_causal(tgt_mask, tgt_is_causal), memory_is_causal=memory_is_causal,
        )  # fmt: skip


class Transformer(Module):
    """An encoder, and a decoder that attends to its output; each ends in a norm.  Vaswani et al. 2017.

    src (S, N, d_model), tgt (T, N, d_model) → (T, N, d_model); batch first with `batch_first`, or both
    without N. Embeddings, positions and the last projection are not part of it. When all parts are made,
    every parameter of two axes or more is drawn Xavier uniform, in the order of `parameters()`. For cached
    generation call `encoder` once, then `decoder` with a cache.
    """

    def __init__(
        self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6, num_decoder_layers: int = 6,
        dim_feedforward: int = 2048, dropout: float = 0.1, activation: str | Callable[[Any], Any] = F.relu,
        custom_encoder: Module | None = None, custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5, batch_first: bool = False, norm_first: bool = False, bias: bool = True,
    ) -> None:  # fmt: skip
        layer: dict[str, Any] = dict(
            d_model=d_model, nhead=nhead, dim_feedforward=dim_feedforward, dropout=dropout,
            activation=activation, layer_norm_eps=layer_norm_eps, batch_first=batch_first,
            norm_first=norm_first, bias=bias,
        )  # fmt: skip
        if custom_encoder is None:
            norm = LayerNorm(d_model, layer_norm_eps, bias=bias)
            custom_encoder = TransformerEncoder(TransformerEncoderLayer(**layer), num_encoder_layers, norm)
        if custom_decoder is None:
            norm = LayerNorm(d_model, layer_norm_eps, bias=bias)
            custom_decoder = TransformerDecoder(TransformerDecoderLayer(**layer), num_decoder_layers, norm)
        self.encoder, self.decoder = custom_encoder, custom_decoder
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(
        self, src: Any, tgt: Any, src_mask: Any = None, tgt_mask: Any = None, memory_mask: Any = None,
        src_key_padding_mask: Any = None, tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None, src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None, memory_is_causal: bool = False,
    ) -> Any:  # fmt: skip
        """decoder(tgt, encoder(src)); masks with bool True may NOT attend, see `MultiheadAttention`."""
        src, tgt = as_tensor(src), as_tensor(tgt)
        batch = 0 if self.batch_first else 1
        fits = src.ndim == tgt.ndim and src.ndim in (2, 3) and src.shape[-1] == tgt.shape[-1] == self.d_model
        if not fits or (src.ndim == 3 and src.shape[batch] != tgt.shape[batch]):
            raise ValueError(
                f"Transformer: src {src.shape} and tgt {tgt.shape} need d_model = {self.d_model} features "
                f"and one batch size (axis {batch}), or no batch in both"
            )
        memory = self.encoder(
            src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal
        )
        return self.decoder(
            tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask, memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal, memory_is_causal=memory_is_causal,
        )  # fmt: skip

    @staticmethod
    def generate_square_subsequent_mask(sz: int, dtype: Any = np.float32) -> Tensor:
        """See `generate_square_subsequent_mask`."""
        return masks.generate_square_subsequent_mask(sz, dtype)


def _causal(mask: Any, is_causal: bool | None) -> bool:
    """What is said, or else whether the mask is the causal one: attention then need not read it."""
    if is_causal is None:
        return mask is not None and masks.is_subsequent_mask(mask)
    return is_causal
