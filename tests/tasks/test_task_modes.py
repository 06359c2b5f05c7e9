"""Whoever looks at a model puts its mode back, be it training or evaluation, also where the look fails."""

import numpy as np
import pytest

from tinygrad_notes import nn
from tinygrad_notes.data import ArrayDataset, DataLoader
from tinygrad_notes.data.text import Vocabulary
from tinygrad_notes.models import RecurrentLM, Seq2Seq
from tinygrad_notes.models.count import multiply_adds
from tinygrad_notes.models.decoding import Sampling
from tinygrad_notes.models.summary import summary
from tinygrad_notes.tasks import find_task
from tinygrad_notes.tasks.images import pictures
from tinygrad_notes.tasks.language.generation import _pieces
from tinygrad_notes.tasks.language.texts import Units
from tinygrad_notes.tasks.pairs.settings import Decoding
from tinygrad_notes.train.loop import evaluate

IMAGES, SEQ2SEQ = find_task("images"), find_task("seq2seq")
ONE = np.ones((1, 1, 4, 4), np.float32)
UNITS = Units(Vocabulary(["a", "b"]))


class Watched(nn.Module):
    """Does nothing, and notes the mode in which it runs; `fails` where it is to."""

    def __init__(self, fails):
        self.fails, self.modes = fails, []

    def forward(self, x):
        self.modes.append(self.training)
        if self.fails:
            raise MemoryError
        return x


def network(fails):
    watched = Watched(fails)
    return nn.Sequential(nn.Conv2d(1, 2, 3), watched, nn.Flatten(), nn.Linear(8, 2)), watched


def language(fails):
    model, watched = RecurrentLM(2, "rnn", 4, 1), Watched(fails)
    model.dropout = watched
    return model, watched


def translator(fails):
    model, watched = Seq2Seq(5, 5, width=4, embedding=4), Watched(fails)
    model.dropout = watched
    return model, watched


def written(model):
    return SEQ2SEQ.writing(model, [[3, 4, 2]], SEQ2SEQ.settings("seq2seq", longest=4), Decoding())


LOOKS = {
    "evaluate": (network, lambda m: evaluate(IMAGES, m, DataLoader(ArrayDataset(ONE, [1]), 1))),
    "multiply_adds": (network, lambda m: multiply_adds(m, (1, 4, 4))),
    "summary": (network, lambda m: summary(m, (1, 4, 4))),
    "feature maps": (network, lambda m: pictures._outputs(m, ONE)),
    "generate": (language, lambda m: list(_pieces(m, UNITS, np.array([0]), 3, Sampling(0.0), None))),
    "write": (translator, written),
}


@pytest.mark.parametrize("fails", [False, True], ids=["", "and it fails"])
@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("name", LOOKS)
def test_a_look_is_in_evaluation_mode_and_leaves_the_mode_as_it_was(name, training, fails):
    make, look = LOOKS[name]
    model, watched = make(fails)
    model.train(training)
    if fails:
        with pytest.raises(MemoryError):
            look(model)
    else:
        look(model)
    assert watched.modes and not any(watched.modes)
    assert {module.training for module in model.modules()} == {training}
    assert not any("forward" in vars(module) for module in model.modules())
