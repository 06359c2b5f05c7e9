"""Errors of CUDA and CuPy as one sentence that says what to do. Every name of an error stands here, once.

They are told by the names that CUDA gives them, which CuPy puts at the beginning of the message.
"""

from __future__ import annotations

import re

import cupy

from .. import wheels
from ..trouble import Trouble
from . import devices

MEMORY = ("cudaErrorMemoryAllocation", "CUDA_ERROR_OUT_OF_MEMORY", "CUBLAS_STATUS_ALLOC_FAILED")
DRIVER = ("cudaErrorInsufficientDriver", "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH")
NO_DEVICE = ("cudaErrorNoDevice", "CUDA_ERROR_NO_DEVICE")
IMAGE = (
    "cudaErrorNoKernelImageForDevice", "CUDA_ERROR_NO_BINARY_FOR_GPU", "cudaErrorInvalidKernelImage",
    "CUDA_ERROR_INVALID_IMAGE", "cudaErrorUnsupportedPtxVersion", "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
    "invalid value for --gpu-architecture",
)  # fmt: skip
TAKEN = ("cudaErrorDevicesUnavailable", "CUDA_ERROR_DEVICE_UNAVAILABLE")
LOST = (
    "cudaErrorIllegalAddress", "CUDA_ERROR_ILLEGAL_ADDRESS", "cudaErrorMisalignedAddress",
    "CUDA_ERROR_MISALIGNED_ADDRESS", "cudaErrorLaunchFailure", "CUDA_ERROR_LAUNCH_FAILED",
    "cudaErrorLaunchTimeout", "CUDA_ERROR_LAUNCH_TIMEOUT", "cudaErrorECCUncorrectable",
    "CUDA_ERROR_ECC_UNCORRECTABLE", "cudaErrorHardwareStackError", "cudaErrorAssert",
)  # fmt: skip
CAPTURE = ("cudaErrorStreamCapture", "CUDA_ERROR_STREAM_CAPTURE")  # how all nine of them begin
LIBRARY = ("CuPy failed to load", 'Failure finding "lib')
HEADER = ("cannot open source file", "could not open source file")
APART = ("Array device must be same as the current device",)
GIB = 2**30


def explain(error: BaseException) -> Trouble | None:
    """What an error of the device means and what helps; None for an error that is not of the device."""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) and text.startswith("Out of memory allocating"):
        return Trouble(_out_of_memory(text), True)
    for names, sentence in SENTENCES.items():
        if any(name in text for name in names):
            return Trouble(sentence(text), names is MEMORY)
    return None


def why_unusable() -> str | None:
    """Why no GPU can be used, and what helps; or None."""
    try:
        found = devices.count()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        trouble = explain(error)
        if trouble is None:
            return f"CuPy finds no usable GPU ({error})"
        return f"CuPy finds no usable GPU ({str(error).partition(':')[0]}): {trouble.text}"
    return None if found > 0 else "CuPy finds no GPU"


def _out_of_memory(text: str) -> str:
    """What was asked for, what is held and what is free, as far as it can be had."""
    asked = re.search(r"allocating ([\d,]+) bytes", text)
    limit = re.search(r"limit set to: ([\d,]+) bytes", text)
    parts = []
    if asked:
        parts.append(f"{_gib(_number(asked[1]))} more were asked for")
    pool = cupy.get_default_memory_pool()
    parts.append(f"CuPy's pool holds {_gib(pool.total_bytes())}, {_gib(pool.used_bytes())} of them in use")
    if limit:
        parts.append(f"its limit is {_gib(_number(limit[1]))}")
    try:
        where = f" on {devices.described(devices.current())}"
        free, total = cupy.cuda.runtime.memGetInfo()
        parts.append(f"{_gib(free)} of the card's {_gib(total)} are free")
    except Exception:  # a device that is in trouble does not answer
        where = " on the GPU"
    return f"out of memory{where}: {', '.join(parts)}"


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def _gib(size: int) -> str:
    return f"{size / GIB:.2f} GiB"


def _driver(text: str) -> str:
    names = list(wheels.installed())
    major = wheels.major_of(names)
    serves = devices.versions()["driver"]
    if serves is None:
        return "no NVIDIA driver is installed, or it is not loaded; nvidia-smi would list the cards"
    if len(names) > 1:
        return wheels.misfits(names, float(serves), ())[0]
    if major is None:
        return f"the driver serves CUDA up to {serves}, and CuPy was built for a newer one: update the driver"
    return wheels.too_old(major, float(serves), names)


def _no_device(text: str) -> str:
    return "the driver sees no card; nvidia-smi lists them, and CUDA_VISIBLE_DEVICES can hide them"


def _image(text: str) -> str:
    names = list(wheels.installed())
    try:
        card = devices.cards()[devices.current()]
    except Exception:  # a device that is in trouble does not answer
        return f"CuPy's wheel has no kernels for this card ({text}); tinygrad-notes doctor says which one has"
    told = wheels.misfits(names, None, [card.compute_capability])
    mend = told[0] if told else "tinygrad-notes doctor says which wheel and driver fit"
    return f"CuPy's wheel has no kernels for {card.name} ({card.compute_capability}): {mend}"


def _taken(text: str) -> str:
    return (
        "the GPU is busy or was taken away: another program may hold it alone (nvidia-smi shows it); "
        "wait, or choose another one with CUDA_VISIBLE_DEVICES"
    )


def _lost(text: str) -> str:
    name = text.partition(":")[0]
    return (
        f"the GPU stopped in the middle of a computation ({name}), and nothing more can be computed in this "
        "process: start again, a training with train --resume; if it happens again, CUDA_LAUNCH_BLOCKING=1 "
        "with TINYGRAD_NOTES_DEBUG=1 shows where"
    )


def _capture(text: str) -> str:
    return (
        f"what is captured waited for the device ({text.partition(':')[0]}): keep .item(), .numpy(), if on a "
        "Tensor and x[mask] out of it"
    )


def _library(text: str) -> str:
    major = wheels.major_of(wheels.installed())
    library = re.search(r"lib\w+", text)
    missing = library[0] if library else "a library of CUDA"
    if major is None or major < 12:  # its wheel has no extra that brings them
        return f"{missing} is missing: install the CUDA Toolkit that CuPy's wheel is made for"
    return f"{missing} is missing: pip install '{wheels.WHEELS[major].package}[ctk]' brings it"


def _header(text: str) -> str:
    return f"headers of CUDA are missing ({text[:120]}): {_library('libcudart')}"


def _apart(text: str) -> str:
    numbers = re.search(r"array device = (\d+).*current = (\d+)", text)
    where = f": the array is on GPU {numbers[1]}, computed is on GPU {numbers[2]}" if numbers else ""
    return f"arrays of two GPUs in one computation{where}; call set_device, or move one by tg.to_numpy"


SENTENCES = {
    MEMORY: _out_of_memory, DRIVER: _driver, NO_DEVICE: _no_device, IMAGE: _image, TAKEN: _taken, LOST: _lost,
    CAPTURE: _capture, LIBRARY: _library, HEADER: _header, APART: _apart,
}  # fmt: skip
