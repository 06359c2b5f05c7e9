"""The texts of kernels in CUDA C, made from descriptions of chains (`lazy_kernels.Description`).

The compiler may not join a product and a sum into one rounding (``--fmad=false``): a chain gives the numbers
that its operations give one by one.
"""

from __future__ import annotations

import functools
from typing import Any

import cupy
import numpy as np

from ..kernels.steps import C_TYPES, Step

OPTIONS = ("--fmad=false",)
LONGEST_TEXT, DEEPEST_TEXT = 3000, 12  # letters and steps of the expression under a sum: nothing has a name

Key = tuple[Any, ...]  # the values of a description


def parameters(values: Key) -> tuple[list[str], list[str]]:
    """The parameters of a kernel, ``float32 in0``, arrays first, and the name that each value comes in by."""
    arrays: list[str] = []
    numbers: list[str] = []
    names: list[str] = []
    for value in values:
        if isinstance(value, np.dtype):
            names.append(f"in{len(arrays)}")
            arrays.append(f"{value.name} in{len(arrays)}")
        elif value[0] == "number":
            held = "float32" if value[1] == np.float16 else value[1].name
            names.append(f"s{len(numbers)}")
            numbers.append(f"{held} s{len(numbers)}")
        else:
            names.append(value[2] if value[0] == "literal" else "")
    return arrays + numbers, names


def dtype_of(value: Any) -> np.dtype[Any]:
    """The type that a value of a description has."""
    if isinstance(value, np.dtype):
        return value
    found: np.dtype[Any] = value[0].dtype if isinstance(value[0], Step) else value[1]
    return found


def loaded(value: Any, name: str) -> str:
    """An operand from outside, in the type that it is held in."""
    if isinstance(value, np.dtype):
        return f"(float){name}" if value == np.float16 else name
    return f"({C_TYPES[value[1].name]}){name}" if value[0] == "literal" else name


def operation(values: Key, targets: tuple[int, ...]) -> str:
    """The text of an element-wise kernel: a line for each value, and one for each result."""
    _, names = parameters(values)
    lines = []
    for i, value in enumerate(values):
        if isinstance(value, tuple) and isinstance(value[0], Step):
            text = value[0].written([(f"v{place}", dtype_of(values[place])) for place in value[1:]])
        else:
            text = loaded(value, names[i])
        lines.append(f"const {C_TYPES[dtype_of(value).name]} v{i} = {text};")
    for k, place in enumerate(targets):
        half = "(float16)" if dtype_of(values[place]) == np.float16 else ""
        lines.append(f"out{k} = {half}v{place};")
    return "\n".join(lines)


def kernel_name(prefix: str, values: Key) -> str:
    """A name that a profile shows: the first steps of the chain."""
    steps = [value[0].name for value in values if isinstance(value, tuple) and isinstance(value[0], Step)]
    return "_".join([prefix, *steps[:6]])


@functools.cache
def elementwise_kernel(values: Key, targets: tuple[int, ...]) -> Any:
    """The kernel that computes the values `targets` of a description."""
    ins, _ = parameters(values)
    outs = (f"{dtype_of(values[place]).name} out{k}" for k, place in enumerate(targets))
    return cupy.ElementwiseKernel(
        ", ".join(ins), ", ".join(outs), operation(values, targets), kernel_name("chain", values),
        return_tuple=True, options=OPTIONS,
    )  # fmt: skip


def nested(values: Key, target: int) -> str | None:
    """The value `target` as one expression; None if it would be too long."""
    _, names = parameters(values)
    texts: list[str] = []
    depths: list[int] = []
    for i, value in enumerate(values):
        if isinstance(value, tuple) and isinstance(value[0], Step):
            written = value[0].written([(texts[place], dtype_of(values[place])) for place in value[1:]])
            text = f"(({C_TYPES[value[0].dtype.name]})({written}))"
            depths.append(1 + max(depths[place] for place in value[1:]))
        else:
            text = f"({loaded(value, names[i])})"
            depths.append(0)
        if len(text) > LONGEST_TEXT or depths[-1] > DEEPEST_TEXT:
            return None
        texts.append(text)
    return texts[target]


@functools.cache
def sum_kernel(values: Key, target: int, dtype: np.dtype[Any], mean: bool) -> Any:
    """The kernel of Σ of a value (or its mean, with the count as last argument) as `dtype`; None if too long.

    Real numbers are added up in double, integers in 64 bits.
    """
    text = nested(values, target)
    if text is None:
        return None
    wide = "double" if dtype.kind == "f" else "unsigned long long" if dtype.kind == "u" else "long long"
    ins, _ = parameters(values)
    result = "a / count" if mean else "a"
    if dtype != np.float64:
        result = f"({'float16' if dtype == np.float16 else C_TYPES[dtype.name]})({result})"
    return cupy.ReductionKernel(
        ", ".join([*ins, *(["float64 count"] * mean)]), f"{dtype.name} out0", f"({wide}){text}", "a + b",
        f"out0 = {result}", "0", kernel_name("mean" if mean else "sum", values), reduce_type=wide,
        options=OPTIONS,
    )  # fmt: skip
