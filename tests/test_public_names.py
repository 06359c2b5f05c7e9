"""What dir() and completion offer: public names, all of which exist, and no modules that they come from."""

import importlib
import types

import pytest

import tinygrad_notes as tg


@pytest.mark.parametrize("name", ["nn", "nn.functional", "optim", "data", "models", "train"])
def test_a_part_offers_what_it_lists(name):
    part = importlib.import_module(f"tinygrad_notes.{name}")
    assert dir(part) == sorted(part.__all__)
    assert all(hasattr(part, public) for public in dir(part))


def test_the_package_offers_functions_classes_and_its_public_parts():
    import tinygrad_notes.verify  # noqa: F401  (a part that is imported later is not offered either)

    offered = dir(tg)
    modules = {n for n in offered if isinstance(getattr(tg, n), types.ModuleType)}
    assert modules == {"data", "models", "nn", "ops", "optim", "train"}
    assert {"Tensor", "grad", "norm", "einsum", "no_grad", "save"} <= set(offered)
    assert not [n for n in offered if n.startswith("_")]
    assert tg.autograd.Tensor is tg.Tensor  # not offered, but there
