"""What a network looks at, as PNG files: its first weights, its feature maps, its mistakes (Matplotlib)."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from ...autograd import Tensor, no_grad
from ...data import ArrayDataset
from ...nn import Conv2d, Linear, Module
from ...train.plots import new_figure
from ..lettering import Lettering

Path = str | os.PathLike[str]
MOST_FILTERS, MOST_MISTAKES, LAYERS, CHANNELS = 96, 24, 4, 16


def filters(model: Module, shape: tuple[int, ...], path: Path) -> None:
    """The weights of the first layer as images: in their colors where it sees three channels (gray is
    0), else red for positive and blue for negative ones.

    Every filter is scaled by its largest weight. A linear layer's rows are images of `shape` (C, H, W).
    """
    layers = [m for m in model.modules() if isinstance(m, Conv2d | Linear)]
    weight = layers[0].weight.numpy()
    if isinstance(layers[0], Linear):
        if weight.shape[1] != math.prod(shape):
            return
        weight = weight.reshape(-1, *shape)
    first = weight[:MOST_FILTERS]
    largest = np.abs(first).max(axis=(1, 2, 3), keepdims=True)
    tiles = 0.5 + 0.5 * first / np.where(largest > 0, largest, 1)
    in_color = tiles.shape[1] == 3
    if not in_color:
        tiles = tiles[:, :1]
    columns = max(4, math.ceil(math.sqrt(2 * len(tiles))))
    size = "×".join(map(str, weight.shape[2:]))
    count = f"{len(first)} of {len(weight)}" if len(first) < len(weight) else f"{len(weight)}"
    mosaic = _mosaic(tiles, columns, ground=1.0 if in_color else np.nan)
    figure = new_figure(8, 0.4 + 7.9 * mosaic.shape[0] / mosaic.shape[1])
    axes = figure.subplots()
    _show(axes, mosaic, 0.0, 1.0, "RdBu_r")
    scale = "gray is 0" if in_color else "red is positive, blue negative"
    title = f"weights of the first layer: {count} filters of {size}, {scale}"
    axes.set_title(title, loc="left", fontsize=11)
    figure.savefig(path, dpi=144)


def feature_maps(model: Module, dataset: ArrayDataset, images: Any, path: Path) -> None:
    """The first image of `dataset`, and what convolutions at four depths make of it.

    `images` (1, C, H, W) is that image as the network gets it. Each channel has its own scale.
    """
    maps = _outputs(model, images)
    if not maps:
        return
    places = np.unique(np.linspace(0, len(maps) - 1, LAYERS).round().astype(int))
    figure = new_figure(12, 3.05)
    grid = figure.subplots(1, len(places) + 1)
    _show(grid[0], picture(dataset.images[0]), 0.0, 1.0)
    name = _short(dataset.classes[dataset.labels[0]])
    lettering = Lettering([name], signs=False)
    grid[0].set_title(f"input\n{lettering.of(name)}", loc="left", fontsize=10, fontfamily=lettering.family)
    for axes, place in zip(grid[1:], places, strict=True):
        name, output = maps[place]
        channels = output[:CHANNELS]
        low, high = (f(channels, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
        scaled = (channels - low) / np.where(high > low, high - low, 1)
        height, width = output.shape[1:]
        _show(axes, _mosaic(scaled[:, None], 4, ground=np.nan), 0.0, 1.0, "viridis")
        title = f"{name}\n{len(channels)} of {len(output)} maps, {height}×{width}"
        axes.set_title(title, loc="left", fontsize=10)
    lettering.save(figure, path)


def mistakes(dataset: ArrayDataset, predicted: np.ndarray, path: Path) -> None:
    """Up to 24 of the images that were taken for another class, evenly over the set; files are named."""
    wrong = np.flatnonzero(predicted != dataset.labels)
    chosen = wrong[np.linspace(0, len(wrong) - 1, min(len(wrong), MOST_MISTAKES)).round().astype(int)]
    columns = 8
    rows = max(1, math.ceil(len(chosen) / columns))
    files = getattr(dataset, "files", None)
    texts = [_said(dataset, files, predicted, index) for index in chosen]
    lettering = Lettering((line for text in texts for line in text), signs=False)
    figure = new_figure(10, 0.4 + (1.72 if files is None else 1.88) * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, index, text in zip(grid.flat, chosen, texts, strict=False):
        _show(axes, picture(dataset.images[index]), 0.0, 1.0)
        title = "\n".join(map(lettering.of, text))
        axes.set_title(title, fontsize=9, linespacing=1.15, fontfamily=lettering.family)
    title = f"{len(wrong):,} of {len(dataset):,} taken for another class (what was said, what it is)"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    lettering.save(figure, path)


def _said(dataset: ArrayDataset, files: Any, predicted: np.ndarray, index: int) -> list[str]:
    """The name of its file, if it has one, what was said, what it is."""
    said, true = (_short(dataset.classes[label]) for label in (predicted[index], dataset.labels[index]))
    return [*([] if files is None else [_end(files[index].name)]), f"{said}?", true]


def picture(image: np.ndarray) -> np.ndarray:
    """(C, H, W) as stored → (H, W, 3) in [0, 1]."""
    values = image / 255 if image.dtype == np.uint8 else (image - image.min()) / max(np.ptp(image), 1e-12)
    return np.broadcast_to(np.moveaxis(values, 0, -1)[..., :3], (*image.shape[1:], 3))


def _outputs(model: Module, images: Any) -> list[tuple[str, np.ndarray]]:
    """(name, output (C, H, W)) of every convolution that sees `images`, in the order they run."""
    found: list[tuple[str, np.ndarray]] = []

    def watched(name: str, module: Module) -> Any:
        def run(x: Any) -> Any:
            y = forward(x)
            if min(y.shape[2:]) > 1:
                found.append((name, y.numpy()[0]))
            return y

        forward = module.forward
        return run

    layers = [(name, m) for name, m in model.named_modules() if isinstance(m, Conv2d)]
    mode = model.training
    model.eval()
    try:
        for name, module in layers:
            module.forward = watched(name, module)  # type: ignore[method-assign]
        with no_grad():
            model(images if isinstance(images, Tensor) else Tensor(images))
    finally:
        model.train(mode)
        for _, module in layers:
            vars(module).pop("forward", None)  # the class's own is back
    return found


def _mosaic(tiles: np.ndarray, columns: int, ground: float) -> np.ndarray:
    """(N, C, H, W) → one image (rows, columns, C) with narrow lines of `ground` between the tiles.

    Small tiles are magnified: a pixel becomes several.
    """
    times = -(-48 // max(tiles.shape[2:]))
    tiles = tiles.repeat(times, axis=2).repeat(times, axis=3)
    count, channels, height, width = tiles.shape
    gap = max(2, max(height, width) // 24)
    rows = math.ceil(count / columns)
    image = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), ground)
    for i, tile in enumerate(tiles):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        image[top : top + height, left : left + width] = np.moveaxis(tile, 0, -1)
    return image


def _show(axes: Any, image: np.ndarray, low: float, high: float, colors: str = "gray") -> None:
    axes.imshow(image[..., 0] if image.shape[2] == 1 else image, cmap=colors, vmin=low, vmax=high,
                interpolation="nearest")  # fmt: skip
    axes.axis("off")


def _end(name: str) -> str:
    """Of a long name of a file the end, which has its number."""
    return name if len(name) <= 16 else f"…{name[-15:]}"


def _short(name: str) -> str:
    return name if len(name) <= 16 else f"{name[:15]}…"
