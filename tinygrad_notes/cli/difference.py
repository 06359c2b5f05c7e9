"""``diff``: how the published forms of a network differ, in size and layer by layer."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from ..models.count import SHAPES, undrawn
from ..models.lenet1998 import PartialConv2d
from ..models.variants import VARIANTS, variants
from ..nn import Linear, Module
from . import DONE
from .networks import find_network
from .output import print_json, print_table

MOST_LAYERS = 24


def diff_command(arguments: argparse.Namespace) -> int:
    family = find_network(arguments.model).family
    rows = variants(family)
    layers = different_layers(family)
    if arguments.json:
        names = [row.variant for row in rows]
        found = [{"layer": name, **dict(zip(names, texts, strict=True))} for name, *texts in layers]
        print_json({"model": family, "variants": [asdict(row) for row in rows], "layers": found})
        return DONE
    print_table(
        ["variant", "source", "parameters", "multiply-adds"],
        [[row.variant, row.source, f"{row.parameters:,}", f"{row.macs:,}"] for row in rows],
        left=2,
    )
    print()
    width = max(len(row.variant) for row in rows)
    for row in rows:
        print(f"{row.variant.ljust(width)}  {row.differences}")
    if len({row.initialization for row in rows}) > 1:
        print("\nhow weights start; biases from 0 unless it says otherwise\n")
        for row in rows:
            print(f"{row.variant.ljust(width)}  {row.initialization}")
    if layers:
        print("\nlayers that are not alike in all (same: as in the first)\n")
        shown = [_shortened(row) for row in layers[:MOST_LAYERS]]
        print_table(["layer", *(row.variant for row in rows)], shown, left=len(rows) + 1)
        if len(layers) > MOST_LAYERS:
            print(f"and {len(layers) - MOST_LAYERS} more; --json has them all")
    return DONE


def different_layers(family: str) -> list[list[str]]:
    """[name, text in each variant, ...] of the convolutions and linear layers that are not alike.

    Layers are matched by their place where all variants have as many, else by their name.
    """
    found = []
    for variant in VARIANTS[family]:
        with undrawn():
            model = variant.build()
        layers = [(name, m) for name, m in model.named_modules() if isinstance(m, tuple(SHAPES))]
        found.append({name: _text(m) for name, m in layers})
    if len({len(layers) for layers in found}) == 1:
        first = list(found[0])
        found = [dict(zip(first, layers.values(), strict=True)) for layers in found]
    names = list(dict.fromkeys(name for layers in found for name in layers))
    rows = [[name, *(layers.get(name, "none") for layers in found)] for name in names]
    return [row for row in rows if len(set(row[1:])) > 1]


def _shortened(row: list[str]) -> list[str]:
    name, first, *others = row
    return [name, first, *("same" if text == first else text for text in others)]


def _text(layer: Module) -> str:
    """64→192 5×5 p2 g2, without biases."""
    if isinstance(layer, Linear):
        return f"{layer.in_features}→{layer.out_features}"
    if isinstance(layer, PartialConv2d):
        outputs, inputs, *kernel = layer.shape
        size = "×".join(map(str, kernel))
        return f"{inputs}→{outputs} {size}, {len(layer.weight)} of {inputs * outputs} pairs"
    options: list[tuple[str, Any, Any]] = [
        ("s", layer.stride, 1), ("p", layer.padding, 0), ("g", layer.groups, 1)
    ]  # fmt: skip
    text = f"{layer.in_channels}→{layer.out_channels} {'×'.join(map(str, layer.kernel_size))}"
    for letter, value, usual in options:
        number = value[0] if isinstance(value, tuple) else value
        text += f" {letter}{number}" if number != usual else ""
    return text
