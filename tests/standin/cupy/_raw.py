"""cupy.RawKernel: CUDA C compiled by g++ with shim/device.h, and run on the CPU.

Compiled libraries lie in a folder of the system's temporary one, named by a hash of text and shim. Stricter
than CuPy: every argument must fit its parameter (size, pointer or number, the array's type), and a text may
not use what NVRTC lacks (``std::``, ``int64_t``, headers of C).
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import _device, _errors
from ._errors import CUDADriverError
from ._expression import Refused

SHIM = Path(__file__).parent / "shim"
_HEADERS = ("cuda_fp16.h",)
_FIBERS = re.compile(r"__(syncthreads|syncwarp|shfl_\w*sync|ballot_sync|any_sync|all_sync)\b")
_NOT_ON_THE_DEVICE = re.compile(r"\bstd::\w+|\bu?int(?:8|16|32|64)_t\b|\b(?:INFINITY|NAN)\b")
_LIMITS = {"grid": (2**31 - 1, 65535, 65535), "block": (1024, 1024, 64)}


class Parameter(NamedTuple):
    """One parameter of the compiled kernel. Kinds: NumPy's "f", "i", "u" and "b"; "p" pointer; "o" other."""

    size: int
    kind: str
    item_size: int  # of what it points to
    item_kind: str
    written: bool


class RawKernel:
    """A ``__global__`` function of a text; compiled at the first call."""

    def __init__(
        self,
        code: str,
        name: str,
        options: tuple[str, ...] = (),
        backend: str = "nvrtc",
        *,
        translate_cucomplex: bool = False,
        enable_cooperative_groups: bool = False,
        jitify: bool = False,
    ) -> None:
        if backend != "nvrtc" or translate_cucomplex or enable_cooperative_groups or jitify:
            raise NotImplementedError("cupy stand-in: RawKernel compiles plain CUDA C only")
        for value, kind in ((code, str), (name, str), (options, tuple)):
            if not isinstance(value, kind):
                raise TypeError(f"RawKernel: expected {kind.__name__}, got {type(value).__name__}")
        self.code, self.name, self.options, self.backend = code, name, options, backend
        self.__name__ = name
        self.max_dynamic_shared_size_bytes = 49152  # a kernel may ask for more by setting it

    def compile(self, log_stream: Any = None) -> None:
        """Compile now."""
        _library(self.code, self.name, self.options)

    def __call__(self, grid: Any, block: Any, args: Any, *, shared_mem: int = 0) -> None:
        sizes = [_sizes("grid", grid), _sizes("block", block)]
        if np.prod(sizes[1]) > 1024 or not 0 <= shared_mem <= self.max_dynamic_shared_size_bytes:
            raise CUDADriverError("CUDA_ERROR_INVALID_VALUE: invalid argument")
        library, parameters = _library(self.code, self.name, self.options)
        if len(args) != len(parameters):
            raise TypeError(f"{self.name} has {len(parameters)} parameters, {len(args)} arguments are given")
        _errors.check_parameters(self.name, sum(-(-parameter.size // 8) * 8 for parameter in parameters))
        values, outs, kept = [], [], []
        for i, (parameter, arg) in enumerate(zip(parameters, args, strict=True)):
            values.append(_value(f"{self.name}: argument {i}", parameter, arg))
            if _device.is_device(arg):
                (outs if parameter.written else kept).append(arg._data)
            elif parameter.kind == "o":
                outs += _pointed_to(values[-1])
        _device.launch(functools.partial(_run, self.name, library, *sizes, values, [*outs, *kept]), outs)


def _sizes(what: str, given: Any) -> tuple[int, ...]:
    if not isinstance(given, tuple) or not 1 <= len(given) <= 3:
        raise TypeError(f"RawKernel: {what} must be a tuple of one to three numbers, got {given!r}")
    sizes = tuple(int(size) for size in given) + (1,) * (3 - len(given))
    if any(not 1 <= size <= limit for size, limit in zip(sizes, _LIMITS[what], strict=True)):
        raise CUDADriverError(f"CUDA_ERROR_INVALID_VALUE: invalid argument ({what} {sizes})")
    return sizes


def _value(where: str, parameter: Parameter, arg: Any) -> np.ndarray:
    """What the kernel reads the argument from: an array's address, or a number."""
    if _device.is_device(arg):
        if parameter.kind != "p":
            raise TypeError(f"{where}: an array is given for a number of {parameter.size} bytes")
        _check_type(where, arg.dtype, parameter.item_size, parameter.item_kind)
        return np.array([arg._data.ctypes.data], np.uint64)
    if isinstance(arg, np.ndarray) and arg.size == 1 and parameter.kind == "o":  # a struct, by value
        if arg.itemsize != parameter.size:
            raise TypeError(f"{where}: {arg.itemsize} bytes are given, the struct has {parameter.size}")
        return arg
    kinds = {int: np.int64, float: np.float64, bool: np.bool_}  # what CuPy makes of Python's numbers
    if not isinstance(arg, np.generic | int | float):
        raise TypeError(f"{where}: Unsupported type {type(arg)}")
    number = np.array([arg], kinds.get(type(arg)))
    if parameter.kind == "p":
        raise TypeError(f"{where}: {type(arg).__name__} is given for a pointer")
    _check_type(where, number.dtype, parameter.size, parameter.kind)
    return number


def _pointed_to(struct: np.ndarray) -> list[np.ndarray]:
    """The buffers whose addresses stand in a struct, which may be written."""
    words = np.frombuffer(struct.tobytes()[: struct.nbytes // 8 * 8], np.uint64).tolist()
    return [found for word in words if word and (found := _device.ADDRESSES.get(word)) is not None]


def _check_type(where: str, dtype: np.dtype, size: int, kind: str) -> None:
    floating = "f" in (dtype.kind, kind)
    if kind != "o" and (dtype.itemsize != size or (floating and dtype.kind != kind)):
        raise TypeError(f"{where}: {dtype} is given, the parameter has kind {kind!r} and {size} bytes")


def _run(
    name: str, library: Any, grid: Any, block: Any, values: list[np.ndarray], kept: list[np.ndarray]
) -> None:
    """Run the grid; `kept` are the buffers that the values point to, which must live as long as this."""
    pointers = (ctypes.c_void_p * len(values))(*(value.ctypes.data for value in values))
    if library.standin_run((ctypes.c_uint * 3)(*grid), (ctypes.c_uint * 3)(*block), pointers):
        raise Refused(f"{name}: a barrier is not reached by all threads of its block or warp")


@functools.cache
def _library(code: str, name: str, options: tuple[str, ...]) -> tuple[Any, tuple[Parameter, ...]]:
    """The compiled kernel, and its parameters as the compiler sees them."""
    source = _source(code, name)
    flags = [f"-std={standard}" for option in options if (standard := option.partition("std=")[2])]
    flags = [*(flags or ["-std=c++14"]), *(option for option in options if option.startswith("-D"))]
    flags += ["-DSTANDIN_FIBERS"] if _FIBERS.search(code) else []
    flags += os.environ.get("STANDIN_FLAGS", "-O2").split()  # -fsanitize=address,undefined, for example
    shim = "".join(path.read_text() for path in sorted(SHIM.iterdir()))
    key = hashlib.sha256("\0".join([source, shim, *flags]).encode()).hexdigest()[:32]
    folder = Path(tempfile.gettempdir()) / f"cupy-stand-in-{os.getuid()}"
    path = folder / f"{key}.so"
    if not path.exists():
        folder.mkdir(mode=0o700, exist_ok=True)
        _compile(source, flags, path)
    library = ctypes.CDLL(str(path))
    if not hasattr(library, name):
        raise CUDADriverError(f'CUDA_ERROR_NOT_FOUND: named symbol not found: {name} is not extern "C"')
    rows = (ctypes.c_int * (5 * code.count(",") + 5))()  # five for each parameter
    count = library.standin_parameters(rows)
    parts = [rows[5 * i : 5 * i + 5] for i in range(count)]
    return library, tuple(Parameter(a, chr(b), c, chr(d), bool(e)) for a, b, c, d, e in parts)


def _source(code: str, name: str) -> str:
    """The text for g++, after the refusals."""
    plain = re.sub(r"//[^\n]*|/\*.*?\*/", "", code, flags=re.DOTALL)
    if not re.search(rf"__global__[^;{{]*\b{re.escape(name)}\s*\(", plain):
        raise CUDADriverError(f"CUDA_ERROR_NOT_FOUND: named symbol not found: no __global__ {name}")
    defined = set(re.findall(r"typedef[^;]*\b(\w+)\s*;|#define\s+(\w+)|using\s+(\w+)\s*=", plain))
    known = {word for words in defined for word in words}
    for match in _NOT_ON_THE_DEVICE.finditer(plain):
        if match[0] not in known:
            raise Refused(f"{name}: NVRTC does not know {match[0]!r}")
    for header in re.findall(r"#include\s*[<\"]([^>\"]+)", plain):
        if header not in _HEADERS:
            raise Refused(f"{name}: no header {header!r} on the device; there are {_HEADERS}")
    code = re.sub(
        r"extern\s+__shared__\s+([\w\s]+?)\s*(\w+)\s*\[\s*\]\s*;",
        r"\1* \2 = (\1*)standin_dynamic_shared;",
        code,
    )
    return f'#include "device.h"\n#line 1 "{name}.cu"\n{code}\nSTANDIN_KERNEL({name})\n'


class NoCompiler(Exception):
    """Nothing here compiles C++."""


def _compile(source: str, flags: list[str], path: Path) -> None:
    compiler = next((found for name in ("g++", "c++", "clang++") if (found := shutil.which(name))), None)
    if compiler is None:
        raise NoCompiler("cupy stand-in: RawKernel needs g++")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        text, made = Path(folder, "kernel.cpp"), Path(folder, "kernel.so")
        text.write_text(source)
        command = [compiler, *flags, "-w", "-fPIC", "-shared", "-ffp-contract=off"]
        command += ["-fno-strict-aliasing", f"-I{SHIM}", str(text), "-o", str(made)]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
        if done.returncode:
            raise Refused(f"the kernel does not compile:\n{done.stderr}")
        made.replace(path)  # at once: another process may be doing the same
