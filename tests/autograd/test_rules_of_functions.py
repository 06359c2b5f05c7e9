"""What an operation may ask for and must return, and what the engine says where it does not."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend
from tinygrad_notes.autograd import Function


def leaf(*shape, seed=0, dtype=np.float64):
    return tg.Tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype), requires_grad=True)


def values(tensor):
    return backend.to_numpy(tensor.data)


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

    with pytest.raises(TypeError, match=r"Any.forward: rules take no defaults and no \*\*kwargs"):

        class Any(Function):
            def forward(xp, x, **attributes):
                return x


def test_the_error_of_a_rule_tells_the_operation_and_the_shapes():
    with pytest.raises(ValueError) as caught:
        leaf(2, 3) + leaf(4)
    assert "in the forward of Add: a (2, 3) float64, b (4,) float64" in caught.value.__notes__


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


@pytest.mark.parametrize("run", [
    lambda x: x.var(), lambda x: x.std(), lambda x: tg.nn.functional.layer_norm(x, (2,)),
])  # fmt: skip
def test_integers_give_float32_also_where_intermediates_are_kept(run):
    assert run(tg.Tensor([[1, 2]])).dtype == np.float32


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
