"""Initialisers have the moments and bounds of their papers."""

import math

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import nn
from tinygrad_notes.nn import init

SHAPE = (200, 50, 3, 3)  # fan_in 450, fan_out 1800


def filled(function, *args, **kwargs):
    tensor = nn.Parameter(np.empty(SHAPE, np.float32))
    assert function(tensor, *args, **kwargs) is tensor
    return tensor.data


@pytest.mark.parametrize(
    ("function", "options", "std"),
    [
        (init.xavier_uniform_, {}, math.sqrt(2 / 2250)),
        (init.xavier_normal_, {"gain": 2}, 2 * math.sqrt(2 / 2250)),
        (init.kaiming_uniform_, {"nonlinearity": "relu"}, math.sqrt(2 / 450)),
        (init.kaiming_normal_, {"mode": "fan_out", "nonlinearity": "relu"}, math.sqrt(2 / 1800)),
        (init.lecun_uniform_, {}, math.sqrt(1 / 450)),
        (init.lecun_normal_, {}, math.sqrt(1 / 450)),
        (init.normal_, {"std": 0.01}, 0.01),
        (init.uniform_, {"a": -0.3, "b": 0.3}, 0.6 / math.sqrt(12)),
    ],
)
def test_standard_deviation(function, options, std):
    values = tg.to_numpy(filled(function, **options)).astype(float)
    assert values.std() == pytest.approx(std, rel=0.02)  # 90,000 draws: one sigma is 0.24 %
    assert abs(values.mean()) < 5 * std / math.sqrt(values.size)


def test_uniform_bounds():
    bound = math.sqrt(6 / 2250)
    values = tg.to_numpy(filled(init.xavier_uniform_))
    assert np.abs(values).max() <= bound and np.abs(values).max() > 0.999 * bound


def test_torch_default_of_layers():
    layer = nn.Linear(100, 400)
    for tensor in (layer.weight, layer.bias):
        largest = np.abs(tg.to_numpy(tensor.data)).max()
        assert 0.9 * 0.1 < largest <= 0.1


def test_constants_and_errors():
    np.testing.assert_array_equal(tg.to_numpy(filled(init.constant_, 3.0)), np.full(SHAPE, 3, np.float32))
    assert not tg.to_numpy(filled(init.zeros_)).any() and tg.to_numpy(filled(init.ones_)).all()
    with pytest.raises(ValueError, match=r"at least two axes"):
        init.xavier_uniform_(nn.Parameter(np.ones(3)))
    with pytest.raises(ValueError, match="unknown 'swish'"):
        init.calculate_gain("swish")
    with pytest.raises(ValueError, match="mode must be"):
        init.kaiming_normal_(nn.Parameter(np.ones((2, 2))), mode="fan")


@pytest.mark.parametrize("name", ["linear", "sigmoid", "tanh", "relu", "leaky_relu"])
def test_gains_are_torchs(name):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    assert init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name))


def test_a_seed_fixes_the_weights():
    tg.manual_seed(3)
    first = nn.Linear(5, 5).state_dict()
    tg.manual_seed(3)
    second = nn.Linear(5, 5).state_dict()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


@pytest.mark.parametrize("draw", ["normal", "uniform"])
def test_pieces_are_one_large_draw(draw, monkeypatch):
    monkeypatch.setattr(init, "DRAW", 7)
    tg.manual_seed(3)
    tensor = getattr(init, f"{draw}_")(tg.Tensor(np.zeros((5, 9), np.float32)))
    tg.manual_seed(3)
    whole = getattr(tg.backend.rng(), draw)(0.0, 1.0, (5, 9)).astype(np.float32)
    np.testing.assert_array_equal(tensor.numpy(), whole)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("low, high", [(0.0, 1.0), (-0.3, 0.3), (2.0, 2.0), (1.0, 1.0 + 2**-9)])
def test_uniform_draws_stay_below_their_bound_in_every_precision(monkeypatch, dtype, low, high):
    """The largest draw of float64 rounds up to it: once in 2²⁵ in float32, in 2¹² in float16."""

    class Largest:
        def uniform(self, a, b, count):
            return np.linspace(a, np.nextafter(b, a), count)

    monkeypatch.setattr(tg.backend, "rng", Largest)
    tensor = nn.Parameter(np.empty(1000, dtype))
    values = tg.to_numpy(init.uniform_(tensor, low, high).data)
    bounds = dtype(low), dtype(high)
    assert values.dtype == dtype and values.min() == bounds[0]
    assert values.max() == (np.nextafter(bounds[1], bounds[0]) if low < high else high)


def test_a_million_uniform_draws_of_float16_are_below_1():
    tensor = nn.Parameter(np.empty(1 << 20, np.float16))
    values = tg.to_numpy(init.uniform_(tensor).data)
    assert values.min() >= 0 and values.max() == 1 - 2**-11
