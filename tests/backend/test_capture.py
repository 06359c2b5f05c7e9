"""Captured steps are bit for bit the plain ones: on the stand-in, whose captures compute nothing either."""

import sys
from functools import partial
from typing import Any

import numpy as np
import pytest

import tinygrad_notes as tg
from tests.bits import same
from tinygrad_notes import backend, nn, optim
from tinygrad_notes.nn import functional as F

STEPS = 6


class Residual(nn.Module):
    """Two convolutions with batch normalization around which the input passes by, as in a ResNet."""

    def __init__(self):
        self.first, self.norm1 = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.second, self.norm2 = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)

    def forward(self, x):
        y = F.relu(self.norm1(self.first(x)))
        return F.relu(x + self.norm2(self.second(y)))


class Recurrent(nn.Module):
    """The last state of an LSTM of two layers, with dropout between them."""

    def __init__(self):
        self.rnn, self.head = nn.LSTM(5, 6, 2, batch_first=True, dropout=0.2), nn.Linear(6, 3)

    def forward(self, x):
        y, _ = self.rnn(x)
        return self.head(y[:, -1])


class Attending(nn.Module):
    """A Transformer's block, whose attention weights are dropped too."""

    def __init__(self):
        self.block = nn.TransformerEncoderLayer(8, 2, 16, 0.2, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.block(x).mean(axis=1))


def mlp():
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))
    update = optim.Adam(model.parameters(), lr=0.01, weight_decay=0.01)
    return model, update, optim.lr_scheduler.CosineAnnealingLR(update, 10), (5, 6)


def lenet():
    model = tg.models.LeNet5()
    return model, optim.SGD(model.parameters(), lr=0.05, momentum=0.9), None, (2, 1, 32, 32)


def resnet():
    model = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), Residual(),
                          nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))  # fmt: skip
    update = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True)
    return model, update, optim.lr_scheduler.OneCycleLR(update, 0.3, 20), (4, 3, 9, 9)


def lstm():
    model = Recurrent()
    return model, optim.Adam(model.parameters(), amsgrad=True), None, (3, 4, 5)


def transformer():
    model = Attending()
    update = optim.AdamW(
        [{"params": model.block.parameters()}, {"params": model.head.parameters(), "lr": 0.1}]
    )
    warm = optim.lr_scheduler.LinearLR(update, 0.1, total_iters=3)
    schedule = optim.lr_scheduler.SequentialLR(update, [warm, optim.lr_scheduler.StepLR(update, 2)], [3])
    return model, update, schedule, (3, 4, 8)


class Training:
    """A model, its optimizer and schedule, and the step that the tests capture."""

    def __init__(self, make: Any) -> None:
        tg.manual_seed(1)
        self.model, self.optimizer, self.schedule, self.shape = make()
        self.random = np.random.default_rng(0)

    def step(self, x, labels):
        self.optimizer.zero_grad()
        logits = self.model(x)
        loss = F.cross_entropy(logits, labels)
        loss.backward()
        self.optimizer.step()
        if self.schedule is not None:
            self.schedule.step()
        return {"loss": loss, "logits": logits, "count": len(x)}

    def batch(self, n=None):
        n = n or self.shape[0]
        x = self.random.standard_normal((n, *self.shape[1:])).astype(np.float32)
        return tg.Tensor(x), tg.Tensor(self.random.integers(0, 3, n))

    def state(self):
        moments = {i: {k: backend.to_numpy(v) if backend.is_array(v) else v for k, v in s.items()}
                   for i, s in self.optimizer.state.items()}  # fmt: skip
        gradients = [p.grad.numpy() for p in self.model.parameters()]
        options = [{k: v for k, v in g.items() if k != "params"} for g in self.optimizer.param_groups]
        schedule = self.schedule and self.schedule.state_dict()
        return self.model.state_dict(), moments, options, schedule, gradients, backend.rng_state()


def run(make, steps, captured):
    training = Training(make)
    step = tg.capture(training.step) if captured else training.step
    found = [step(*training.batch()) for _ in range(steps)]  # kept: they must not change
    return [(f["loss"].item(), f["logits"].numpy(), f["count"]) for f in found], training.state()


MAKES = [mlp, lenet, resnet, lstm, transformer]


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("steps", [3, STEPS])  # the third call is the one that is captured
def test_captured_steps_are_the_plain_ones_bit_for_bit(gpu, make, steps):
    assert same(run(make, steps, True), run(make, steps, False))


@pytest.mark.parametrize("make", MAKES)
def test_on_numpy_a_captured_step_is_the_step(make):
    with backend.use_backend("numpy"):
        assert same(run(make, 4, True), run(make, 4, False))


@pytest.fixture
def standin(gpu):
    cupy = sys.modules["cupy"]
    if not hasattr(cupy, "_standin"):
        pytest.skip("a real GPU counts nothing")
    return cupy._standin


def counted(standin, step, batch):
    standin.reset()
    step(*batch)
    assert standin.syncs.total() == 0
    return standin.launches.total(), standin.transfers.total()


@pytest.mark.parametrize("make", [mlp, lenet, resnet, lstm, transformer])
def test_what_a_captured_step_launches(standin, make):
    """One graph; two arguments in, two results out, and one transfer for all numbers of the step."""
    training = Training(make)
    training.step(*training.batch())
    plain, _ = counted(standin, training.step, training.batch())
    training = Training(make)
    step = tg.capture(training.step)
    for _ in range(3):
        step(*training.batch())
    launched, transfers = counted(standin, step, training.batch())
    assert (launched, transfers) == (2 + 1 + 2, 1)
    assert launched < plain


@pytest.mark.parametrize("make", [mlp, resnet])
def test_plain_steps_and_loaded_states_between_are_heeded(gpu, make):
    results = []
    for captured in (True, False):
        training = Training(make)
        step = tg.capture(training.step) if captured else training.step
        for _ in range(4):
            step(*training.batch())
        training.step(*training.batch(4 + captured - captured))
        training.model.eval()
        training.model.train()
        kept = training.model.state_dict(), training.optimizer.state_dict()
        for _ in range(2):
            step(*training.batch())
        training.model.load_state_dict(kept[0])
        training.optimizer.load_state_dict(kept[1])
        for _ in range(2):
            step(*training.batch())
        results.append(training.state())
    assert same(*results)


def warm(training, function=None, calls=3):
    step = tg.capture(function or training.step)
    for _ in range(calls):
        step(*training.batch())
    return step


def test_other_arguments_are_refused(gpu):
    training = Training(mlp)
    step = warm(training)
    x, labels = training.batch()
    before = training.state()
    refusals = {
        r"argument 0 is a Tensor \(4, 6\) float32 instead of a Tensor \(5, 6\) float32": (x[:4], labels),
        r"argument 0 is a Tensor \(5, 6\) float64": (x.astype("float64"), labels),
        r"another structure: 3 parts instead of 2": (x, (labels,)),
        r"another structure": (x,),
        r"argument 1 is 3 instead of Form": (x, 3),
    }
    for reason, arguments in refusals.items():
        with pytest.raises(tg.CaptureError, match=reason):
            step(*arguments)
    with pytest.raises(tg.CaptureError, match="NumPy array; hand over a Tensor"):
        step(x.numpy(), labels)
    assert same(training.state(), before)
    step(x, labels)


def test_numbers_among_the_arguments_must_be_equal(gpu):
    w = tg.tensor([1.0, 2.0])
    step = tg.capture(lambda x, factor: (x * w * factor).sum())
    found = [step(tg.tensor([float(i), 1.0]), 2).item() for i in range(5)]
    assert found == [2.0 * i + 4 for i in range(5)]
    with pytest.raises(tg.CaptureError, match="argument 1 is 3 instead of 2"):
        step(tg.tensor([1.0, 1.0]), 3)


CHANGES = {
    "mode, a hook or what is frozen of Sequential": lambda t: t.model.eval(),
    "what is frozen of Linear": lambda t: t.model[0].requires_grad_(False),
    "a hook or what is frozen of Linear": lambda t: t.model[3].register_forward_hook(lambda *call: None),
    "a hook of a Tensor": lambda t: t.model[0].weight.register_hook(lambda g: None),
    "an option of Adam changed": lambda t: t.optimizer.param_groups[0].update(maximize=True),
    "weight of Linear is not": lambda t: setattr(t.model[0].weight, "_data", backend.xp.zeros((2, 2))),
}


@pytest.mark.parametrize("option", ["maximize", "amsgrad", "nesterov"])
def test_a_switch_of_an_optimizer_that_was_turned_is_refused(gpu, option):
    w = tg.Tensor([1.0, 2.0], requires_grad=True)
    kind = optim.Adam if option == "amsgrad" else partial(optim.SGD, momentum=0.9)
    optimizer = kind([w], lr=0.1)

    @tg.capture
    def step(x):
        optimizer.zero_grad()
        (x * w).sum().backward()
        optimizer.step()

    for _ in range(4):
        step(tg.Tensor([1.0, 3.0]))
    optimizer.param_groups[0][option] = True
    with pytest.raises(tg.CaptureError, match=r"an option of .* changed"):
        step(tg.Tensor([1.0, 3.0]))


@pytest.mark.parametrize("reason", CHANGES)
def test_a_change_since_is_refused(gpu, reason):
    training = Training(mlp)
    step = warm(training)
    CHANGES[reason](training)
    with pytest.raises(tg.CaptureError, match=f"step was captured and cannot be repeated: .*{reason}"):
        step(*training.batch())


def test_modes_must_stay(gpu):
    training = Training(mlp)
    step = warm(training)
    for change in (tg.no_grad(), tg.detect_anomaly()):
        with (
            change,
            pytest.raises(tg.CaptureError, match="no_grad, detect_anomaly, a precision or the backend"),
        ):
            step(*training.batch())
    step(*training.batch())


STEPS_THAT_READ = {
    "keep .item": lambda t, x, found: found["loss"].item(),
    r"x\[mask\] out": lambda t, x, found: x.data[x.data > 0],
    "an array of the host enters": lambda t, x, found: tg.Tensor([1.0]) + x,
}


def adds_up(training):
    def step(x, labels):
        F.cross_entropy(training.model(x), labels).backward()

    return step


@pytest.mark.parametrize("reason", STEPS_THAT_READ)
def test_a_step_that_cannot_be_captured_is_refused_and_has_not_happened(gpu, reason):
    training = Training(mlp)

    def step(x, labels):
        found = training.step(x, labels)
        STEPS_THAT_READ[reason](training, x, found)

    captured = tg.capture(step)
    for _ in range(2):
        captured(*training.batch())
    before = training.state()
    batch = training.batch()
    with pytest.raises(tg.CaptureError, match=f"capture: step cannot be captured: .*{reason}"):
        captured(*batch)
    assert same(training.state(), before)
    training.step(*batch)
    expected = Training(mlp)
    for _ in range(3):
        expected.step(*expected.batch())
    assert same(training.state(), expected.state())


def test_gradients_of_before_are_not_added_to(gpu):
    training = Training(mlp)
    captured = tg.capture(adds_up(training))
    for _ in range(2):
        captured(*training.batch())
    with pytest.raises(tg.CaptureError, match=r"adds to the gradient .* zero_grad\(\)"):
        captured(*training.batch())


def test_other_errors_of_a_step_stay_what_they_are(gpu):
    calls = []

    def step(x):
        calls.append(x)
        if len(calls) == 3:
            raise ZeroDivisionError
        return x + 1

    captured = tg.capture(step)
    for i in range(2):
        assert captured(tg.tensor([float(i)])).item() == i + 1
    with pytest.raises(ZeroDivisionError):
        captured(tg.tensor([0.0]))
    assert captured(tg.tensor([5.0])).item() == 6 and captured(tg.tensor([6.0])).item() == 7
    assert len(calls) == 4


def test_arguments_that_require_grad_and_what_is_no_function(gpu):
    step = tg.capture(lambda x: x * 2)
    x = tg.Tensor([1.0], requires_grad=True)
    for _ in range(2):
        step(x)
    with pytest.raises(tg.CaptureError, match=r"argument of shape \(1,\) requires grad"):
        step(x)
    with pytest.raises(TypeError, match="a step is a function"):
        tg.capture(3)


def test_memory_written_by_a_replay_is_known_to_graphs(gpu):
    training = Training(mlp)
    step = warm(training)
    loss = training.model(training.batch()[0]).sum()
    step(*training.batch())
    with pytest.raises(RuntimeError, match="was changed since the forward"):
        loss.backward()


@pytest.mark.parametrize("subscripts, shapes", [
    ("ij,jk->ik", ((2, 3), (3, 4))), ("bij,bjk->bik", ((5, 2, 3), (5, 3, 4))), ("i,j->ij", ((2,), (3,))),
    ("ij,ij->i", ((2, 3), (2, 3))), ("bij,ij->b", ((4, 1, 3), (2, 3))),
])  # fmt: skip
def test_sums_of_products_are_captured(gpu, subscripts, shapes):
    random = np.random.default_rng(0)
    batches = [[random.standard_normal(shape) for shape in shapes] for _ in range(4)]
    step = tg.capture(lambda a, b: tg.einsum(subscripts, a, b))
    for a, b in batches:
        np.testing.assert_allclose(
            step(tg.Tensor(a), tg.Tensor(b)).numpy(), np.einsum(subscripts, a, b), 1e-12
        )


@pytest.mark.parametrize("a, b", [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((5, 2, 3), (3, 4)),
                                  ((3,), (5, 3, 4)), ((2, 1, 2, 3), (4, 3, 1))])  # fmt: skip
def test_products_of_any_shape_are_captured(gpu, a, b):
    random = np.random.default_rng(0)
    step = tg.capture(tg.matmul)
    for _ in range(4):
        x, y = random.standard_normal(a), random.standard_normal(b)
        np.testing.assert_allclose(step(tg.Tensor(x), tg.Tensor(y)).numpy(), x @ y, 1e-12)


def test_numbers_of_a_step_are_renewed_in_order(gpu):
    values = iter(range(100))

    def step(x):
        first = backend.each_step(lambda: np.array([next(values)], np.int32))
        second = backend.each_step(lambda: np.array(next(values), np.float64))
        many = backend.each_step(lambda: np.full(3000, next(values)))
        return tg.Tensor._wrap(first), tg.Tensor._wrap(second), tg.Tensor._wrap(many).sum() + x

    captured = tg.capture(step)
    for i in range(5):
        first, second, many = (t.item() for t in captured(tg.tensor([0.0])))
        assert (first, second, many) == (3 * i, 3 * i + 1, 3000 * (3 * i + 2))


def test_windows_of_different_sizes_are_captured(gpu):
    def run(x):
        return F.adaptive_avg_pool2d(x, (3, 2))

    captured = tg.capture(run)
    for seed in range(STEPS):
        x = tg.Tensor(np.random.default_rng(seed).standard_normal((2, 3, 5, 7)).astype(np.float32))
        np.testing.assert_array_equal(captured(x).numpy(), run(x).numpy())
