"""A training that is cut and goes on must be the one without a break, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinygrad_notes.train.interrupt import Interrupted
from tinygrad_notes.train.run import Run


def equal_to_the_whole(
    task: Any, settings: Any, folder: Path, stops: Callable[[int], Iterable[int]],
    look: Callable[[Run, int], Any] = lambda run, stop: None,
) -> Run:  # fmt: skip
    """Train once without a break, and once cut after each of `stops(batches of an epoch)` batches.

    Weights and metrics must be the same. `look(run, stop)` is called at each cut. Returns the second run.
    """
    whole = Run.start(task, settings, folder / "whole")
    whole.fit()
    batches = len(whole.trainer.train)
    run = Run.start(task, settings, folder / "cut")
    for stop in stops(batches):
        with pytest.raises(Interrupted):
            run.fit(should_stop=lambda run=run, stop=stop: done(run, batches) >= stop)
        look(run, stop)
        run.claim.release()
        run = Run.resume(task, folder / "cut")
    run.fit()
    weights = run.model.state_dict()
    for name, value in whole.model.state_dict().items():
        np.testing.assert_array_equal(weights[name], value, err_msg=name)
    assert without_times(run) == without_times(whole)
    return run


def done(run: Run, batches: int) -> int:
    """Batches that `run` has learned from, of epochs of `batches`."""
    return run.trainer.batch + len(run.trainer.history) * batches


def without_times(run: Run) -> list[dict[str, Any]]:
    """Its metrics, but for the seconds that each epoch took."""
    return [{name: v for name, v in line.items() if name != "seconds"} for line in run.trainer.history]
