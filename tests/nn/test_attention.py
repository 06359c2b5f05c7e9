"""MultiheadAttention: equal to torch's, masks, keys kept between calls, errors."""

import numpy as np
import pytest

from tests.layer_parity import assert_equal_layers
from tinygrad_notes import nn

L, S, N, E, H = 4, 5, 3, 8, 2


def _numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def _hidden(*shape):
    """Some keys hidden, never the first: torch's modules give NaN for a query without keys."""
    mask = np.random.default_rng(3).random(shape) < 0.4
    mask[..., 0] = False
    return mask


CAUSAL = np.triu(np.ones((L, L), bool), 1)
ADDED = np.where(CAUSAL, -np.inf, 0.0)


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


PAD = dict(key_padding_mask=_hidden(N, L))
MASK = dict(attn_mask=_hidden(L, L))
MASK_KEYS = dict(keys="one", attn_mask=_hidden(L, S), key_padding_mask=_hidden(N, S))
ONLY = dict(need_weights=False)
FIRST = dict(batch_first=True)

# (arguments of the layer, arguments of the call): every option with and without the others, not all products
PARITY = {
    "self": ({}, {}),
    "self, no bias": (dict(bias=False), {}),
    "self, weights of each head": ({}, dict(average_attn_weights=False)),
    "self, no weights": ({}, ONLY),
    "self, batch first": (FIRST, ONLY),
    "self, batch first, mask": (FIRST, MASK),
    "self, batch first, mask, padding": (FIRST, MASK | PAD),
    "self, causal": ({}, dict(attn_mask=CAUSAL, is_causal=True) | ONLY),
    "self, causal numbers": (FIRST, dict(attn_mask=ADDED, is_causal=True) | ONLY),
    "self, causal and padding": ({}, dict(attn_mask=CAUSAL, is_causal=True) | PAD),
    "self, one token": (FIRST, dict(length=1)),
    "self, one sample": ({}, dict(batch=1, attn_mask=_hidden(H, L, L))),
    "self, no batch": ({}, dict(batch=None, attn_mask=_hidden(H, L, L), key_padding_mask=_hidden(L))),
    "self, no batch, no weights": (FIRST, dict(batch=None) | ONLY),
    "self, no batch, heads": (dict(add_bias_kv=True), dict(batch=None, average_attn_weights=False)),
    "self, added numbers": ({}, dict(attn_mask=_numbers(L, L)) | ONLY),
    "self, numbers of each head": (dict(bias=False), dict(attn_mask=_numbers(N * H, L, L))),
    "self, padding added": (FIRST, dict(key_padding_mask=_numbers(N, L), attn_mask=_numbers(L, L))),
    "self, learned key": (dict(add_bias_kv=True), MASK | PAD),
    "self, zero key": (dict(add_zero_attn=True), dict(attn_mask=_numbers(L, L)) | ONLY),
    "self, learned and zero key": (dict(add_bias_kv=True, add_zero_attn=True, bias=False) | FIRST, PAD),
    "pair": (FIRST, dict(keys="one")),
    "pair, mask, padding": ({}, MASK_KEYS | ONLY),
    "three": ({}, dict(keys="two", attn_mask=_hidden(N * H, L, S))),
    "three, one query": (dict(bias=False) | FIRST, dict(keys="two", length=1) | ONLY),
    "three, no batch": ({}, dict(keys="two", batch=None, key_padding_mask=_hidden(S))),
    "widths": (dict(kdim=3, vdim=5), dict(keys="two")),
    "widths, no bias": (dict(kdim=3, bias=False) | FIRST, dict(keys="two", attn_mask=_numbers(L, S))),
    "widths, learned key": (dict(vdim=5, add_bias_kv=True), MASK_KEYS | dict(keys="two") | ONLY),
}


@pytest.mark.parametrize("name", PARITY)
def test_equals_torch(name, torch):
    layer, call = PARITY[name]
    call = dict(call)
    keys, batch, length = call.pop("keys", None), call.pop("batch", N), call.pop("length", L)

    def sequence(steps, width, seed):
        batched = (batch, steps) if layer.get("batch_first") else (steps, batch)
        return _numbers(*((steps,) if batch is None else batched), width, seed=seed)

    arrays = {"query": sequence(length, E, 1)}
    if keys:
        arrays["key"] = sequence(S, layer.get("kdim", E), 2)
    if keys == "two":
        arrays["value"] = sequence(S, layer.get("vdim", E), 3)
    arrays |= {mask: call.pop(mask) for mask in ("attn_mask", "key_padding_mask") if mask in call}

    def run(module, given):
        key = given.get("key", given["query"])
        masks = {mask: given[mask] for mask in ("attn_mask", "key_padding_mask") if mask in given}
        return module(given["query"], key, given.get("value", key), **masks, **call)

    ours, theirs = (module.MultiheadAttention(E, H, **layer) for module in (nn, torch.nn))
    for parameter in ours.parameters():  # biases that are not 0
        nn.init.normal_(parameter, std=0.3)
    assert_equal_layers(ours, theirs, arrays, run)
