"""States of optimizers: to PyTorch and back, of earlier versions, and bad ones, which change nothing."""

import math
import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_notes as tg
from tests.bits import same
from tinygrad_notes import checkpoint, nn

CHOICES = {
    "sgd": ("SGD", dict(lr=0.1)),
    "momentum": ("SGD", dict(lr=0.1, momentum=0.9, dampening=0.2, weight_decay=0.01)),
    "nesterov": ("SGD", dict(lr=0.1, momentum=0.9, nesterov=True, maximize=True)),
    "adam": ("Adam", dict(lr=0.01, weight_decay=0.1, betas=(0.8, 0.95), eps=1e-4)),
    "amsgrad": ("Adam", dict(lr=0.05, amsgrad=True)),
    "adamw": ("AdamW", dict(lr=0.01, amsgrad=True, maximize=True)),
    "decoupled": ("Adam", dict(lr=0.01, weight_decay=0.1, decoupled_weight_decay=True)),
}
SHAPES = [(3, 4), (), (5,)]


def gradients(steps, seed):
    rng = np.random.default_rng(seed)
    return [[np.asarray(rng.standard_normal(s)) for s in SHAPES] for _ in range(steps)]


def ours(choice, arrays, **other):
    name, options = CHOICES[choice]
    parameters = [nn.Parameter(np.array(a)) for a in arrays]
    groups = [{"params": parameters[:1]}, {"params": parameters[1:], "lr": 0.02}]
    return parameters, getattr(tg.optim, name)(groups, **{**options, **other})


def theirs(choice, arrays, **other):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    name, options = CHOICES[choice]
    parameters = [torch.nn.Parameter(torch.tensor(a)) for a in arrays]
    groups = [{"params": parameters[:1]}, {"params": parameters[1:], "lr": 0.02}]
    return parameters, getattr(torch.optim, name)(groups, **{**options, **other})


def train(parameters, optimizer, steps, tensor):
    for arrays in steps:
        for p, g in zip(parameters, arrays, strict=True):
            p.grad = tensor(g)
        optimizer.step()


def values(parameters):
    return [
        (tg.to_numpy(p.data) if isinstance(p, tg.Tensor) else p.detach().numpy()).copy() for p in parameters
    ]


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("before", [0, 3])
@pytest.mark.parametrize("how", [{}, {"foreach": True}, {"fused": True}], ids=["plain", "foreach", "fused"])
def test_a_state_of_torch_goes_on_here(choice, before, how):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    first, source = theirs(choice, gradients(1, 1)[0], **how)
    train(first, source, gradients(before, 2), torch.from_numpy)
    mine, optimizer = ours(choice, values(first), lr=9.0)  # what is loaded counts, not what was chosen here
    optimizer.load_state_dict(source.state_dict())
    train(first, source, gradients(20, 3), torch.from_numpy)
    train(mine, optimizer, gradients(20, 3), tg.Tensor)
    for a, b in zip(values(mine), values(first), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("before", [0, 3])
def test_a_state_from_here_goes_on_in_torch(choice, before):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    mine, source = ours(choice, gradients(1, 1)[0])
    train(mine, source, gradients(before, 2), tg.Tensor)
    other, optimizer = theirs(choice, values(mine), lr=9.0)
    optimizer.load_state_dict(source.state_dict(convert=torch.from_numpy))
    train(mine, source, gradients(20, 3), tg.Tensor)
    train(other, optimizer, gradients(20, 3), torch.from_numpy)
    for a, b in zip(values(mine), values(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("choice", ["momentum", "amsgrad"])
def test_there_and_back_is_the_same_to_the_last_bit(choice, tmp_path):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    mine, source = ours(choice, gradients(1, 1)[0])
    train(mine, source, gradients(3, 2), tg.Tensor)
    _, optimizer = theirs(choice, values(mine))
    optimizer.load_state_dict(source.state_dict(convert=torch.from_numpy))
    again, back = ours(choice, values(mine))
    back.load_state_dict(optimizer.state_dict())
    train(mine, source, gradients(5, 3), tg.Tensor)
    train(again, back, gradients(5, 3), tg.Tensor)
    for a, b in zip(values(mine), values(again), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_float32_state_of_bfloat16_and_of_other_layouts_is_read():
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    p = nn.Parameter(np.ones((2, 3), np.float32))
    optimizer = tg.optim.SGD([p], lr=0.1, momentum=0.9)
    state = optimizer.state_dict()
    for buffer in (torch.arange(6.0).reshape(3, 2).T, torch.full((2, 3), 0.5, dtype=torch.bfloat16),
                   torch.ones(2, 3, requires_grad=True)):  # fmt: skip
        optimizer.load_state_dict(state | {"state": {0: {"momentum_buffer": buffer}}})
        kept = optimizer.state[0]["momentum_buffer"]
        assert kept.dtype == np.float32 and kept.flags.c_contiguous
        np.testing.assert_array_equal(tg.to_numpy(kept), buffer.detach().float().numpy())
    optimizer.load_state_dict(state | {"state": {0: {"momentum_buffer": None}}})
    assert optimizer.state == {0: {}}


def test_shared_numbers_of_parameters_are_torchs():
    """torch numbers the parameters over all groups; the numbers decide, not the order of the states."""
    p, q = nn.Parameter(np.ones(2)), nn.Parameter(np.ones(3))
    optimizer = tg.optim.SGD([{"params": [p]}, {"params": [q]}], lr=0.1, momentum=0.9)
    state = optimizer.state_dict()
    state["param_groups"][0]["params"], state["param_groups"][1]["params"] = [7], [4]
    state["state"] = {4: {"momentum_buffer": np.ones(3)}, 7: {"momentum_buffer": np.ones(2)}}
    optimizer.load_state_dict(state)
    assert [optimizer.state[i]["momentum_buffer"].shape for i in (0, 1)] == [(2,), (3,)]


@pytest.mark.parametrize("choice", CHOICES)
def test_a_state_of_an_earlier_version_goes_on(choice):
    """Numbers as text, SGD's "velocity", groups without the options of today."""
    mine, source = ours(choice, gradients(1, 1)[0], maximize=False)
    train(mine, source, gradients(3, 2), tg.Tensor)
    state = source.state_dict()
    old = {
        "param_groups": [{k: v for k, v in g.items() if k not in ("maximize", "decoupled_weight_decay")}
                         for g in state["param_groups"]],
        "state": {str(i): {"velocity" if k == "momentum_buffer" else k: v for k, v in s.items()}
                  for i, s in state["state"].items()},
    }  # fmt: skip
    again, optimizer = ours(choice, values(mine), maximize=False)
    optimizer.load_state_dict(old)
    train(mine, source, gradients(5, 3), tg.Tensor)
    train(again, optimizer, gradients(5, 3), tg.Tensor)
    for a, b in zip(values(mine), values(again), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_state_goes_through_a_file(tmp_path):
    mine, source = ours("amsgrad", gradients(1, 1)[0])
    train(mine, source, gradients(3, 2), tg.Tensor)
    checkpoint.save(source.state_dict(), tmp_path / "state.safetensors")
    _, optimizer = ours("amsgrad", values(mine))
    optimizer.load_state_dict(checkpoint.load(tmp_path / "state.safetensors"))
    assert same(optimizer.state_dict(), source.state_dict())


def test_amsgrad_counts_only_where_the_group_asks_for_it():
    mine, source = ours("amsgrad", gradients(1, 1)[0])
    train(mine, source, gradients(3, 2), tg.Tensor)
    state = source.state_dict()
    for group in state["param_groups"]:
        group["amsgrad"] = False
    plain, without = ours("amsgrad", values(mine))
    without.load_state_dict(state)
    for s in state["state"].values():
        del s["max_exp_avg_sq"]
    other, never = ours("amsgrad", values(mine))
    never.load_state_dict(state)
    train(plain, without, gradients(3, 3), tg.Tensor)
    train(other, never, gradients(3, 3), tg.Tensor)
    for a, b in zip(values(plain), values(other), strict=True):
        np.testing.assert_array_equal(a, b)


# ---- bad states ----------------------------------------------------------------------------------


def set_in(*path, to):
    """A state with one entry changed (to=...: a value, or a function of the one before)."""

    def change(state):
        inner = state
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = to(inner[path[-1]]) if callable(to) else to

    return change


def without(*path):
    def change(state):
        inner = state
        for key in path[:-1]:
            inner = inner[key]
        del inner[path[-1]]

    return change


LAST = ("state", 2, "exp_avg_sq")  # what is checked last
BAD = {
    "complex": set_in(*LAST, to=lambda a: a + 1j),
    "text": set_in(*LAST, to=lambda a: a.astype(str)),
    "objects": set_in(*LAST, to=lambda a: a.astype(object)),
    "an object": set_in(*LAST, to=object()),
    "a masked array": set_in(*LAST, to=lambda a: np.ma.masked_array(a, a > 0)),
    "dates": set_in(*LAST, to=lambda a: np.zeros(a.shape, "datetime64[s]")),
    "truths": set_in(*LAST, to=lambda a: a > 0),
    "a list of unequal rows": set_in(*LAST, to=[[1.0], [1.0, 2.0]]),
    "another shape": set_in(*LAST, to=lambda a: a[:2]),
    "a number": set_in(*LAST, to=1.0),
    "a lacking array": without(*LAST),
    "an array of None": set_in(*LAST, to=None),
    "a lacking count": without("state", 2, "step"),
    "half a step": set_in("state", 2, "step", to=1.5),
    "a step before the first": set_in("state", 2, "step", to=-1),
    "a step of text": set_in("state", 2, "step", to="3"),
    "an infinite step": set_in("state", 2, "step", to=math.inf),
    "steps": set_in("state", 2, "step", to=np.array([3.0, 3.0])),
    "no largest": set_in("param_groups", 1, "amsgrad", to=True),
    "of another optimizer": set_in("state", 2, "square_avg", to=np.ones(5)),
    "a state of nothing": set_in("state", 2, to=None),
    "a parameter too many": set_in("state", 3, to={}),
    "a parameter of text": set_in("state", "weight", to={}),
    "a negative parameter": set_in("state", -1, to={}),
    "a parameter twice": set_in("state", "2", to={}),
    "no state": without("state"),
    "a list of states": set_in("state", to=[]),
    "no groups": without("param_groups"),
    "a group too few": without("param_groups", 1),
    "a group that is none": set_in("param_groups", 1, to=3),
    "no parameters": without("param_groups", 1, "params"),
    "a parameter too few": set_in("param_groups", 1, "params", to=[1]),
    "parameters of text": set_in("param_groups", 1, "params", to=["a", "b"]),
    "one parameter twice": set_in("param_groups", 1, "params", to=[1, 0]),
    "an unknown option": set_in("param_groups", 1, "momentum", to=0.9),
    "a lacking option": without("param_groups", 1, "eps"),
    "a negative rate": set_in("param_groups", 1, "lr", to=-0.1),
    "a rate that is NaN": set_in("param_groups", 1, "lr", to=math.nan),
    "a rate of text": set_in("param_groups", 1, "lr", to="0.1"),
    "no rate": set_in("param_groups", 1, "lr", to=None),
    "a complex rate": set_in("param_groups", 1, "lr", to=np.complex64(1)),
    "rates": set_in("param_groups", 1, "lr", to=np.ones(2)),
    "a masked rate": set_in("param_groups", 1, "lr", to=np.ma.masked_array(0.1, True)),
    "betas of 1": set_in("param_groups", 1, "betas", to=(0.9, 1.0)),
    "three betas": set_in("param_groups", 1, "betas", to=(0.9, 0.9, 0.9)),
    "a beta": set_in("param_groups", 1, "betas", to=0.9),
    "betas of text": set_in("param_groups", 1, "betas", to=("0.9", "0.9")),
    "amsgrad by number": set_in("param_groups", 1, "amsgrad", to=0),
    "maximize by text": set_in("param_groups", 1, "maximize", to="no"),
    "an infinite decay": set_in("param_groups", 1, "weight_decay", to=math.inf),
    "a first rate of text": set_in("param_groups", 1, "initial_lr", to="x"),
}


OF_2 = "exp_avg_sq of parameter 2"
# Of each the beginning of what is said. (What follows is a long value, or NumPy's own words.)
SAID = {
    "complex": f"{OF_2} must hold real numbers, got complex128",
    "text": f"{OF_2} must hold real numbers, got <U32",
    "objects": f"{OF_2} must hold real numbers, got object",
    "an object": f"{OF_2} must hold real numbers, got object",
    "a masked array": f"{OF_2} is a masked array, which would lose its mask; use .filled(value) first",
    "dates": f"{OF_2} must hold real numbers, got datetime64[s]",
    "truths": f"{OF_2} must hold real numbers, got bool",
    "a list of unequal rows": f"{OF_2} is a list that gives no array: ",
    "another shape": f"{OF_2} is (2,), the parameter (5,)",
    "a number": f"{OF_2} is (), the parameter (5,)",
    "a lacking array": "the saved state of parameter 2 lacks ['exp_avg_sq']",
    "an array of None": "the saved state of parameter 2 lacks ['exp_avg_sq']",
    "a lacking count": "the saved state of parameter 2 lacks ['step']",
    "half a step": "step of parameter 2 must be a whole number, got 1.5",
    "a step before the first": "step of parameter 2 must be a finite number ≥ 0, got -1",
    "a step of text": "step of parameter 2 must be a number, got '3'",
    "an infinite step": "step of parameter 2 must be a finite number ≥ 0, got inf",
    "steps": "step of parameter 2 must be one number, got an array of shape (2,)",
    "no largest": "the saved state of parameter 1 lacks ['max_exp_avg_sq']",
    "of another optimizer": "['square_avg'] saved, by another optimizer",
    "a state of nothing": "'state' must be a dict of dicts, got {0: ",
    "a parameter too many": "state for parameter 3, which is not here",
    "a parameter of text": "parameters are numbered in a saved state, got 'weight'",
    "a negative parameter": "state for parameter -1, which is not here",
    "a parameter twice": "the state of one parameter is saved twice: [0, 1, 2, '2']",
    "no state": "a saved state must be a dict with 'state' and 'param_groups'",
    "a list of states": "'state' must be a dict of dicts, got []",
    "no groups": "a saved state must be a dict with 'state' and 'param_groups'",
    "a group too few": "1 groups saved, 2 here",
    "a group that is none": "'param_groups' must be a list of dicts, got [{",
    "no parameters": "a saved group must list its 'params', got None",
    "a parameter too few": "1 parameters of a group saved, 2 here",
    "parameters of text": "parameters are numbered in a saved state, got 'a'",
    "one parameter twice": "a number stands twice among the saved 'params'",
    "an unknown option": "saved with ['momentum'], which is no option here",
    "a lacking option": "a saved group lacks ['eps']",
    "a negative rate": "lr must be a finite number ≥ 0, got -0.1",
    "a rate that is NaN": "lr must be a finite number ≥ 0, got nan",
    "a rate of text": "lr must be a number, got '0.1'",
    "no rate": "lr must be a number, got None",
    "a complex rate": "lr must hold real numbers, got complex64",
    "rates": "lr must be one number, got an array of shape (2,)",
    "a masked rate": "lr is a masked array, which would lose its mask; use .filled(value) first",
    "betas of 1": "betas must be two numbers in [0, 1), got (0.9, 1.0)",
    "three betas": "betas must be two numbers in [0, 1), got (0.9, 0.9, 0.9)",
    "a beta": "betas must be two numbers in [0, 1), got 0.9",
    "betas of text": "betas must be a number, got '0.9'",
    "amsgrad by number": "amsgrad must be True or False, got 0",
    "maximize by text": "maximize must be True or False, got 'no'",
    "an infinite decay": "weight_decay must be a finite number ≥ 0, got inf",
    "a first rate of text": "initial_lr must be a number, got 'x'",
}


def two_adams():
    """An optimizer in mid-training, and the state of another one that fits it."""
    mine, optimizer = ours("adam", gradients(1, 1)[0])
    train(mine, optimizer, gradients(3, 2), tg.Tensor)
    parameters, source = ours("adam", gradients(1, 4)[0], lr=0.5, eps=1e-3)
    train(parameters, source, gradients(5, 5), tg.Tensor)
    return optimizer, source.state_dict()


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_state_changes_nothing(bad):
    optimizer, state = two_adams()
    before, arrays = optimizer.state_dict(), [list(s.values()) for s in optimizer.state.values()]
    BAD[bad](state)
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape('Adam: ' + SAID[bad])}"):
        optimizer.load_state_dict(state)
    assert same(optimizer.state_dict(), before)
    assert all(a is b for s, t in zip(arrays, optimizer.state.values(), strict=True)
               for a, b in zip(s, t.values(), strict=True) if isinstance(a, np.ndarray))  # fmt: skip


def test_the_state_that_the_bad_ones_are_made_of_is_good():
    optimizer, state = two_adams()
    optimizer.load_state_dict(state)
    assert same(optimizer.state_dict(), state)


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.complex_numbers(), st.text(max_size=3),
    st.sampled_from([np.ones(5), np.ones((3, 4)), np.array("x"), np.array(None), np.ma.masked, object()]),
)  # fmt: skip
KEYS = st.sampled_from(["state", "param_groups", "params", "lr", "step", "exp_avg", 0, 1, "0"])
WILD = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
PLACES = [
    ("state",), ("state", 1), ("state", 2, "exp_avg"), ("state", 0, "step"), ("param_groups",),
    ("param_groups", 0), ("param_groups", 0, "lr"), ("param_groups", 1, "betas"),
    ("param_groups", 1, "params"),
]  # fmt: skip


@given(st.sampled_from([(), *PLACES]), WILD)
def test_whatever_is_loaded_fits_or_changes_nothing(path, value):
    optimizer, state = two_adams()
    before = optimizer.state_dict()
    if path:
        set_in(*path, to=lambda _: value)(state)
    else:
        state = value
    try:
        optimizer.load_state_dict(state)
    except (ValueError, TypeError):
        assert same(optimizer.state_dict(), before)
    else:  # then it can go on, and be saved
        for p in optimizer._parameters:
            p.grad = tg.Tensor(np.ones(p.shape))
        optimizer.step()
        assert optimizer.state_dict().keys() == {"state", "param_groups"}


@pytest.mark.parametrize("choice, other", [("adam", "momentum"), ("momentum", "adam"), ("adamw", "adam")])
def test_a_state_of_another_optimizer_is_refused(choice, other):
    mine, source = ours(choice, gradients(1, 1)[0])
    train(mine, source, gradients(1, 2), tg.Tensor)
    _, optimizer = ours(other, values(mine))
    state = source.state_dict()
    if other == "adam":  # of AdamW: the same arrays, and the group says what they were for, as in torch
        optimizer = tg.optim.AdamW(optimizer.param_groups) if choice == "adam" else optimizer
    if (choice, other) == ("adamw", "adam"):
        optimizer.load_state_dict(state)
        assert optimizer.param_groups[0]["decoupled_weight_decay"] is True
    else:
        with pytest.raises(ValueError, match="by another optimizer"):
            optimizer.load_state_dict(state)


def test_adamw_refuses_the_state_of_adam():
    mine, source = ours("adam", gradients(1, 1)[0])
    _, optimizer = ours("adamw", values(mine))
    with pytest.raises(ValueError, match="AdamW: decoupled_weight_decay is False; Adam has the L2 decay"):
        optimizer.load_state_dict(source.state_dict())


def test_loading_does_not_keep_a_second_copy():
    p = nn.Parameter(np.ones(10**6, np.float32))
    optimizer = tg.optim.Adam([p])
    p.grad = tg.Tensor(np.ones(10**6, np.float32))
    optimizer.step()
    state = optimizer.state_dict()
    tracemalloc.start()
    optimizer.load_state_dict(state)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    if tg.backend.BACKEND == "numpy":
        assert peak < 9e6 and kept < 9e6  # two arrays of 4 MB
