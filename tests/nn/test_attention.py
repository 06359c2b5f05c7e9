"""MultiheadAttention: equal to torch's, masks, keys kept between calls, errors."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tests.layer_parity import assert_equal_layers
from tinygrad_notes import nn
from tinygrad_notes.nn import functional as F

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


# (arguments of the layer, arguments of the call): every option with and without the others, not all products
PARITY = {
    "self": ({}, {}),
    "self, no bias": (dict(bias=False), {}),
    "self, weights of each head": ({}, dict(average_attn_weights=False)),
    "self, no weights": ({}, dict(need_weights=False)),
    "self, batch first": (dict(batch_first=True), dict(need_weights=False)),
    "self, batch first, mask, padding": (dict(batch_first=True), dict(attn_mask=_hidden(L, L), key_padding_mask=_hidden(N, L))),
    "self, causal": ({}, dict(attn_mask=CAUSAL, is_causal=True, need_weights=False)),
    "self, causal numbers": (dict(batch_first=True), dict(attn_mask=ADDED, is_causal=True, need_weights=False)),
    "self, causal and padding": ({}, dict(attn_mask=CAUSAL, is_causal=True, key_padding_mask=_hidden(N, L))),
    "self, one token": (dict(batch_first=True), dict(length=1)),
    "self, one sample": ({}, dict(batch=1, attn_mask=_hidden(H, L, L))),
    "self, no batch": ({}, dict(batch=None, attn_mask=_hidden(H, L, L), key_padding_mask=_hidden(L))),
    "self, no batch, no weights": (dict(batch_first=True), dict(batch=None, need_weights=False)),
    "self, no batch, heads": (dict(add_bias_kv=True), dict(batch=None, average_attn_weights=False)),
    "self, added numbers": ({}, dict(attn_mask=_numbers(L, L), need_weights=False)),
    "self, numbers of each head": (dict(bias=False), dict(attn_mask=_numbers(N * H, L, L))),
    "self, padding added": (dict(batch_first=True), dict(key_padding_mask=_numbers(N, L), attn_mask=_numbers(L, L))),
    "self, learned key": (dict(add_bias_kv=True), dict(attn_mask=_hidden(L, L), key_padding_mask=_hidden(N, L))),
    "self, zero key": (dict(add_zero_attn=True), dict(attn_mask=_numbers(L, L), need_weights=False)),
    "self, learned and zero key": (dict(add_bias_kv=True, add_zero_attn=True, bias=False, batch_first=True), dict(key_padding_mask=_hidden(N, L))),
    "pair": (dict(batch_first=True), dict(keys="one")),
    "pair, mask, padding": ({}, dict(keys="one", attn_mask=_hidden(L, S), key_padding_mask=_hidden(N, S), need_weights=False)),
    "three": ({}, dict(keys="two", attn_mask=_hidden(N * H, L, S))),
    "three, one query": (dict(bias=False, batch_first=True), dict(keys="two", length=1, need_weights=False)),
    "three, no batch": ({}, dict(keys="two", batch=None, key_padding_mask=_hidden(S))),
    "widths": (dict(kdim=3, vdim=5), dict(keys="two")),
    "widths, no bias": (dict(kdim=3, bias=False, batch_first=True), dict(keys="two", attn_mask=_numbers(L, S))),
    "widths, learned key": (dict(vdim=5, add_bias_kv=True), dict(keys="two", key_padding_mask=_hidden(N, S), need_weights=False)),
}  # fmt: skip


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
