"""The attention between an encoder and a decoder: a score, its softmax over the keys, a mean of the values.

The notes write the scores e = sᵀ W hᵢ (general) and vᵀ tanh(W₁ hᵢ + W₂ s) (additive): s is the state of the
decoder, here the query, and h₁, h₂, ... are the states of the encoder, here keys and values in one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

from ..autograd import Tensor
from ..ops import alignment as ops
from ..ops.activation import softmax
from ..ops.arguments import as_tensor, in_float32, mixed_dtypes, stretches
from ..ops.attention import shown
from ..ops.sequence import length_mask, masked_softmax
from . import init
from .layers import _size
from .module import Module
from .parameter import unset


class _Attention(Module):
    """context = Σᵢ αᵢ valuesᵢ,  α = softmax(e) over the keys that count; the layers below say what e is.

    layer(query, keys, values=None, mask=None, lengths=None) → (context, weights), batch first:
    query (N, T, d) or (N, d) for one step, keys (N, U, d′), values (N, U, c) or the keys →
    context (N, T, c), weights (N, T, U), for one step without the axis T.

    `mask`: booleans (N, U) or (N, T, U), True where a query may attend; or `lengths` (N,) of the keys, 0..U
    (of those that are on a GPU one above U counts as U, one below 0 as 0: see `ops.sequence.length_mask`).
    A query without keys gets zeros. Keys and values that no query may attend to are never read.
    """

    rule: ClassVar[Callable[..., Tensor]]  # the score, of query, keys and the parameters called `learned`
    learned: ClassVar[tuple[str, ...]] = ()

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """e (N, T, U) of query (N, T, d) and keys (N, U, d′)."""
        return self.rule(query, keys, *self._learned())

    def forward(
        self, query: Any, keys: Any, values: Any = None, mask: Any = None, lengths: Any = None
    ) -> tuple[Tensor, Tensor]:
        query, keys = as_tensor(query), as_tensor(keys)
        values = keys if values is None else as_tensor(values)
        one_step = query.ndim == 2
        query = query.reshape(query.shape[0], 1, query.shape[-1]) if one_step else query
        self._check(query, keys, values)
        mask = self._mask(mask, lengths, (*query.shape[:2], keys.shape[1]))
        if mask is not None:
            kept = shown(keys, mask)
            values = kept if values is keys else shown(values, mask)
            keys = kept
        context, weights = _attend(query, keys, values, mask, self.rule, *self._learned())
        return (context[:, 0], weights[:, 0]) if one_step else (context, weights)

    def _learned(self) -> list[Tensor]:
        return [getattr(self, name) for name in self.learned]

    def _check(self, query: Tensor, keys: Tensor, values: Tensor) -> None:
        shapes = query.shape, keys.shape, values.shape
        if {len(s) for s in shapes} != {3} or len({s[0] for s in shapes}) > 1 or shapes[1][1] != shapes[2][1]:
            raise ValueError(
                f"{type(self).__name__}: query (N, T, d) or (N, d), keys (N, U, d′) and values (N, U, c) do "
                f"not fit: {query.shape}, {keys.shape}, {values.shape}"
            )
        if values.dtype != query.dtype:  # the score sees to the keys
            raise mixed_dtypes(type(self).__name__, query, values=values)

    def _mask(self, mask: Any, lengths: Any, shape: tuple[int, int, int]) -> Tensor | None:
        """Booleans that stretch to the weights, `shape` (N, T, U)."""
        name, (n, _, keys) = type(self).__name__, shape
        if mask is not None and lengths is not None:
            raise ValueError(f"{name}: give either mask or lengths")
        if lengths is not None:
            mask = length_mask(lengths, keys, batch_first=True)
        if mask is None:
            return None
        mask = as_tensor(mask)
        if mask.dtype != bool:
            raise TypeError(
                f"{name}: mask must be booleans, True where a query may attend, got {mask.dtype}; use "
                "mask.astype(bool)"
            )
        if mask.shape == (n, keys):
            return mask[:, None]
        if mask.ndim != 3 or not stretches(mask.shape, shape):
            raise ValueError(
                f"{name}: mask must be (N, U) = {(n, keys)} or (N, T, U) = {shape}, or lengths (N,); it is "
                f"{mask.shape}"
            )
        return mask


@in_float32
def _attend(
    query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, rule: Callable[..., Tensor],
    *parameters: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The context and the weights. Scores of float16 would end at 65504."""
    scores = rule(query, keys, *parameters)
    if keys.shape[1] == 0:
        weights = scores  # no keys: nothing to normalize, and the context is 0
    else:
        weights = softmax(scores) if mask is None else masked_softmax(scores, mask)
    return weights @ values, weights


class DotAttention(_Attention):
    """e = s · h: nothing to learn, for queries and keys of one length.  Luong et al. 2015, "dot".

    See `_Attention` for arguments and masks.
    """

    rule = staticmethod(ops.dot_score)


class GeneralAttention(_Attention):
    """e = sᵀ W h, the notes' first score.  Luong et al. 2015, "general".

    weight W (query_dim, key_dim), Xavier uniform. See `_Attention` for arguments and masks.
    """

    rule, learned = staticmethod(ops.general_score), ("weight",)

    def __init__(self, query_dim: int, key_dim: int) -> None:
        self.query_dim = _size("GeneralAttention", "query_dim", query_dim)
        self.key_dim = _size("GeneralAttention", "key_dim", key_dim)
        self.weight = unset(query_dim, key_dim)
        init.xavier_uniform_(self.weight)

    def extra_repr(self) -> str:
        return f"{self.query_dim}, {self.key_dim}"


class AdditiveAttention(_Attention):
    """e = vᵀ tanh(W₁ h + W₂ s), the notes' second score.  Bahdanau et al. 2014 (vᵀ tanh(W s + U h) there).

    key_weight W₁ (hidden_dim, key_dim), query_weight W₂ (hidden_dim, query_dim), v (hidden_dim,), all Xavier
    uniform. See `_Attention` for arguments and masks.
    """

    rule, learned = staticmethod(ops.additive_score), ("key_weight", "query_weight", "v")

    def __init__(self, query_dim: int, key_dim: int, hidden_dim: int) -> None:
        self.query_dim = _size("AdditiveAttention", "query_dim", query_dim)
        self.key_dim = _size("AdditiveAttention", "key_dim", key_dim)
        self.hidden_dim = _size("AdditiveAttention", "hidden_dim", hidden_dim)
        self.key_weight = unset(hidden_dim, key_dim)
        self.query_weight = unset(hidden_dim, query_dim)
        self.v = unset(hidden_dim)
        init.xavier_uniform_(self.key_weight)
        init.xavier_uniform_(self.query_weight)
        bound = math.sqrt(6 / (hidden_dim + 1))  # Xavier's of a weight (1, hidden_dim)
        init.uniform_(self.v, -bound, bound)

    def extra_repr(self) -> str:
        return f"{self.query_dim}, {self.key_dim}, {self.hidden_dim}"
