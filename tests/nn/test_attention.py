"""MultiheadAttention: equal to torch's, masks, keys kept between calls, errors."""

import numpy as np
import pytest

import tinygrad_notes as tg
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
    "self, nothing to see": ({}, dict(key_padding_mask=np.arange(L) < [[0], [2], [4]]) | ONLY),
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


# ---- masks --------------------------------------------------------------------------------------


def _layer(**options):
    layer = nn.MultiheadAttention(E, H, **options).astype("float64")
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.3)
    return layer


def _close(a, b, atol=1e-12):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=0, atol=atol)


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("numbers", [False, True])
def test_a_query_without_keys_gives_zeros_and_zero_gradients(need_weights, numbers):
    """The context is 0, so that what is left is the output's bias (torch: NaN, if the weights are needed)."""
    layer = _layer()
    mask = np.zeros((L, L), bool)
    mask[1] = True
    mask = np.where(mask, -np.inf, 0.0) if numbers else mask
    x = tg.Tensor(_numbers(L, N, E), requires_grad=True)
    query = tg.Tensor(_numbers(L, N, E, seed=1), requires_grad=True)
    y, weights = layer(query, x, x, attn_mask=mask, need_weights=need_weights)
    _close(y[1], tg.broadcast_to(layer.out_proj.bias, (N, E)))
    if need_weights:
        assert (weights[:, 1] == 0).all().item() and np.allclose(weights[:, 0].sum(axis=-1).detach(), 1)
    y.sum().backward()
    assert np.isfinite(x.grad.numpy()).all() and np.abs(query.grad[0].numpy()).max() > 0
    np.testing.assert_array_equal(query.grad[1].numpy(), 0)
    y, _ = layer(x, x, x, key_padding_mask=np.ones((N, L), bool), need_weights=need_weights)
    (gx,) = tg.grad(y.sum(), x)
    np.testing.assert_array_equal(gx.numpy(), 0)


CALLS = {
    "plain": {},
    "causal": dict(is_causal=True),
    "mask": MASK,
    "numbers": dict(attn_mask=_numbers(L, L)),
    "causal and padding": dict(is_causal=True) | PAD,
    "booleans and numbers": dict(attn_mask=_numbers(N * H, L, L)) | PAD,
    "numbers and booleans": dict(attn_mask=CAUSAL, key_padding_mask=_numbers(N, L)),
    "nothing to see": dict(attn_mask=CAUSAL, key_padding_mask=np.arange(L) < np.ones((N, 1))),
}


@pytest.mark.parametrize("options", [{}, dict(add_bias_kv=True, add_zero_attn=True)], ids=["", "learned"])
@pytest.mark.parametrize("call", CALLS)
def test_the_output_is_the_same_with_and_without_weights(call, options):
    layer, x = _layer(**options), tg.Tensor(_numbers(L, N, E), requires_grad=True)
    with_weights, weights = layer(x, x, x, average_attn_weights=False, **CALLS[call])
    without, none = layer(x, x, x, need_weights=False, **CALLS[call])
    assert none is None and weights.shape == (N, H, L, L + len(options))
    _close(with_weights, without)
    (a,), (b,) = (tg.grad((y * y).sum(), x) for y in (with_weights, without))
    _close(a, b, 1e-11)
    averaged = layer(x, x, x, **CALLS[call])[1]
    _close(averaged, weights.mean(axis=1))


def test_is_causal_is_the_causal_mask_also_beside_other_masks():
    layer, x = _layer(), tg.Tensor(_numbers(L, N, E))
    for kind in (CAUSAL, ADDED):
        _close(layer(x, x, x, is_causal=True)[0], layer(x, x, x, attn_mask=kind)[0])
        _close(layer(x, x, x, attn_mask=kind, is_causal=True)[0], layer(x, x, x, attn_mask=kind)[0])
    _close(layer(x, x, x, is_causal=True, **PAD)[0], layer(x, x, x, attn_mask=CAUSAL, **PAD)[0])
    band = np.tril(np.ones((L, L), bool), -2)  # not the causal mask, whatever is_causal says: both hold
    _close(layer(x, x, x, attn_mask=band, is_causal=True)[0], layer(x, x, x, attn_mask=band | CAUSAL)[0])


def test_booleans_and_numbers_join():
    layer, x = _layer(), tg.Tensor(_numbers(L, N, E))
    added, pad = _numbers(L, L), _hidden(N, L)
    minus = np.where(pad, -np.inf, 0.0)
    one = layer(x, x, x, attn_mask=added, key_padding_mask=pad)
    two = layer(x, x, x, attn_mask=added, key_padding_mask=minus)
    _close(one[0], two[0])
    _close(one[1], two[1])


def test_a_mask_of_numbers_learns_and_takes_the_dtype_of_the_query():
    layer, x = _layer(), tg.Tensor(_numbers(L, N, E))
    mask = tg.Tensor(_numbers(L, L), requires_grad=True)
    assert tg.gradcheck(lambda mask: layer(x, x, x, attn_mask=mask, need_weights=False)[0], [mask])
    assert tg.gradcheck(lambda mask: layer(x, x, x, attn_mask=mask, **PAD)[0], [mask])
    single = nn.generate_square_subsequent_mask(L)
    assert single.dtype == np.float32
    y, weights = layer(x, x, x, attn_mask=single)
    assert y.dtype == weights.dtype == np.float64
    _close(y, layer(x, x, x, attn_mask=CAUSAL)[0])


def test_no_mask_hides_the_learned_keys():
    """As in torch with a mask; with is_causal alone torch hides them."""
    layer, x = _layer(add_bias_kv=True, add_zero_attn=True), tg.Tensor(_numbers(L, N, E))
    for call in (dict(is_causal=True), dict(attn_mask=np.ones((L, L), bool))):
        weights = layer(x, x, x, **call)[1].numpy()
        assert (weights[..., L:] > 0).all()


def test_padding_reaches_no_output_and_no_gradient():
    layer, pad = _layer(), np.arange(L) >= np.array([[4], [2], [1]])
    found = []
    for seed in (1, 2):
        x = np.where(pad.T[..., None], 100 * _numbers(L, N, E, seed=seed), _numbers(L, N, E))
        x = tg.Tensor(x, requires_grad=True)
        y, weights = layer(x, x, x, key_padding_mask=pad)
        kept = tg.where(pad.T[..., None], 0.0, y)
        layer.zero_grad()
        kept.sum().backward()
        assert (x.grad.numpy()[pad.T] == 0).all() and (weights.detach().numpy()[:, 0][pad] == 0).all()
        found.append([kept, x.grad, *(p.grad for p in layer.parameters())])
    for a, b in zip(*found, strict=True):
        _close(a, b)


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("filler", [np.nan, np.inf])
@pytest.mark.parametrize("numbers", [False, True])
def test_no_padded_key_is_read(numbers, filler, need_weights):
    """Not by the projections' gradients either, nor with a cache before it: 0 · NaN is NaN."""
    layer, q = _layer(), tg.Tensor(_numbers(L, N, E), requires_grad=True)
    pad = np.arange(L) >= np.array([[4], [2], [1]])
    mask = np.concatenate([np.zeros((N, 2), bool), pad], axis=1)
    mask = np.where(mask, -np.inf, 0.0) if numbers else mask
    with tg.no_grad():
        before = layer(q, *(tg.Tensor(_numbers(2, N, E, seed=s)) for s in (1, 2)), cache=())[2]
    found = []
    for value in (0.0, filler):
        kv = [tg.Tensor(np.where(pad.T[..., None], value, _numbers(L, N, E, seed=s)), requires_grad=True)
              for s in (3, 4)]  # fmt: skip
        y, weights, _ = layer(q, *kv, key_padding_mask=mask, cache=before, need_weights=need_weights)
        total = (y * y).sum() if weights is None else (y * y).sum() + (weights * weights).sum()
        found.append([y, *tg.grad(total, [q, *kv, *layer.parameters()])])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


@pytest.mark.parametrize("mask", [None, np.zeros((1, 2)), np.zeros((1, 2), bool)])
@pytest.mark.parametrize("need_weights", [True, False])
def test_a_query_that_is_nan_gives_nan(need_weights, mask):
    layer = _layer()
    q, k = np.full((1, 1, E), np.nan), _numbers(2, 1, E)
    assert np.isnan(layer(q, k, k, attn_mask=mask, need_weights=need_weights)[0].detach().numpy()).all()


@pytest.mark.parametrize("sizes", [(0, 3, 2), (3, 0, 2), (0, 0, 2), (2, 3, 0)])
def test_empty_sequences_and_batches(sizes):
    queries, keys, batch = sizes
    layer = _layer()
    query = tg.Tensor(np.ones((queries, batch, E)), requires_grad=True)
    key = tg.Tensor(np.ones((keys, batch, E)), requires_grad=True)
    for call in ({}, dict(need_weights=False), dict(key_padding_mask=np.zeros((batch, keys), bool))):
        y, weights = layer(query, key, key, **call)
        assert y.shape == query.shape and (weights is None or weights.shape == (batch, queries, keys))
        if not keys:
            _close(y, tg.broadcast_to(layer.out_proj.bias, y.shape))
        gradients = tg.grad(y.sum(), [query, key])
        assert [g.shape for g in gradients] == [query.shape, key.shape]


# ---- keys kept between calls --------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, dict(batch_first=True), dict(add_bias_kv=True, add_zero_attn=True)])
@pytest.mark.parametrize("pieces", [(1,) * 6, (3, 1, 2), (4, 2), (6,), (0, 5, 0, 1)])
@pytest.mark.parametrize("need_weights", [False, True])
def test_a_sequence_in_pieces_equals_the_whole(options, pieces, need_weights):
    layer = _layer(**options)
    axis = 1 if options.get("batch_first") else 0
    x = tg.Tensor(_numbers(*((N, 6) if axis else (6, N)), E), requires_grad=True)
    pad = np.arange(6) >= np.array([[6], [3], [1]])
    learned = len(options) if axis == 0 else 0
    for masks in ({}, dict(key_padding_mask=pad)):
        whole, weights = layer(x, x, x, is_causal=True, need_weights=need_weights, **masks)
        found, cache, stop = [], (), 0
        for piece in tg.split(x, np.cumsum(pieces)[:-1].tolist(), axis=axis):
            before, stop = stop, stop + piece.shape[axis]
            seen = {name: mask[:, :stop] for name, mask in masks.items()}
            y, w, cache = layer(
                piece, piece, piece, is_causal=True, need_weights=need_weights, cache=cache, **seen
            )
            found.append(y)
            if need_weights:
                old = weights[:, before:stop]
                _close(w[..., :stop], old[..., :stop])
                _close(w[..., stop:], old[..., 6 : 6 + learned])
        _close(tg.concat(found, axis=axis), whole)
        (a,), (b,) = (tg.grad((y * y).sum(), x) for y in (tg.concat(found, axis=axis), whole))
        _close(a, b, 1e-11)
    assert [part.shape for part in cache] == [(N, H, 6, E // H)] * 2


def test_explicit_masks_cover_the_cached_keys():
    layer, x = _layer(), tg.Tensor(_numbers(L, N, E))
    mask = np.random.default_rng(1).normal(size=(N * H, L, L)) + ADDED
    whole, _ = layer(x, x, x, attn_mask=mask)
    first, _, cache = layer(x[:3], x[:3], x[:3], attn_mask=mask[:, :3, :3], cache=())
    second, _, cache = layer(x[3:], x[3:], x[3:], attn_mask=mask[:, 3:], cache=cache)
    _close(tg.concat([first, second]), whole)


def test_a_memory_is_projected_once():
    layer = _layer(kdim=3, vdim=5)
    query = tg.Tensor(_numbers(L, N, E))
    key, value = tg.Tensor(_numbers(S, N, 3)), tg.Tensor(_numbers(S, N, 5))
    pad = _hidden(N, S)
    whole, weights = layer(query, key, value, key_padding_mask=pad)
    y, w, cache = layer(query[:1], key, value, key_padding_mask=pad, cache=())
    rows = [(y, w)]
    for i in range(1, L):
        y, w, same = layer(query[i : i + 1], None, None, key_padding_mask=pad, cache=cache)
        assert all(a is b for a, b in zip(cache, same, strict=True))
        rows.append((y, w))
    _close(tg.concat([y for y, _ in rows]), whole)
    _close(tg.concat([w for _, w in rows], axis=1), weights)


def test_a_cache_without_a_batch_and_one_reordered():
    layer, x = _layer(), tg.Tensor(_numbers(L, N, E))
    whole, _ = layer(x[:, 0], x[:, 0], x[:, 0], is_causal=True)
    y, _, cache = layer(x[:2, 0], x[:2, 0], x[:2, 0], is_causal=True, cache=())
    assert y.shape == (2, E) and cache[0].shape == (1, H, 2, E // H)
    y, _, cache = layer(x[2:, 0], x[2:, 0], x[2:, 0], is_causal=True, cache=cache)
    _close(y, whole[2:])
    order = [2, 0, 0]  # a beam search goes on with the best
    whole, _ = layer(x[:, order], x[:, order], x[:, order], is_causal=True)
    _, _, cache = layer(x[:3], x[:3], x[:3], is_causal=True, cache=())
    last = x[3:, order]
    y, _, _ = layer(last, last, last, is_causal=True, cache=tuple(part[order] for part in cache))
    _close(y, whole[3:])


# ---- what it starts from, dropout, dtypes, derivatives -----------------------------------------


def test_what_it_is_drawn_from_and_in_which_order():
    tg.manual_seed(1)
    layer = nn.MultiheadAttention(32, 4, add_bias_kv=True)
    tg.manual_seed(1)
    again = nn.Linear(32, 32)
    np.testing.assert_array_equal(layer.out_proj.weight.numpy(), again.weight.numpy())
    for parameter, draw in (
        (layer.in_proj_weight, nn.init.xavier_uniform_), (layer.bias_k, nn.init.xavier_normal_),
        (layer.bias_v, nn.init.xavier_normal_),
    ):  # fmt: skip
        twin = nn.Parameter(np.empty(parameter.shape, np.float32))
        np.testing.assert_array_equal(parameter.numpy(), draw(twin).numpy())
    for bias in (layer.in_proj_bias, layer.out_proj.bias):
        np.testing.assert_array_equal(bias.numpy(), 0)
    bound = np.sqrt(6 / (32 + 96))
    assert 0.98 * bound < np.abs(layer.in_proj_weight.numpy()).max() <= bound
    apart = nn.MultiheadAttention(32, 4, kdim=16)
    bounds = [np.sqrt(6 / n) for n in (64, 48, 64)]
    weights = [apart.q_proj_weight, apart.k_proj_weight, apart.v_proj_weight]
    for weight, bound in zip(weights, bounds, strict=True):
        assert 0.97 * bound < np.abs(weight.numpy()).max() <= bound
    assert apart.in_proj_weight is None and layer.q_proj_weight is None


def test_keys_of_the_state_dict():
    names = ["in_proj_weight", "in_proj_bias", "bias_k", "bias_v", "out_proj.weight", "out_proj.bias"]
    assert list(nn.MultiheadAttention(E, H, add_bias_kv=True).state_dict()) == names
    assert list(nn.MultiheadAttention(E, H, bias=False).state_dict()) == [names[0], names[4]]
    names = ["q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_bias", *names[4:]]
    assert list(nn.MultiheadAttention(E, H, vdim=5).state_dict()) == names


def test_dropout_falls_on_the_weights_in_training_only():
    layer, x = _layer(dropout=0.5), tg.Tensor(_numbers(L, N, E))
    plain = layer.eval()(x, x, x, average_attn_weights=False)
    _close(plain[0], _same(layer, dropout=0.0)(x, x, x)[0])
    y, weights = layer.train()(x, x, x, average_attn_weights=False)
    kept = weights.detach().numpy() != 0
    assert 0.2 < kept.mean() < 0.8
    np.testing.assert_allclose(weights.detach().numpy()[kept], 2 * plain[1].detach().numpy()[kept])
    assert np.abs(y.detach().numpy() - plain[0].detach().numpy()).max() > 1e-3
    for need_weights in (False, True):
        results = []
        for _ in range(2):
            tg.manual_seed(3)
            results.append(layer(x, x, x, need_weights=need_weights)[0])
        _close(*results)
        assert np.abs((results[0] - plain[0]).detach().numpy()).max() > 1e-3


def _same(layer, **options):
    other = nn.MultiheadAttention(E, H, **options).astype("float64")
    other.load_state_dict(layer.state_dict())
    return other


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtype_in_is_dtype_out(dtype):
    layer = nn.MultiheadAttention(E, H, dropout=0.1, add_bias_kv=True, add_zero_attn=True).astype(dtype)
    x = tg.Tensor(_numbers(L, N, E).astype(dtype), requires_grad=True)
    for call in (dict(is_causal=True), MASK | PAD, dict(attn_mask=ADDED), dict(need_weights=False)):
        y, weights, cache = layer(x, x, x, cache=(), **call)
        (g,) = tg.grad(y.sum(), x)
        found = [y, g, *cache] + ([] if weights is None else [weights])
        assert {str(a.dtype) for a in found} == {dtype}


def test_scores_above_the_range_of_half_precision():
    layer = nn.MultiheadAttention(2, 1, bias=False).astype("float16")
    for weight in (layer.in_proj_weight, layer.out_proj.weight):
        weight.data = np.tile(np.eye(2), (weight.shape[0] // 2, 1))
    x = tg.Tensor(np.array([[330.0, 0.0], [0.0, 330.0]], np.float16))  # a score of 330² / √2 = 77000
    for need_weights in (False, True):
        y, weights = layer(x, x, x, need_weights=need_weights)
        _close(y, x)
        assert weights is None or (weights.numpy() == np.eye(2)).all()


def test_inputs_of_any_layout_stay_as_they_are():
    layer = _layer()
    x = _numbers(E, N, 2 * L)
    view = x.T[::2]  # (L, N, E), not contiguous
    before = x.copy()
    y, _ = layer(view, view, view)
    _close(y, layer(*(tg.Tensor(np.ascontiguousarray(view)) for _ in range(3)))[0])
    np.testing.assert_array_equal(x, before)
    one = tg.Tensor(np.ascontiguousarray(view), requires_grad=True)
    three = [tg.Tensor(np.ascontiguousarray(view), requires_grad=True) for _ in range(3)]
    (g,) = tg.grad(layer(one, one, one)[0].sum(), one)  # a repeated input gets the sum
    _close(g, sum(tg.grad(layer(*three)[0].sum(), three)))


def test_derivatives_of_order_1_and_2():
    layer = _layer(add_bias_kv=True)
    query, key = (tg.Tensor(_numbers(n, 2, E, seed=n), requires_grad=True) for n in (2, 3))
    for call in (dict(need_weights=False), dict(average_attn_weights=False), dict(is_causal=True)):

        def run(query, key, call=call):
            return [y for y in layer(query, key, key, **call) if y is not None][-1]

        assert tg.gradcheck(run, [query, key]) and tg.gradgradcheck(run, [query, key])


# ---- bad input ----------------------------------------------------------------------------------

X, Y = np.zeros((L, N, E), np.float32), np.zeros((S, N, E), np.float32)
PAIR = (np.zeros((N, H, 2, 4), np.float32),) * 2

WRONG_CALLS = {
    "features of query": (ValueError, r"query is \(4, 3, 7\).*needs 8 features", (X[..., :7], X, X), {}),
    "features of key": (ValueError, r"key is \(4, 3, 7\)", (X, X[..., :7], X), {}),
    "features of value": (ValueError, r"value is \(4, 3, 7\)", (X, X, X[..., :7]), {}),
    "axes": (ValueError, r"\(length, N, features\)", (X[None], X[None], X[None]), {}),
    "axes differ": (ValueError, r"key is \(4, 8\)", (X, X[:, 0], X[:, 0]), {}),
    "batches": (ValueError, "one batch size", (X[:, :2], X, X), {}),
    "lengths": (ValueError, "key and value one length", (X, X, Y), {}),
    "dtype": (TypeError, "one dtype", (X.astype(float), X.astype(float), X.astype(float)), {}),
    "one of key and value": (ValueError, "both key and value", (X, X, None), {}),
    "mask's shape": (ValueError, r"attn_mask is \(5, 4\).*\(L, S\) = \(4, 5\) or .* = \(6, 4, 5\)",
                     (X, Y, Y), dict(attn_mask=np.zeros((S, L), bool))),
    "mask of each sample": (ValueError, r"attn_mask is \(3, 4, 4\)", (X, X, X),
                            dict(attn_mask=np.zeros((N, L, L)))),
    "mask's dtype": (TypeError, "attn_mask must be bool", (X, X, X), dict(attn_mask=np.zeros((L, L), int))),
    "padding's shape": (ValueError, r"key_padding_mask is \(4, 3\); it must be \(N, S\) = \(3, 4\)",
                        (X, X, X), dict(key_padding_mask=np.zeros((L, N), bool))),
    "padding's dtype": (TypeError, "key_padding_mask must be bool", (X, X, X),
                        dict(key_padding_mask=np.zeros((N, L), int))),
    "no keys": (ValueError, "the cache must hold some", (X, None, None), {}),
    "no keys, empty cache": (ValueError, "the cache must hold some", (X, None, None), dict(cache=())),
    "causal without keys": (ValueError, "give attn_mask", (X, None, None), dict(cache=PAIR, is_causal=True)),
    "cache of another batch": (ValueError, r"\(N, num_heads, S, head_dim\) = \(2, 2, S, 4\)",
                               (X[:, :2], X[:, :2], X[:, :2]), dict(cache=PAIR)),
    "cache of another dtype": (TypeError, "cache is float64", (X, X, X),
                               dict(cache=tuple(x.astype(float) for x in PAIR))),
    "cache of two lengths": (ValueError, "are alike", (X, X, X), dict(cache=(PAIR[0], PAIR[1][:, :, :1]))),
    "cache that is none": (ValueError, "a cache is .* got 5", (X, X, X), dict(cache=5)),
    "cache of three": (ValueError, "a cache is", (X, X, X), dict(cache=PAIR + PAIR[:1])),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_wrong_calls_say_what_is_wrong(name):
    error, message, inputs, call = WRONG_CALLS[name]
    with pytest.raises(error, match=message):
        nn.MultiheadAttention(E, H)(*inputs, **call)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(num_heads=3), "num_heads 3 must divide embed_dim 8"), (dict(num_heads=0), "num_heads"),
        (dict(num_heads=2, dropout=1.5), "dropout is a probability"), (dict(num_heads=2, kdim=0), "kdim"),
        (dict(num_heads=2, dropout="a"), "dropout must be a number"),
    ],
)  # fmt: skip
def test_wrong_layers_say_what_is_wrong(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        nn.MultiheadAttention(E, **options)
