"""What every test gets: fixed random numbers, the backend it started with, and no plots on a screen.

Warnings are errors (pyproject.toml). ``BACKEND=cupy`` runs the same tests on the CuPy backend; where
there is no GPU, ``PYTHONPATH=tests/standin`` provides a strict stand-in for the module ``cupy``.
"""

import importlib.util
import os
import sys
from pathlib import Path

# Several workers share the cores: PyTorch's threads would wait for each other in turns. NumPy keeps its own,
# so that the threaded kernels are tested as they run; CuPy's stand-in has none of them.
os.environ.setdefault(
    "OPENBLAS_NUM_THREADS", "1" if os.environ.get("BACKEND") == "cupy" else str(os.cpu_count())
)
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

import tinygrad_notes as tg
from tinygrad_notes import backend

ROOT = Path(__file__).resolve().parent.parent
STARTED_WITH = backend.BACKEND
LONGEST = "test_kernels_stay_within_their_arrays", "test_commands_run[README.md]"

os.environ.setdefault("MPLBACKEND", "Agg")
# No deadlines: the first call of a property may load a library. Fixed draws in CI, new ones elsewhere, and in
# `make fuzz`, which sets HYPOTHESIS_PROFILE, many of them.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("fuzz", deadline=None, print_blob=True, max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "here"))


def pytest_report_header() -> list[str]:
    """Which library computes, and which optional ones are there."""
    torch = importlib.util.find_spec("torch")
    parity = "compared with PyTorch" if torch else "PyTorch not installed: parity tests are skipped"
    return [f"backend: {_backend_text()}", parity]


def _backend_text() -> str:
    if STARTED_WITH != "cupy":
        return STARTED_WITH
    file = Path(sys.modules["cupy"].__file__ or "").resolve()
    kind = "the stand-in on the CPU" if file.is_relative_to(ROOT / "tests") else "a GPU"
    return f"cupy, on {kind} ({file.parent})"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first: at the end one worker would be busy with them, and the others idle."""
    items.sort(key=lambda item: not item.name.startswith(LONGEST))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Where no C++ compiler is installed, what runs a kernel in CUDA C on the stand-in is left out."""
    try:
        return (yield)
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and type(cause).__name__ != "NoCompiler":
            cause = cause.__cause__
        if cause is None:
            raise
        pytest.skip(str(cause))


@pytest.fixture(autouse=True)
def _seeded_and_restored():
    tg.manual_seed(0)
    yield
    if backend.BACKEND != STARTED_WITH:
        tg.set_backend(STARTED_WITH)


@pytest.fixture(autouse=True, scope="module")
def _the_stand_in_is_gone_again():
    yield
    if STARTED_WITH == "numpy":
        assert not hasattr(sys.modules.get("cupy"), "_standin"), "import the stand-in by the fixture `gpu`"
