"""One training step (forward, backward, update) of each network, ours and PyTorch's."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygrad_notes as tg
from tests import twins


@dataclass(frozen=True)
class Network:
    """What is timed: factories of both models, the batch, the optimizer and its learning rate."""

    ours: Callable[[], Any]
    torch: Callable[[], Any]
    shape: tuple[int, ...]
    classes: int
    optimizer: str
    lr: float
    macs: int  # multiply-adds of one image's forward, without bias


NETWORKS = {
    "mlp": Network(tg.models.MLP, twins.mlp, (100, 1, 28, 28), 10, "Adam", 1e-3, 1_794_000),
    "lenet5": Network(tg.models.LeNet5, twins.lenet5, (128, 1, 32, 32), 10, "Adam", 1e-3, 416_520),
}


def batch(network: Network) -> tuple[np.ndarray, np.ndarray]:
    """Random images and labels; the same for every framework."""
    rng = np.random.default_rng(0)
    images = rng.standard_normal(network.shape).astype(np.float32)
    return images, rng.integers(0, network.classes, network.shape[0])


def our_step(network: Network, model: Any) -> Callable[[], float]:
    """A function that trains `model` for one step and returns the loss."""
    optimizer = getattr(tg.optim, network.optimizer)(model.parameters(), lr=network.lr)
    x, y = map(tg.Tensor, batch(network))

    def step() -> float:
        loss = tg.nn.functional.cross_entropy(model(x), y)
        model.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def torch_step(network: Network, model: Any) -> Callable[[], float]:
    """The same in PyTorch."""
    import torch

    optimizer = getattr(torch.optim, network.optimizer)(model.parameters(), lr=network.lr)
    x, y = map(torch.from_numpy, batch(network))

    def step() -> float:
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def pair(name: str) -> dict[str, Callable[[], float]]:
    """Both steps from the same weights; raises if their first losses differ by more than 1e-3."""
    network = NETWORKS[name]
    tg.manual_seed(0)
    ours = network.ours()
    theirs = network.torch()
    twins.copy_weights(ours, theirs)
    steps = {"ours": our_step(network, ours), "torch": torch_step(network, theirs)}
    losses = [[steps[side]() for _ in range(3)] for side in ("ours", "torch")]
    if not np.allclose(*losses, rtol=1e-3, atol=1e-3):
        raise RuntimeError(f"{name}: losses differ, {losses[0]} ours, {losses[1]} PyTorch's; nothing timed")
    return steps


def alone(name: str, side: str) -> Callable[[], float]:
    """The step of one side only, to measure its memory in a process of its own."""
    network = NETWORKS[name]
    return our_step(network, network.ours()) if side == "ours" else torch_step(network, network.torch())


def graph_bytes(name: str) -> dict[str, int]:
    """Bytes of activations that the graph of one forward holds: ours and PyTorch's saved tensors.

    Every block of memory counts once; parameters and the input batch do not count.
    """
    import torch

    network = NETWORKS[name]
    images, labels = batch(network)
    model = network.ours()
    x, y = tg.Tensor(images), tg.Tensor(labels)
    loss = tg.nn.functional.cross_entropy(model(x), y)
    outside = {id(_owner(t._data)) for t in (*model.parameters(), x, y)}
    held: dict[int, int] = {}
    stack, seen = [loss._edge[0]], set()  # type: ignore[index]
    while stack:
        node = stack.pop()
        if id(node) in seen or not hasattr(node, "kept"):
            continue
        seen.add(id(node))
        stack += [edge[0] for edge in node.edges if edge is not None]
        arrays = [v for group in (*node.kept, node.save_inputs) if group for v in group]
        for array in (*arrays, *node.attributes.values()):
            if isinstance(array, np.ndarray):
                owner = _owner(array)
                held[id(owner)] = owner.nbytes
    ours = sum(size for key, size in held.items() if key not in outside)

    theirs = network.torch()
    inputs = [torch.from_numpy(images), torch.from_numpy(labels)]
    skip = {t.untyped_storage().data_ptr() for t in (*theirs.parameters(), *inputs)}
    saved: dict[int, int] = {}

    def note(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in skip:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = torch.nn.functional.cross_entropy(theirs(inputs[0]), inputs[1])
    gc.collect()
    return {"ours": ours, "torch": sum(saved.values())}


def _owner(array: Any) -> Any:
    while isinstance(getattr(array, "base", None), np.ndarray):
        array = array.base
    return array
