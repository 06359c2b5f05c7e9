"""``doctor`` says whether driver, card and wheel fit, and what to install: on faked drivers and wheels."""

import importlib.metadata
import json
import os
import re
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from tinygrad_notes.backend import wheels
from tinygrad_notes.cli import doctor_gpu, main

ROOT = Path(__file__).resolve().parents[2]
H100 = "NVIDIA H100 80GB HBM3"
TABLE = """\
+-----------------------------------------------------------------------------+
| NVIDIA-SMI {driver}    Driver Version: {driver}    CUDA Version: {cuda}     |
"""


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with a driver, cards and wheels as asked for; CuPy itself is what it says."""

    def make(driver="535.104.05", cuda="12.2", cards=((H100, 9.0),), here=("cupy-cuda12x",), cupy=None):
        rows = "\n".join(
            f"{name}, {driver}, 81559 MiB, 81004 MiB, {capability}" for name, capability in cards
        )
        (tmp_path / "rows").write_text(rows + "\n")
        (tmp_path / "table").write_text(TABLE.format(driver=driver, cuda=cuda) if cuda else "no table\n")
        tool = tmp_path / "nvidia-smi"
        tool.write_text(
            f"#!/bin/sh\nif [ $# = 0 ]; then cat {tmp_path}/table; else cat {tmp_path}/rows; fi\n"
        )
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        installed = [SimpleNamespace(metadata={"Name": name}, version="13.6.0") for name in (*here, "numpy")]
        monkeypatch.setattr(importlib.metadata, "distributions", lambda: installed)
        loaded = {"driver": None, "runtime": "12.9", "nvrtc": "12.9"} if cupy is None else cupy
        monkeypatch.setattr(doctor_gpu, "_cupy", lambda: (loaded, "GPU usable"))
        return doctor_gpu.look()

    return make


def test_all_that_fits(machine):
    rows, facts = machine()
    assert rows == {
        "gpu": f"{H100}, driver 535.104.05, 81559 MiB (81004 MiB free), compute capability 9.0",
        "cuda": "the driver serves up to 12.2, runtime 12.9, NVRTC 12.9",
        "cupy": "cupy-cuda12x 13.6.0, GPU usable",
        "fit": "yes",
    }
    assert facts["cards"][0]["compute_capability"] == 9.0
    assert (facts["driver"], facts["serves"], facts["nvrtc"]) == ("535.104.05", "12.2", "12.9")
    assert (facts["wheels"], facts["problems"]) == ({"cupy-cuda12x": "13.6.0"}, [])
    assert facts["install"] == "pip install 'tinygrad-notes[cuda12]'"


@pytest.mark.parametrize(
    ("driver", "cuda", "extra"),
    [
        ("450.80.02", "11.0", "gpu"), ("470.57.02", "11.4", "gpu"), ("525.60.13", "12.0", "cuda12"),
        ("575.64", "12.9", "cuda12"), ("580.65.06", "13.0", "cuda13"), ("610.1", "14.0", "cuda13"),
        ("450.80.02", None, "gpu"), ("525.60.13", None, "cuda12"), ("580.65.06", None, "cuda13"),
    ],
)  # fmt: skip
def test_the_line_to_install_is_that_of_the_driver(machine, driver, cuda, extra):
    """An unknown table of nvidia-smi leaves the number of the driver."""
    rows, facts = machine(driver, cuda, [("A card", 8.0)], here=(), cupy={})
    assert facts["install"] == f"pip install 'tinygrad-notes[{extra}]'"
    assert rows["fit"] == f"CuPy is not installed: pip install 'tinygrad-notes[{extra}]'"


def test_a_driver_that_is_too_old_is_told_with_both_numbers(machine):
    rows, _ = machine("470.57.02", "11.4", [("A card", 8.0)], ["cupy-cuda13x"])
    assert rows["fit"] == (
        "the driver serves CUDA up to 11.4, and cupy-cuda13x needs 13: update the driver to 580 or newer; "
        "or pip uninstall cupy-cuda13x, then pip install 'tinygrad-notes[gpu]'"
    )
    rows, _ = machine("440.33.01", "10.2", [("A card", 7.5)], here=(), cupy={})
    assert rows["fit"] == "the driver serves CUDA up to 10.2, and CuPy needs 11.2: update the driver"


def test_two_wheels_at_once_are_a_conflict(machine):
    rows, facts = machine(here=["cupy-cuda12x", "cupy-cuda11x"])
    assert facts["problems"] == [
        "cupy-cuda11x and cupy-cuda12x overwrite each other's files: pip uninstall cupy-cuda11x "
        "cupy-cuda12x, then pip install 'tinygrad-notes[cuda12]'"
    ]
    assert rows["cupy"].startswith("cupy-cuda11x 13.6.0 cupy-cuda12x 13.6.0, ")


def test_a_card_that_the_wheel_does_not_know(machine):
    new, old = ("A new card", 12.0), ("An old card", 6.1)
    rows, _ = machine("580.65.06", "13.0", [new], ["cupy-cuda11x"])
    assert rows["fit"] == (
        "the card's compute capability 12.0 is too new for CUDA 11, which ends with 9.0: "
        "pip uninstall cupy-cuda11x, then pip install 'tinygrad-notes[cuda13]'"
    )
    rows, facts = machine("580.65.06", "13.0", [old], ["cupy-cuda13x"])
    assert rows["fit"].startswith(
        "the card's compute capability 6.1 is too old for CUDA 13, which begins with"
    )
    assert facts["install"] == "pip install 'tinygrad-notes[cuda12]'"
    _, facts = machine("580.65.06", "13.0", [("Newer than all", 15.0)], ["cupy-cuda13x"])
    assert facts["problems"] == []


def test_a_missing_compiler(machine):
    rows, _ = machine(cupy={"runtime": "12.9", "nvrtc": None})
    assert rows["fit"].endswith("the compiler of the kernels, is missing: pip install 'cupy-cuda12x[ctk]'")
    rows, _ = machine(here=["cupy-cuda11x"], cupy={"runtime": "11.8", "nvrtc": None})
    assert rows["fit"].endswith("is missing: install the CUDA Toolkit of the wheel's version")


def test_several_cards_are_listed(machine):
    rows, facts = machine(cards=[(H100, 9.0), ("NVIDIA A100", 8.0)])
    assert [card["name"] for card in facts["cards"]] == [H100, "NVIDIA A100"]
    assert rows["gpu"].count("; ") == 1


def test_an_old_driver_that_does_not_know_a_field_is_asked_again(monkeypatch):
    def ask(*words):
        known = words and "compute_cap" not in words[0]
        return (0, "A card, 450.80.02, 16 MiB\n") if known else (2, "Field is not a valid field to query")

    monkeypatch.setattr(doctor_gpu, "_ask", ask)
    said, cards = doctor_gpu._cards()
    assert said == "A card, driver 450.80.02, 16 MiB" and cards[0]["name"] == "A card"


def test_without_a_driver_there_is_a_line_for_each_cuda(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(wheels, "installed", dict)
    monkeypatch.setattr(doctor_gpu, "_cupy", lambda: ({}, "not installed"))
    assert main(["doctor", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["cuda"] == "no driver" and result["gpu"] == "no NVIDIA driver found"
    assert result["gpu_facts"]["install"] is None and result["gpu_facts"]["cards"] == []
    for extra, cuda in (("gpu", 11), ("cuda12", 12), ("cuda13", 13)):
        assert f"pip install 'tinygrad-notes[{extra}]' for CUDA {cuda}" in result["fit"]


def test_cards_that_only_cupy_knows(monkeypatch, tmp_path):
    card = {"name": "Orin", "compute_capability": 8.7, "free": "20000 MiB", "total": "30000 MiB"}
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(wheels, "installed", lambda: {"cupy-cuda12x": "14.2.0"})
    loaded = {"driver": "12.6", "runtime": "12.9", "nvrtc": "12.9", "cards": [card]}
    monkeypatch.setattr(doctor_gpu, "_cupy", lambda: (loaded, "GPU usable"))
    rows, facts = doctor_gpu.look()
    assert rows["gpu"] == (
        "no NVIDIA driver found; CuPy finds Orin, 30000 MiB (20000 MiB free), compute capability 8.7"
    )
    assert (facts["driver"], facts["serves"], facts["problems"]) == (None, "12.6", [])
    assert doctor_gpu._card({"name": "A", "driver": "1", "total": "2 MiB", "compute_capability": None}) == (
        "A, driver 1, 2 MiB"
    )


def test_a_card_in_trouble_is_told(monkeypatch):
    def fail():
        raise RuntimeError("cudaErrorECCUncorrectable: uncorrectable\n ECC error encountered")

    devices = SimpleNamespace(versions=lambda: {"driver": "12.4"}, cards=fail)
    fake = SimpleNamespace(devices=devices, why_unusable=lambda: None)
    monkeypatch.setitem(sys.modules, "tinygrad_notes.backend.gpu", fake)
    monkeypatch.setattr("tinygrad_notes.backend.gpu", fake, raising=False)
    loaded, said = doctor_gpu._cupy()
    assert loaded == {"driver": "12.4"}
    expected = "the GPU does not answer (cudaErrorECCUncorrectable: uncorrectable ECC error encountered)"
    assert said == expected
    devices.cards = lambda: [SimpleNamespace(name="A card", compute_capability=9.0, free=2**30, total=2**31)]
    loaded, said = doctor_gpu._cupy()
    assert loaded["cards"] == [
        {"name": "A card", "compute_capability": 9.0, "free": "1024 MiB", "total": "2048 MiB"}
    ]
    assert said == "GPU usable"


def test_the_extras_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for wheel in wheels.WHEELS.values():
        assert project["optional-dependencies"][wheel.extra] == [f"{wheel.package}>=13"]


@pytest.mark.parametrize("page", ["docs/gpu.md", "docs/zh/gpu.md"])
def test_the_page_has_the_same_table(page):
    rows = re.findall(r"^\| 1[123].*", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    for (major, wheel), row in zip(wheels.WHEELS.items(), rows, strict=True):
        cuda, extra, package, driver, cards, cupy = [cell.strip() for cell in row.strip("|").split("|")]
        assert cuda.startswith(str(major)) and (extra, package) == (f"`{wheel.extra}`", f"`{wheel.package}`")
        assert driver == wheels.version(wheel.driver) and str(wheel.oldest) in cards
        assert ("14" in cupy) == (major != 11)
