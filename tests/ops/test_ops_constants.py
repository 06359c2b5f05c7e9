"""Arguments to which no gradient flows: who wants one is told, or gets it where torch gives it."""

import ast

import numpy as np
import pytest

import tinygrad_notes as tg
from tests.test_architecture import OPERATIONS
from tinygrad_notes.nn import functional as F
from tinygrad_notes.ops.normalization import batch_norm_fixed

X = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
LABELS, HALF = [0, 1, 2, 0], np.full((4, 3), 0.5, np.float32)
ONES = np.ones(3, np.float32)

# operation, the name in the message: a function of x and of the argument
CONSTANTS = {
    ("cross_entropy", "weight"): lambda x, c: F.cross_entropy(x, tg.Tensor(LABELS), c),
    ("cross_entropy", "weight", "smoothed"): lambda x, c: F.cross_entropy(
        x, tg.Tensor(LABELS), c, reduction="none", label_smoothing=0.1
    ),
    ("nll_loss", "weight"): lambda x, c: F.nll_loss(x, tg.Tensor(LABELS), c),
    ("binary_cross_entropy_with_logits", "weight"): lambda x, c: F.binary_cross_entropy_with_logits(
        x, tg.Tensor(HALF), c
    ),
    ("binary_cross_entropy_with_logits", "pos_weight"): lambda x, c: F.binary_cross_entropy_with_logits(
        x, tg.Tensor(HALF), pos_weight=c
    ),
    ("dropout", "mask"): lambda x, c: F.dropout(x, 0.5, mask=c),
    ("where", "condition"): lambda x, c: tg.where(c, x, 0.0),
    ("batch_norm", "mean"): lambda x, c: batch_norm_fixed(x, c, ONES, ONES, ONES),
    ("batch_norm", "variance"): lambda x, c: batch_norm_fixed(x, ONES, c, ONES, ONES),
}
LAYERS = {
    ("cross_entropy", "weight"): lambda x, c: tg.nn.CrossEntropyLoss(c)(x, tg.Tensor(LABELS)),
    ("nll_loss", "weight"): lambda x, c: tg.nn.NLLLoss(c)(x, tg.Tensor(LABELS)),
    ("binary_cross_entropy_with_logits", "pos_weight"): lambda x, c: tg.nn.BCEWithLogitsLoss(pos_weight=c)(
        x, tg.Tensor(HALF)
    ),
}


@pytest.mark.parametrize("function", [*CONSTANTS.items(), *LAYERS.items()], ids=lambda f: "-".join(f[0]))
@pytest.mark.parametrize("x_requires_grad", [True, False])
def test_a_constant_that_requires_grad_is_refused(function, x_requires_grad):
    (op, name, *_), call = function
    x = tg.Tensor(X, requires_grad=x_requires_grad)
    for c in (
        tg.Tensor(ONES, requires_grad=True),
        tg.nn.Parameter(ONES),
        tg.Tensor(ONES, requires_grad=True) * 2,
    ):
        with pytest.raises(RuntimeError, match=rf"{op}: {name} requires grad.*pass {name}\.detach\(\)"):
            call(x, c)
        expected = call(x, c.detach())
        assert expected.requires_grad == x_requires_grad
        with tg.no_grad():  # nobody asks for a gradient
            np.testing.assert_array_equal(call(x, c).numpy(), expected.detach().numpy())


def test_running_statistics_that_require_grad_are_refused():
    norm = tg.nn.BatchNorm1d(3).eval()
    norm.running_mean.requires_grad = True
    with pytest.raises(RuntimeError, match="batch_norm: mean requires grad"):
        norm(tg.Tensor(X))


def test_class_weights_of_probabilities_get_the_gradient_that_torch_gives():
    torch = pytest.importorskip("torch")
    target = np.random.default_rng(1).dirichlet(ONES, 4).astype(np.float32)
    for reduction in ("mean", "sum"):
        ours = [tg.Tensor(a, requires_grad=True) for a in (X, target, 2 * ONES)]
        theirs = [torch.tensor(a, requires_grad=True) for a in (X, target, 2 * ONES)]
        F.cross_entropy(*ours, reduction=reduction).backward()
        torch.nn.functional.cross_entropy(*theirs, reduction=reduction).backward()
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("call", [
    lambda x, c: F.cross_entropy(x, tg.Tensor(LABELS), label_smoothing=c), lambda x, c: F.dropout(x, c),
    lambda x, c: F.huber_loss(x, x * 2, delta=c), lambda x, c: F.leaky_relu(x, c),
    lambda x, c: F.softplus(x, c), lambda x, c: F.layer_norm(x, 3, eps=c), lambda x, c: F.pad(x, 1, c),
    lambda x, c: tg.full((2,), c), lambda x, c: tg.arange(c),
    lambda x, c: tg.Tensor([c, c]),
    lambda x, c: tg.var(x, ddof=c), lambda x, c: F.local_response_norm(x, 3, alpha=c),
    lambda x, c: F.nll_loss(x, x[:, 0]), lambda x, c: x[c], lambda x, c: tg.optim.clip_grad_norm_([x], c),
])  # fmt: skip
def test_numbers_and_labels_are_no_tensors_that_require_grad(call):
    x, c = tg.Tensor(X, requires_grad=True), tg.Tensor(0.1, requires_grad=True)
    with pytest.raises((TypeError, ValueError, IndexError)):
        call(x, c)


# What has no gradient by its nature, or takes only the shape
WITHOUT_GRADIENT = {
    "raw_array", "constant", "sign", "isfinite", "zeros_like", "ones_like", "invert", "compare", "combine",
    "_comparison", "_bitwise", "_truth", "shown", "isnan", "_stepwise", "_logical", "logical_not", "argsort",
    "take_along_axis", "masked_fill",  # integers and booleans, or they are refused
}  # fmt: skip


def called_in(function):
    return {c.func.id for c in ast.walk(function) if isinstance(c, ast.Call) and isinstance(c.func, ast.Name)}


@pytest.mark.parametrize("name", OPERATIONS)
def test_arguments_outside_the_graph_are_read_by_constant(name):
    """`raw` and `raw_array` drop a graph silently: operations read such arguments with `constant`."""
    functions = [f for f in ast.walk(ast.parse(OPERATIONS[name])) if isinstance(f, ast.FunctionDef)]
    using = {f.name for f in functions if {"raw", "raw_array"} & called_in(f)}
    assert using <= WITHOUT_GRADIENT
