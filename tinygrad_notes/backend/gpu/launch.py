"""Kernels in CUDA C: compiled once for each text, one thread for each element.

A `Template` is a text in which types are left open: ``T`` of the arrays, ``A`` in which numbers of T are
added (float for float16, else T), ``I`` of indices (int, or long long where an array is too large), and
others that a kernel names. Sizes are handed over as one struct, by value: a NumPy array of size one.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any

import cupy
import numpy as np

THREADS = 256  # of a block
SHORT = 1 << 30  # arrays of fewer elements are indexed by int: a division of long long is many instructions
REAL = "efd"  # what kernels compute with; everything else is left to the plain definitions
TYPES = {
    "?": "bool", "b": "signed char", "B": "unsigned char", "h": "short", "H": "unsigned short", "i": "int",
    "I": "unsigned int", "l": "long long", "L": "unsigned long long", "q": "long long",
    "Q": "unsigned long long", "e": "__half", "f": "float", "d": "double",
}  # fmt: skip
TEMPLATES: list[Template] = []  # all there are: tests compile each


@functools.cache
def kernel(source: str, name: str) -> Any:
    """The function `name` of a CUDA C text; CuPy compiles it for the card at hand at the first call."""
    return cupy.RawKernel(source, name, options=("--std=c++17",))


def over(function: Any, count: int, *arguments: Any) -> None:
    """Run `function(count, *arguments)` on at least `count` threads; each asks whether its number is below.

    Arrays are handed over as pointers; numbers must be NumPy's, of the size that the parameter has.
    """
    if count:
        function((-(-count // THREADS),), (THREADS,), (np.int64(count), *arguments))


class Template:
    """The text of the kernel `name`; `types` maps the names of open types to the dtypes that they can be.

    Dtypes are NumPy's letters. ``I`` is open where the text has it, ``A`` follows from ``T``.
    """

    def __init__(self, name: str, text: str, **types: str) -> None:
        self.name, self.text = name, text
        self.types = {**types, "I": "iq"} if re.search(r"\bI\b", text) else types
        TEMPLATES.append(self)

    def source(self, chosen: tuple[str, ...]) -> str:
        """The text with a letter for each open type, in the order of `types`."""
        types = dict(zip(self.types, chosen, strict=True))
        lines = ["#include <cuda_fp16.h>"] if "e" in chosen else []
        if "T" in types:
            types["A"] = "f" if types["T"] == "e" else types["T"]
        lines += [f"typedef {TYPES[char]} {name};" for name, char in types.items()]
        return "\n".join([*lines, self.text])

    def sources(self) -> Iterator[str]:
        """The text for all types."""
        return map(self.source, itertools.product(*self.types.values()))

    @functools.cache  # noqa: B019 (templates live as long as the program)
    def __call__(self, *chosen: str) -> Any:
        """The kernel for a letter for each open type."""
        return kernel(self.source(chosen), self.name)


def index_type(*shapes: Iterable[int]) -> str:
    """The letter of the type that indexes arrays of these shapes."""
    return "i" if all(math.prod(shape) < SHORT for shape in shapes) else "q"


def struct(name: str, fields: str) -> str:
    """The C text of a struct whose fields are all indices."""
    return f"struct {name} {{ I {', '.join(fields.split())}; }};\n"


def packed(fields: str, index: str, values: Iterable[int]) -> Any:
    """A value of that struct, which a kernel is called with."""
    return np.array([tuple(values)], dtype=[(field, index) for field in fields.split()])
