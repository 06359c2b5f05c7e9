"""The Transformer's layers and stacks: equal to torch's, cached generation, positions, counts, errors."""

import numpy as np
import pytest

from tests.layer_parity import assert_equal_layers
from tinygrad_notes import nn
from tinygrad_notes.nn import functional as F

T, S, N, D, H, FF = 4, 5, 3, 8, 2, 12
CAUSAL = np.triu(np.ones((T, T), bool), 1)
ADDED = np.where(CAUSAL, -np.inf, 0.0)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def hidden(*shape):
    """Some keys hidden, never the first: torch's modules give NaN for a query without keys."""
    mask = np.random.default_rng(3).random(shape) < 0.4
    mask[..., 0] = False
    return mask


PADDING = np.arange(T) >= np.array([[4], [2], [3]])  # at the ends, as the fast path of torch wants it
PAD = dict(src_key_padding_mask=PADDING)
FIRST = dict(batch_first=True)
PRE = dict(norm_first=True)

# (arguments of the layer, arguments of the call)
ENCODER_LAYERS = {
    "post": ({}, {}),
    "pre": (PRE, {}),
    "post, batch first": (FIRST, PAD),
    "pre, batch first": (PRE | FIRST, dict(src_mask=hidden(T, T))),
    "gelu": (dict(activation="gelu", layer_norm_eps=1e-2) | FIRST, dict(src_mask=CAUSAL, is_causal=True)),
    "gelu, pre": (dict(activation="gelu") | PRE, dict(src_mask=ADDED, is_causal=True)),
    "no bias": (dict(bias=False), PAD),
    "no bias, pre": (dict(bias=False) | PRE | FIRST, dict(src_mask=hidden(N * H, T, T))),
    "a callable": (dict(activation="tanh"), dict(src_mask=numbers(T, T))),
    "mask and padding": (FIRST, dict(src_mask=hidden(T, T)) | PAD),
    "no batch": (FIRST, dict(src_key_padding_mask=hidden(T), batch=None)),
    "one token": (PRE, dict(length=1)),
    "one sample": (FIRST, dict(batch=1, src_mask=CAUSAL, is_causal=True)),
}
DECODER_LAYERS = {
    "post": ({}, {}),
    "pre": (PRE, dict(tgt_mask=CAUSAL, tgt_is_causal=True)),
    "batch first": (FIRST, dict(tgt_mask=ADDED, memory_key_padding_mask=hidden(N, S))),
    "gelu, pre": (
        dict(activation="gelu", layer_norm_eps=1e-2) | PRE | FIRST,
        dict(tgt_mask=CAUSAL, tgt_key_padding_mask=PADDING, memory_mask=hidden(T, S)),
    ),
    "no bias": (dict(bias=False), dict(tgt_is_causal=True, tgt_mask=ADDED, memory_mask=numbers(N * H, T, S))),
    "no batch": (PRE, dict(tgt_mask=CAUSAL, memory_key_padding_mask=hidden(S), batch=None)),
    "one token": ({}, dict(length=1)),
}


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def compare(name, layer, call, torch, build=None):
    """The layer of this name here and in torch, without dropout, on random sequences."""
    layer, call = {"dropout": 0.0, "dim_feedforward": FF} | layer, dict(call)
    batch, length = call.pop("batch", N), call.pop("length", T)
    options = {k: call.pop(k) for k in list(call) if isinstance(call[k], bool)}

    def sequence(steps, seed):
        shape = (batch, steps) if layer.get("batch_first") else (steps, batch)
        return numbers(*((steps,) if batch is None else shape), D, seed=seed)

    arrays = dict(src=sequence(length, 1)) if "Encoder" in name else {}
    if "Decoder" in name:
        arrays = dict(tgt=sequence(length, 1), memory=sequence(S, 2))
    if name == "Transformer":
        arrays = dict(src=sequence(S, 1), tgt=sequence(length, 2))

    def make(module, functional):
        own = layer | {"activation": functional.tanh} if layer.get("activation") == "tanh" else layer
        return build(module, own) if build else getattr(module, name)(D, H, **own)

    ours, theirs = make(nn, F), make(torch.nn, torch)
    for parameter in ours.parameters():  # biases that are not 0, and copies that differ
        nn.init.normal_(parameter, std=0.3)
    assert_equal_layers(ours, theirs, arrays | call, lambda module, given: module(**given, **options))


@pytest.mark.parametrize("name", ENCODER_LAYERS)
def test_an_encoder_layer_equals_torch(name, torch):
    compare("TransformerEncoderLayer", *ENCODER_LAYERS[name], torch)


@pytest.mark.parametrize("name", DECODER_LAYERS)
def test_a_decoder_layer_equals_torch(name, torch):
    compare("TransformerDecoderLayer", *DECODER_LAYERS[name], torch)


@pytest.mark.parametrize("pre", [False, True])
@pytest.mark.parametrize("norm", [False, True])
def test_an_encoder_equals_torch(pre, norm, torch):
    def build(module, layer):
        part = module.TransformerEncoderLayer(D, H, **layer)
        last = module.LayerNorm(D) if norm else None
        return module.TransformerEncoder(part, 2, last, enable_nested_tensor=False)

    masks = dict(mask=ADDED, src_key_padding_mask=np.where(PADDING, -np.inf, 0.0)) if pre else PAD
    compare("TransformerEncoder", dict(norm_first=pre) | FIRST, masks, torch, build)


def test_a_decoder_equals_torch(torch):
    def build(module, layer):
        return module.TransformerDecoder(
            module.TransformerDecoderLayer(D, H, **layer), 2, module.LayerNorm(D)
        )

    masks = dict(tgt_mask=CAUSAL, memory_mask=hidden(T, S), memory_key_padding_mask=hidden(N, S))
    compare("TransformerDecoder", PRE, masks, torch, build)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning")
@pytest.mark.parametrize(
    ("layer", "call"),
    [
        ({}, dict(tgt_mask=ADDED)),
        (FIRST | PRE | dict(activation="gelu"), dict(tgt_mask=CAUSAL, src_key_padding_mask=hidden(N, S),
                                                     memory_key_padding_mask=hidden(N, S))),
        (dict(bias=False), dict(batch=None, src_mask=hidden(S, S), memory_mask=hidden(T, S))),
    ],
)  # fmt: skip
def test_a_transformer_equals_torch(layer, call, torch):
    compare("Transformer", dict(num_encoder_layers=2, num_decoder_layers=1) | layer, call, torch)
