"""Options of recurrent layers and cells: each kind takes each of them, and says what it refuses."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import nn

T, N, C, H = 4, 2, 3, 5
LAYERS = [nn.RNN, nn.GRU, nn.LSTM]
CELLS = [nn.RNNCell, nn.GRUCell, nn.LSTMCell]


def numbers(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("start", ["orthogonal", "xavier"])
@pytest.mark.parametrize("kind", LAYERS + CELLS)
def test_each_kind_starts_as_it_is_told(kind, start):
    """Biases of 0 and W_ih below Xavier's bound; W_hh at right angles, or below that bound as well."""
    layer = kind(C, H, initialization=start)
    end = "_l0" if kind in LAYERS else ""
    state = {name.removesuffix(end): value for name, value in layer.state_dict().items()}
    assert not state["bias_ih"].any() and not state["bias_hh"].any()
    bound = np.sqrt(6 / (C + H))
    assert 1 / np.sqrt(H) < np.abs(state["weight_ih"]).max() <= bound  # torch's own is below 1/√H
    for block in np.split(state["weight_hh"], layer.gates):
        if start == "orthogonal":
            np.testing.assert_allclose(block @ block.T, np.eye(H), atol=1e-6)
        else:
            assert 0.5 * np.sqrt(6 / (2 * H)) < np.abs(block).max() <= np.sqrt(6 / (2 * H))
            assert np.abs(block @ block.T - np.eye(H)).max() > 0.1


@pytest.mark.parametrize("start", ["orthogonal", "xavier"])
def test_a_projection_starts_as_one_block(start):
    """It has fewer rows than a gate."""
    weight = nn.LSTM(C, H, proj_size=2, initialization=start).weight_hr_l0.numpy()
    assert weight.shape == (2, H) and 0 < np.abs(weight).max() <= np.sqrt(6 / (2 + H))


@pytest.mark.parametrize("make", [nn.LSTM, nn.LSTMCell])
@pytest.mark.parametrize("value", [0, -2.5])
def test_a_forget_bias_of_any_number_is_set(make, value):
    """0 is a number too: without one the biases are drawn."""
    b_ih, b_hh = (p.numpy() for n, p in make(C, H, forget_bias=value).named_parameters() if "bias" in n)
    np.testing.assert_array_equal(b_ih[H : 2 * H], value)
    np.testing.assert_array_equal(b_hh[H : 2 * H], 0)
    drawn = [p.numpy() for n, p in make(C, H).named_parameters() if "bias" in n]
    assert all(p.all() for p in drawn)


@pytest.mark.parametrize("kind", LAYERS)
def test_dropout_is_of_every_kind_and_between_the_layers_only(kind):
    """All dropped: the second layer sees zeros, so its output is that of an input of zeros."""
    layer = kind(C, H, 2, dropout=1.0)
    x = numbers(T, N, C)
    top = kind(H, H)
    state = layer.state_dict()
    top.load_state_dict({k.replace("_l1", "_l0"): v for k, v in state.items() if k.endswith("_l1")})
    expected = top(np.zeros((T, N, H), np.float32))[0]
    np.testing.assert_allclose(layer(x)[0].numpy(), expected.numpy(), atol=1e-6)
    three = kind(C, H, 3, dropout=1.0)  # between the second and the third as well
    third = kind(H, H)
    state = three.state_dict()
    third.load_state_dict({k.replace("_l2", "_l0"): v for k, v in state.items() if k.endswith("_l2")})
    np.testing.assert_allclose(
        three(x)[0].numpy(), third(np.zeros((T, N, H), np.float32))[0].numpy(), atol=1e-6
    )
    assert np.abs(three.eval()(x)[0].numpy() - third(np.zeros((T, N, H), np.float32))[0].numpy()).max() > 1e-3


@pytest.mark.parametrize("p", [0.2, 0.7])
def test_dropout_drops_as_many_as_it_is_told(p, monkeypatch):
    """Seen where the second layer takes its input: a share p is 0, the rest is divided by 1 − p."""
    layer, given, seen = nn.RNN(C, 50, 2, dropout=p), nn.RNN(C, 50), []
    run = layer._run

    def spy(x, *rest, **options):
        seen.append(x.numpy())
        return run(x, *rest, **options)

    monkeypatch.setattr(layer, "_run", spy)
    layer(numbers(20, 10, C))
    given.load_state_dict({k: v for k, v in layer.state_dict().items() if k.endswith("_l0")})
    first = given(numbers(20, 10, C))[0].numpy()
    kept = seen[1] != 0
    assert abs(kept.mean() - (1 - p)) < 0.03  # 10,000 draws: six sigma
    np.testing.assert_allclose(seen[1][kept], first[kept] / (1 - p), rtol=1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_dropout_of_one_layer_warns_at_the_call(kind):
    with pytest.warns(UserWarning, match=f"^{kind.__name__}: dropout acts between layers") as found:
        kind(C, H, dropout=0.5)
    assert found[0].filename == __file__


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("listed", [tuple, list])
def test_states_come_in_a_tuple_or_a_list(kind, listed):
    cell, x, h = kind(C, H), numbers(N, C), numbers(N, H)
    if kind is not nn.LSTMCell:
        np.testing.assert_array_equal(cell(x, tg.Tensor(h)).numpy(), cell(x, h).numpy())
        return
    for a, b in zip(cell(x, listed((h, 2 * h))), cell(x, (tg.Tensor(h), 2 * h)), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_a_projection_of_any_integer():
    layer = nn.LSTM(C, H, proj_size=np.int64(2))
    assert layer.proj_size == 2 and type(layer.proj_size) is int
    assert layer(numbers(T, N, C))[0].shape == (T, N, 2)


def x(*shape):
    return tg.Tensor(np.zeros(shape, np.float32))


WRONG = {
    "LSTM: proj_size must be below hidden_size = 5, 0 for none; got -1": lambda: nn.LSTM(C, H, proj_size=-1),
    "LSTM: proj_size must be below hidden_size = 5, 0 for none; got 1.0": (
        lambda: nn.LSTM(C, H, proj_size=1.0)
    ),
    "LSTM: proj_size and variant='peephole' do not go together": (
        lambda: nn.LSTM(C, H, proj_size=2, variant="peephole")
    ),
    "GRU: dropout is a probability, got -0.5": lambda: nn.GRU(C, H, 2, dropout=-0.5),
    "GRU: num_layers must be a positive integer, got 0": lambda: nn.GRU(C, H, 0),
    "LSTM: input_size must be a positive integer, got 0": lambda: nn.LSTM(0, H),
    "RNNCell: input_size must be a positive integer, got 1.5": lambda: nn.RNNCell(1.5, H),
    "GRUCell: hidden_size must be a positive integer, got 0": lambda: nn.GRUCell(C, 0),
    "RNNCell: nonlinearity must be 'tanh' or 'relu', got 'gelu'": lambda: nn.RNNCell(C, H, True, "gelu"),
    "LSTMCell: variant must be None, '1997' or 'peephole', got '2000'": (
        lambda: nn.LSTMCell(C, H, variant="2000")
    ),
    "LSTMCell: forget_bias must be a number, got str": lambda: nn.LSTMCell(C, H, forget_bias="one"),
    "LSTMCell: forget_bias needs a forget gate and bias=True": (
        lambda: nn.LSTMCell(C, H, False, forget_bias=1)
    ),
    "GRUCell: initialization must be one of ('torch', 'orthogonal', 'xavier'), got 'he'": (
        lambda: nn.GRUCell(C, H, initialization="he")
    ),
    "RNNCell: input must be (N, C) or (C,) with C = input_size = 3, got (2, 2, 3)": (
        lambda: nn.RNNCell(C, H)(x(2, 2, C))
    ),
    "RNNCell: state h must be (2, 5) for an input (2, 3), got (3, 5)": (
        lambda: nn.RNNCell(C, H)(x(2, C), x(3, H))
    ),
    "GRUCell: state h must be (5,) for an input (3,), got (1, 5)": lambda: nn.GRUCell(C, H)(x(C), x(1, H)),
    "LSTMCell: state must be h and c in a tuple": lambda: nn.LSTMCell(C, H)(x(2, C), (x(2, H),)),
    "GRU: input must be (T, N, C), or (T, C) for one sample, with C = input_size = 3; got (1, 2, 4, 3)": (
        lambda: nn.GRU(C, H)(x(1, 2, 4, C))
    ),
    "GRU: lengths are those of a batch (N, T, C); cut a single sample to its length": (
        lambda: nn.GRU(C, H, batch_first=True)(x(T, C), lengths=[T])
    ),
    "RNN: state h must be (layers · directions, size) = (2, 5), got (1, 5)": (
        lambda: nn.RNN(C, H, bidirectional=True)(x(T, C), x(1, H))
    ),
    "RNN: state h must be (layers · directions, N, size) = (2, 2, 5), got (2, 3, 5)": (
        lambda: nn.RNN(C, H, 2, batch_first=True)(x(N, T, C), x(2, 3, H))
    ),
}  # fmt: skip


@pytest.mark.parametrize("message", WRONG)
def test_what_is_refused_is_told_with_its_value(message):
    with pytest.raises((ValueError, TypeError)) as error:
        WRONG[message]()
    assert str(error.value) == message
