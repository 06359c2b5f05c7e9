"""What the tests of several tasks share."""

import pytest

from tinygrad_notes.tasks import classification
from tinygrad_notes.tasks.images import pictures
from tinygrad_notes.train import plots


@pytest.fixture
def figures(monkeypatch):
    """The figures that are made, in their order."""
    pytest.importorskip("matplotlib")
    made, new_figure = [], plots.new_figure

    def kept(*size):
        made.append(new_figure(*size))
        return made[-1]

    for module in (pictures, classification, plots):
        monkeypatch.setattr(module, "new_figure", kept)
    return made
