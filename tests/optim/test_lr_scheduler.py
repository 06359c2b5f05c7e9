"""Schedules: PyTorch's rates, alone, together, beside a rate set by hand; resumed anywhere bit for bit."""

import copy
import json
import math

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import nn
from tinygrad_notes.optim import lr_scheduler

EPOCHS = 20
FIGURES = [3, 2, 2, 2, 2, 1, 1, 1, 1, 0.9, 0.9, math.nan, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9]

# Schedules whose steps multiply in torch too: whatever else changes the rate, both give the same.
CHAINABLE = {
    "StepLR": dict(step_size=3, gamma=0.3),
    "MultiStepLR": dict(milestones=[2, 5, 5, 11], gamma=0.5),
    "ExponentialLR": dict(gamma=0.9),
    "ConstantLR": dict(factor=0.25, total_iters=4),
    "LinearLR": dict(start_factor=0.1, end_factor=0.8, total_iters=6),
    "PolynomialLR": dict(total_iters=15, power=2.0),
    "CosineAnnealingLR": dict(T_max=7, eta_min=0.01),
    "ReduceLROnPlateau": dict(factor=0.5, patience=2, cooldown=1, min_lr=[0.06, 0.2]),
}
# Schedules that set the rate in torch.
ALONE = {
    "LambdaLR": dict(lr_lambda=lambda s: min(1.0, s / 5)),  # begins at 0
    "CosineAnnealingWarmRestarts": dict(T_0=3, T_mult=2, eta_min=0.001),
    "OneCycleLR": dict(max_lr=[0.3, 0.6], total_steps=20),
}
CASES = {name: (name, options) for name, options in (CHAINABLE | ALONE).items()} | {
    "one milestone at 0": ("MultiStepLR", dict(milestones=(0, 3))),
    "to zero": ("LinearLR", dict(start_factor=1.0, end_factor=0.0, total_iters=4)),
    "several bottoms": ("CosineAnnealingLR", dict(T_max=2)),
    "T_max of 1": ("CosineAnnealingLR", dict(T_max=1, eta_min=0.2)),
    "one function per group": ("LambdaLR", dict(lr_lambda=[lambda s: 0.9**s, lambda s: 1 / (1 + s)])),
    "equal restarts": ("CosineAnnealingWarmRestarts", dict(T_0=4)),
    "three phases": ("OneCycleLR", dict(max_lr=0.3, epochs=5, steps_per_epoch=4, three_phase=True)),
    "straight lines": ("OneCycleLR", dict(max_lr=0.3, total_steps=21, anneal_strategy="linear", pct_start=0.4,
                                          base_momentum=0.7, div_factor=5.0, final_div_factor=10.0)),
    "cycle without momentum": ("OneCycleLR", dict(max_lr=0.3, total_steps=30, cycle_momentum=False)),
    "largest is best": ("ReduceLROnPlateau", dict(mode="max", patience=1, threshold=0.3,
                                                  threshold_mode="abs")),
    "relative, largest": ("ReduceLROnPlateau", dict(mode="max", patience=0, threshold=0.2)),
}  # fmt: skip


def ours(kind="SGD"):
    p, q = nn.Parameter(np.ones(2)), nn.Parameter(np.ones(3))
    return getattr(tg.optim, kind)([{"params": [p]}, {"params": [q], "lr": 0.25}], lr=0.5)


def theirs(kind="SGD"):
    torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    p, q = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(3))
    optimizer = getattr(torch.optim, kind)([{"params": [p]}, {"params": [q], "lr": 0.25}], lr=0.5)
    return optimizer, torch.optim.lr_scheduler


def make(module, optimizer, name, options):
    return getattr(module, name)(optimizer, **options)


def advance(schedule, epoch):
    if type(schedule).__name__ == "ReduceLROnPlateau":
        schedule.step(FIGURES[epoch])
    else:
        schedule.step()


def settings(optimizer):
    """What schedules set in every group."""
    return [v for group in optimizer.param_groups
            for v in (group["lr"], group.get("momentum", 0), *group.get("betas", ()))]  # fmt: skip


def run(optimizer, schedules, by_hand=None, epochs=EPOCHS):
    optimizer.step()  # torch warns if a schedule steps before
    rows = [settings(optimizer)]
    for epoch in range(epochs):
        if epoch == by_hand:
            for group in optimizer.param_groups:
                group["lr"] *= 0.3
        for schedule in schedules:
            advance(schedule, epoch)
        rows.append(settings(optimizer))
    return np.array(rows)


def both(cases, kind="SGD", **how):
    mine, (other, module) = ours(kind), theirs(kind)
    expected = run(other, [make(module, other, *case) for case in cases], **how)
    got = run(mine, [make(lr_scheduler, mine, *case) for case in cases], **how)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_rates_are_torchs(case, kind):
    both([CASES[case]], kind)


@pytest.mark.parametrize("second", CHAINABLE)
@pytest.mark.parametrize("first", CHAINABLE)
def test_two_schedules_together_are_torchs(first, second):
    if first != second:
        both([(first, CHAINABLE[first]), (second, CHAINABLE[second])])


@pytest.mark.parametrize("epoch", [0, 4, 10])
@pytest.mark.parametrize("name", CHAINABLE)
def test_a_rate_set_by_hand_is_torchs(name, epoch):
    both([(name, CHAINABLE[name])], by_hand=epoch)


@pytest.mark.parametrize(
    "name", [n for n in [*CHAINABLE, *ALONE] if n not in ("ReduceLROnPlateau", "OneCycleLR")]
)
def test_a_rate_set_by_hand_stays_set_and_so_does_another_schedules(name):
    """Scaled by hand, or by another schedule, all later rates are scaled, but a cosine's past its bottom."""
    options = {**(CHAINABLE | ALONE)[name]}
    options.pop("eta_min", None)
    last = 7 if name == "CosineAnnealingLR" else EPOCHS
    optimizers = [ours() for _ in range(3)]
    schedules = [[make(lr_scheduler, o, name, options)] for o in optimizers]
    schedules[2].append(lr_scheduler.MultiStepLR(optimizers[2], [5], 0.3))
    alone = run(optimizers[0], schedules[0], epochs=last)[:, ::2]
    by_hand = run(optimizers[1], schedules[1], by_hand=4, epochs=last)[:, ::2]
    together = run(optimizers[2], schedules[2], epochs=last)[:, ::2]
    scale = np.where(np.arange(last + 1) > 4, 0.3, 1.0)[:, None]
    np.testing.assert_allclose(by_hand, alone * scale, rtol=1e-12)
    np.testing.assert_allclose(together, alone * scale, rtol=1e-12)


def test_a_rate_set_by_hand_stays_to_the_last_bit_while_the_factor_does():
    optimizer = ours()
    schedule = lr_scheduler.StepLR(optimizer, 10)
    optimizer.param_groups[0]["lr"] = 0.1 + 0.2
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == 0.1 + 0.2


def test_warm_up_and_halving_multiply():
    optimizer = tg.optim.SGD([nn.Parameter(np.ones(1))], lr=0.2)
    schedules = [lr_scheduler.LinearWarmup(optimizer, 5), lr_scheduler.StepLR(optimizer, 10, 0.5)]
    got = run(optimizer, schedules)[:, 0]
    expected = [0.2 * min(1, (t + 1) / 5) * 0.5 ** (t // 10) for t in range(EPOCHS + 1)]
    np.testing.assert_allclose(got, expected, rtol=1e-14)


def test_a_schedule_alone_is_its_formula_without_drift():
    optimizer = ours()
    schedule = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 1000, eta_min=0.2)
    for _ in range(100_000):
        schedule.step()
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_warm_up_goes_on_with_a_function_of_the_steps_past_it():
    optimizer = tg.optim.SGD([nn.Parameter(np.ones(1))], lr=1.0)
    got = run(optimizer, [lr_scheduler.LinearWarmup(optimizer, 4, after=lambda s: 0.5**s)], epochs=6)[:, 0]
    np.testing.assert_allclose(got, [0.25, 0.5, 0.75, 1.0, 1.0, 0.5, 0.25], rtol=1e-14)


def test_noam_is_the_papers_formula():
    optimizer = tg.optim.Adam([nn.Parameter(np.ones(1))], lr=1.0)
    got = run(optimizer, [lr_scheduler.NoamLR(optimizer, 512, warmup_steps=8)])[:, 0]
    expected = [512**-0.5 * min(s**-0.5, s * 8**-1.5) for s in range(1, EPOCHS + 2)]
    np.testing.assert_allclose(got, expected, rtol=1e-14)
    assert got.argmax() == 7 and got.max() == pytest.approx((512 * 8) ** -0.5)


# ---- combinations ------------------------------------------------------------------------------------

COMBINED = {
    "warm-up, then a cosine": lambda m, o: m.SequentialLR(
        o, [m.LinearLR(o, 0.1, total_iters=5), m.CosineAnnealingLR(o, 12, eta_min=0.01)], [5]
    ),
    "three parts": lambda m, o: m.SequentialLR(
        o, [m.ConstantLR(o, 0.1, 3), m.ExponentialLR(o, 0.9), m.PolynomialLR(o, 9)], [4, 9]
    ),
    "a part of no length": lambda m, o: m.SequentialLR(
        o, [m.ConstantLR(o, 0.1, 3), m.StepLR(o, 2), m.ExponentialLR(o, 0.9)], [0, 3]
    ),
    "restarts after a constant": lambda m, o: m.SequentialLR(
        o, [m.ConstantLR(o, 0.5, 3), m.CosineAnnealingWarmRestarts(o, 4, 2)], [3]
    ),
    "functions": lambda m, o: m.SequentialLR(
        o, [m.LambdaLR(o, lambda s: s / 4), m.LambdaLR(o, lambda s: 0.5**s)], [4]
    ),
    "chained": lambda m, o: m.ChainedScheduler(
        [m.LinearLR(o, 0.2, total_iters=4), m.ExponentialLR(o, 0.9), m.MultiStepLR(o, [9])]
    ),
    "chained, one of them a sequence": lambda m, o: m.ChainedScheduler(
        [m.SequentialLR(o, [m.ConstantLR(o, 0.1, 3), m.ExponentialLR(o, 0.9)], [3]), m.StepLR(o, 6)], o
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COMBINED)
def test_combinations_are_torchs(name):
    mine, (other, module) = ours(), theirs()
    expected = run(other, [COMBINED[name](module, other)])
    np.testing.assert_allclose(run(mine, [COMBINED[name](lr_scheduler, mine)]), expected, rtol=1e-12)


def test_a_chain_may_be_a_part_of_a_sequence_and_what_others_do_stays():
    m, o = lr_scheduler, ours()
    chain = m.ChainedScheduler([m.ExponentialLR(o, 0.9), m.StepLR(o, 2, 0.5)])
    inner = m.SequentialLR(o, [m.ConstantLR(o, 0.5, 2), m.ConstantLR(o, 0.25, 9)], [1])
    sequence = m.SequentialLR(o, [m.ConstantLR(o, 0.1, 9), chain, inner], [3, 6])
    got = run(o, [sequence, m.MultiStepLR(o, [4], 0.1)], epochs=9)[:, 0]
    parts = [0.1] * 3 + [0.9**s * 0.5 ** (s // 2) for s in range(3)] + [0.5] + [0.25] * 3
    expected = [0.5 * f * (0.1 if t >= 4 else 1) for t, f in enumerate(parts)]
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_restarts_go_to_any_fraction_of_an_epoch():
    mine, (other, module) = ours(), theirs()
    schedules = [
        module.CosineAnnealingWarmRestarts(other, 2, 2),
        lr_scheduler.CosineAnnealingWarmRestarts(mine, 2, 2),
    ]
    other.step()
    for epoch in [0.5, 1.75, 2, 5.9, 6, 13.25, None, 3, None]:
        for schedule in schedules:
            schedule.step(epoch)
        np.testing.assert_allclose(settings(mine), settings(other), rtol=1e-12)


# ---- saving ------------------------------------------------------------------------------------------

EVERY = {name: lambda m, o, c=case: make(m, o, *c) for name, case in CASES.items()} | COMBINED | {
    "LinearWarmup": lambda m, o: m.LinearWarmup(o, 6, after=lambda s: 0.5**s),
    "NoamLR": lambda m, o: m.NoamLR(o, 64, 5),
}  # fmt: skip


def saved(optimizer, schedules):
    """Through text, as a checkpoint has it: every number in full."""
    state = {"o": optimizer.state_dict(), "s": [s.state_dict() for s in schedules]}
    return json.loads(json.dumps(state))


@pytest.mark.parametrize("name", EVERY)
def test_resumed_at_any_epoch_bit_for_bit(name):
    whole = ours()
    schedules = [EVERY[name](lr_scheduler, whole), lr_scheduler.ExponentialLR(whole, 0.97)]
    states, rows = [saved(whole, schedules)], [settings(whole)]
    for epoch in range(EPOCHS):
        for schedule in schedules:
            advance(schedule, epoch)
        states.append(saved(whole, schedules))
        rows.append(settings(whole))
    for begin, state in enumerate(states):
        again = ours()
        resumed = [EVERY[name](lr_scheduler, again), lr_scheduler.ExponentialLR(again, 0.97)]
        parts = [*zip(resumed, state["s"], strict=True), (again, state["o"])]
        for part, own in parts if begin % 2 else reversed(parts):  # the order of loading does not matter
            part.load_state_dict(own)
        assert saved(again, resumed) == state
        for epoch in range(begin, EPOCHS):
            for schedule in resumed:
                advance(schedule, epoch)
            assert settings(again) == rows[epoch + 1]


def test_a_state_has_torchs_keys():
    other, module = theirs()
    mine = ours()
    for name, (kind, options) in CASES.items():
        state = make(lr_scheduler, mine, kind, options).state_dict()
        known = make(module, other, kind, options).state_dict()
        assert state.keys() - {"rates"} <= known.keys(), name


def test_a_state_of_torch_goes_on():
    other, module = theirs()
    schedules = [module.LinearLR(other, 0.1), module.ExponentialLR(other, 0.9)]
    run(other, schedules, epochs=3)
    mine = ours()
    resumed = [lr_scheduler.LinearLR(mine, 0.1), lr_scheduler.ExponentialLR(mine, 0.9)]
    for schedule, state in zip(resumed, [s.state_dict() for s in schedules], strict=True):
        schedule.load_state_dict(state)
    mine.load_state_dict(other.state_dict())
    np.testing.assert_allclose(run(mine, resumed, epochs=9), run(other, schedules, epochs=9), rtol=1e-12)


def test_a_state_of_an_earlier_version_goes_on():
    optimizer = ours()
    schedule = lr_scheduler.CosineAnnealingLR(optimizer, 20)
    for group in optimizer.param_groups:
        group["lr"] = 0.0  # the end of a training of 10, resumed for 20
    schedule.load_state_dict({"last_epoch": 10, "base_lrs": [0.5, 0.25]})
    schedule.step()
    expected = [r * (1 + math.cos(math.pi * 11 / 20)) / 2 for r in (0.5, 0.25)]
    assert settings(optimizer)[::2] == pytest.approx(expected, rel=1e-14)


def test_a_training_may_be_made_longer():
    short = ours()
    schedule = lr_scheduler.CosineAnnealingLR(short, 10)
    run(short, [schedule], epochs=10)
    state = saved(short, [schedule])
    longer = ours()
    schedule = lr_scheduler.CosineAnnealingLR(longer, 20)
    longer.load_state_dict(state["o"])
    schedule.load_state_dict(state["s"][0])
    assert longer.param_groups[0]["lr"] == 0
    schedule.step()
    expected = 0.5 * (1 + math.cos(math.pi * 11 / 20)) / 2
    assert longer.param_groups[0]["lr"] == pytest.approx(expected, rel=1e-14)


BAD = {
    "not a dict": lambda s: [s],
    "nothing": lambda s: {},
    "no epoch": lambda s: {k: v for k, v in s.items() if k != "last_epoch"},
    "no rates": lambda s: {k: v for k, v in s.items() if k != "base_lrs"},
    "an epoch of text": lambda s: s | {"last_epoch": "3"},
    "half an epoch": lambda s: s | {"last_epoch": 1.5},
    "an epoch before the first": lambda s: s | {"last_epoch": -2},
    "a truth for an epoch": lambda s: s | {"last_epoch": True},
    "rates of one group": lambda s: s | {"base_lrs": [0.1]},
    "rates of text": lambda s: s | {"base_lrs": ["0.1", "0.1"]},
    "complex rates": lambda s: s | {"base_lrs": [1j, 0.1]},
    "infinite rates": lambda s: s | {"rates": [math.inf, 0.1]},
    "NaN": lambda s: s | {"_last_lr": [0.1, math.nan]},
    "a number for rates": lambda s: s | {"_last_lr": 0.1},
    "objects": lambda s: s | {"rates": [object(), 0.1]},
    "another gamma": lambda s: s | {"gamma": 0.3},
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("nested", [False, True], ids=["alone", "in a chain"])
def test_a_bad_state_changes_nothing(bad, nested):
    optimizer = ours()
    inner = lr_scheduler.ExponentialLR(optimizer, 0.9)
    outer = lr_scheduler.ChainedScheduler([lr_scheduler.StepLR(optimizer, 2), inner])
    run(optimizer, [outer], epochs=3)
    good = copy.deepcopy(outer.state_dict())
    run(optimizer, [outer], epochs=3)
    before, rates = outer.state_dict(), settings(optimizer)
    worse = BAD[bad](good["_schedulers"][1])
    with pytest.raises((ValueError, TypeError), match="ExponentialLR: "):
        if nested:
            outer.load_state_dict(good | {"_schedulers": [good["_schedulers"][0], worse]})
        else:
            inner.load_state_dict(worse)
    assert outer.state_dict() == before
    assert settings(optimizer) == rates


def test_a_state_with_other_parts_is_refused():
    optimizer = ours()
    chain = lr_scheduler.ChainedScheduler([lr_scheduler.StepLR(optimizer, 2)])
    with pytest.raises(ValueError, match="must have 1 '_schedulers'"):
        chain.load_state_dict(chain.state_dict() | {"_schedulers": []})


# ---- groups and arguments ----------------------------------------------------------------------------


def test_a_group_added_in_mid_run_takes_part_from_then_on():
    optimizer = ours()
    schedule = lr_scheduler.StepLR(optimizer, 2, 0.5)
    run(optimizer, [schedule], epochs=3)
    optimizer.add_param_group({"params": nn.Parameter(np.ones(1)), "lr": 0.8})
    schedule.step()
    assert [g["lr"] for g in optimizer.param_groups] == [0.125, 0.0625, 0.4]
    assert schedule.base_lrs == [0.5, 0.25, 0.8]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda m, o: m.StepLR(o, 0), "StepLR: step_size must be at least 1, got 0"),
        (lambda m, o: m.StepLR(o, 2.5), "StepLR: step_size must be a whole number"),
        (lambda m, o: m.ExponentialLR(o, math.nan), "ExponentialLR: gamma must be finite, got nan"),
        (lambda m, o: m.ExponentialLR(o, "0.9"), "ExponentialLR: gamma must be a number, got str"),
        (lambda m, o: m.ConstantLR(o, 1.5), "ConstantLR: factor must be finite, from 0 to 1"),
        (lambda m, o: m.LinearLR(o, 0), "start_factor must be above 0"),
        (lambda m, o: m.LambdaLR(o, [lambda s: 1]), "1 functions for 2 groups"),
        (lambda m, o: m.LambdaLR(o, 0.9), "must be a function of the step"),
        (lambda m, o: m.CosineAnnealingWarmRestarts(o, 0), "T_0 must be at least 1"),
        (lambda m, o: m.OneCycleLR(o, 0.1), "give total_steps, or epochs and steps_per_epoch"),
        (lambda m, o: m.OneCycleLR(o, [0.1], 5), "max_lr has 1 values, the optimizer 2 groups"),
        (lambda m, o: m.OneCycleLR(o, 0.1, 5, anneal_strategy="x"), "anneal_strategy is 'cos' or 'linear'"),
        (lambda m, o: m.ReduceLROnPlateau(o, factor=1), "factor must be below 1"),
        (lambda m, o: m.ReduceLROnPlateau(o, "best"), "mode must be 'min' or 'max'"),
        (lambda m, o: m.SequentialLR(o, [], []), "at least one schedule"),
        (lambda m, o: m.SequentialLR(o, [m.StepLR(o, 1)], [3]), "1 schedules need 0 milestones, got 1"),
        (lambda m, o: m.SequentialLR(o, [m.StepLR(o, 1)] * 3, [3, 2]), "milestones must increase"),
        (lambda m, o: m.ChainedScheduler([m.ReduceLROnPlateau(o)]), "needs a figure"),
        (lambda m, o: m.ChainedScheduler([m.StepLR(o, 1), m.StepLR(ours(), 1)]), "number 1 .* another opt"),
        (lambda m, o: m.StepLR(o.param_groups, 1), "StepLR: needs an Optimizer, got list"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make(lr_scheduler, ours())


def test_a_cycle_ends():
    optimizer = ours()
    schedule = lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=3)
    run(optimizer, [schedule], epochs=3)
    before = schedule.state_dict()
    with pytest.raises(ValueError, match="step 4 of 3 planned"):
        schedule.step()
    assert schedule.state_dict() == before


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize(
    "options, figures, cuts",
    [  # with a patience of 2 the third bad epoch cuts
        ({}, [5, 6, 6, 6, 6], [3]),
        ({}, [5, 6, 6, 4, 6, 6, 3, 6, 6, 6], [9]),  # a better one begins anew
        ({}, [5, math.nan, 6, 4, math.nan, 6, 6], [6]),
        ({}, [5] * 10, [3, 6, 9]),  # so does a cut
        ({"cooldown": 2}, [5] * 10, [3, 8]),
        ({"cooldown": 1}, [5, 6, 6, 6, 4, 6, 6, 6], [3, 7]),
        ({"patience": 0}, [5, 6, 4, 5], [1, 3]),
        ({"threshold_mode": "abs", "threshold": 1}, [5, 3.5, 3, 2.6, 2.6, 2.4, 2, 2], [4]),
    ],
)  # fmt: skip
def test_plateau_cuts_after_bad_epochs_in_a_row(mode, options, figures, cuts):
    optimizer, sign = ours(), 1 if mode == "min" else -1
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, mode, **{"patience": 2, "threshold": 0} | options)
    found = []
    for epoch, figure in enumerate(figures):
        before = settings(optimizer)
        schedule.step(sign * figure)
        if settings(optimizer) != before:
            found.append(epoch)
    assert found == cuts
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.5 * 0.1 ** len(cuts))


def test_plateau_takes_a_loss_as_it_is():
    optimizer = ours()
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    for _ in range(2):
        schedule.step(tg.Tensor(1.0))
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.05)
