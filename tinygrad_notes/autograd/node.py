"""What a graph is made of: a node for each recorded call, and leaves where gradients end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .function import Function
    from .guard import Stamp
    from .tensor import Tensor


class Node:
    """One recorded call: arrays and edges to earlier nodes, never Tensors, so no cycles.

    `edges` has one ``(node, output index)`` per input, None where no gradient flows; `kept` one
    list of arguments per backward rule, None where the rule is not needed; `meta` the (shape, dtype)
    of the output, or a tuple of them where `operation` has several.
    """

    __slots__ = ("attributes", "created", "edges", "hooks", "kept", "meta", "operation", "save_inputs",
                 "sequence", "several", "stamps")  # fmt: skip

    operation: type[Function]
    edges: Sequence[tuple[Any, int] | None]
    kept: list[Sequence[Any] | None] | None
    attributes: dict[str, Any]
    meta: Any
    several: bool
    save_inputs: Sequence[Any] | None  # of ``save``, to replay it
    stamps: list[list[Stamp] | None] | None  # of everything kept, where a guard has records
    hooks: Any  # of `Tensor.register_hook`, by the number of the output; None where there are none
    created: str | None  # where the forward was called, under `detect_anomaly`
    sequence: int


class Leaf:
    """Where gradients end: holds the gradient of a Tensor that was not made by an operation."""

    __slots__ = ("grad", "hooks", "meta")

    sequence = 0  # before every node
    several = False
    edges: tuple[Any, ...] = ()

    def __init__(self, meta: tuple[tuple[int, ...], Any]) -> None:
        self.meta = meta
        self.grad: Tensor | None = None
        self.hooks: Any = None
