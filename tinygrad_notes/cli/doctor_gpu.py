"""What ``doctor`` says of GPUs: driver, cards, CuPy's wheel, and whether they fit each other.

The driver is asked through its own program, nvidia-smi, and through CuPy where that is installed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import warnings
from typing import Any

from ..backend import wheels

FIELDS = "name,driver_version,memory.total"
MORE = f"{FIELDS},memory.free,compute_cap"  # an older driver may not know the last


def look() -> tuple[dict[str, str], dict[str, Any]]:
    """The rows of the table about GPUs, and the same facts for programs.

    The facts: ``driver`` and the newest CUDA that it ``serves``; ``cards``; CuPy's ``wheels``, its CUDA
    ``runtime`` and ``nvrtc``; ``problems``, each a sentence; ``install``, the line that fits. What cannot be
    had is None.
    """
    said, cards = _cards()
    loaded, cupy = _cupy()
    if not cards and loaded.get("cards"):  # a machine without nvidia-smi, such as a Jetson
        cards = loaded["cards"]
        said = f"{said}; CuPy finds {'; '.join(map(_card, cards))}"
    driver = cards[0].get("driver") if cards else None
    serves = loaded.get("driver") or _served() or _by_number(driver)
    here = wheels.installed()
    facts: dict[str, Any] = {
        "driver": driver,
        "serves": serves,
        "cards": cards,
        "wheels": here,
        "runtime": loaded.get("runtime"),
        "nvrtc": loaded.get("nvrtc"),
    }
    facts["problems"] = _problems(facts)
    capabilities = _capabilities(facts)
    right = wheels.best(None if serves is None else int(float(serves)), capabilities)
    facts["install"] = None if serves is None else wheels.install(right)
    named = " ".join(f"{name} {version}" for name, version in here.items())
    return {
        "gpu": said,
        "cuda": _cuda(facts),
        "cupy": f"{named}, {cupy}" if named else cupy,
        "fit": _fit(facts),
    }, facts


def _cuda(facts: dict[str, Any]) -> str:
    driver = f"the driver serves up to {facts['serves']}" if facts["serves"] else "no driver"
    of_cupy = [f"{name} {facts[key]}" for key, name in (("runtime", "runtime"), ("nvrtc", "NVRTC"))
               if facts[key]]  # fmt: skip
    return ", ".join([driver, *of_cupy])


def _fit(facts: dict[str, Any]) -> str:
    """What does not fit and the command that mends it; without a driver, the command for each."""
    if facts["problems"]:
        return "; ".join(facts["problems"])
    if facts["serves"] is None:
        lines = ", ".join(f"{wheels.install(major)} for CUDA {major}" for major in wheels.WHEELS)
        return f"nothing to fit without a driver; with one: {lines}"
    return "yes"


def _capabilities(facts: dict[str, Any]) -> list[float]:
    found = [card.get("compute_capability") for card in facts["cards"]]
    return [capability for capability in found if capability is not None]


def _problems(facts: dict[str, Any]) -> list[str]:
    serves = None if facts["serves"] is None else float(facts["serves"])
    capabilities = _capabilities(facts)
    names = list(facts["wheels"])
    told = wheels.misfits(names, serves, capabilities)
    if told or serves is None:
        return told
    if not names:
        right = wheels.best(int(serves), capabilities)
        if right is None:
            return [f"the driver serves CUDA up to {serves}, and CuPy needs 11.2: update the driver"]
        return [f"CuPy is not installed: {wheels.install(right)}"]
    if facts["runtime"] and not facts["nvrtc"]:
        major = wheels.major_of(names)
        if major is not None and major >= 12:
            brings = f"pip install '{wheels.WHEELS[major].package}[ctk]'"
        else:
            brings = "install the CUDA Toolkit of the wheel's version"
        return [f"NVRTC, the compiler of the kernels, is missing: {brings}"]
    return []


def _ask(*words: str) -> tuple[int, str]:
    """The exit code and the words of nvidia-smi; -1 and why if there are none."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return -1, "no NVIDIA driver found"
    try:
        said = subprocess.run([tool, *words], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return -1, f"nvidia-smi does not answer ({error})"
    return said.returncode, said.stdout if said.stdout.strip() else said.stderr


def _cards() -> tuple[str, list[dict[str, Any]]]:
    """What the driver says of each GPU: as a text, and as {name, driver, total, free, compute_capability}."""
    for fields in (MORE, FIELDS):
        code, text = _ask(f"--query-gpu={fields}", "--format=csv,noheader")
        if code != 2:  # a field that this driver does not know
            break
    if code == -1:
        return text, []
    rows = [line.split(", ") for line in text.strip().splitlines()]
    if code != 0 or not all(len(row) in (3, 5) for row in rows):
        return f"nvidia-smi: {' '.join(text.split()) or 'no answer'}", []
    cards = []
    for name, driver, total, *more in rows:
        card = {"name": name, "driver": driver, "total": total}
        if more:
            card |= {"free": more[0], "compute_capability": _number(more[1])}
        cards.append(card)
    return "; ".join(map(_card, cards)), cards


def _card(card: dict[str, Any]) -> str:
    driver = f", driver {card['driver']}" if "driver" in card else ""
    free = f" ({card['free']} free)" if "free" in card else ""
    capability = card.get("compute_capability")
    known = f", compute capability {capability}" if capability is not None else ""
    return f"{card['name']}{driver}, {card['total']}{free}{known}"


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d+\.\d+", text) else None


def _served() -> str | None:
    """The newest CUDA that the driver serves, from the head of nvidia-smi's table."""
    code, text = _ask()
    found = re.search(r"CUDA (?:UMD )?Version *: *(\d+\.\d+)", text) if code == 0 else None
    return found[1] if found else None


def _by_number(driver: str | None) -> str | None:
    major = wheels.served(driver) if driver else None
    return None if major is None else f"{major}.0"


def _cupy() -> tuple[dict[str, Any], str]:
    """Versions and cards as CuPy sees them, and whether it can use them, in words."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of two wheels at once: it is told below
            from ..backend import gpu
    except (ImportError, OSError) as error:  # OSError: it makes a folder for its cache
        if isinstance(error, ModuleNotFoundError) and error.name == "cupy":
            return {}, "not installed"
        return {}, f"it does not load ({' '.join(str(error).split())})"
    loaded: dict[str, Any] = dict(gpu.devices.versions())
    why = gpu.why_unusable()
    if why is None:
        try:
            loaded["cards"] = [
                {"name": card.name, "compute_capability": card.compute_capability,
                 "free": f"{card.free >> 20} MiB", "total": f"{card.total >> 20} MiB"}
                for card in gpu.devices.cards()
            ]  # fmt: skip
        except Exception as error:  # a card in trouble raises nearly anything
            why = f"the GPU does not answer ({' '.join(str(error).split())})"
    return loaded, why or "GPU usable"
