"""``python -m benchmarks.precision [--seeds 8]``: what float32 convolutions lose, and what losing less costs.

Everything is compared with the same computation in float64: the gradients of ResNet-18, single convolutions,
and the outputs that do not see a pixel of 10⁶, in both settings of `tg.set_float32_conv_precision`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import tinygrad_notes as tg
from tests import twins
from tinygrad_notes import backend

from . import harness, steps

SETTINGS = ("high", "highest")
IMAGES = (8, 3, 64, 64)
LAYERS = [  # images, channels, size, kernel, channels
    (8, 64, 56, 3, 64), (8, 128, 28, 3, 128), (8, 256, 14, 3, 256), (8, 512, 14, 3, 512), (8, 64, 28, 5, 96),
]  # fmt: skip


@contextmanager
def precision(setting: str) -> Iterator[None]:
    """That setting inside a ``with`` block."""
    before = tg.get_float32_conv_precision()
    tg.set_float32_conv_precision(setting)
    try:
        yield
    finally:
        tg.set_float32_conv_precision(before)


def gradient_errors(seeds: int) -> dict[str, list[float]]:
    """‖g − g₆₄‖/‖g₆₄‖ of ResNet-18's gradients, the median over its parameters, for each seed."""
    errors: dict[str, list[float]] = {name: [] for name in (*SETTINGS, "PyTorch")}
    for seed in range(seeds):
        tg.manual_seed(seed)
        network = steps.NETWORKS["resnet18"]
        ours, theirs = network.ours(), network.torch()
        twins.copy_weights(ours, theirs)
        random = np.random.default_rng(seed)
        x, y = random.standard_normal(IMAGES).astype(np.float32), random.integers(0, 1000, IMAGES[0])
        kept = ours.state_dict()
        exact = _gradients(ours.astype("float64"), x.astype(np.float64), y)
        ours.astype("float32").load_state_dict(kept)
        for setting in SETTINGS:
            with precision(setting):
                errors[setting].append(_median_error(_gradients(ours, x, y), exact))
            ours.load_state_dict(kept)
        errors["PyTorch"].append(_median_error(_torch_gradients(theirs, x, y), exact))
    return errors


def _gradients(model: Any, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    parameters = list(model.parameters())
    loss = tg.nn.functional.cross_entropy(model(tg.Tensor(x)), tg.Tensor(y))
    return [backend.to_numpy(g.numpy()) for g in tg.grad(loss, parameters)]


def _torch_gradients(model: Any, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    import torch

    loss = torch.nn.functional.cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(y))
    return [g.numpy() for g in torch.autograd.grad(loss, list(model.parameters()))]


def _median_error(gradients: list[np.ndarray], exact: list[np.ndarray]) -> float:
    pairs = zip(gradients, exact, strict=True)
    return float(np.median([np.linalg.norm(g - e) / np.linalg.norm(e) for g, e in pairs]))


def layer_errors() -> list[dict[str, Any]]:
    """Of single convolutions: the largest and the rms error in standard deviations of the result, and ms."""
    rows = []
    for n, c, size, k, o in LAYERS:
        random, rest = np.random.default_rng(0), ((1, 1), (k // 2, k // 2), (1, 1), 1)
        x = random.standard_normal((n, size, size, c)).transpose(0, 3, 1, 2)
        w, g = random.standard_normal((o, c, k, k)), random.standard_normal((n, size, size, o))
        x32, w32, g32 = (a.astype(np.float32) for a in (x, w, g.transpose(0, 3, 1, 2)))
        for what, function, arrays in (
            ("y", backend.xp.conv2d, (x32, w32, None)),
            ("gx", backend.xp.conv2d_input_grad, (g32, w32, x.shape)),
            ("gw", backend.xp.conv2d_weight_grad, (g32, x32, w.shape)),
        ):
            exact = function(*(a.astype(float) if isinstance(a, np.ndarray) else a for a in arrays), *rest)
            row: dict[str, Any] = {"name": f"{n} × {c} @ {size}², {k}×{k} → {o}: {what}"}
            for setting in SETTINGS:
                with precision(setting):
                    error = (function(*arrays, *rest) - exact) / exact.std()
                row[f"max, {setting}"] = float(np.abs(error).max())
                row[f"rms, {setting}"] = float(np.sqrt((error**2).mean()))
            rows.append(row | _times(lambda f=function, a=arrays, r=rest: f(*a, *r)))
    return rows


def _times(call: Callable[[], Any], rounds: int = 9) -> dict[str, float]:
    """Median ms of `call` in both settings, alternating."""
    times: dict[str, list[float]] = {setting: [] for setting in SETTINGS}
    for _ in range(rounds):
        for setting in SETTINGS:
            with precision(setting):
                start = time.perf_counter()
                call()
                times[setting].append(1e3 * (time.perf_counter() - start))
    return {f"ms, {setting}": float(np.median(measured)) for setting, measured in times.items()}


def unseen_pixel(size: float = 1e6) -> float:
    """By how much a pixel of `size`, relative to it, moves outputs that do not see it; the largest."""
    random, rest = np.random.default_rng(0), ((1, 1), (1, 1), (1, 1), 1)
    x, w = (random.standard_normal(s).astype(np.float32) for s in ((8, 32, 32, 32), (32, 32, 3, 3)))
    before, moved = backend.xp.conv2d(x, w, None, *rest), 0.0
    for i, j in ((0, 0), (1, 2), (2, 3), (13, 14), (31, 31)):
        changed = x.copy()
        changed[0, 0, i, j] = size
        difference = np.abs(backend.xp.conv2d(changed, w, None, *rest) - before)
        difference[0, :, max(0, i - 1) : i + 2, max(0, j - 1) : j + 2] = 0
        moved = max(moved, float(difference.max()) / size)
    return moved


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.precision", description=__doc__)
    parser.add_argument("--seeds", type=int, default=8, help="of ResNet-18; default 8")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/history.jsonl")
    options = parser.parse_args()
    rows = []
    for setting, errors in gradient_errors(options.seeds).items():
        jumps = sum(error > 1e-4 for error in errors)
        print(f"ResNet-18, {setting}: median {np.median(errors):.1e}; {jumps} of {len(errors)} above 1e-4")
        rows.append(
            {"name": f"gradient error, {setting}", "median": float(np.median(errors)), "jumps": jumps}
        )
    for size in (1e2, 1e3, 1e6):
        moved = unseen_pixel(size)
        print(f"a pixel of {size:g} moves what does not see it by {moved:.1e} of it")
        rows.append({"name": f"unseen pixel of {size:g}", "moved": moved})
    for row in layer_errors():
        print(row["name"], *(f"{key} {row[key]:.2g};" for key in row if key != "name"))
        rows.append(row)
    if options.record:
        harness.record(rows)


if __name__ == "__main__":
    main()
