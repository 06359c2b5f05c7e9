"""Options of the Transformer and its layers: each reaches its part, and messages name what was given."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import nn

T, S, N, D, H, FF = 3, 4, 2, 8, 2, 6
LAYERS = {
    nn.TransformerEncoderLayer: ("self_attn", "dropout", "dropout1", "dropout2"),
    nn.TransformerDecoderLayer: (
        "self_attn", "multihead_attn", "dropout", "dropout1", "dropout2", "dropout3",
    ),
}  # fmt: skip


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def expected(layer, x, memory, without, norm_first):
    """The layer's definition, where what `without` names has dropped all that it takes."""

    def kept(name, y):
        return y * 0 if name == without else y

    def attention(name, q, k):
        module = getattr(layer, name)
        weights = module(q, k, k, average_attn_weights=False)[1]
        v = module._project(q, k, k)[2]
        v = v.reshape(*v.shape[:2], H, D // H).transpose(1, 2, 0, 3)  # (N, H, S, D / H)
        y = (kept(name, weights) @ v).transpose(2, 0, 1, 3).reshape(q.shape)
        return module.out_proj(y)

    def feed_forward(x):
        return layer.linear2(kept("dropout", layer.activation(layer.linear1(x))))

    parts = [lambda x: attention("self_attn", x, x)]
    if memory is not None:
        parts.append(lambda x: attention("multihead_attn", x, memory))
    for i, part in enumerate([*parts, feed_forward], 1):
        norm = getattr(layer, f"norm{i}")
        y = kept(f"dropout{i}", part(norm(x) if norm_first else x))
        x = x + y if norm_first else norm(x + y)
    return x


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("kind, place", [(kind, p) for kind in LAYERS for p in (None, *LAYERS[kind])])
def test_each_dropout_stands_in_its_place(kind, place, norm_first):
    """One of them drops all, the others nothing."""
    layer = kind(D, H, FF, dropout=0.0, activation=lambda x: (x + 1) ** 2, norm_first=norm_first)
    layer = layer.astype("float64")
    for parameter in layer.parameters():  # biases that are not 0
        nn.init.normal_(parameter, std=0.3)
    if place is not None:
        part = getattr(layer, place)
        setattr(part, "dropout" if place.endswith("attn") else "p", 1.0)
    given = [tg.Tensor(numbers(n, N, D, seed=n)) for n in (T, S)[: 2 if "Decoder" in kind.__name__ else 1]]
    y = layer(*given).numpy()
    plain = layer.eval()
    memory = given[1] if len(given) > 1 else None
    np.testing.assert_allclose(y, expected(plain, given[0], memory, place, norm_first).numpy(), atol=1e-12)
    assert place is None or np.abs(y - plain(*given).numpy()).max() > 1e-3


def of_dropout(module):
    found = {name: m.p for name, m in module.named_modules() if isinstance(m, nn.Dropout)}
    return found | {
        name: m.dropout for name, m in module.named_modules() if isinstance(m, nn.MultiheadAttention)
    }


@pytest.mark.parametrize("kind", [*LAYERS, nn.Transformer])
def test_the_dropout_of_a_layer_is_that_of_all_its_parts(kind):
    sizes = (1, 1, FF) if kind is nn.Transformer else (FF,)
    for options, p in ({}, 0.1), ({"dropout": 0.25}, 0.25):
        found = of_dropout(kind(D, H, *sizes, **options))
        count = {nn.Transformer: 10}.get(kind) or len(LAYERS[kind])
        assert len(found) == count and set(found.values()) == {p}


@pytest.mark.parametrize("eps", [None, 0.5])
def test_every_norm_of_a_transformer_has_its_eps(eps):
    model = nn.Transformer(D, H, 2, 1, FF, **{} if eps is None else {"layer_norm_eps": eps})
    norms = [m.eps for m in model.modules() if isinstance(m, nn.LayerNorm)]
    assert norms == [1e-5 if eps is None else eps] * (2 * 2 + 1 + 3 + 1)


def test_a_transformer_keeps_its_sizes_and_a_stack_its_options():
    model = nn.Transformer(D, H, 3, 1, FF, batch_first=True)
    assert (model.d_model, model.nhead, model.batch_first) == (D, H, True)
    assert (model.encoder.num_layers, model.decoder.num_layers) == (3, 1)
    stack = nn.TransformerEncoder(nn.TransformerEncoderLayer(D, H, FF), np.int64(2), None, False, True)
    assert stack.num_layers == len(stack.layers) == 2 and type(stack.num_layers) is int
    assert (stack.enable_nested_tensor, stack.mask_check) == (False, True) and stack.norm is None


def test_a_memory_in_the_cache_is_not_read_again():
    layer = nn.TransformerDecoderLayer(D, H, FF).eval()
    tgt, memory = (tg.Tensor(numbers(n, N, D).astype(np.float32)) for n in (T, S))
    whole = layer(tgt, memory, tgt_is_causal=True).numpy()
    first, cache = layer(tgt[:2], memory, tgt_is_causal=True, cache=())
    second, new = layer(tgt[2:], np.full((1, 1), np.nan), tgt_is_causal=True, cache=cache)
    np.testing.assert_allclose(np.concatenate([first.numpy(), second.numpy()]), whole, atol=1e-5)
    assert [part.shape[2] for pair in new for part in pair] == [T, T, S, S]


def test_a_custom_decoder_is_the_decoder():
    class Sum(nn.Module):
        def forward(self, tgt, memory, **masks):
            return tgt + memory.sum(axis=0)

    part = Sum()
    model = nn.Transformer(D, H, 1, dim_feedforward=FF, custom_decoder=part).eval()
    assert model.decoder is part
    src, tgt = (numbers(n, N, D).astype(np.float32) for n in (S, T))
    np.testing.assert_allclose(
        model(src, tgt).numpy(), tgt + model.encoder(src).sum(axis=0).numpy(), atol=1e-6
    )


def test_a_stack_of_a_decoder_sees_that_its_mask_is_the_causal_one():
    class Spy(nn.Module):
        def forward(self, tgt, memory, tgt_is_causal=None, memory_is_causal=None, **masks):
            seen.append((tgt_is_causal, memory_is_causal))
            return tgt

    later = np.triu(np.ones((T, T), bool), 1)
    seen, stack, x = [], nn.TransformerDecoder(Spy(), 1), np.zeros((T, N, D), np.float32)
    for mask, told in ((later, None), (later, False), (None, True), (None, None), (~later, None)):
        stack(x, x, tgt_mask=mask, tgt_is_causal=told)
    stack(x, x, memory_mask=later, memory_is_causal=True)
    assert seen == [
        (True, False),
        (False, False),
        (True, False),
        (False, False),
        (False, False),
        (False, True),
    ]


# ---- the causal mask -----------------------------------------------------------------------------


def test_only_a_square_of_exactly_the_later_keys_is_the_causal_mask():
    later = np.triu(np.ones((3, 3), bool), 1)
    added = np.where(later, -np.inf, 0.0)
    for mask, is_causal in (
        (later, True), (added, True), (added.astype(np.float16), True), (tg.Tensor(later), True),
        (np.zeros((0, 0), bool), True), (np.zeros((1, 1)), True), (~later, False), (later.T, False),
        (later[:2], False), (later[:, :2], False), (later[:1, :1].repeat(3, 1), False), (later[None], False),
        (np.where(later, -1e9, 0.0), False), (np.where(later, -np.inf, 1.0), False),
        (np.where(later, np.nan, 0.0), False), (tg.Tensor(added, requires_grad=True), False),
        (np.triu(np.ones((3, 3), bool)), False), (np.triu(np.ones((3, 3), bool), 2), False),
    ):  # fmt: skip
        assert nn.masks.is_subsequent_mask(mask) is is_causal


def test_the_length_of_a_causal_mask_is_any_integer_but_no_truth_value():
    mask = nn.generate_square_subsequent_mask(np.int64(2), "float16")
    assert mask.dtype == np.float16 and mask.numpy().tolist() == [[0, -np.inf], [0, 0]]
    for wrong in (True, -3, 2.5, "4"):
        with pytest.raises(ValueError, match=f"^generate_square_.*: sz must be a length, got {wrong!r}$"):
            nn.generate_square_subsequent_mask(wrong)
    with pytest.raises(TypeError, match="mask: bool has no −∞; dtype must be real numbers"):
        nn.Transformer.generate_square_subsequent_mask(2, "bool")


# ---- messages ------------------------------------------------------------------------------------

X, Y = np.zeros((T, N, D), np.float32), np.zeros((S, N, D), np.float32)
FIRST = dict(batch_first=True)
AXES = "or (length, features) without a batch, and"
WRONG = {
    f"MultiheadAttention: query is (1, 3, 2, 8); all must be (N, length, features), "
    f"{AXES} query needs 8 features": (
        lambda: nn.MultiheadAttention(D, H, **FIRST)(*[X[None]] * 3)
    ),
    f"MultiheadAttention: value is (4, 2, 8); all must be (length, N, features), "
    f"{AXES} value needs 5 features": (
        lambda: nn.MultiheadAttention(D, H, vdim=5)(X, Y, Y)
    ),
    "MultiheadAttention: query (3, 2, 8), key (4, 2, 8), value (4, 2, 8): all need one batch size "
    "(axis 0), key and value one length as well": lambda: nn.MultiheadAttention(D, H, **FIRST)(X, Y, Y + 0),
    "MultiheadAttention: query (3, 2, 8), key (4, 2, 8), value (3, 2, 8): all need one batch size "
    "(axis 1), key and value one length as well": lambda: nn.MultiheadAttention(D, H)(X, Y, X + 0),
    "MultiheadAttention: attn_mask must be bool (True may not attend) or real (added to the scores), got "
    "int64; use mask.astype(bool)": (
        lambda: nn.MultiheadAttention(D, H)(X, X, X, attn_mask=np.zeros((T, T), np.int64))
    ),
    "MultiheadAttention: give both key and value, or neither where a cache has them": (
        lambda: nn.MultiheadAttention(D, H)(X, None, Y)
    ),
    "MultiheadAttention: embed_dim must be a positive integer, got 0": lambda: nn.MultiheadAttention(0, 1),
    "MultiheadAttention: vdim must be a positive integer, got 2.5": (
        lambda: nn.MultiheadAttention(D, H, vdim=2.5)
    ),
    "MultiheadAttention: a cache is () or what the last call gave, (keys, values); got 3 parts": (
        lambda: nn.MultiheadAttention(D, H)(X, X, X, cache=[X, X, X])
    ),
    "MultiheadAttention: keys and values of a cache are alike, (N, num_heads, S, head_dim) = (2, 2, S, 4); "
    "got [(3, 2, 8), (3, 2, 8)]": lambda: nn.MultiheadAttention(D, H)(X, X, X, cache=(X, X)),
    "TransformerDecoderLayer: a cache is () or what the last call gave, two pairs (keys, values); "
    "got 1 parts": (
        lambda: nn.TransformerDecoderLayer(D, H, FF)(X, Y, cache=(X,))
    ),
    "TransformerEncoderLayer: activation is 'relu', 'gelu' or a callable, got 'tanh'": (
        lambda: nn.TransformerEncoderLayer(D, H, activation="tanh")
    ),
    "TransformerDecoder: num_layers must be a positive integer, got 0": (
        lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(D, H, FF), 0)
    ),
    "Transformer: src (3, 2, 8) and tgt (4, 2, 8) need d_model = 8 features and one batch size "
    "(axis 0), or no batch in both": lambda: nn.Transformer(D, H, 1, 1, FF, **FIRST)(X, Y),
    "Transformer: src (2, 3, 8) and tgt (2, 4, 8) need d_model = 8 features and one batch size "
    "(axis 1), or no batch in both": (
        lambda: nn.Transformer(D, H, 1, 1, FF)(X.swapaxes(0, 1), Y.swapaxes(0, 1))
    ),
    "Transformer: src (3, 2, 8) and tgt (4, 2, 7) need d_model = 8 features and one batch size "
    "(axis 1), or no batch in both": lambda: nn.Transformer(D, H, 1, 1, FF)(X, Y[..., 1:]),
    "Transformer: src (8,) and tgt (8,) need d_model = 8 features and one batch size (axis 1), "
    "or no batch in both": lambda: nn.Transformer(D, H, 1, 1, FF)(X[0, 0], X[0, 0]),
}  # fmt: skip


@pytest.mark.parametrize("message", WRONG)
def test_what_is_refused_is_told_with_its_shape_or_value(message):
    with pytest.raises((ValueError, TypeError)) as error:
        WRONG[message]()
    assert str(error.value) == message


# ---- the layer of attention ----------------------------------------------------------------------


def attention(**options):
    layer = nn.MultiheadAttention(D, H, **options).astype("float64")
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.3)
    return layer


def test_widths_that_are_embed_dims_are_one_weight():
    layer = nn.MultiheadAttention(D, H, kdim=D, vdim=D)
    assert layer.in_proj_weight.shape == (3 * D, D) and layer.q_proj_weight is None
    for options in (dict(kdim=3), dict(vdim=3)):
        layer = nn.MultiheadAttention(D, H, **options)
        assert layer.in_proj_weight is None and layer.q_proj_weight.shape == (D, D)
        assert layer.k_proj_weight.shape == (D, options.get("kdim", D))
        assert layer.v_proj_weight.shape == (D, options.get("vdim", D))


@pytest.mark.parametrize("listed", [tuple, list])
def test_a_cache_may_be_a_list_and_the_new_one_is_a_tuple(listed):
    layer, x = attention(), tg.Tensor(numbers(T, N, D))
    whole = layer(x, x, x, is_causal=True)[0]
    _, _, cache = layer(x[:2], x[:2], x[:2], is_causal=True, cache=listed(()))
    assert type(cache) is tuple
    y, _, new = layer(x[2:], x[2:], x[2:], is_causal=True, cache=listed(cache))
    np.testing.assert_allclose(y.numpy(), whole.numpy()[2:], atol=1e-12)
    assert type(new) is tuple and [part.shape for part in new] == [(N, H, T, D // H)] * 2
    _, _, same = layer(x[2:], None, None, cache=listed(new))
    assert type(same) is tuple and all(a is b for a, b in zip(same, new, strict=True))


@pytest.mark.parametrize("need_weights", [False, True])
def test_dropout_of_the_weights_drops_its_share_in_training_only(need_weights):
    """An only key has weight 1: what is left of it is 0 or 1 / (1 − p)."""
    p = 0.8
    layer = attention(dropout=p)
    x = tg.Tensor(np.ones((1, 4000, D)))
    nn.init.zeros_(layer.out_proj.bias)
    layer.out_proj.weight.data = np.eye(D)
    whole = layer.eval()(x, x, x, need_weights=need_weights)[0].numpy()[0]
    y = layer.train()(x, x, x, need_weights=need_weights)[0].numpy()[0]
    kept = y != 0
    assert abs(kept.reshape(-1, H, D // H).all(-1).mean() - (1 - p)) < 0.03  # 8,000 draws: six sigma
    np.testing.assert_allclose(y[kept], whole[kept] / (1 - p), rtol=1e-12)


@pytest.mark.parametrize("options", [{}, dict(add_bias_kv=True, add_zero_attn=True)], ids=["", "learned"])
@pytest.mark.parametrize("need_weights", [False, True])
def test_the_causal_option_counts_from_the_cache_beside_a_square_mask(need_weights, options):
    """As many queries as keys in all, two of them kept: the triangle hides more than `is_causal` does."""
    layer, x = attention(**options), tg.Tensor(numbers(4, N, D))
    _, _, cache = layer(x[:2], x[:2], x[:2], cache=())

    def run(**masks):
        return layer(x, x[2:], x[2:], cache=cache, need_weights=need_weights, **masks)[0].numpy()

    triangle, corner = (np.triu(np.ones((4, 4), bool), k) for k in (1, 3))
    np.testing.assert_allclose(run(attn_mask=triangle, is_causal=True), run(attn_mask=triangle), atol=1e-12)
    np.testing.assert_allclose(run(is_causal=True), run(attn_mask=corner), atol=1e-12)
    assert np.abs(run(attn_mask=triangle) - run(attn_mask=corner)).max() > 1e-3
    assert np.abs(run() - run(attn_mask=corner)).max() > 1e-3
