"""What `grad` and `backward` take, which rules they run, and what holds while they run."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend
from tinygrad_notes.autograd import Function


def leaf(*values, dtype=np.float64):
    return tg.Tensor(np.array(values, dtype), requires_grad=True)


class Watched(Function):
    """y = 2 x, whose backward calls `told`."""

    def forward(xp, x, *, told):
        return 2 * x

    def backward(xp, gy, *, told):
        told()
        return 2 * gy


def fails():
    raise ZeroDivisionError("of the rule")


# ---- arguments ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("arguments", "error", "message"), [
    (lambda x, y: ([y, 3.0], x), TypeError, "grad: outputs must be Tensors, got float"),
    (lambda x, y: (y, [x, None]), TypeError, "grad: inputs must be Tensors, got NoneType"),
    (lambda x, y: (y, [x, tg.Tensor(np.ones((1, 2)))]), RuntimeError,
     r"grad: input 1 of shape \(1, 2\) does not require grad"),
    (lambda x, y: (y, [x, leaf([5.0, 6.0])]), RuntimeError,
     r"grad: the outputs do not depend on input 1 of shape \(1, 2\); pass allow_unused=True"),
    (lambda x, y: ([y, y], x, [None]), ValueError, "backward: 2 outputs but 1 gradients"),
    (lambda x, y: (y, x, (None, None)), ValueError, "backward: 1 outputs but 2 gradients"),
    (lambda x, y: ([y, x], x, [None, None]), RuntimeError, r"this Tensor is \(3,\); reduce it"),
    (lambda x, y: (y, x, tg.Tensor([1.0])), ValueError, r"gradient \(1,\) for an output of shape \(\)"),
])  # fmt: skip
def test_what_cannot_be_asked_for_is_refused_by_name_and_place(arguments, error, message):
    x = leaf(1.0, 2.0, 3.0)
    with pytest.raises(error, match=message):
        tg.grad(*arguments(x, (x * x).sum()))
    assert x.grad is None and tg.is_grad_enabled()


def test_a_backward_of_a_constant_tells_its_shape_and_dtype():
    with pytest.raises(RuntimeError, match=r"\(shape \(1, 2\), float16\); set requires_grad=True"):
        tg.Tensor(np.ones((1, 2), np.float16)).backward()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_one_number_of_any_shape_begins_with_one(shape, dtype):
    x = tg.Tensor(np.full(shape, 3, dtype), requires_grad=True)
    x.backward()
    assert (x.grad.shape, x.grad.dtype) == (shape, dtype) and x.grad.item() == 1
    (g,) = tg.grad(x * x, x)
    assert (g.shape, g.dtype) == (shape, dtype) and g.item() == 6


def test_each_output_has_its_own_gradient_to_begin_with():
    x = leaf(1.0, 2.0)
    y, z = x * 3, (x * x).sum()
    for given in (
        [tg.Tensor([1.0, 10.0]), None],
        ([1.0, 10.0], tg.Tensor(1.0)),
        (np.array([1.0, 10.0]), 1.0),
    ):
        (g,) = tg.grad([y, z], x, given, retain_graph=True)
        assert g.numpy().tolist() == [3 + 2, 30 + 4]
    (g,) = tg.grad((y, y), [x], tg.Tensor([1.0, 2.0]), retain_graph=True)  # one for all outputs
    assert g.numpy().tolist() == [6, 12]
    assert tg.grad([x, y], x, [tg.Tensor([5.0, 5.0]), tg.Tensor([1.0, 1.0])])[0].numpy().tolist() == [8, 8]


@pytest.mark.parametrize("create_graph", [False, True])
def test_results_come_in_the_order_of_the_inputs_also_where_one_is_unused_or_twice_there(create_graph):
    x = leaf(1.0, 2.0, 3.0)
    a, b = tg.split(x, [1])
    other = leaf(7.0)
    found = tg.grad((a * 2).sum() + (b * b).sum(), [b, other, a, b, x], allow_unused=True,
                    create_graph=create_graph)  # fmt: skip
    assert found[1] is None
    assert [g.detach().numpy().tolist() for g in found if g is not None] == [[4, 6], [2], [4, 6], [2, 4, 6]]
    assert all(g.requires_grad == (create_graph and len(g) > 1) for g in found if g is not None)


def test_retain_graph_is_create_graph_unless_it_is_given():
    for create, retain, kept in ((False, None, False), (True, None, True), (False, True, True),
                                 (True, False, False)):  # fmt: skip
        for run in (
            lambda y, x, **options: tg.grad(y, x, **options),
            lambda y, x, **options: y.backward(None, **options),
        ):
            x = leaf(2.0)
            y = (x * x * x).sum()
            run(y, x, create_graph=create, retain_graph=retain)
            if kept:
                assert tg.grad(y, x)[0].item() == 12
            else:
                with pytest.raises(RuntimeError, match="freed at Sum"):
                    tg.grad(y, x)


# ---- which rules run, and what holds meanwhile ---------------------------------------------------


def test_what_leads_to_no_wanted_input_is_neither_run_nor_freed():
    told = []
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    aside = Watched.apply(w, told=lambda: told.append("aside"))
    below = Watched.apply(x, told=lambda: told.append("below"))
    (g,) = tg.grad((below * aside).sum(), below)
    assert told == [] and g.numpy().tolist() == [6, 8]
    (below.sum() + aside.sum()).backward()
    assert sorted(told) == ["aside", "below"] and x.grad.numpy().tolist() == w.grad.numpy().tolist() == [2, 2]


def test_hooks_of_what_leads_to_no_wanted_input_are_not_called():
    """Though one rule gives the gradients of all inputs."""

    class Sum3(Function):
        def forward(xp, a, b, c):
            return a + b + c

        def backward(xp, gy):
            return gy, gy, gy

    seen = []
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    h = w * 2
    for t in (w, h):
        t.register_hook(seen.append)
    (g,) = tg.grad(Sum3.apply(x, w, h).sum(), x)
    assert g.numpy().tolist() == [1, 1] and seen == []


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("outside", [False, True])
def test_rules_and_hooks_record_exactly_where_a_graph_is_created(create_graph, outside):
    seen = []
    x = leaf(1.0, 2.0)
    y = Watched.apply(x, told=lambda: seen.append(tg.is_grad_enabled()))
    x.register_hook(lambda g: seen.append(tg.is_grad_enabled()))
    with tg.enable_grad() if outside else tg.no_grad():
        y.sum().backward(create_graph=create_graph) if outside else tg.grad(
            y, x, tg.Tensor([1.0, 1.0]), create_graph=create_graph
        )
        assert tg.is_grad_enabled() is outside
    assert seen == [create_graph] * 2


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("where", ["rule", "hook of a result", "hook of a leaf"])
def test_an_error_in_a_backward_names_the_operation_and_leaves_the_recording_as_it_was(where, create_graph):
    x = leaf(1.0, 2.0)
    y = Watched.apply(x, told=fails if where == "rule" else lambda: None)
    hooked = {"rule": x * 1, "hook of a result": y, "hook of a leaf": x}[where]
    handle = hooked.register_hook(lambda g: fails())
    total = tg.sum(y)
    for enabled in (True, False):
        with tg.enable_grad() if enabled else tg.no_grad(), pytest.raises(ZeroDivisionError) as raised:
            total.backward(create_graph=create_graph, retain_graph=True)
        assert str(raised.value) == "of the rule"
        notes = getattr(raised.value, "__notes__", [])
        assert notes == ([] if where == "hook of a leaf" else ["in the backward of Watched"])
        assert tg.is_grad_enabled() and x.grad is None
    handle.remove()


def test_gradients_take_the_dtypes_of_their_inputs():
    dtypes = [np.float16, np.float32, np.float64]
    for create_graph in (False, True):
        inputs = [leaf(1.0, 2.0, dtype=d) for d in dtypes]
        product = inputs[0] * inputs[1] * inputs[2]
        assert product.dtype == np.float64
        found = tg.grad(product.sum(), inputs, create_graph=create_graph)
        assert [g.dtype for g in found] == dtypes
        for x, g in zip(inputs, found, strict=True):
            assert x.shape == g.shape and g.detach().numpy().tolist() == [1, 4]
        product = inputs[0] * inputs[1] * inputs[2]
        product.sum().backward(create_graph=create_graph)
        assert [x.grad.dtype for x in inputs] == dtypes


@pytest.mark.parametrize("create_graph", [False, True])
def test_parts_of_different_shapes_get_gradients_of_their_own_shape(create_graph):
    """The second part is stretched, cast and used twice; the third is not used."""
    x = leaf(*range(1, 8), dtype=np.float32)
    _, part, _ = tg.split(x, [2, 3])
    wide = tg.Tensor(np.arange(3.0))
    loss = (part * wide).sum() + (part * part).sum() * 2
    (g,) = tg.grad(loss, x, create_graph=create_graph)
    assert g.dtype == np.float32 and g.detach().numpy().tolist() == [0, 0, 3 + 4 * 3, 0, 0, 0, 0]
    if create_graph:
        (h,) = tg.grad(g.sum(), x)
        assert h.dtype == np.float32 and h.numpy().tolist() == [0, 0, 4, 0, 0, 0, 0]


def test_a_comparison_of_a_part_has_a_derivative_of_zero_in_the_shape_of_the_part():
    x = leaf(-1.0, 2.0, 3.0, 4.0, 5.0)
    _, part = tg.split(x, [2])
    (g,) = tg.grad(tg.relu(part).sum(), part, create_graph=True)
    (h,) = tg.grad((g * g).sum(), part, retain_graph=True)
    assert h.numpy().tolist() == [0, 0, 0]
    assert tg.grad((g * g).sum(), x)[0].numpy().tolist() == [0] * 5


def test_a_gradient_that_comparisons_made_keeps_its_derivative_in_the_seed():
    """∂/∂v of v · (x > 0): the constant part passes gradients on, and is no constant itself."""
    x, v = leaf(-1.0, 2.0), leaf(3.0, 5.0)
    (g,) = tg.grad(tg.relu(x), x, v, create_graph=True)
    gx, gv = tg.grad(g, [x, v], tg.Tensor([10.0, 100.0]))
    assert gx.numpy().tolist() == [0, 0] and gv.numpy().tolist() == [0, 100]


# ---- detect_anomaly ----------------------------------------------------------------------------


class Second(Function):
    """(x, 1 / x): the second output is infinite at 0."""

    def forward(xp, x):
        return x * 1, 1 / x

    def backward(xp, gy, x):
        return gy[0] - gy[1] / (x * x)


ANOMALIES = {
    "a constant": (lambda: tg.log(tg.Tensor([1.0, 0.0])), "forward of Log .* its inputs are finite"),
    "the last element": (lambda: tg.exp(tg.Tensor([0.0, 1.0, np.nan])),
                         "forward of Exp .*; its input x already was"),
    "the second input": (lambda: tg.Tensor([1.0]) * tg.Tensor([np.inf]), "its input b already was"),
    "both inputs": (lambda: tg.Tensor([-np.inf]) + tg.Tensor([np.nan]), "its input a, b already was"),
    "the second output": (lambda: Second.apply(leaf(0.0)), "forward of Second .* its inputs are finite"),
    "float16": (lambda: tg.Tensor(np.full(1, 6e4, np.float16)) * 2, "forward of Multiply"),
}  # fmt: skip


@pytest.mark.parametrize("name", ANOMALIES)
@pytest.mark.parametrize("recorded", [True, False])
def test_an_anomaly_in_any_output_is_found_and_the_inputs_are_told(name, recorded):
    run, message = ANOMALIES[name]
    with np.errstate(all="ignore"):
        run()  # nobody asked
        with tg.detect_anomaly(), tg.enable_grad() if recorded else tg.no_grad():
            with pytest.raises(tg.AnomalyError, match=f"^detect_anomaly: the {message}"
                               if message.startswith("forward") else message):  # fmt: skip
                run()
            tg.Tensor([1, 2]) * tg.Tensor([True, False])  # no real numbers


@pytest.mark.parametrize("create_graph", [False, True])
def test_an_anomaly_in_the_backward_of_a_forward_outside_says_so(create_graph):
    """With a graph the operations of a rule are looked at too; a gradient that is passed on is not one."""
    x, seed = leaf(1.0, 2.0), tg.Tensor([1.0, np.nan], dtype="float64")
    y = x + 1
    with tg.detect_anomaly(), pytest.raises(tg.AnomalyError) as raised:
        y.backward(seed, create_graph=create_graph)
    assert str(raised.value) == (
        "detect_anomaly: the backward of Add gave NaN or infinity. Its forward was called here:\n"
        "(outside detect_anomaly)"
    )
    assert x.grad is None
    (x + 1).backward(seed, create_graph=create_graph)
    np.testing.assert_array_equal(x.grad.detach().numpy(), [1, np.nan])


def test_the_place_of_a_forward_ends_at_the_call():
    with np.errstate(all="ignore"), tg.detect_anomaly():
        y = tg.sqrt(leaf(0.0))  # here
        with pytest.raises(tg.AnomalyError) as raised:
            y.backward()
    lines = str(raised.value).splitlines()
    assert any("tg.sqrt(leaf(0.0))" in line for line in lines)
    assert not any("check_forward" in line or "in apply" in line for line in lines)


# ---- what hooks are told -------------------------------------------------------------------------


def test_a_wrong_gradient_of_a_leaf_is_refused_with_its_shape_and_dtype():
    x = leaf(1.0, 2.0)
    x.register_hook(lambda g: g.reshape(1, 2))
    said = (
        r"a hook on the gradient of a leaf must return None, or a Tensor of shape \(2,\) and dtype float64, "
        r"got Tensor \(1, 2\) float64"
    )
    with pytest.raises(RuntimeError, match=said):
        (x * 2).sum().backward()
    assert x.grad is None


def test_a_handle_is_what_its_block_binds_and_an_error_removes_the_hook_too():
    calls = []
    x = leaf(1.0)
    first = x.register_hook(lambda g: calls.append(1))
    with first as bound:
        assert bound is first
    with pytest.raises(KeyError), x.register_hook(lambda g: calls.append(2)):
        raise KeyError
    x.backward()
    assert calls == []


@pytest.mark.parametrize("create_graph", [False, True])
def test_what_hooks_of_a_wanted_result_return_is_the_result(create_graph):
    x = leaf(1.0, 2.0)
    parts = tg.split(x, 2)
    parts[1].register_hook(lambda g: g * 10)
    h = x * 3
    h.register_hook(lambda g: g + 5)
    loss = (h * h).sum() + parts[0].sum() + parts[1].sum()
    found = tg.grad(loss, [h, *parts, x], create_graph=create_graph)
    assert [g.detach().numpy().tolist() for g in found] == [[11, 17], [1], [10], [34, 61]]


def test_gradients_are_arrays_of_the_backend():
    x = leaf(2.0)
    y = x.sum()
    (y * y * y).backward()
    assert isinstance(x.grad._data, backend.xp.ndarray) and x.grad.numpy().tolist() == [12]
