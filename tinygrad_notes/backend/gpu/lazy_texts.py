"""The texts of kernels in CUDA C, made from descriptions of chains (`lazy_kernels.Description`).

Several sums share a kernel as the parts of a `double3`, which lies in memory as three doubles do.

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
SUMS = 3  # of one kernel
LOWEST = {"float": "__int_as_float(0xff800000)", "double": "__longlong_as_double(0xfff0000000000000)"}  # −∞

WIDE = {"f": "double", "u": "unsigned long long"}  # what numbers are added up in

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


def nested(values: Key, targets: tuple[int, ...]) -> list[str] | None:
    """The values `targets` as one expression each; None if one would be too long."""
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
    return [texts[target] for target in targets]


@functools.cache
def reduction_kernel(values: Key, targets: tuple[int, ...], ends: tuple[Any, ...]) -> Any:
    """The kernel of one reduction (kind, dtype, then) of each of the values `targets`; None if too long.

    Numbers that `ends` take are arguments after those of the values. Real numbers are added up in double,
    integers in 64 bits. Several reductions must be sums or means of real numbers.
    """
    texts = nested(values, targets)
    if texts is None:
        return None
    several = len(targets) > 1
    kind, dtype, _ = ends[0]
    wide = C_TYPES[dtype.name] if kind == "max" else WIDE.get(dtype.kind, "long long")
    names = [f"a.{letter}" for letter in "xyz"] if several else ["a"]
    mapped = [f"({wide}){text}" for text in texts]
    ins, numbers = parameters(values)[0], list[str]()
    outs, posts = [], []
    for k, (end, name) in enumerate(zip(ends, names, strict=False)):
        held, text = ended(end, name, numbers)
        outs.append(f"{held.name} out{k}")
        posts.append(f"out{k} = {text}")
    join, start = ("(a >= b || a != a) ? a : b", LOWEST[wide]) if kind == "max" else ("a + b", "0")
    if several:
        mapped = [f"make_double3({', '.join((mapped + ['0'])[:SUMS])})"]
        join = "make_double3(a.x + b.x, a.y + b.y, a.z + b.z)"
        wide, start = "double3", "make_double3(0, 0, 0)"
    return cupy.ReductionKernel(
        ", ".join(ins + numbers), ", ".join(outs), mapped[0], join, ", ".join(posts), start,
        kernel_name(kind, values), reduce_type=wide, options=OPTIONS,
    )  # fmt: skip


def ended(end: tuple[str, np.dtype[Any], Any], name: str, numbers: list[str]) -> tuple[np.dtype[Any], str]:
    """The type and the text of a result: the reduction `name` rounded to its type, then the steps after it.

    Parameters for the numbers that it takes are put to `numbers`.
    """

    def parameter(dtype: np.dtype[Any]) -> str:
        numbers.append(f"{'float32' if dtype == np.float16 else dtype.name} t{len(numbers)}")
        return f"t{len(numbers) - 1}"

    kind, dtype, then = end
    text = f"{name} / {parameter(np.dtype(np.float64))}" if kind == "mean" else name
    if dtype == np.float16:
        text = f"(float)(float16)({text})"
    elif dtype != np.float64:
        text = f"({C_TYPES[dtype.name]})({text})"
    for step, operands in then:
        written = [
            (f"({text})", dtype) if value is None
            else (loaded(value, value[2] if value[0] == "literal" else parameter(value[1])), value[1])
            for value in operands
        ]  # fmt: skip
        text, dtype = step.written(written), step.dtype
    return dtype, f"(float16)({text})" if dtype == np.float16 else text
