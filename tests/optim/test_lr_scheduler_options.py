"""Options, defaults and errors of the schedules, one after another, with rates worked out by hand."""

import inspect
import math
import re

import numpy as np
import pytest

from tinygrad_notes import nn, optim
from tinygrad_notes.optim import lr_scheduler

DEFAULTS = {
    "StepLR": dict(gamma=0.1),
    "MultiStepLR": dict(gamma=0.1),
    "ExponentialLR": {},
    "ConstantLR": dict(factor=1 / 3, total_iters=5),
    "LinearLR": dict(start_factor=1 / 3, end_factor=1.0, total_iters=5),
    "PolynomialLR": dict(total_iters=5, power=1.0),
    "LambdaLR": {},
    "LinearWarmup": dict(after=None),
    "NoamLR": dict(warmup_steps=4000),
    "CosineAnnealingLR": dict(eta_min=0.0),
    "CosineAnnealingWarmRestarts": dict(T_mult=1, eta_min=0.0),
    "OneCycleLR": dict(total_steps=None, epochs=None, steps_per_epoch=None, pct_start=0.3,
                       anneal_strategy="cos", cycle_momentum=True, base_momentum=0.85, max_momentum=0.95,
                       div_factor=25.0, final_div_factor=1e4, three_phase=False),
    "ReduceLROnPlateau": dict(mode="min", factor=0.1, patience=10, threshold=1e-4, threshold_mode="rel",
                              cooldown=0, min_lr=0, eps=1e-8),
    "ChainedScheduler": dict(optimizer=None),
    "SequentialLR": {},
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(lr_scheduler.__all__) - {"LRScheduler"}))
def test_defaults_are_torchs(name):
    parameters = inspect.signature(getattr(lr_scheduler, name)).parameters.values()
    assert {p.name: p.default for p in parameters if p.default is not p.empty} == DEFAULTS[name]


def ours(kind="SGD", count=2, **options):
    """Groups with rates 1, 2, ..."""
    groups = [{"params": nn.Parameter(np.ones(1)), "lr": 1.0 + i} for i in range(count)]
    return getattr(optim, kind)(groups, **{"lr": 9.0} | options)


def rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


# schedule, options, factors of the first steps
FACTORS = [
    ("StepLR", dict(step_size=2), [1, 1, 0.1, 0.1, 0.01]),
    ("MultiStepLR", dict(milestones=[3, 1, 3]), [1, 0.1, 0.1, 0.001]),
    ("ExponentialLR", dict(gamma=-0.5), [1, -0.5, 0.25, -0.125]),
    ("ConstantLR", {}, [1 / 3] * 5 + [1, 1]),
    ("ConstantLR", dict(total_iters=0), [1, 1]),
    ("LinearLR", {}, [1 / 3, 7 / 15, 9 / 15, 11 / 15, 13 / 15, 1, 1]),
    ("LinearLR", dict(start_factor=1.0, end_factor=0.5, total_iters=2), [1, 0.75, 0.5, 0.5]),
    ("PolynomialLR", {}, [1, 0.8, 0.6, 0.4, 0.2, 0, 0]),
    ("PolynomialLR", dict(total_iters=2, power=3), [1, 0.125, 0]),
    ("LambdaLR", dict(lr_lambda=lambda s: s + 1), [1, 2, 3]),
    ("LinearWarmup", dict(steps=2), [0.5, 1, 1, 1]),
    ("LinearWarmup", dict(steps=2, after=lambda s: 10 + s), [0.5, 1, 10, 11]),
    ("NoamLR", dict(d_model=4), [0.5 * (t + 1) * 4000**-1.5 for t in range(3)]),
    ("NoamLR", dict(d_model=4, warmup_steps=1), [0.5, 0.5 * 2**-0.5, 0.5 * 3**-0.5]),
    ("CosineAnnealingLR", dict(T_max=4), [1, 0.5 + 0.125**0.5, 0.5, 0.5 - 0.125**0.5, 0, 0.5 - 0.125**0.5]),
    ("CosineAnnealingWarmRestarts", dict(T_0=2), [1, 0.5, 1, 0.5, 1]),
    ("CosineAnnealingWarmRestarts", dict(T_0=1, T_mult=2), [1, 1, 0.5, 1, 0.5 + 0.125**0.5, 0.5]),
]  # fmt: skip


@pytest.mark.parametrize("name, options, factors", FACTORS)
def test_factors_by_hand(name, options, factors):
    optimizer = ours()
    schedule = getattr(lr_scheduler, name)(optimizer, **options)
    for t, factor in enumerate(factors):
        if t:
            schedule.step()
        assert rates(optimizer) == pytest.approx([factor, 2 * factor], abs=1e-15)
        assert schedule.get_last_lr() == rates(optimizer) and schedule.last_epoch == t
    assert schedule.base_lrs == [1.0, 2.0]
    assert [group["initial_lr"] for group in optimizer.param_groups] == [1.0, 2.0]


@pytest.mark.parametrize("make", [
    lambda m, o: m.CosineAnnealingLR(o, 2, 0.5),
    lambda m, o: m.CosineAnnealingWarmRestarts(o, 4, eta_min=0.5),
])  # fmt: skip
def test_the_least_rate_of_a_cosine_is_that_of_every_group(make):
    optimizer = ours()
    schedule = make(lr_scheduler, optimizer)
    for _ in range(2):
        schedule.step()
    half = 0.0 if isinstance(schedule, lr_scheduler.CosineAnnealingLR) else 0.5
    assert rates(optimizer) == pytest.approx([0.5 + half * 0.5, 0.5 + half * 1.5])


def test_what_is_returned_of_a_schedule_is_a_copy():
    optimizer = ours()
    schedule = lr_scheduler.ExponentialLR(optimizer, 0.5)
    schedule.get_last_lr().clear()
    for values in schedule.state_dict().values():
        if isinstance(values, list):
            values.clear()
    assert schedule.state_dict() == {
        "last_epoch": 0, "base_lrs": [1.0, 2.0], "rates": [1.0, 2.0], "_last_lr": [1.0, 2.0]
    }  # fmt: skip
    schedule.step()
    assert rates(optimizer) == schedule.get_last_lr() == [0.5, 1.0]


def test_one_cycle_by_hand_of_each_group():
    """Straight from a quarter of the peak to it in 2 steps, and in 3 to a hundredth of the start."""
    optimizer = ours(momentum=0.3)
    schedule = lr_scheduler.OneCycleLR(
        optimizer, (4.0, 8.0), 6, pct_start=0.5, anneal_strategy="linear", div_factor=4.0,
        final_div_factor=100.0, base_momentum=[0.5, 0.6], max_momentum=[0.9, 1.0],
    )  # fmt: skip
    ups, momenta = [0.25, 0.625, 1.0], [1.0, 0.5, 0.0]
    downs = [1 - t / 3 * (1 - 0.0025) for t in (1, 2, 3)]
    for t, (share, left) in enumerate(zip(ups + downs, [*momenta, 1 / 3, 2 / 3, 1], strict=True)):
        if t:
            schedule.step()
        assert rates(optimizer) == pytest.approx([4 * share, 8 * share])
        found = [group["momentum"] for group in optimizer.param_groups]
        assert found == pytest.approx([0.5 + 0.4 * left, 0.6 + 0.4 * left])
    limits = "initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum"
    assert [[g[name] for name in limits] for g in optimizer.param_groups] == [
        pytest.approx([1.0, 4.0, 0.01, 0.5, 0.9]), pytest.approx([2.0, 8.0, 0.02, 0.6, 1.0])
    ]  # fmt: skip


def test_one_cycle_moves_only_the_first_beta_and_none_if_it_shall_not():
    for cycle, first in ((True, 0.95), (False, 0.5)):
        optimizer = ours("Adam", betas=(0.5, 0.7))
        lr_scheduler.OneCycleLR(optimizer, 0.1, 5, cycle_momentum=cycle)
        assert [g["betas"] for g in optimizer.param_groups] == [(first, 0.7)] * 2
        assert ("base_momentum" in optimizer.param_groups[0]) == cycle


@pytest.mark.parametrize("options, figures, expected", [
    (dict(factor=0.5, patience=0), [3, 4, 4], [1, 0.5, 0.25]),
    (dict(factor=0.5, patience=0, eps=0.2), [3, 4, 4, 4], [1, 0.5, 0.25, 0.25]),  # 0.125 less is no change
    (dict(factor=0.5, patience=0, eps=0.25), [3, 4, 4], [1, 0.5, 0.5]),  # nor is eps itself
    (dict(factor=0.5, patience=0, min_lr=0.4), [3, 4, 4], [1, 0.5, 0.4]),
    (dict(factor=0.5, patience=0, threshold=0.1), [10, 9.1, 8.9], [1, 0.5, 0.5]),
    (dict(factor=0.5, patience=0, threshold=0.1), [10, 9, 8.9], [1, 0.5, 0.5]),  # no better at the limit
    (dict(factor=0.5, patience=0, threshold=0.1, mode="max"), [10, 10.9, 11.1], [1, 0.5, 0.5]),
    (dict(factor=0.5, patience=0, threshold=1, threshold_mode="abs", mode="max"), [10, 11, 11.5],
     [1, 0.5, 0.5]),
    ({}, [1.0] * 12, [1] * 11 + [0.1]),
    ({}, [1.0] + [1 - 0.9e-4] * 11, [1] * 11 + [0.1]),
    ({}, [1.0] + [1 - 1.1e-4] * 11, [1] * 12),
])  # fmt: skip
def test_a_plateau_by_hand(options, figures, expected):
    optimizer = ours(count=1)
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    found = []
    for figure in figures:
        schedule.step(figure)
        found += rates(optimizer)
        assert schedule.get_last_lr() == rates(optimizer)
    assert found == pytest.approx(expected) and schedule.last_epoch == len(figures)


# ---- errors ------------------------------------------------------------------------------------

V, T = ValueError, TypeError
WRONG = [
    (lambda m, o: m.StepLR(o, 0), V, "StepLR: step_size must be at least 1, got 0"),
    (lambda m, o: m.StepLR(o, True), T, "StepLR: step_size must be a whole number, got True"),
    (lambda m, o: m.StepLR(o, "3"), T, "StepLR: step_size must be a whole number, got '3'"),
    (lambda m, o: m.StepLR(o, 2, math.inf), V, "StepLR: gamma must be finite, got inf"),
    (lambda m, o: m.MultiStepLR(o, [2, -1]), V, "MultiStepLR: milestones must be at least 0, got -1"),
    (lambda m, o: m.MultiStepLR(o, [2], True), T, "MultiStepLR: gamma must be a number, got True"),
    (lambda m, o: m.ConstantLR(o, -0.5), V, "ConstantLR: factor must be finite, from 0 to 1, got -0.5"),
    (lambda m, o: m.ConstantLR(o, total_iters=-1), V, "ConstantLR: total_iters must be at least 0, got -1"),
    (lambda m, o: m.LinearLR(o, 0.5, 1.5), V, "LinearLR: end_factor must be finite, from 0 to 1, got 1.5"),
    (lambda m, o: m.LinearLR(o, 2), V, "LinearLR: start_factor must be finite, from 0 to 1, got 2"),
    (lambda m, o: m.LinearLR(o, 0.0), V,
     "LinearLR: start_factor must be above 0; LinearWarmup starts at 1 / steps"),
    (lambda m, o: m.LinearLR(o, total_iters=0), V, "LinearLR: total_iters must be at least 1, got 0"),
    (lambda m, o: m.PolynomialLR(o, 0), V, "PolynomialLR: total_iters must be at least 1, got 0"),
    (lambda m, o: m.PolynomialLR(o, power=-1), V,
     "PolynomialLR: power must be finite and at least 0, got -1"),
    (lambda m, o: m.LambdaLR(o, [max]), V, "LambdaLR: 1 functions for 2 groups"),
    (lambda m, o: m.LambdaLR(o, (max, 3)), T, "LambdaLR: lr_lambda must be a function of the step, got (<"),
    (lambda m, o: m.LinearWarmup(o, 0), V, "LinearWarmup: steps must be at least 1, got 0"),
    (lambda m, o: m.NoamLR(o, 0), V, "NoamLR: d_model must be at least 1, got 0"),
    (lambda m, o: m.NoamLR(o, 8, 0), V, "NoamLR: warmup_steps must be at least 1, got 0"),
    (lambda m, o: m.CosineAnnealingLR(o, 0), V, "CosineAnnealingLR: T_max must be at least 1, got 0"),
    (lambda m, o: m.CosineAnnealingLR(o, 2, math.nan), V,
     "CosineAnnealingLR: eta_min must be finite, got nan"),
    (lambda m, o: m.CosineAnnealingWarmRestarts(o, 2, 0), V,
     "CosineAnnealingWarmRestarts: T_mult must be at least 1, got 0"),
    (lambda m, o: m.CosineAnnealingWarmRestarts(o, 2, eta_min="0"), T,
     "CosineAnnealingWarmRestarts: eta_min must be a number"),
    (lambda m, o: m.CosineAnnealingWarmRestarts(o, 2).step(-0.5), V,
     "CosineAnnealingWarmRestarts: epoch must be finite and at least 0, got -0.5"),
    (lambda m, o: m.OneCycleLR(o, 0.1, epochs=3), V,
     "OneCycleLR: give total_steps, or epochs and steps_per_epoch"),
    (lambda m, o: m.OneCycleLR(o, 0.1, steps_per_epoch=3), V, "OneCycleLR: give total_steps, or epochs"),
    (lambda m, o: m.OneCycleLR(o, 0.1, 0), V, "OneCycleLR: total_steps must be at least 1, got 0"),
    (lambda m, o: m.OneCycleLR(o, 0.1, None, 0, 3), V, "OneCycleLR: epochs must be at least 1, got 0"),
    (lambda m, o: m.OneCycleLR(o, 0.1, None, 3, 0), V,
     "OneCycleLR: steps_per_epoch must be at least 1, got 0"),
    (lambda m, o: m.OneCycleLR(o, 0.1, 5, pct_start=1.5), V,
     "OneCycleLR: pct_start must be finite, from 0 to 1, got 1.5"),
    (lambda m, o: m.OneCycleLR(o, 0.1, 5, anneal_strategy="exp"), V,
     "OneCycleLR: anneal_strategy is 'cos' or 'linear', got 'exp'"),
    (lambda m, o: m.OneCycleLR(o, [0.1] * 3, 5), V,
     "OneCycleLR: max_lr has 3 values, the optimizer 2 groups"),
    (lambda m, o: m.OneCycleLR(o, 0.1, 5, base_momentum=[0.9]), V,
     "OneCycleLR: base_momentum has 1 values, the optimizer 2 groups"),
    (lambda m, o: m.OneCycleLR(o, 0.1, 5, max_momentum=[0.9]), V, "OneCycleLR: max_momentum has 1 values"),
    (lambda m, o: m.OneCycleLR(optim.RowSGD([nn.Parameter(np.ones((1, 1)))], 0.1), 0.1, 5), V,
     "OneCycleLR: cycle_momentum needs an optimizer with momentum or betas"),
    (lambda m, o: m.ReduceLROnPlateau(o, factor=1.0), V,
     "ReduceLROnPlateau: factor must be below 1, got 1.0"),
    (lambda m, o: m.ReduceLROnPlateau(o, "low"), V,
     "ReduceLROnPlateau: mode must be 'min' or 'max', got 'low'"),
    (lambda m, o: m.ReduceLROnPlateau(o, threshold_mode="x"), V,
     "ReduceLROnPlateau: threshold_mode must be 'rel' or 'abs', got 'x'"),
    (lambda m, o: m.ReduceLROnPlateau(o, patience=-1), V,
     "ReduceLROnPlateau: patience must be at least 0, got -1"),
    (lambda m, o: m.ReduceLROnPlateau(o, cooldown=0.5), T,
     "ReduceLROnPlateau: cooldown must be a whole number, got 0.5"),
    (lambda m, o: m.ReduceLROnPlateau(o, min_lr=[0.1]), V,
     "ReduceLROnPlateau: min_lr has 1 values, the optimizer 2 groups"),
    (lambda m, o: m.ReduceLROnPlateau(o, eps="0"), T, "ReduceLROnPlateau: eps must be a number"),
    (lambda m, o: m.ChainedScheduler([]), T, "ChainedScheduler: needs an Optimizer, got NoneType"),
    (lambda m, o: m.ChainedScheduler([], o), V, "ChainedScheduler: needs at least one schedule"),
    (lambda m, o: m.ChainedScheduler([m.StepLR(o, 1), 3]), T,
     "ChainedScheduler: number 1 is a int, not a schedule"),
    (lambda m, o: m.ChainedScheduler([m.StepLR(o, 1)], ours()), V,
     "ChainedScheduler: number 0 (StepLR) has another optimizer"),
    (lambda m, o: m.SequentialLR(o, [m.StepLR(o, 1), m.ReduceLROnPlateau(o)], [1]), V,
     "SequentialLR: ReduceLROnPlateau (number 1) needs a figure; step it by itself"),
    (lambda m, o: m.SequentialLR(o, [m.StepLR(o, 1)] * 2, [-1]), V,
     "SequentialLR: milestones must be at least 0, got -1"),
    (lambda m, o: m.SequentialLR(o, [m.StepLR(o, 1)] * 3, [3, 2]), V,
     "SequentialLR: milestones must increase, got [3, 2]"),
    (lambda m, o: m.LRScheduler(o), T, "LRScheduler defines no factor(step)"),
    (lambda m, o: m.NoamLR(None, 8), T, "NoamLR: needs an Optimizer, got NoneType"),
]  # fmt: skip


@pytest.mark.parametrize("make, kind, message", WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_told_with_its_value(make, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        make(lr_scheduler, ours())


def test_functions_are_counted_at_each_step():
    optimizer = ours()
    schedule = lr_scheduler.LambdaLR(optimizer, [lambda s: 1 / (1 + s), lambda s: 3.0])
    optimizer.add_param_group({"params": nn.Parameter(np.ones(1)), "lr": 8.0})
    message = "LambdaLR: 2 functions for 3 groups: append to lr_lambdas when a group is added"
    with pytest.raises(ValueError, match=message):
        schedule.step()
    schedule.lr_lambdas.append(lambda s: 0.25)
    schedule.step()
    assert rates(optimizer)[:2] == [0.5, 6.0]


RESTARTS = ("CosineAnnealingWarmRestarts", dict(T_0=3))
PLATEAU = ("ReduceLROnPlateau", dict(patience=2))
STEPS = ("StepLR", dict(step_size=2))
SEQUENCE = ("SequentialLR", {})
BAD = [
    (
        RESTARTS,
        dict(T_cur=-2),
        V,
        "CosineAnnealingWarmRestarts: T_cur must be finite and at least -1, got -2",
    ),
    (RESTARTS, dict(T_i=0), V, "CosineAnnealingWarmRestarts: T_i must be finite and at least 1, got 0"),
    (RESTARTS, dict(T_0=4), V, "CosineAnnealingWarmRestarts: saved with T_0 = 4, but here it is 3"),
    (PLATEAU, dict(best=math.nan), V, "ReduceLROnPlateau: best must be finite, got nan"),
    (PLATEAU, dict(cooldown_counter=-1), V, "ReduceLROnPlateau: cooldown_counter must be at least 0, got -1"),
    (
        PLATEAU,
        dict(num_bad_epochs=1.5),
        T,
        "ReduceLROnPlateau: num_bad_epochs must be a whole number, got 1.5",
    ),
    (PLATEAU, dict(mode="max"), V, "ReduceLROnPlateau: saved with mode = 'max', but here it is 'min'"),
    (PLATEAU, dict(_last_lr=[0.1]), V, "ReduceLROnPlateau: _last_lr has 1 values, the optimizer 2 groups"),
    (STEPS, dict(last_epoch=-2), V, "StepLR: last_epoch must be at least -1, got -2"),
    (STEPS, dict(base_lrs=3), T, "StepLR: base_lrs must be a list of numbers, got 3"),
    (STEPS, dict(rates=3), T, "StepLR: rates must be a list of numbers, got 3"),
    (STEPS, dict(rates=[None]), V, "StepLR: rates has 1 values, the optimizer 2 groups"),
    (STEPS, dict(gamma=0.5), V, "StepLR: saved with gamma = 0.5, but here it is 0.1"),
    (SEQUENCE, dict(_schedulers=3), V, "SequentialLR: the state must have 2 '_schedulers'"),
    (SEQUENCE, dict(_schedulers=[{}]), V, "SequentialLR: the state must have 2 '_schedulers'"),
    (SEQUENCE, dict(_schedulers=[{}, {}]), V, "StepLR: the state lacks 'last_epoch'; it has []"),
    (SEQUENCE, dict(_schedulers=[3, {}]), T, "StepLR: a state must be a dict, got int"),
]


@pytest.mark.parametrize("made, change, kind, message", BAD, ids=range(len(BAD)))
def test_a_bad_state_is_told_with_its_value_and_changes_nothing(made, change, kind, message):
    m, optimizer = lr_scheduler, ours()
    name, options = made
    if name == "SequentialLR":
        schedule = m.SequentialLR(optimizer, [m.StepLR(optimizer, 2), m.ExponentialLR(optimizer, 0.5)], [3])
    else:
        schedule = getattr(m, name)(optimizer, **options)
    before = schedule.state_dict()
    with pytest.raises(kind, match=re.escape(message)):
        schedule.load_state_dict(before | change)
    assert schedule.state_dict() == before


@pytest.mark.parametrize("best", [math.inf, -math.inf, 0.25])
def test_the_best_figure_may_be_none_yet(best):
    schedule = lr_scheduler.ReduceLROnPlateau(ours())
    schedule.load_state_dict(schedule.state_dict() | {"best": best, "num_bad_epochs": 3})
    assert (schedule.best, schedule.num_bad_epochs) == (best, 3)


@pytest.mark.parametrize("make", [
    lambda m, o: m.SequentialLR(o, [m.ConstantLR(o, 0.5, 9), m.ExponentialLR(o, 0.5)], [2]),
    lambda m, o: m.ChainedScheduler([m.ExponentialLR(o, 0.5), m.StepLR(o, 2)]),
    lambda m, o: m.ChainedScheduler([m.SequentialLR(o, [m.StepLR(o, 2), m.StepLR(o, 1)], [1])]),
])  # fmt: skip
def test_combinations_know_the_latest_rates(make):
    optimizer = ours()
    schedule = make(lr_scheduler, optimizer)
    for epoch in range(1, 5):
        assert schedule.get_last_lr() == schedule.state_dict()["_last_lr"] == rates(optimizer)
        schedule.step()
        assert schedule.state_dict().get("last_epoch", epoch) == epoch
    schedule.get_last_lr().clear()
    assert schedule.get_last_lr() == rates(optimizer)
    schedule._leave()
    assert schedule.get_last_lr() == rates(optimizer) == pytest.approx([1.0, 2.0])
    schedule._enter()
    assert schedule.get_last_lr() == rates(optimizer)
