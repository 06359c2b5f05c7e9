"""Options of losses, masks, attention, recurrent networks and norms: each changes what it should."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes.nn import functional as F
from tinygrad_notes.ops import recurrent
from tinygrad_notes.ops.alignment import additive_score, dot_score, general_score
from tinygrad_notes.ops.attention import sinusoidal_positions
from tinygrad_notes.ops.normalization import batch_norm, batch_norm_fixed
from tinygrad_notes.ops.sequence import last_step, length_mask, masked_mean, masked_softmax

sdpa = F.scaled_dot_product_attention
RNG = np.random.default_rng(0)


def t(*shape, dtype=np.float32):
    return tg.Tensor(np.ones(shape, dtype))


# ---- losses -------------------------------------------------------------------------------------

PAIR = np.array([1.0, -2.0, 4.0]), np.array([0.0, 0.0, 1.0])  # differences 1, −2, 3
LOSSES = {
    "mse": (F.mse_loss, {}, [1, 4, 9], [2, -4, 6]),
    "mse of the notes": (F.mse_loss, {"convention": "notes"}, [0.5, 2, 4.5], [1, -2, 3]),
    "l1": (F.l1_loss, {}, [1, 2, 3], [1, -1, 1]),
    "huber": (F.huber_loss, {}, [0.5, 1.5, 2.5], [1, -1, 1]),
    "huber, delta 2": (F.huber_loss, {"delta": 2}, [0.5, 2, 4], [1, -2, 2]),
}


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize(("loss", "options", "values", "slopes"), LOSSES.values(), ids=LOSSES)
def test_losses_of_differences_with_every_reduction(loss, options, values, slopes, reduction):
    a, b = (tg.Tensor(v, requires_grad=True) for v in PAIR)
    y = loss(a, b, reduction, **options)
    expected = {"none": values, "sum": sum(values), "mean": sum(values) / 3}[reduction]
    np.testing.assert_allclose(y.detach().numpy(), expected)
    ga, gb = tg.grad(y.sum(), [a, b], create_graph=True)
    factor = 1 / 3 if reduction == "mean" else 1
    np.testing.assert_allclose(ga.detach().numpy(), factor * np.array(slopes))
    np.testing.assert_allclose(gb.detach().numpy(), -factor * np.array(slopes))
    only = tg.Tensor(PAIR[1], requires_grad=True)  # the target alone
    loss(PAIR[0], only, reduction, **options).sum().backward()
    np.testing.assert_array_equal(only.grad.numpy(), gb.detach().numpy())


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("pos_weight", [None, 3.0, np.array([1.0, 2.0])])
@pytest.mark.parametrize("weight", [None, 0.5, np.array([[2.0], [0.0], [1.0]])])
def test_binary_cross_entropy_with_both_weights(weight, pos_weight, reduction):
    x, target = RNG.standard_normal((3, 2)), RNG.random((3, 2))
    each = np.log1p(np.exp(-x)) * target * (1 if pos_weight is None else pos_weight)
    each = (each + np.log1p(np.exp(x)) * (1 - target)) * (1 if weight is None else weight)
    expected = {"none": each, "sum": each.sum(), "mean": each.mean()}[reduction]
    given = F.binary_cross_entropy_with_logits(tg.Tensor(x), tg.Tensor(target), weight, reduction, pos_weight)
    np.testing.assert_allclose(given.numpy(), expected, rtol=1e-12)
    single = [tg.Tensor(v, dtype="float32") for v in (x, target)]
    assert F.binary_cross_entropy_with_logits(*single, weight, reduction, pos_weight).dtype == np.float32


X = np.array([[1.0, 2.0, 0.0], [0.0, -1.0, 0.5], [2.0, 0.0, 1.0], [0.5, 0.5, 3.0]])
LOG_P = X - np.log(np.exp(X).sum(1, keepdims=True))


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("kind", ["rows", "pixels", "one row", "one that is ignored"])
@pytest.mark.parametrize("weight", [None, np.array([0.5, 2.0, 4.0])])
@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss], ids=["cross_entropy", "nll_loss"])
def test_losses_of_classes_with_ignored_ones_of_every_shape(loss, weight, kind, reduction):
    labels = np.array([2, 7, 0, 1])
    one = {"one row": 2, "one that is ignored": 1}.get(kind)
    rows = slice(None) if one is None else slice(one, one + 1)
    w = (np.ones(3) if weight is None else weight)[labels % 7 % 3] * (labels != 7)
    each = -LOG_P[np.arange(4), labels % 7 % 3] * w
    each, w = each[rows], w[rows]
    x = X if loss is F.cross_entropy else LOG_P
    target = labels
    if kind == "pixels":  # (N, C, d)
        x, target, each = x.reshape(2, 2, 3).swapaxes(1, 2), labels.reshape(2, 2), each.reshape(2, 2)
    if one is not None:
        x, target, each = x[one], labels[one], each[0]
    expected = {"none": each, "sum": each.sum(), "mean": each.sum() / (w.sum() or 1)}[reduction]
    y = loss(tg.Tensor(x), tg.Tensor(target), weight, 7, reduction)
    assert y.shape == np.shape(expected)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-12)
    single = loss(tg.Tensor(x, dtype="float32"), tg.Tensor(target), weight, 7, reduction)
    assert single.dtype == np.float32  # whatever the dtype of the weight


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("weight", [None, np.array([0.5, 2.0, 4.0])])
@pytest.mark.parametrize("smoothing", [0.0, 0.25, 1.0])
def test_probabilities_as_targets_with_every_option(smoothing, weight, reduction):
    q = RNG.dirichlet(np.ones(3), 4)
    w = np.ones(3) if weight is None else weight
    each = -(w * ((1 - smoothing) * q + smoothing / 3) * LOG_P).sum(1)
    expected = {"none": each, "sum": each.sum(), "mean": each.mean()}[reduction]
    options = dict(weight=weight, reduction=reduction, label_smoothing=smoothing)
    np.testing.assert_allclose(F.cross_entropy(tg.Tensor(X), tg.Tensor(q), **options).numpy(), expected)
    one = F.cross_entropy(tg.Tensor(X[1]), tg.Tensor(q[1]), **options)
    assert one.shape == ()
    np.testing.assert_allclose(one.item(), each[1])
    images = [tg.Tensor(a.reshape(2, 2, 3).swapaxes(1, 2)) for a in (X, q)]  # (N, C, d)
    of_images = F.cross_entropy(*images, **options).numpy()
    np.testing.assert_allclose(of_images, expected.reshape(2, 2) if reduction == "none" else expected)


# ---- sequences ----------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_masked_softmax_along_any_axis(axis):
    x, keep = RNG.standard_normal((3, 4, 2)), RNG.random((4, 1)) > 0.3
    keep[1], keep[2] = True, False
    e = np.exp(x) * keep
    total = e.sum(axis, keepdims=True)
    np.testing.assert_allclose(
        masked_softmax(x, keep, axis).numpy(), np.divide(e, total, np.zeros_like(e), where=total > 0)
    )


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("rest", [(), (3,), (2, 3)])
def test_means_and_last_steps_of_any_number_of_axes(rest, batch_first):
    x, lengths = RNG.standard_normal((4, 3, *rest)), np.array([2, 3, 1])  # none has four steps
    mean = np.stack([x[:n, i].mean(0) for i, n in enumerate(lengths)])
    last = np.stack([x[n - 1, i] for i, n in enumerate(lengths)])
    given = x.swapaxes(0, 1) if batch_first else x
    mask = length_mask(lengths, 4, batch_first)
    assert mask.shape == ((3, 4) if batch_first else (4, 3)) and mask.dtype == bool
    assert length_mask(lengths, None, batch_first).shape == (3, 3)
    for y in (
        masked_mean(given, mask, batch_first=batch_first),
        masked_mean(given, None, tg.Tensor(lengths), batch_first),
    ):
        np.testing.assert_allclose(y.numpy(), mean, rtol=1e-13)
    for n in (lengths, list(lengths), tg.Tensor(lengths), lengths.astype(np.uint8)):
        np.testing.assert_array_equal(last_step(given, n, batch_first).numpy(), last)


def test_masks_of_no_lengths_and_of_lengths_zero():
    assert length_mask([]).shape == (0, 0) and length_mask([], 3).shape == (3, 0)
    assert length_mask([], 3, batch_first=True).shape == (0, 3)
    assert length_mask([0, 0]).shape == (0, 2) and not length_mask([0, 0], 2).numpy().any()


@pytest.mark.parametrize(("run", "given"), [
    (masked_softmax, np.array([[True, False], [True, True]])),
    (masked_mean, np.array([[True, False], [True, True]])), (last_step, np.array([2, 1])),
    (lambda x, n: masked_mean(x, lengths=n), np.array([2, 1])),
], ids=["masked_softmax", "masked_mean", "last_step", "lengths"])  # fmt: skip
def test_masks_and_lengths_are_the_operations_own(run, given):
    x = tg.Tensor(X[:2, :2], requires_grad=True)
    y = run(x, given)
    weights = tg.Tensor(np.arange(1.0, 1 + y.size).reshape(y.shape))
    (expected,) = tg.grad((run(x, given.copy()) * weights).sum(), x)
    given[...] = given[::-1].copy()
    (g,) = tg.grad((y * weights).sum(), x)
    np.testing.assert_array_equal(g.numpy(), expected.numpy())
    assert not np.array_equal(tg.grad((run(x, given) * weights).sum(), x)[0].numpy(), g.numpy())


# ---- attention and scores -----------------------------------------------------------------------


def test_a_dropout_mask_of_any_shape_and_in_groups_of_heads():
    q, k, v = (RNG.standard_normal(s) for s in ((2, 4, 3, 5), (2, 2, 6, 5), (2, 2, 6, 4)))
    many = [np.repeat(a, 2, 1) for a in (k, v)]
    drops = [RNG.random(s) for s in ((), (6,), (3, 1), (3, 6), (4, 3, 6), (2, 1, 1, 6), (2, 4, 3, 6))]
    e = np.exp(q @ many[0].swapaxes(-1, -2) / math.sqrt(5))
    p = e / e.sum(-1, keepdims=True)
    for drop in drops:
        expected = (p * drop) @ many[1]
        np.testing.assert_allclose(sdpa(q, *many, dropout_mask=drop).numpy(), expected, rtol=1e-12)
        grouped = sdpa(q, k, v, dropout_mask=drop, enable_gqa=True)
        np.testing.assert_allclose(grouped.numpy(), expected, rtol=1e-12)
    single = sdpa(
        *(tg.Tensor(a, dtype="float32") for a in (q, *many)), scale=np.float64(2), dropout_mask=drop
    )
    assert single.dtype == np.float32


def test_groups_of_heads_see_no_future_either():
    q, k, v = (RNG.standard_normal(s) for s in ((2, 4, 3, 5), (2, 2, 6, 5), (2, 2, 6, 4)))
    many = [np.repeat(a, 2, 1) for a in (k, v)]
    expected = sdpa(q, *many, is_causal=True, scale=0.25).numpy()
    found = sdpa(q, k, v, is_causal=True, scale=0.25, enable_gqa=True).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(found[:, :, 0], many[1][:, :, 0], rtol=1e-12)  # only itself


@pytest.mark.parametrize("base", [10.0, np.int64(100)])
def test_positions_of_another_base(base):
    table = sinusoidal_positions(np.int64(5), 6, base, np.float64).numpy()
    for at, i in np.ndindex(5, 3):
        angle = at / float(base) ** (2 * i / 6)
        np.testing.assert_allclose(
            table[at, 2 * i : 2 * i + 2], [math.sin(angle), math.cos(angle)], atol=1e-14
        )
    assert sinusoidal_positions(2, 2).dtype == np.float32


@pytest.mark.parametrize(
    "leads", [((), (2,)), ((2,), ()), ((3, 1), (2,)), ((2,), (3, 1)), ((1,), (2,))], ids=str
)
@pytest.mark.parametrize("kind", ["dot", "general", "additive"])
def test_scores_and_their_gradients_where_leading_axes_stretch(kind, leads):
    s, h = RNG.standard_normal((*leads[0], 3, 4)), RNG.standard_normal((*leads[1], 5, 4))
    weights = {"dot": [], "general": [(4, 4)], "additive": [(2, 4), (2, 4), (2,)]}[kind]
    weights = [RNG.standard_normal(shape) for shape in weights]
    run = {"dot": dot_score, "general": general_score, "additive": additive_score}[kind]
    lead = np.broadcast_shapes(*leads)
    wide = [np.broadcast_to(a, (*lead, *a.shape[-2:])) for a in (s, h)]

    def by_hand(s, h, *w):
        if kind == "additive":
            inner = np.tanh((h @ w[0].T)[..., None, :, :] + (s @ w[1].T)[..., :, None, :])
            return inner @ w[2]
        return (s @ w[0] if w else s) @ h.swapaxes(-1, -2)

    inputs = [tg.Tensor(a, requires_grad=True) for a in (s, h, *weights)]
    y = run(*inputs)
    np.testing.assert_allclose(y.detach().numpy(), by_hand(*wide, *weights), rtol=1e-12, atol=1e-13)
    gy = tg.Tensor(RNG.standard_normal(y.shape))
    spread = [tg.broadcast_to(x, a.shape) for x, a in zip(inputs, wide, strict=False)]
    expected = tg.grad(run(*spread, *inputs[2:]), inputs, gy)
    for g, e in zip(tg.grad(y, inputs, gy), expected, strict=True):
        np.testing.assert_allclose(g.numpy(), e.numpy(), rtol=1e-12, atol=1e-13)


# ---- recurrent networks -------------------------------------------------------------------------


@pytest.mark.parametrize("options", [
    ("rnn", 1, {}), ("rnn", 1, {"nonlinearity": "relu"}), ("gru", 3, {}), ("gru", 3, {"reset_after": False}),
    ("lstm", 4, {}), ("lstm", 3, {"forget_gate": False}),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("which", ["b_ih", "b_hh", "neither"])
def test_a_bias_that_is_left_out_is_zero(options, which):
    name, gates, fixed = options
    x, w_ih, w_hh, b = (
        RNG.standard_normal(s) for s in ((4, 2, 3), (2 * gates, 3), (2 * gates, 2), (2 * gates,))
    )
    states = [None] * (2 if name == "lstm" else 1)
    run = getattr(recurrent, name)
    both = {k: b if k == which else np.zeros_like(b) for k in ("b_ih", "b_hh")}
    leaf = tg.Tensor(b, requires_grad=True)
    given = {} if which == "neither" else {which: leaf}
    found = run(x, *states, w_ih, w_hh, **given, **fixed)
    for y, e in zip(found, run(x, *states, w_ih, w_hh, **both, **fixed), strict=True):
        np.testing.assert_allclose(y.detach().numpy(), e.numpy(), rtol=1e-13, atol=1e-15)
    if given:
        full = {k: tg.Tensor(v, requires_grad=True) for k, v in both.items()}
        (expected,) = tg.grad(run(x, *states, w_ih, w_hh, **full, **fixed)[0].sum(), full[which])
        (g,) = tg.grad(found[0].sum(), leaf)
        np.testing.assert_allclose(g.numpy(), expected.numpy(), rtol=1e-12, atol=1e-14)


# ---- norms --------------------------------------------------------------------------------------

IMAGES = RNG.normal(1, 2, (2, 4, 3, 2))
GAMMA, BETA = RNG.standard_normal(4), RNG.standard_normal(4)


def normalized(x, axes, eps):
    centered = x - x.mean(axes, keepdims=True)
    return centered / np.sqrt((centered**2).mean(axes, keepdims=True) + eps)


def per_channel(y, weight, bias):
    y = y if weight is None else y * weight.reshape(-1, 1, 1)
    return y if bias is None else y + bias.reshape(-1, 1, 1)


@pytest.mark.parametrize("bias", [None, BETA], ids=["no bias", "bias"])
@pytest.mark.parametrize("weight", [None, GAMMA], ids=["no weight", "weight"])
@pytest.mark.parametrize("eps", [1e-5, np.float64(0.5)])
def test_norms_of_groups_with_each_parameter_alone(eps, weight, bias):
    options = dict(weight=weight, bias=bias, eps=eps)
    grouped = normalized(IMAGES.reshape(2, 2, 2, 3, 2), (2, 3, 4), eps).reshape(IMAGES.shape)
    expected = {
        "group": (F.group_norm(IMAGES, 2, **options), per_channel(grouped, weight, bias)),
        "instance": (F.instance_norm(IMAGES, **options),
                     per_channel(normalized(IMAGES, (2, 3), eps), weight, bias)),
    }  # fmt: skip
    last = IMAGES.transpose(0, 2, 3, 1)
    y = normalized(last, (3,), eps)
    y = y if weight is None else y * weight
    expected["layer"] = F.layer_norm(last, 4, **options), y if bias is None else y + bias
    for name, (found, want) in expected.items():
        np.testing.assert_allclose(found.numpy(), want, rtol=1e-10, atol=1e-12, err_msg=name)


def test_batch_norm_heeds_eps_and_gives_the_biased_variance():
    y, mean, var = batch_norm(IMAGES, GAMMA, BETA, np.float64(0.5))
    np.testing.assert_allclose(
        y.numpy(), per_channel(normalized(IMAGES, (0, 2, 3), 0.5), GAMMA, BETA), rtol=1e-9
    )
    assert mean.shape == var.shape == (1, 4, 1, 1)
    np.testing.assert_allclose(mean.numpy().ravel(), IMAGES.mean((0, 2, 3)))
    np.testing.assert_allclose(var.numpy().ravel(), IMAGES.var((0, 2, 3)))
    y = batch_norm_fixed(IMAGES, BETA, GAMMA**2, GAMMA, BETA, np.float64(0.25))
    channels = [a.reshape(-1, 1, 1) for a in (BETA, GAMMA)]
    expected = channels[1] * (IMAGES - channels[0]) / np.sqrt(channels[1] ** 2 + 0.25) + channels[0]
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-10)


def test_a_norm_of_squares_has_the_eps_of_the_dtype_computed_in():
    for dtype, eps in ((np.float32, 2.0**-23), (np.float64, 2.0**-52), (np.float16, 2.0**-23)):
        x = np.array([[1e-4, 0.0]], dtype)
        expected = 1e-4 / np.sqrt(float(x[0, 0]) ** 2 / 2 + eps)
        np.testing.assert_allclose(F.rms_norm(x, 2).numpy()[0, 0], expected, rtol=2e-3)


# ---- what is refused ----------------------------------------------------------------------------

QKV = [t(2, 4, 5, 8), t(2, 4, 7, 8), t(2, 4, 7, 3)]
REFUSED = [
    (lambda: F.huber_loss(t(2), t(2), delta=np.nan), ValueError,
     "huber_loss: delta must be positive, got nan"),
    (lambda: F.mse_loss(t(2), t(2), convention="half"), ValueError,
     "mse_loss: convention must be 'torch' or 'notes', got 'half'"),
    (lambda: F.l1_loss(t(2), t(1)), ValueError, "l1_loss: input (2,) and target (1,) must have one shape; "),
    (lambda: F.l1_loss(t(2), t(2), "max"), ValueError,
     "l1_loss: reduction must be 'mean', 'sum' or 'none', got 'max'"),
    (lambda: F.huber_loss(t(0, 2), t(0, 2)), ValueError,
     "huber_loss: the mean over no elements; input is (0, 2)"),
    *((lambda e=e: F.cross_entropy(t(2, 3), [0, 1], label_smoothing=e), ValueError,
       f"cross_entropy: label_smoothing must lie in [0, 1], got {e}") for e in (-0.1, 1.1, np.nan)),
    *((lambda f=f, x=x: getattr(F, f)(x, [0]), ValueError,
       f"{f}: input must be (N, C, ...) or (C,) with C ≥ 1, got {x.shape}")
      for f in ("cross_entropy", "nll_loss") for x in (t(), t(1, 0), t(1, 0, 2))),
    (lambda: F.cross_entropy(t(2, 3), [0, 1], reduction="avg"), ValueError,
     "cross_entropy: reduction must be 'mean', 'sum' or 'none', got 'avg'"),
    (lambda: F.cross_entropy(t(2, 3, 4), np.zeros((4, 2), int)), ValueError,
     "cross_entropy: class indices (4, 2) for input (2, 3, 4); need (2, 4)"),
    (lambda: F.nll_loss(t(2, 3), [0, 1], np.ones((3, 1))), ValueError,
     "nll_loss: weight must be (3,), one per class, got (3, 1)"),
    (lambda: length_mask([1, -1, -2]), ValueError, "length_mask: lengths must be in 0..T, got -1"),
    (lambda: length_mask([1, 4, 5], 3), ValueError, "length_mask: lengths must be in 0..3, got 4"),
    (lambda: length_mask([[1]]), ValueError, "length_mask: lengths must be one per sample, (N,), got (1, 1)"),
    (lambda: length_mask([1.0]), TypeError, "length_mask: lengths must be integers, got float"),
    (lambda: last_step(t(3, 2), [3, 4]), ValueError, "last_step: lengths must be in 1..3, got 4"),
    (lambda: last_step(t(3, 2), [4, 3, 3], True), ValueError, "last_step: lengths must be in 1..2, got 4"),
    (lambda: last_step(t(3, 2, dtype=int), [1, 1]), TypeError,
     "last_step: input must be real numbers, got int64"),
    (lambda: masked_mean(t(3)), ValueError,
     "masked_mean: input must be (T, N, ...), or (N, T, ...) with batch_first, got (3,)"),
    (lambda: masked_mean(t(3, 2), np.ones((3, 1), bool)), ValueError,
     "masked_mean: mask (3, 1) for input (3, 2); it must be (3, 2)"),
    (lambda: masked_softmax(t(3, 2, dtype=int), True), TypeError,
     "masked_softmax: input must be real numbers, got int64"),
    (lambda: masked_softmax(t(3, 2), [1, 0]), TypeError,
     "masked_softmax: mask must be booleans, True where a place counts, got int64"),
    (lambda: masked_softmax(t(3, 2), np.ones((2, 3, 2), bool)), ValueError,
     "masked_softmax: mask (2, 3, 2) does not stretch to (3, 2)"),
    (lambda: masked_softmax(t(3, 2), [True, False], 2), ValueError, "masked_softmax: axis 2 is out of range"),
    (lambda: sdpa(QKV[0], QKV[1][:, :3], QKV[2][:, :3]), ValueError,
     "scaled_dot_product_attention: the leading axes of query (2, 4, 5, 8), key (2, 3, 7, 8) and value "
     "(2, 3, 7, 3) do not broadcast; for fewer heads of key and value use enable_gqa=True"),
    (lambda: sdpa(*QKV, t(5, 7), is_causal=True), ValueError,
     "scaled_dot_product_attention: attn_mask and is_causal exclude each other; join them in one mask"),
    (lambda: sdpa(*QKV, dropout_mask=np.ones((4, 5, 6))), ValueError,
     "scaled_dot_product_attention: dropout_mask (4, 5, 6) does not stretch to the weights (2, 4, 5, 7)"),
    *((lambda n=n: sinusoidal_positions(*n), ValueError, f"sinusoidal_positions: {text}") for n, text in (
        ((2.0, 4), "length must be a length, got 2.0"), ((True, 4), "length must be a length, got True"),
        ((2, -1), "d must be a length, got -1"), ((2, 4, -1.0), "base must be positive, got -1.0"),
        ((2, 4, np.nan), "base must be positive, got nan"))),
    (lambda: dot_score(t(4), t(3, 4)), ValueError,
     "dot_score: query (..., T, d) and key (..., U, d) need two axes, got (4,), (3, 4)"),
    (lambda: additive_score(t(3, 4), t(5, 2), t(6, 3), t(6, 4), t(6)), ValueError,
     "additive_score: key_weight is (6, 3); for these queries and keys it must be (6, 2)"),
    (lambda: general_score(t(3, 4, dtype=int), t(3, 4), t(4, 4)), TypeError,
     "general_score: queries must be real numbers, got int64"),
    *((lambda o=o: recurrent.lstm(t(2, 1, 3), None, None, t(8, 3), t(8, 2), **o), ValueError,
       "lstm: w_hr, peephole and forget_gate=False are variants of their own; choose one")
      for o in (dict(w_hr=t(1, 2), peephole=t(6)), dict(w_hr=t(1, 2), forget_gate=False))),
    (lambda: recurrent.gru(t(2, 1, 3), t(1, 3), t(6, 4), t(6, 2), t(2)), ValueError,
     "gru: for an input (2, 1, 3) and 2 hidden numbers w_ih is (6, 4), not (6, 3); b_ih is (2,), not (6,)"),
    (lambda: F.group_norm(t(2, 4), 0), ValueError, "group_norm: num_groups = 0 must divide the 4 channels"),
    (lambda: F.layer_norm(t(2, 3), ()), ValueError,
     "layer_norm: input (2, 3) does not end in normalized_shape ()"),
    (lambda: F.layer_norm(t(), ()), ValueError, "layer_norm: input () does not end in normalized_shape ()"),
    (lambda: F.rms_norm(t(), ()), ValueError,
     "rms_norm: input must be real numbers that end in normalized_shape (), got () float32"),
    (lambda: F.layer_norm(t(2, 3), (2,)), ValueError,
     "layer_norm: input (2, 3) does not end in normalized_shape (2,)"),
    (lambda: F.rms_norm(t(2, 3), ()), ValueError,
     "rms_norm: input must be real numbers that end in normalized_shape (), got (2, 3) float32"),
    (lambda: F.instance_norm(t(2, 3)), ValueError,
     "instance_norm: each map of (N, C, ...) needs at least 2 numbers, got (2, 3)"),
    *((lambda n=n: batch_norm(t(n, 3), t(3), t(3)), ValueError,
       f"batch_norm: ({n}, 3) has {n} numbers per channel; training needs at least 2") for n in (0, 1)),
    (lambda: batch_norm_fixed(t(2, 3), t(3), t(2), t(3), t(3)), ValueError, "batch_norm: variance is (2,);"),
    (lambda: F.local_response_norm(t(2, 3), 0), ValueError,
     "local_response_norm: size must be a positive integer, got 0"),
    (lambda: F.local_response_norm(t(2, 3), 1.5), ValueError,
     "local_response_norm: size must be a positive integer, got 1.5"),
    (lambda: F.local_response_norm(t(2, 3), 2, k="1"), TypeError,
     "local_response_norm: k must be a number, got str"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), REFUSED, ids=[m[:60] for _, _, m in REFUSED])
def test_what_does_not_fit_is_refused_with_its_values(call, error, message):
    with pytest.raises(error, match="^" + re.escape(message)):
        call()
