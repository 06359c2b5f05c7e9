"""The tape: the namespace of operations on Tensors, which are a Tensor's operators and methods as well.

The operations fill it when they are imported (`fill_tape`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Tape:
    """The tape reading of ``xp``: every name is the operation on Tensors. Filled by ``ops``.

    `backward` is the engine's: a Tensor starts a backward without knowing how it runs.
    """

    backward: Callable[..., None]

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"no operation on Tensors is called {name!r}; rules may only use operations of the tape"
        )


tape = Tape()


# Operators and methods are the functions of the tape themselves.
OPERATORS = {
    "__add__": "add", "__sub__": "subtract", "__mul__": "multiply", "__truediv__": "divide",
    "__pow__": "power", "__matmul__": "matmul", "__neg__": "negative", "__abs__": "abs",
    "__getitem__": "getitem", "__eq__": "equal", "__ne__": "not_equal", "__lt__": "less",
    "__le__": "less_equal", "__gt__": "greater", "__ge__": "greater_equal", "__and__": "bitwise_and",
    "__or__": "bitwise_or", "__xor__": "bitwise_xor", "__invert__": "invert",
}  # fmt: skip
REFLECTED = {
    "__radd__": "add", "__rsub__": "subtract", "__rmul__": "multiply", "__rtruediv__": "divide",
    "__rpow__": "power", "__rmatmul__": "matmul", "__rand__": "bitwise_and", "__ror__": "bitwise_or",
    "__rxor__": "bitwise_xor",
}  # fmt: skip
METHODS = (
    "all", "any", "argmax", "argmin", "argsort", "astype", "clip", "cumsum", "exp", "flatten", "log",
    "masked_fill", "max", "mean", "min", "norm", "prod", "repeat", "round", "sort", "sqrt", "square",
    "squeeze", "std", "sum", "swapaxes", "tanh", "topk", "var",
)  # fmt: skip


def fill_tape(functions: dict[str, Callable[..., Any]], tensor: type) -> None:
    """Make `functions` the tape, and the operators and methods of the class `tensor`."""
    vars(tape).update(functions)
    for name, function in (*OPERATORS.items(), *((name, name) for name in METHODS)):
        setattr(tensor, name, functions[function])
    for name, function in REFLECTED.items():
        setattr(tensor, name, _swapped(functions[function]))


def _swapped(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other: function(other, self)
