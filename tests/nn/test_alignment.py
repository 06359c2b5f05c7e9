"""The attention layers of Luong and Bahdanau against the papers' formulas, written in torch."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend, nn

N, T, U = 3, 4, 5
LENGTHS = np.array([2, 5, 0])
MASK = np.arange(U) < LENGTHS[:, None]
DIMS = {"dot": (6, 6), "general": (6, 4), "additive": (6, 4)}


def layer(kind):
    tg.manual_seed(0)
    made = {"dot": nn.DotAttention, "general": lambda: nn.GeneralAttention(6, 4),
            "additive": lambda: nn.AdditiveAttention(6, 4, 7)}[kind]()  # fmt: skip
    return made.astype("float64")


def drawn(kind, seed=1):
    random = np.random.default_rng(seed)
    d, e = DIMS[kind]
    return [random.standard_normal(s) for s in ((N, T, d), (N, U, e), (N, U, 2))]


def twin(kind, parameters, query, keys, values, mask):
    """(context, weights) by the formula; a query that sees no key: zeros."""
    import torch

    if kind == "dot":
        e = torch.einsum("ntd,nud->ntu", query, keys)
    elif kind == "general":
        e = torch.einsum("ntd,de,nue->ntu", query, parameters["weight"], keys)
    else:
        h = torch.nn.functional.linear(keys, parameters["key_weight"])[:, None]
        s = torch.nn.functional.linear(query, parameters["query_weight"])[:, :, None]
        e = (torch.tanh(h + s) * parameters["v"]).sum(-1)
    if mask is not None:
        e = e.masked_fill(~mask, -1e9)
    a = e.softmax(-1) if mask is None else e.softmax(-1) * mask
    return a @ values, a


def numbers(xs):
    return [x.detach().numpy() for x in xs]


@pytest.mark.parametrize("masked", ["no", "lengths", "mask (N, U)", "mask (N, T, U)"])
@pytest.mark.parametrize("own_values", [True, False])
@pytest.mark.parametrize("kind", DIMS)
def test_the_twin_agrees(kind, own_values, masked):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    attend = layer(kind)
    arrays = drawn(kind)[: 2 + own_values]
    each = np.random.default_rng(2).random((N, T, U)) > 0.4
    mask = {"no": None, "mask (N, T, U)": each}.get(masked, MASK)
    given = {"no": {}, "lengths": {"lengths": LENGTHS}}.get(masked, {"mask": mask})
    ours = [tg.Tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    named = {k: torch.tensor(p, requires_grad=True) for k, p in attend.state_dict().items()}
    found = attend(*ours, **given)
    stretched = None if mask is None else torch.tensor(mask if mask.ndim == 3 else mask[:, None])
    expected = twin(kind, named, *theirs[:2], theirs[-1], stretched)
    for f, e in zip(numbers(found), numbers(expected), strict=True):
        np.testing.assert_allclose(f, e, rtol=1e-12, atol=1e-14)
    loss = (found[0] ** 2).sum() + (found[1] ** 3).sum()
    goal = (expected[0] ** 2).sum() + (expected[1] ** 3).sum()
    wanted = [*theirs, *named.values()]
    for g, e in zip(
        tg.grad(loss, [*ours, *attend.parameters()]), torch.autograd.grad(goal, wanted), strict=True
    ):
        np.testing.assert_allclose(g.numpy(), e.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", DIMS)
def test_one_step_is_one_row(kind):
    attend = layer(kind)
    query, keys, values = drawn(kind)
    context, weights = attend(query[:, 1], keys, values, lengths=LENGTHS)
    several = attend(query, keys, values, lengths=LENGTHS)
    assert context.shape == (N, 2) and weights.shape == (N, U)
    np.testing.assert_allclose(context.detach().numpy(), several[0].detach().numpy()[:, 1], rtol=1e-13)
    np.testing.assert_allclose(weights.detach().numpy(), several[1].detach().numpy()[:, 1], rtol=1e-13)


@pytest.mark.parametrize("filler", [1e6, np.inf, np.nan])
@pytest.mark.parametrize("options", [{"lengths": LENGTHS}, {"mask": np.repeat(MASK[:, None], T, axis=1)}])
@pytest.mark.parametrize("kind", DIMS)
def test_what_the_padding_holds_reaches_nothing(kind, options, filler):
    attend = layer(kind)
    query, keys, values = drawn(kind)

    def results(fill):
        filled = (np.where(MASK[..., None], a, fill) for a in (keys, values))
        x = [tg.Tensor(a, requires_grad=True) for a in (query, *filled)]
        context, weights = attend(*x, **options)
        wanted = [*x, *attend.parameters()]
        return numbers([context, weights, *tg.grad((context**2).sum() + (weights**2).sum(), wanted)])

    for found, expected in zip(results(filler), results(0.0), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_weights_are_shares():
    for kind in DIMS:
        _, weights = layer(kind)(*drawn(kind), lengths=LENGTHS)
        a = weights.detach().numpy()
        np.testing.assert_allclose(a.sum(-1), (LENGTHS > 0)[:, None] * np.ones(T), rtol=1e-13)
        assert not a[~np.broadcast_to(MASK[:, None], (N, T, U))].any()


def test_initial_weights_are_xaviers():
    tg.manual_seed(3)
    general, additive = nn.GeneralAttention(60, 40), nn.AdditiveAttention(60, 40, 50)
    bounds = {general.weight: 100, additive.key_weight: 90, additive.query_weight: 110, additive.v: 51}
    for p, total in bounds.items():
        bound, largest = math.sqrt(6 / total), abs(p.numpy()).max()
        assert 0.85 * bound < largest <= bound
    assert set(additive.state_dict()) == {"key_weight", "query_weight", "v"}
    assert list(nn.DotAttention().parameters()) == []
    assert repr(general) == "GeneralAttention(60, 40)" and repr(additive) == "AdditiveAttention(60, 40, 50)"


@pytest.mark.parametrize("layer", [tg.nn.DotAttention(), tg.nn.GeneralAttention(64, 64)], ids=repr)
@pytest.mark.parametrize("how", [{}, {"lengths": [2]}])
def test_scores_of_float16_do_not_overflow(layer, how):
    """160,000 is not among its numbers; the weights are."""
    layer = layer.astype("float16")
    for weight in layer.parameters():
        weight.data = np.eye(64)
    q = np.full((1, 1, 64), 50, np.float16)
    context, weights = layer(q, np.stack([q[0, 0], -q[0, 0]])[None], **how)
    assert weights.dtype == context.dtype == np.float16
    assert backend.to_numpy(weights.data).tolist() == [[[1, 0]]]
    assert np.array_equal(backend.to_numpy(context.data), q)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("kind", DIMS)
def test_dtype_in_is_dtype_out(kind, dtype):
    attend = layer(kind).astype(dtype)
    inputs = [tg.Tensor(a.astype(dtype), requires_grad=True) for a in drawn(kind)]
    context, weights = attend(*inputs, lengths=LENGTHS)
    found = tg.grad((context * 1).sum(), inputs)
    assert {x.dtype for x in (context, weights, *found)} == {np.dtype(dtype)}


@pytest.mark.parametrize("kind", DIMS)
def test_empty_sequences(kind):
    attend = layer(kind)
    query, keys, values = drawn(kind)
    context, weights = attend(query, keys[:, :0], values[:, :0])
    assert context.shape == (N, T, 2) and weights.shape == (N, T, 0) and not context.detach().numpy().any()
    assert attend(query[:, :0], keys, values)[0].shape == (N, 0, 2)
    assert attend(query[:0], keys[:0], values[:0], lengths=LENGTHS[:0])[0].shape == (0, T, 2)


Q, K, V = drawn("additive")
REFUSED = {
    "features": (lambda a: a(K, K, V), ValueError, "query_weight"),
    "batches": (lambda a: a(Q[:2], K, V), ValueError, "do not fit"),
    "values": (lambda a: a(Q, K, V[:, :4]), ValueError, "do not fit"),
    "axes": (lambda a: a(Q[0, 0], K, V), ValueError, "do not fit"),
    "dtype of values": (lambda a: a(Q, K, V.astype(np.float32)), TypeError, "one dtype"),
    "dtype of keys": (lambda a: a(Q, K.astype(np.float32), V), TypeError, "one dtype"),
    "mask and lengths": (lambda a: a(Q, K, V, mask=MASK, lengths=LENGTHS), ValueError, "either"),
    "mask of numbers": (lambda a: a(Q, K, V, mask=MASK * 1.0), TypeError, "booleans"),
    "mask (N, T)": (lambda a: a(Q, K, V, mask=np.ones((N, T), bool)), ValueError, r"\(N, U\) = \(3, 5\)"),
    "mask (N, U, T)": (lambda a: a(Q, K, V, mask=np.ones((N, U, T), bool)), ValueError, r"\(N, T, U\) = "),
    "lengths above U": (lambda a: a(Q, K, V, lengths=[1, 2, 6]), ValueError, "0..5"),
    "two lengths": (lambda a: a(Q, K, V, lengths=[1, 2]), ValueError, r"\(3, 5\)"),
    "mask (T, U)": (lambda a: a(Q, K, V, mask=np.ones((T, U), bool)), ValueError,
        r"or lengths .* is \(4, 5\)"),
    "mask (1, N, T, U)": (lambda a: a(Q, K, V, mask=np.ones((1, N, T, U), bool)), ValueError,
        r"\(1, 3, 4, 5\)$"),
    "shapes": (lambda a: a(Q, K[0], V), ValueError, r"fit: \(3, 4, 6\), \(5, 4\), \(3, 5, 2\)$"),
    "what to do": (lambda a: a(Q, K, V, mask=MASK * 1), TypeError,
        r"got int64; use mask\.astype\(bool\)$"),
    "name": (lambda a: a(Q, K, V.astype(np.float32)), TypeError, "^AdditiveAttention: .* values is float32"),
    "no size": (lambda a: nn.AdditiveAttention(0, 4, 7), ValueError,
        "^AdditiveAttention: query_dim .* got 0"),
    "no keys": (lambda a: nn.AdditiveAttention(6, -1, 7), ValueError,
        "^AdditiveAttention: key_dim .* got -1"),
    "no width": (lambda a: nn.AdditiveAttention(6, 4, 0), ValueError,
        "^AdditiveAttention: hidden_dim .* 0"),
    "no query": (lambda a: nn.GeneralAttention(1.5, 4), ValueError,
        r"^GeneralAttention: query_dim .* 1\.5"),
    "no key": (lambda a: nn.GeneralAttention(6, 0), ValueError, "^GeneralAttention: key_dim .* got 0"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "text"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_named(call, error, text):
    with pytest.raises(error, match=text):
        call(layer("additive"))


@pytest.mark.parametrize("kind", DIMS)
@pytest.mark.parametrize("shape", [(N, 1, U), (1, T, U), (1, 1, U), (N, T, 1), (N, T, U)])
def test_a_mask_stretches_along_any_axis(kind, shape):
    attend, mask = layer(kind), np.random.default_rng(3).random(shape) > 0.4
    whole = attend(*drawn(kind), mask=np.array(np.broadcast_to(mask, (N, T, U))))
    for found, expected in zip(attend(*drawn(kind), mask=mask), whole, strict=True):
        np.testing.assert_array_equal(found.detach().numpy(), expected.detach().numpy())


def test_weights_are_drawn_in_the_order_of_the_state():
    tg.manual_seed(3)
    attend = nn.AdditiveAttention(6, 4, 7)
    tg.manual_seed(3)
    for name, p in attend.named_parameters():
        bound = math.sqrt(6 / (sum(p.shape) + (p.ndim == 1)))
        again = nn.init.uniform_(nn.Parameter(np.empty(p.shape, np.float32)), -bound, bound)
        np.testing.assert_array_equal(p.numpy(), again.numpy(), err_msg=name)
    assert list(attend.state_dict()) == ["key_weight", "query_weight", "v"]
