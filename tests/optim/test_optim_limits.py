"""Rates below a schedule's least, frozen tables, groups that a schedule does not know."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend
from tinygrad_notes.optim import SGD, RowSGD, lr_scheduler


@pytest.fixture
def optimizer():
    return SGD([tg.nn.Parameter(np.ones(1, np.float32))], lr=0.1, momentum=0.9)


def test_a_rate_below_the_least_one_becomes_the_least_one(optimizer):
    """By another schedule or by hand. It must not be what the next restart multiplies."""
    rates = []
    annealing = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 5, eta_min=0.01)
    steps = lr_scheduler.StepLR(optimizer, 4, 0.1)
    for _ in range(12):
        annealing.step()
        steps.step()
        rates.append(optimizer.param_groups[0]["lr"])
    assert all(0 < rate <= 0.1 for rate in rates)
    optimizer.param_groups[0]["lr"] = 0.005
    annealing.step()
    assert optimizer.param_groups[0]["lr"] == 0.01


def test_a_group_that_a_cycle_does_not_know_is_refused_before_anything_moves(optimizer):
    cycle = lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    cycle.step()
    optimizer.add_param_group({"params": [tg.nn.Parameter(np.ones(1, np.float32))]})
    before, epoch = [group["lr"] for group in optimizer.param_groups], cycle.last_epoch
    with pytest.raises(ValueError, match="a group was added that has no max_lr"):
        cycle.step()
    assert [group["lr"] for group in optimizer.param_groups] == before and cycle.last_epoch == epoch


def test_a_frozen_table_stays(optimizer):
    frozen, table = (tg.nn.Parameter(np.zeros((3, 2), np.float32), requires_grad=k) for k in (False, True))
    rows = RowSGD([frozen, table], lr=1.0)
    y = rows.pick(np.array([1]), frozen) + rows.pick(np.array([2]), table)
    y.sum().backward()
    rows.step()
    assert backend.to_numpy(frozen.data).tolist() == [[0, 0]] * 3
    assert backend.to_numpy(table.data).tolist() == [[0, 0], [0, 0], [-1, -1]]
