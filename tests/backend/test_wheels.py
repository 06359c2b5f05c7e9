"""Which wheel fits which driver and card, case by case, without either."""

import importlib.metadata
from types import SimpleNamespace

import pytest

from tinygrad_notes.backend import wheels


@pytest.mark.parametrize(
    ("driver", "major"),
    [
        ("450.80.02", 11), ("450.80.01", None), ("450.79.99", None), ("525.60.12", 11), ("525.60.13", 12),
        ("525.61", 12), ("579.99", 12), ("580", 13), ("580.65.06", 13), ("700.1", 13), ("", None),
        ("x", None),
    ],
)  # fmt: skip
def test_the_cuda_of_a_driver(driver, major):
    assert wheels.served(driver) == major


@pytest.mark.parametrize(
    ("serves", "cards", "major"),
    [
        (None, [], 13), (10, [], None), (11, [], 11), (12, [], 12), (13, [], 13), (14, [], 13),
        (None, [7.5], 13), (None, [7.4], 12), (None, [5.0], 12), (None, [4.9], 11), (None, [3.5], 11),
        (13, [9.0], 13), (11, [9.0], 11), (13, [9.1], 13), (13, [7.0, 9.0], 12), (13, [3.5, 12.0], 13),
        (None, [3.0], 13), (11, [12.0], 11), (13, [12.1], 13), (13, [15.0], 13), (12, [15.0], 12),
    ],
)  # fmt: skip
def test_the_best_wheel(serves, cards, major):
    """The newest that serves all cards; where none does, the newest of the driver."""
    assert wheels.best(serves, cards) == major


@pytest.mark.parametrize(
    ("names", "major"),
    [(["cupy-cuda11x"], 11), (["cupy-cuda12x"], 12), (["cupy-cuda13x"], 13), (["cupy"], None), ([], None),
     (["cupy-cuda11x", "cupy-cuda12x"], None)],
)  # fmt: skip
def test_the_cuda_of_a_wheel(names, major):
    assert wheels.major_of(iter(names)) == major


@pytest.mark.parametrize(
    ("major", "remove", "line"),
    [
        (11, (), "pip install 'tinygrad-notes[gpu]'"), (12, [], "pip install 'tinygrad-notes[cuda12]'"),
        (13, (), "pip install 'tinygrad-notes[cuda13]'"), (None, (), "pip install 'tinygrad-notes[cuda13]'"),
        (12, ["a", "b"], "pip uninstall a b, then pip install 'tinygrad-notes[cuda12]'"),
    ],
)  # fmt: skip
def test_the_line_that_installs(major, remove, line):
    assert wheels.install(major, iter(remove)) == line


TO_12 = "pip uninstall cupy-cuda11x, then pip install 'tinygrad-notes[cuda12]'"
TO_13 = "pip uninstall cupy-cuda11x, then pip install 'tinygrad-notes[cuda13]'"


@pytest.mark.parametrize(
    ("names", "serves", "cards", "told"),
    [
        ([], 12.4, [9.0], []), (["cupy"], 10.0, [99.0], []), (["cupy-cuda12x"], 12.0, [5.0, 12.1], []),
        (["cupy-cuda12x"], None, [], []), (["cupy-cuda12x"], 13.0, [], []),
        (["cupy-cuda12x"], 11.8, [],
         ["the driver serves CUDA up to 11.8, and cupy-cuda12x needs 12: update the driver to 525.60.13 or "
          "newer; or pip uninstall cupy-cuda12x, then pip install 'tinygrad-notes[gpu]'"]),
        (["cupy-cuda11x"], 10.2, [],
         ["the driver serves CUDA up to 10.2, and cupy-cuda11x needs 11: update the driver to 450.80.02 or "
          "newer"]),
        (["cupy-cuda11x"], 12.4, [12.0, 9.1, 12.0],
         ["the card's compute capability 9.1 is too new for CUDA 11, which ends with 9.0: " + TO_12,
          "the card's compute capability 12.0 is too new for CUDA 11, which ends with 9.0: " + TO_12]),
        (["cupy-cuda11x"], 13.0, [2.0],
         ["the card's compute capability 2.0 is too old for CUDA 11, which begins with 3.5: " + TO_13]),
    ],
)  # fmt: skip
def test_what_does_not_fit(names, serves, cards, told):
    assert wheels.misfits(iter(names), serves, cards) == told


def test_versions_have_two_digits_behind_the_first_point():
    assert [wheels.version(parts) for parts in ((450, 80, 2), (525, 60, 13), (580,))] == [
        "450.80.02", "525.60.13", "580"]  # fmt: skip


@pytest.fixture
def here(monkeypatch):
    """Sets the names that are installed."""

    def make(*names):
        found = [SimpleNamespace(metadata={"Name": name}, version=f"{i}.0") for i, name in enumerate(names)]
        monkeypatch.setattr(importlib.metadata, "distributions", lambda: found)

    return make


def test_wheels_are_known_by_their_names(here):
    here("numpy", "CuPy_CUDA12x", "cupy", "cupy-rocm-5-0", None, "cupyx", "my-cupy-cuda12x", "cupy-stubs")
    assert wheels.installed() == {"cupy": "2.0", "cupy-cuda12x": "1.0", "cupy-rocm-5-0": "3.0"}
    assert list(wheels.installed()) == sorted(wheels.installed())


def test_why_cupy_does_not_load(here):
    missing = ModuleNotFoundError("No module named 'cupy'", name="cupy")
    assert wheels.not_loaded(missing) == (
        "CuPy is not installed; install the extra that matches the driver's CUDA version, e.g. "
        "pip install 'tinygrad-notes[cuda12]'"
    )
    here("cupy-cuda12x")
    framed = ImportError("=====\nFailed\nOriginal error:\n  ImportError: libx.so\n====\n")
    assert wheels.not_loaded(framed) == (
        "CuPy does not load (ImportError: libx.so); see what tinygrad-notes doctor says"
    )
    other = ModuleNotFoundError("No module named 'fastrlock'", name="fastrlock")
    assert wheels.not_loaded(other).startswith("CuPy does not load (No module named 'fastrlock'); ")
    here("cupy-cuda12x", "cupy-cuda13x")
    assert wheels.not_loaded(framed).startswith(
        "cupy-cuda12x and cupy-cuda13x overwrite each other's files: "
    )
