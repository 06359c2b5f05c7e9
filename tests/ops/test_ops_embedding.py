"""Embeddings: what ids may be, what padding leaves out; and losses over padded sequences."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend
from tinygrad_notes.nn import functional as F

IDS = np.array([[1, 0, 1], [3, 1, 0]])
TABLE = np.arange(8.0).reshape(4, 2)


def gradient(ids, weight=TABLE, padding_idx=None, dtype=np.float64):
    """y, and the gradient of Σ k·y with k = 1, 2, 3, … so that each place has its own."""
    w = tg.Tensor(np.asarray(weight, dtype), requires_grad=True)
    y = F.embedding(ids, w, padding_idx)
    y.backward(np.arange(1, y.size + 1, dtype=dtype).reshape(y.shape))
    return y.detach().numpy(), w.grad.numpy()


# ---- embedding ---------------------------------------------------------------------------------


@pytest.mark.parametrize("padding_idx", [None, 0, 1, -1, -3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_and_gradients_are_torchs(padding_idx, dtype):
    """Also the padding's own: its row is picked, whatever it holds, and has no gradient."""
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    y, g = gradient(IDS, padding_idx=padding_idx, dtype=dtype)
    w = torch.tensor(TABLE, dtype=getattr(torch, dtype), requires_grad=True)
    theirs = torch.nn.functional.embedding(torch.tensor(IDS), w, padding_idx)
    theirs.backward(torch.arange(1, y.size + 1, dtype=w.dtype).reshape(y.shape))
    np.testing.assert_array_equal(y, theirs.detach().numpy())
    np.testing.assert_array_equal(g, w.grad.numpy())


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "int32", "int64", "uint64"])
def test_ids_of_any_integer_type(kind):
    y, g = gradient(IDS.astype(kind))
    np.testing.assert_array_equal(y, TABLE[IDS])
    np.testing.assert_array_equal(g, gradient(IDS)[1])


def test_ids_as_a_number_a_list_a_tensor_and_a_view():
    assert F.embedding(2, TABLE).numpy().tolist() == TABLE[2].tolist()
    assert F.embedding([2, 0], TABLE).shape == (2, 2)
    assert F.embedding(tg.Tensor(IDS), TABLE).shape == (2, 3, 2)
    assert F.embedding(np.zeros((0, 3), int), TABLE).shape == (0, 3, 2)
    y, g = gradient(IDS.T[::-1])
    np.testing.assert_array_equal(y, TABLE[IDS.T[::-1]])
    assert not gradient(np.zeros((2, 0), int))[1].any() and g.any()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("padding_idx", [None, 1])
def test_dtype_in_is_dtype_out_for_values_gradients_and_their_gradients(dtype, padding_idx):
    w = tg.Tensor(TABLE.astype(dtype), requires_grad=True)
    y = F.embedding(IDS, w, padding_idx)
    (g,) = tg.grad((y * y).sum(), w, create_graph=True)
    (h,) = tg.grad((g * g).sum(), w)
    assert y.dtype == g.dtype == h.dtype == dtype
    count = np.bincount(IDS.ravel(), minlength=4) * (np.arange(4) != padding_idx)
    np.testing.assert_array_equal(g.detach().numpy(), 2 * TABLE * count[:, None])
    np.testing.assert_array_equal(h.numpy(), 8 * TABLE * count[:, None] ** 2)


def test_a_table_whose_memory_is_turned_and_one_of_odd_width():
    for width in (1, 3, 4):
        table = np.random.default_rng(0).standard_normal((width, 5)).T
        y, g = gradient(np.array([4, 0, 4]), table)
        np.testing.assert_array_equal(y, table[[4, 0, 4]])
        first = np.arange(1.0, width + 1)
        np.testing.assert_array_equal(g[4], 2 * first + 2 * width)
        np.testing.assert_array_equal(g[:4].sum(0), first + width)


def test_changing_the_ids_afterwards_does_not_move_the_gradient():
    ids, w = IDS.copy(), tg.Tensor(TABLE, requires_grad=True)
    y = F.embedding(ids, w)
    ids[:] = 2
    y.sum().backward()
    np.testing.assert_array_equal(w.grad.numpy()[:, 0], [2, 3, 0, 1])


def test_tied_weights_add_both_gradients():
    """A table that is the last layer's weight too, as in Vaswani et al. 2017."""
    w = tg.Tensor(TABLE, requires_grad=True)
    assert tg.gradcheck(lambda w: F.linear(F.embedding(IDS, w), w).mean(), [w], order=2)


@pytest.mark.parametrize("wrong", [4, -1, 100])
def test_an_id_out_of_range(wrong):
    """An error; on a device, which nobody waits for, its row is NaN and no other."""
    ids = np.array([[0, wrong], [1, 2]])
    if backend.BACKEND == "cupy":
        y = F.embedding(ids, TABLE).numpy()
        assert np.isnan(y[0, 1]).all() and np.isfinite(np.delete(y.reshape(4, 2), 1, 0)).all()
    else:
        with pytest.raises(ValueError, match=rf"embedding: index {wrong} is not in 0\.\.3.*\(4, 2\)"):
            F.embedding(ids, TABLE)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: F.embedding([0.5], TABLE), TypeError, r"embedding: ids must be integers, got float32"),
    (lambda: F.embedding([True], TABLE), TypeError, "embedding: ids must be integers, got bool"),
    (lambda: F.embedding([0], TABLE[0]), ValueError, r"embedding: weight must be \(V, D\).*\(2,\)"),
    (lambda: F.embedding([0], TABLE.astype(int)), TypeError, "embedding: weight must be real"),
    (lambda: F.embedding([0], TABLE, 4), ValueError, "embedding: padding_idx 4 names none of 4 rows"),
    (lambda: F.embedding([0], TABLE, -5), ValueError, "embedding: padding_idx -5 names none"),
    (lambda: F.embedding([0], TABLE, 0.0), TypeError, "padding_idx must be an integer"),
])  # fmt: skip
def test_wrong_arguments_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


# ---- one_hot -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("labels", "classes"), [
    ([[2, 0], [1, 1]], -1), ([2, 0], 5), (3, -1), (np.zeros((0, 2), int), 3), ([0, 0], -1),
])  # fmt: skip
def test_one_hot_is_torchs(labels, classes):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    y = F.one_hot(labels, classes)
    expected = torch.nn.functional.one_hot(torch.tensor(labels), classes)
    assert y.dtype == np.int64 and not y.requires_grad and y.shape == tuple(expected.shape)
    np.testing.assert_array_equal(y.numpy(), expected.numpy())


@pytest.mark.parametrize(("labels", "classes", "error", "message"), [
    ([3], 3, ValueError, r"one_hot: class index 3 is not in 0\.\.2"),
    ([0, -1], -1, ValueError, r"one_hot: class index -1 is not in 0\.\.0"),
    (np.zeros((0, 2), int), -1, ValueError, r"one_hot: no class indices in \(0, 2\)"),
    ([-1], -1, ValueError, "one_hot: class index -1 is not in"),
    ([0], 1.5, TypeError, "one_hot: num_classes must be an integer, got 1.5"),
    ([0], 0, ValueError, "one_hot: num_classes must be positive, or -1, got 0"),
    ([0.0], -1, TypeError, "one_hot: class indices must be integers, got float32"),
])  # fmt: skip
def test_one_hot_refuses(labels, classes, error, message):
    with pytest.raises(error, match=message):
        F.one_hot(labels, classes)


# ---- cross-entropy over padded sequences -------------------------------------------------------

PAD = 0


def sequences(*rest, classes=5, seed=0):
    """Logits (3, classes, *rest) and tokens (3, *rest), the end of each sequence padding."""
    random = np.random.default_rng(seed)
    tokens = random.integers(1, classes, (3, *rest))
    for n in range(3):
        tokens[n, ..., rest[-1] - n :] = PAD
    return random.standard_normal((3, classes, *rest)), tokens


@pytest.mark.parametrize("rest", [(4,), (2, 4), (2, 1, 4)])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_every_shape_with_padding_is_torchs(rest, reduction, smoothing, weighted):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    x, tokens = sequences(*rest)
    weight = np.array([0.5, 2.0, 1.0, 0.0, 3.0]) if weighted else None
    ours = tg.Tensor(x, requires_grad=True)
    loss = F.cross_entropy(ours, tokens, weight, PAD, reduction, smoothing)
    theirs = torch.tensor(x, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(
        theirs, torch.tensor(tokens), None if weight is None else torch.tensor(weight), ignore_index=PAD,
        reduction=reduction, label_smoothing=smoothing)  # fmt: skip
    np.testing.assert_allclose(loss.detach().numpy(), expected.detach().numpy(), rtol=1e-12)
    loss.sum().backward()
    expected.sum().backward()
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("rest", [(), (3,), (2, 3)])
def test_probabilities_with_weights_and_smoothing_are_torchs(rest, reduction):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    random = np.random.default_rng(1)
    x = random.standard_normal((4, 5, *rest))
    target = np.moveaxis(random.dirichlet(np.ones(5), (4, *rest)), -1, 1)
    weight = np.array([0.5, 2.0, 1.0, 0.0, 3.0])
    for factors, smoothing in ((weight, 0.3), (weight, 0.0), (None, 0.3), (weight, 1.0)):
        ours, theirs = tg.Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        loss = F.cross_entropy(ours, target, factors, reduction=reduction, label_smoothing=smoothing)
        expected = torch.nn.functional.cross_entropy(
            theirs, torch.tensor(target), None if factors is None else torch.tensor(factors),
            reduction=reduction, label_smoothing=smoothing)  # fmt: skip
        np.testing.assert_allclose(loss.detach().numpy(), expected.detach().numpy(), rtol=1e-12)
        loss.sum().backward()
        expected.sum().backward()
        np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-10, atol=1e-15)


def test_smoothing_without_the_padding_class_is_the_annotated_transformers():
    """Its distribution and its KL divergence, which is the cross-entropy less a constant."""
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    x, tokens = sequences(4)
    rows, targets, epsilon = x.transpose(0, 2, 1).reshape(-1, 5), tokens.reshape(-1), 0.1
    theirs = torch.tensor(rows, requires_grad=True)
    q = torch.full((len(targets), 5), epsilon / (5 - 2), dtype=torch.float64)
    q.scatter_(1, torch.tensor(targets)[:, None], 1 - epsilon)
    q[:, PAD] = 0
    q[torch.tensor(targets) == PAD] = 0
    divergence = torch.nn.KLDivLoss(reduction="sum")(torch.log_softmax(theirs, 1), q)
    divergence.backward()
    constant = np.count_nonzero(targets) * (0.9 * math.log(0.9) + epsilon * math.log(epsilon / 3))

    ours = tg.Tensor(x, requires_grad=True)
    loss = tg.nn.CrossEntropyLoss(None, PAD, "sum", epsilon, "transformer")(ours, tokens)
    loss.backward()
    np.testing.assert_allclose(loss.item() + constant, divergence.item(), rtol=1e-12)
    g = ours.grad.numpy().transpose(0, 2, 1).reshape(-1, 5)
    np.testing.assert_allclose(g, theirs.grad.numpy(), rtol=1e-10, atol=1e-15)
    torchs = F.cross_entropy(x, tokens, None, PAD, "sum", epsilon)
    assert abs(loss.item() - torchs.item()) > 0.01


def test_the_two_conventions_agree_without_smoothing():
    x, tokens = sequences(4)
    a, b = (F.cross_entropy(x, tokens, None, PAD, convention=c).item() for c in ("torch", "transformer"))
    assert a == b


@pytest.mark.parametrize("convention", ["torch", "transformer"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_sequences_of_padding_only_are_loss_zero_and_gradient_zero(convention, reduction):
    x = np.array([[1.0, -np.inf, 0.5], [-np.inf, 2.0, 0.0]])
    logits = tg.Tensor(x, requires_grad=True)
    loss = F.cross_entropy(logits, np.array([PAD, PAD]), None, PAD, reduction, 0.1, convention)
    loss.sum().backward()
    assert not loss.detach().numpy().any() and not logits.grad.numpy().any()


@pytest.mark.parametrize("filler", [1e3, np.nan, np.inf, -np.inf])
def test_what_padding_holds_never_reaches_the_loss_nor_a_gradient(filler):
    x, tokens = sequences(4)
    other = np.where((tokens == PAD)[:, None], filler, x)

    def value_and_gradient(loss, x, **options):
        logits = tg.Tensor(x, requires_grad=True)
        value = loss(logits, tokens, None, PAD, "mean", **options)
        return value.item(), tg.grad(value, logits)[0].numpy().tolist()

    smoothed = [dict(label_smoothing=0.1, convention=name) for name in ("torch", "transformer")]
    with np.errstate(invalid="ignore"):
        for loss, options in [
            (F.nll_loss, {}),
            (F.cross_entropy, {}),
            *((F.cross_entropy, o) for o in smoothed),
        ]:
            found = value_and_gradient(loss, other, **options)
            assert found == value_and_gradient(loss, x, **options)


def test_a_padding_class_that_was_masked_out_is_finite_without_its_share():
    """Its logit is −∞: torch's smoothing asks for it, the transformer's does not."""
    x, tokens = sequences(4)
    x[:, PAD] = -np.inf
    logits = tg.Tensor(x, requires_grad=True)
    loss = F.cross_entropy(logits, tokens, None, PAD, "mean", 0.1, "transformer")
    loss.backward()
    assert np.isfinite(loss.item()) and np.isfinite(logits.grad.numpy()).all()
    assert F.cross_entropy(x, tokens, None, PAD, "mean", 0.1).item() == np.inf


def test_logits_far_from_zero_keep_their_digits():
    x, tokens = sequences(4)
    near = F.cross_entropy(x, tokens, None, PAD).item()
    far = F.cross_entropy((np.round(x * 64) / 64 + 8192).astype(np.float32), tokens, None, PAD).item()
    assert far == pytest.approx(F.cross_entropy(np.round(x * 64) / 64, tokens, None, PAD).item(), rel=1e-6)
    assert far == pytest.approx(near, rel=0.1)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_many_rows_are_a_few_at_a_time_and_torchs(smoothing, dtype):
    """Beyond the size from which rows go through the cache in blocks, on several threads."""
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    x, tokens = sequences(401, classes=700)
    ours = tg.Tensor(x.astype(dtype), requires_grad=True)
    loss = F.cross_entropy(ours, tokens, None, PAD, "mean", smoothing)
    loss.backward()
    theirs = torch.tensor(x.astype(dtype), requires_grad=True)
    expected = torch.nn.functional.cross_entropy(theirs, torch.tensor(tokens), ignore_index=PAD,
                                                 label_smoothing=smoothing)  # fmt: skip
    expected.backward()
    assert loss.dtype == ours.grad.dtype == dtype
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(loss.item(), expected.item(), rtol=tolerance)
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=tolerance, atol=tolerance * 1e-3)


@pytest.mark.parametrize(("options", "message"), [
    (dict(convention="keras"), "convention must be one of .*'keras'"),
    (dict(convention="transformer"), "needs class indices, at least 3 classes.* ignore_index -100"),
    (dict(convention="transformer", ignore_index=5), "5 classes, ignore_index 5"),
])  # fmt: skip
def test_conventions_that_are_refused(options, message):
    x, tokens = sequences(4)
    with pytest.raises(ValueError, match=f"cross_entropy: .*{message}"):
        F.cross_entropy(x, tokens, **options)
    with pytest.raises(ValueError, match="got float64 targets"):
        F.cross_entropy(x, np.full(x.shape, 0.2), None, PAD, convention="transformer")
    with pytest.raises(ValueError, match="2 classes"):
        F.cross_entropy(x[:, :2], tokens % 2, None, PAD, convention="transformer")
