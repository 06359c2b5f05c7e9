"""The graph: what it keeps, in which order it runs, how it ends."""

import gc
import sys
import threading
import weakref

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend
from tinygrad_notes.autograd import Function


def leaf(*shape, seed=0, dtype=np.float64):
    return tg.Tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype), requires_grad=True)


def values(tensor):
    return backend.to_numpy(tensor.data)


def chain(length, x):
    y = x
    for _ in range(length):
        y = y * 1.0001
    return y


# ---- gradients arrive once, everywhere ---------------------------------------------------------


def test_gradients_of_a_reused_tensor_add_up():
    x = leaf(3)
    (x * x + x).sum().backward()
    np.testing.assert_allclose(values(x.grad), 2 * values(x) + 1)


def test_one_tensor_as_both_inputs_of_an_operation():
    x = leaf(2, 2)
    (x @ x).sum().backward()
    ones = np.ones((2, 2))
    np.testing.assert_allclose(values(x.grad), ones @ values(x).T + values(x).T @ ones)


def test_backward_adds_to_grad_until_it_is_zeroed():
    x = leaf(3)
    for _ in range(2):
        (2 * x).sum().backward()
    np.testing.assert_array_equal(values(x.grad), np.full(3, 4.0))
    x.zero_grad()
    assert x.grad is None


def test_a_diamond_is_visited_once_and_in_order():
    visits = []

    class Spy(Function):
        def forward(xp, x):
            return x * 1

        def backward(xp, gy):
            visits.append(1)
            return gy

    x = leaf(2)
    y = Spy.apply(x)
    z = y
    for _ in range(20):
        z = z + z  # 2²⁰ paths lead to y
    z.sum().backward()
    assert len(visits) == 1
    np.testing.assert_array_equal(values(x.grad), np.full(2, 2.0**20))


def test_leaves_never_share_the_memory_of_a_gradient():
    a, b = leaf(3, seed=1), leaf(3, seed=2)
    (a + b).sum().backward()
    a.grad.data[...] = 7
    np.testing.assert_array_equal(values(b.grad), np.ones(3))
    x = leaf(2, 2)
    x.sum().backward()  # the gradient of a sum is a broadcast view inside the engine
    x.grad.data[0, 0] = 5
    np.testing.assert_array_equal(values(x.grad), [[5, 1], [1, 1]])
    g1, g2 = tg.grad((a + b).sum(), (a, b))
    g1.data[...] = 9
    np.testing.assert_array_equal(values(g2), np.ones(3))


def test_grad_returns_gradients_of_any_tensor_and_touches_no_leaf():
    x = leaf(3)
    h = x * 2
    y = (h * h).sum()
    gh, gx = tg.grad(y, (h, x))
    np.testing.assert_allclose(values(gh), 4 * values(x))
    np.testing.assert_allclose(values(gx), 8 * values(x))
    assert x.grad is None


def test_grad_runs_only_what_leads_to_the_inputs():
    ran = []

    class Costly(Function):
        def forward(xp, a, b):
            return a * b

        def backward_a(xp, gy, b):
            ran.append("a")
            return gy * b

        def backward_b(xp, gy, a):
            ran.append("b")
            return gy * a

    a, b = leaf(2, seed=1), leaf(2, seed=2)
    tg.grad(Costly.apply(a, b).sum(), b)
    assert ran == ["b"]


def test_grad_of_an_unrelated_input():
    x, other = leaf(2), leaf(2)
    with pytest.raises(RuntimeError, match="do not depend on input 0"):
        tg.grad((x * 2).sum(), other)
    assert tg.grad((x * 2).sum(), other, allow_unused=True) == (None,)


def test_several_outputs_and_unused_ones():
    x = leaf(6)
    first, _, third = tg.split(x, 3)
    (first.sum() + 2 * third.sum()).backward()
    np.testing.assert_array_equal(values(x.grad), [1, 1, 0, 0, 2, 2])


def test_third_derivative():
    x = tg.Tensor(np.array(0.7), requires_grad=True)
    y = x**4
    for expected in (4 * 0.7**3, 12 * 0.7**2, 24 * 0.7, 24):
        (y,) = tg.grad(y, x, create_graph=True)
        assert y.item() == pytest.approx(expected, rel=1e-12)


def test_backward_with_create_graph_gives_a_differentiable_gradient():
    x = leaf(3)
    (x**3).sum().backward(create_graph=True)
    (second,) = tg.grad(x.grad.sum(), x)
    np.testing.assert_allclose(values(second), 6 * values(x))


def test_gradients_with_a_graph_add_up():
    x = leaf(3)
    for _ in range(2):
        (x**3).sum().backward(create_graph=True)
    np.testing.assert_allclose(values(x.grad), 2 * 3 * values(x) ** 2)
    (second,) = tg.grad(x.grad.sum(), x)
    np.testing.assert_allclose(values(second), 2 * 6 * values(x))


def test_saved_intermediates_are_replayed_not_frozen():
    """The variance keeps x − μ; a Hessian that took it for a constant would miss the mean's part."""
    x = leaf(4)
    (g,) = tg.grad(tg.var(x), x, create_graph=True)
    rows = [values(tg.grad(g[i], x, retain_graph=True)[0]) for i in range(4)]
    np.testing.assert_allclose(rows, 2 / 4 * (np.eye(4) - 1 / 4), atol=1e-12)


# ---- what the graph keeps ----------------------------------------------------------------------


def test_a_node_keeps_exactly_what_its_backward_names():
    x = leaf(1000)
    y = tg.sigmoid(x)  # backward(xp, gy, y)
    kept = y._edge[0].kept
    assert [len(group) for group in kept] == [1] and kept[0][0] is y._data

    w = tg.Tensor(np.ones(1000))  # not trained: only ∂/∂x is needed, which names w
    product = (x * w)._edge[0]
    assert product.kept[1] is None and product.kept[0][0] is w._data


def test_an_array_that_no_backward_asked_for_dies_with_its_tensor():
    x = leaf(1000)
    h = x + 1  # Add's backward names nothing, Tanh's its output
    array = weakref.ref(h._data)
    y = tg.tanh(h)
    del h
    assert array() is None
    y.sum().backward()


def test_nothing_is_recorded_without_need():
    plain = tg.Tensor(np.ones(3)) * 2
    assert not plain.requires_grad
    with tg.no_grad():
        assert not (leaf(3) * 2).requires_grad


def test_the_graph_is_freed_by_backward_and_by_reference_counting_alone():
    gc.disable()
    try:
        x = leaf(10)
        h = x * 2
        array = weakref.ref(h._data)
        y = (h * h).sum()
        del h
        y.backward()
        assert array() is None  # kept by h·h until its backward had run
        h = x * 2
        array = weakref.ref(h._data)
        z = (h * h).sum()
        del h, z
        assert array() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("given", [np.float16, np.float32, np.float64])
def test_a_gradient_that_is_given_takes_the_dtype_of_the_output(dtype, given):
    x = tg.Tensor(np.ones(3, dtype), requires_grad=True)
    seen = []
    y = x * 1
    y.register_hook(lambda g: seen.append(g.dtype))
    y.backward(tg.Tensor(np.arange(3, dtype=given)))
    (g,) = tg.grad(x * 1, [x], tg.Tensor(np.arange(3, dtype=given)))
    assert seen == [dtype] and x.grad.dtype == g.dtype == dtype
    np.testing.assert_array_equal(x.grad.numpy(), [0, 1, 2])


def test_a_second_backward_needs_retain_graph():
    x = leaf(3)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    np.testing.assert_allclose(values(x.grad), 4 * values(x))
    with pytest.raises(RuntimeError, match=r"freed at Sum .*retain_graph=True"):
        y.backward()


def test_a_differentiable_backward_may_free_its_graph():
    x = leaf(3)
    y = (x * x * x).sum()
    y.backward(create_graph=True, retain_graph=False)
    np.testing.assert_allclose(values(x.grad), 3 * values(x) ** 2)
    with pytest.raises(RuntimeError, match="freed at Sum"):
        y.backward()


def test_a_gradient_through_a_freed_part_is_refused_and_one_past_it_is_not():
    x, z = leaf(3), leaf(3)
    h = tg.exp(x)
    first, second, past = h.sum(), h.sum() + (3 * x).sum(), (h * z).sum()
    tg.grad(first, x)
    for outputs in first, second, past:
        for allow_unused in False, True:
            with pytest.raises(RuntimeError, match="freed at"):
                tg.grad(outputs, x, allow_unused=allow_unused, retain_graph=True)
    np.testing.assert_allclose(values(tg.grad((h.detach() * z).sum() + past, z)[0]), 2 * values(h))


def test_a_chain_of_100000_operations():
    """No recursion, forward, backward or at teardown, on a small stack."""
    outcome = []

    def run():
        x = leaf(1)
        y = chain(100_000, x)
        y.backward(np.ones(1))
        outcome.append(values(x.grad)[0])
        z = chain(100_000, x)
        del z  # a graph that is dropped, not run

    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert outcome == [pytest.approx(1.0001**100_000, rel=1e-9)]


def test_time_is_linear_in_the_length_of_a_chain():
    """Counted in calls of Python functions, not in seconds."""
    counts = []
    for length in (500, 1000, 2000):
        x = leaf(1)
        calls = 0

        def count(frame, event, arg):
            nonlocal calls
            calls += event == "call"

        sys.setprofile(count)
        try:
            chain(length, x).backward(np.ones(1))
        finally:
            sys.setprofile(None)
        counts.append(calls)
    assert counts[2] - counts[1] == pytest.approx(2 * (counts[1] - counts[0]), rel=0.01)


# ---- where a backward stops, and whose its results are -----------------------------------------


def test_a_wanted_tensor_is_where_the_backward_stops():
    x = leaf(3)
    h = tg.exp(x)
    (g,) = tg.grad((3 * h).sum(), h)
    h.backward(g)  # what made h was neither run nor freed
    np.testing.assert_allclose(values(x.grad), 3 * values(h))


def test_a_leaf_that_was_frozen_meanwhile_still_gets_its_gradient():
    x = leaf(3)
    y = (2 * x).sum()
    x.requires_grad = False
    assert (3 * x)._edge is None
    x.requires_grad = True
    y.backward()
    np.testing.assert_array_equal(values(x.grad), [2, 2, 2])
    x.requires_grad = False
    np.testing.assert_array_equal(values(x.grad), [2, 2, 2])


def test_backwards_of_several_threads_add_up_in_one_leaf():
    x = tg.Tensor(np.zeros(100_000, np.float32), requires_grad=True)

    def run():
        for _ in range(100):
            (x * 1.0).sum().backward()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (values(x.grad) == 400).all()


def test_gradients_are_nobody_elses_memory():
    class Passes(Function):
        def forward(xp, a, b, c):
            return a + b + c

        def backward(xp, gy, a, b, c):
            return gy, b, gy  # one array twice, and one that was kept

    a, b, c = leaf(3), leaf(3), leaf(3)
    Passes.apply(a, b, c).sum().backward()
    b.data += 1  # as an optimizer would
    a.grad.data += 1
    np.testing.assert_allclose(values(b.grad), values(b) - 1)
    np.testing.assert_array_equal(values(c.grad), np.ones(3))
    a, b = leaf(3), leaf(3)
    (a + b).sum().backward(create_graph=True)
    assert a.grad is not b.grad


@pytest.mark.parametrize("run", [
    tg.relu, tg.leaky_relu, tg.abs, tg.max, lambda x: x.max(axis=1), lambda x: tg.clip(x, -0.5, 0.5),
    lambda x: tg.maximum(x, 0.1), lambda x: tg.minimum(x, 0.1), lambda x: x**1, lambda x: x**0,
    lambda x: tg.nn.functional.max_pool2d(x.reshape(1, 1, 4, 4), 2),
    lambda x: tg.nn.functional.l1_loss(x, tg.Tensor(np.zeros((4, 4)))),
])  # fmt: skip
def test_a_gradient_made_of_comparisons_has_derivative_zero(run):
    """As torch's relu. What was compared is what it depends on."""
    x = tg.Tensor(np.linspace(-1, 1, 16).reshape(4, 4), requires_grad=True)
    (g,) = tg.grad(run(x).sum(), x, create_graph=True)
    assert g.requires_grad
    (expected,) = tg.grad(run(x).sum(), x)
    np.testing.assert_array_equal(g.detach().numpy(), expected.numpy())
    (h,) = tg.grad(g.sum(), x, create_graph=True)
    np.testing.assert_array_equal(h.detach().numpy(), np.zeros((4, 4)))
    assert (h.dtype, h.shape) == (x.dtype, x.shape)


def test_both_inputs_of_a_maximum_are_what_its_gradient_depends_on():
    a, b = (tg.Tensor(v, requires_grad=True) for v in ([1.0, 2.0], [2.0]))
    (g,) = tg.grad(tg.maximum(a, b).sum(), a, create_graph=True)
    for x, h in zip((a, b), tg.grad(g.sum(), [a, b]), strict=True):
        assert h.shape == x.shape and not h.numpy().any()


@pytest.mark.parametrize("run", [lambda x: x + x, lambda x: 2 * x, lambda x: x.T, lambda x: x[0], tg.mean])
def test_the_gradient_of_a_linear_map_does_not_require_grad(run):
    """As in torch: no derivative was forgotten, there is nothing to differentiate."""
    x = tg.Tensor(np.ones((2, 2)), requires_grad=True)
    (g,) = tg.grad(run(x).sum(), x, create_graph=True)
    assert not g.requires_grad


def test_zero_derivatives_do_not_hide_others():
    """A gradient penalty of a network with relu: the second derivatives are those of the weights."""
    rng = np.random.default_rng(0)
    x, w, v = (tg.Tensor(rng.standard_normal(s), requires_grad=True) for s in ((5, 3), (3, 4), (4, 1)))
    (g,) = tg.grad((tg.relu(x @ w) @ v).sum(), x, create_graph=True)
    found = tg.grad((g * g).sum(), [x, w, v])
    on = (x.detach() @ w.detach()).numpy() > 0  # g = (v ∘ on) wᵀ by hand, and L = Σ g²
    gx = (on * v.detach().numpy().T) @ w.detach().numpy().T
    by_hand = [
        0 * gx,
        2 * gx.T @ (on * v.detach().numpy().T),
        2 * ((gx @ w.detach().numpy()) * on).sum(0)[:, None],
    ]
    for h, expected in zip(found, by_hand, strict=True):
        np.testing.assert_allclose(h.numpy(), expected, rtol=1e-12)


# ---- whose memory a gradient is ----------------------------------------------------------------

FORWARDS = {
    "one gradient for two leaves": lambda a, b: a + b,
    "one gradient twice for a leaf": lambda a, b: (a + a) + b,
    "views of one gradient": lambda a, b: tg.concat([a, b]),
    "a view of it turned": lambda a, b: a.T + b.reshape(4, 3),
    "a sum spread out": lambda a, b: a.sum() + b.sum(),
    "a leaf used often": lambda a, b: a * a * a * b * a,
}


@pytest.mark.parametrize("forward", FORWARDS.values(), ids=FORWARDS)
def test_each_gradient_has_memory_of_its_own(forward):
    a, b = leaf(3, 4), leaf(3, 4, seed=1)
    y = forward(a, b)
    seed = tg.Tensor(np.ones(y.shape))
    y.backward(seed, retain_graph=True)
    first = [x.grad for x in (a, b)]
    before = [values(g).copy() for g in first]
    y.backward(seed)  # what somebody holds stays as it is
    arrays = [values(x) for x in (a.grad, b.grad, *first, seed, a, b)]
    assert not any(np.shares_memory(p, q) for i, p in enumerate(arrays) for q in arrays[:i])
    for g, old, x in zip(first, before, (a, b), strict=True):
        np.testing.assert_array_equal(values(g), old)
        np.testing.assert_allclose(values(x.grad), 2 * old, rtol=1e-15)
    np.testing.assert_array_equal(values(seed), 1)


def test_a_leaf_that_is_used_often_is_added_up_in_one_array(monkeypatch):
    a = leaf(5)
    y = a
    for _ in range(50):
        y = y * a
    recorded = []
    monkeypatch.setattr(tg.Tensor, "__add__", lambda x, other: recorded.append(x))
    y.backward(tg.Tensor(np.ones(5)))
    np.testing.assert_allclose(values(a.grad), 51 * values(a) ** 50, rtol=1e-12)
    assert not recorded


def test_what_a_rule_returns_is_not_written_into():
    """It may belong to somebody else: an option of the operation, a constant of its module."""
    constant = backend.asarray(np.arange(1.0, 4))

    class Dot(Function):
        def forward(xp, x, *, w):
            return xp.sum(x * w)

        def backward(xp, gy, *, w):
            return w

    class DotConstant(Function):
        def forward(xp, x):
            return xp.sum(x * constant)

        def backward(xp, gy):
            return constant

    for once in (lambda x: Dot.apply(x, w=constant), DotConstant.apply):
        x = leaf(3)
        y = once(x) + once(x)
        for times in (2, 4, 6):
            y.backward(retain_graph=True)
            np.testing.assert_array_equal(values(x.grad), times * np.arange(1.0, 4))
            np.testing.assert_array_equal(backend.to_numpy(constant), np.arange(1.0, 4))
    x = leaf(3)
    Dot.apply(x, w=constant).backward()
    assert x.grad._data is not constant
