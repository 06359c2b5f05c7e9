"""Optimizer updates: cut into blocks and shared among threads they are the definition on whole arrays."""

import functools

import numpy as np
import pytest

from tinygrad_notes.backend.kernels import blas, plain, threads, update

SGD = dict(lr=0.1, momentum=0.9, dampening=0.2, weight_decay=0.1, nesterov=False, first=False)
ADAM = dict(lr=0.1, beta1=0.9, beta2=0.99, eps=1e-8, l2=0.1, decay=0.05, step=3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_axpby_is_its_definition(dtype):
    random = np.random.default_rng(0)
    x, y = random.standard_normal((2, blas.FEW + 1)).astype(dtype)
    expected, scratch = y.copy(), np.empty_like(y)
    blas.plain_axpby(np, 0.25, x, -0.5, expected, scratch)
    blas.axpby(0.25, x, -0.5, y, scratch)
    np.testing.assert_allclose(y, expected, rtol=8 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps)


def test_axpby_without_openblas(monkeypatch):
    monkeypatch.setattr(blas, "_axpby", lambda char: None)
    test_axpby_is_its_definition(np.float32)


def test_axpby_of_two_dtypes():
    """As an optimizer meets it whose state was made before its parameters became float64."""
    x, y = np.arange(blas.FEW + 1.0), np.ones(blas.FEW + 1, np.float32)
    blas.axpby(0.5, x, 2.0, y, np.empty_like(x))
    np.testing.assert_allclose(y, 0.5 * x + 2, rtol=1e-6)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("block, arrays, numbers", [
    (update.sgd_block, 3, SGD),
    (update.sgd_block, 3, {**SGD, "dampening": 0, "nesterov": True}),
    (update.adam_block, 5, ADAM),
], ids=["sgd", "nesterov", "adam"])  # fmt: skip
def test_updates_of_many_parameters_are_the_definition(monkeypatch, block, arrays, numbers, count):
    if blas.threads() is not None:
        monkeypatch.setattr(threads, "threads", lambda: count)
    monkeypatch.setattr(update, "BLOCK", 50)
    monkeypatch.setattr(update, "PIECE", 100)
    monkeypatch.setattr(blas, "FEW", 50)
    random = np.random.default_rng(0)
    shapes = [(7, 9), (), (0,), (431,), (3,), (20, 21)]
    calls = [(tuple(np.array(random.random(s) + 0.1) for _ in range(arrays)), numbers) for s in shapes]
    calls.append((tuple(a.T for a in random.random((arrays, 5, 6)) + 0.1), numbers))  # no flat view
    calls[3] = calls[3][0], {**numbers, "lr": 0.2}
    expected = [([a.copy() for a in group], own) for group, own in calls]
    for group, own in expected:
        plain = functools.partial(blas.plain_axpby, np)
        block(np, plain, np.empty_like(group[0]), *group, **own)
    update.blockwise(block)(calls)
    for (group, _), (wanted, _) in zip(calls, expected, strict=True):
        for a, b in zip(group, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13)


@pytest.mark.parametrize("options", [
    {}, {"momentum": 0}, {"dampening": 0, "nesterov": True}, {"weight_decay": 0},
    {"momentum": 0, "weight_decay": 0},
], ids=str)  # fmt: skip
def test_sgd_is_its_plain_definition(options):
    random = np.random.default_rng(0)
    p, v = random.standard_normal((2, 70))
    expected = p.copy(), v.copy()
    for step in range(5):
        g, numbers = random.standard_normal(70), {**SGD, **options, "first": step == 0}
        expected = plain.sgd(np, expected[0], g, expected[1], **numbers)
        update.sgd_update([((p, g, v), numbers)])
        np.testing.assert_allclose(p, expected[0], rtol=1e-12)
        if numbers["momentum"]:
            np.testing.assert_allclose(v, expected[1], rtol=1e-12)


@pytest.mark.parametrize("options", [{}, {"l2": 0}, {"decay": 0}, {"l2": 0, "decay": 0, "eps": 0.1}], ids=str)
@pytest.mark.parametrize("amsgrad", [False, True])
def test_adam_is_its_plain_definition(options, amsgrad):
    random = np.random.default_rng(0)
    p, m, v, largest = random.standard_normal(70), *np.zeros((3, 70))
    state = [p, m, v, largest if amsgrad else None]
    expected = [None if a is None else a.copy() for a in state]
    for step in range(1, 6):
        g, numbers = random.standard_normal(70), {**ADAM, **options, "step": step}
        expected = plain.adam(np, expected[0], g, *expected[1:], **numbers)
        update.adam_update([((state[0], g, *state[1:]), numbers)])
        for a, b in zip(state, expected, strict=True):
            if a is not None:
                np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)
