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


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (3, 2, 2, 2), (8, 1, 2, 2)])
@pytest.mark.parametrize("gain", [1.0, 5 / 3])
def test_orthogonal_rows_or_columns(shape, gain):
    q = init.orthogonal_(nn.Parameter(np.empty(shape)), gain).detach().numpy().reshape(shape[0], -1) / gain
    small = q @ q.T if shape[0] <= q.shape[1] else q.T @ q
    np.testing.assert_allclose(small, np.eye(min(q.shape)), atol=1e-12)


def test_orthogonal_is_uniform_among_the_orthogonal_matrices():
    """Both signs of the first element, and of the determinant, are as likely; those of qr are not."""
    drawn = [init.orthogonal_(nn.Parameter(np.empty((2, 2)))).detach().numpy() for _ in range(2000)]
    for value in (np.array([q[0, 0] for q in drawn]), np.array([np.linalg.det(q) for q in drawn])):
        assert abs((value > 0).mean() - 0.5) < 0.06  # 5 sigma
    assert np.mean([q[0, 0] ** 2 for q in drawn]) == pytest.approx(0.5, abs=0.04)


def test_orthogonal_needs_two_axes():
    with pytest.raises(ValueError, match="at least two axes"):
        init.orthogonal_(nn.Parameter(np.empty(3)))
    assert init.orthogonal_(nn.Parameter(np.empty((0, 3)))).size == 0


@pytest.mark.parametrize(("a", "b", "mean", "std"), [(-2, 2, 0, 1), (-1, 3, 0.5, 2), (1, 4, 0, 1)])
def test_a_truncated_normal_distribution_is_torchs(a, b, mean, std):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    ours = np.sort(tg.to_numpy(filled(init.trunc_normal_, mean, std, a, b)).astype(float).ravel())
    theirs = torch.nn.init.trunc_normal_(torch.empty(SHAPE), mean, std, a, b).double().numpy().ravel()
    assert a <= ours[0] and ours[-1] <= b
    assert ours.mean() == pytest.approx(theirs.mean(), abs=0.02 * (b - a) / 4)
    assert ours.std() == pytest.approx(theirs.std(), rel=0.02)
    points = np.linspace(a, b, 9)[1:-1]
    shares = [(values[:, None] < points).mean(0) for values in (ours, theirs)]
    np.testing.assert_allclose(*shares, atol=0.01)  # 90,000 draws each: four sigma


def test_a_truncated_normal_distribution_that_hardly_exists_is_refused():
    with pytest.raises(ValueError, match=r"trunc_normal_: 0\.0% of N"):
        init.trunc_normal_(nn.Parameter(np.empty(3)), a=5, b=6)
    with pytest.raises(ValueError, match="trunc_normal_"):
        init.trunc_normal_(nn.Parameter(np.empty(3)), a=1, b=-1)


def test_sparse_columns():
    weight = init.sparse_(nn.Parameter(np.empty((30, 40))), 0.25, std=2.0).detach().numpy()
    np.testing.assert_array_equal((weight == 0).sum(0), 8)  # ⌈0.25 · 30⌉
    assert weight[weight != 0].std() == pytest.approx(2, rel=0.1)
    assert len({tuple(np.flatnonzero(column == 0)) for column in weight.T}) > 30
    with pytest.raises(ValueError, match="needs a matrix"):
        init.sparse_(nn.Parameter(np.empty(3)), 0.5)


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


# ---- options, in every initializer that has them -------------------------------------------------

FANS = (3000, 40)  # fan_in 40, fan_out 3000


@pytest.mark.parametrize(("function", "options", "std"), [
    (init.xavier_uniform_, {"gain": 3}, 3 * math.sqrt(2 / 3040)),
    (init.xavier_normal_, {}, math.sqrt(2 / 3040)),
    (init.kaiming_uniform_, {}, math.sqrt(2 / 40)),  # a = 0: relu's gain
    (init.kaiming_normal_, {}, math.sqrt(2 / 40)),
    (init.kaiming_uniform_, {"a": 2}, math.sqrt(2 / 5 / 40)),
    (init.kaiming_normal_, {"a": 2}, math.sqrt(2 / 5 / 40)),
    (init.kaiming_uniform_, {"mode": "fan_out", "nonlinearity": "tanh"}, 5 / 3 / math.sqrt(3000)),
    (init.kaiming_normal_, {"mode": "fan_out", "nonlinearity": "tanh"}, 5 / 3 / math.sqrt(3000)),
    (init.kaiming_uniform_, {"a": 2, "nonlinearity": "relu"}, math.sqrt(2 / 40)),  # a is leaky_relu's
    (init.kaiming_normal_, {"a": 2, "nonlinearity": "linear"}, math.sqrt(1 / 40)),
])  # fmt: skip
def test_options_of_scaled_draws(function, options, std):
    values = function(nn.Parameter(np.empty(FANS)), **options).detach().numpy()
    assert values.std() == pytest.approx(std, rel=0.02)
    if "uniform" in function.__name__:
        assert 0.99 * math.sqrt(3) * std < np.abs(values).max() <= math.sqrt(3) * std


def test_means_and_widths_of_plain_draws():
    tensor = nn.Parameter(np.empty(20_000))
    assert init.normal_(tensor, 5.0, 2.0).mean().item() == pytest.approx(5, abs=0.08)  # five sigma
    assert tensor.numpy().std() == pytest.approx(2, rel=0.03)
    sparse = init.sparse_(nn.Parameter(np.empty((200, 100))), 0.5).numpy()
    assert sparse[sparse != 0].std() == pytest.approx(0.01, rel=0.05)
    assert abs(sparse[sparse != 0].mean()) < 5e-4  # five sigma
    assert not init.sparse_(nn.Parameter(np.empty((3, 2))), 1).numpy().any()
    assert init.sparse_(nn.Parameter(np.empty((3, 2))), 0).numpy().all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_numbers_have_the_precision_of_what_they_fill(dtype):
    for function in (
        lambda t: init.constant_(t, 0.1), init.ones_, init.zeros_, init.normal_, init.uniform_,
        init.trunc_normal_, init.orthogonal_, init.xavier_normal_, lambda t: init.sparse_(t, 0.5),
    ):  # fmt: skip
        assert function(nn.Parameter(np.empty((4, 3), dtype))).dtype == dtype
    assert init.constant_(nn.Parameter(np.empty((), dtype)), 0.1).item() == dtype(0.1)
    if dtype is np.float64:  # drawn in float64, and not rounded on the way
        for function in (init.normal_, init.uniform_, init.trunc_normal_, init.orthogonal_):
            values = function(nn.Parameter(np.empty((4, 3)))).numpy()
            assert (values != values.astype(np.float32)).any()


def test_gains_of_every_slope_and_of_convolutions():
    assert init.calculate_gain("conv2d") == 1 and init.calculate_gain("linear", 3.0) == 1
    assert init.calculate_gain("leaky_relu", 0.0) == pytest.approx(math.sqrt(2))
    assert init.calculate_gain("leaky_relu", 3.0) == pytest.approx(math.sqrt(0.2))


def test_the_weight_of_a_layer_is_drawn_before_its_bias():
    tg.manual_seed(5)
    layer = nn.Linear(4, 3)
    tg.manual_seed(5)
    for drawn in (layer.weight, layer.bias):
        other = init.uniform_(nn.Parameter(np.empty(drawn.shape, np.float32)), -0.5, 0.5)
        np.testing.assert_array_equal(drawn.numpy(), other.numpy())


REFUSED = {
    "fans: a weight needs at least two axes (out, in, ...), got (3,)": lambda t: init.lecun_normal_(t[0]),
    "calculate_gain: unknown 'swish'; choose from ['linear', 'conv2d', 'sigmoid', 'tanh', 'relu', "
    "'leaky_relu']": (
        lambda t: init.kaiming_uniform_(t, nonlinearity="swish")
    ),
    "kaiming: mode must be 'fan_in' or 'fan_out', got 'fan'": lambda t: init.kaiming_uniform_(t, mode="fan"),
    "trunc_normal_: 0.6% of N(0.0, 1.0²) lies in [2.5, 9.0]; widen it": (
        lambda t: init.trunc_normal_(t, a=2.5, b=9.0)
    ),
    "sparse_: needs a matrix and a sparsity in [0, 1], got (2, 3), 1.5": lambda t: init.sparse_(t, 1.5),
    "sparse_: needs a matrix and a sparsity in [0, 1], got (2, 3), -0.5": lambda t: init.sparse_(t, -0.5),
    "sparse_: needs a matrix and a sparsity in [0, 1], got (3,), 0.5": lambda t: init.sparse_(t[0], 0.5),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_refused_is_told_with_its_value(message):
    with pytest.raises(ValueError) as error:
        REFUSED[message](tg.Tensor(np.zeros((2, 3))))
    assert str(error.value) == message
