"""The step of a training, repeated by a device for each form of batches that comes often."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import backend
from ..autograd import CaptureError, Tensor, capture
from ..autograd.captured import Captured
from .settings import Settings
from .task import Score

MOST = 8  # recordings: each holds the memory of a step


class Repeated:
    """`step(batch)`, captured for each form of batches when it comes for the third time.

    A form is the shapes and dtypes of the Tensors, and the settings among them; what else a batch may hold is
    no argument of a captured step. The first `MOST` forms are repeated. Batches of all others, and those that
    a recording refuses, because a mode or a hook has changed, are learned from as they are; so is everything
    once a form could not be captured.
    """

    def __init__(self, step: Callable[[tuple[Any, ...]], Score]) -> None:
        self.step = step
        self.forms: dict[Any, Captured] | None = {}
        self.room = MOST  # for further recordings

    def __call__(self, batch: tuple[Any, ...]) -> Score:
        captured = self._captured(batch)
        if captured is None:
            return self.step(batch)
        new = not captured.recorded
        try:
            score: Score = captured(batch)
        except CaptureError:  # it has changed nothing
            if not captured.recorded:
                self.forms = None
            return self.step(batch)
        if new and captured.recorded:
            self.room -= 1
            if self.room == 0:  # the others will not be recorded any more
                self.forms = {form: one for form, one in (self.forms or {}).items() if one.recorded}
        return score

    def _captured(self, batch: tuple[Any, ...]) -> Captured | None:
        """Who repeats batches of this form; None where they are learned from as they are."""
        known = all(isinstance(x, Tensor | Settings) for x in batch)
        if self.forms is None or not known or not backend.xp.captures:
            return None
        form = tuple((x.shape, x.dtype) if isinstance(x, Tensor) else x for x in batch)
        if form not in self.forms and self.room:
            self.forms[form] = capture(self.step)
        return self.forms.get(form)
