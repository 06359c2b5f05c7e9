"""Numbers at the ends of their dtypes: what overflows on the way to a result that does not."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend
from tinygrad_notes.nn import functional as F
from tinygrad_notes.ops.sequence import masked_mean, masked_softmax


def values(tensor):
    return backend.to_numpy(tensor.data).tolist()


@pytest.mark.parametrize("pos_weight", [1.0, 3.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_confident_right_answer_still_has_a_cost(pos_weight, dtype):
    """−p t ln σ(x) − (1 − t) ln(1 − σ(x)) with its gradients, in 30 digits by mpmath."""
    mpmath = pytest.importorskip("mpmath")
    points = [(-20.0, 0.0), (-40.0, 0.0), (20.0, 1.0), (-3.0, 0.25), (3.0, 1.0), (-80.0, 1.0), (80.0, 0.0)]
    x = tg.Tensor(np.array([a for a, _ in points], dtype), requires_grad=True)
    t = tg.Tensor(np.array([b for _, b in points], dtype))
    weight = tg.Tensor(np.full(len(points), pos_weight, dtype))
    loss = F.binary_cross_entropy_with_logits(x, t, reduction="none", pos_weight=weight)
    (g,) = tg.grad(loss.sum(), x)
    with mpmath.workdps(30):
        for found, slope, (a, b) in zip(values(loss), values(g), points, strict=True):
            yes, no = (mpmath.log1p(mpmath.exp(s * mpmath.mpf(a))) for s in (-1, 1))
            right = 1 / (1 + mpmath.exp(mpmath.mpf(a)))  # σ(−x)
            assert found == pytest.approx(float(pos_weight * b * yes + (1 - b) * no), rel=1e-5)
            assert slope == pytest.approx(float((1 - b) * (1 - right) - pos_weight * b * right), rel=1e-5)


def test_what_is_certain_costs_nothing_or_everything():
    x, t = tg.tensor([np.inf, np.inf, -np.inf, -np.inf]), tg.tensor([1.0, 0.0, 0.0, 1.0])
    loss = F.binary_cross_entropy_with_logits(x, t, reduction="none", pos_weight=tg.tensor(2.0))
    assert values(loss) == [0, np.inf, 0, np.inf]


def test_the_gradient_of_the_target_does_not_depend_on_its_value():
    """∂ℓ/∂t = p softplus(−x) − softplus(x), also at t = 0 and t = 1."""
    x, t = tg.tensor(np.array([0.5, 0.5, 0.5])), tg.Tensor(np.array([0.0, 0.3, 1.0]), requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(x, t, reduction="sum", pos_weight=tg.tensor(np.array(2.0)))
    (g,) = tg.grad(loss, t)
    np.testing.assert_allclose(values(g), 2 * np.log1p(np.exp(-0.5)) - np.log1p(np.exp(0.5)))


def test_masked_sums_of_float16_are_those_of_float32():
    assert values(masked_mean(tg.tensor(np.full((1000, 1, 1), 100, np.float16)), lengths=[1000])) == [[100]]
    assert values(masked_mean(tg.tensor(np.ones((70000, 1), np.float16)), lengths=[70000])) == [1]
    y = masked_softmax(tg.tensor(np.zeros((1, 70000), np.float16)), True)
    assert y.dtype == np.float16 and values(y)[0][0] == np.float16(1 / 70000)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_of_large_float16_is_a_relu(approximate):
    x = tg.Tensor(np.array([-60000, -1000, 650, 700, 1000, 60000], np.float16), requires_grad=True)
    y = F.gelu(x, approximate)
    (g,) = tg.grad(y.sum(), x)
    assert y.dtype == g.dtype == np.float16
    assert values(y) == [0, 0, 650, 700, 1000, values(x.detach())[-1]] and values(g) == [0, 0, 1, 1, 1, 1]
