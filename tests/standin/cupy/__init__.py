"""A strict stand-in for CuPy on the CPU, for tests: what runs here uses CuPy only as CuPy can be used.

Data lies in private NumPy buffers. Names and parameters are CuPy's (``_names.py``, made from the real
package); an unknown name or keyword raises as on a device. ``_standin`` counts waits, transfers and launches.
Behaves as CuPy 14. CuPy 13 differs: it promotes scalars by value (NumPy 1 rules: a NumPy float64
scalar does not widen a float32 array), and lacks the names of ``ADDED_IN_14``.

Stricter than CuPy, which does these silently: NumPy arrays in any function but the crossings (copied to
the device, or computed on the host), as an index or as the value at an index array; float indices
(truncated); device scalars in slices (a wait); copies of host memory and random numbers in a capture.
FFT and sparse are absent. Values are NumPy's: rounding and the order of sums differ on a device.
"""

# ruff: noqa: F401

from numpy import (
    bool,
    bool_,
    complex64,
    complex128,
    dtype,
    e,
    finfo,
    float16,
    float32,
    float64,
    floating,
    generic,
    iinfo,
    inexact,
    inf,
    int8,
    int16,
    int32,
    int64,
    integer,
    intp,
    nan,
    newaxis,
    number,
    pi,
    signedinteger,
    uint8,
    uint16,
    uint32,
    uint64,
    unsignedinteger,
)
from numpy.exceptions import AxisError

from . import _functions, _names, _standin, cuda, lib, linalg, random
from ._array import ndarray
from ._kernels import ElementwiseKernel, ReductionKernel
from ._raw import RawKernel
from ._ufunc import ufunc

__version__ = _names.VERSION
ADDED_IN_14 = """acos acosh asin asinh astype atan atan2 atanh concat cumulative_sum isdtype matrix_transpose
    permute_dims pow put_along_axis trapezoid"""
is_available = cuda.is_available
get_default_memory_pool = cuda.memory._get_default_memory_pool
get_default_pinned_memory_pool = cuda.pinned_memory._get_default_pinned_memory_pool

globals().update(_functions.build())
globals().update({name: ufunc(name, *counts) for name, counts in _names.UFUNCS.items()})
