"""The Transformer's layers and stacks: equal to torch's, cached generation, positions, counts, errors."""

import copy

import numpy as np
import pytest

import tinygrad_notes as tg
from tests.layer_parity import assert_equal_layers
from tinygrad_notes import nn
from tinygrad_notes.models.count import parameter_count, undrawn
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


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_stack_of_torch_evaluates_the_same_on_its_fast_path(batch_first, torch):
    """With padding and without gradients it puts zeros where the padding is; batch first only."""
    theirs = torch.nn.TransformerEncoder(
        torch.nn.TransformerEncoderLayer(D, H, FF, batch_first=batch_first), 2,
        enable_nested_tensor=batch_first,
    ).double().eval()  # fmt: skip
    ours = nn.TransformerEncoder(nn.TransformerEncoderLayer(D, H, FF, batch_first=batch_first), 2)
    ours = ours.astype("float64").eval()
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    x = numbers(*((N, T) if batch_first else (T, N)), D)
    pad = PADDING
    with torch.no_grad():
        expected = theirs(torch.from_numpy(x), src_key_padding_mask=torch.from_numpy(pad)).numpy()
    y = ours(x, src_key_padding_mask=pad).detach().numpy()
    kept = ~pad if batch_first else ~pad.T
    np.testing.assert_allclose(y[kept], expected[kept], rtol=0, atol=1e-12)
    assert (expected[~kept] == 0).all() == batch_first


# ---- cached generation --------------------------------------------------------------------------


def double(module):
    module = module.astype("float64").eval()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module


def close(a, b, atol=1e-12):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=0, atol=atol)


def cut(x, pieces, axis):
    return tg.split(x, np.cumsum(pieces)[:-1].tolist(), axis=axis)


PIECES = [(1,) * T, (3, 1), (1, 2, 1), (T,)]


@pytest.mark.parametrize("pieces", PIECES)
@pytest.mark.parametrize("layer", [{}, FIRST | PRE, dict(bias=False)], ids=["post", "pre", "no bias"])
def test_a_decoder_only_stack_in_pieces_equals_the_whole(layer, pieces):
    """As GPT: encoder layers with the causal mask, and a norm at the end."""
    part = nn.TransformerEncoderLayer(D, H, FF, **layer)
    model = double(nn.TransformerEncoder(part, 2, nn.LayerNorm(D)))
    axis = 1 if layer.get("batch_first") else 0
    x = tg.Tensor(numbers(*((N, T) if axis else (T, N)), D))
    whole = model(x, mask=ADDED)
    close(model(x, is_causal=True), whole)
    found, cache, stop = [], (), 0
    for piece in cut(x, pieces, axis):
        stop += piece.shape[axis]
        y, cache = model(piece, src_key_padding_mask=np.zeros((N, stop), bool), is_causal=True, cache=cache)
        found.append(y)
    close(tg.concat(found, axis=axis), whole)
    assert len(cache) == 2 and cache[0][0].shape == (N, H, T, D // H)


@pytest.mark.parametrize("pieces", PIECES)
@pytest.mark.parametrize("layer", [{}, FIRST | PRE], ids=["post", "pre"])
def test_a_decoder_in_pieces_equals_the_whole(layer, pieces):
    model = double(nn.Transformer(D, H, 1, 2, FF, **layer))
    axis = 1 if layer.get("batch_first") else 0
    src, tgt = (numbers(*((N, n) if axis else (n, N)), D, seed=n) for n in (S, T))
    pad = hidden(N, S)
    masks = dict(memory_key_padding_mask=pad)
    whole = model(src, tgt, src_key_padding_mask=pad, tgt_mask=CAUSAL, **masks)
    memory = model.encoder(src, src_key_padding_mask=pad)
    found, cache = [], ()
    for piece in cut(tg.Tensor(tgt), pieces, axis):
        y, cache = model.decoder(piece, memory, tgt_is_causal=True, cache=cache, **masks)
        memory = None  # its keys and values are in the cache
        found.append(y)
    close(tg.concat(found, axis=axis), whole)


def test_a_model_writes_the_same_text_with_and_without_a_cache():
    class Model(nn.Module):
        def __init__(self, words=11):
            self.words = nn.Parameter(numbers(words, D))
            self.places = nn.PositionalEncoding(D, 0.0, 20)
            part = nn.TransformerEncoderLayer(D, H, FF, dropout=0.0, norm_first=True)
            self.layers = nn.TransformerEncoder(part, 2, nn.LayerNorm(D))

        def forward(self, ids, cache=None):
            start = cache[0][0].shape[2] if cache else 0
            x = self.places(self.words[ids], start)
            if cache is None:
                return self.layers(x, is_causal=True) @ self.words.T
            y, cache = self.layers(x, is_causal=True, cache=cache)
            return y @ self.words.T, cache

    model = double(Model())
    ids = np.array([[3, 1], [4, 1]])  # (T, N)
    with tg.no_grad():
        plain = ids
        for _ in range(12):
            plain = np.concatenate([plain, tg.to_numpy(model(plain)[-1:].argmax(axis=-1).data)])
        cache, new, text = (), ids, ids
        for _ in range(12):
            logits, cache = model(new, cache)
            new = tg.to_numpy(logits[-1:].argmax(axis=-1).data)
            text = np.concatenate([text, new])
    np.testing.assert_array_equal(text, plain)
    assert len(np.unique(text)) > 2  # it says something


def test_a_cache_of_another_stack_is_refused():
    part = nn.TransformerEncoderLayer(D, H, FF)
    x = np.zeros((1, N, D), np.float32)
    _, cache = nn.TransformerEncoder(part, 2)(x, is_causal=True, cache=())
    with pytest.raises(ValueError, match="3 parts, one a layer; got 2"):
        nn.TransformerEncoder(part, 3)(x, is_causal=True, cache=cache)
    with pytest.raises(ValueError, match=r"what the last call gave"):
        nn.TransformerDecoderLayer(D, H, FF)(x, x, cache=cache[0] * 2)


# ---- what layers are made of --------------------------------------------------------------------


def test_layers_are_copies_that_share_nothing():
    layer = nn.TransformerEncoderLayer(D, H, FF, activation=nn.GELU())
    stack = nn.TransformerEncoder(layer, 3)
    assert stack.num_layers == len(stack.layers) == 3
    states = [part.state_dict() for part in (layer, *stack.layers)]
    for state in states[1:]:
        for name, value in state.items():
            np.testing.assert_array_equal(value, states[0][name])
    stack(np.ones((T, N, D), np.float32)).sum().backward()
    tg.optim.SGD(stack.layers[0].parameters(), lr=1.0).step()
    for part in (layer, stack.layers[1]):
        np.testing.assert_array_equal(part.linear1.weight.numpy(), states[0]["linear1.weight"])
    assert (stack.layers[0].linear1.weight.numpy() != states[0]["linear1.weight"]).any()
    assert all(p.grad is None for p in layer.parameters())
    assert len({id(p) for p in stack.parameters()}) == 3 * len(states[0])
    twin = copy.deepcopy(stack)
    x = np.ones((T, N, D), np.float32)
    close(twin.eval()(x), stack.eval()(x))
    assert stack.layers[0].activation is not stack.layers[1].activation


def test_keys_of_the_state_dict():
    attention = ["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"]
    rest = ["linear1", "linear2", "norm1", "norm2"]
    names = [f"self_attn.{name}" for name in attention]
    names += [f"{part}.{kind}" for part in rest for kind in ("weight", "bias")]
    assert list(nn.TransformerEncoderLayer(D, H).state_dict()) == names
    names[4:4] = [f"multihead_attn.{name}" for name in attention]
    names += ["norm3.weight", "norm3.bias"]
    assert list(nn.TransformerDecoderLayer(D, H).state_dict()) == names
    state = nn.Transformer(D, H, 1, 2, FF).state_dict()
    assert {"encoder.layers.0.linear1.bias", "encoder.norm.weight", "decoder.layers.1.norm3.bias"} <= set(
        state
    )
    assert not [name for name in nn.Transformer(D, H, 1, 1, FF, bias=False).state_dict() if "bias" in name]


def test_the_counts_of_the_paper():
    """The base model; torch.nn.Transformer adds two final norms of 2 · 512."""
    with undrawn():
        encoder, decoder = nn.TransformerEncoderLayer(512, 8), nn.TransformerDecoderLayer(512, 8)
        whole = parameter_count(nn.Transformer())
    counts = parameter_count(encoder), parameter_count(decoder)
    assert counts == (3_152_384, 4_204_032)
    assert 6 * sum(counts) == 44_138_496
    assert whole == 44_140_544 == 6 * sum(counts) + 2 * 1024


def test_a_transformer_starts_from_xavier_and_zero_biases():
    tg.manual_seed(2)
    model = nn.Transformer(D, H, 2, 1, FF)
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            bound = np.sqrt(6 / sum(parameter.shape))
            assert 0.8 * bound < np.abs(parameter.numpy()).max() <= bound, name
    a, b = (layer.linear1.weight.numpy() for layer in model.encoder.layers)
    assert np.abs(a - b).max() > 0.1  # drawn after the layers were copied
    tg.manual_seed(2)
    for a, b in zip(nn.Transformer(D, H, 2, 1, FF).parameters(), model.parameters(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_custom_parts_and_activations():
    class Twice(nn.Module):
        def forward(self, src, mask=None, src_key_padding_mask=None, is_causal=None):
            return 2 * src

    model = nn.Transformer(D, H, num_decoder_layers=1, dim_feedforward=FF, custom_encoder=Twice()).eval()
    src, tgt = (numbers(n, N, D).astype(np.float32) for n in (S, T))
    close(model(src, tgt), model.decoder(tgt, 2 * src))
    layer = nn.TransformerEncoderLayer(D, H, FF, activation="gelu").eval()
    other = nn.TransformerEncoderLayer(D, H, FF, activation=nn.GELU()).eval()
    other.load_state_dict(layer.state_dict())
    close(layer(src), other(src))


def test_a_stack_takes_layers_of_other_makes():
    class Shift(nn.Module):
        def forward(self, src, src_mask=None, src_key_padding_mask=None, is_causal=False):
            return src + 1

    x = tg.zeros((T, N, D))
    close(nn.TransformerEncoder(Shift(), 3)(x), x + 3)


def test_dropout_in_training_only():
    layer, x = nn.TransformerDecoderLayer(D, H, FF, dropout=0.5), numbers(T, N, D).astype(np.float32)
    close(layer.eval()(x, x), layer(x, x))
    tg.manual_seed(1)
    first = layer.train()(x, x)
    assert np.abs((first - layer(x, x)).detach().numpy()).max() > 0.1
    tg.manual_seed(1)
    close(first, layer(x, x))
    whole = nn.TransformerEncoderLayer(D, H, FF, dropout=1.0)  # only what goes around the parts is left
    close(whole(x), whole.norm2(whole.norm1(x)))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("pre", [False, True])
def test_dtype_in_is_dtype_out(dtype, pre):
    model = nn.Transformer(D, H, 1, 1, FF, norm_first=pre, activation="gelu").astype(dtype)
    src, tgt = (tg.Tensor(numbers(n, N, D).astype(dtype), requires_grad=True) for n in (S, T))
    y = model(src, tgt, tgt_mask=ADDED)
    gradients = tg.grad(y.sum(), [src, tgt])
    assert {str(a.dtype) for a in (y, *gradients)} == {dtype}


def test_derivatives_of_order_1_and_2():
    layer = double(nn.TransformerDecoderLayer(4, 2, 3, activation="gelu", norm_first=True))
    tgt, memory = (tg.Tensor(numbers(n, 1, 4, seed=n), requires_grad=True) for n in (2, 3))

    def run(tgt, memory):
        return layer(tgt, memory, tgt_is_causal=True)

    assert tg.gradcheck(run, [tgt, memory]) and tg.gradgradcheck(run, [tgt, memory])


@pytest.mark.parametrize("shape", [(0, N, D), (T, 0, D), (0, D)])
def test_empty_sequences_and_batches(shape):
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(D, H, FF), 2)
    decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(D, H, FF, norm_first=True), 2)
    x = tg.Tensor(np.zeros(shape, np.float32), requires_grad=True)
    for y in (encoder(x, is_causal=True), decoder(x, x)):
        assert y.shape == shape and tg.grad(y.sum(), x)[0].shape == shape
    memory = np.zeros((0, *shape[1:]), np.float32)
    assert np.isfinite(decoder(x, memory).detach().numpy()).all()


# ---- the causal mask ----------------------------------------------------------------------------


def test_the_causal_mask(torch):
    for sz in (0, 1, 4):
        mask = nn.generate_square_subsequent_mask(sz)
        np.testing.assert_array_equal(
            mask.numpy(), torch.nn.Transformer.generate_square_subsequent_mask(sz).numpy()
        )
        assert mask.dtype == np.float32
    assert nn.Transformer.generate_square_subsequent_mask(2, dtype="float64").dtype == np.float64
    for wrong in (-1, 2.0, "3"):
        with pytest.raises(ValueError, match="sz must be a length"):
            nn.generate_square_subsequent_mask(wrong)
    with pytest.raises(TypeError, match="no −∞"):
        nn.generate_square_subsequent_mask(2, dtype="int64")


def test_a_stack_sees_that_a_mask_is_the_causal_one():
    class Spy(nn.Module):
        def forward(self, src, src_mask=None, src_key_padding_mask=None, is_causal=False):
            seen.append(is_causal)
            return src

    seen, stack, x = [], nn.TransformerEncoder(Spy(), 1), np.zeros((T, N, D), np.float32)
    learned = tg.Tensor(ADDED, requires_grad=True)
    for mask, is_causal in (
        (ADDED, None), (CAUSAL, None), (CAUSAL, True), (None, True),
        (CAUSAL, False), (CAUSAL.T, None), (~CAUSAL, None), (ADDED + np.eye(T), None), (learned, None),
        (np.stack([CAUSAL] * N * H), None), (None, None), (None, False),
    ):  # fmt: skip
        stack(x, mask=mask, is_causal=is_causal)
    assert seen == [True] * 4 + [False] * 8


# ---- bad input ----------------------------------------------------------------------------------

X, Y = np.zeros((T, N, D), np.float32), np.zeros((S, N, D), np.float32)


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (lambda: nn.Transformer(D, H, 1, 1, FF)(X, Y[:, :2]), ValueError, "one batch size"),
        (lambda: nn.Transformer(D, H, 1, 1, FF)(X, Y[..., :4]), ValueError, "d_model = 8 features"),
        (lambda: nn.Transformer(D, H, 1, 1, FF)(X, Y[:, 0]), ValueError, "no batch in both"),
        (lambda: nn.Transformer(D, H, 1, 1, FF)(X, Y, tgt_mask=CAUSAL), ValueError, r"attn_mask is \(4, 4\)"),
        (lambda: nn.Transformer(D, H, 0), ValueError, "num_layers must be a positive integer"),
        (lambda: nn.TransformerEncoderLayer(D, 3), ValueError, "num_heads 3 must divide embed_dim 8"),
        (lambda: nn.TransformerEncoderLayer(D, H, activation="relu6"), ValueError, "'gelu' or a callable"),
        (lambda: nn.TransformerEncoderLayer(D, H, activation=None), ValueError, "a callable, got None"),
        (lambda: nn.TransformerEncoderLayer(D, H, dropout=-1), ValueError, "probability"),
        (lambda: nn.TransformerEncoderLayer(D, H)(X[..., :4]), ValueError, "query is"),
        (lambda: nn.TransformerEncoderLayer(D, H, **PRE)(X[..., :4]), ValueError, "layer_norm"),
        (lambda: nn.TransformerEncoderLayer(D, H)(X.astype(float)), TypeError, "one dtype"),
        (lambda: nn.TransformerEncoderLayer(D, H)(X, CAUSAL.astype(int)), TypeError, "must be bool"),
        (lambda: nn.TransformerDecoderLayer(D, H)(X, Y[:, :2]), ValueError, "one batch size"),
        (lambda: nn.TransformerDecoderLayer(D, H)(X, Y[..., :4]), ValueError, "key is"),
        (lambda: nn.TransformerDecoderLayer(D, H)(X, Y, memory_mask=CAUSAL), ValueError, "attn_mask"),
        (lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(D, H), 1)(X, X[0]), ValueError, "key is"),
        (lambda: nn.TransformerDecoderLayer(D, H)(X, None), ValueError, "or memory, the cache must"),
    ],
)  # fmt: skip
def test_wrong_calls_say_what_is_wrong(run, error, message):
    with pytest.raises(error, match=message):
        run()


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_causal_attention_of_any_length_is_that_of_the_steps_so_far(length):
    layer = nn.MultiheadAttention(8, 2, batch_first=True)
    x = np.random.default_rng(0).standard_normal((3, length, 8)).astype(np.float32)
    mask = nn.Transformer.generate_square_subsequent_mask(length)
    whole = layer(x, x, x, attn_mask=mask, is_causal=True)[0].detach().numpy()
    for t in range(length):
        part = layer(x[:, t : t + 1], x[:, : t + 1], x[:, : t + 1])[0].detach().numpy()
        np.testing.assert_allclose(whole[:, t : t + 1], part, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("part", ["src", "tgt", "memory"])
def test_each_causal_option_of_a_transformer_is_its_triangular_mask(part):
    model = nn.Transformer(D, H, 1, 1, FF, dropout=0.0).eval()
    src, tgt = (tg.Tensor(numbers(S, N, D, seed=seed).astype(np.float32)) for seed in (1, 2))
    later = tg.Tensor(np.triu(np.ones((S, S), bool), 1))
    causal = model(src, tgt, **{f"{part}_is_causal": True})
    np.testing.assert_allclose(causal.numpy(), model(src, tgt, **{f"{part}_mask": later}).numpy(), 1e-5, 1e-6)
    assert abs(causal.numpy() - model(src, tgt).numpy()).max() > 1e-3
