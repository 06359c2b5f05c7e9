"""Optimizers against PyTorch and against their definitions; schedules; clipping; restoring."""

import math
import tracemalloc

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import nn
from tinygrad_notes.backend.kernels import threads, update
from tinygrad_notes.optim import lr_scheduler

CHOICES = {
    "sgd": ("SGD", dict(lr=0.1)),
    "momentum": ("SGD", dict(lr=0.1, momentum=0.9, weight_decay=0.01)),
    "dampening": ("SGD", dict(lr=0.1, momentum=0.9, dampening=0.3)),
    "nesterov": ("SGD", dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)),
    "adam": ("Adam", dict(lr=0.01)),
    "adam l2": ("Adam", dict(lr=0.01, weight_decay=0.1, betas=(0.8, 0.95), eps=1e-4)),
    "amsgrad": ("Adam", dict(lr=0.05, amsgrad=True)),
    "adamw": ("AdamW", dict(lr=0.01)),
    "adamw amsgrad": ("AdamW", dict(lr=0.01, weight_decay=0.1, amsgrad=True)),
}


def gradients(steps, shape, seed=0):
    return np.random.default_rng(seed).standard_normal((steps, *shape))


def run(optimizer, parameter, grads):
    for g in grads:
        parameter.grad = tg.Tensor(g.astype(parameter.dtype))
        optimizer.step()
    return tg.to_numpy(parameter.data).copy()


@pytest.mark.parametrize("size", [7, 200_000], ids=["one block", "many blocks, threads"])
@pytest.mark.parametrize("choice", CHOICES)
def test_updates_are_torchs(choice, size):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    name, options = CHOICES[choice]
    start, grads = gradients(1, (size,), 1)[0], gradients(6, (size,))
    ours = nn.Parameter(start)
    result = run(getattr(tg.optim, name)([ours], **options), ours, grads)
    theirs = torch.nn.Parameter(torch.from_numpy(start.copy()))
    optimizer = getattr(torch.optim, name)([theirs], **options)
    for g in grads:
        theirs.grad = torch.from_numpy(g)
        optimizer.step()
    np.testing.assert_allclose(result, theirs.detach().numpy(), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("choice", CHOICES)
def test_restored_state_continues_bit_for_bit(choice):
    name, options = CHOICES[choice]
    start, grads = gradients(1, (50,), 1)[0].astype(np.float32), gradients(8, (50,))
    whole = nn.Parameter(start)
    expected = run(getattr(tg.optim, name)([whole], **options), whole, grads)

    first = nn.Parameter(start)
    optimizer = getattr(tg.optim, name)([first], **options)
    run(optimizer, first, grads[:3])
    state = optimizer.state_dict()
    second = nn.Parameter(first.data)
    restored = getattr(tg.optim, name)([second], lr=123.0)
    restored.load_state_dict(state)
    run(optimizer, first, grads[3:])  # the first run goes on: the saved state must be a copy
    np.testing.assert_array_equal(run(restored, second, grads[3:]), expected)


def test_updates_are_in_place_and_make_no_temporaries_of_parameter_size():
    size = 5 * threads.threads() * update.PIECE  # each thread has scratch for one piece
    p = nn.Parameter(np.ones(size, np.float32))
    for name, options in (("SGD", dict(lr=0.1, momentum=0.9)), ("Adam", {})):
        optimizer = getattr(tg.optim, name)([p], **options)
        p.grad = tg.Tensor(np.ones(size, np.float32))
        optimizer.step()  # makes its state
        array = p._data
        tracemalloc.start()
        optimizer.step()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert p._data is array
        if tg.backend.BACKEND == "numpy":
            assert peak < size  # bytes: less than a quarter of the parameter


def test_parameters_without_a_gradient_stay():
    p, q = nn.Parameter(np.ones(2)), nn.Parameter(np.ones(2))
    p.grad = tg.Tensor(np.ones(2))
    optimizer = tg.optim.Adam([p, q])
    optimizer.step()
    np.testing.assert_array_equal(tg.to_numpy(q.data), np.ones(2))
    assert list(optimizer.state) == [0]


def test_groups_have_their_own_options():
    p, q = nn.Parameter(np.ones(1)), nn.Parameter(np.ones(1))
    optimizer = tg.optim.SGD([{"params": [p], "lr": 1.0}, {"params": q}], lr=0.1)
    p.grad = q.grad = tg.Tensor(np.ones(1))
    optimizer.step()
    assert (p.item(), q.item()) == (0.0, pytest.approx(0.9))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: tg.optim.SGD([], lr=0.1), "no parameters"),
        (lambda p: tg.optim.SGD([p, p], lr=0.1), "given twice"),
        (lambda p: tg.optim.SGD([p], lr=-1), "lr must be a finite number ≥ 0, got -1"),
        (lambda p: tg.optim.SGD([p], lr=math.nan), "lr must be a finite number"),
        (lambda p: tg.optim.SGD([p], lr=0.1, nesterov=True), "nesterov needs momentum"),
        (lambda p: tg.optim.Adam([p], betas=(0.9, 1.0)), "two numbers in"),
        (lambda p: tg.optim.SGD([{"params": [p], "speed": 1}], lr=0.1), r"unknown options \['speed'\]"),
    ],
)
def test_wrong_options_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make(nn.Parameter(np.ones(1)))


def test_state_of_other_parameters_is_refused():
    p = nn.Parameter(np.ones(2))
    optimizer = tg.optim.Adam([p])
    p.grad = tg.Tensor(np.ones(2))
    optimizer.step()
    with pytest.raises(ValueError, match=r"exp_avg of parameter 0 is \(2,\), the parameter \(3,\)"):
        tg.optim.Adam([nn.Parameter(np.ones(3))]).load_state_dict(optimizer.state_dict())


# ---- clipping ----------------------------------------------------------------------------------


def test_clip_grad_norm_is_global():
    p, q = nn.Parameter(np.zeros(1)), nn.Parameter(np.zeros(1))
    p.grad, q.grad = tg.Tensor(np.array([3.0])), tg.Tensor(np.array([4.0]))
    norm = tg.optim.clip_grad_norm_([p, q], 1.0)
    assert norm.item() == pytest.approx(5.0)
    assert (p.grad.item(), q.grad.item()) == (pytest.approx(0.6, rel=1e-6), pytest.approx(0.8, rel=1e-6))
    tg.optim.clip_grad_norm_([p, q], 10.0)
    assert p.grad.item() == pytest.approx(0.6, rel=1e-6)
    with pytest.raises(ValueError, match="max_norm must be positive"):
        tg.optim.clip_grad_norm_([p], 0)


def test_clipping_keeps_the_dtype_and_does_not_touch_what_others_hold():
    p = nn.Parameter(np.zeros(3, np.float32))
    p.grad = held = tg.Tensor(np.full(3, 9, np.float32))
    tg.optim.clip_grad_norm_(p, 1.0)
    assert p.grad.dtype == np.float32
    np.testing.assert_array_equal(held.numpy(), np.full(3, 9))


def test_clipping_float16_squares_in_float32():
    p = nn.Parameter(np.zeros(90_000, np.float16))
    p.grad = tg.Tensor(np.full(90_000, 3, np.float16))
    norm = tg.optim.clip_grad_norm_([p], 9.0)
    assert (norm.item(), norm.dtype, p.grad.dtype) == (900, np.float32, np.float16)
    np.testing.assert_allclose(p.grad.numpy(), 0.03, rtol=1e-3)


def test_clip_grad_value():
    p = nn.Parameter(np.zeros(3))
    p.grad = tg.Tensor(np.array([-5.0, 0.5, 5.0]))
    tg.optim.clip_grad_value_([p], 1.0)
    np.testing.assert_array_equal(p.grad.numpy(), [-1, 0.5, 1])


# ---- schedules ---------------------------------------------------------------------------------


def rates(schedule, steps):
    result = []
    for _ in range(steps):
        result.append(schedule.get_last_lr()[0])
        schedule.step()
    return result


def sgd(lr=1.0):
    return tg.optim.SGD([nn.Parameter(np.ones(1))], lr=lr)


def test_step_schedule():
    assert rates(lr_scheduler.StepLR(sgd(), 2, 0.1), 6) == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_cosine_schedule():
    got = rates(lr_scheduler.CosineAnnealingLR(sgd(), 4, eta_min=0.2), 5)
    assert got == pytest.approx([0.2 + 0.8 * (1 + math.cos(math.pi * t / 4)) / 2 for t in range(5)])


def test_warmup_schedule():
    schedule = lr_scheduler.LinearWarmup(sgd(), 4, after=lambda s: 0.5**s)
    assert rates(schedule, 7) == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0, 0.5, 0.25])


def test_a_schedule_can_be_restored():
    first = lr_scheduler.CosineAnnealingLR(sgd(), 10)
    for _ in range(4):
        first.step()
    second = lr_scheduler.CosineAnnealingLR(sgd(5.0), 10)
    second.load_state_dict(first.state_dict())
    assert second.get_last_lr() == first.get_last_lr()


@pytest.mark.parametrize("name", ["StepLR", "CosineAnnealingLR"])
def test_schedules_are_torchs(name):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    arguments = dict(step_size=3, gamma=0.3) if name == "StepLR" else dict(T_max=7, eta_min=0.01)
    ours = rates(getattr(lr_scheduler, name)(sgd(0.5), **arguments), 8)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5)
    schedule = getattr(torch.optim.lr_scheduler, name)(optimizer, **arguments)
    theirs = []
    for _ in range(8):
        theirs.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert ours == pytest.approx(theirs, abs=1e-12)


# ---- state of others ---------------------------------------------------------------------------


def stepped(make, *parameters):
    optimizer = make(parameters)
    sum((p * p).sum() for p in parameters).backward()
    optimizer.step()
    return optimizer


def adam(parameters):
    return tg.optim.Adam(parameters, lr=0.1)


def test_restored_state_is_a_copy_also_of_a_single_number():
    state = stepped(adam, nn.Parameter(np.array(1.0))).state_dict()
    before = float(state["state"]["0"]["exp_avg"])
    p = nn.Parameter(np.array(1.0))
    other = adam([p])
    other.load_state_dict(state)
    (p * p).backward()
    other.step()
    assert float(state["state"]["0"]["exp_avg"]) == before


def test_state_of_other_parameters_or_of_another_optimizer_is_refused():
    p, q = nn.Parameter(np.ones(2)), nn.Parameter(np.ones(2))
    one = stepped(adam, p).state_dict()
    with pytest.raises(ValueError, match="1 parameters of a group saved, 2 here"):
        adam([p, q]).load_state_dict(one)
    with pytest.raises(ValueError, match=r"exp_avg.* by another optimizer"):
        tg.optim.SGD([p], lr=0.1).load_state_dict(one)


@pytest.mark.parametrize("make, message", [
    (lambda p: tg.optim.Adam([{"params": [p], "betas": (1.5, 2.0)}]), "betas"),
    (lambda p: tg.optim.SGD([{"params": [p], "nesterov": True}], lr=0.1), "nesterov needs momentum"),
    (lambda p: tg.optim.SGD([{"lr": 0.1}], lr=0.1), "a group must be a dict with 'params'"),
])  # fmt: skip
def test_options_of_a_group_are_checked(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make(nn.Parameter(np.ones(1)))


def test_hyperparameters_may_be_numpy_scalars():
    p = nn.Parameter(np.ones(2, np.float32))
    p.grad = tg.Tensor([3.0, 4.0])
    tg.optim.clip_grad_value_([p], np.float64(0.5))
    tg.optim.SGD([p], lr=np.float32(0.5)).step()
    assert p.dtype == np.float32 and p.numpy().tolist() == [0.75, 0.75]
