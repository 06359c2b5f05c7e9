"""Multi-head attention: projections around `scaled_dot_product_attention`, and keys kept between calls."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Tensor
from ..ops.arguments import as_tensor, mixed_dtypes, probability
from ..ops.attention import attention_weights, shown
from ..ops.comparison import invert
from ..ops.creation import zeros
from ..ops.reduction import broadcast_to
from ..ops.shape import concat, expand_dims, split
from . import functional as F
from . import init
from .layers import Linear, _size
from .masks import attention_mask
from .module import Module
from .parameter import Parameter

Cache = tuple[Any, ...]  # (keys, values), each (N, num_heads, S, head_dim), or () before the first call


class MultiheadAttention(Module):
    """Concat(head₁, ..., head_h) Wᴼ + b,  headᵢ = attention(q Wᵢᵠ, k Wᵢᴷ, v Wᵢⱽ).  Vaswani et al. 2017.

    query (L, N, embed_dim), key (S, N, kdim), value (S, N, vdim); (N, L, ...) with `batch_first`, or without
    N. Masks are torch's: bool True may NOT attend, real numbers are added to the scores; `attn_mask` (L, S)
    or (N·num_heads, L, S), `key_padding_mask` (N, S). A query that may attend to nothing gets zeros, before
    Wᴼ (torch, with weights: NaN). Dropout falls on the weights.

    Drawn in this order: out_proj as Linear's, in_proj_weight (or q, k, v) Xavier uniform, bias_k and bias_v
    Xavier normal; the other biases are 0.
    """

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True,
        add_bias_kv: bool = False, add_zero_attn: bool = False, kdim: int | None = None,
        vdim: int | None = None, batch_first: bool = False,
    ) -> None:  # fmt: skip
        name = type(self).__name__
        self.embed_dim = _size(name, "embed_dim", embed_dim)
        self.num_heads = _size(name, "num_heads", num_heads)
        if embed_dim % num_heads:
            raise ValueError(f"{name}: num_heads {num_heads} must divide embed_dim {embed_dim}")
        self.kdim = embed_dim if kdim is None else _size(name, "kdim", kdim)
        self.vdim = embed_dim if vdim is None else _size(name, "vdim", vdim)
        self.head_dim = embed_dim // num_heads
        self.dropout = probability(name, "dropout", dropout)
        self.add_zero_attn, self.batch_first = add_zero_attn, batch_first
        self.out_proj = Linear(embed_dim, embed_dim, bias)
        packed = self.kdim == self.vdim == embed_dim  # then the three weights are one
        self.in_proj_weight = _xavier(3 * embed_dim, embed_dim) if packed else None
        self.q_proj_weight = None if packed else _xavier(embed_dim, embed_dim)
        self.k_proj_weight = None if packed else _xavier(embed_dim, self.kdim)
        self.v_proj_weight = None if packed else _xavier(embed_dim, self.vdim)
        self.in_proj_bias = _zeros(3 * embed_dim) if bias else None
        self.bias_k = init.xavier_normal_(_zeros(1, 1, embed_dim)) if add_bias_kv else None
        self.bias_v = init.xavier_normal_(_zeros(1, 1, embed_dim)) if add_bias_kv else None
        if bias:
            init.zeros_(self.out_proj.bias)

    def forward(
        self, query: Any, key: Any, value: Any, key_padding_mask: Any = None, need_weights: bool = True,
        attn_mask: Any = None, average_attn_weights: bool = True, is_causal: bool = False,
        cache: Cache | None = None,
    ) -> tuple[Any, ...]:  # fmt: skip
        """(output, weights): weights (N, L, S), (N, num_heads, L, S) if not averaged, None if not needed.

        `is_causal`: query i sees keys 0..i, as if by one more mask; `attn_mask` may be left out.

        With a `cache`, `()` at first, the keys and values of earlier calls come before the given ones, and
        the result is (output, weights, new cache). S counts all keys, in masks too, and an `is_causal` query
        i stands i places after the cached ones. With key and value None only the cache is attended to.
        """
        owner = type(self).__name__
        unbatched = as_tensor(query).ndim == 2
        if unbatched and key_padding_mask is not None:
            key_padding_mask = expand_dims(key_padding_mask, 0)
        batch_first = self.batch_first or unbatched
        inputs = self._read(owner, query, key, value, batch_first)
        if key_padding_mask is not None and key is not query:
            inputs[1:] = _without_padding(inputs[1:], as_tensor(key_padding_mask), batch_first)
        q, *kv = (self._heads(x, batch_first) for x in self._project(*inputs))
        _check_cache(owner, cache, q, bool(kv), is_causal)
        if cache:
            kv = [concat(pair, axis=2) for pair in zip(cache, kv, strict=True)] if kv else list(cache)
        k, v = self._with_learned(*kv)
        past, keys = cache[0].shape[2] if cache else 0, kv[0].shape[2]
        mask, is_causal = attention_mask(
            owner, attn_mask, key_padding_mask, is_causal, past, (*q.shape[:3], keys), k.shape[2] - keys,
            q.dtype, spelled_out=need_weights,
        )  # fmt: skip
        y, weights = self._attend(q, k, v, mask, is_causal, need_weights)
        y = y.transpose((0, 2, 1, 3) if batch_first else (2, 0, 1, 3)).reshape(inputs[0].shape)
        y = self.out_proj(y)
        if weights is not None and average_attn_weights:
            weights = weights.mean(axis=1)
        if unbatched:
            y, weights = y[0], None if weights is None else weights[0]
        return (y, weights) if cache is None else (y, weights, tuple(kv))

    def _read(self, owner: str, query: Any, key: Any, value: Any, batch_first: bool) -> list[Any]:
        """query, key and value with a batch axis; what is one Tensor stays one, what is None is left out."""
        if (key is None) != (value is None):
            raise ValueError(f"{owner}: give both key and value, or neither where a cache has them")
        given = [("query", query, self.embed_dim)]
        if key is not None:
            given += [("key", key, self.kdim), ("value", value, self.vdim)]
        tensors = {id(x): as_tensor(x) for _, x, _ in given}
        axes = tensors[id(query)].ndim
        for name, x, width in given:
            shape = tensors[id(x)].shape
            if axes not in (2, 3) or len(shape) != axes or shape[-1] != width:
                form = "(N, length, features)" if self.batch_first else "(length, N, features)"
                raise ValueError(
                    f"{owner}: {name} is {shape}; all must be {form}, or (length, features) without a batch, "
                    f"and {name} needs {width} features"
                )
        if axes == 2:
            tensors = {i: expand_dims(x, 0) for i, x in tensors.items()}
        inputs = [tensors[id(x)] for _, x, _ in given]
        batch = 0 if batch_first else 1
        same_batch = len({x.shape[batch] for x in inputs}) == 1
        if not same_batch or len({x.shape[:2] for x in inputs[1:]}) > 1:
            shapes = ", ".join(f"{name} {x.shape}" for (name, _, _), x in zip(given, inputs, strict=True))
            raise ValueError(
                f"{owner}: {shapes}: all need one batch size (axis {batch}), key and value one length as well"
            )
        return inputs

    def _project(self, query: Tensor, key: Any = None, value: Any = None) -> tuple[Tensor, ...]:
        """q, k and v (..., embed_dim); one product where all come from one Tensor."""
        weight, bias = self.in_proj_weight, self.in_proj_bias
        if weight is not None and query is key and key is value:
            return split(F.linear(query, weight, bias), 3, axis=-1)
        weights = split(weight, 3) if weight is not None else (
            self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
        )  # fmt: skip
        biases = (None, None, None) if bias is None else split(bias, 3)
        triples = zip((query, key, value), weights, biases, strict=True)
        return tuple(F.linear(x, w, b) for x, w, b in triples if x is not None)

    def _heads(self, x: Tensor, batch_first: bool) -> Tensor:
        """(L, N, embed_dim) or (N, L, embed_dim) as (N, num_heads, L, head_dim)."""
        x = x.reshape(*x.shape[:2], self.num_heads, self.head_dim)
        return x.transpose((0, 2, 1, 3) if batch_first else (1, 2, 0, 3))

    def _with_learned(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """k and v with bias_k and bias_v, and with zeros, as further keys and values of every sample."""
        n, h, _, d = k.shape
        if self.bias_k is not None and self.bias_v is not None:
            k, v = (
                concat((x, broadcast_to(bias.reshape(1, h, 1, d), (n, h, 1, d))), axis=2)
                for x, bias in ((k, self.bias_k), (v, self.bias_v))
            )
        if self.add_zero_attn:
            k, v = (concat((x, zeros((n, h, 1, d), x.dtype)), axis=2) for x in (k, v))
        return k, v

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Any, is_causal: bool, need_weights: bool) -> Any:
        """(context, weights or None), both for each head."""
        p = self.dropout if self.training else 0.0
        if not need_weights:
            return F.scaled_dot_product_attention(q, k, v, mask, p, is_causal), None
        weights = F.dropout(attention_weights(q, k, mask), p)
        return weights @ (v if mask is None else shown(v, mask)), weights

    def extra_repr(self) -> str:
        return f"{self.embed_dim}, num_heads={self.num_heads}, batch_first={self.batch_first}"


def _zeros(*shape: int) -> Parameter:
    return Parameter(np.zeros(shape, np.float32))


def _xavier(*shape: int) -> Parameter:
    return init.xavier_uniform_(_zeros(*shape))  # type: ignore[return-value]


def _without_padding(inputs: list[Tensor], mask: Tensor, batch_first: bool) -> list[Tensor]:
    """Keys and values with 0 where they are padding: 0 · NaN would reach the gradients of the projections.

    The last columns of the mask are theirs, those before belong to the cache. Where the queries are the keys
    they stay as they are: what a query gives belongs to its own output.
    """
    may = invert(mask) if mask.dtype == bool else mask
    chosen = {}
    for x in inputs:
        batch, length = x.shape[:2] if batch_first else x.shape[1::-1]
        if may.ndim != 2 or may.shape[0] != batch or may.shape[1] < length:
            return inputs  # `attention_mask` says what is wrong
        rows = shown(x if batch_first else x.swapaxes(0, 1), may[:, None, may.shape[1] - length :])
        chosen[id(x)] = rows if batch_first else rows.swapaxes(0, 1)
    return [chosen[id(x)] for x in inputs]


def check_parts(owner: str, cache: Cache | None, count: int, what: str) -> None:
    """Refuse a cache that is neither None nor () nor made of `count` parts, which `what` names."""
    if cache is not None and not (isinstance(cache, tuple | list) and len(cache) in (0, count)):
        found = f"{len(cache)} parts" if isinstance(cache, tuple | list) else repr(cache)
        raise ValueError(f"{owner}: a cache is () or what the last call gave, {what}; got {found}")


def _check_cache(owner: str, cache: Cache | None, q: Tensor, given: bool, is_causal: bool) -> None:
    """Refuse a cache that does not fit the queries, and a call without keys that needs some."""
    check_parts(owner, cache, 2, "(keys, values)")
    if not given and not cache:
        raise ValueError(f"{owner}: without key and value, or memory, the cache must hold some")
    if not given and is_causal:
        raise ValueError(
            f"{owner}: without key and value is_causal has no place to count from: give attn_mask"
        )
    parts = cache or ()
    for x in map(as_tensor, parts):
        n, h, _, d = q.shape
        if x.dtype != q.dtype:
            raise mixed_dtypes(owner, q, cache=x)
        if x.ndim != 4 or (*x.shape[:2], x.shape[3]) != (n, h, d) or x.shape != parts[0].shape:
            raise ValueError(
                f"{owner}: keys and values of a cache are alike, (N, num_heads, S, head_dim) = "
                f"({n}, {h}, S, {d}); got {[tuple(x.shape) for x in parts]}"
            )
