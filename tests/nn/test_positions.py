"""Positions: sinusoids and learned rows, added to what a Transformer reads."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import nn

T, N, D = 4, 3, 8


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def close(a, b, atol=1e-12):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=0, atol=atol)


def test_the_sinusoids_of_the_paper():
    layer = nn.PositionalEncoding(6, dropout=0.0, max_len=50)
    table = layer(tg.zeros((50, 6))).numpy()
    np.testing.assert_array_equal(table[0], [0, 1, 0, 1, 0, 1])
    expected = [np.sin(3), np.cos(3), np.sin(3 / 10000 ** (2 / 6)), np.cos(3 / 10000 ** (2 / 6))]
    np.testing.assert_allclose(table[3, :4], expected, rtol=1e-6)
    np.testing.assert_allclose(
        table[3, 4:], [np.sin(3 / 10000 ** (4 / 6)), np.cos(3 / 10000 ** (4 / 6))], rtol=1e-6
    )
    odd = nn.PositionalEncoding(3, 0.0)(tg.zeros((2, 3), dtype="float64")).numpy()
    np.testing.assert_allclose(odd[1], [np.sin(1), np.cos(1), np.sin(10000 ** (-2 / 3))], rtol=1e-14)


@pytest.mark.parametrize("kind", [nn.PositionalEncoding, nn.LearnedPositions])
def test_positions_in_every_layout(kind):
    layer = kind(D, dropout=0.0, max_len=9).astype("float64")
    first = kind(D, dropout=0.0, max_len=9, batch_first=True).astype("float64")
    first.load_state_dict(layer.state_dict())
    x = numbers(N, T, D)
    table = layer(np.zeros((9, D)))
    expected = tg.Tensor(x) + table[:T]
    close(first(x), expected)
    close(layer(x.swapaxes(0, 1)).swapaxes(0, 1), expected)
    close(layer(x[0]), expected[0])
    close(first(x[:, 2:], start=2), expected[:, 2:])
    close(layer(x.swapaxes(0, 1)[2:], start=2), expected.swapaxes(0, 1)[2:])
    assert layer(np.zeros((0, N, D))).shape == (0, N, D) and layer(np.zeros((0, N, D)), start=9).size == 0
    for dtype in ("float16", "float32", "float64"):
        assert layer.astype(dtype)(np.zeros((T, N, D), dtype)).dtype == dtype


def test_sinusoids_have_no_state_and_learned_positions_one_weight():
    fixed = nn.PositionalEncoding(D, max_len=9)
    assert fixed.state_dict() == {} and not list(fixed.parameters())
    learned = nn.LearnedPositions(D, dropout=0.0, max_len=4000)
    assert {name: value.shape for name, value in learned.state_dict().items()} == {"weight": (4000, D)}
    np.testing.assert_allclose(learned.weight.numpy().std(), 0.02, rtol=0.02)
    learned(tg.zeros((T, N, D))).sum().backward()
    grad = learned.weight.grad.numpy()
    assert (grad[:T] == N).all() and (grad[T:] == 0).all()


def test_positions_drop_in_training_only():
    layer, x = nn.PositionalEncoding(D), tg.ones((T, N, D))
    kept = layer(x).numpy() != 0
    assert not kept.all()
    np.testing.assert_allclose(layer(x).numpy().max() * 0.9, layer.eval()(x).numpy().max(), rtol=1e-6)
    assert layer.dropout.p == 0.1 and layer.max_len == 5000


@pytest.mark.parametrize("kind", [nn.PositionalEncoding, nn.LearnedPositions])
def test_wrong_positions_say_what_is_wrong(kind):
    layer = kind(D, max_len=4)
    message = "the table has 4 places, and 0 to 4 are asked for; make it with a larger max_len"
    with pytest.raises(ValueError, match=message):
        layer(tg.zeros((5, N, D)))
    for start in (4, -1):
        with pytest.raises(ValueError, match=f"{start} to {start} are asked for"):
            layer(tg.zeros((1, N, D)), start=start)
    with pytest.raises(ValueError, match=r"\(T, N, d_model\) or \(T, d_model\) with d_model = 8"):
        layer(tg.zeros((T, N, D + 1)))
    with pytest.raises(TypeError, match="real numbers"):
        layer(np.zeros((T, N, D), int))
    with pytest.raises(TypeError, match=r"start must be an integer, got 1\.0"):
        layer(tg.zeros((1, N, D)), start=1.0)
    with pytest.raises(ValueError, match="max_len"):
        kind(D, max_len=0)


def test_learned_positions_refuse_another_dtype():
    with pytest.raises(TypeError, match="one dtype"):
        nn.LearnedPositions(D)(np.zeros((T, N, D)))


BOTH = [nn.PositionalEncoding, nn.LearnedPositions]


@pytest.mark.parametrize("kind", BOTH)
def test_both_kinds_drop_the_share_they_are_told(kind):
    assert kind(D).dropout.p == 0.1 and kind(D).max_len == 5000 and kind(D).batch_first is False
    layer, x = kind(50, 0.75, 100), tg.Tensor(np.full((100, 50), 5.0, np.float32))
    y, whole = layer(x).numpy(), layer.eval()(x).numpy()
    kept = y != 0
    assert abs(kept.mean() - 0.25) < 0.04  # 5,000 draws: six sigma
    np.testing.assert_allclose(y[kept], whole[kept] / 0.25, rtol=1e-5)


def test_gradients_of_learned_positions_stand_where_the_sequence_starts():
    layer = nn.LearnedPositions(D, 0.0, 9)
    x = tg.Tensor(np.zeros((T, N, D), np.float32), requires_grad=True)
    layer(x, start=np.int64(3)).sum().backward()
    rows = layer.weight.grad.numpy()[:, 0]
    np.testing.assert_array_equal(rows, [0, 0, 0, N, N, N, N, 0, 0])
    assert (x.grad.numpy() == 1).all()


def test_the_last_place_is_one_too():
    for kind in BOTH:
        assert kind(D, 0.0, T)(tg.zeros((T, D))).shape == (T, D)
        with pytest.raises(ValueError, match="the table has 4 places, and 2 to 5 are asked for"):
            kind(D, 0.0, T)(tg.zeros((T, D)), start=2)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("batch_first", [False, True])
def test_the_form_that_is_asked_for_is_told(kind, batch_first):
    layer, form = kind(D, batch_first=batch_first), "(N, T, d_model)" if batch_first else "(T, N, d_model)"
    for shape in ((1, T, N, D), (D,), (T, N, D - 1)):
        with pytest.raises(ValueError) as error:
            layer(tg.zeros(shape))
        assert str(error.value) == (
            f"{kind.__name__}: x is {shape}; it must be {form} or (T, d_model) with d_model = 8"
        )
    with pytest.raises(ValueError, match=f"{kind.__name__}: d_model must be a positive integer, got 0"):
        kind(0)


def test_the_dtypes_of_learned_positions_and_the_input_are_told():
    with pytest.raises(TypeError, match=r"^LearnedPositions: input is float64 but weight is float32"):
        nn.LearnedPositions(D)(np.zeros((T, N, D)))
