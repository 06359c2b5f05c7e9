"""The functions of nn.functional take torch's arguments: the same names, in the same order."""

import inspect
import re

import pytest

import tinygrad_notes as tg
from tinygrad_notes.nn import functional

torch = pytest.importorskip("torch", reason="parity with PyTorch needs torch")

# What torch has and we have not (docs/torch.md); names of ours for theirs; what only we have.
LEFT_OUT = {"size_average", "reduce", "inplace", "_stacklevel"}
LEFT_OUT |= {"running_mean", "running_var", "use_input_stats", "momentum"}  # of instance_norm
RENAMED = {"dim": "axis"}
ADDED = {
    "cross_entropy": {"convention"},
    "dropout": {"mask"},
    "local_response_norm": {"convention"},
    "mse_loss": {"convention"},
    "scaled_dot_product_attention": {"dropout_mask"},
}
NUMPYS = {"pad"}  # np.pad's arguments and meaning

SHARED = [n for n in functional.__all__ if hasattr(torch.nn.functional, n) and n not in NUMPYS]


def torch_names(name):
    """From the signature, or for compiled functions from the first line of the documentation."""
    if name == "max_pool2d":  # the public one chooses between two
        return list(inspect.signature(torch.nn.functional._max_pool2d).parameters)
    function = getattr(torch.nn.functional, name)
    try:
        return list(inspect.signature(function).parameters)
    except ValueError:
        arguments = re.search(rf"{name}\((.*?)\) -> (?:Long)?Tensor", function.__doc__, re.DOTALL)[1]
        return [a.partition("=")[0].strip() for a in arguments.split(",")]


@pytest.mark.parametrize("name", SHARED)
def test_argument_names_are_those_of_torch_in_its_order(name):
    ours = list(inspect.signature(getattr(functional, name)).parameters)
    ours = [n for n in ours if n not in ADDED.get(name, ())]
    theirs = [RENAMED.get(n, n) for n in torch_names(name) if n not in LEFT_OUT]
    assert ours == theirs[: len(ours)]


def test_what_the_comparison_covers():
    assert len(SHARED) >= 20
    of_words = {"hierarchical_softmax_loss", "negative_sampling_loss"}  # torch has none of them
    assert set(functional.__all__) - set(SHARED) == {"flatten", "pad"} | of_words
    assert next(iter(inspect.signature(functional.flatten).parameters)) == "input"  # torch.flatten's


def test_first_arguments_by_name():
    x = tg.Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert functional.relu(input=x).shape == functional.softmax(input=x, axis=1).shape == (2, 3)
    assert functional.flatten(input=x).shape == (6,)
