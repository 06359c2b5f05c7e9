"""Attention beyond its rows in the table: masks, sizes, dtypes, memory, and what is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend
from tinygrad_notes.nn import functional as F
from tinygrad_notes.ops import attention as ops
from tinygrad_notes.ops.alignment import additive_score, dot_score, general_score
from tinygrad_notes.ops.attention import sinusoidal_positions
from tinygrad_notes.ops.sequence import last_step, length_mask, masked_mean, masked_softmax

sdpa = F.scaled_dot_product_attention


def drawn(*shapes, dtype=np.float64, seed=0):
    random = np.random.default_rng(seed)
    return [random.standard_normal(s).astype(dtype) for s in shapes]


def leaves(*arrays):
    return [tg.Tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]


def value_and_gradients(run, *arrays):
    inputs = leaves(*arrays)
    y = run(*inputs)
    gy = np.cos(np.arange(y.size)).reshape(y.shape)
    wanted = [x for x in inputs if x.requires_grad]
    found = tg.grad(y, wanted, tg.Tensor(gy, dtype=y.dtype))
    assert all(g.dtype == x.dtype for g, x in zip(found, wanted, strict=True))
    return [y.detach().numpy(), *(g.numpy() for g in found)]


def torchs(run, *arrays):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    inputs = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    y = run(torch.nn.functional, *inputs)
    gy = torch.tensor(np.cos(np.arange(y.numel())).reshape(tuple(y.shape)), dtype=y.dtype)
    found = torch.autograd.grad(y, [x for x in inputs if x.requires_grad], gy)
    return [y.detach().numpy(), *(g.numpy() for g in found)]


def compare(ours, theirs, tolerance):
    for found, expected in zip(ours, theirs, strict=True):
        assert found.shape == expected.shape and found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


RANDOM = np.random.default_rng(5)
BOOL = RANDOM.random((2, 1, 5, 7)) > 0.4
BOOL[0, 0, 2] = False
FLOAT = RANDOM.standard_normal((2, 4, 5, 7))
FLOAT[0, 0, 1] = FLOAT[1, 1, 1, 2] = -np.inf
MASKS = {
    "none": None, "booleans": BOOL, "one row": BOOL[:, :, :1], "one for all": BOOL[1, 0],
    "numbers": FLOAT, "numbers for all": FLOAT[1, 0], "a number": np.array(0.5),
}  # fmt: skip


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("scale", [None, 0.3])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_torch_agrees(monkeypatch, dtype, mask, scale, kept):
    monkeypatch.setattr(ops, "KEPT", 1 << 22 if kept else 0)
    arrays = drawn((2, 4, 5, 8), (2, 4, 7, 8), (2, 4, 7, 3), dtype=dtype)
    if MASKS[mask] is not None:
        m = MASKS[mask]
        arrays.append(m if m.dtype == bool else m.astype(dtype))
    ours = value_and_gradients(lambda *xs: sdpa(*xs, scale=scale), *arrays)
    theirs = torchs(lambda f, *xs: f.scaled_dot_product_attention(*xs, scale=scale), *arrays)
    compare(ours, theirs, {2: 4e-3, 4: 2e-6, 8: 1e-13}[np.dtype(dtype).itemsize])


@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (5, 5), (1, 6), (6, 1), (3, 7), (7, 3)])
def test_causal_is_torchs_from_the_upper_left(queries, keys):
    arrays = drawn((2, queries, 4), (2, keys, 4), (2, keys, 4))
    ours = value_and_gradients(lambda *xs: sdpa(*xs, is_causal=True), *arrays)
    theirs = torchs(lambda f, *xs: f.scaled_dot_product_attention(*xs, is_causal=True), *arrays)
    compare(ours, theirs, 1e-13)


def test_a_mask_of_keys_alone():
    q, k, v = drawn((2, 5, 8), (2, 7, 8), (2, 7, 3))
    expected = sdpa(q, k, v, BOOL[1, 0, :1]).numpy()
    np.testing.assert_array_equal(sdpa(q, k, v, BOOL[1, 0, 0]).numpy(), expected)


def test_no_query_learns_from_the_future():
    q, k, v = drawn((6, 4), (6, 4), (6, 4))
    before = sdpa(q, k, v, is_causal=True).numpy()
    k[4:], v[4:] = 1e6, -1e6
    np.testing.assert_array_equal(sdpa(q, k, v, is_causal=True).numpy()[:4], before[:4])


@pytest.mark.parametrize("mask", [None, BOOL, FLOAT, FLOAT[0, 3]], ids=["none", "booleans", "heads", "one"])
@pytest.mark.parametrize("heads", [1, 2, 4])
def test_grouped_query_heads(heads, mask):
    arrays = drawn((2, 4, 5, 8), (2, heads, 7, 8), (2, heads, 7, 3))
    if mask is not None:
        arrays.append(mask)
    ours = value_and_gradients(lambda *xs: sdpa(*xs, enable_gqa=True), *arrays)
    theirs = torchs(lambda f, *xs: f.scaled_dot_product_attention(*xs, enable_gqa=True), *arrays)
    compare(ours, theirs, 1e-13)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("mask", ["booleans", "numbers"])
def test_a_query_that_sees_nothing_gives_zeros_and_learns_nothing(monkeypatch, mask, kept):
    monkeypatch.setattr(ops, "KEPT", 1 << 22 if kept else 0)
    q, k, v = drawn((3, 4), (5, 4), (5, 2))
    seen = np.ones((3, 5), bool)
    seen[1] = False
    m = seen if mask == "booleans" else np.where(seen, 0.0, -np.inf)
    with np.errstate(all="raise"):
        y, gq, gk, gv, *gm = value_and_gradients(sdpa, q, k, v, m)
    assert not y[1].any() and not gq[1].any() and not (gm and gm[0][1].any())
    others = value_and_gradients(sdpa, q[[0, 2]], k, v)
    gy = np.cos(np.arange(6)).reshape(3, 2)[[0, 2]]
    inputs = leaves(q[[0, 2]], k, v)
    others = [g.numpy() for g in tg.grad(sdpa(*inputs), inputs, gy)]
    for found, expected in zip((gq[[0, 2]], gk, gv), others, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)


def test_everything_hidden_at_order_2():
    q, k, v = leaves(*drawn((2, 2), (3, 2), (3, 2)))
    y = sdpa(q, k, v, np.zeros((2, 3), bool))
    (g,) = tg.grad(y.sum() + q.sum() * 0, q, create_graph=True)
    (h,) = tg.grad((g * g).sum(), v)
    assert not y.numpy().any() and not g.numpy().any() and not h.numpy().any()


HIDDEN = np.array([[False, False, True, True, False], [True, True, False, False, False]])


@pytest.mark.parametrize("filler", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize("mask", ["a row", "with a triangle", "numbers", "causal, more keys than queries"])
def test_what_a_key_holds_that_nobody_sees_reaches_nothing(mask, filler):
    """Its weights are 0, and 0 · NaN is NaN: also in a batch where other samples see that key."""
    q, k, v = drawn((2, 3, 4, 3), (2, 1, 5, 3), (2, 3, 5, 2))
    may = ~HIDDEN[:, None, None]
    if mask == "with a triangle":
        may = may & np.tri(4, 5, 2, dtype=bool)
    options = {"attn_mask": np.where(may, 0.0, -np.inf) if mask == "numbers" else may}
    hidden = HIDDEN
    if mask.startswith("causal"):
        options, hidden = {"is_causal": True}, np.arange(5) > np.array([[3], [3]])
    results = []
    for value in (0.0, filler):
        filled = [np.where(hidden[:, None, :, None], value, x) for x in (k, v)]
        with np.errstate(invalid="ignore", over="ignore"):
            results.append(value_and_gradients(lambda *xs: sdpa(*xs, **options), q, *filled))
    for found, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_nan_that_somebody_sees_stays_nan():
    q, k, v = drawn((1, 2), (3, 2), (3, 2))
    for broken in (q, k, v):
        broken[0, 0], before = np.nan, broken[0, 0]
        for mask in (None, np.ones((1, 3), bool), np.zeros((1, 3))):
            assert np.isnan(sdpa(q, k, v, mask).numpy()).any()
        broken[0, 0] = before


def test_a_mask_with_leading_axes_that_queries_and_keys_have_not():
    arrays = drawn((5, 3), (4, 3), (2, 4, 6), (2, 5, 4))
    ours = value_and_gradients(sdpa, *arrays)
    spread = [np.broadcast_to(x, (2, *x.shape[-2:])) for x in arrays]
    theirs = value_and_gradients(sdpa, *spread)
    compare(ours, [theirs[0], *(g.sum(0) if i < 2 else g for i, g in enumerate(theirs[1:]))], 1e-13)


@pytest.mark.parametrize("size", [1e2, 1e4, 1e18])
def test_large_scores(size):
    """The softmax becomes a choice; nothing overflows."""
    q = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32) * np.float32(size)
    v = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    with np.errstate(over="raise", invalid="raise"):
        y, *gradients = value_and_gradients(sdpa, q, q, v)
    np.testing.assert_array_equal(y, v)
    assert all(np.isfinite(g).all() for g in gradients)


def test_half_precision_is_computed_in_single():
    """Scores beyond 65504, and sums of many small weights."""
    q = np.full((2, 64), 60, np.float16)
    k = np.concatenate([q, -q, q])
    v = np.arange(6, dtype=np.float16)[:, None]
    np.testing.assert_array_equal(sdpa(q, k, v).numpy(), [[2.5], [2.5]])
    many = np.ones((4096, 1), np.float16)
    np.testing.assert_array_equal(sdpa(many[:1], many, many).numpy(), [[1.0]])


def test_one_array_in_every_place():
    (x,) = drawn((2, 3, 4))
    ours = value_and_gradients(lambda x: sdpa(x, x, x, is_causal=True), x)
    compare(ours, torchs(lambda f, x: f.scaled_dot_product_attention(x, x, x, is_causal=True), x), 1e-13)


@pytest.mark.parametrize(("queries", "keys", "d"), [(3, 0, 2), (0, 3, 2), (0, 0, 2), (2, 3, 0)])
def test_empty(queries, keys, d):
    arrays = drawn((2, queries, d), (2, keys, d), (2, keys, 4))
    y, *gradients = value_and_gradients(sdpa, *arrays)
    assert y.shape == (2, queries, 4) and [g.shape for g in gradients] == [a.shape for a in arrays]
    expected = arrays[2].mean(axis=1, keepdims=True) if d == 0 else 0  # of empty scores: the mean
    np.testing.assert_allclose(y, np.broadcast_to(expected, y.shape), rtol=1e-14)


def test_memory_order_does_not_matter():
    """Heads cut out of a projection (N, T, H, d), as layers hand them over."""
    q, k, v = drawn((2, 5, 3, 4), (2, 5, 3, 4), (2, 5, 3, 4))
    compare(
        value_and_gradients(lambda *xs: sdpa(*(x.swapaxes(1, 2) for x in xs)), q, k, v),
        [np.ascontiguousarray(a) if i == 0 else a.swapaxes(1, 2) for i, a in enumerate(
            value_and_gradients(sdpa, *(np.ascontiguousarray(x.swapaxes(1, 2)) for x in (q, k, v))))],
        1e-14,
    )  # fmt: skip


# ---- dropout -------------------------------------------------------------------------------------


def test_dropout_is_reproducible_and_keeps_the_mean():
    q, k, v = drawn((64, 4), (50, 4), (50, 1))
    v = v + 3
    tg.manual_seed(1)
    first = sdpa(q, k, v, dropout_p=0.3).numpy()
    tg.manual_seed(1)
    np.testing.assert_array_equal(sdpa(q, k, v, dropout_p=0.3).numpy(), first)
    plain = sdpa(q, k, v).numpy()
    assert abs(first.mean() / plain.mean() - 1) < 0.05 < abs(first - plain).max()
    assert not sdpa(q, k, v, dropout_p=1.0).numpy().any()


def test_dropout_with_a_mask_is_torchs_with_that_mask():
    arrays = drawn((2, 3, 5, 4), (2, 3, 6, 4), (2, 3, 6, 4))
    drop = 2.0 * (np.random.default_rng(0).random((2, 3, 5, 6)) > 0.5)

    def theirs(f, q, k, v):
        p = f.softmax(q @ k.mT / 2, -1)
        return (p * p.new_tensor(drop)) @ v

    ours = value_and_gradients(lambda *xs: sdpa(*xs, dropout_mask=drop), *arrays)
    compare(ours, torchs(theirs, *arrays), 1e-13)


def test_masks_are_the_operations_own():
    q, k, v = leaves(*drawn((2, 2), (3, 2), (3, 2)))
    for name, mask in (("attn_mask", np.ones((2, 3), bool)), ("dropout_mask", np.ones((2, 3)))):
        y = sdpa(q, k, v, **{name: mask})
        (expected,) = tg.grad(sdpa(q, k, v).sum(), v)
        mask[...] = 0
        np.testing.assert_array_equal(tg.grad(y.sum(), v)[0].numpy(), expected.numpy())


# ---- memory --------------------------------------------------------------------------------------


def kept(y):
    node = y._edge[0]
    return {a.shape for group in node.kept if group for a in group if hasattr(a, "shape")}


def test_weights_are_kept_up_to_a_size_only(monkeypatch):
    arrays = leaves(*drawn((2, 30, 2), (2, 40, 2), (2, 40, 2)))
    assert (2, 30, 40) in kept(sdpa(*arrays, is_causal=True))
    monkeypatch.setattr(ops, "KEPT", 2 * 30 * 40 - 1)
    assert kept(sdpa(*arrays, is_causal=True)) == {(2, 30, 2), (2, 40, 2), (2, 30, 1)}


# ---- bad input -----------------------------------------------------------------------------------

Q, K, V = drawn((2, 4, 5, 8), (2, 4, 7, 8), (2, 4, 7, 3))
REFUSED = {
    "features differ": (lambda: sdpa(Q, K[..., :7], V), ValueError, "do not fit"),
    "keys and values differ": (lambda: sdpa(Q, K, V[:, :, :6]), ValueError, "do not fit"),
    "a vector": (lambda: sdpa(Q[0, 0, 0], K, V), ValueError, "do not fit"),
    "heads differ": (lambda: sdpa(Q, K[:, :3], V[:, :3]), ValueError, "enable_gqa"),
    "mixed dtypes": (lambda: sdpa(Q, K.astype(np.float32), V), TypeError, "one dtype"),
    "integers": (lambda: sdpa(*(x.astype(int) for x in (Q, K, V))), TypeError, "real numbers"),
    "mask of another shape": (lambda: sdpa(Q, K, V, np.ones((5, 6), bool)), ValueError, r"\(5, 6\) does not"),
    "mask with more axes": (lambda: sdpa(Q, K, V, np.ones((3, 2, 4, 5, 7), bool)), ValueError, "does not"),
    "integer mask": (lambda: sdpa(Q, K, V, np.ones((5, 7), int)), TypeError, r"astype\(bool\)"),
    "mask of another dtype": (lambda: sdpa(Q, K, V, np.ones((5, 7), np.float32)), TypeError, "float64"),
    "mask and causal": (lambda: sdpa(Q, K, V, BOOL, is_causal=True), ValueError, "exclude"),
    "dropout above 1": (lambda: sdpa(Q, K, V, dropout_p=1.5), ValueError, "probability"),
    "dropout below 0": (lambda: sdpa(Q, K, V, dropout_p=-0.1), ValueError, "probability"),
    "dropout mask": (lambda: sdpa(Q, K, V, dropout_mask=np.ones((5, 6))), ValueError, "dropout_mask"),
    "scale": (lambda: sdpa(Q, K, V, scale="large"), TypeError, "scale"),
    "mask of groups": (lambda: sdpa(Q, K[:, :2], V[:, :2], BOOL[:, 0].repeat(2, 0)[:3], enable_gqa=True),
                       ValueError, r"\(3, 5, 7\) does not stretch to the weights \(2, 4, 5, 7\)"),
    "dropout mask with a gradient": (lambda: sdpa(Q, K, V, dropout_mask=tg.Tensor(FLOAT, requires_grad=True)),
                                     RuntimeError, "dropout_mask requires grad"),
    "groups": (lambda: sdpa(Q, K[:, :3], V[:, :3], enable_gqa=True), ValueError, "divide"),
    "groups of keys and values": (lambda: sdpa(Q, K[:, :2], V, enable_gqa=True), ValueError, "agree"),
    "groups without heads": (lambda: sdpa(Q[0, 0], K[0, 0], V[0, 0], enable_gqa=True), ValueError, "axis −3"),
    "dot score": (lambda: dot_score(Q, V), ValueError, "general_score"),
    "general score": (lambda: general_score(Q, V, np.ones((3, 8))), ValueError, r"\(8, 3\)"),
    "additive score": (lambda: additive_score(Q, V, np.ones((5, 3)), np.ones((4, 8)), np.ones(5)), ValueError,
                       r"query_weight is \(4, 8\)"),
    "additive score, v": (lambda: additive_score(Q, V, np.ones((5, 3)), np.ones((5, 8)), np.ones((5, 1))),
                          ValueError, r"v must be \(n,\)"),
    "scores of batches": (lambda: dot_score(Q[:, :3], K), ValueError, "broadcast"),
    "scores of two dtypes": (lambda: dot_score(Q, K.astype(np.float32)), TypeError, "one dtype"),
    "general score of two dtypes": (lambda: general_score(Q, V, np.ones((8, 3), "f")), TypeError,
                                    "weight 1 is float32"),
    "additive score of two dtypes": (
        lambda: additive_score(Q, V, np.ones((5, 3)), np.ones((5, 8)), np.ones(5, "f")), TypeError,
        "weight 3 is float32",
    ),
    "softmax mask": (lambda: masked_softmax(V, np.ones(3)), TypeError, "booleans"),
    "softmax mask shape": (lambda: masked_softmax(V, np.ones(4, bool)), ValueError, "does not stretch"),
    "mean without mask": (lambda: masked_mean(V), ValueError, "either"),
    "mean with two": (lambda: masked_mean(V, np.ones((2, 4), bool), [1, 2]), ValueError, "either"),
    "mean mask": (lambda: masked_mean(V, np.ones((1, 4), bool)), ValueError, r"must be \(2, 4\)"),
    "length above T": (lambda: masked_mean(V, lengths=[1, 2, 3, 1]), ValueError, r"0\.\.2, got 3"),
    "last of none": (lambda: last_step(V, [1, 2, 0, 1]), ValueError, r"1\.\.2, got 0"),
    "lengths count": (lambda: last_step(V, [1, 2]), ValueError, r"\(4,\)"),
    "real lengths": (lambda: last_step(V, [1.0, 2.0, 1.0, 1.0]), TypeError, "integers"),
    "steps": (lambda: last_step(V[0, 0, 0], [1]), ValueError, "batch_first"),
    "positions": (lambda: sinusoidal_positions(-1, 4), ValueError, "length"),
    "positions of a base": (lambda: sinusoidal_positions(3, 4, base=0), ValueError, "base"),
    "integer positions": (lambda: sinusoidal_positions(3, 4, dtype=np.int64), TypeError, "real numbers"),
    "rms norm": (lambda: F.rms_norm(tg.Tensor(V), 4), ValueError, "normalized_shape"),
    "rms norm of integers": (lambda: F.rms_norm(tg.Tensor(V.astype(int)), 3), ValueError, "real numbers"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "text"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_named(call, error, text):
    with pytest.raises(error, match=text) as raised:
        call()
    assert ": " in str(raised.value)


# ---- positions, masks and lengths ----------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 2, 5, 8])
def test_positions_are_the_papers(d):
    table = sinusoidal_positions(7, d, dtype=np.float64)
    assert table.shape == (7, d) and not table.requires_grad
    for t, i in itertools.product(range(7), range(d)):
        angle = t / 10000 ** (2 * (i // 2) / d)
        assert table.numpy()[t, i] == pytest.approx((np.sin, np.cos)[i % 2](angle), rel=1e-14, abs=1e-15)
    assert sinusoidal_positions(0, 4).shape == (0, 4) and sinusoidal_positions(3, 0).shape == (3, 0)


def test_far_positions_keep_their_digits():
    """The angles are computed in float64: in float32 a sine at 10⁶ would be noise."""
    exact = np.sin(999_999.0)
    assert sinusoidal_positions(1_000_000, 1).numpy()[-1, 0] == pytest.approx(exact, abs=1e-7)


@pytest.mark.parametrize("batch_first", [False, True])
def test_what_the_padding_holds_reaches_nothing(batch_first):
    (x,) = drawn((5, 4, 3))
    lengths = np.array([3, 5, 0, 1])
    padding = np.arange(5)[:, None] >= lengths
    results = []
    for filler in (0.0, 1e30, np.nan, np.inf):
        filled = np.where(padding[..., None], filler, x)
        filled = filled.swapaxes(0, 1) if batch_first else filled
        y, g = value_and_gradients(lambda x: masked_mean(x, lengths=lengths, batch_first=batch_first), filled)
        last = value_and_gradients(lambda x: last_step(x, np.maximum(lengths, 1), batch_first), filled)[0]
        results.append((y, g, last[[0, 1, 3]]))
    for found in results[1:]:
        for a, b in zip(found, results[0], strict=True):
            np.testing.assert_array_equal(a, b)
    y, g, last = results[0]
    np.testing.assert_allclose(
        y[[0, 1, 3]], [x[:n, i].mean(0) for i, n in ((0, 3), (1, 5), (3, 1))], rtol=1e-14
    )
    assert not y[2].any() and not (g[2] if batch_first else g[:, 2]).any()
    np.testing.assert_array_equal(last, [x[2, 0], x[4, 1], x[0, 3]])


def test_masks_of_lengths():
    expected = [[True, True, False], [False, True, False]]
    np.testing.assert_array_equal(length_mask([1, 2, 0], 2).numpy(), expected)
    np.testing.assert_array_equal(
        length_mask(tg.Tensor([1, 2, 0]), 2, batch_first=True).numpy(), np.transpose(expected)
    )
    (x,) = drawn((2, 3, 4))
    by_mask, by_lengths = masked_mean(x, length_mask([1, 2, 0], 2)), masked_mean(x, lengths=[1, 2, 0])
    np.testing.assert_array_equal(by_mask.numpy(), by_lengths.numpy())


def test_masked_softmax_chooses():
    """A place that does not count may hold anything, and so may the gradient there."""
    x = tg.Tensor([[1.0, np.inf, 2.0, np.nan], [0.0, 0.0, 0.0, 0.0]], requires_grad=True)
    keep = np.array([[True, False, True, False], [False] * 4])
    p = masked_softmax(x, keep)
    np.testing.assert_allclose(p.numpy()[0], [1 / (1 + np.e), 0, np.e / (1 + np.e), 0], rtol=1e-6)
    assert not p.numpy()[1].any()
    (g,) = tg.grad(p, x, np.array([[1.0, np.nan, 2.0, np.inf], [1.0, 1.0, 1.0, 1.0]]))
    assert np.isfinite(g.numpy()).all() and not g.numpy()[~keep].any()
    assert masked_softmax(np.zeros((3, 0)), np.zeros(0, bool)).shape == (3, 0)


# ---- norms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("eps", [None, 1e-3])
@pytest.mark.parametrize("weight", [True, False])
@pytest.mark.parametrize(("shape", "normalized"), [((4, 6), 6), ((2, 3, 4), (3, 4)), ((0, 5), 5), ((5,), 5)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rms_norm_is_torchs(dtype, shape, normalized, weight, eps):
    last = (normalized,) if isinstance(normalized, int) else normalized
    arrays = drawn(shape, last, dtype=dtype)[: 1 + weight]
    ours = value_and_gradients(lambda x, w=None: F.rms_norm(x, normalized, w, eps), *arrays)
    theirs = torchs(lambda f, x, w=None: f.rms_norm(x, last, w, eps), *arrays)
    compare(ours, theirs, {2: 5e-3, 4: 3e-6, 8: 1e-13}[np.dtype(dtype).itemsize])


def test_rms_norm_of_large_half_precision():
    x = np.array([[300.0, -300.0, 300.0]], np.float16)
    np.testing.assert_array_equal(F.rms_norm(x, 3).numpy(), [[1.0, -1.0, 1.0]])


def test_a_layer_of_rms_norm_loads_torchs_weights():
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    theirs, ours = torch.nn.RMSNorm((3, 4)), tg.nn.RMSNorm((3, 4))
    torch.nn.init.normal_(theirs.weight)
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    (x,) = drawn((2, 3, 4), dtype=np.float32)
    np.testing.assert_allclose(ours(x).detach().numpy(), theirs(torch.tensor(x)).detach().numpy(), rtol=1e-6)
    assert tg.nn.RMSNorm(4, elementwise_affine=False).weight is None
    assert repr(tg.nn.RMSNorm(4)) == "RMSNorm((4,), eps=None)"


@pytest.mark.parametrize(
    ("shape", "normalized"), [((4, 6), (6,)), ((2, 3, 4), (3, 4)), ((0, 5), (5,)), ((5,), (5,))]
)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_layer_norm_is_torchs(dtype, shape, normalized):
    arrays = drawn(shape, normalized, normalized, dtype=dtype)
    ours = value_and_gradients(lambda x, w, b: F.layer_norm(x, normalized, w, b), *arrays)
    theirs = torchs(lambda f, x, w, b: f.layer_norm(x, normalized, w, b), *arrays)
    compare(ours, theirs, {2: 1e-2, 4: 3e-6, 8: 1e-13}[np.dtype(dtype).itemsize])


def test_on_the_backend_of_the_day():
    """Nothing leaves the device: masks made from lengths and positions are its arrays."""
    made = [
        length_mask([1, 2], 3),
        sinusoidal_positions(3, 4),
        masked_softmax(np.zeros((2, 3)), np.ones(3, bool)),
    ]
    assert all(type(x.data) is backend.xp.ndarray for x in made)
