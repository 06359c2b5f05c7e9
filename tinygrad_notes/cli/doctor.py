"""``doctor``: what this installation has, and what it computes on."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import sys
from typing import Any

import numpy as np

from .. import __version__, backend
from . import DONE, FAILED, doctor_gpu
from .output import print_json, print_table

EXTRAS = {"matplotlib": "plot", "PIL": "images", "sympy": "verify"}
PACKAGES = {"PIL": "pillow"}


def doctor_command(arguments: argparse.Namespace) -> int:
    """Exit 1 if the backend that BACKEND asks for cannot be used."""
    about_gpus, facts = doctor_gpu.look()
    found: dict[str, Any] = {
        "tinygrad_notes": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": f"{platform.system()} {platform.machine()}, {_processors()} CPUs",
        "numpy": f"{np.__version__}, {_blas()}",
        "threads": _threads(),
        **about_gpus,
    }
    found |= {PACKAGES.get(name, name): _extra(name, extra) for name, extra in EXTRAS.items()}
    problem = _backend_problem()
    found["backend"] = problem or backend.BACKEND
    if arguments.json:
        print_json({**found, "usable": problem is None, "gpu_facts": facts})
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


def _extra(module: str, extra: str) -> str:
    try:
        return importlib.metadata.version(PACKAGES.get(module, module))
    except importlib.metadata.PackageNotFoundError:
        return f"not installed: pip install 'tinygrad-notes[{extra}]'"
