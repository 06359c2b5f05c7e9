"""How exact convolutions and products of float32 are: two settings, from which kernels are chosen.

Other dtypes do not change: float64 is always computed in float64; float16 is added up in float32.
"""

from __future__ import annotations

import os

CONVOLUTIONS = ("high", "highest")
PRODUCTS = ("highest", "high", "half")

_convolutions = "high"
_products = "highest"


def set_float32_conv_precision(precision: str) -> None:
    """How exact convolutions of float32 are: "high" (the default) or "highest".

    "high" takes Winograd's algorithm for 3×3 and 5×5 kernels of stride 1 and 16 or 32 channels and more. Its
    rounding errors are about three times those of the direct sum, 0.8·10⁻⁶ of the result's standard deviation
    instead of 0.3·10⁻⁶ with 64 channels. "highest" always takes the direct sum, in up to twice the time
    (docs/performance.md has the table). float64 always takes the direct sum, float16 is computed in float32.
    On a GPU "high" takes Winograd's algorithm for 3×3 kernels of float32 where it is less work by count, and
    only while products are "highest". The environment variable FLOAT32_CONV_PRECISION says it at the start.

    Raises ValueError for another word.
    """
    global _convolutions
    _check("set_float32_conv_precision", "FLOAT32_CONV_PRECISION", CONVOLUTIONS, precision)
    _convolutions = precision


def get_float32_conv_precision() -> str:
    """What `set_float32_conv_precision` set: "high" or "highest"."""
    return _convolutions


def set_float32_matmul_precision(precision: str) -> None:
    """How exact products of float32 matrices are on a GPU: "highest" (the default), "high" or "half".

    "highest" multiplies float32. "high" rounds the factors to TF32, 11 significant bits with the exponents of
    float32; "half" lets cuBLAS take float16, 11 significant bits as well, in which numbers above 65504 become
    infinite and those below 6·10⁻⁵ lose digits. Sums are float32 in all three. With rounded factors each
    product of two numbers is off by up to 2⁻¹⁰ of it, so (A B)ᵢₖ by up to 2⁻¹⁰ Σⱼ |aᵢⱼ bⱼₖ|: three digits of
    seven. On NumPy all three are "highest". The environment variable FLOAT32_MATMUL_PRECISION says it at the
    start.

    Raises ValueError for another word.
    """
    global _products
    _check("set_float32_matmul_precision", "FLOAT32_MATMUL_PRECISION", PRODUCTS, precision)
    _products = precision


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` set: "highest", "high" or "half"."""
    return _products


def words() -> tuple[str, str]:
    """Both settings, of convolutions and of products."""
    return _convolutions, _products


def read_environment() -> None:
    """Set both as the environment says.

    Raises ValueError for a word that is none of theirs.
    """
    set_float32_conv_precision(os.environ.get("FLOAT32_CONV_PRECISION") or "high")
    set_float32_matmul_precision(os.environ.get("FLOAT32_MATMUL_PRECISION") or "highest")


def _check(function: str, variable: str, words: tuple[str, ...], given: object) -> None:
    if not isinstance(given, str) or given not in words:
        choices = " or ".join(map(repr, words)) if len(words) == 2 else ", ".join(map(repr, words))
        raise ValueError(f"{function} (or {variable}): precision must be {choices}; got {given!r}")
