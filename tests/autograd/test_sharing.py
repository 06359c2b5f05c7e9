"""A gradient becomes the `.grad` of its leaf without a copy exactly where nothing else holds its memory."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes.autograd import Function
from tinygrad_notes.autograd.sharing import alone

MADE = []  # arrays that the rules below have made


def keeping(array):
    MADE.append(array)
    return array


def rule(gradient):
    """An operation y = x of matrices whose gradient is `gradient(xp, gy, x, table)`."""

    class Rule(Function):
        def forward(xp, x, *, table):
            return x + 0

        def backward(xp, gy, x, *, table):
            return gradient(xp, gy, x, table)

    return Rule


def grad_of(gradient):
    """The array of the leaf's `.grad`, and everything that it must not share memory with."""
    x = tg.Tensor(np.arange(12.0).reshape(3, 4), requires_grad=True)
    table = tg.backend.xp.ones((1, 12)) * 2
    MADE.clear()
    rule(gradient).apply(x, table=table).backward(tg.ones((3, 4), dtype="float64"))
    return x.grad._data, [x._data, table]


def root(array):
    return array if array.base is None else array.base


NEW = {
    "an array": lambda xp, gy, x, table: keeping(gy * 2),
    "another shape of one": lambda xp, gy, x, table: keeping(xp.reshape(gy, (12,)) * 2).reshape(3, 4),
}
HELD = {
    "a kept input": lambda xp, gy, x, table: x,
    "a view of a kept input": lambda xp, gy, x, table: x.reshape(12).reshape(3, 4),
    "an attribute": lambda xp, gy, x, table: table.reshape(3, 4),
    "the gradient of the output": lambda xp, gy, x, table: gy,
    "a view of it": lambda xp, gy, x, table: gy.reshape(12).reshape(3, 4),
    "a part": lambda xp, gy, x, table: keeping(xp.zeros((4, 4)))[1:],
    "turned": lambda xp, gy, x, table: keeping(xp.zeros((4, 3))).T,
    "one number": lambda xp, gy, x, table: xp.broadcast_to(keeping(xp.zeros(())), (3, 4)),
}


@pytest.fixture
def plain():
    """On NumPy, where rules are called as they stand, so that what they return is known."""
    with tg.backend.use_backend("numpy"):
        yield


@pytest.mark.parametrize("name", NEW)
def test_new_memory_is_not_copied(plain, name):
    found, _ = grad_of(NEW[name])
    assert root(found) is root(MADE[-1])


@pytest.mark.parametrize("name", HELD)
def test_memory_that_others_hold_is_copied(plain, name):
    found, others = grad_of(HELD[name])
    assert found.base is None and found.flags.c_contiguous
    assert not any(np.shares_memory(found, other) for other in [*others, *MADE])


def test_two_inputs_with_one_gradient_do_not_share_it():
    class Both(Function):
        def forward(xp, a, b):
            return a + b

        def backward(xp, gy):
            g = gy * 2
            return g, g.reshape(-1).reshape(g.shape)

    a, b = (tg.Tensor(np.ones((2, 3)), requires_grad=True) for _ in range(2))
    Both.apply(a, b).sum().backward()
    a.grad._data[...] = 7
    np.testing.assert_array_equal(b.grad.numpy(), np.full((2, 3), 2.0))


def test_memory_that_is_no_arrays_own_is_never_alone():
    held = np.frombuffer(bytearray(48), np.float64)
    assert not alone(held, []) and not alone(held.reshape(2, 3), [])
    whole = np.ones(6)
    assert alone(whole, []) and alone(whole.reshape(2, 3), [(), None, (3, None)])
    assert not alone(whole.reshape(2, 3), [(whole[1:2],)]) and not alone(whole, [((whole,),)])
