"""``summary`` and ``graph``: what a network is made of, and what its forward records."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.graph import Entry, graph
from ..data.windows import Around
from ..models.count import undrawn
from ..models.summary import sample, summary
from ..nn import Module
from ..tasks import find_task
from ..train.config import read_task
from ..train.options import RunError
from ..train.run import load_trained
from . import DONE
from .chain import loss_of
from .networks import all_networks, find_network
from .operations import plain
from .output import print_json, print_table


def summary_command(arguments: argparse.Namespace) -> int:
    """Of a network, by its name, or of the model of a run, by its folder. A name that is both is a network:
    ./lenet5 is the folder."""
    head, model, inputs = _chosen(arguments.model, arguments.variant)
    layers = summary(model, *inputs)
    texts = type(inputs[0]) is not tuple
    numbers = ("parameters",) if texts else ("parameters", "macs")  # those of scores are not counted
    totals = {name: sum(getattr(layer, name) for layer in layers) for name in numbers}
    shapes = [_shape_of(given) for given in inputs]
    if arguments.json:
        kept = {"name", "kind", "weight", "shape", *numbers}
        rows = [{name: value for name, value in asdict(layer).items() if name in kept} for layer in layers]
        print_json({**head, "input_shape": [n for shape in shapes for n in shape], **totals, "layers": rows})
        return DONE
    told = " and ".join(_shape(shape) + " ids" * (texts and len(shape) == 1) for shape in shapes)
    print(f"{' of '.join(head.values())}, input {told}\n")
    print_table(
        ["layer", "kind", "weight", "output", "parameters", "multiply-adds"][: 4 + len(numbers)],
        [
            [x.name, x.kind, _shape(x.weight or ""), _shape(x.shape),
             *(f"{getattr(x, name):,}" for name in numbers)]
            for x in layers
        ] + [["total", "", "", "", *(f"{total:,}" for total in totals.values())]],
        left=2,
    )  # fmt: skip
    return DONE


Chosen = tuple[dict[str, str], Module, tuple[Any, ...]]


def _chosen(word: str, variant: str | None) -> Chosen:
    """What a model is called, the model, its weights 0, and a sample of what it reads."""
    known = plain(word) in all_networks()
    if os.sep in word or (not known and Path(word).is_dir()):
        return _of_run(Path(word), variant)
    try:
        network = find_network(word, variant)
    except ValueError as error:
        raise ValueError(str(error) if known else f"{error}; nor is there a folder of that name") from None
    model = network.undrawn()
    return {"model": network.name}, model, network.inputs(model)


def _of_run(folder: Path, variant: str | None) -> Chosen:
    if variant is not None:
        raise RunError(f"--variant is of a network by its name, and {folder} is a run: leave it out")
    task = find_task(read_task(folder))
    config, _ = load_trained(task, folder)
    with undrawn():
        model = task.build(config.settings, config.facts)
    head = {"model": config.settings.model, "run": str(folder)}
    return head, model, task.sample(config.settings, config.facts)


def _shape_of(given: Any) -> tuple[int, ...]:
    """That of one sample: of an image or a row of a table, of a text, of the words of a window."""
    if type(given) is tuple:
        return given
    array: np.ndarray = given.words if isinstance(given, Around) else given
    return array.shape[1:]


def graph_command(arguments: argparse.Namespace) -> int:
    output, names = _example() if arguments.model is None else _network(arguments.model)
    entries = graph(output, names)
    if arguments.json:
        print_json({"nodes": [asdict(entry) for entry in entries]})
    elif arguments.dot:
        print(_dot(entries))
    else:
        kept = sum(entry.kept_bytes for entry in entries)
        print_table(
            ["", "made by", "shape", "from", "keeps for the backward"],
            [
                [f"%{e.number}", e.operation or e.name, _shape(e.shape),
                 " ".join(f"%{i}" if i is not None else "·" for i in e.inputs), ", ".join(e.keeps)]
                for e in entries
            ],
            left=5,
        )  # fmt: skip
        print(f"\n{len(entries)} nodes; the graph holds {kept:,} bytes of arrays (· is a constant)")
    return DONE


def _example() -> tuple[Tensor, dict[str, Tensor]]:
    """loss = mean (σ(x w + b) − t)²."""
    rng = np.random.default_rng(0)
    x, t = Tensor(rng.normal(size=(4, 3))), Tensor(rng.normal(size=(4, 2)))
    w, b = Tensor(rng.normal(size=(3, 2)), requires_grad=True), Tensor(np.zeros(2), requires_grad=True)
    from ..ops.activation import sigmoid

    return ((sigmoid(x @ w + b) - t) ** 2).mean(), {"w": w, "b": b}


def _network(name: str) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of one image, or of one text."""
    network = find_network(name)
    model = network.build().eval()
    outputs = model(*map(sample, network.inputs(model)))
    return loss_of(network, outputs), dict(model.named_parameters())


def _dot(entries: list[Entry]) -> str:
    """Graphviz: parameters are boxes, operations ellipses; edges point where the values go."""
    lines = ["digraph graph_of_the_forward {", "  rankdir=TB; node [fontname=Helvetica];"]
    for entry in entries:
        label = f"{entry.operation or entry.name}\\n{_shape(entry.shape)}"
        look = "shape=ellipse" if entry.operation else 'shape=box, style=filled, fillcolor="#dbe7ff"'
        lines.append(f'  n{entry.number} [label="{label}", {look}];')
        lines += [f"  n{i} -> n{entry.number};" for i in entry.inputs if i is not None]
    return "\n".join([*lines, "}"])


def _shape(shape: Any) -> str:
    if shape == ():
        return "scalar"
    return "did not run" if shape is None else "×".join(map(str, shape))
