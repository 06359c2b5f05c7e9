"""The graph: what it keeps, in which order it runs, how it ends."""

import asyncio
import gc
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend
from tinygrad_notes.autograd import Function, mode


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


def test_a_second_backward_needs_retain_graph():
    x = leaf(3)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    np.testing.assert_allclose(values(x.grad), 4 * values(x))
    with pytest.raises(RuntimeError, match=r"freed at Sum .*retain_graph=True"):
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


# ---- modes -------------------------------------------------------------------------------------


def test_modes_nest_and_decorate():
    x = leaf(2)
    with tg.no_grad():
        assert not tg.is_grad_enabled()
        with tg.enable_grad():
            assert (x * 1).requires_grad
        assert not (x * 1).requires_grad

    @tg.no_grad()
    def evaluate(depth):
        return evaluate(depth - 1) if depth else (x * 1).requires_grad

    assert evaluate(3) is False
    assert tg.is_grad_enabled()
    with pytest.raises(KeyError), tg.no_grad():
        raise KeyError
    assert tg.is_grad_enabled()


def test_modes_belong_to_one_thread():
    seen = []
    with tg.no_grad():
        thread = threading.Thread(target=lambda: seen.append(tg.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_modes_belong_to_one_async_task():
    async def worker(delay, quiet):
        if quiet:
            with tg.no_grad():
                await asyncio.sleep(delay)
                return tg.is_grad_enabled()
        await asyncio.sleep(delay)
        return tg.is_grad_enabled()

    async def main():
        return await asyncio.gather(worker(0.02, True), worker(0.01, False), worker(0.03, False))

    assert asyncio.run(main()) == [False, True, True]


def test_threads_may_run_their_own_graphs_side_by_side():
    results = {}

    def work(seed):
        x = leaf(50, seed=seed)
        for _ in range(20):
            x.zero_grad()
            (tg.sigmoid(x) * x).sum().backward()
            time.sleep(0)
        results[seed] = values(x.grad)

    threads = [threading.Thread(target=work, args=(s,)) for s in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for seed, got in results.items():
        x = leaf(50, seed=seed)
        (tg.sigmoid(x) * x).sum().backward()
        np.testing.assert_array_equal(got, values(x.grad))


# ---- detect_anomaly ----------------------------------------------------------------------------


def test_anomaly_in_the_forward_names_the_operation():
    x = tg.Tensor([1.0, -1.0], requires_grad=True)
    with np.errstate(all="ignore"), tg.detect_anomaly():
        with pytest.raises(tg.AnomalyError, match=r"forward of Log is .*; its inputs are finite"):
            tg.log(x)
        with pytest.raises(tg.AnomalyError, match=r"forward of Multiply .* its input a already was"):
            tg.Tensor([np.inf]) * x[:1]


def test_anomaly_in_the_backward_shows_where_the_forward_was():
    x = tg.Tensor([0.0], requires_grad=True)
    with np.errstate(all="ignore"), tg.detect_anomaly():
        y = tg.sqrt(x).sum()  # this line
        with pytest.raises(tg.AnomalyError, match=r"backward of Sqrt(.|\n)*y = tg.sqrt\(x\).sum\(\)"):
            y.backward()


# ---- errors ------------------------------------------------------------------------------------


def test_backward_needs_one_number_or_a_gradient():
    y = leaf(3) * 2
    with pytest.raises(RuntimeError, match=r"this Tensor is \(3,\); reduce it"):
        y.backward()
    with pytest.raises(ValueError, match=r"gradient \(2,\) for an output of shape \(3,\)"):
        y.backward(np.ones(2))
    y.backward(np.ones(3))


def test_backward_of_a_tensor_without_a_graph():
    with pytest.raises(RuntimeError, match="does not require grad"):
        tg.Tensor([1.0]).backward()
    with pytest.raises(RuntimeError, match=r"input 0 .* does not require grad"):
        tg.grad(leaf(1).sum(), tg.Tensor([1.0]))


def test_integers_have_no_gradient():
    with pytest.raises(TypeError, match=r"only real numbers have gradients, this Tensor is int64"):
        tg.Tensor([1, 2], requires_grad=True)


def test_an_operation_that_does_not_broadcast_refuses_a_wrong_gradient():
    class Wrong(Function):
        def forward(xp, x):
            return x * 1

        def backward(xp, gy):
            return xp.reshape(gy, (1, -1))

    with pytest.raises(RuntimeError, match=r"backward of Wrong: gradient of shape \(1, 3\) .* \(3,\)"):
        Wrong.apply(leaf(3)).sum().backward()


def test_a_rule_that_asks_for_an_unknown_name_is_refused_when_it_is_written():
    with pytest.raises(TypeError, match=r"asks for \['weight'\]; it may ask for \['x', 'y', 'x_shape'\]"):

        class Typo(Function):
            def forward(xp, x):
                return x

            def backward(xp, gy, weight):
                return gy

    with pytest.raises(TypeError, match="no defaults"):

        class Default(Function):
            def forward(xp, x, *, axis=0):
                return x


def test_the_error_of_a_rule_tells_the_operation_and_the_shapes():
    with pytest.raises(ValueError) as caught:
        leaf(2, 3) + leaf(4)
    assert "in the forward of Add: a (2, 3) float64, b (4,) float64" in caught.value.__notes__


# ---- data that changes under the graph ---------------------------------------------------------


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


def test_the_guard_forgets_memory_that_is_gone():
    from tinygrad_notes.autograd import guard

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


def test_a_gradient_that_no_rule_gives_is_an_error():
    class Alone(tg.Function):
        def forward(xp, a, b):
            return a * b

        def backward_a(xp, gy, b):
            return gy * b

    class Nothing(tg.Function):
        def forward(xp, a):
            return a * 2

        def backward(xp, gy):
            return None

    class Short(tg.Function):
        def forward(xp, a, b):
            return a * b

        def backward(xp, gy, b):
            return gy * b

    a, b = (tg.Tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    Alone.apply(a, b.detach()).sum().backward()
    with pytest.raises(RuntimeError, match="Alone: no rule gives the gradient of its input 'b'"):
        Alone.apply(a, b).sum().backward()
    with pytest.raises(RuntimeError, match="Nothing gave None for an input that requires a gradient"):
        Nothing.apply(a).sum().backward()
    with pytest.raises(RuntimeError, match="Short gave 1 gradients for 2 inputs"):
        Short.apply(a, b).sum().backward()


def test_one_switch_serves_threads_tasks_and_coroutines():
    switch, barrier = tg.no_grad(), threading.Barrier(3, timeout=10)

    def inside(_):
        with switch:
            barrier.wait()  # all three are inside at once
            quiet = not mode.is_grad_enabled()
            barrier.wait()
        return quiet and mode.is_grad_enabled()

    with ThreadPoolExecutor(3) as pool:
        assert all(pool.map(inside, range(3)))

    @tg.no_grad()
    async def coroutine():
        await asyncio.sleep(0)
        return mode.is_grad_enabled()

    async def both():
        return await asyncio.gather(coroutine(), coroutine()), mode.is_grad_enabled()

    assert asyncio.run(both()) == ([False, False], True)
    with pytest.raises(TypeError, match="generator"):

        @tg.no_grad()
        def generator():
            yield


@pytest.mark.parametrize("run", [
    lambda x: x.var(), lambda x: x.std(), lambda x: tg.nn.functional.layer_norm(x, (2,)),
])  # fmt: skip
def test_integers_give_float32_also_where_intermediates_are_kept(run):
    assert run(tg.Tensor([[1, 2]])).dtype == np.float32


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


@pytest.mark.parametrize("finish", ["close", "run out"])
def test_a_generator_that_leaves_a_block_open_changes_only_its_own(finish):
    def draws():
        with tg.no_grad():
            yield 1
            yield 2

    def end(generator):
        if finish == "close":
            generator.close()
        else:
            list(generator)

    generator = draws()
    next(generator)
    with tg.detect_anomaly():
        end(generator)
        assert tg.is_grad_enabled() and mode.anomaly.get()
    assert not mode.anomaly.get()
    generator = draws()
    next(generator)
    with tg.enable_grad():
        end(generator)
        assert tg.is_grad_enabled()
    assert tg.is_grad_enabled()
    generator = draws()
    thread = threading.Thread(target=lambda: next(generator))
    thread.start()
    thread.join()
    end(generator)  # began in another thread
    assert tg.is_grad_enabled()


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


def test_an_operation_inherits_the_rules_of_another():
    class Twice(Function):
        def forward(xp, x):
            return 2 * x

        def backward(xp, gy):
            return 2 * gy

    class Thrice(Twice):
        def forward(xp, x):
            return 3 * x

    class Same(Twice):
        pass

    for operation, slope in ((Same, 2), (Thrice, 2)):
        x = leaf(3)
        operation.apply(x).sum().backward()
        np.testing.assert_array_equal(values(x.grad), [slope] * 3)


def test_a_gradient_that_is_no_array_is_named():
    class Odd(Function):
        def forward(xp, x):
            return x + 0

        def backward(xp, gy):
            return 2

    with pytest.raises(RuntimeError, match="backward of Odd gave 2"):
        Odd.apply(leaf(3)).sum().backward()


def test_integers_do_not_cut_what_replaces_them():
    x = tg.Tensor([1, 2])
    with pytest.raises(TypeError, match="would be cut to int64"):
        x.data = [1.7, 2.9]
    x.data = [3, 4]
    assert values(x).tolist() == [3, 4]


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
