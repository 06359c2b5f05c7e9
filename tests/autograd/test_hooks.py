"""Hooks on gradients: `register_hook` of leaves and results, as torch calls them."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import nn


def seen_by(library, x, register_late=False):
    """The gradients that hooks of a leaf, of a result used twice and of the loss see, and the leaf's own."""
    seen = []
    h = x * x
    if not register_late:
        h.register_hook(lambda g: seen.append(("h", g.tolist() if library else g.numpy().tolist())))
    loss = (h * 3 + h * x).sum()
    for name, t in (("x", x), ("h", h), ("loss", loss))[:: 1 if register_late else 2]:
        t.register_hook(lambda g, n=name: seen.append((n, g.tolist() if library else g.numpy().tolist())))
    loss.backward()
    return seen, x.grad.tolist() if library else x.grad.numpy().tolist()


@pytest.mark.parametrize("late", [False, True], ids=["before its use", "after its use"])
def test_hooks_see_whole_gradients_in_the_order_of_torch(late):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    ours = seen_by(None, tg.Tensor([1.0, 2.0], requires_grad=True), late)
    theirs = seen_by(torch, torch.tensor([1.0, 2.0], requires_grad=True), late)
    assert ours == theirs
    assert [name for name, _ in ours[0]] == ["loss", "h", "x"]


@pytest.mark.parametrize("create_graph", [False, True])
def test_what_a_hook_returns_takes_the_place_of_the_gradient(create_graph):
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    h = x * 3
    h.register_hook(lambda g: g * 10)
    h.register_hook(lambda g: g + 1)
    x.register_hook(lambda g: -g)
    h.sum().backward(create_graph=create_graph)
    assert x.grad.numpy().tolist() == [-33.0, -33.0]
    h = x * 3
    h.register_hook(lambda g: g * 10)
    (g,) = tg.grad(h.sum(), x, create_graph=create_graph)
    assert g.numpy().tolist() == [-30.0, -30.0]  # of a leaf that is asked for, too
    x.zero_grad()


def test_a_hook_may_change_its_own_copy_and_nothing_else():
    x, w = tg.Tensor([1.0, 2.0], requires_grad=True), tg.Tensor([5.0, 7.0], requires_grad=True)
    kept = []

    def double(g):
        kept.append(g)
        g *= 2

    x.register_hook(double)
    seed = tg.Tensor([1.0, 1.0])
    (x * w).backward(seed)
    assert x.grad.numpy().tolist() == [10.0, 14.0]
    assert seed.numpy().tolist() == [1.0, 1.0] and w.numpy().tolist() == [5.0, 7.0]
    kept[0] *= 0
    assert x.grad.numpy().tolist() == [10.0, 14.0]


@pytest.mark.parametrize("of_leaf", [True, False])
def test_a_hook_may_remove_itself_and_add_another_for_the_next_backward(of_leaf):
    calls = []
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    h = x * 3
    t = x if of_leaf else h

    def once(g):
        calls.append("first")
        handle.remove()
        t.register_hook(lambda g: calls.append("next"))

    handle = t.register_hook(once)
    t.register_hook(lambda g: calls.append("second"))
    for _ in range(2):
        h.sum().backward(retain_graph=True)
    assert calls == ["first", "second", "second", "next"]


def test_a_hook_is_called_once_for_a_sum_and_the_gradient_collects():
    calls = []
    x = tg.Tensor(2.0, requires_grad=True)
    x.register_hook(lambda g: calls.append(g.item()))
    for _ in range(2):
        (x * x + x).backward()
    assert calls == [5.0, 5.0] and x.grad.item() == 10.0


def test_handles_remove():
    calls = []
    x = tg.Tensor(2.0, requires_grad=True)
    first, second = (x.register_hook(lambda g, n=n: calls.append(n)) for n in (1, 2))
    (x * x).backward()
    first.remove()
    first.remove()
    (x * x).backward()
    with second:
        (x * x).backward()
    (x * x).backward()
    assert calls == [1, 2, 2, 2] and x.grad.item() == 16.0


def test_a_hook_of_one_output_of_several():
    x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    a, b, _ = tg.split(x, 3)
    seen = []
    a.register_hook(lambda g: g * 10)
    b.register_hook(lambda g: seen.append(g.item()))
    _.register_hook(lambda g: seen.append("nothing used it"))
    (a * 2 + b * 3).sum().backward()
    assert x.grad.numpy().tolist() == [20.0, 3.0, 0.0] and seen == [3.0]


def test_hooks_under_create_graph_are_differentiated():
    x = tg.Tensor(3.0, requires_grad=True)
    y = x * x
    y.register_hook(lambda g: g * x)
    (g,) = tg.grad(y, x, create_graph=True)  # 2 x · x
    assert g.item() == 18.0
    assert tg.grad(g, x)[0].item() == 12.0


def test_a_parameter_keeps_its_hooks_where_a_module_is_converted():
    layer, seen = nn.Linear(2, 1), []
    layer.weight.register_hook(lambda g: seen.append(g.dtype))
    layer.astype("float64")(np.ones((1, 2))).sum().backward()
    assert seen == [np.float64]


def test_only_gradients_that_are_computed_are_seen():
    x, w, seen = tg.Tensor(2.0, requires_grad=True), tg.Tensor(3.0, requires_grad=True), []
    w.register_hook(lambda g: seen.append(g.item()))
    tg.grad(x * w, x)
    assert seen == []
    (x * w).backward()
    assert seen == [2.0]


def test_a_hook_dies_with_its_graph():
    x = tg.Tensor([1.0], requires_grad=True)
    y = x * 2

    def hook(g):
        return None

    y.register_hook(hook)
    watched = weakref.ref(hook)
    y.sum().backward()
    gc.disable()
    try:
        del hook, y
        assert watched() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("returned, message", [
    (1.0, r"a hook on the gradient of Multiply must return None, or a Tensor of shape \(2,\) .*float 1.0"),
    (tg.Tensor([1.0]), r"of shape \(2,\) and dtype float32, got Tensor \(1,\) float32"),
    (tg.Tensor(np.ones(2)), "got Tensor .* float64"),
])  # fmt: skip
def test_a_wrong_gradient_is_refused(returned, message):
    y = tg.Tensor([1.0, 2.0], requires_grad=True) * 2
    y.register_hook(lambda g: returned)
    with pytest.raises(RuntimeError, match=message):
        y.sum().backward()


def test_what_has_no_gradient_takes_no_hook():
    with pytest.raises(RuntimeError, match="register_hook: this Tensor does not require grad"):
        tg.Tensor([1.0]).register_hook(print)
    with pytest.raises(TypeError, match="a hook is a function that is called, got 3"):
        tg.Tensor([1.0], requires_grad=True).register_hook(3)
