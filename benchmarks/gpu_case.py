"""What a row of ``benchmarks.gpu`` trains: a model of either library, data and loss; and what is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import tinygrad_notes as tg
from tinygrad_notes.autograd import engine
from tinygrad_notes.autograd.function import Function

from . import sequences, steps

TRAFFIC = {"SGD": 4, "Adam": 8}  # how often an update reads or writes an array as large as the weights


@dataclass(frozen=True)
class Case:
    """A training step: `build(library, dropout)` gives a model, `loss(library, model, arrays)` falls."""

    name: str
    build: Callable[[Any, float], Any]
    arrays: list[np.ndarray]
    loss: Callable[[Any, Any, tuple[Any, ...]], Any]
    optimizer: str
    lr: float
    gflop: float  # of forward and backward
    dropout: float = 0.0

    def step(self, library: Any, model: Any, device: str = "cpu") -> Callable[[], Any]:
        """A function that trains `model` for one step and returns the loss, without waiting for it."""
        if library is tg:
            data = tuple(map(tg.Tensor, self.arrays))
        else:
            model.to(device)
            data = tuple(library.from_numpy(array).to(device) for array in self.arrays)
        optimizer = getattr(library.optim, self.optimizer)(model.parameters(), lr=self.lr)

        def step() -> Any:
            loss = self.loss(library, model, data)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return step


def case_of(name: str, tiny: bool = False) -> Case:
    """The case of that name; `tiny`: with so little data that a CPU takes it in a moment."""
    if name in sequences.PAIRS:
        pair = sequences.PAIRS[name]
        shapes = [_small(name, shape) for shape in pair.shapes] if tiny else list(pair.shapes)
        rng = np.random.default_rng(0)
        arrays = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
        return Case(name, pair.build, arrays, pair.run, "Adam", 1e-3, 3 * 2 * pair.gmacs, pair.dropout)
    network = steps.NETWORKS[name]
    if tiny:
        network = replace(network, **TINY[name])
    gflop = 0.0 if tiny else 3 * 2 * network.macs * network.shape[0] / 1e9

    def build(library: Any, dropout: float) -> Any:
        return network.ours() if library is tg else network.torch()

    def loss(library: Any, model: Any, arrays: tuple[Any, ...]) -> Any:
        return library.nn.functional.cross_entropy(model(arrays[0]), arrays[1])

    return Case(name, build, list(steps.batch(network)), loss, network.optimizer, network.lr, gflop)


def _small(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Two sequences; those of the encoder are short, which changes nothing in what is launched."""
    return (2, 8, *shape[2:]) if name == "encoder" else (shape[0], 2, *shape[2:])


# The same layers on less: fewer images, smaller ones where the network takes them, narrow linear layers.
TINY: dict[str, dict[str, Any]] = {
    "mlp": {"shape": (4, 1, 28, 28)},
    "lenet5": {"shape": (4, 1, 32, 32)},
    "alexnet": {
        "ours": lambda: tg.models.AlexNet(10, "notes", dropout=0.0, hidden=32),
        "shape": (1, 3, 227, 227), "classes": 10,
    },
    "vgg16": {
        "ours": lambda: tg.models.VGG(16, 10, variant="torchvision", dropout=0.0, hidden=32),
        "shape": (1, 3, 32, 32), "classes": 10,
    },
    "googlenet": {"shape": (2, 3, 64, 64)},
    "resnet18": {"shape": (2, 3, 64, 64)},
}  # fmt: skip


@contextmanager
def rules_counted() -> Iterator[Counter[str]]:
    """Counts the rules that are run inside a ``with`` block, "forward" and "backward"."""
    counted: Counter[str] = Counter()
    apply, visit = Function.__dict__["apply"], engine._Pass.visit

    def counting_apply(cls: Any, *inputs: Any, **attributes: Any) -> Any:
        counted["forward"] += 1
        return apply.__func__(cls, *inputs, **attributes)

    def counting_visit(self: Any, node: Any, gy: Any) -> None:
        counted["backward"] += sum(kept is not None for kept in node.kept)
        visit(self, node, gy)

    Function.apply = classmethod(counting_apply)  # type: ignore[method-assign]
    engine._Pass.visit = counting_visit  # type: ignore[method-assign]
    try:
        yield counted
    finally:
        Function.apply, engine._Pass.visit = apply, visit  # type: ignore[method-assign]


def traffic(case: Case) -> float:
    """GB that a step moves at least: what the graph keeps is written and read, weights are updated."""
    model = case.build(tg, case.dropout)
    loss = case.loss(tg, model, tuple(map(tg.Tensor, case.arrays)))
    weights = sum(p.data.nbytes for p in model.parameters())
    return (2 * steps.held_bytes(loss) + TRAFFIC[case.optimizer] * weights) / 1e9
