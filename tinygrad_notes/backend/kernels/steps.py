"""One step of a chain of element-wise operations: its types by NumPy's rules, and its text in CUDA C.

NumPy itself names the types (`numpy.ufunc.resolve_dtypes`): a Python number is weak and takes the array's.
The text is an expression of the operands {0}, {1}, {2}, names in the type that the operation computes in.
float16 is computed in float and rounded after each step, as NumPy and CuPy do.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

C_TYPES = {  # in which a value of an array's type is held
    "bool": "bool", "int8": "signed char", "uint8": "unsigned char", "int16": "short",
    "uint16": "unsigned short", "int32": "int", "uint32": "unsigned int", "int64": "long long",
    "uint64": "unsigned long long", "float16": "float", "float32": "float", "float64": "double",
}  # fmt: skip

REAL = (
    "ceil",
    "cos",
    "erf",
    "exp",
    "expm1",
    "floor",
    "isfinite",
    "isnan",
    "log",
    "log1p",
    "sin",
    "sqrt",
    "tanh",
)
COMPARISONS = {
    "equal": "==", "greater": ">", "greater_equal": ">=", "less": "<", "less_equal": "<=", "not_equal": "!=",
}  # fmt: skip
TEXTS: dict[str, dict[str, str]] = {  # name: {kinds of the type that it computes in: text}
    **{name: {"f": f"{name}({{0}})"} for name in REAL},
    **{name: {"biuf": f"{{0}} {sign} {{1}}"} for name, sign in COMPARISONS.items()},
    "abs": {"f": "fabs({0})", "i": "{0} < 0 ? -{0} : {0}", "u": "{0}", "b": "{0}"},
    "add": {"iuf": "{0} + {1}", "b": "{0} || {1}"},
    "bitwise_and": {"iu": "{0} & {1}", "b": "{0} && {1}"},
    "bitwise_or": {"iu": "{0} | {1}", "b": "{0} || {1}"},
    "bitwise_xor": {"iu": "{0} ^ {1}", "b": "{0} != {1}"},
    "divide": {"f": "{0} / {1}"},
    "invert": {"iu": "~{0}", "b": "!{0}"},
    "logical_and": {"biuf": "{0} != 0 && {1} != 0"},
    "logical_not": {"biuf": "{0} == 0"},
    "logical_or": {"biuf": "{0} != 0 || {1} != 0"},
    "logical_xor": {"biuf": "({0} != 0) != ({1} != 0)"},
    # NaN of either goes on, as in NumPy: CUDA's fmax would drop it
    "maximum": {"f": "({0} >= {1} || {0} != {0}) ? {0} : {1}", "iu": "{0} >= {1} ? {0} : {1}",
                "b": "{0} || {1}"},
    "minimum": {"f": "({0} <= {1} || {0} != {0}) ? {0} : {1}", "iu": "{0} <= {1} ? {0} : {1}",
                "b": "{0} && {1}"},
    "multiply": {"iuf": "{0} * {1}", "b": "{0} && {1}"},
    "negative": {"iuf": "-{0}"},
    "power": {"f": "pow({0}, {1})"},
    "rint": {"f": "rint({0})"},
    "sign": {"f": "{0} > 0 ? 1 : ({0} < 0 ? -1 : ({0} == 0 ? 0 : {0}))", "i": "({0} > 0) - ({0} < 0)",
             "u": "{0} > 0"},
    "subtract": {"iuf": "{0} - {1}"},
}  # fmt: skip


class Step:
    """An operation with its types: `loop`, in which it takes its operands; `dtype`, that of its result."""

    __slots__ = ("dtype", "loop", "name", "text", "whole")

    def __init__(self, name: str, loop: tuple[np.dtype[Any], ...], dtype: np.dtype[Any], text: str) -> None:
        self.name, self.loop, self.dtype, self.text = name, loop, dtype, text
        self.whole = any(kind.kind in "iu" for kind in loop)  # a Python integer may be too large for it

    def written(self, operands: list[tuple[str, np.dtype[Any]]]) -> str:
        """The expression of this step, of the `operands` (name, type that it is held in)."""
        named = [
            name if C_TYPES[held.name] == C_TYPES[wanted.name] else f"({C_TYPES[wanted.name]}){name}"
            for (name, held), wanted in zip(operands, self.loop, strict=True)
        ]
        text = self.text.format(*named)
        return f"(float)(float16)({text})" if self.dtype == np.float16 else text


@functools.cache
def step(name: str, *kinds: Any) -> Step | None:
    """The step `name` for operands of `kinds`: types of arrays, or int, float and bool of Python's numbers.

    None where there is no text for it, and the array library must compute it by itself. Raises TypeError
    for what NumPy refuses.
    """
    if name == "where":
        chosen = np.result_type(*(kind(0) if isinstance(kind, type) else kind for kind in kinds[1:]))
        return Step(name, (np.dtype(bool), chosen, chosen), chosen, "{0} ? {1} : {2}")
    if name == "erf":
        *loop, dtype = kinds * 2
    else:
        strong = (np.dtype(bool) if kind is bool else kind for kind in kinds)
        *loop, dtype = getattr(np, name).resolve_dtypes((*strong, None))
    text = [text for kinds_of, text in TEXTS[name].items() if {kind.kind for kind in loop} <= set(kinds_of)]
    if not text or len({kind.name for kind in loop}) > 1 or loop[0].name not in C_TYPES:
        return None
    return Step(name, tuple(loop), dtype, text[0])


@functools.cache
def cast(source: np.dtype[Any], target: np.dtype[Any]) -> Step:
    """The step that brings a value of type `source` into `target`."""
    if target.kind == "b":
        return Step("astype", (source,), target, "{0} != 0")
    if target == np.float16:  # its rounding is every step's last
        return Step("astype", (source,), target, "{0}" if source.kind == "f" else "(float){0}")
    return Step("astype", (source,), target, f"({C_TYPES[target.name]}){{0}}")


@functools.cache
def repeated(dtype: np.dtype[Any]) -> Step:
    """The step that takes a number as `dtype`, the same for each element."""
    return Step("full", (dtype,), dtype, "{0}")


def host_number(value: Any, dtype: np.dtype[Any]) -> Any:
    """A Python or NumPy number as the argument of a kernel that takes it as `dtype`, rounded to it."""
    if dtype != np.float16:
        return value.item() if isinstance(value, np.generic) else value
    with np.errstate(over="ignore"):
        return float(np.float16(value))
