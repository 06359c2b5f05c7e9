"""NVRTC, the compiler of CUDA C that CuPy uses, without CuPy and without a GPU: what a kernel compiles to.

It is found where the wheel nvidia-cuda-nvrtc-cu12 installs it; the header of float16 is of
nvidia-cuda-runtime-cu12.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import re
from pathlib import Path
from typing import Any, NamedTuple

ARCHITECTURES = ("sm_70", "sm_80", "sm_90")


class Compiled(NamedTuple):
    """Machine code, and what the assembler says of it; sizes in bytes a thread."""

    cubin: bytes
    log: str
    registers: int
    spilled: int
    stack: int


class Refused(Exception):
    """The text does not compile; the message is the compiler's."""


@functools.cache
def missing() -> str | None:
    """Why nothing can be compiled here, or None."""
    if _folder("lib") is None:
        return "NVRTC is not installed (pip install nvidia-cuda-nvrtc-cu12)"
    if _folder("include") is None:
        return "cuda_fp16.h is not installed (pip install nvidia-cuda-runtime-cu12)"
    return None


def compiled(source: str, architecture: str) -> Compiled:
    """The machine code of a text for one architecture, "sm_80" for example."""
    nvrtc, program = _library(), ctypes.c_void_p()
    _check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None))
    try:
        options = [
            f"--gpu-architecture={architecture}",
            "--std=c++17",
            f"--include-path={_folder('include')}",
        ]
        options += ["--ptxas-options=-v"]
        given = (ctypes.c_char_p * len(options))(*map(str.encode, options))
        status = nvrtc.nvrtcCompileProgram(program, len(options), given)
        log = _read(program, nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog).rstrip(b"\0").decode()
        if status:
            raise Refused(f"{architecture}:\n{log}")
        cubin = _read(program, nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN)
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return Compiled(
        cubin,
        log,
        max(_numbers(r"Used (\d+) registers", log)),
        sum(_numbers(r"(\d+) bytes spill (?:stores|loads)", log)),
        sum(_numbers(r"(\d+) bytes stack frame", log)),
    )


def _numbers(pattern: str, log: str) -> list[int]:
    found = [int(number) for number in re.findall(pattern, log)]
    if not found:
        raise RuntimeError(f"the log of the assembler has no {pattern!r}:\n{log}")
    return found


def _folder(what: str) -> Path | None:
    package, file = {"lib": ("cuda_nvrtc", "libnvrtc.so.*"), "include": ("cuda_runtime", "cuda_fp16.h")}[what]
    found = importlib.util.find_spec("nvidia")
    for root in found.submodule_search_locations if found and found.submodule_search_locations else ():
        folder = Path(root, package, what)
        if any(folder.glob(file)):
            return folder
    return None


@functools.cache
def _library() -> Any:
    folder = _folder("lib")
    assert folder is not None
    path = min(folder.glob("libnvrtc.so.*"))
    return ctypes.CDLL(str(path))


def _read(program: Any, size_of: Any, copy: Any) -> bytes:
    size = ctypes.c_size_t()
    _check(size_of(program, ctypes.byref(size)))
    buffer = ctypes.create_string_buffer(size.value)
    _check(copy(program, buffer))
    return buffer.raw


def _check(status: int) -> None:
    if status:
        library = _library()
        library.nvrtcGetErrorString.restype = ctypes.c_char_p
        raise RuntimeError(library.nvrtcGetErrorString(status).decode())
