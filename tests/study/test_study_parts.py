"""The parts of studies against plain definitions: loop, digits, measurements, pictures."""

import numpy as np
import pytest

from tinygrad_notes import Tensor, optim
from tinygrad_notes.data import load_digits
from tinygrad_notes.nn import BatchNorm1d, Linear, ReLU
from tinygrad_notes.ops.loss import cross_entropy, mse_loss
from tinygrad_notes.study import finding, fitting
from tinygrad_notes.study.activation import gradient_norms
from tinygrad_notes.study.finding import Finding, Panel, _draw
from tinygrad_notes.study.initialization import variances
from tinygrad_notes.study.loss import _squared


def rows(count=40, inputs=3, classes=2):
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((count, inputs)).astype(np.float32), rng.integers(classes, size=count)
    return fitting.Data(x, y, x[:7], y[:7])


@pytest.mark.parametrize("batch, seed", [(None, None), (8, 3)])
def test_a_fit_draws_rows_and_steps_by_their_gradient_alone(batch, seed):
    """Against a plain loop: of the seed's rows, with the loss that is asked for; `after` hears of each."""
    data, found = rows(), []
    given = {k: v for k, v in (("batch", batch), ("seed", seed)) if v is not None}
    ours, plain = (fitting.network((3, 2), ReLU) for _ in range(2))
    plain.load_state_dict(ours.state_dict())
    ours.eval()
    loss_of = mse_loss if batch else cross_entropy
    y = np.eye(2, dtype=np.float32)[data.y] if batch else data.y
    options = given | ({"loss_of": mse_loss} if batch else {})
    optimizer = optim.SGD(ours.parameters(), 0.5)
    losses = fitting.fit(
        ours, optimizer, data._replace(y=y), 4, **options, after=lambda *told: found.append(told)
    )
    rng, expected = np.random.default_rng(seed or 0), []
    for _ in range(4):
        chosen = rng.integers(40, size=batch or 64)
        loss = loss_of(plain(Tensor(data.x[chosen])), Tensor(y[chosen]))
        for p in plain.parameters():
            p.grad = None
        loss.backward()
        for p in plain.parameters():
            p.data = p.numpy() - np.float32(0.5) * p.grad.numpy()
        expected.append(loss.item())
    assert losses == pytest.approx(expected, rel=1e-5) and found == [*enumerate(losses)]
    assert all(module.training for module in ours.modules())


def test_digits_are_rows_between_0_and_1_in_the_order_of_the_data():
    data = fitting.digits(30)
    assert [a.shape for a in data] == [(30, 784), (30,), (1000, 784), (1000,)]
    for dataset, x, y in zip(load_digits(), data[::2], data[1::2], strict=True):
        images, labels = dataset[np.arange(30)]
        assert x.dtype == np.float32 and np.array_equal(y[:30], labels)
        np.testing.assert_allclose(x[:30], images.reshape(30, 784) / 255.0, rtol=1e-6)
    assert len(fitting.digits(30, 20).test_x) == 20


def test_a_share_of_the_steps_is_rounded_and_at_least_2():
    counts = (300, 1.0, 300), (300, 0.005, 2), (10, 0.26, 3), (10, 0.0, 2), (11, 0.5, 6)
    assert [fitting.steps(count, share) for count, share, _ in counts] == [right for *_, right in counts]


def test_an_extra_layer_comes_before_each_activation():
    model = fitting.network((3, 5, 4, 2), ReLU, BatchNorm1d)
    assert [type(m) for m in model] == [Linear, BatchNorm1d, ReLU] * 2 + [Linear]
    assert [model[i].weight.shape for i in (0, 1, 3, 4, 6)] == [(5, 3), (5,), (4, 5), (4,), (2, 4)]


@pytest.mark.parametrize("of", [gradient_norms, variances])
def test_gradients_before_training_are_those_of_the_first_500_rows(of):
    data = rows(520)
    model = fitting.network((3, 5, 4, 2), ReLU)
    found = of(model, data)
    assert all(p.grad is None for p in model.parameters())
    signal, outputs = Tensor(data.x[:500]), []
    for layer in model:
        signal = layer(signal)
        outputs.append(signal)
    cross_entropy(signal, Tensor(data.y[:500])).backward()
    gradients = [m.weight.grad.numpy() for m in model if isinstance(m, Linear)]
    if of is gradient_norms:
        assert found == pytest.approx([np.sqrt((g**2).sum()) for g in gradients], rel=1e-5)
    else:
        assert found[0] == pytest.approx([y.detach().numpy().var() for y in outputs[1::2]], rel=1e-5)
        assert found[1] == pytest.approx([g.var() for g in gradients[:-1]], rel=1e-5)


def test_squared_errors_of_classes_are_those_of_the_softmax():
    logits = np.array([[0.0, np.log(2), 0], [np.log(3), 0, 0]], np.float32)
    p, wanted = np.array([[1, 2, 1], [2.4, 0.8, 0.8]]) / 4, np.array([[0, 1, 0], [0, 0, 1]])
    assert _squared(Tensor(logits), Tensor(np.array([1, 2]))).item() == pytest.approx(
        ((p - wanted) ** 2).mean()
    )


def test_a_picture_grows_with_its_panels_and_names_its_lines(monkeypatch):
    plots = pytest.importorskip("tinygrad_notes.train.plots")
    panel = Panel("t", "x", "y", {"a": ([1, 2], [1, 2])}, dots={"d": ([1], [1])}, marks={"m": 1.5},
                  contour=([0, 1], [0, 1], [[1, 2], [3, 40]]))  # fmt: skip
    figures, saved = [], []

    def new_figure(*size):
        figures.append(plots.new_figure(*size))
        monkeypatch.setattr(figures[-1], "savefig", lambda *given, **options: saved.append((given, options)))
        return figures[-1]

    monkeypatch.setattr(finding, "new_figure", new_figure)
    for count in (1, 2):
        Finding(("a",), [["x"]], "So.", [panel] * count).draw("x.png")
    assert [tuple(figure.get_size_inches()) for figure in figures] == [(4.8, 3.8), (9.6, 3.8)]
    assert saved == [(("x.png",), {"dpi": 144})] * 2
    one, two = figures[1].axes
    assert one.get_position().x1 < two.get_position().x0 and len(one.lines) == len(two.lines) == 3
    axes = plots.new_figure(4, 4).subplots()
    _draw(axes, panel)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["d", "a", "m"]
    dots, line, mark = axes.lines
    assert (dots.get_marker(), dots.get_linestyle(), mark.get_linestyle()) == (".", "None", "--")
    assert (line.get_color(), axes.collections[0].levels.size > 5) == ("#4269d0", True)
