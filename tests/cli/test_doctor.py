"""``doctor``: what it says of the installation, row by row; of the GPU see test_doctor_gpu.py."""

import importlib.metadata
import json
import platform
import sys

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend
from tinygrad_notes.cli import doctor, main

HERE = {"matplotlib": "3.1", "pillow": "11.2", "sympy": "1.3"}


@pytest.fixture
def installed(monkeypatch):
    """Packages by the names that they are installed by, whatever is there."""
    found = dict(HERE)

    def version(name):
        if name not in found:
            raise importlib.metadata.PackageNotFoundError(name)
        return found[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    return found


def told(capsys):
    assert main(["doctor", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_every_row(installed, monkeypatch, capsys):
    monkeypatch.setattr(doctor.doctor_gpu, "look", lambda: ({"gpu": "none", "cupy": "none"}, {"cards": []}))
    monkeypatch.setattr(doctor, "_processors", lambda: 7)
    blas = {"Build Dependencies": {"blas": {"name": "fast", "version": "1.2"}}}
    monkeypatch.setattr(np, "show_config", lambda mode: blas)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    rows = {
        "tinygrad_notes": tg.__version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": f"{platform.system()} {platform.machine()}, 7 CPUs",
        "numpy": f"{np.__version__}, BLAS fast 1.2",
        "threads": "OPENBLAS_NUM_THREADS=3",
        "gpu": "none", "cupy": "none", **HERE, "backend": backend.BACKEND,
    }  # fmt: skip
    assert told(capsys) == rows | {"usable": True, "gpu_facts": {"cards": []}}
    assert main(["doctor"]) == 0
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines == [list(row) for row in rows.items()]
    monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    assert told(capsys)["threads"] == "chosen by BLAS (up to 7)"
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("MKL_NUM_THREADS", "4")
    assert told(capsys)["threads"] == "OMP_NUM_THREADS=2, MKL_NUM_THREADS=4"


@pytest.mark.parametrize(
    "package, extra", [("matplotlib", "plot"), ("pillow", "images"), ("sympy", "verify")]
)
def test_a_package_that_is_missing_has_the_line_to_install_it(package, extra, installed, capsys):
    del installed[package]
    rows = told(capsys)
    assert {name: rows[name] for name in HERE} == HERE | {
        package: f"not installed: pip install 'tinygrad-notes[{extra}]'"
    }
