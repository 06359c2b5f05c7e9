"""``diff``: how the published forms of a network, of a recurrent cell or of a model of sequences differ, in
size and part by part."""

from __future__ import annotations

import argparse
import inspect
from dataclasses import asdict
from typing import Any

import numpy as np

from ..models.cells import CELLS, SEQUENCES, built, cell_rows
from ..models.count import SHAPES, undrawn
from ..models.lenet1998 import PartialConv2d
from ..models.variants import VARIANTS, Row, variants
from ..nn import Linear, Module
from ..verify.source import helpers
from . import DONE
from .networks import find_network
from .operations import plain
from .output import print_json, print_table

MOST_LAYERS = 24


def diff_command(arguments: argparse.Namespace) -> int:
    families = {plain(name): name for name in CELLS | SEQUENCES}
    family, equations = families.get(plain(arguments.model)), dict[str, str]()
    steps = family is not None
    if family is not None:
        rows, layers = cell_rows(family), different_shapes(family)
        equations = cell_equations(family) if family in CELLS else {}
    else:
        family = find_network(arguments.model, others=tuple(families.values())).family
        rows, layers = variants(family), different_layers(family)
    if arguments.json:
        names = [row.variant for row in rows]
        found = [{"layer": name, **dict(zip(names, texts, strict=True))} for name, *texts in layers]
        result = {"model": family, "variants": [asdict(row) for row in rows], "layers": found}
        print_json(result | ({"equations": equations} if equations else {}))
        return DONE
    _print_sizes(rows, "multiply-adds of a step" if steps else "multiply-adds")
    if layers:
        what = "parameters" if steps else "layers"
        print(f"\n{what} that are not alike in all (same: as in the first)\n")
        shown = [_shortened(row) for row in layers[:MOST_LAYERS]]
        print_table([what[:-1], *(row.variant for row in rows)], shown, left=len(rows) + 1)
        if len(layers) > MOST_LAYERS:
            print(f"and {len(layers) - MOST_LAYERS} more; --json has them all")
    for text in dict.fromkeys(equations.values()):
        print(f"\n{', '.join(name for name, other in equations.items() if other == text)}: {text}")
    return DONE


def _print_sizes(rows: list[Row], macs: str) -> None:
    """A line for each form, its difference in words, and how it starts where they do not start alike."""
    print_table(
        ["variant", "source", "parameters", macs],
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


def different_shapes(cell: str) -> list[list[str]]:
    """[name, shape in each form, ...] of the parameters of a cell or model that are not alike in all."""
    shapes = [{name: str(p.shape) for name, p in layer.named_parameters()} for layer in built(cell).values()]
    names = list(dict.fromkeys(name for found in shapes for name in found))
    rows = [[name, *(found.get(name, "none") for found in shapes)] for name in names]
    return [row for row in rows if len(set(row[1:])) > 1]


def cell_equations(cell: str) -> dict[str, str]:
    """For each form the formula of the operation that its layer runs, and the code of one step of it."""
    found = {}
    for name, layer in built(cell).items():
        x = np.zeros((1, 1, layer.input_size), np.float32)  # type: ignore[attr-defined]
        operation = layer(x)[0]._edge[0].operation
        steps = [h for h in helpers(operation) if {"a", "h"} <= set(inspect.signature(h).parameters)]
        formula = inspect.cleandoc(operation.__doc__).partition("\n")[0]
        found[name] = "\n\n".join([formula, *(inspect.getsource(step).rstrip() for step in steps)])
    return found


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
