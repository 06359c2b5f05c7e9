"""Names of arrays and their indices in LaTeX and Unicode: x̂ is `\\hat{x}`, gy is ∂L/∂y, a^i is raised."""

from __future__ import annotations

import unicodedata

SUBSCRIPTS = dict(zip("0123456789+−=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))
SUPERSCRIPTS = dict(zip(
    "0123456789+−=()abcdefghijklmnoprstuvwxyzβ", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᵝ", strict=True,
))  # fmt: skip
GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "varepsilon", "η": "eta", "λ": "lambda",
    "μ": "mu", "ν": "nu", "σ": "sigma", "τ": "tau", "ℓ": "ell",
}  # fmt: skip
ACCENTS = {"\u0302": "hat", "\u0304": "bar", "\u0303": "tilde"}


def superscript(text: str) -> str | None:
    """In small raised letters, or None if there are none."""
    small = [SUPERSCRIPTS.get(c) for c in text if c != " "]
    return "".join(small) if all(small) else None  # type: ignore[arg-type]


def unicode_script(indices: list[str]) -> str | None:
    """Indices in small lowered letters: one of any kind, or several letters; else None."""
    if not indices or (len(indices) > 1 and any(len(i) > 1 for i in indices)):
        return None
    small = [SUBSCRIPTS.get(c) for c in "".join(indices) if c != " "]
    return "".join(small) if all(small) else None  # type: ignore[arg-type]


def unicode_name(name: str) -> str:
    """The superscript of a^i raised, the subscript of W_1 lowered."""
    name, _, low = name.partition("_")
    name, _, high = name.partition("^")
    return name + (superscript(high) or "") + ((unicode_script([low]) or f"_{low}") if low else "")


def latex_name(name: str) -> str:
    return latex_script(name, [])


def latex_script(name: str, indices: list[str]) -> str:
    """A name with its indices: letters stand together, longer ones get commas."""
    name, _, low = unicodedata.normalize("NFD", name).partition("_")
    name, _, high = name.partition("^")
    prefix = ""
    if name[:1] == "g" and len(name) > 1:  # ∂L/∂y, written gy
        prefix, name = r"\mathrm{g}", name[1:]
    accent = ACCENTS.get(name[1:2])
    letter = GREEK.get(name[:1])
    body = f"\\{letter}" if letter else name[:1] if len(name) == 1 or accent else rf"\mathrm{{{name}}}"
    if accent:
        body = rf"\{accent}{{{body}}}"
    below = [latex_name(low) if len(low) == 1 else low, *indices] if low else indices
    compound = any(len(i) > 1 and not i.startswith("\\") for i in below) or (low and indices)
    script = (", " if compound else " " if any("\\" in i for i in below) else "").join(below)
    return f"{prefix}{body}{f'^{{{high}}}' if high else ''}{f'_{{{script}}}' if script else ''}"
