"""Whose memory is whose: gradients, data and states share none; what a backward has used is let go."""

import gc
import weakref

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend, nn
from tinygrad_notes.autograd import Function
from tinygrad_notes.nn import functional as F

numpy_only = pytest.mark.skipif(backend.BACKEND != "numpy", reason="looks at NumPy's memory")


class Kept(Function):
    """a · k, whose gradient of a is what it kept: right where gy is 1."""

    def forward(xp, a, k):
        return a * k

    def backward_a(xp, gy, k):
        return k


def leaf(*values):
    return tg.Tensor(np.array(values, np.float64), requires_grad=True)


def shared(*tensors):
    """Whether any two of them share memory."""
    data = [t._data for t in tensors]
    return any(np.shares_memory(a, b) for i, a in enumerate(data) for b in data[:i])


# ---- gradients ---------------------------------------------------------------------------------


@numpy_only
@pytest.mark.parametrize("create_graph", [False, True])
def test_results_of_grad_share_no_memory(create_graph):
    x, y, v = leaf(1, 2, 3), leaf(4, 5, 6), tg.Tensor(np.array([1.0, 2, 3]))
    k = tg.Tensor(np.array([7.0, 8, 9]))

    def found(outputs, inputs, seed=None):
        return tg.grad(outputs, inputs, seed, create_graph=create_graph)

    for results in (
        found(x + y, [x, y], v), found((x + y).sum(), [x, y]), found((x * 1.0).sum(), [x, x]),
        found(x.reshape(3, 1) + y.reshape(3, 1), [x, y], v.reshape(3, 1)),
        found(tg.concat([x, y]).sum(), [x, y]), found(tg.stack([x, y]), [x, y], tg.ones((2, 3), np.float64)),
        found(Kept.apply(x, k).sum(), [x]), found(x, [x], v),
    ):  # fmt: skip
        assert not shared(*results, v, k, x, y)
        assert all(g._data.base is None or not create_graph for g in results)
    h = x * 2.0
    assert not shared(*found((h + y).sum(), [h, x, y]))


def test_recorded_results_that_are_copied_keep_their_graph():
    x, y = leaf(1, 2, 3), leaf(4, 5, 6)
    with tg.no_grad():
        weights = tg.Tensor(np.ones(3))
    v = leaf(1, 1, 1)
    gx, _ = tg.grad(x * y, [x, y], v, create_graph=True)
    (mixed,) = tg.grad((gx * weights).sum(), y)
    np.testing.assert_array_equal(mixed.numpy(), v.detach().numpy())
    twice = tg.grad((x * x * y).sum(), [x, x], create_graph=True)
    for g in twice:
        (second,) = tg.grad(g.sum(), x, retain_graph=True)
        np.testing.assert_array_equal(second.numpy(), 2 * y.detach().numpy())
    (through,) = tg.grad(x + y, x, v, create_graph=True)  # the gradient is v itself
    (one,) = tg.grad(through.sum(), v)
    np.testing.assert_array_equal(one.numpy(), np.ones(3))


@numpy_only
@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_of_leaves_share_no_memory(create_graph):
    x, y, v = leaf(1, 2, 3), leaf(4, 5, 6), tg.Tensor(np.array([1.0, 2, 3]))
    k = tg.Tensor(np.array([7.0, 8, 9]))
    for make, seed in (
        (lambda: x + y, v), (lambda: (x + y).sum(), None), (lambda: tg.concat([x, y]).sum(), None),
        (lambda: Kept.apply(x, k).sum() + y.sum(), None), (lambda: tg.stack([x, y])[:, ::-1].sum(), None),
    ):  # fmt: skip
        x.grad = y.grad = None
        make().backward(seed, create_graph=create_graph)
        assert not shared(x.grad, y.grad, v, k, x, y)
    x.grad = None
    x.backward(v)
    assert not shared(x.grad, v)


# ---- data and states ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_data_that_is_put_in_is_copied(dtype):
    array = np.ones(3, dtype)
    p, made = nn.Parameter(np.zeros(3, dtype)), [tg.Tensor(array), tg.tensor(array), nn.Parameter(array)]
    p.data = array
    q = nn.Parameter(np.zeros(3, dtype))
    q.data = p.data
    array[:] = 7
    for t in (p, q, *made):
        np.testing.assert_array_equal(t.detach().numpy(), np.ones(3))
    p.data += 1
    np.testing.assert_array_equal(q.detach().numpy(), np.ones(3))


def net():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2))


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_states_stay_as_they_were_while_training_goes_on(kind):
    model = net()
    optimizer = getattr(tg.optim, kind)(
        model.parameters(), lr=0.1, **({"momentum": 0.9} if kind == "SGD" else {})
    )
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)

    def step():
        optimizer.zero_grad()
        (model(x) ** 2).sum().backward()
        optimizer.step()

    step()
    weights, state = model.state_dict(), optimizer.state_dict()
    arrays = [*weights.values(), *(a for s in state["state"].values() for a in s.values())]
    arrays = [a for a in arrays if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    before = [a.copy() for a in arrays]
    step()
    assert len(arrays) > 6 + 2
    for a, b in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(a, b)
    other = net()
    other.load_state_dict(weights)
    for a in weights.values():  # nor does the model follow what it was loaded from
        a[...] = 0
    optimizer.load_state_dict(state)
    for s in state["state"].values():
        for a in s.values():
            if isinstance(a, np.ndarray):
                a[...] = 0
    assert all(
        np.abs(p.detach().numpy()).sum() > 0 for p in (other[0].weight, other[1].weight, other[3].weight)
    )
    kept = optimizer.state_dict()["state"][0]
    assert all(np.abs(a).sum() > 0 for a in kept.values() if isinstance(a, np.ndarray))


# ---- what is let go ----------------------------------------------------------------------------


def nodes(output):
    found, stack = {}, [output._edge[0]]
    while stack:
        node = stack.pop()
        if id(node) not in found and node.edges:
            found[id(node)] = node
            stack.extend(edge[0] for edge in node.edges if edge is not None)
    return list(found.values())


LOSSES = {
    "products": lambda h: (h * h * h).sum(),
    "intermediates": lambda h: tg.var(h, axis=0).sum(),
    "layer_norm": lambda h: (F.layer_norm(h, (4,)) ** 2).sum(),
    "softmax": lambda h: (tg.softmax(h) ** 2).sum(),
    "cross_entropy": lambda h: F.cross_entropy(h, np.array([0, 1, 2])),
    "several outputs": lambda h: sum((part**2).sum() for part in tg.split(h, 2, axis=1)),
    "index": lambda h: (h[np.array([0, 2])] ** 2).sum(),
}


@pytest.mark.parametrize("lent", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_a_backward_lets_go_of_all_that_it_used(name, lent):
    gc.disable()
    try:
        x = tg.Tensor(np.random.default_rng(0).normal(size=(3, 4)), requires_grad=True)
        h = x * 2.0
        if lent:
            h.data  # noqa: B018 (now stamps are taken)
        loss = LOSSES[name](h)
        watched = weakref.ref(h._data)
        del h
        seen = nodes(loss)
        loss.backward()
        assert len(seen) >= 2
        for node in seen:
            assert node.kept is node.save_inputs is node.stamps is None and node.attributes == {}
        assert watched() is None
        assert x.grad is not None
    finally:
        gc.enable()
