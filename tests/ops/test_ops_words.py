"""Losses of word vectors: what is asked and what is skipped, probabilities that add up, limits of numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes.nn import functional as F

RNG = np.random.default_rng(0)
X, W = RNG.standard_normal((3, 4)), RNG.standard_normal((6, 4))
TARGET, NOISE = np.array([1, 3, 1]), np.array([[1, 2], [0, 0], [2, 3]])
# Words a, b, c, d: the root is node 0; a left of it, then b left of node 1, then c and d below node 2.
PATHS = np.array([[0, -1, -1], [0, 1, -1], [0, 1, 2], [0, 1, 2]])
CODES = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]])


def gradients(loss, x=X, w=W):
    x, w = tg.Tensor(x, requires_grad=True), tg.Tensor(w, requires_grad=True)
    return [g.numpy() for g in tg.grad(loss(x, w), [x, w])]


def test_the_tree_gives_every_word_a_probability_and_all_add_up_to_one():
    nodes = W[:3]
    for x in X:
        losses = F.hierarchical_softmax_loss(np.tile(x, (4, 1)), nodes, PATHS, CODES, "none").numpy()
        assert (losses > 0).all()
        assert np.exp(-losses).sum() == pytest.approx(1, abs=1e-12)


def test_noise_that_equals_the_target_is_as_if_it_were_not_there():
    def of(noise):
        return lambda x, w: F.negative_sampling_loss(x[:1], w, TARGET[:1], noise)

    for with_it, without in zip(gradients(of([[1, 2]])), gradients(of([[2]])), strict=True):
        np.testing.assert_allclose(with_it, without, rtol=1e-14)


def test_noise_that_is_drawn_twice_counts_twice():
    once = F.negative_sampling_loss(X[:1], W, [3], [[0]], "sum").item()
    twice = F.negative_sampling_loss(X[:1], W, [3], [[0, 0]], "sum").item()
    assert twice - once == pytest.approx(math.log1p(math.exp(X[0] @ W[0])))
    g_once, g_twice = (gradients(lambda x, w, n=n: F.negative_sampling_loss(x[:1], w, [3], n))[1]
                       for n in ([[0]], [[0, 0]]))  # fmt: skip
    np.testing.assert_allclose(g_twice[0], 2 * g_once[0], rtol=1e-13)


def test_an_infinite_score_costs_nothing_if_it_is_right_and_infinity_if_it_is_wrong():
    x, w = np.ones((1, 1)), np.array([[np.inf], [-np.inf]])
    assert F.negative_sampling_loss(x, w, [0], [[1]]).item() == 0
    assert F.negative_sampling_loss(x, w, [1], [[0]]).item() == np.inf
    assert F.hierarchical_softmax_loss(x, w, [[0, 1]], [[0, 1]]).item() == 0


@pytest.mark.parametrize("factor", [1, 3])
def test_the_mean_is_over_words_not_over_products(factor):
    """Twice the noise of the same kind does not halve what the word itself adds."""
    noise = np.tile(NOISE, (1, factor))
    each = F.negative_sampling_loss(X, W, TARGET, noise, "none")
    assert each.shape == (3,)
    assert F.negative_sampling_loss(X, W, TARGET, noise).item() == pytest.approx(each.numpy().sum() / 3)
    tree = F.hierarchical_softmax_loss(X, W[:3], PATHS[:3], CODES[:3], "none")
    mean = F.hierarchical_softmax_loss(X, W[:3], PATHS[:3], CODES[:3])
    assert mean.item() == pytest.approx(tree.numpy().sum() / 3)


def test_untouched_rows_get_no_gradient_and_the_first_step_from_zero_is_half():
    """syn1 starts at 0: σ(0) = ½, so the word gets −½ x and each noise ½ x."""
    _, gw = gradients(
        lambda x, w: F.negative_sampling_loss(x, w, [1, 3, 1], NOISE, "sum"), w=np.zeros((6, 4))
    )
    assert not gw[4:].any()
    np.testing.assert_allclose(gw[1], -0.5 * (X[0] + X[2]))
    np.testing.assert_allclose(gw[0], X[1])
    np.testing.assert_allclose(gw[3], -0.5 * X[1] + 0.5 * X[2])


@pytest.mark.parametrize("size", [1e4, 1e30])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_products_of_any_size_overflow_nothing(size, dtype):
    size = 150 if dtype == "float16" else size**0.5
    x = tg.Tensor(np.full((1, 1), size, dtype), requires_grad=True)
    w = tg.Tensor(np.array([[size], [-size]], dtype), requires_grad=True)
    good = F.negative_sampling_loss(x, w, [0], [[1]])
    bad = F.negative_sampling_loss(x, w, [1], [[0]])
    assert good.dtype == bad.dtype == x.dtype
    assert good.item() == 0
    assert bad.item() == pytest.approx(2 * size * size, rel=2e-3)
    for loss in (good, bad):
        assert all(np.isfinite(g.numpy()).all() for g in tg.grad(loss, [x, w], retain_graph=True))


def test_a_small_loss_keeps_its_digits():
    """ln(1 + e⁻²⁰) is 2e-9; as ln of a float32 number near 1 it would be 0."""
    loss = F.negative_sampling_loss(np.float32([[20]]), np.float32([[1]]), [0], np.zeros((1, 0), int))
    assert loss.item() == pytest.approx(math.exp(-20), rel=1e-6)


def test_a_vocabulary_of_one_word_has_nothing_to_ask():
    x = tg.Tensor(X, requires_grad=True)
    loss = F.hierarchical_softmax_loss(x, np.zeros((0, 4)), np.zeros((3, 0), int), np.zeros((3, 0), int))
    loss.backward()
    assert loss.item() == 0 and not x.grad.numpy().any()
    assert F.negative_sampling_loss(X[:0], W, TARGET[:0], NOISE[:0], "sum").item() == 0


def test_ids_may_change_afterwards():
    target, noise = TARGET.copy(), NOISE.copy()
    x, w = tg.Tensor(X, requires_grad=True), tg.Tensor(W, requires_grad=True)
    loss = F.negative_sampling_loss(x, w, target, noise)
    target[:], noise[:] = 0, 0
    expected = gradients(lambda x, w: F.negative_sampling_loss(x, w, TARGET, NOISE))
    for g, e in zip(tg.grad(loss, [x, w]), expected, strict=True):
        np.testing.assert_array_equal(g.numpy(), e)


def test_every_turn_that_is_not_to_the_left_is_to_the_right():
    expected = F.hierarchical_softmax_loss(X, W, PATHS[:3], CODES[:3], "none").numpy()
    for code in (2 * CODES[:3], -CODES[:3]):
        found = F.hierarchical_softmax_loss(X, W, PATHS[:3], code, "none").numpy()
        np.testing.assert_array_equal(found, expected)


NS, HS = F.negative_sampling_loss, F.hierarchical_softmax_loss


@pytest.mark.parametrize(("error", "message", "call"), [
    (ValueError, r"negative_sampling_loss: target \(2,\) and noise \(3, 2\)",
     lambda: NS(X, W, TARGET[:2], NOISE)),
    (ValueError, r"need \(3,\) and \(3, K\)", lambda: NS(X, W, TARGET, NOISE[0])),
    (ValueError, r"input \(3, 4\) and weight \(6, 3\)", lambda: NS(X, W[:, :3], TARGET, NOISE)),
    (TypeError, "target must be integers, got float64", lambda: NS(X, W, TARGET * 1.0, NOISE)),
    (TypeError, "noise must be integers, got float64", lambda: NS(X, W, TARGET, NOISE * 1.0)),
    (TypeError, "negative_sampling_loss: input is float64 but weight is float32",
     lambda: NS(X, W.astype(np.float32), TARGET, NOISE)),
    (TypeError, "input must be real numbers", lambda: NS(np.ones((3, 4), int), W, TARGET, NOISE)),
    (ValueError, "the mean over no rows", lambda: NS(X[:0], W, TARGET[:0], NOISE[:0])),
    (ValueError, "reduction must be", lambda: NS(X, W, TARGET, NOISE, "average")),
    (ValueError, r"hierarchical_softmax_loss: path \(3, 3\) and code \(3, 2\)",
     lambda: HS(X, W, PATHS[:3], CODES[:3, :2])),
    *((ValueError, rf"{loss.__name__}: input \({a}\) and weight \({b}\); need \(N, D\) and \(rows, ",
       lambda loss=loss, x=x, w=w: loss(x, w, PATHS[:3], CODES[:3])) for loss in (NS, HS) for a, b, x, w in (
        ("4,", "6, 4", X[0], W), ("3, 4, 1", "6, 4", X[:, :, None], W),
        ("3, 4", "6, 4, 1", X, W[:, :, None]))),
    (ValueError, r"target \(3,\) and noise \(2, 2\) for input \(3, 4\); need \(3,\) and \(3, K\)",
     lambda: NS(X, W, TARGET, NOISE[:2])),
    (ValueError, r"path \(2, 3\) and code \(2, 3\) for input \(3, 4\); both must be \(3, L\)",
     lambda: HS(X, W, PATHS[:2], CODES[:2])),
    (ValueError, r"the mean over no rows; input is \(0, 4\)", lambda: HS(X[:0], W, PATHS[:0], CODES[:0])),
    (TypeError, "code must be integers", lambda: HS(X, W, PATHS[:3], CODES[:3] * 1.0)),
])  # fmt: skip
def test_wrong_arguments(error, message, call):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.skipif(tg.backend.BACKEND != "numpy", reason="on a GPU nobody waits for the ids")
def test_ids_out_of_range_are_named():
    with pytest.raises(
        ValueError, match=r"negative_sampling_loss: index 6 is not in 0..5, the rows of weight"
    ):
        NS(X, W, TARGET, NOISE + 3)
    with pytest.raises(ValueError, match=r"hierarchical_softmax_loss: index -2"):
        HS(X, W, PATHS[:3] - 1, CODES[:3])
