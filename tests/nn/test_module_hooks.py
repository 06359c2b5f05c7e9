"""Hooks of modules, before and after their forward, as torch calls them."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import nn

X = tg.Tensor([[1.0, -2.0]])


def test_hooks_see_what_goes_in_and_comes_out():
    seen = []
    layer = nn.Sequential(nn.ReLU(), nn.Tanh())
    layer[0].register_forward_hook(lambda module, inputs, y: seen.append((module, inputs, y)))
    y = layer(X)
    ((module, inputs, hidden),) = seen
    assert module is layer[0] and inputs == (X,) and hidden.numpy().tolist() == [[1.0, 0.0]]
    np.testing.assert_array_equal(y.numpy(), np.tanh(hidden.numpy()))


def run(library, make):
    order = []
    layer = library.ReLU()
    layer.register_forward_pre_hook(lambda m, inputs: order.append("a"))
    layer.register_forward_pre_hook(lambda m, inputs: -inputs[0])
    layer.register_forward_pre_hook(lambda m, inputs: (inputs[0] * 2,))
    layer.register_forward_hook(lambda m, inputs, y: order.append(inputs[0].sum().item()))
    layer.register_forward_hook(lambda m, inputs, y: y + 1)
    layer.register_forward_hook(lambda m, inputs, y: y * 10)
    return layer(make([[1.0, -2.0]])).tolist() if library is not nn else layer(X).numpy().tolist(), order


def test_what_hooks_return_takes_the_place_as_in_torch():
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    assert run(nn, tg.Tensor) == run(torch.nn, torch.tensor) == ([[10.0, 50.0]], ["a", 2.0])


def test_handles_of_modules_remove():
    calls = []
    layer = nn.Identity()
    with layer.register_forward_hook(lambda m, i, y: calls.append("after")):
        before = layer.register_forward_pre_hook(lambda m, i: calls.append("before"))
        layer(X)
    layer(X)
    before.remove()
    layer(X)
    assert calls == ["before", "after", "before"]


@pytest.mark.parametrize("register", [nn.Module.register_forward_hook, nn.Module.register_forward_pre_hook])
def test_a_hook_may_remove_itself_and_add_another_for_the_next_call(register):
    calls = []
    layer = nn.Identity()

    def once(m, *given):
        calls.append("first")
        handle.remove()
        register(m, lambda *given: calls.append("next"))

    handle = register(layer, once)
    register(layer, lambda *given: calls.append("second"))
    layer(X)
    layer(X)
    assert calls == ["first", "second", "second", "next"]


def test_hooks_are_of_one_module_and_not_of_its_class_or_state():
    layer, other = nn.Linear(2, 1), nn.Linear(2, 1)
    layer.register_forward_hook(lambda m, i, y: y * 0)
    assert layer(X).item() == 0 and other(X).item() != 0
    assert layer.state_dict().keys() == other.state_dict().keys() and repr(layer) == repr(other)
    twin = copy.deepcopy(layer)
    assert twin(X).item() == 0  # as in torch


def test_a_hook_of_the_output_reaches_its_gradient():
    """What torch's hooks on the backward of a module are for."""
    seen = []
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    net[0].register_forward_hook(lambda m, i, y: (y.register_hook(lambda g: seen.append(g.shape)), None)[1])
    net(X).sum().backward()
    assert seen == [(1, 2)]


def test_inputs_by_name_pass_the_hooks_by():
    seen = []
    layer = nn.ReLU()
    layer.register_forward_pre_hook(lambda m, inputs: seen.append(inputs))
    assert layer(input=X).shape == (1, 2) and seen == [()]


def test_a_hook_is_a_function():
    with pytest.raises(TypeError, match="a hook is a function"):
        nn.ReLU().register_forward_hook(None)
