"""Data that is changed while a backward needs it raises, and no other change does."""

import gc
import sys

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend
from tinygrad_notes.nn import functional as F
from tinygrad_notes.ops.sequence import last_step, masked_mean, masked_softmax


def leaf(*shape, seed=0, dtype=np.float64):
    return tg.Tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype), requires_grad=True)


def values(tensor):
    return backend.to_numpy(tensor.data)


def change_data_inplace(x):
    x.data[0] = 9


def change_data_augmented(x):
    x.data += 1


def change_numpy_view(x):
    x.numpy()[0] = 9


def change_a_view_of_it(x):
    x.detach().reshape(-1).data[...] = 9


@pytest.mark.parametrize(
    "change", [change_data_inplace, change_data_augmented, change_numpy_view, change_a_view_of_it]
)
def test_changed_data_raises_and_names_the_operation(change):
    if backend.BACKEND == "cupy" and change is change_numpy_view:
        change = change_data_inplace  # .numpy() of a device array is a copy
    x = leaf(3)
    y = (x * x).sum()
    change(x)
    with pytest.raises(RuntimeError, match=r"backward of Multiply: data of shape \(3,\) .* was changed"):
        y.backward()


def test_a_step_of_an_optimizer_between_forward_and_backward_raises():
    x = tg.nn.Parameter(np.ones(3))
    optimizer = tg.optim.SGD([x], lr=0.1)
    x.sum().backward()
    y = (x * x).sum()
    optimizer.step()
    with pytest.raises(RuntimeError, match="backward of Multiply"):
        y.backward()
    (x * x).sum().backward()  # a forward after the change is fine


@pytest.mark.parametrize("look", [lambda x: x.data, lambda x: x.numpy(), lambda x: x.detach().data])
def test_another_look_at_changed_data_does_not_make_it_right(look):
    x = leaf(3)
    y = (x * x).sum()
    x.data[0] = 9
    look(x)
    with pytest.raises(RuntimeError, match="backward of Mul"):
        y.backward()


def test_unneeded_data_may_change():
    x = leaf(3)
    y = tg.exp(x).sum()  # keeps its output, not x
    x.data[...] = 0
    y.backward()


def test_a_forward_after_the_change_is_right():
    x = leaf(3)
    x.data[...] = 2
    y = (x * x).sum()
    y.backward()
    np.testing.assert_array_equal(values(x.grad), [4, 4, 4])


def test_new_data_may_be_assigned_while_the_old_is_needed():
    x = leaf(3)
    before = values(x).copy()
    y = (x * x).sum()
    x.data = np.zeros(3)
    y.backward()
    np.testing.assert_allclose(values(x.grad), 2 * before)


def test_changing_an_intermediate_result_raises():
    x = leaf(3)
    h = tg.exp(x)
    y = h.sum()
    h.data[0] = 0
    with pytest.raises(RuntimeError, match="backward of Exp"):
        y.backward()


@pytest.mark.parametrize("part", [slice(2), slice(2, None), slice(None, None, 2), slice(None)])
def test_a_part_that_is_only_looked_at_changes_nothing(part):
    x = leaf(3)
    y = (x * x).sum()
    x[part].detach().numpy()
    y.backward()
    np.testing.assert_array_equal(values(x.grad), 2 * values(x))


def test_the_guard_forgets_memory_that_is_gone():
    from tinygrad_notes.autograd import guard

    gc.collect()  # what earlier tests left
    before = len(guard.records)
    x = leaf(3)
    _ = x.data
    assert len(guard.records) == before + 1
    del x, _
    gc.collect()
    assert len(guard.records) == before


def test_the_guard_is_silent_when_the_interpreter_ends(monkeypatch):
    """Python clears a module before the last arrays die: their end must not look for its names."""
    from tinygrad_notes.autograd import guard

    said = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: said.append(told.exc_value))
    array = backend.asarray(np.ones(3))
    records = guard.records
    before = len(records)
    guard.touched(array)
    monkeypatch.setattr(guard, "records", None)
    del array
    gc.collect()
    assert said == [] and len(records) == before


def test_changed_statistics_raise_before_the_gradient_is_wrong():
    norm = tg.nn.BatchNorm1d(2).eval()
    x = tg.Tensor([[1.0, 2.0]], requires_grad=True)
    y = norm(x)
    norm.running_var.data[:] = 100
    with pytest.raises(RuntimeError, match=r"BatchNormFixed: data of shape .* was changed"):
        y.sum().backward()
    x.astype(np.float64).sum().backward()  # an attribute that is no array, while data is watched


def test_only_what_is_kept_is_watched():
    x = tg.Tensor(np.ones((4, 3)))
    shared = x.data
    w = leaf(3)
    y = (x[1:] * w).sum()
    shared[0] = 7  # in the same memory, but no backward needs it
    y.backward()
    y = (x[1:] * w).sum()
    shared[2] = 7
    with pytest.raises(RuntimeError, match="changed"):
        y.backward()


def test_integers_do_not_cut_what_replaces_them():
    x = tg.Tensor([1, 2])
    with pytest.raises(TypeError, match="would be cut to int64"):
        x.data = [1.7, 2.9]
    x.data = [3, 4]
    assert values(x).tolist() == [3, 4]


KEEP = np.array([[True, True, False], [True, False, True]])
IDS = np.array([0, 1])
# an operation, the array beside its tensor, what is written into that array after the forward
CONSTANTS = {
    "masked_softmax": (masked_softmax, KEEP, ~KEEP),
    "masked_mean": (lambda x, keep: masked_mean(x, mask=keep), KEEP, ~KEEP),
    "masked_mean of lengths": (lambda x, n: masked_mean(x, lengths=n), np.array([1, 2, 1]), 2),
    "last_step": (last_step, np.array([1, 2, 1]), 2),
    "where": (lambda x, keep: tg.where(keep, x, 0.0), KEEP, ~KEEP),
    "a factor": (lambda x, a: x * a, np.arange(3.0), 9.0),
    "a factor on the left": (lambda x, a: tg.multiply(a, x), np.arange(3.0), 9.0),
    "a matrix": (lambda x, a: x @ a, np.ones((3, 2)), 9.0),
    "an index": (lambda x, ids: x[ids], IDS, 0),
    "a boolean index": (lambda x, keep: x[keep], KEEP, ~KEEP),
    "embedding": (lambda x, ids: F.embedding(ids, x), IDS, 0),
    "cross_entropy": (F.cross_entropy, IDS, 2),
}


@pytest.mark.parametrize(
    ("name", "tensor"),
    [*((name, False) for name in CONSTANTS)]
    + [
        (name, True) for name, case in CONSTANTS.items() if case[1].dtype.kind != "f"
    ],  # others raise, as above
)
def test_a_constant_may_be_changed_before_the_backward(name, tensor):
    operation, given, after = CONSTANTS[name]
    gradients = []
    for changed in (False, True):
        x, constant = leaf(2, 3), given.copy()
        if name.startswith("a factor"):  # what computes with x must be on its device
            constant = backend.asarray(constant)
        if tensor:
            held = tg.Tensor(constant)
            y, constant = operation(x, held), held.data
        else:
            y = operation(x, constant)
        if changed:
            constant[...] = backend.asarray(after) if tensor else after
        (y * y).sum().backward()
        gradients.append(values(x.grad))
    np.testing.assert_array_equal(*gradients)
