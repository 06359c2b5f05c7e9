"""``doctor``: what this installation has, and what it computes on."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from typing import Any

import numpy as np

from .. import __version__, backend
from . import DONE, FAILED
from .output import print_json, print_table

EXTRAS = {"matplotlib": "plot", "PIL": "images", "sympy": "verify"}
PACKAGES = {"PIL": "pillow"}


def doctor_command(arguments: argparse.Namespace) -> int:
    """Exit 1 if the backend that BACKEND asks for cannot be used."""
    found: dict[str, Any] = {
        "tinygrad_notes": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": f"{platform.system()} {platform.machine()}, {_processors()} CPUs",
        "numpy": f"{np.__version__}, {_blas()}",
        "threads": _threads(),
        "gpu": _gpu(),
        "cupy": _cupy(),
    }
    found |= {PACKAGES.get(name, name): _extra(name, extra) for name, extra in EXTRAS.items()}
    problem = _backend_problem()
    found["backend"] = problem or backend.BACKEND
    if arguments.json:
        print_json({**found, "usable": problem is None})
    else:
        print_table(["", ""], list(found.items()), left=2)
    return DONE if problem is None else FAILED


def _backend_problem() -> str | None:
    """Why the backend that was asked for does not compute, or None."""
    if backend.refused is not None:
        return str(backend.refused)
    try:
        array = backend.asarray([1.0, 2.0])
        right = float((array * array).sum()) == 5
    except Exception as error:  # a driver or a compiler that is missing raises nearly anything
        return f"{backend.BACKEND}: {type(error).__name__}: {' '.join(str(error).split())}"
    return None if right else f"{backend.BACKEND}: 1² + 2² is not 5"


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _blas() -> str:
    blas = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    return f"BLAS {blas.get('name', 'unknown')} {blas.get('version', '')}".strip()


def _threads() -> str:
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    chosen = [f"{name}={os.environ[name]}" for name in names if name in os.environ]
    return ", ".join(chosen) or f"chosen by BLAS (up to {_processors()})"


def _gpu() -> str:
    """Name, driver and memory of each NVIDIA GPU, as its driver tells them."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "no NVIDIA driver found"
    query = [tool, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"nvidia-smi does not answer ({error})"
    lines = [line.split(", ") for line in said.stdout.strip().splitlines()]
    if said.returncode != 0 or not all(len(line) == 3 for line in lines):
        return f"nvidia-smi: {' '.join((said.stdout or said.stderr).split()) or 'no answer'}"
    return "; ".join(f"{name}, driver {driver}, {memory}" for name, driver, memory in lines)


def _cupy() -> str:
    """CuPy's version and the GPU, or why there is none."""
    try:
        from ..backend import gpu
    except (ImportError, OSError) as error:  # OSError: it makes a folder for its cache
        return f"not installed, or it does not load ({error})"
    versions = [d for d in importlib.metadata.distributions() if d.name.startswith("cupy")]
    version = " ".join(f"{d.name} {d.version}" for d in versions) or "found"
    return f"{version}, {gpu.why_unusable() or 'GPU usable'}"


def _extra(module: str, extra: str) -> str:
    try:
        return importlib.metadata.version(PACKAGES.get(module, module))
    except importlib.metadata.PackageNotFoundError:
        return f"not installed: pip install 'tinygrad-notes[{extra}]'"
