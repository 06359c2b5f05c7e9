"""cupy.lib.stride_tricks: views by shape and strides, unchecked."""

from typing import Any

import numpy as np

from .. import _device
from .._array import ndarray


def as_strided(x: ndarray, shape: Any = None, strides: Any = None) -> ndarray:
    """View of `x`. As in CuPy it does not know `x` as its base: ``.base`` is None."""
    data = _device.array_argument(x, "as_strided")
    shape = data.shape if shape is None else _device.host_argument(shape, "as_strided: shape")
    strides = data.strides if strides is None else _device.host_argument(strides, "as_strided: strides")
    return ndarray._of(np.lib.stride_tricks.as_strided(data, shape, strides))


def sliding_window_view(
    x: ndarray, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> ndarray:
    """View of every window of `x`."""
    data = _device.array_argument(x, "sliding_window_view")
    window_shape = _device.host_argument(window_shape, "sliding_window_view: window_shape")
    return ndarray._of(np.lib.stride_tricks.sliding_window_view(data, window_shape, axis, writeable=True))
