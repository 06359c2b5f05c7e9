"""Training steps of the sequence models, and one step of cached generation: ours and PyTorch's.

Both sides have the same weights and data; `check` compares their losses before anything is timed. Dropout is
on in what is timed where the row says so, and off in the comparison.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygrad_notes as tg
from tinygrad_notes import backend

from .harness import torch_device

Step = Callable[[], Any]


@dataclass(frozen=True)
class Pair:
    """`build(library, dropout)` gives a model; `run(library, model, arrays)` a loss, or what is generated."""

    build: Callable[[Any, float], Any]
    run: Callable[[Any, Any, tuple[Any, ...]], Any]
    shapes: tuple[tuple[int, ...], ...]
    gmacs: float  # multiply-adds of one forward, in 10⁹
    dropout: float = 0.0
    trains: bool = True


def _recurrent(kind: str) -> Pair:
    def run(library: Any, model: Any, arrays: tuple[Any, ...]) -> Any:
        x, target = arrays
        y, _ = model(x)
        return library.nn.functional.mse_loss(y, target)

    gates = {"LSTM": 4, "GRU": 3}[kind]
    return Pair(lambda library, _: getattr(library.nn, kind)(128, 256), run,
                ((50, 64, 128), (50, 64, 256)), 50 * 64 * gates * 256 * (128 + 256) / 1e9)  # fmt: skip


LENGTHS = np.random.default_rng(1).integers(10, 51, 32)
LENGTHS[0] = 50


def _padded(library: Any, model: Any, arrays: tuple[Any, ...]) -> Any:
    x, target = arrays
    if library is tg:
        y, _ = model(x, lengths=LENGTHS)
    else:
        rnn = library.nn.utils.rnn
        packed = rnn.pack_padded_sequence(x, library.from_numpy(LENGTHS), enforce_sorted=False)
        y, _ = rnn.pad_packed_sequence(model(packed)[0])
    return library.nn.functional.mse_loss(y, target)


def _encoder(library: Any, dropout: float) -> Any:
    layer = library.nn.TransformerEncoderLayer(256, 4, 1024, dropout, batch_first=True)
    options = {} if library is tg else {"enable_nested_tensor": False}
    return library.nn.TransformerEncoder(layer, 4, **options)


def _encoded(library: Any, model: Any, arrays: tuple[Any, ...]) -> Any:
    x, target = arrays
    return library.nn.functional.mse_loss(model(x), target)


def _causal(library: Any, model: Any, arrays: tuple[Any, ...]) -> Any:
    x, target = arrays
    mask = library.nn.Transformer.generate_square_subsequent_mask(x.shape[1])
    if library is not tg:
        mask = mask.to(x.device)
    return library.nn.functional.mse_loss(model(x, mask=mask, is_causal=True), target)


def _next_state(library: Any, model: Any, arrays: tuple[Any, ...]) -> Any:
    """One time step of a two-layer LSTM with its states."""
    x, h, c = arrays
    return model(x, (h, c))[0]


def _next_token(library: Any, model: Any, arrays: tuple[Any, ...]) -> Any:
    """One token after those whose keys and values are known. PyTorch has no cache: its step stands here."""
    x, *kept = arrays
    pairs = tuple(zip(kept[::2], kept[1::2], strict=True))
    if library is tg:
        return model(x, cache=pairs)[0]
    F = library.nn.functional
    for layer, (keys, values) in zip(model.layers, pairs, strict=True):
        attention = layer.self_attn
        q, k, v = F.linear(x, attention.in_proj_weight, attention.in_proj_bias).chunk(3, dim=-1)
        q, k, v = (part.view(1, 1, 4, 64).transpose(1, 2) for part in (q, k, v))
        keys, values = library.cat((keys, k), 2), library.cat((values, v), 2)
        y = F.scaled_dot_product_attention(q, keys, values).transpose(1, 2).reshape(1, 1, 256)
        x = layer.norm1(x + attention.out_proj(y))
        x = layer.norm2(x + layer.linear2(layer.activation(layer.linear1(x))))
    return x


def _encoder_gmacs(tokens: int, length: int) -> float:
    """Per layer: 4 d² of the projections, 2 · 4 d² of the feed-forward, 2 T d of the scores and the mean."""
    return 4 * tokens * (12 * 256**2 + 2 * length * 256) / 1e9


KEPT = 256  # tokens before the one that is generated

PAIRS = {
    "lstm": _recurrent("LSTM"),
    "gru": _recurrent("GRU"),
    "bilstm": Pair(
        lambda library, _: library.nn.LSTM(128, 128, 2, bidirectional=True), _padded,
        ((50, 32, 128), (50, 32, 256)), 2 * int(LENGTHS.sum()) * 4 * 128 * (128 + 256 + 2 * 128) / 1e9,
    ),
    "encoder": Pair(_encoder, _encoded, ((16, 128, 256),) * 2, _encoder_gmacs(16 * 128, 128), dropout=0.1),
    "decoder": Pair(_encoder, _causal, ((8, 256, 256),) * 2, _encoder_gmacs(8 * 256, 256)),
    "lstm-token": Pair(
        lambda library, _: library.nn.LSTM(256, 256, 2), _next_state, ((1, 1, 256), (2, 1, 256), (2, 1, 256)),
        2 * 4 * 256 * 512 / 1e9, trains=False,
    ),
    "transformer-token": Pair(
        _encoder, _next_token, ((1, 1, 256), *((1, 4, KEPT, 64),) * 8), _encoder_gmacs(1, KEPT), trains=False
    ),
}  # fmt: skip


def arrays(name: str) -> list[np.ndarray]:
    """Random inputs and targets; the same for both."""
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype(np.float32) for shape in PAIRS[name].shapes]


def library_of(side: str) -> Any:
    return importlib.import_module("torch") if side == "torch" else tg


def step_of(side: str, name: str, model: Any) -> Step:
    """A function that trains `model` for one step and returns the loss, or returns what comes next."""
    pair, library = PAIRS[name], library_of(side)
    if side == "ours":
        data = tuple(map(tg.Tensor, arrays(name)))
    else:
        device = torch_device()
        model.to(device)
        data = tuple(library.from_numpy(a).to(device) for a in arrays(name))
    if not pair.trains:
        model.eval()

        def generate() -> Any:
            with library.no_grad():
                y = pair.run(library, model, data)
                return y.numpy() if library is tg else y.cpu().numpy()

        return generate
    optimizer = library.optim.Adam(model.parameters(), lr=1e-3)

    def step() -> float:
        loss = pair.run(library, model, data)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def check(name: str) -> None:
    """Raise unless three steps, or what comes next, are the same on both sides, from the same weights."""
    import torch

    pair = PAIRS[name]
    tg.manual_seed(0)
    ours, theirs = pair.build(tg, 0.0), pair.build(torch, 0.0)
    theirs.load_state_dict({k: torch.from_numpy(backend.to_numpy(v)) for k, v in ours.state_dict().items()})
    steps = step_of("ours", name, ours), step_of("torch", name, theirs)
    for _ in range(3):
        a, b = (np.asarray(step()) for step in steps)
        if not np.allclose(a, b, rtol=1e-3, atol=1e-4):
            raise RuntimeError(f"{name}: {a} ours, {b} PyTorch's; nothing timed")


def alone(name: str, side: str) -> dict[str, Step]:
    """The step of one side, for a process of its own."""
    return {"step": step_of(side, name, PAIRS[name].build(library_of(side), PAIRS[name].dropout))}
