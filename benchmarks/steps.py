"""One training step (forward, backward, update) and one inference of each network, ours and PyTorch's."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_notes as tg
from tests import twins
from tinygrad_notes import backend
from tinygrad_notes.models.count import multiply_adds, undrawn

from .harness import numbers, torch_device


@dataclass(frozen=True)
class Network:
    """What is timed: factories of both models, the batch, the optimizer and its learning rate."""

    ours: Callable[[], Any]
    torch: Callable[[], Any]
    shape: tuple[int, ...]
    classes: int
    optimizer: str
    lr: float

    @property
    def macs(self) -> int:
        """Multiply-adds of one image's forward, without bias."""
        with undrawn():
            return multiply_adds(self.ours(), self.shape[1:])


# Dropout is off on both sides, so that the losses can be compared; GoogLeNet without auxiliary classifiers.
NETWORKS = {
    "mlp": Network(tg.models.MLP, twins.mlp, (100, 1, 28, 28), 10, "Adam", 1e-3),
    "lenet5": Network(tg.models.LeNet5, twins.lenet5, (128, 1, 32, 32), 10, "Adam", 1e-3),
    "alexnet": Network(
        lambda: tg.models.AlexNet(1000, "notes", dropout=0.0),
        lambda: twins.alexnet(1000, "notes", dropout=0.0),
        (16, 3, 227, 227), 1000, "SGD", 1e-3,
    ),
    "vgg16": Network(
        lambda: tg.models.VGG(16, 1000, dropout=0.0), lambda: twins.vgg(16, 1000, dropout=0.0),
        (2, 3, 224, 224), 1000, "SGD", 1e-3,
    ),
    "googlenet": Network(
        lambda: _without_dropout(tg.models.GoogLeNet(1000, "notes", aux_logits=False)),
        lambda: twins.googlenet(1000, "notes", aux=False),
        (8, 3, 224, 224), 1000, "SGD", 1e-3,
    ),
    "resnet18": Network(
        tg.models.ResNet18, lambda: twins.resnet((2, 2, 2, 2), (64, 128, 256, 512), 1000, "B", True),
        (8, 3, 224, 224), 1000, "SGD", 1e-3,
    ),
}  # fmt: skip


def _without_dropout(model: Any) -> Any:
    for module in model.modules():
        if isinstance(module, tg.nn.Dropout):
            module.p = 0.0
    return model


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
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def torch_step(network: Network, model: Any) -> Callable[[], float]:
    """The same in PyTorch."""
    import torch

    device = torch_device()
    model.to(device)
    optimizer = getattr(torch.optim, network.optimizer)(model.parameters(), lr=network.lr)
    x, y = (torch.from_numpy(array).to(device) for array in batch(network))

    def step() -> float:
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def _both(network: Network) -> tuple[Any, Any]:
    """Our model and PyTorch's, of the same weights."""
    tg.manual_seed(0)
    ours, theirs = network.ours(), network.torch()
    twins.copy_weights(ours, theirs)
    return ours, theirs


def our_forward(network: Network, model: Any) -> Callable[[], np.ndarray]:
    """A function that runs `model` on the batch in evaluation mode, without a graph."""
    model.eval()
    x = tg.Tensor(batch(network)[0])

    def forward() -> np.ndarray:
        with tg.no_grad():
            return np.asarray(model(x).numpy())

    return forward


def torch_forward(network: Network, model: Any) -> Callable[[], np.ndarray]:
    """The same in PyTorch."""
    import torch

    device = torch_device()
    model.to(device).eval()
    x = torch.from_numpy(batch(network)[0]).to(device)

    def forward() -> np.ndarray:
        with torch.no_grad():
            return np.asarray(model(x).cpu().numpy())

    return forward


def check(name: str, commands: dict[str, list[str]]) -> None:
    """Raise unless three steps and a forward from the same weights give the same numbers.

    `commands`: what answers for the frameworks that read a file of `export`, by their names.
    """
    network = NETWORKS[name]
    (ours, theirs), (our_other, their_other) = _both(network), _both(network)
    our_functions = {"step": our_step(network, ours), "forward": our_forward(network, our_other)}
    torch = {"step": torch_step(network, theirs), "forward": torch_forward(network, their_other)}
    losses, logits = numbers(our_functions)
    peers = {"PyTorch": numbers(torch)}
    for peer, command in commands.items():
        done = subprocess.run([*command, "--check"], stdout=subprocess.PIPE, text=True, check=True)
        answer = json.loads(done.stdout)
        peers[peer] = answer["losses"], np.array(answer["logits"])
    for peer, (their_losses, expected) in peers.items():
        if not np.allclose(losses, their_losses, rtol=1e-3, atol=1e-3):
            raise RuntimeError(
                f"{name}: losses differ, {losses} ours, {their_losses} {peer}'s; nothing timed"
            )
        worst = np.abs(logits - expected).max() / np.abs(expected).max()
        if not worst < 1e-3:
            raise RuntimeError(
                f"{name}: logits differ from {peer}'s by {worst:.1e} of the largest; nothing timed"
            )


def export(name: str, file: Path) -> None:
    """What another interpreter needs to run a network: weights in order, the batch, the optimizer."""
    network = NETWORKS[name]
    tg.manual_seed(0)
    state = network.ours().state_dict()
    weights = {f"weights.{k}": v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    images, labels = batch(network)
    np.savez(file, images=images, labels=labels, optimizer=network.optimizer, lr=network.lr, **weights)


def alone(name: str, side: str) -> dict[str, Callable[[], Any]]:
    """The training step and the forward of one side, for a process of its own."""
    network = NETWORKS[name]
    if side == "ours":
        model = network.ours()
        return {"step": our_step(network, model), "forward": our_forward(network, network.ours())}
    prepare = PREPARED.get(side, lambda model: model)
    model, other = prepare(network.torch()), prepare(network.torch())
    return {"step": torch_step(network, model), "forward": torch_forward(network, other)}


def _channels_last(model: Any) -> Any:
    """Weights (and so, behind the first convolution, images) with their channels innermost in memory."""
    import torch

    return model.to(memory_format=torch.channels_last)


def _compiled(model: Any) -> Any:
    import torch

    return torch.compile(model)


PREPARED = {"channels_last": _channels_last, "compile": _compiled}  # other ways to run PyTorch's networks


def graph_bytes(name: str) -> dict[str, int]:
    """Bytes that the graph of one forward holds for its backward: ours and PyTorch's saved tensors.

    Every block of memory counts once, parameters and the batch included.
    """
    import torch

    network = NETWORKS[name]
    images, labels = batch(network)
    x, y = tg.Tensor(images), tg.Tensor(labels)
    ours = held_bytes(tg.nn.functional.cross_entropy(network.ours()(x), y))
    saved: dict[int, int] = {}

    def note(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    inputs = [torch.from_numpy(images), torch.from_numpy(labels)]
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        torch.nn.functional.cross_entropy(network.torch()(inputs[0]), inputs[1])
    return {"ours": ours, "torch": sum(saved.values())}


def held_bytes(loss: Any) -> int:
    """Bytes that the graph below `loss` keeps for its backward."""
    held: dict[int, int] = {}
    stack, seen = [loss._edge[0]], set()
    while stack:
        node = stack.pop()
        if id(node) in seen or not hasattr(node, "kept"):
            continue
        seen.add(id(node))
        stack += [edge[0] for edge in node.edges if edge is not None]
        kept = [v for group in (*node.kept, node.save_inputs) if group for v in group]
        for array in (*kept, *node.attributes.values()):
            if backend.is_array(array):
                held[id(_owner(array))] = _owner(array).nbytes
    return sum(held.values())


def _owner(array: Any) -> Any:
    while backend.is_array(getattr(array, "base", None)):
        array = array.base
    return array
