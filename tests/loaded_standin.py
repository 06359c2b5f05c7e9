"""The stand-in for cupy, for tests of itself, and what they compare with."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

STANDIN = Path(__file__).parent / "standin"


@contextmanager
def loaded() -> Iterator[Any]:
    """The stand-in, whichever cupy this process may have imported before."""
    ours = {"cupy", "cupyx"}
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in ours}
    if "cupy" in before and Path(before["cupy"].__file__ or "").is_relative_to(STANDIN):
        yield before["cupy"]
        return
    for name in before:
        del sys.modules[name]
    sys.path.insert(0, str(STANDIN))
    try:
        yield importlib.import_module("cupy")
    finally:
        sys.path.remove(str(STANDIN))
        for name in [name for name in sys.modules if name.partition(".")[0] in ours]:
            del sys.modules[name]
        sys.modules.update(before)


def same(device: Any, host: Any) -> None:
    """`device` is a device array with exactly the dtype, shape and values of `host`."""
    host = np.asarray(host)
    assert type(device).__module__ == "cupy" and not isinstance(device, np.ndarray)
    assert device.dtype == host.dtype and device.shape == host.shape
    np.testing.assert_array_equal(device.get(), host)
