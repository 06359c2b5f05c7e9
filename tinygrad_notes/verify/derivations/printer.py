"""Formulas in the notation of the pages: gy → gx, x̂, Σ, ∘, ᵀ. One walk over the expression, two alphabets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .latex import Latex
from .terminal import Unicode


def latex(formula: Any, ranks: Mapping[str, int] | None = None) -> str:
    """`ranks`: by name, how many axes an array has that is named without letters (2 for a matrix)."""
    return Latex(ranks or {}).text(formula)


def unicode(formula: Any, ranks: Mapping[str, int] | None = None) -> str:
    """As `latex`, for a terminal."""
    return Unicode(ranks or {}).text(formula)
