"""Options, groups, errors and limits of the optimizers, one after another; clipping; rows of tables."""

import inspect
import math
import re

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import nn, optim

ADAM = dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, maximize=False)
DEFAULTS = {
    "SGD": dict(momentum=0, dampening=0, weight_decay=0, nesterov=False, maximize=False),
    "Adam": ADAM | dict(decoupled_weight_decay=False),
    "AdamW": ADAM | dict(weight_decay=1e-2),
    "RowSGD": dict(max_norm=None),
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults_are_torchs(name):
    parameters = inspect.signature(getattr(optim, name)).parameters.values()
    assert {p.name: p.default for p in parameters if p.default is not p.empty} == DEFAULTS[name]


def weights(*values):
    return [nn.Parameter(np.full(2, float(v))) for v in values]


def moved(parameters):
    return [float(p.detach().numpy()[0]) for p in parameters]


def step(optimizer, *gradients):
    for p, g in zip(optimizer._parameters, gradients, strict=True):
        p.grad = None if g is None else tg.Tensor(np.full(2, float(g)))
    optimizer.step()
    return moved(optimizer._parameters)


# One step from 1 with gradient 2, by hand. The first step of Adam is lr in the gradient's direction.
ROOT = math.sqrt(0.05 / 0.05) + 0.5  # √(v / (1 − β₂)) + ε with g² = 1
FIRST = [
    ("SGD", dict(lr=0.1), 2, 0.8),
    ("SGD", dict(lr=0.1, maximize=True), 2, 1.2),
    ("SGD", dict(lr=0.1, weight_decay=0.5), 2, 0.75),
    ("SGD", dict(lr=0.1, weight_decay=0.5, maximize=True), 2, 1.15),
    ("SGD", dict(lr=0.1, momentum=0.5, dampening=0.9), 2, 0.8),
    ("SGD", dict(lr=0.1, momentum=0.5, nesterov=True), 2, 0.7),
    ("Adam", dict(lr=0.1), 2, 0.9),
    ("Adam", dict(lr=0.1, maximize=True), 2, 1.1),
    ("Adam", dict(lr=0.1, betas=(0.5, 0.95), eps=0.5), 1, 1 - 0.1 / ROOT),
    ("Adam", dict(lr=0.1, weight_decay=3.0), -2, 0.9),
    ("Adam", dict(lr=0.1, weight_decay=3.0, decoupled_weight_decay=True), -2, 0.8),
    ("AdamW", dict(lr=0.1, weight_decay=3.0, maximize=True), -2, 0.6),
    ("AdamW", dict(lr=0.1), 2, 0.899),
]


@pytest.mark.parametrize("name, options, gradient, expected", FIRST)
def test_the_first_step_by_hand(name, options, gradient, expected):
    for group in (options, {}):  # as defaults, and as options of a group
        p = weights(1)
        given = {"lr": 1e9} if group and name == "SGD" else {}
        made = getattr(optim, name)([{"params": p, **group}], **(given if group else options))
        assert step(made, gradient) == pytest.approx([expected], abs=1e-7)


def test_a_beta_is_of_its_mean():
    """The second of two steps, with gradients 1 and then 3."""
    p = weights(0)
    made = optim.Adam(p, lr=1.0, betas=(0.5, 0.75), eps=0.25)
    first, second = (step(made, g)[0] for g in (1, 3))
    m, v = 0.5 * 0.5 + 0.5 * 3, 0.75 * 0.25 + 0.25 * 9
    assert second - first == pytest.approx(-(m / 0.75) / (math.sqrt(v / (1 - 0.75**2)) + 0.25))


def test_amsgrad_keeps_the_largest_mean_of_squares():
    p = weights(0)
    made = optim.Adam(p, lr=1.0, betas=(0.0, 0.5), eps=0.0, amsgrad=True)
    places = [step(made, g)[0] for g in (4, 1)]
    assert places[1] - places[0] == pytest.approx(-1 / math.sqrt(8 / 0.75))  # v is 8, and then 4.5


V, T = ValueError, TypeError
# optimizer, options, error, what it says
WRONG_OPTIONS = [
    ("SGD", dict(lr=-0.5), V, "lr must be a finite number ≥ 0, got -0.5"),
    ("SGD", dict(momentum=-0.5), V, "momentum must be a finite number ≥ 0, got -0.5"),
    ("SGD", dict(dampening=math.inf), V, "dampening must be a finite number, got inf"),
    ("SGD", dict(weight_decay=-1), V, "weight_decay must be a finite number ≥ 0, got -1"),
    ("Adam", dict(eps=-1e-8), V, "eps must be a finite number ≥ 0, got -1e-08"),
    ("SGD", dict(lr="fast"), T, "lr must be a number, got 'fast'"),
    ("SGD", dict(lr=True), T, "lr must be a number, got True"),
    ("SGD", dict(lr=np.ones(2)), T, "lr must be one number, got an array of shape (2,)"),
    ("SGD", dict(maximize=1), T, "maximize must be True or False, got 1"),
    ("Adam", dict(amsgrad="no"), T, "amsgrad must be True or False, got 'no'"),
    ("Adam", dict(decoupled_weight_decay=0), T, "decoupled_weight_decay must be True or False, got 0"),
    ("SGD", dict(momentum=0.9, dampening=0.1, nesterov=True), V,
     "nesterov needs momentum > 0 and dampening = 0"),
    ("SGD", dict(nesterov=True), V, "nesterov needs momentum > 0 and dampening = 0"),
    ("Adam", dict(betas=(0.9, 1.0)), V, "betas must be two numbers in [0, 1), got (0.9, 1.0)"),
    ("Adam", dict(betas=(1.0, 0.9)), V, "betas must be two numbers in [0, 1), got (1.0, 0.9)"),
    ("Adam", dict(betas=0.9), V, "betas must be two numbers in [0, 1), got 0.9"),
    ("AdamW", dict(betas=(0.9, 0.9, 0.9)), V, "betas must be two numbers in [0, 1), got (0.9, 0.9, 0.9)"),
    ("Adam", dict(betas=(0.9, -0.1)), V, "betas must be a finite number ≥ 0, got -0.1"),
    ("Adam", dict(betas=(0.9, "x")), T, "betas must be a number, got 'x'"),
    ("AdamW", dict(decoupled_weight_decay=False), V,
     "decoupled_weight_decay is False; Adam has the L2 decay"),
    ("SGD", dict(initial_lr=-1), V, "initial_lr must be a finite number ≥ 0, got -1"),
    ("SGD", dict(speed=1, beta=2), V, "unknown options ['beta', 'speed']; known are ['dampening', 'lr', "
     "'maximize', 'momentum', 'nesterov', 'weight_decay']"),
    ("RowSGD", dict(momentum=0.9), V, "unknown options ['momentum']; known are ['lr']"),
]  # fmt: skip


@pytest.mark.parametrize("name, options, kind, message", WRONG_OPTIONS)
def test_a_wrong_option_is_told_with_its_value(name, options, kind, message):
    """Of a group, and then nothing is added."""
    made = getattr(optim, name)(weights(1), lr=0.1)
    with pytest.raises(kind, match=re.escape(f"{name}: {message}")):
        made.add_param_group({"params": weights(1), **options})
    assert len(made.param_groups) == len(made._parameters) == 1


# what is called with a parameter in a list, its error, and what it says
WRONG = [
    (lambda p: optim.Adam([]), V, "Adam: no parameters to optimize"),
    (lambda p: optim.Adam([p[0], p[0]]), V, "Adam: a parameter is given twice"),
    (lambda p: optim.Adam([{"params": p}, {"params": p[0]}]), V, "Adam: a parameter is given twice"),
    (lambda p: optim.Adam([*p, 3]), T, "Adam: parameters must be leaf Tensors, got 3"),
    (lambda p: optim.Adam([p[0] * 2]), T, "Adam: parameters must be leaf Tensors, got "),
    (lambda p: optim.Adam([{"params": p}, [p[0]]]), T, "Adam: a group must be a dict with 'params', got ["),
    (lambda p: optim.Adam([{"params": {*p}}]), T,
     "Adam: a set of parameters has no order to save their state in; use a list"),
    (lambda p: optim.Adam([{"params": frozenset(p)}]), T, "Adam: a set of parameters has no order"),
    (lambda p: optim.RowSGD(p, 0.1, -2.0), V, "RowSGD: max_norm must be above 0, got -2.0"),
    (lambda p: optim.RowSGD(p, 0.1, math.nan), V, "RowSGD: max_norm must be above 0, got nan"),
    (lambda p: optim.RowSGD(p, 0.1).pick([0], nn.Parameter(np.ones((3, 2)))), V,
     "RowSGD: a table (3, 2) was picked from that is none of its parameters"),
    (lambda p: optim.clip_grad_norm_(p, -1), V, "clip_grad_norm_: max_norm must be positive, got -1"),
    (lambda p: optim.clip_grad_norm_(p, "1"), T, "clip_grad_norm_: max_norm must be a number"),
    (lambda p: optim.clip_grad_value_(p, 0), V, "clip_grad_value_: clip_value must be positive, got 0"),
    (lambda p: optim.clip_grad_value_(p, None), T, "clip_grad_value_: clip_value must be a number"),
    (lambda p: step(optim.Optimizer(p, maximize=False), 1), T, "Optimizer defines no _numbers"),
]  # fmt: skip


@pytest.mark.parametrize("make, kind, message", WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_told(make, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        make(weights(1))


@pytest.mark.parametrize("value, number", [
    (0.5, 0.5), (1, 1), (np.float32(0.5), 0.5), (np.array(0.5), 0.5), (np.array([[2]]), 2),
    (tg.Tensor(0.5), 0.5)
])  # fmt: skip
def test_an_option_becomes_a_number_of_pythons(value, number):
    made = optim.Adam(weights(1), lr=value, betas=[value / 4, value / 4])
    lr, betas = made.param_groups[0]["lr"], made.param_groups[0]["betas"]
    assert type(lr) in (int, float) and lr == number
    assert type(betas) is tuple and all(type(b) is float for b in betas) and betas == (number / 4,) * 2
    nesterov = optim.SGD(weights(1), 0.1, 0.9, nesterov=np.bool_(True)).param_groups[0]["nesterov"]
    assert nesterov is True


def test_dampening_may_be_negative_and_zero_rates_are_allowed():
    made = optim.SGD(weights(1), 0, 0.5, dampening=-1.0)
    assert step(made, 2) == [1.0]
    made.param_groups[0]["lr"] = 0.1
    assert step(made, 2) == pytest.approx([1 - 0.1 * (0.5 * 2 + 2 * 2)])


@pytest.mark.parametrize("make", [
    lambda p: optim.SGD(p[0], 0.5), lambda p: optim.SGD(iter(p), 0.5),
    lambda p: optim.SGD([("w", p[0])], 0.5),
    lambda p: optim.SGD([{"params": p[0]}], 0.5),
    lambda p: optim.SGD([{"params": iter([("w", p[0])])}], 0.5),
])  # fmt: skip
def test_parameters_may_be_one_some_or_named(make):
    assert step(make(weights(1)), 1) == [0.5]


def test_names_are_of_their_group():
    p = weights(1, 2, 3)
    made = optim.SGD([{"params": [("a", p[0])]}, {"params": [p[1]]}], 0.1)
    made.add_param_group({"params": [("c", p[2])], "lr": 0.5})
    assert [g.get("param_names") for g in made.param_groups] == [["a"], None, ["c"]]
    assert [g["params"][0] for g in made.param_groups] == p and made.param_groups[2]["lr"] == 0.5
    assert made.state_dict()["param_groups"][2]["params"] == [2]


def test_gradients_of_all_groups_are_forgotten_and_those_without_are_left():
    p = weights(1, 1, 1)
    made = optim.SGD([{"params": p[:1]}, {"params": p[1:], "lr": 0.5, "maximize": True}], 0.25)
    assert step(made, 1, None, 1) == [0.75, 1, 1.5]
    made.zero_grad()
    assert [q.grad for q in p] == [None] * 3
    assert made.defaults["lr"] == 0.25 and made.param_groups[0]["maximize"] is False


def test_a_state_has_copies_and_numbers_over_all_groups():
    p = weights(1, 1, 1)
    made = optim.SGD([{"params": p[:2]}, {"params": p[2:]}], 0.1, 0.5)
    step(made, 1, None, 3)
    state = made.state_dict()
    assert [g["params"] for g in state["param_groups"]] == [[0, 1], [2]]
    assert list(state["state"]) == [0, 2] and state["state"][2]["momentum_buffer"].tolist() == [3, 3]
    state["state"][2]["momentum_buffer"][:] = 9
    assert made.state_dict()["state"][2]["momentum_buffer"].tolist() == [3, 3]
    shapes = made.state_dict(convert=lambda a: a.shape)["state"]
    assert shapes == {0: {"momentum_buffer": (2,)}, 2: {"momentum_buffer": (2,)}}


def test_a_group_that_is_given_stays_as_it_was():
    p = weights(1, 1)
    group = {"params": [("a", p[0])], "lr": 0.5}
    made = optim.SGD([group], 0.25)
    made.param_groups[0]["lr"] = 9.0
    made.param_groups[0]["params"].append(p[1])
    assert group == {"params": [("a", p[0])], "lr": 0.5} and made.defaults["lr"] == 0.25
    listed = [p[1]]
    made = optim.SGD(listed, 0.25)
    made.param_groups[0]["params"].append(p[0])
    assert listed == [p[1]]


@pytest.mark.parametrize("name, options", [
    ("SGD", dict(momentum=0.5, nesterov=True, maximize=True)), ("Adam", dict(amsgrad=True, maximize=True)),
])  # fmt: skip
def test_options_that_a_saved_group_does_not_know_stay(name, options):
    made = getattr(optim, name)(weights(1), 0.1, **options)
    state = made.state_dict()
    for later in ("maximize", "amsgrad", "nesterov", "decoupled_weight_decay"):
        state["param_groups"][0].pop(later, None)
    made.load_state_dict(state | {"param_groups": [state["param_groups"][0] | {"lr": 0.5, "fused": None}]})
    assert {k: made.param_groups[0][k] for k in options} == options
    assert made.param_groups[0]["lr"] == 0.5 and "fused" not in made.param_groups[0]


def test_names_are_compared_where_both_have_them():
    named, plain = optim.SGD([("a", weights(1)[0])], 0.1), optim.SGD(weights(1), 0.1)
    named.load_state_dict(plain.state_dict())
    assert named.param_groups[0]["param_names"] == ["a"]
    plain.load_state_dict(named.state_dict())
    assert "param_names" not in plain.param_groups[0]
    message = re.escape("SGD: saved for the parameters ['a'], here are ['b']")
    with pytest.raises(ValueError, match=message):
        optim.SGD([("b", weights(1)[0])], 0.1).load_state_dict(named.state_dict())


@pytest.mark.parametrize(
    "bad, found", [(math.nan, "is NaN or infinite"), (-3e19, r"has |g| = 3e+19, whose square")]
)
def test_an_anomaly_is_looked_for_in_every_group(bad, found):
    """Behind a parameter without a gradient and an empty one, in the second place of the second group."""
    made = [nn.Parameter(np.ones(shape, np.float32)) for shape in ((2,), (0,), (2,), (2,))]
    adam = optim.Adam([{"params": made[:2]}, {"params": made[2:]}])
    made[1].grad = tg.Tensor(np.ones(0, np.float32))
    made[3].grad = tg.Tensor(np.array([1, bad], np.float32))
    with tg.detect_anomaly(), pytest.raises(FloatingPointError) as error:
        adam.step()
    assert f"Adam: the gradient of parameter 1 of group 1, (2,) float32, {found}" in str(error.value)
    assert "nothing was changed" in str(error.value) and adam.state == {}


# ---- clipping ----------------------------------------------------------------------------------


def with_gradients(*gradients):
    owners = [nn.Parameter(np.zeros(np.shape(g), getattr(g, "dtype", None))) for g in gradients]
    for p, g in zip(owners, gradients, strict=True):
        p.grad = tg.Tensor(g)
    return owners


def test_the_norm_is_that_of_all_gradients_there_are():
    owners = with_gradients(np.array([2.0, -4.0]), np.array([[5.0]]), np.array(2.0))
    none = nn.Parameter(np.zeros(3))
    norm = optim.clip_grad_norm_(iter([owners[0], none, *owners[1:]]), 3.5)
    assert norm.item() == 7.0 and norm.shape == () and none.grad is None
    assert owners[0].grad.numpy().tolist() == pytest.approx([1.0, -2.0], rel=1e-6)
    assert owners[1].grad.numpy().tolist() == [[pytest.approx(2.5, rel=1e-6)]]
    assert owners[2].grad.shape == () and owners[2].grad.item() == pytest.approx(1.0, rel=1e-6)


def test_a_millionth_is_added_to_the_norm():
    (p,) = with_gradients(np.array([3e-6, -4e-6]))
    optim.clip_grad_norm_([p], 3e-6)
    np.testing.assert_allclose(p.grad.numpy(), [1.5e-6, -2e-6], rtol=1e-12)


@pytest.mark.parametrize("dtypes, norm", [
    (["float16", "float32"], "float32"), (["float32", "float32"], "float32"),
    (["float64", "float64"], "float64"), (["float16", "float16"], "float32"),
])  # fmt: skip
def test_each_gradient_keeps_its_dtype(dtypes, norm):
    owners = with_gradients(*(np.array([3.0, 4.0], d) for d in dtypes))
    assert optim.clip_grad_norm_(owners, 1).dtype == norm
    optim.clip_grad_value_(owners, 0.25)
    for p, dtype in zip(owners, dtypes, strict=True):
        assert p.grad.dtype == dtype and p.grad.numpy().tolist() == [0.25, 0.25]
    assert optim.clip_grad_norm_([nn.Parameter(np.zeros(2))], 1.0).dtype == np.float32


def test_a_gradient_that_is_nan_is_seen_everywhere():
    owners = with_gradients(np.array([1.0, 2.0]), np.array([0.0, math.nan]))
    assert math.isnan(optim.clip_grad_norm_(owners, 1.0).item())
    assert all(np.isnan(p.grad.numpy()).all() for p in owners)


def test_values_are_limited_at_both_ends_in_a_new_array():
    (p,) = with_gradients(np.array([-5.0, -0.5, 0.5, 5.0, math.inf]))
    held, none = p.grad, nn.Parameter(np.zeros(1))
    assert optim.clip_grad_value_([none, p], 2) is None
    assert p.grad.numpy().tolist() == [-2, -0.5, 0.5, 2, 2] and none.grad is None
    assert held.numpy().tolist() == [-5, -0.5, 0.5, 5, math.inf]
    optim.clip_grad_value_(p, 1.0)
    assert p.grad.numpy().tolist() == [-1, -0.5, 0.5, 1, 1]


# ---- rows --------------------------------------------------------------------------------------


def test_rows_keep_a_nan_and_lengths_up_to_the_limit():
    weight = nn.Parameter(np.zeros((4, 2)))
    rows = optim.RowSGD([weight], 1.0, max_norm=5)
    factors = np.array([[3.0, 4.0], [6.0, 8.0], [math.nan, 1.0], [0.3, 0.4]])
    (rows.pick([3, 1, 0, 2], weight) * tg.Tensor(factors)).sum().backward()
    rows.step()
    found = weight.detach().numpy()
    np.testing.assert_allclose(found[[3, 1, 2]], [[-3, -4], [-3, -4], [-0.3, -0.4]], rtol=1e-14)
    assert np.isnan(found[0]).all()


def test_what_was_picked_but_not_differentiated_is_forgotten_and_dense_gradients_too():
    weight, other = (nn.Parameter(np.ones((3, 2))) for _ in range(2))
    rows = optim.RowSGD([weight, other], 0.5)
    unused = rows.pick([0], weight)
    rows.pick([1], other).sum().backward()
    weight.grad = tg.Tensor(np.ones((3, 2)))
    rows.step()
    assert weight.detach().numpy().tolist() == [[1, 1]] * 3  # the dense gradient is not its business
    assert other.detach().numpy().tolist() == [[1, 1], [0.5, 0.5], [1, 1]]
    unused.sum().backward()
    rows.step()
    assert weight.detach().numpy().tolist() == [[1, 1]] * 3
    rows.zero_grad()
    assert weight.grad is None and rows.state_dict()["state"] == {}


# ---- arrays of any order -----------------------------------------------------------------------

ORDERS = {
    "in order": lambda a: tg.Tensor(a)._data,
    "turned": lambda a: tg.Tensor(a.T.copy())._data.T,
    "from behind": lambda a: tg.Tensor(a[::-1].copy())._data[::-1],
    "every second": lambda a: tg.Tensor(np.repeat(a, 2, axis=1))._data[:, ::2],
}
KINDS = {
    "SGD": dict(lr=0.1, momentum=0.9, weight_decay=0.1, nesterov=True),
    "Adam": dict(lr=0.1, amsgrad=True, weight_decay=0.1),
    "AdamW": dict(lr=0.1, maximize=True),
}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", KINDS)
def test_the_order_of_arrays_does_not_matter(name, dtype):
    rng = np.random.default_rng(0)
    start, first, second = (rng.standard_normal((4, 6)).astype(dtype) for _ in range(3))
    found = {}
    for order in ORDERS:
        for of_gradient in ORDERS:
            p = nn.Parameter(start)
            p._data = ORDERS[order](start)
            made = getattr(optim, name)([p], **KINDS[name])
            for g in (first, second):
                p.grad = tg.Tensor._wrap(ORDERS[of_gradient](g))
                made.step()
            found[order, of_gradient] = p.detach().numpy().tolist()
            assert p.dtype == dtype
    assert all(values == found["in order", "in order"] for values in found.values())


@pytest.mark.parametrize("shape", [(), (0,), (1, 1)])
@pytest.mark.parametrize("name", KINDS)
def test_a_single_number_and_none_are_moved_and_saved(name, shape):
    p = nn.Parameter(np.ones(shape, np.float32))
    made = getattr(optim, name)([p], **KINDS[name])
    for _ in range(2):
        p.grad = tg.Tensor(np.ones(shape, np.float32))
        made.step()
        state = made.state_dict()
        made.load_state_dict(state)
    assert (p.shape, p.dtype) == (shape, np.float32) and (p.detach().numpy() != 1).all()
    arrays = [v for v in state["state"][0].values() if isinstance(v, np.ndarray)]
    count = {"SGD": 1, "Adam": 3, "AdamW": 2}[name]
    assert [(a.shape, a.dtype) for a in arrays] == [(shape, np.float32)] * count
