"""The error function, which NumPy lacks. plain/arrays.py has the series that it must equal.

`erf` feeds `erf_block` blocks that fit the cache, since that makes up to sixty passes over them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any

BLOCK = 4096  # elements: a few temporaries of this length stay in the cache

# erf x = x T(x²)/U(x²) for |x| < 1;  1 − erf x = e^(−x²) P(x)/Q(x) beyond: Cephes (Moshier 1989), ndtr.c;
# P and Q as far as x = 6, where erf x is 1 in float64. Coefficients from the highest power down.
T = (9.60497373987051638749, 9.00260197203842689217e1, 2.23200534594684319226e3,
     7.00332514112805075473e3, 5.55923013010394962768e4)  # fmt: skip
U = (1.0, 3.35617141647503099647e1, 5.21357949780152679795e2, 4.59432382970980127987e3,
     2.26290000613890934246e4, 4.92673942608635921086e4)  # fmt: skip
P = (2.46196981473530512524e-10, 5.64189564831068821977e-1, 7.46321056442269912687,
     4.86371970985681366614e1, 1.96520832956077098242e2, 5.26445194995477358631e2,
     9.34528527171957607540e2, 1.02755188689515710272e3, 5.57535335369399327526e2)  # fmt: skip
Q = (1.0, 1.32281951154744992508e1, 8.67072140885989742329e1, 3.54937778887819891062e2,
     9.75708501743205489753e2, 1.82390916687909736289e3, 2.24633760818710981792e3,
     1.65666309194161350182e3, 5.57535340817727675546e2)  # fmt: skip


# float32: erf x = tanh(x R(x²)) with R fitted on |x| < 3.95 to 3e-8, a tenth of a unit in the last place
R = (-1.6394533e-9, 5.38797294e-8, -5.146974629e-7, -1.8631550966e-6, 7.649531509622e-5,
     -6.036889728567e-4, -2.021466404469e-4, 1.027713136697533e-1, 1.128379202395792)  # fmt: skip


def erf_block(np: Any, x: Array) -> Array:
    """erf x = 2/√π ∫₀ˣ e^(−t²) dt for a float32 or float64 array, in its dtype."""
    if x.dtype == "float32":
        return np.tanh(x * _polynomial(R, np.minimum(x * x, 15.6)))
    size = np.abs(x)
    near = np.minimum(size, 1)
    far = np.minimum(size, 6)
    inner = near * _ratio(T, U, near * near)
    outer = 1 - np.exp(-far * far) * _ratio(P, Q, far)
    return np.copysign(np.where(size < 1, inner, outer), x)


def erf(x: Array) -> Array:
    """erf x in the dtype of x (float64 for integers; float16 by way of float32)."""
    x = np.asarray(x)
    if x.dtype.kind != "f":
        x = x.astype(np.float64)
    if x.dtype == np.float16:
        return erf(x.astype(np.float32)).astype(np.float16)
    y = np.empty(x.shape, x.dtype)
    flat, out = x.reshape(-1), y.reshape(-1)
    for start in range(0, x.size, BLOCK):
        part = slice(start, start + BLOCK)
        out[part] = erf_block(np, flat[part])
    return y


def _ratio(numerator: tuple[float, ...], denominator: tuple[float, ...], x: Array) -> Array:
    return _polynomial(numerator, x) / _polynomial(denominator, x)


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    """Horner's rule."""
    y = x * coefficients[0] + coefficients[1]
    for c in coefficients[2:]:
        y *= x
        y += c
    return y
