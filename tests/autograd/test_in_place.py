"""x += y and x[i] = y: the object stays, the graph stays right, and what cannot be is said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_notes as tg
from tinygrad_notes.autograd.in_place import IN_PLACE
from tinygrad_notes.autograd.tape import OPERATORS

REAL = ["+=", "-=", "*=", "/=", "**="]
METHODS = {symbol: method for method, (symbol, _) in IN_PLACE.items()}
NOT_IN_PLACE = {"matmul", "negative", "abs", "getitem", "invert", "equal", "not_equal", "less", "less_equal",
                "greater", "greater_equal"}  # fmt: skip


def change(x, symbol, other):
    """x symbol other, and whether it is still the same object."""
    before, holder = x, [x]
    holder[0] = getattr(x, METHODS[symbol])(other)
    assert holder[0] is before
    return before


def value(a, symbol, b):
    """The same on new arrays."""
    operations = {"+=": np.add, "-=": np.subtract, "*=": np.multiply, "/=": np.divide, "**=": np.power}
    return operations[symbol](a, b)


def test_every_operator_of_two_tensors_has_its_form_in_place():
    assert {name for _, name in IN_PLACE.values()} == set(OPERATORS.values()) - NOT_IN_PLACE
    assert all(method.replace("__i", "__", 1) in OPERATORS for method in IN_PLACE)


@pytest.mark.parametrize("symbol", REAL)
@pytest.mark.parametrize("other", [2, 1.5, np.float64(2), [1.0, 2.0, 3.0], [[2.0], [1.0]]])
def test_where_nothing_is_recorded_the_memory_changes(symbol, other):
    start = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    raw, other = other, tg.Tensor(other) if isinstance(other, list) else other
    for make in (tg.Tensor, tg.nn.Buffer, tg.nn.Parameter):
        x = make(start)
        view = x.detach().reshape(-1)
        with tg.no_grad():
            change(x, symbol, other)
        assert x.dtype == np.float32 and x.requires_grad == (make is tg.nn.Parameter)
        np.testing.assert_allclose(x.detach().numpy(), value(start, symbol, raw), rtol=1e-6)
        np.testing.assert_array_equal(view.numpy(), x.detach().numpy().ravel())


@pytest.mark.parametrize("symbol", ["&=", "|=", "^="])
def test_bits_in_place(symbol):
    x, other = tg.Tensor([6, 3, 8]), tg.Tensor([3, 3, 1])
    change(x, symbol, other)
    assert x.numpy().tolist() == {"&=": [2, 3, 0], "|=": [7, 3, 9], "^=": [5, 0, 9]}[symbol]


@pytest.mark.parametrize("symbol", REAL)
def test_a_leaf_that_requires_grad_is_refused_while_recording(symbol):
    for make in (tg.nn.Parameter, lambda a: tg.Tensor(a, requires_grad=True)):
        x = make([1.0, 2.0])
        with pytest.raises(RuntimeError, match=r"would change a leaf that requires grad .* tg\.no_grad\(\)"):
            getattr(x, METHODS[symbol])(2.0)
        assert x.detach().numpy().tolist() == [1, 2] and x.is_leaf


@pytest.mark.parametrize("symbol", REAL)
@pytest.mark.parametrize("wanted", ["x", "other", "both"])
def test_what_is_recorded_becomes_the_tensor(symbol, wanted):
    """First and second derivative, against the same written without +=."""
    a, b = np.array([1.5, 2.0]), np.array([[0.5, 3.0], [2.0, 1.0]])
    results = []
    for in_place in (True, False):
        leaf = tg.Tensor(b, requires_grad=wanted != "other")
        other = tg.Tensor(a, requires_grad=wanted != "x")
        x = leaf * leaf
        kept = x * 3
        old = x
        if in_place:
            x = change(x, symbol, other)
            assert x is old and x.requires_grad and not x.is_leaf
        else:
            x = getattr(x, METHODS[symbol].replace("__i", "__"))(other)
        inputs = [t for t in (leaf, other) if t.requires_grad]
        loss = (x * x + kept).sum()
        gs = tg.grad(loss, inputs, create_graph=True)
        hs = tg.grad(sum((g * g).sum() for g in gs), inputs)
        results.append([t.detach().numpy() for t in (x, *gs, *hs)])
    for ours, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_running_totals_of_plain_tensors():
    """A sum, and a moving average in a list: what is rebound in a loop would be lost silently."""
    w = tg.Tensor([1.0, 2.0], requires_grad=True)
    total = tg.Tensor(0.0)
    for k in range(3):
        total += (w * k).sum()
    assert tg.grad(total, w)[0].numpy().tolist() == [3, 3]
    shadow = {"w": w.detach() * 0}
    with tg.no_grad():
        for average in shadow.values():
            average *= 0.5
            average += 0.5 * w
        shadow["w"] /= 2
    assert shadow["w"].numpy().tolist() == [0.25, 0.5]


@pytest.mark.parametrize("symbol", REAL)
def test_data_that_a_backward_needs_is_noticed(symbol):
    for x in (tg.Tensor([2.0, 3.0]), tg.nn.Parameter([2.0, 3.0])):
        w = tg.Tensor([1.0, 1.0], requires_grad=True)
        loss = (x * w).sum()
        with tg.no_grad():
            getattr(x, METHODS[symbol])(2.0)
        with pytest.raises(RuntimeError, match=r"backward of Multiply: data .* was changed"):
            loss.backward()
    x = tg.nn.Parameter([[2.0, 3.0], [1.0, 1.0]])
    loss = (x * x).sum()
    with tg.no_grad():
        x[0] = 0.0
    with pytest.raises(RuntimeError, match="was changed since the forward"):
        loss.backward()
    y = tg.exp(x)
    loss = y.sum()
    with tg.no_grad():
        y *= 2  # what exp itself keeps
    with pytest.raises(RuntimeError, match="backward of Exp"):
        loss.backward()


def test_what_does_not_fit_is_refused_and_changes_nothing():
    whole, real = tg.Tensor([1, 2]), tg.Tensor([1.0, 2.0])
    w = tg.Tensor([[1.0, 1.0]], requires_grad=True)
    for x, other, error, message in (
        (whole, 0.5, TypeError, r"\*=: float32 numbers would be cut to int64"),
        (tg.Tensor([True, False]), 3, TypeError, r"\*=: int64 numbers would be cut to bool"),
        (
            real,
            tg.Tensor(np.ones((2, 2))),
            ValueError,
            r"the result is \(2, 2\) and does not fit into \(2,\)",
        ),
        (real, w, ValueError, r"the result is \(1, 2\)"),
        (real, tg.Tensor([1.0, 2.0, 3.0]), ValueError, "broadcast"),
        (tg.broadcast_to(tg.Tensor([1.0]), (3,)), 2.0, RuntimeError, "stretched by broadcasting"),
    ):
        before = x.numpy().copy()
        with pytest.raises(error, match=message):
            x *= other
        np.testing.assert_array_equal(x.numpy(), before)
    real *= tg.Tensor([2.0, 2.0], dtype="float64")
    assert real.dtype == np.float32 and real.numpy().tolist() == [2, 4]
    real = real * w.reshape(2)
    real += tg.Tensor([1.0, 1.0], dtype="float64")
    assert real.dtype == np.float32 and tg.grad(real.sum(), w)[0].dtype == np.float32
    w2 = w * 1
    old = w2
    w2 @= tg.Tensor(np.ones((2, 3), np.float32))  # no form in place, as in torch
    assert w2 is not old and w2.shape == (1, 3)


def test_items():
    x = tg.Tensor(np.arange(6.0, dtype=np.float32).reshape(2, 3))
    row = x[0]
    x[1, 1:] = 9.0
    x[tg.Tensor([0]), [2]] = tg.Tensor([7.0], dtype="float64")
    x[x < 1] = -1
    assert x.numpy().tolist() == [[-1, 1, 7], [3, 9, 9]] and row.numpy().tolist() == [-1, 1, 7]
    x[0] *= 2
    x[:, 1] += tg.Tensor([10.0, 20.0])
    assert x.numpy().tolist() == [[-2, 12, 14], [3, 29, 9]]
    p = tg.nn.Parameter(np.ones((2, 2), np.float32))
    with tg.no_grad():
        p[0] *= 3
        p[1, 1] = 5
    assert p.numpy().tolist() == [[3, 3], [1, 5]] and p.requires_grad
    for index, value, error, message in (
        (0, 1j, TypeError, "complex"), ([], np.ma.masked_array([1.0], [1]), TypeError, "mask"),
        (5, 1.0, IndexError, "out of bounds"), (0, np.ones(3), ValueError, "broadcast"),
    ):  # fmt: skip
        with tg.no_grad(), pytest.raises(error, match=message):
            p[index] = value
    whole = tg.Tensor([1, 2])
    with pytest.raises(TypeError, match="float64 numbers would be cut to int64"):
        whole[0] = 0.5
    assert p.numpy().tolist() == [[3, 3], [1, 5]] and whole.numpy().tolist() == [1, 2]


def test_item_assignment_is_refused_where_it_would_be_recorded():
    leaf = tg.Tensor([1.0, 2.0], requires_grad=True)
    for x, value in ((leaf, 2.0), (leaf * 1, 2.0), (tg.Tensor([1.0, 2.0]), (leaf * 2)[0])):
        with pytest.raises(TypeError, match=r"is not recorded.*tg\.where or tg\.concat"):
            x[0] = value
        with pytest.raises(TypeError, match="is not recorded"):
            x[0] *= (leaf * 2)[0]
        assert x.detach().numpy().tolist() == [1, 2]


@np.errstate(all="ignore")  # x −= x, then y /= x: both programs have the same infinities and NaN
@given(
    st.lists(st.tuples(st.sampled_from(REAL[:4]), st.booleans(), st.floats(0.5, 2)), max_size=8), st.data()
)
def test_programs_with_in_place_steps_equal_those_without(steps, data):
    """Random programs on three Tensors, one constant: values and gradients, or an error that tells."""
    leaf = tg.Tensor([1.0, 2.0], requires_grad=True, dtype="float64")
    plain = [(leaf * 1).detach(), leaf * 2, leaf * leaf]
    changed = [(leaf * 1).detach(), leaf * 2, leaf * leaf]
    for symbol, free, number in steps:
        i, j = (data.draw(st.integers(0, 2)) for _ in "ij")
        constant = free and not plain[i].requires_grad
        operand = [t[j].detach() * number if constant else t[j] * number for t in (plain, changed)]
        plain[i] = getattr(plain[i], METHODS[symbol].replace("__i", "__"))(operand[0])
        before = changed[i]
        assert getattr(changed[i], METHODS[symbol])(operand[1]) is before
    for a, b in zip(plain, changed, strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
    expected = tg.grad(sum((t * t).sum() for t in plain), leaf)[0].numpy()
    try:
        found = tg.grad(sum((t * t).sum() for t in changed), leaf)[0].numpy()
    except RuntimeError as error:  # a constant that an earlier step kept was changed in memory
        assert "was changed since the forward" in str(error)
        return
    np.testing.assert_array_equal(found, expected)


def test_parts_of_an_index_may_be_tensors_and_lists():
    x = tg.Tensor(np.zeros((2, 3)))
    x[tg.Tensor([1]), tg.Tensor([2])] = 5
    x[[0], 1] = True
    x[tg.Tensor([False, True]), :1] = tg.Tensor([7.0])
    x[[]] = 9
    assert x.numpy().tolist() == [[0, 1, 0], [7, 0, 5]]
