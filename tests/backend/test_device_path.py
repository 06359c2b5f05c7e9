"""The CuPy path on the strict stand-in: no host array leaks in, and a training step waits for nothing."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend
from tinygrad_notes.autograd import Function


class Leaky(Function):
    """A rule with a mistake that NumPy never shows: a constant made with NumPy instead of xp."""

    def forward(xp, x):
        return x * np.full(x.shape, 2.0, x.dtype)

    def backward(xp, gy):
        return gy * 2


class LeakyBackward(Function):
    """The same mistake in the backward."""

    def forward(xp, x):
        return x * 2

    def backward(xp, gy):
        return gy * np.full(gy.shape, 2.0, gy.dtype)


def test_a_numpy_array_that_leaks_into_a_rule_fails(standin):
    x = tg.Tensor(np.ones((2, 3)), requires_grad=True)
    with pytest.raises(TypeError, match=r"numpy.ndarray"):
        Leaky.apply(x)
    y = LeakyBackward.apply(x).sum()
    with pytest.raises(TypeError, match=r"numpy.ndarray"):
        y.backward()


def test_the_backend_before_is_back_after_an_error(standin):
    computes = backend.xp
    with pytest.raises(ZeroDivisionError), backend.use_backend("numpy"):
        assert (backend.BACKEND, backend.xp) == ("numpy", backend.cpu)
        raise ZeroDivisionError
    assert (backend.BACKEND, backend.xp) == ("cupy", computes) and computes is not backend.cpu
    with pytest.raises(ValueError, match="unknown backend"), backend.use_backend("tpu"):
        pass
    assert (backend.BACKEND, backend.xp) == ("cupy", computes)


def test_the_same_rules_pass_on_numpy():
    with backend.use_backend("numpy"):
        x = tg.Tensor(np.ones((2, 3)), requires_grad=True)
        (Leaky.apply(x) + LeakyBackward.apply(x)).sum().backward()
        np.testing.assert_array_equal(x.grad.numpy(), np.full((2, 3), 4.0))


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_a_training_step_waits_for_nothing(standin, optimizer):
    model = tg.models.LeNet5()
    update = getattr(tg.optim, optimizer)(model.parameters(), lr=0.01)
    x, labels = tg.Tensor(np.zeros((4, 1, 32, 32), np.float32)), tg.Tensor(np.arange(4))

    def step():
        loss = tg.nn.functional.cross_entropy(model(x), labels)
        model.zero_grad()
        loss.backward()
        tg.optim.clip_grad_norm_(model.parameters(), 1.0)
        update.step()
        return loss

    step()  # fills caches
    standin.reset()
    loss = step()
    assert standin.syncs.total() == 0, standin.syncs
    loss.item()
    assert standin.syncs.total() == 1


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_a_recurrent_training_step_on_padded_sequences_waits_for_nothing(standin, name):
    model = getattr(tg.nn, name)(3, 4, bidirectional=True)
    x = tg.Tensor(np.ones((5, 2, 3), np.float32))

    def step():
        y, _ = model(x, lengths=[5, 2])
        model.zero_grad()
        (y * y).mean().backward()

    step()
    standin.reset()
    step()
    assert standin.syncs.total() == 0, standin.syncs
