"""What crossed between host and device, and where: one count per line of the calling code.

``syncs``: the host waited for the device (``float(a)``, ``if a:``, ``a.get()``, ``a[mask]``, ``nonzero``).
``transfers``: data was copied, host to device or back.
``launches``: the device got an operation: a kernel, a copy of its own memory, or a fill.
All map ``"file.py:line"`` to a count;
``syncs.total()`` before and after a training step tells whether it waited.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from . import _capture

syncs: Counter[str] = Counter()
transfers: Counter[str] = Counter()
launches: Counter[str] = Counter()

_waits = 0
_HERE = str(Path(__file__).parent.parent)


def reset() -> None:
    """Forget every crossing counted so far."""
    syncs.clear()
    transfers.clear()
    launches.clear()


def synced() -> None:
    """Count one wait of the host; while a stream captures there is nothing to wait for."""
    global _waits
    _capture.forbid("the host waits, or reads a value")
    _waits += 1
    syncs[_caller()] += 1


def waits() -> int:
    """How often the host has waited since the beginning."""
    return _waits


def transferred() -> None:
    """Count one copy between host and device."""
    transfers[_caller()] += 1


def launched() -> None:
    """Count one operation of the device."""
    launches[_caller()] += 1


def _caller() -> str:
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
