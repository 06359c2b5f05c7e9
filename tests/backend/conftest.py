"""The CuPy backend on the stand-in, in any session."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tinygrad_notes import backend

STANDIN = Path(__file__).resolve().parents[1] / "standin"
OURS = ("cupy", "cupyx", "tinygrad_notes.backend.gpu")


def _is_ours(name: str) -> bool:
    return name in OURS or name.startswith(tuple(f"{ours}." for ours in OURS))


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The namespace of CuPy as the backend in use; where the session is on NumPy, CuPy is the stand-in."""
    if backend.BACKEND == "cupy":
        yield backend.xp
        return
    before = {name: module for name, module in sys.modules.items() if _is_ours(name)}
    for name in before:
        del sys.modules[name]
    known = vars(backend).pop("gpu", None)
    monkeypatch.syspath_prepend(str(STANDIN))
    try:
        with backend.use_backend("cupy"):
            yield backend.xp
    finally:
        for name in [name for name in sys.modules if _is_ours(name)]:
            del sys.modules[name]
        sys.modules.update(before)
        vars(backend).pop("gpu", None)
        if known is not None:
            backend.gpu = known  # type: ignore[attr-defined]


@pytest.fixture
def standin(gpu: Any) -> Any:
    """What the stand-in counts, at zero; a card counts nothing."""
    cupy = sys.modules["cupy"]
    if not hasattr(cupy, "_standin"):
        pytest.skip("a real GPU computes here")
    cupy._standin.reset()
    return cupy._standin
