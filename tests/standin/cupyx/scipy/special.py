"""cupyx.scipy.special: the functions that rules use."""

import math

import numpy as np
from cupy._ufunc import ufunc


def _erf(
    x: object, out: np.ndarray | None = None, casting: str = "same_kind", dtype: object = None
) -> np.ndarray:
    values = np.asarray(x)
    # The device computes in float32 or float64 only: every smaller or integer type becomes float64.
    found = np.vectorize(math.erf, otypes=[float])(values).astype(
        np.float32 if values.dtype == np.float32 else float
    )
    if out is None:
        return found
    np.copyto(out, found, casting=casting)
    return out


erf = ufunc("erf", 1, 1, _erf)
