"""Rows of a table that a batch has read, each learned from once, on both backends."""

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend
from tinygrad_notes.backend import cpu


@pytest.mark.parametrize("ids", [
    [[3, 1, 3], [0, 1, 1]], [5], [], [[2, 2], [2, 2]], list(range(9)) * 3
], ids=str)  # fmt: skip
def test_equal_ids_have_one_place_and_its_row(gpu, ids):
    ids = np.array(ids, np.int64)
    for xp in (cpu, gpu):
        given = ids if xp is cpu else backend.asarray(ids)
        rows, place, owner = (None if a is None else backend.to_numpy(a) for a in xp.distinct_rows(given, 9))
        assert place.shape == ids.shape
        np.testing.assert_array_equal(rows[place], ids)
        assert len(set(place.ravel().tolist())) == len(set(ids.ravel().tolist()))
        if owner is not None:
            np.testing.assert_array_equal(rows[owner], rows)
            np.testing.assert_array_equal(owner[owner], owner)


def trained(max_norm, captured=False):
    """A table after five steps on ids that repeat, with another rate in each."""
    random = np.random.default_rng(0)
    table = tg.Tensor(random.standard_normal((7, 3)).astype(np.float32), requires_grad=True)
    update = tg.optim.RowSGD([table], 0.1, max_norm)
    schedule = tg.optim.lr_scheduler.LinearLR(update, 1.0, 0.1, 5)

    def step(ids, factors):
        loss = (update.pick(ids, table) * factors).sum()
        loss.backward()
        update.step()
        schedule.step()
        return loss

    learn = tg.capture(step) if captured else step
    losses = []
    for _ in range(5):
        ids = tg.Tensor(random.integers(0, 7, (4, 3)))
        losses.append(learn(ids, tg.Tensor(random.standard_normal((4, 3, 3)).astype(np.float32))))
    return np.array([loss.item() for loss in losses]), table.detach().numpy()


@pytest.mark.parametrize("max_norm", [None, 0.5])
def test_steps_of_picked_rows_are_those_of_numpy(gpu, max_norm):
    found = trained(max_norm)
    with backend.use_backend("numpy"):
        expected = trained(max_norm)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_captured_step_of_picked_rows_is_the_plain_one(gpu):
    for a, b in zip(trained(0.5, captured=True), trained(0.5), strict=True):
        assert a.tobytes() == b.tobytes()
