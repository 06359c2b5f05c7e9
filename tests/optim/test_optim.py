"""Optimizers against PyTorch and against their definitions; options, groups, anomalies; clipping."""

import math
import tracemalloc

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import nn
from tinygrad_notes.backend.kernels import threads, update

CHOICES = {
    "sgd": ("SGD", dict(lr=0.1)),
    "momentum": ("SGD", dict(lr=0.1, momentum=0.9, weight_decay=0.01)),
    "dampening": ("SGD", dict(lr=0.1, momentum=0.9, dampening=0.3)),
    "nesterov": ("SGD", dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)),
    "adam": ("Adam", dict(lr=0.01)),
    "adam l2": ("Adam", dict(lr=0.01, weight_decay=0.1, betas=(0.8, 0.95), eps=1e-4)),
    "amsgrad": ("Adam", dict(lr=0.05, amsgrad=True)),
    "adamw": ("AdamW", dict(lr=0.01)),
    "climbing": ("SGD", dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01, maximize=True)),
    "adam climbing": ("Adam", dict(lr=0.01, weight_decay=0.1, maximize=True)),
    "adamw climbing": ("AdamW", dict(lr=0.01, maximize=True)),
    "adam decoupled": ("Adam", dict(lr=0.01, weight_decay=0.1, decoupled_weight_decay=True)),
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


@pytest.mark.parametrize("choice", CHOICES)
def test_a_parameter_that_skips_a_step_leaves_the_others_their_state(choice):
    """In one group or several: each moves as if it were alone."""
    name, options = CHOICES[choice]
    starts = np.arange(8.0).reshape(4, 2)
    together, alone = ([nn.Parameter(x) for x in starts] for _ in range(2))
    groups = [{"params": together[:2]}, {"params": together[2:]}]
    optimizers = [getattr(tg.optim, name)(members, **options) for members in (groups, *([p] for p in alone))]
    for step, skipped in enumerate([None, 0, 2, 1]):
        for i in range(4):
            g = None if i == skipped else tg.Tensor(np.full(2, 1.0 + i + step))
            together[i].grad = alone[i].grad = g
        for optimizer in optimizers:
            optimizer.step()
        for p, q in zip(together, alone, strict=True):
            np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy(), err_msg=f"step {step}")


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


def test_clipping_gradients_of_zero_leaves_them():
    p, q = nn.Parameter(np.ones(3, np.float32)), nn.Parameter(np.ones(2, np.float32))
    p.grad, q.grad = tg.zeros(3), tg.zeros(2)
    norm = tg.optim.clip_grad_norm_([p, q], 1e-3)
    assert norm.item() == 0
    for owner in (p, q):
        np.testing.assert_array_equal(owner.grad.numpy(), np.zeros(owner.shape))
    p.grad = None
    assert tg.optim.clip_grad_norm_([p], 1.0).item() == 0 and p.grad is None


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
    before = float(state["state"][0]["exp_avg"])
    p = nn.Parameter(np.array(1.0))
    other = adam([p])
    other.load_state_dict(state)
    (p * p).backward()
    other.step()
    assert float(state["state"][0]["exp_avg"]) == before


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


# ---- groups, names, anomalies ------------------------------------------------------------------


def test_a_group_added_later_trains_with_its_own_options_as_in_torch():
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    start, grads = gradients(2, (4,), 1), gradients(6, (2, 4))
    mine = [nn.Parameter(a) for a in start]
    other = [torch.nn.Parameter(torch.from_numpy(a.copy())) for a in start]
    optimizers = [tg.optim.Adam(mine[:1], lr=0.1), torch.optim.Adam(other[:1], lr=0.1)]
    for step, g in enumerate(grads):
        if step == 3:
            optimizers[0].add_param_group({"params": mine[1], "lr": 0.5, "amsgrad": True})
            optimizers[1].add_param_group({"params": other[1], "lr": 0.5, "amsgrad": True})
        for p, q, own in zip(mine, other, g, strict=True):
            p.grad, q.grad = tg.Tensor(own), torch.from_numpy(own)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    for p, q in zip(mine, other, strict=True):
        np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-12)
    assert optimizers[0].param_groups[1]["lr"] == 0.5


def test_a_group_that_does_not_fit_is_not_added():
    p, q = nn.Parameter(np.ones(1)), nn.Parameter(np.ones(1))
    optimizer = tg.optim.SGD([p], lr=0.1)
    for group, message in [
        ({"params": [q, p]}, "given twice"),
        ({"params": [q, q]}, "given twice"),
        ({"lr": 1.0}, "dict with 'params'"),
        ([q], "dict with 'params'"),
        ({"params": [q], "lr": -1.0}, "lr must be"),
        ({"params": {q}}, "has no order"),
        ({"params": [q * 2]}, "must be leaf Tensors"),
        ({"params": [q], "momentum": "0.9"}, "momentum must be a number"),
        ({"params": [q], "nesterov": 1}, "nesterov must be True or False"),
    ]:
        with pytest.raises((ValueError, TypeError), match=message):
            optimizer.add_param_group(group)
    assert len(optimizer.param_groups) == 1
    optimizer.add_param_group({"params": q})
    assert optimizer.param_groups[1]["lr"] == 0.1


@pytest.mark.parametrize(
    "value", [None, "0.1", 1j, True, [0.1], np.array(["x"]), np.ma.masked_array(0.1, True)]
)
@pytest.mark.parametrize("name", ["lr", "eps", "weight_decay"])
def test_options_of_a_wrong_type_are_refused(name, value):
    with pytest.raises(TypeError, match=f"Adam: {name} "):
        tg.optim.Adam([nn.Parameter(np.ones(1))], **{name: value})


def anomalous(value, dtype=np.float32):
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)).astype(dtype)
    for p in network.parameters():
        p.grad = tg.Tensor(np.zeros(p.shape, dtype))
    network[1].weight.grad = tg.Tensor(np.array([[0, value], [1, -2]], dtype))
    return network


@pytest.mark.parametrize(
    ("make", "value", "dtype", "message"),
    [
        (tg.optim.Adam, 2e19, np.float32, r"2 of group 0, \(2, 2\) float32, has \|g\| = 2e\+19, whose"),
        (tg.optim.Adam, math.nan, np.float32, "parameter 2 of group 0.* is NaN or infinite"),
        (tg.optim.AdamW, 300, np.float16, "float16, has .g. = 300, whose square overflows"),
        (lambda p: tg.optim.SGD(p, lr=0.1), math.inf, np.float32, "SGD: .* is NaN or infinite; nothing was"),
    ],
)  # fmt: skip
def test_under_detect_anomaly_a_bad_gradient_is_refused_with_its_parameter(make, value, dtype, message):
    network = anomalous(value, dtype)
    before = network.state_dict()
    optimizer = make(network.parameters())
    with tg.detect_anomaly(), pytest.raises(FloatingPointError, match=message):
        optimizer.step()
    for name, array in network.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert optimizer.state == {}


def test_parameters_may_have_names():
    network = anomalous(math.nan)
    optimizer = tg.optim.Adam(network.named_parameters())
    with tg.detect_anomaly(), pytest.raises(FloatingPointError, match=r"parameter '1\.weight', "):
        optimizer.step()
    assert optimizer.param_groups[0]["param_names"] == ["0.weight", "0.bias", "1.weight", "1.bias"]
    optimizer.load_state_dict(optimizer.state_dict())
    other = optimizer.state_dict()
    for names in (["a", "b", "c", "d"], ["1.weight", "0.bias", "0.weight", "1.bias"]):
        other["param_groups"][0]["param_names"] = names
        with pytest.raises(ValueError, match="saved for the parameters"):
            optimizer.load_state_dict(other)


def test_a_large_gradient_that_is_not_squared_passes_and_so_does_the_largest_one_whose_square_is_finite():
    with tg.detect_anomaly():
        tg.optim.SGD(anomalous(2e19).parameters(), lr=0.1).step()
        tg.optim.Adam(anomalous(1.8e19).parameters()).step()


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_what_has_a_gradient_is_moved_frozen_or_not_and_nothing_else(name):
    """As in torch: who freezes a parameter after a backward forgets its gradient, or it moves once more."""
    torch = pytest.importorskip("torch")
    found = []
    for library, made in (
        (tg.optim, lambda v: tg.nn.Parameter(v)),
        (torch.optim, lambda v: torch.nn.Parameter(torch.tensor(v))),
    ):
        frozen, left, trained = (made(np.ones(2, np.float32)) for _ in range(3))
        optimizer = getattr(library, name)([frozen, left, trained], lr=0.1)
        ((frozen + trained) * 3.0).sum().backward()
        frozen.requires_grad = False
        optimizer.step()
        found.append([p.detach().numpy() for p in (frozen, left, trained)])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert (found[0][0] < 1).all() and (found[0][1] == 1).all() and (found[0][2] < 1).all()
