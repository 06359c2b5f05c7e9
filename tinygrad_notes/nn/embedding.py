"""Embedding: a table of learned rows, one per id."""

from __future__ import annotations

from typing import Any

from ..autograd import Tensor
from ..ops.arguments import as_tensor, check_real, padding_row
from . import functional as F
from . import init
from .layers import _size
from .module import Module
from .parameter import Parameter, unset


class Embedding(Module):
    """The row of `weight` (num_embeddings, embedding_dim) for every id: (*) integers → (*, embedding_dim).

    Starts from N(0, 1), the row `padding_idx` from 0; that row gets no gradient, so it stays what it is.
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, _weight: Any = None
    ) -> None:
        self.num_embeddings = _size("Embedding", "num_embeddings", num_embeddings)
        self.embedding_dim = _size("Embedding", "embedding_dim", embedding_dim)
        if padding_idx is not None:
            padding_idx = padding_row("Embedding", padding_idx, num_embeddings)
        self.padding_idx = padding_idx
        if _weight is not None:
            self.weight = _weight if isinstance(_weight, Parameter) else Parameter(_weight)
            check_real("Embedding", "the table", self.weight)
            if self.weight.shape != (num_embeddings, embedding_dim):
                raise ValueError(
                    f"Embedding: the table must be (num_embeddings, embedding_dim) = "
                    f"{(num_embeddings, embedding_dim)}, got {self.weight.shape}"
                )
            return
        self.weight = unset(num_embeddings, embedding_dim)
        init.normal_(self.weight)
        if padding_idx is not None:
            self.weight._data[padding_idx] = 0

    @classmethod
    def from_pretrained(
        cls, embeddings: Any, freeze: bool = True, padding_idx: int | None = None
    ) -> Embedding:
        """A layer with the rows `embeddings` (V, D), which training changes only with `freeze=False`."""
        embeddings = as_tensor(embeddings)
        check_real("Embedding.from_pretrained", "embeddings", embeddings)
        if embeddings.ndim != 2:
            raise ValueError(f"Embedding.from_pretrained: embeddings must be (V, D), got {embeddings.shape}")
        weight = Parameter(embeddings, requires_grad=not freeze)
        return cls(weight.shape[0], weight.shape[1], padding_idx, weight)

    def forward(self, input: Any) -> Tensor:
        return F.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
